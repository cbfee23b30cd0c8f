package sqlite

import (
	"database/sql/driver"
	"fmt"
	"time"

	"huika/acquirer/payment"
	"huika/pay"
)

const paymentColumns = `merchant, terminal, batch, stan, kind, id, state, fingerprint, amount, currency, sealed_pan,
 masked_pan, rrn, entry, cvm, scheme, scheme_stan, scheme_time, admitted_ms, updated_ms, response, auth_code, reversal_reason,
 original_terminal, original_batch, original_stan, original_kind, held, taken, fee, fee_back, fee_rule, hold`

// columns is how many paymentColumns names.
const columns = 33

type scanner interface{ Scan(...any) error }

// scan reads the paymentColumns.
func scan(row scanner) (payment.Payment, error) {
	var got [columns]any // database/sql stores NULL in an any only
	var to [columns]any
	for i := range got {
		to[i] = &got[i]
	}
	if err := row.Scan(to[:]...); err != nil {
		return payment.Payment{}, err
	}
	var v [columns]driver.Value
	for i := range got {
		v[i] = got[i]
	}
	return fromValues(v[:])
}

// fromValues is a row of paymentColumns.
func fromValues(v []driver.Value) (p payment.Payment, err error) {
	r := reader{v: v}
	o := &p.Original
	p.Key = payment.Key{
		Merchant: pay.MerchantID(r.text()), Terminal: pay.TerminalID(r.text()), Batch: r.text(), STAN: pay.STAN(r.number()), Kind: payment.Kind(r.number()),
	}
	p.ID, p.State = pay.PaymentID(r.text()), payment.State(r.number())
	copy(p.Fingerprint[:], r.bytes())
	p.Amount = pay.Money{Minor: r.number(), Currency: pay.Currency(r.number())}
	p.SealedPAN, p.MaskedPAN, p.RRN = r.bytes(), r.text(), pay.RRN(r.text())
	p.Entry, p.CVM, p.Scheme, p.SchemeSTAN, p.SchemeTime = r.text(), r.text(), r.text(), pay.STAN(r.number()), r.text()
	p.Admitted, p.Updated = time.UnixMilli(r.number()).UTC(), time.UnixMilli(r.number()).UTC()
	p.Response, p.AuthCode, p.ReversalReason = r.text(), r.text(), r.text()
	o.Terminal, o.Batch, o.STAN, o.Kind = pay.TerminalID(r.text()), r.text(), pay.STAN(r.number()), payment.Kind(r.number())
	p.Held, p.Taken, p.Fee, p.FeeBack, p.FeeRule, p.Hold = r.number(), r.number(), r.number(), r.number(), r.text(), r.number()
	if o.Kind != 0 {
		o.Merchant = p.Key.Merchant
	}
	return p, r.err
}

// reader takes one value after the other; the tables are STRICT, so another
// type than the column's is damage.
type reader struct {
	v   []driver.Value
	at  int
	err error
}

func (r *reader) next() driver.Value {
	v := r.v[r.at]
	r.at++
	return v
}

func (r *reader) bad(want string, v any) {
	if r.err == nil {
		r.err = fmt.Errorf("column %d holds a %T; want %s", r.at, v, want)
	}
}

func (r *reader) text() string {
	switch v := r.next().(type) {
	case string:
		return v
	case []byte:
		return string(v)
	default:
		r.bad("text", v)
		return ""
	}
}

func (r *reader) number() int64 {
	v, ok := r.next().(int64)
	if !ok {
		r.bad("a number", v)
	}
	return v
}

func (r *reader) bytes() []byte {
	switch v := r.next().(type) {
	case nil:
		return nil
	case []byte:
		return append([]byte(nil), v...)
	default:
		r.bad("bytes", v)
		return nil
	}
}

// newColumns is how many of the first paymentColumns stInsertNew takes; fee and
// fee_rule follow, and the rest is empty.
const newColumns = 20

// begins reports whether stInsertNew says all that there is to say about a row.
func begins(p payment.Payment) bool {
	return p.Response == "" && p.AuthCode == "" && p.ReversalReason == "" && p.Original == (payment.Key{}) &&
		p.Held == 0 && p.Taken == 0 && p.FeeBack == 0 && p.Hold == 0
}

// values are the paymentColumns of a row.
func values(p payment.Payment) []driver.Value {
	k, o := p.Key, p.Original
	var sealed driver.Value
	if p.SealedPAN != nil {
		sealed = p.SealedPAN
	}
	return []driver.Value{
		string(k.Merchant), string(k.Terminal), k.Batch, int64(k.STAN), int64(k.Kind), string(p.ID), int64(p.State), p.Fingerprint[:],
		p.Amount.Minor, int64(p.Amount.Currency), sealed, p.MaskedPAN, string(p.RRN), p.Entry, p.CVM, p.Scheme, int64(p.SchemeSTAN), p.SchemeTime,
		p.Admitted.UnixMilli(), p.Updated.UnixMilli(), // newColumns
		p.Response, p.AuthCode, p.ReversalReason,
		string(o.Terminal), o.Batch, int64(o.STAN), int64(o.Kind), p.Held, p.Taken, p.Fee, p.FeeBack, p.FeeRule, p.Hold,
	}
}
