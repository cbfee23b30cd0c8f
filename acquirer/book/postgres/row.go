package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

const paymentColumns = `merchant, terminal, batch, stan, kind, id, state, fingerprint, amount, currency, sealed_pan,
 masked_pan, rrn, entry, cvm, scheme, scheme_stan, scheme_time, admitted_ms, updated_ms, response, auth_code, reversal_reason,
 original_terminal, original_batch, original_stan, original_kind, held, taken, fee, fee_back, fee_rule, hold`

// columns is how many paymentColumns names.
const columns = 33

const transferColumns = `merchant, seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, hash`

const transferWidth = 13

// paymentRow holds what a row of paymentColumns is read into.
type paymentRow struct {
	p                  payment.Payment
	admitted, updated  int64
	fingerprint        []byte
	kind, state, okind int16
	currency           int16
	to                 [columns]any
}

func newPaymentRow() *paymentRow {
	r := &paymentRow{}
	p, k, o := &r.p, &r.p.Key, &r.p.Original
	r.to = [columns]any{
		(*string)(&k.Merchant), (*string)(&k.Terminal), &k.Batch, (*uint32)(&k.STAN), &r.kind, (*string)(&p.ID), &r.state, &r.fingerprint,
		&p.Amount.Minor, &r.currency, &p.SealedPAN, &p.MaskedPAN, (*string)(&p.RRN), &p.Entry, &p.CVM, &p.Scheme, (*uint32)(&p.SchemeSTAN), &p.SchemeTime,
		&r.admitted, &r.updated, &p.Response, &p.AuthCode, &p.ReversalReason,
		(*string)(&o.Terminal), &o.Batch, (*uint32)(&o.STAN), &r.okind, &p.Held, &p.Taken, &p.Fee, &p.FeeBack, &p.FeeRule, &p.Hold,
	}
	return r
}

// scan reads the paymentColumns.
func (r *paymentRow) scan(row pgx.Row) (payment.Payment, error) {
	if err := row.Scan(r.to[:]...); err != nil {
		return payment.Payment{}, err
	}
	return r.take(), nil
}

// take is the row that was read; it shares nothing with the next one.
func (r *paymentRow) take() payment.Payment {
	p := r.p
	p.Key.Kind, p.State, p.Original.Kind = payment.Kind(r.kind), payment.State(r.state), payment.Kind(r.okind)
	p.Amount.Currency = pay.Currency(r.currency)
	copy(p.Fingerprint[:], r.fingerprint)
	p.Admitted, p.Updated = time.UnixMilli(r.admitted).UTC(), time.UnixMilli(r.updated).UTC()
	if p.Original.Kind != 0 {
		p.Original.Merchant = p.Key.Merchant
	}
	r.p.SealedPAN = nil
	return p
}

// values are the paymentColumns of a row, appended to args.
func values(args []any, p *payment.Payment) []any {
	k, o := &p.Key, &p.Original
	return append(args,
		string(k.Merchant), string(k.Terminal), k.Batch, int32(k.STAN), int16(k.Kind), string(p.ID), int16(p.State), p.Fingerprint[:],
		p.Amount.Minor, int16(p.Amount.Currency), p.SealedPAN, p.MaskedPAN, string(p.RRN), p.Entry, p.CVM, p.Scheme, int32(p.SchemeSTAN), p.SchemeTime,
		p.Admitted.UnixMilli(), p.Updated.UnixMilli(), p.Response, p.AuthCode, p.ReversalReason,
		string(o.Terminal), o.Batch, int32(o.STAN), int16(o.Kind), p.Held, p.Taken, p.Fee, p.FeeBack, p.FeeRule, p.Hold)
}

// transferRow holds what a row of transferColumns is read into.
type transferRow struct {
	t              book.Transfer
	seq, at        int64
	kind, currency int16
	hash           []byte
	to             [transferWidth]any
}

func newTransferRow(lane book.Lane) *transferRow {
	r := &transferRow{t: book.Transfer{Lane: lane}}
	t, k := &r.t, &r.t.Payment
	r.to = [transferWidth]any{
		(*string)(&t.Merchant), &r.seq, (*string)(&k.Terminal), &k.Batch, (*uint32)(&k.STAN), &r.kind,
		(*string)(&t.Debit), (*string)(&t.Credit), &t.Amount.Minor, &r.currency, &t.What, &r.at, &r.hash,
	}
	return r
}

// take is the row that was read, without Prev.
func (r *transferRow) take() book.Transfer {
	t := r.t
	t.Seq, t.At = uint64(r.seq), time.UnixMilli(r.at).UTC()
	t.Payment.Merchant, t.Payment.Kind, t.Amount.Currency = t.Merchant, payment.Kind(r.kind), pay.Currency(r.currency)
	copy(t.Hash[:], r.hash)
	return t
}

// transferValues are the transferColumns of a row, appended to args.
func transferValues(args []any, t *book.Transfer) []any {
	k := &t.Payment
	return append(args, string(t.Merchant), int64(t.Seq), string(k.Terminal), k.Batch, int32(k.STAN), int16(k.Kind),
		string(t.Debit), string(t.Credit), t.Amount.Minor, int16(t.Amount.Currency), t.What, t.At.UnixMilli(), t.Hash[:])
}
