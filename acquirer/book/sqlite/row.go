package sqlite

import (
	"time"

	"huika/acquirer/payment"
)

type scanner interface{ Scan(...any) error }

// scan reads the paymentColumns behind first.
func scan(row scanner, first ...any) (payment.Payment, error) {
	var p payment.Payment
	var fingerprint []byte
	var admitted, updated int64
	o := &p.Original
	err := row.Scan(append(first, &p.Key.Merchant, &p.Key.Terminal, &p.Key.Batch, &p.Key.STAN, &p.Key.Kind, &p.ID, &p.State, &fingerprint,
		&p.Amount.Minor, &p.Amount.Currency, &p.SealedPAN, &p.MaskedPAN, &p.RRN, &p.Entry, &p.CVM, &p.Scheme, &p.SchemeSTAN, &p.SchemeTime,
		&admitted, &updated, &p.Response, &p.AuthCode, &p.ReversalReason,
		&o.Terminal, &o.Batch, &o.STAN, &o.Kind, &p.Held, &p.Taken, &p.Fee, &p.FeeBack, &p.FeeRule, &p.Hold)...)
	if err != nil {
		return payment.Payment{}, err
	}
	copy(p.Fingerprint[:], fingerprint)
	if o.Kind != 0 {
		o.Merchant = p.Key.Merchant
	}
	p.Admitted, p.Updated = time.UnixMilli(admitted).UTC(), time.UnixMilli(updated).UTC()
	return p, nil
}

// values are the paymentColumns of a row.
func values(p payment.Payment) []any {
	k, o := p.Key, p.Original
	return []any{
		k.Merchant, k.Terminal, k.Batch, k.STAN, k.Kind, p.ID, p.State, p.Fingerprint[:],
		p.Amount.Minor, p.Amount.Currency, p.SealedPAN, p.MaskedPAN, p.RRN, p.Entry, p.CVM, p.Scheme, p.SchemeSTAN, p.SchemeTime,
		p.Admitted.UnixMilli(), p.Updated.UnixMilli(), p.Response, p.AuthCode, p.ReversalReason,
		o.Terminal, o.Batch, o.STAN, o.Kind, p.Held, p.Taken, p.Fee, p.FeeBack, p.FeeRule, p.Hold,
	}
}
