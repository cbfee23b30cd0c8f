// Package iso8583 is the codec of card messages (ISO 8583:1987 shape): a Spec
// says, as a Go literal, how each field is written, a Message holds field values,
// and Pack and Unpack turn one into the other with next to no allocation.
//
// It is not a dialect (see iso8583/pos and iso8583/cup), not a connection (see
// iso8583/link) and knows no keys: a MAC is passed in. In a tap it stands between
// terminal and acquirer, and between acquirer, scheme and issuer.
//
// Input is never trusted: every error is an *Error with the path of the field,
// nothing panics, and what a message may take is bounded by MaxMessage.
package iso8583

import "errors"

// MaxMessage is the longest message, in bytes, that Pack makes and Unpack reads.
const MaxMessage = 4096

// ErrFormat is wrapped by every error about what a message looks like.
var ErrFormat = errors.New("message format")

// Error says which field of which message is wrong. It never carries field values.
type Error struct {
	Op    string // "pack", "unpack", "set"
	Field string // "MTI", "bitmap", "F55", "F60.2", or "message"
	Why   string
}

func (e *Error) Error() string { return e.Op + " " + e.Field + ": " + e.Why }

// Unwrap makes errors.Is(err, ErrFormat) true.
func (e *Error) Unwrap() error { return ErrFormat }

// MAC computes the 8 bytes of F64 or F128. It is safe for concurrent use.
type MAC interface {
	Sum(data []byte) [8]byte
}
