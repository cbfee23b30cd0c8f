// Package payment says what a payment is on the acquirer's side: its key, its
// facts and the one table of states that it can go through. Every other
// acquirer package builds on it; it imports nothing but pay.
//
// A tap gets here after the terminal's message was checked (acquirer/host) and
// before anything is written (acquirer/book).
package payment

import (
	"time"

	"huika/pay"
)

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

// AcquirerBatch begins the batch of a payment that was made at the acquirer,
// without a terminal. No terminal's batch does: those are digits.
const AcquirerBatch = 'A'

// AtAcquirer reports whether the payment was made at the acquirer. It counts in
// no terminal's totals.
func (k Key) AtAcquirer() bool { return len(k.Batch) > 0 && k.Batch[0] == AcquirerBatch }

func (k Key) String() string {
	return string(k.Merchant) + "/" + string(k.Terminal) + "/" + k.Batch + "/" + k.STAN.String() + "/" + k.Kind.String()
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
	// Original is the payment that this one follows, of the same merchant; the zero Key: none.
	Original Key
	// Held and Taken are what follow-ups claim of this payment: while they are
	// open, and for good. Minor units.
	Held, Taken int64
	// Fee is what the merchant pays for this payment, or gets back by it;
	// FeeBack what follow-ups have returned of it. Minor units.
	Fee, FeeBack int64
	FeeRule      string // name of the tariff row that Fee comes from
	// Hold is the amount that this payment puts on hold, or frees. Minor units.
	Hold int64
	// ReversalReason is the F39 of a reversal (98 96 A0 06), "" where there was none.
	ReversalReason string
}

// PANContext binds a sealed PAN to its payment.
func PANContext(k Key) string { return "pan/" + k.String() }

// Open reports whether somebody still has to do something about the payment. A
// settlement that waits for its upload moves nothing and is not counted.
func (p Payment) Open() bool { return p.State.Unresolved() && !p.Key.Kind.Rule().Local }
