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
	// Decision is the answer to one request: its effect where Code is "00", and
	// in any case the use of the card's ATC and of a PIN try.
	Decision Kind = 1 + iota
	// Reversal undoes what is left of a decided request's effect, once.
	Reversal
	// Tombstone says that a reversal came for a request that was never seen: it
	// is declined should it come later.
	Tombstone
)

// PINUse is what a request did to the account's PIN tries.
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
	Transaction Transaction // Decision only
	Key         string      // of the payment: see Key
	Original    string      // key of the payment that it follows; "" where it follows none or an unknown one
	Account     AccountRef  // Decision only; zero where the account is unknown
	Amount      int64       // fen, debited, credited, held or freed; Decision only
	Available   int64       // fen, what an approved balance inquiry was told; may be negative
	Code        string      // F39, two characters; Decision only
	Fingerprint [16]byte    // keyed hash of the message's content; Decision only
	HasATC      bool        // the cryptogram was right: ATC is used up
	ATC         uint16
	PIN         PINUse
	Auth        string // 91 of the answer, at most 16 bytes; "" for none
	Script      string // 71 or 72 of the answer, at most 255 bytes; "" for none
	RRN         string // F37, at most 12 characters
	AtMS        int64  // Unix milliseconds
}

// ErrRecord is wrapped by UnmarshalBinary's errors.
var ErrRecord = errors.New("issuer record")

const (
	recordVersion = 3
	arpcVersion   = 2 // is read still: 91 was the eight bytes behind the ATC and the code
	salesVersion  = 1 // is read still: it knew sales only, and had no transaction, available balance and original
	maxAuth       = 16
	maxScript     = 255
	maxKeyLength  = 64
	rrnLength     = 12
	arpcLength    = 8

	flagATC  = 1
	flagARPC = 2
)

// MarshalBinary writes version(1) ‖ kind(1) ‖ flags(1) ‖ PIN(1) ‖ account(8) ‖
// amount(8) ‖ code(2) ‖ fingerprint(16) ‖ ATC(2) ‖ zeros(8) ‖
// RRN(12) ‖ time(8) ‖ transaction(1) ‖ available(8) ‖ original ‖ 91 ‖ script,
// each behind its length(1), ‖ key, big-endian.
func (r Record) MarshalBinary() ([]byte, error) {
	if !r.known() || r.Key == "" || len(r.Key) > maxKeyLength || len(r.Original) > maxKeyLength || len(r.RRN) > rrnLength || len(r.Auth) > maxAuth || len(r.Script) > maxScript || (r.Kind == Decision) != (len(r.Code) == 2) {
		return nil, fmt.Errorf("%w: kind %d, transaction %d, key of %d bytes, code of %d", ErrRecord, r.Kind, r.Transaction, len(r.Key), len(r.Code))
	}
	var flags byte
	if r.HasATC {
		flags |= flagATC
	}
	b := make([]byte, 0, recordFixed+kindFixed+2+len(r.Original)+len(r.Auth)+len(r.Script)+len(r.Key))
	b = append(b, recordVersion, byte(r.Kind), flags, byte(r.PIN))
	b = append(b, r.Account[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Amount))
	code := [2]byte{}
	copy(code[:], r.Code)
	b = append(b, code[:]...)
	b = append(b, r.Fingerprint[:]...)
	b = binary.BigEndian.AppendUint16(b, r.ATC)
	b = append(b, make([]byte, arpcLength)...)
	rrn := [rrnLength]byte{}
	copy(rrn[:], r.RRN)
	b = append(b, rrn[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.AtMS))
	b = append(b, byte(r.Transaction))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Available))
	for _, part := range [...]string{r.Original, r.Auth, r.Script} {
		b = append(b, byte(len(part)))
		b = append(b, part...)
	}
	return append(b, r.Key...), nil
}

// known reports whether kind and transaction exist, and go together.
func (r Record) known() bool {
	if r.Kind == Decision {
		return r.Transaction.rule().transaction != 0
	}
	return (r.Kind == Reversal || r.Kind == Tombstone) && r.Transaction == 0
}

const (
	recordFixed = 1 + 1 + 1 + 1 + 8 + 8 + 2 + 16 + 2 + arpcLength + rrnLength + 8 // the same in all versions
	kindFixed   = 1 + 8 + 1
)

// UnmarshalBinary reads what MarshalBinary wrote, and what its versions 1 and 2 wrote.
func (r *Record) UnmarshalBinary(b []byte) error {
	if len(b) <= recordFixed || len(b) > recordFixed+kindFixed+2*maxKeyLength+2+maxAuth+maxScript {
		return fmt.Errorf("%w: %d bytes", ErrRecord, len(b))
	}
	version := b[0]
	if version < salesVersion || version > recordVersion {
		return fmt.Errorf("%w: version %d", ErrRecord, version)
	}
	x := Record{Kind: Kind(b[1]), PIN: PINUse(b[3]), HasATC: b[2]&flagATC != 0}
	hasARPC := b[2]&flagARPC != 0
	if x.PIN > PINWrong || b[2]&^(flagATC|flagARPC) != 0 || hasARPC && version == recordVersion {
		return fmt.Errorf("%w: PIN %d, flags %02X", ErrRecord, b[3], b[2])
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
	if hasARPC {
		x.Auth = string(b[:arpcLength]) + x.Code
	}
	b = b[arpcLength:]
	x.RRN = strings.TrimRight(string(b[:rrnLength]), "\x00")
	b = b[rrnLength:]
	x.AtMS = int64(binary.BigEndian.Uint64(b))
	if err := x.tail(version, b[8:]); err != nil {
		return err
	}
	*r = x
	return nil
}

// tail reads what follows the time, which differs between the versions.
func (r *Record) tail(version byte, b []byte) error {
	if version == salesVersion {
		if r.Kind == Decision {
			r.Transaction = Sale
		}
	} else {
		if len(b) < kindFixed {
			return fmt.Errorf("%w: cut", ErrRecord)
		}
		r.Transaction, r.Available = Transaction(b[0]), int64(binary.BigEndian.Uint64(b[1:]))
		b = b[kindFixed-1:]
		parts := []*string{&r.Original, &r.Auth, &r.Script}
		if version == arpcVersion {
			parts = parts[:1]
		}
		for _, part := range parts {
			if len(b) == 0 || len(b) < 1+int(b[0]) {
				return fmt.Errorf("%w: cut", ErrRecord)
			}
			n := int(b[0])
			*part, b = string(b[1:1+n]), b[1+n:]
		}
		if len(r.Auth) > maxAuth {
			return fmt.Errorf("%w: 91 of %d bytes", ErrRecord, len(r.Auth))
		}
	}
	if r.Key = string(b); !r.known() || len(b) == 0 || len(b) > maxKeyLength || len(r.Original) > maxKeyLength {
		return fmt.Errorf("%w: kind %d, transaction %d, key of %d bytes", ErrRecord, r.Kind, r.Transaction, len(b))
	}
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
