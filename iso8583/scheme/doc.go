// Package scheme is the seam between who speaks with a card scheme and how that
// scheme writes its messages: one neutral Message, and a Dialect that maps it to
// bytes and back. iso8583/cup, visa, mastercard, amex, jcb and discover implement
// Dialect; the acquirer's host and the schemes' stand-ins use nothing else.
//
// It is not a codec (see iso8583), not a connection (see iso8583/link), and
// decides nothing: it routes no card, keeps no key, answers no message. In a tap
// it stands on the line from host to scheme, at both ends.
//
// A scheme of ISO 8583:1987 is a Dialect87: a Spec, a Wire that says how text and
// lengths are written, tables of transactions, functions and codes, and two
// functions for the fields that no other scheme has (jcb has none, discover one,
// visa and mastercard more; amex, of the 1993 version, implements Dialect itself).
//
// What a dialect can't carry it drops; its documentation says what. What it must
// carry and can't is an error that wraps iso8583.ErrFormat. Only the schemes'
// public descriptions stand behind the dialects: the manuals that come with a
// contract replace what each calls our reading.
package scheme

import (
	"errors"
	"sync"

	"huika/iso8583"
)

// ErrMAC says that the MAC of a message does not fit: changed bytes, or another key.
var ErrMAC = errors.New("MAC of the message does not fit")

// ErrNoMAC says that a message that needs a MAC has none.
var ErrNoMAC = errors.New("message without MAC")

// Dialect writes and reads one scheme's messages. Its methods may be called from
// any task at the same time. Frames are without the length prefix of the link.
type Dialect interface {
	// Name is that of the scheme's dialect in a configuration: "cup", "visa", …
	Name() string

	// Encode appends m to dst, with a MAC where mac is not nil. It does not change
	// m. Errors wrap iso8583.ErrFormat, carry no values, and leave dst as it was.
	Encode(dst []byte, m *Message, mac iso8583.MAC) ([]byte, error)

	// Decode reads a frame into m, which it empties first; m keeps nothing of the
	// frame. It does not check the MAC. A frame that reads well but is of no class
	// that this package knows gives Kind Unknown; a payment, reversal or management
	// message of a known class that asks for something else gives Transaction or
	// Function 0. Errors wrap iso8583.ErrFormat, and leave m empty.
	Decode(frame []byte, m *Message) error

	// CheckMAC compares a frame's MAC in constant time: nil, ErrMAC, ErrNoMAC, or
	// an error that wraps iso8583.ErrFormat.
	CheckMAC(frame []byte, mac iso8583.MAC) error

	// Key is the same for a request and its answer, and differs between any two
	// requests that may be under way at once.
	Key(m *Message) string

	// Dump is a frame in one line for logs and screens, with every field as the
	// scheme writes it: no PAN, track, PIN block or key in clear. Errors as of Decode.
	Dump(frame []byte) (string, error)
}

// Classify tells a connection (iso8583/link) which call a frame belongs to.
func Classify(d Dialect) func(frame []byte) (key string, response bool, err error) {
	var messages sync.Pool
	return func(frame []byte) (string, bool, error) {
		m, ok := messages.Get().(*Message)
		if !ok {
			m = new(Message)
		}
		if err := d.Decode(frame, m); err != nil {
			return "", false, err
		}
		key, response := d.Key(m), m.Response
		m.Wipe()
		messages.Put(m)
		return key, response, nil
	}
}
