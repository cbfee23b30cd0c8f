// Package nfc is how the two halves of a tap meet: on one side a card (a
// software one from package card, or a real one), on the other the terminal's
// reader. Three transports stand behind one Reader: an in-memory link with RF
// faults, PC/SC through the system's pcscd, and (from the card's side) the vpcd
// slot that puts a software card into the real PC/SC stack.
//
// It moves bytes and knows presence, collision and loss. It knows nothing of
// payments: Entry Point (emv/entry) decides what to send.
package nfc

import (
	"context"
	"errors"
	"time"
)

// Card is anything that answers command APDUs. Implementations are not called
// from two tasks at once.
type Card interface {
	// ATR is what the card answers to a reset (PC/SC part 3 form for contactless cards).
	ATR() []byte
	// Reset is power-on: session state is lost, what is durable (ATC) stays.
	Reset()
	// Transmit answers one command, status word included. nil means that the
	// card does not answer (a dead chip).
	Transmit(command []byte) (response []byte)
}

// Presence is what a poll of the field found.
type Presence int

// Presence values.
const (
	NoCard Presence = iota
	OneCard
	Collision // more than one card
)

func (p Presence) String() string { return [...]string{"no card", "one card", "collision"}[p] }

// Reader is a contactless reader as Entry Point drives it. Only one task uses
// it at a time, except Status and Close, which any task may call. Every method
// that waits ends at once when ctx does.
//
// Errors: ErrCardLost where the card left, answered nothing in time or the air
// protocol failed; *ReaderError where the reader itself failed; ctx.Err().
type Reader interface {
	// Name is the reader's name for people ("memory", or PC/SC's).
	Name() string
	// FieldOn switches the field on.
	FieldOn(ctx context.Context) error
	// FieldOff switches the field off and keeps it off for hold.
	FieldOff(ctx context.Context, hold time.Duration) error
	// WaitCard waits until something is in the field and activates it, or until
	// the time-out (0: none but ctx). It returns NoCard after the time-out.
	WaitCard(ctx context.Context, timeout time.Duration) (Presence, error)
	// WaitRemoval waits until the field is empty, or until the time-out; it reports whether it is empty.
	WaitRemoval(ctx context.Context, timeout time.Duration) (bool, error)
	// Transmit exchanges one command with the active card.
	Transmit(ctx context.Context, command []byte) (response []byte, err error)
	// Status is the reader's health now; it never waits.
	Status() Health
	// Close frees the reader. Calls under way return a *ReaderError.
	Close() error
}

// ErrCardLost is the card leaving the field, a time-out or a protocol error on the air.
var ErrCardLost = errors.New("card lost")

// Condition is the health of a reader in one word.
type Condition string

// Conditions. Everything but Ready stops a payment before the card is read.
const (
	Ready     Condition = "ready"
	Unplugged Condition = "unplugged"  // no such reader now
	Hung      Condition = "hung"       // no answer within its time
	Busy      Condition = "busy"       // another payment of ours holds it
	Taken     Condition = "taken"      // another program holds it
	Disabled  Condition = "disabled"   // switched off in the configuration or by the system
	NoService Condition = "no_service" // pcscd does not run
	Closed    Condition = "closed"
)

// Health is a reader's condition, and since when.
type Health struct {
	Condition Condition
	Detail    string // for support; names no card data
	Since     time.Time
}

// ReaderError says that the reader, not the card, failed.
type ReaderError struct {
	Op        string // "wait", "transmit", …
	Condition Condition
	Err       error // may be nil
}

func (e *ReaderError) Error() string {
	s := "reader " + string(e.Condition) + " at " + e.Op
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ReaderError) Unwrap() error { return e.Err }
