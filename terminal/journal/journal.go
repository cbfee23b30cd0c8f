// Package journal is what the terminal must not forget: which payments were
// begun, which requests left for the acquirer, how they ended, and which
// reversals are owed. It is the terminal's half of the crash rules: a record is
// durable before the message that it speaks of is sent, and before the result
// that it holds is shown.
//
// A journal is a list of records that only grows. What follows from them
// (which payment is open, which reversal is owed, what the shift has taken) is
// decided in one place, Fold; the stores (journal/sqlite, journal/memory) append,
// find and fold, and journaltest holds both to it.
//
// It is not the books: balances and postings live at the acquirer. It holds no
// clear card number, and no track, PIN block or cryptogram outside a sealed box.
package journal

import (
	"context"
	"errors"
	"time"

	"huika/pay"
)

// Record is one line of the journal: Begun, Numbered, Sent, Answered, Ended,
// ReversalOwed, ReversalDone or BatchOpened.
type Record interface{ record() }

// Key names one request of this terminal as the acquirer knows it: F60.2 and F11.
type Key struct {
	Batch string   `json:"batch"` // six digits
	STAN  pay.STAN `json:"stan"`
}

// Begun is a payment that the clerk started; the card has not been asked yet.
type Begun struct {
	Payment pay.PaymentID `json:"payment"`
	Key     Key           `json:"key"`
	Amount  pay.Money     `json:"amount"`
	Kind    string        `json:"kind,omitempty"` // "" is a sale
	At      time.Time     `json:"at"`
}

// Side says where a payment counts in a batch's totals.
type Side string

// Sides. A sale's has always been the empty one.
const (
	Debit  Side = ""
	Credit Side = "credit"
	Aside  Side = "aside" // in neither sum: nothing was moved yet
)

// Numbered is a STAN that was drawn for anything else (sign-in, echo, a second try of a payment).
type Numbered struct {
	Key Key       `json:"key"`
	At  time.Time `json:"at"`
}

// Sent is written before a sale request leaves. Reversal is the sealed box of
// what a reversal of it needs.
type Sent struct {
	Payment  pay.PaymentID `json:"payment"`
	Key      Key           `json:"key"`
	Try      int           `json:"try"`
	Amount   pay.Money     `json:"amount"`
	Reversal []byte        `json:"reversal"`
	At       time.Time     `json:"at"`
}

// Answered closes a Sent with the acquirer's answer.
type Answered struct {
	Payment pay.PaymentID `json:"payment"`
	Key     Key           `json:"key"`
	Code    string        `json:"code"` // F39
	At      time.Time     `json:"at"`
}

// ReversalOwed closes a Sent that had no answer that can be believed.
type ReversalOwed struct {
	Payment pay.PaymentID `json:"payment"`
	Key     Key           `json:"key"`    // the original's
	Reason  string        `json:"reason"` // F39 of the reversal: 98, 96, A0, 06
	At      time.Time     `json:"at"`
}

// ReversalDone says that the acquirer has taken the reversal.
type ReversalDone struct {
	Key  Key       `json:"key"`
	Code string    `json:"code"` // F39 of the answer: 00, or 25 (original unknown)
	At   time.Time `json:"at"`
}

// Ended closes a Begun.
type Ended struct {
	Payment  pay.PaymentID `json:"payment"`
	Key      Key           `json:"key"` // of the last try
	Approved bool          `json:"approved"`
	Amount   pay.Money     `json:"amount"`
	Side     Side          `json:"side,omitempty"`
	Result   []byte        `json:"result"`  // JSON of the result as it is shown: nothing secret
	Receipt  []byte        `json:"receipt"` // sealed box of what the receipt prints; may be empty
	At       time.Time     `json:"at"`
}

// BatchOpened starts a batch, and with it a shift.
type BatchOpened struct {
	Batch string    `json:"batch"`
	At    time.Time `json:"at"`
}

func (Begun) record()        {}
func (Numbered) record()     {}
func (Sent) record()         {}
func (Answered) record()     {}
func (ReversalOwed) record() {}
func (ReversalDone) record() {}
func (Ended) record()        {}
func (BatchOpened) record()  {}

// Open is a payment that was begun and has no end.
type Open struct {
	Begun Begun
	Sent  *Sent // non-nil where a request left and neither an answer nor a reversal closes it
}

// Reversal is a reversal that is owed.
type Reversal struct {
	Owed ReversalOwed
	Sent Sent
}

// State is what a terminal must know when it starts.
type State struct {
	Batch     string     // newest BatchOpened; "" where there is none
	STAN      pay.STAN   // the last one drawn; 0 where there is none
	Open      []Open     // oldest first
	Reversals []Reversal // oldest first
	Totals    Totals     // of the batch
}

// Totals are what the approved payments of a batch come to, in minor units.
type Totals struct {
	Debits, Credits         int64
	DebitCount, CreditCount int
}

// Add counts an approved payment.
func (t *Totals) Add(r Ended) {
	switch r.Side {
	case Debit:
		t.Debits, t.DebitCount = t.Debits+r.Amount.Minor, t.DebitCount+1
	case Credit:
		t.Credits, t.CreditCount = t.Credits+r.Amount.Minor, t.CreditCount+1
	case Aside:
	}
}

// Errors of every store.
var (
	// ErrNotFound says that the journal has no such payment or trace.
	ErrNotFound = errors.New("not in the journal")
	// ErrRule says that a record contradicts those before it; nothing was written.
	ErrRule = errors.New("the journal does not allow this record")
	// ErrLost says that a write may not be durable. The process must end: what is true is read again at the next start.
	ErrLost = errors.New("the journal could not be written")
)

// MaxTraces is how many sealed traces a store keeps; the oldest give way.
const MaxTraces = 512

// Store keeps a journal. All methods may be called from any task. Writes are
// durable when they return; they do not wait for other tasks.
type Store interface {
	// Append adds records, all or none. Errors: ErrRule, ErrLost, ctx.Err().
	Append(ctx context.Context, records ...Record) error
	// State folds the journal. Errors: ctx.Err() or the machine's.
	State(ctx context.Context) (State, error)
	// Payment is every record that names the payment, oldest first. Errors: ErrNotFound, ctx.Err() or the machine's.
	Payment(ctx context.Context, id pay.PaymentID) ([]Record, error)
	// Each hands out every record, oldest first, until f fails. Errors: f's, ctx.Err() or the machine's.
	Each(ctx context.Context, f func(Record) error) error
	// PutTrace keeps the sealed trace of a payment in place of an earlier one. Errors: ErrLost, ctx.Err().
	PutTrace(ctx context.Context, id pay.PaymentID, box []byte) error
	// Trace is the sealed trace of a payment. Errors: ErrNotFound, ctx.Err() or the machine's.
	Trace(ctx context.Context, id pay.PaymentID) ([]byte, error)
	// Close frees the store.
	Close() error
}
