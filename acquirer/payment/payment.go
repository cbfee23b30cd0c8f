// Package payment says what a payment is on the acquirer's side: its key, its
// facts and the one table of states that it can go through. Every other
// acquirer package builds on it; it imports nothing but pay.
//
// A tap gets here after the terminal's message was checked (acquirer/host) and
// before anything is written (acquirer/book).
package payment

import (
	"fmt"
	"time"

	"huika/pay"
)

// Kind is the kind of transaction.
type Kind byte

// Kinds. The Acquirer's other transactions take the numbers that follow.
const (
	Sale Kind = 1
)

func (k Kind) String() string {
	if k == Sale {
		return "sale"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Key is the idempotency key of crash rule 1: two messages with the same key
// are the same payment, whatever happened between them. A reversal repeats the
// original's STAN and batch and so has the original's key.
type Key struct {
	Merchant pay.MerchantID // F42
	Terminal pay.TerminalID // F41
	Batch    string         // F60.2, six digits
	STAN     pay.STAN       // F11
	Kind     Kind
}

func (k Key) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/%s", k.Merchant, k.Terminal, k.Batch, k.STAN, k.Kind)
}

// Fingerprint is a keyed digest of what a message asks for. The same key with
// another fingerprint is refused (response 94). The zero value is that of a
// tombstone: it matches nothing and refuses nothing.
type Fingerprint [16]byte

// Payment is what the books keep of one payment. It never holds track 2, a PIN
// block or the card's cryptogram: those live only while the scheme is asked.
type Payment struct {
	Key         Key
	ID          pay.PaymentID // F46, the terminal's own name for it
	State       State
	Fingerprint Fingerprint
	Amount      pay.Money
	SealedPAN   []byte // pay.Sealer, context PANContext(Key)
	MaskedPAN   string // first 6, last 4
	RRN         pay.RRN
	Entry       string    // F22
	CVM         string    // as the terminal claims it: none, online_pin, cdcvm, signature
	Scheme      string    // route that was asked, "" before routing
	SchemeSTAN  pay.STAN  // F11 towards the scheme
	SchemeTime  string    // F7 towards the scheme, MMDDhhmmss UTC
	Admitted    time.Time // UTC, milliseconds
	Updated     time.Time
	Response    string // F39, "" until known
	AuthCode    string // F38
	// ReversalReason is the F39 of a reversal (98 96 A0 06), "" where there was none.
	ReversalReason string
}

// PANContext binds a sealed PAN to its payment.
func PANContext(k Key) string { return "pan/" + k.String() }
