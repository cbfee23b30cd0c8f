package entry

import (
	"context"
	"io"
	"time"

	"huika/emv"
)

// Presence is what a poll of the field found.
type Presence int

// Presence values; the numbers are those of nfc.Presence.
const (
	NoCard Presence = iota
	OneCard
	Collision // more than one card
)

// Reader is the contactless reader (PCD) as Entry Point needs it. One call at
// a time. Every method that waits ends at once when ctx does.
//
// Errors: emv.ErrCardLost (wrapped) where the card left, answered nothing in
// time or the air protocol failed; anything else means that the reader itself
// failed or that ctx ended, and ends the transaction with that error.
type Reader interface {
	// FieldOn switches the field on; it is not an error if it is on already.
	FieldOn(ctx context.Context) error
	// FieldOff switches the field off and keeps it off for hold (0: a reset).
	FieldOff(ctx context.Context, hold time.Duration) error
	// WaitCard waits until something is in the field and activates it, or
	// until the time-out (0: none but ctx); NoCard means the time-out.
	// A card that was removed and one that was never there look the same.
	WaitCard(ctx context.Context, timeout time.Duration) (Presence, error)
	// WaitRemoval waits until the field is empty and reports true, or until
	// the time-out (0: none but ctx) and reports false.
	WaitRemoval(ctx context.Context, timeout time.Duration) (bool, error)
	// Transmit sends one command APDU to the active card and returns its
	// response with status word.
	Transmit(ctx context.Context, command []byte) (response []byte, err error)
}

// Point is one configured Entry Point. Its fields are set before the first
// use and not changed during a transaction; one transaction runs at a time.
type Point struct {
	Combinations []Combination // in the reader's order of preference
	Kernels      *Kernels
	Reader       Reader
	Display      emv.Display // nil: messages are not shown (they are still observed)
	Terminal     emv.Terminal
	Rand         io.Reader        // unpredictable numbers; handed to kernels
	Now          func() time.Time // clock of events and timings only; nil: no times
	Observer     Observer         // nil: none
	// Autorun makes Run begin at start B without pre-processing, for a fixed
	// amount (Book A 8.1.1.6, Book B 3.2.1.1): the only indicator is the
	// combination's TTQ as it stands.
	Autorun bool
	// CardTimeout is how long one protocol activation waits for a card;
	// 0: until ctx ends. It needs Now. When it passes the result is TimedOut.
	CardTimeout time.Duration
	// Language is put into user interface requests that carry none (5F2D form, e.g. "zh").
	Language []byte
}

// MaxRestarts bounds how often one activation goes back to start B (Try Again,
// card lost during selection) and how often Run restarts after a final outcome.
// Beyond it the transaction ends with End Application: a card that stays in the
// field and fails every time must not hold the reader for ever.
const MaxRestarts = 32

// Activation is one call of Entry Point, for callers that keep the reader's
// part (Book A 8.1) themselves; most use Run and Resume.
type Activation struct {
	Start       emv.Start
	Transaction emv.Transaction
	// Online is the issuer's answer after an Online Request.
	Online *emv.OnlineResponse
	// Previous is the result that this activation goes on from: its
	// indicators, candidates, user interface request on restart and kernel
	// memory. nil: a new transaction (the restart flag is 0). Starts C and D
	// and an online answer need it.
	Previous *Result
}

// Result is how a transaction, or the part of it before going online, ended.
type Result struct {
	Outcome emv.Outcome
	// TimedOut says that no card came within CardTimeout: the outcome is then
	// End Application without a message.
	TimedOut bool
	// Collisions counts how often more than one card was in the field.
	Collisions int
	// Restarts counts Try Again and other returns to start B or C.
	Restarts int

	Combination *Combination    // nil if the end came before a selection
	AID         []byte          // ADF name selected last, with extended selection if it was appended
	Kernel      emv.KernelID    // kernel activated last; 0 where none ran
	Version     uint16          // application version under which that kernel is registered
	Timings     Timings         // of the last card activation
	Indicators  emv.Indicators  // of Combination
	FCI         []byte          // of the final SELECT, without status word
	FCIStatus   uint16          // its status word
	Candidates  []Candidate     // as built from the directory, best first; what was tried is marked
	Transaction emv.Transaction // as handed in

	indicators []emv.Indicators // of every combination, for a later start B
	current    int              // candidate in use, -1 none
}

// Timings split a transaction as seen by Point.Now, from the moment the card was present.
type Timings struct {
	Select time.Duration // PPSE and final SELECT
	GPO    time.Duration // GET PROCESSING OPTIONS
	Read   time.Duration // READ RECORD, all
	Other  time.Duration // other exchanges of the kernel
	ODA    time.Duration // the kernel's work after its last exchange: authentication and decision
	Total  time.Duration // card present to outcome
}

// Run processes a transaction from its beginning: start A, or start B when
// Autorun is set. As Book A 8.1 asks of the reader, it starts again by itself
// where a final outcome names a start and waits for no online answer.
//
// An outcome (declined, try another interface, …) is a Result. An error means
// that the configuration is not usable ([ErrConfig]), that the reader failed,
// that a kernel failed, or that ctx ended; the Result then tells how far it came.
func (p *Point) Run(ctx context.Context, tx emv.Transaction) (Result, error) {
	start := emv.StartA
	if p.Autorun {
		start = emv.StartB
	}
	return p.loop(ctx, Activation{Start: start, Transaction: tx})
}

// Resume goes on after an Online Request with the issuer's answer, at the
// start point that the outcome named. Where the outcome asked for no restart
// the issuer's answer is final without the card: Approved or Declined, with
// the CVM of the request.
func (p *Point) Resume(ctx context.Context, previous Result, online emv.OnlineResponse) (Result, error) {
	start := previous.Outcome.Start
	hasData := len(online.AuthData) > 0 || len(online.Scripts) > 0
	if start == emv.StartNone || (previous.Outcome.OnlineResponseData == emv.OnlineEMVData && !hasData) {
		return p.finishOnline(previous, online), nil
	}
	return p.loop(ctx, Activation{Start: start, Transaction: previous.Transaction, Online: &online, Previous: &previous})
}

func (p *Point) loop(ctx context.Context, a Activation) (Result, error) {
	for restarts := 0; ; restarts++ {
		r, err := p.Activate(ctx, a)
		again := r.Outcome.Start != emv.StartNone && r.Outcome.OnlineResponseData == emv.OnlineNotApplicable && !r.TimedOut
		if err != nil || !again {
			return r, err
		}
		if restarts == MaxRestarts {
			s := session{p: p, r: r}
			s.finish(endApplication("restarted too often"))
			return s.r, nil
		}
		a = Activation{Start: r.Outcome.Start, Transaction: a.Transaction, Online: a.Online, Previous: &r}
	}
}

// finishOnline is the reader's part after an Online Request that wants no restart (Book A 8.1, public description).
func (p *Point) finishOnline(previous Result, online emv.OnlineResponse) Result {
	s := session{p: p, r: previous}
	cvm, record := previous.Outcome.CVM, previous.Outcome.DataRecord
	o := noOutcome(emv.Declined, "the issuer declined")
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgNotAuthorised, Status: emv.StatusIdle}
	if online.Approved {
		o.Kind, o.Reason = emv.Approved, "the issuer approved"
		o.UIOutcome.Message = emv.MsgApproved
		if cvm == emv.CVMSignature {
			o.UIOutcome.Message = emv.MsgApprovedSign
		}
	}
	o.CVM, o.DataRecord, o.ODA, o.Receipt = cvm, record, previous.Outcome.ODA, previous.Outcome.Receipt
	s.show(*o.UIOutcome)
	s.finish(o)
	return s.r
}

// Removal waits until the field is empty, at most for timeout (0: until ctx
// ends), and switches the field off. Where a card is still there after
// half a second it asks for its removal (message 10). It reports whether the
// field was empty in the end.
func (p *Point) Removal(ctx context.Context, timeout time.Duration) (bool, error) {
	const patience = 500 * time.Millisecond
	first := patience
	if timeout > 0 {
		first = min(patience, timeout)
	}
	empty, err := p.Reader.WaitRemoval(ctx, first)
	if err == nil && !empty && (timeout == 0 || timeout > first) {
		s := session{p: p}
		s.show(emv.UIRequest{Message: emv.MsgRemoveCard, Status: emv.StatusCardReadOK})
		rest := time.Duration(0)
		if timeout > 0 {
			rest = timeout - first
		}
		empty, err = p.Reader.WaitRemoval(ctx, rest)
	}
	if err != nil {
		return false, err
	}
	return empty, p.Reader.FieldOff(ctx, 0)
}
