package scheme

import (
	"errors"
	"fmt"
	"strings"

	"huika/iso8583/cup"
)

// Kind says what a record states.
type Kind byte

// Kinds of records.
const (
	// Owed: a request may have reached the issuer and its answer did not come in
	// time; the acquirer is told 91, so the issuer is owed a reversal.
	Owed Kind = 1
	// Settled: the issuer took that reversal, or never saw the request.
	Settled Kind = 2
)

// Record is one durable step of the switch. It holds no card number: the
// issuer finds the request by its key.
type Record struct {
	Kind         Kind
	Issuer       string // name
	MTI          string // of the request; Owed only
	Transmission string // F7 of the request
	STAN         string // F11
	Acquirer     string // F32
	Forwarder    string // F33, may be empty
	Terminal     string // F41
	Merchant     string // F42
	Processing   string // F3; Owed only, like the rest
	Amount       string // F4
	Currency     string // F49
	RRN          string // F37
}

// Store keeps the switch's records in the order in which they were appended.
//
// An error of Append means that it is not known whether the records are
// durable: the switch ends, and a new one starts from Load.
type Store interface {
	// Load hands every durable record to f, oldest first. It returns f's error.
	Load(f func(Record) error) error
	// Append adds records, all or none, durable when it returns nil.
	Append(records ...Record) error
}

// ErrRecord is wrapped by the errors of MarshalBinary and UnmarshalBinary.
var ErrRecord = errors.New("scheme record")

const (
	recordVersion = 2      // 1 knew sales only, and had no MTI
	salesVersion  = 1      // is read still
	fieldEnd      = "\x1f" // no field of the dialect may hold it
	maxRecord     = 512
)

func (r *Record) texts() []*string {
	return []*string{
		&r.Issuer, &r.Transmission, &r.STAN, &r.Acquirer, &r.Forwarder, &r.Terminal, &r.Merchant,
		&r.Processing, &r.Amount, &r.Currency, &r.RRN, &r.MTI,
	}
}

// MarshalBinary writes version(1) ‖ kind(1) ‖ the texts, each with 1F after it.
func (r Record) MarshalBinary() ([]byte, error) {
	if r.Kind != Owed && r.Kind != Settled {
		return nil, fmt.Errorf("%w: kind %d", ErrRecord, r.Kind)
	}
	b := []byte{recordVersion, byte(r.Kind)}
	for _, text := range r.texts() {
		if strings.Contains(*text, fieldEnd) {
			return nil, fmt.Errorf("%w: a separator inside a field", ErrRecord)
		}
		b = append(append(b, *text...), fieldEnd...)
	}
	if len(b) > maxRecord {
		return nil, fmt.Errorf("%w: %d bytes", ErrRecord, len(b))
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote, and what its version 1 wrote.
func (r *Record) UnmarshalBinary(b []byte) error {
	if len(b) < 2 || len(b) > maxRecord || b[0] != recordVersion && b[0] != salesVersion {
		return fmt.Errorf("%w: %d bytes, or another version", ErrRecord, len(b))
	}
	x := Record{Kind: Kind(b[1])}
	if x.Kind != Owed && x.Kind != Settled {
		return fmt.Errorf("%w: kind %d", ErrRecord, b[1])
	}
	texts := x.texts()
	if b[0] == salesVersion {
		texts = texts[:len(texts)-1]
		if x.Kind == Owed {
			x.MTI = cup.MTIFinancial
		}
	}
	parts := strings.Split(string(b[2:]), fieldEnd)
	if len(parts) != len(texts)+1 || parts[len(texts)] != "" {
		return fmt.Errorf("%w: %d fields", ErrRecord, len(parts)-1)
	}
	for i, text := range texts {
		*text = parts[i]
	}
	*r = x
	return nil
}

// key names the request.
func (r Record) key() string {
	return strings.Join([]string{r.Transmission, r.STAN, r.Acquirer, r.Terminal, r.Merchant}, "|")
}
