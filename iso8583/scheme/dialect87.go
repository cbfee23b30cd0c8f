package scheme

import "huika/iso8583"

// Dialect87 is a Dialect of the 1987 version, said as data: what a scheme has of
// its own beyond that is two functions. It implements Dialect; a scheme with a
// header wraps it.
type Dialect87 struct {
	Title string
	Wire  Wire
	Version87
	Place PlaceForm
	Entry int // digits of F22: 3 or 4

	PINControl string // F53, along with F52; "" for none
	Reasons    Codes  // F39 of a reversal, against Reason.Code; nil: Own tells
	KeyPrefix  string // of a working key in F48; NoKey: Own carries it
	TraceField int    // field of Trace; 0: dropped, or Own carries it

	// Mark is Row.Mark of a message; nil: it is F25.
	Mark func(from *In) string
	// PutOwn sets fields of the scheme's own; row is nil for Management.
	PutOwn func(to *iso8583.Message, m *Message, row *Row) error
	// GetOwn reads them.
	GetOwn func(from *In, m *Message) error
}

// NoKey as Dialect87.KeyPrefix leaves working keys to PutOwn and GetOwn.
const NoKey = "-"

// keyField carries a working key where a dialect has no other place for it.
const keyField = 48

// Name implements Dialect.
func (d *Dialect87) Name() string { return d.Title }

// Encode implements Dialect.
func (d *Dialect87) Encode(dst []byte, m *Message, mac iso8583.MAC) ([]byte, error) {
	return d.Wire.Encode(dst, m, mac, d.put)
}

// Decode implements Dialect.
func (d *Dialect87) Decode(frame []byte, m *Message) error { return d.Wire.Decode(frame, m, d.get) }

// CheckMAC implements Dialect.
func (d *Dialect87) CheckMAC(frame []byte, mac iso8583.MAC) error { return d.Wire.CheckMAC(frame, mac) }

// Key implements Dialect.
func (d *Dialect87) Key(m *Message) string { return Key(m) }

// Dump implements Dialect.
func (d *Dialect87) Dump(frame []byte) (string, error) { return d.Wire.Dump(frame) }

func (d *Dialect87) has(f int) bool { return d.Wire.Spec.Fields[f].Type != 0 }

func (d *Dialect87) put(to *iso8583.Message, m *Message) error {
	if err := Put(to, m); err != nil {
		return err
	}
	row, err := d.Version87.Put(to, m)
	if err != nil {
		return err
	}
	if !d.has(44) {
		to.Unset(44)
	}
	if d.Mark == nil && row != nil && row.Mark != "" {
		to.Set(25, row.Mark)
	}
	if m.Kind == Reversal && !m.Response && m.Reason != 0 && d.Reasons != nil {
		to.Set(39, d.Reasons.Scheme(m.Reason.Code()))
	}
	if d.PINControl != "" && len(m.PINBlock) > 0 {
		to.Set(53, d.PINControl)
	}
	if d.TraceField != 0 && m.Trace != "" {
		to.Set(d.TraceField, m.Trace)
	}
	if d.KeyPrefix != NoKey {
		if err := PutKey(to, keyField, d.KeyPrefix, &m.Key); err != nil {
			return err
		}
	}
	if err := PutEntry(to, m, d.Entry); err != nil {
		return err
	}
	if err := PutPlace(to, &m.Place, d.Place, d.has(19)); err != nil {
		return err
	}
	if d.PutOwn == nil {
		return nil
	}
	return d.PutOwn(to, m, row)
}

func (d *Dialect87) get(from *In, m *Message) error {
	if err := Get(from, m); err != nil {
		return err
	}
	mark := ""
	if d.Mark != nil {
		mark = d.Mark(from)
	} else {
		mark = from.Get(25)
	}
	if err := d.Version87.Get(from, m, mark); err != nil {
		return err
	}
	if m.Kind == Reversal && !m.Response && d.Reasons != nil {
		m.Reason, _ = ReasonOf(d.Reasons.Neutral(from.Get(39))) // a reason of no meaning to us is none
	}
	if d.TraceField != 0 {
		m.Trace = from.Get(d.TraceField)
	}
	if d.KeyPrefix != NoKey && m.Function == KeyExchange {
		if err := GetKey(from, keyField, d.KeyPrefix, &m.Key); err != nil {
			return err
		}
	}
	GetEntry(from, m)
	GetPlace(from, m, d.Place)
	if d.GetOwn == nil {
		return nil
	}
	return d.GetOwn(from, m)
}

// Check reports the first thing of the tables that makes no sense; a dialect's test calls it.
func (d *Dialect87) Check() error {
	if err := d.Wire.Check(); err != nil {
		return err
	}
	for i := range d.Rows {
		for j := range i {
			a, b := d.Rows[i], d.Rows[j]
			if a.Transaction == b.Transaction || a.MTI == b.MTI && a.Processing == b.Processing && a.Mark == b.Mark {
				return wrong("check", 3, "two transactions look alike: "+a.Transaction.String()+", "+b.Transaction.String())
			}
		}
	}
	for _, t := range Transactions {
		if d.Rows.Of(t) == nil {
			return wrong("check", 3, "no row for "+t.String())
		}
	}
	for _, f := range Functions {
		if d.Functions.Of(f) == "" {
			return wrong("check", 70, "no code for "+f.String())
		}
	}
	return nil
}
