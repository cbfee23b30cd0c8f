package scheme

import (
	"huika/iso8583"
	"huika/pay"
)

// f90Size is the digits of F90: message type 4, STAN 6, F7 10, two institutions of 11.
const f90Size = 4 + 6 + 10 + 11 + 11

// PutOriginal sets F90 of the 1987 version: what m's Original is, with the
// message type that rows give its Transaction. An absent Original leaves it out.
func PutOriginal(to *iso8583.Message, o *Original, rows Rows) error {
	if *o == (Original{}) {
		return nil
	}
	row := rows.Of(o.Transaction)
	switch {
	case row == nil:
		return wrong("pack", 90, "no such original")
	case len(o.Transmission) != 10 || o.STAN > 999_999:
		return wrong("pack", 90, "want STAN and transmission time of the original")
	case len(o.Acquirer) > 11 || len(o.Forwarder) > 11:
		return wrong("pack", 90, "institution longer than 11 digits")
	}
	var room [f90Size]byte
	v := append(room[:0], row.MTI...)
	v = AppendNumber(v, uint64(o.STAN), 6)
	v = append(v, o.Transmission...)
	for _, institution := range [...]string{o.Acquirer, o.Forwarder} {
		v = append(append(v, "00000000000"[len(institution):]...), institution...)
	}
	to.SetBytes(90, v)
	return nil
}

// GetOriginal reads F90. An institution comes back without leading zeros. Which
// transaction it was follows from m's own and the message type; 0 where nothing does.
func GetOriginal(from *In, m *Message, rows Rows) error {
	if !from.Has(90) {
		return nil
	}
	v := from.Get(90)
	if len(v) != f90Size {
		return wrong("unpack", 90, "want 42 digits")
	}
	stan, ok := Number([]byte(v[4:10]))
	if !ok {
		return wrong("unpack", 90, "want 42 digits")
	}
	m.Original = Original{
		Transaction: rows.Original(m, v[:4]), STAN: pay.STAN(stan), Transmission: v[10:20],
		Acquirer: trimZeros(v[20:31]), Forwarder: trimZeros(v[31:]),
	}
	return nil
}

func trimZeros(s string) string {
	for len(s) > 0 && s[0] == '0' {
		s = s[1:]
	}
	return s
}

// Row says how a dialect writes one transaction.
type Row struct {
	Transaction Transaction
	MTI         string // of the request
	Processing  string // F3
	// Mark is what else tells it apart, in a field of the dialect's own: F25, the
	// function code of F24, the status within F61.
	Mark string
}

// Rows is a dialect's table. No two rows agree in MTI, Processing and Mark.
type Rows []Row

// Of is the row of a transaction, or nil.
func (r Rows) Of(t Transaction) *Row {
	for i := range r {
		if r[i].Transaction == t {
			return &r[i]
		}
	}
	return nil
}

// Find is the transaction that a request of type mti asks for, or 0. Of what is
// empty, the first row that agrees in the rest counts.
func (r Rows) Find(mti, processing, mark string) Transaction {
	for i := range r {
		if (r[i].MTI == mti || mti == "") && r[i].Processing == processing && (r[i].Mark == mark || mark == "") {
			return r[i].Transaction
		}
	}
	return 0
}

// Has reports whether any transaction's request is of type mti.
func (r Rows) Has(mti string) bool {
	for i := range r {
		if r[i].MTI == mti {
			return true
		}
	}
	return false
}

// Original is the transaction of m's original, a message of type mti.
func (r Rows) Original(m *Message, mti string) Transaction {
	if m.Kind == Reversal {
		return m.Transaction
	}
	for _, t := range m.Transaction.follows() {
		if row := r.Of(t); row != nil && row.MTI == mti {
			return t
		}
	}
	return 0
}
