// Package fault is what can go wrong on the air between one card and one
// reader, as data: the card leaves at APDU n, the field is weak, the card is
// slow, somebody in the middle edits bytes. It stands between nfc.Card and the
// link that carries it; nfc/memory and nfc/vpcd share it, so that a fault means
// the same over the in-memory link and over the real PC/SC stack.
//
// It does not wait and keeps no cards: the link owns time and the field, and
// asks a Link for each exchange.
package fault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"huika/nfc"
)

// Presentation says how one card is held to the reader.
type Presentation struct {
	// RemoveAfterAPDU is the number of commands that the card answers before it
	// leaves the field: -1 never; 0 before the first (it is noticed, then gone).
	RemoveAfterAPDU int
	// Latency is added to each exchange.
	Latency time.Duration
	// Weak is the probability, 0 to 1, that an exchange is lost; in half of the
	// losses the card has received the command and its answer is what is lost.
	Weak float64
	// Tamper, where set, is a man in the middle: it gets each command (toCard)
	// and each response and returns what goes on instead. It may edit in place.
	Tamper func(toCard bool, apdu []byte) []byte
}

// Steady is a card held still for as long as it takes.
func Steady() Presentation { return Presentation{RemoveAfterAPDU: -1} }

var (
	// ErrLeft says that the card has left the field; it does not come back by itself.
	ErrLeft = errors.New("the card left the field")
	// ErrLost says that this exchange got no answer; the card is still there.
	ErrLost = errors.New("no answer from the card")
)

// Link is one card in one presentation. It is used by one task at a time.
type Link struct {
	card     nfc.Card
	how      Presentation
	rand     io.Reader
	answered int
}

// NewLink puts the presentation around the card. rand is read only for a weak field.
func NewLink(card nfc.Card, how Presentation, rand io.Reader) *Link {
	return &Link{card: card, how: how, rand: rand}
}

// ATR is the card's.
func (l *Link) ATR() []byte { return l.card.ATR() }

// Reset is the card's. The count of answered commands goes on: it belongs to
// the presentation, not to the card's session.
func (l *Link) Reset() { l.card.Reset() }

// Latency is how long the link must wait before Exchange.
func (l *Link) Latency() time.Duration { return l.how.Latency }

// Left reports whether the card has answered all it was going to. A card that
// leaves before its first answer is still noticed: it is gone only once a
// command has been tried, which Exchange says with ErrLeft.
func (l *Link) Left() bool {
	return l.how.RemoveAfterAPDU > 0 && l.answered >= l.how.RemoveAfterAPDU
}

// Exchange passes one command through the faults to the card. Errors: ErrLeft,
// ErrLost, or that of the source of randomness.
func (l *Link) Exchange(command []byte) ([]byte, error) {
	if l.how.RemoveAfterAPDU >= 0 && l.answered >= l.how.RemoveAfterAPDU {
		return nil, ErrLeft
	}
	lost, heard, err := l.draw()
	if err != nil {
		return nil, err
	}
	if lost && !heard {
		return nil, ErrLost
	}
	if l.how.Tamper != nil {
		command = l.how.Tamper(true, append([]byte(nil), command...))
	}
	response := l.card.Transmit(command)
	if response == nil || lost {
		return nil, ErrLost
	}
	if l.how.Tamper != nil {
		response = l.how.Tamper(false, append([]byte(nil), response...))
		if response == nil {
			return nil, ErrLost
		}
	}
	l.answered++
	return response, nil
}

// draw decides whether a weak field loses this exchange, and on which leg.
func (l *Link) draw() (lost, heard bool, err error) {
	if l.how.Weak <= 0 {
		return false, false, nil
	}
	var b [9]byte
	if _, err := io.ReadFull(l.rand, b[:]); err != nil {
		return false, false, fmt.Errorf("weak field: %w", err)
	}
	unit := float64(binary.BigEndian.Uint64(b[:8])>>11) / (1 << 53) // [0, 1)
	return unit < l.how.Weak, b[8]&1 == 1, nil
}
