package issuer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Kind says what a record states.
type Kind byte

// Kinds of records.
const (
	// Decision is the answer to one sale: the debit where Code is "00", and in
	// any case the use of the card's ATC and of a PIN try.
	Decision Kind = 1 + iota
	// Reversal gives a decided sale back, once.
	Reversal
	// Tombstone says that a reversal came for a sale that was never seen: the
	// sale is declined should it come later.
	Tombstone
)

// PINUse is what a sale did to the account's PIN tries.
type PINUse byte

// Values of PINUse.
const (
	PINNone  PINUse = iota // no PIN was compared
	PINRight               // right: the tries are whole again
	PINWrong               // wrong: one try fewer
)

// AccountRef names an account in records without its number: the first 8
// bytes of HMAC-SHA256 over the PAN under a key derived from the issuer master key.
type AccountRef [8]byte

// Record is one durable step of an issuer. It holds no card number, PIN or key.
type Record struct {
	Kind        Kind
	Key         string     // of the payment: see Key
	Account     AccountRef // Decision only; zero where the account is unknown
	Amount      int64      // fen; Decision only
	Code        string     // F39, two characters; Decision only
	Fingerprint [16]byte   // keyed hash of the message's content; Decision only
	HasATC      bool       // the cryptogram was right: ATC is used up
	ATC         uint16
	PIN         PINUse
	HasARPC     bool
	ARPC        [8]byte
	RRN         string // F37, at most 12 characters
	AtMS        int64  // Unix milliseconds
}

// ErrRecord is wrapped by UnmarshalBinary's errors.
var ErrRecord = errors.New("issuer record")

const (
	recordVersion = 1
	maxKeyLength  = 64
	rrnLength     = 12

	flagATC  = 1
	flagARPC = 2
)

// MarshalBinary writes version(1) ‖ kind(1) ‖ flags(1) ‖ PIN(1) ‖ account(8) ‖
// amount(8) ‖ code(2) ‖ fingerprint(16) ‖ ATC(2) ‖ ARPC(8) ‖
// RRN(12) ‖ time(8) ‖ key, big-endian.
func (r Record) MarshalBinary() ([]byte, error) {
	if r.Kind < Decision || r.Kind > Tombstone || r.Key == "" || len(r.Key) > maxKeyLength || len(r.RRN) > rrnLength || (r.Kind == Decision) != (len(r.Code) == 2) {
		return nil, fmt.Errorf("%w: kind %d, key of %d bytes, code of %d", ErrRecord, r.Kind, len(r.Key), len(r.Code))
	}
	var flags byte
	if r.HasATC {
		flags |= flagATC
	}
	if r.HasARPC {
		flags |= flagARPC
	}
	b := make([]byte, 0, recordFixed+len(r.Key))
	b = append(b, recordVersion, byte(r.Kind), flags, byte(r.PIN))
	b = append(b, r.Account[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Amount))
	code := [2]byte{}
	copy(code[:], r.Code)
	b = append(b, code[:]...)
	b = append(b, r.Fingerprint[:]...)
	b = binary.BigEndian.AppendUint16(b, r.ATC)
	b = append(b, r.ARPC[:]...)
	rrn := [rrnLength]byte{}
	copy(rrn[:], r.RRN)
	b = append(b, rrn[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.AtMS))
	return append(b, r.Key...), nil
}

const recordFixed = 1 + 1 + 1 + 1 + 8 + 8 + 2 + 16 + 2 + 8 + rrnLength + 8

// UnmarshalBinary reads what MarshalBinary wrote.
func (r *Record) UnmarshalBinary(b []byte) error {
	if len(b) <= recordFixed || len(b) > recordFixed+maxKeyLength {
		return fmt.Errorf("%w: %d bytes", ErrRecord, len(b))
	}
	if b[0] != recordVersion {
		return fmt.Errorf("%w: version %d", ErrRecord, b[0])
	}
	x := Record{Kind: Kind(b[1]), PIN: PINUse(b[3]), HasATC: b[2]&flagATC != 0, HasARPC: b[2]&flagARPC != 0}
	if x.Kind < Decision || x.Kind > Tombstone || x.PIN > PINWrong || b[2]&^(flagATC|flagARPC) != 0 {
		return fmt.Errorf("%w: kind %d, flags %02X", ErrRecord, b[1], b[2])
	}
	b = b[4:]
	b = b[copy(x.Account[:], b):]
	x.Amount = int64(binary.BigEndian.Uint64(b))
	if x.Kind == Decision {
		x.Code = string(b[8:10])
	}
	b = b[10:]
	b = b[copy(x.Fingerprint[:], b):]
	x.ATC = binary.BigEndian.Uint16(b)
	b = b[2:]
	b = b[copy(x.ARPC[:], b):]
	x.RRN = strings.TrimRight(string(b[:rrnLength]), "\x00")
	b = b[rrnLength:]
	x.AtMS = int64(binary.BigEndian.Uint64(b))
	x.Key = string(b[8:])
	*r = x
	return nil
}

// Store keeps an issuer's records in the order in which they were appended.
//
// An error of Append means that it is not known whether the records are
// durable: the issuer ends, and a new one starts from Load.
type Store interface {
	// Load hands every durable record to f, oldest first. It returns f's error.
	Load(f func(Record) error) error
	// Append adds records, all or none, durable when it returns nil.
	Append(records ...Record) error
}
