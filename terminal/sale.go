package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"huika/emv"
	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/pay"
	"huika/rt"
	"huika/terminal/journal"
	"huika/terminal/trace"
)

// MaxTries bounds how often a wrong PIN leads to another tap. Issuers stop at three.
const MaxTries = 5

// stage is who decides about a payment: until asked the clerk may cancel.
type stage byte

const (
	stageOpen stage = iota
	stageCancelled
	stageAsked  // the host is asked, or is about to be
	stageUpdate // the end is written down; the card is asked for once more
	stageEnded
)

// sale is one payment under way. Fields below mu's line belong to Terminal.mu,
// the others to the sale's task.
type sale struct {
	id       pay.PaymentID
	kind     trait
	original Original
	amount   pay.Money
	started  time.Time
	cancel   context.CancelFunc
	over     *rt.Future[over]

	tap  *tapped      // the last one, for the result
	tape *trace.Trace // of the last run of Entry Point

	// guarded by Terminal.mu
	phoneAsked bool // a kernel asked the customer to look at the phone

	stage    stage
	view     PaymentView
	pin      *pinRequest
	recorder *trace.Recorder
	result   *Result
}

// over is how a sale's task ended: with a result, or because the machine failed.
type over struct {
	result Result
	err    error
}

// ending is how a payment ends, before it is written down.
type ending struct {
	outcome OutcomeWord
	reason  string
	key     journal.Key // of the last try
	code    string      // F39
	rrn     string
	auth    string
	balance string // of a balance inquiry, decimal
	issuer  []byte // F55 of the answer
	hostFor time.Duration
	// closing is the record that closes the request that left, if one did; reversal what is owed for it.
	closing  journal.Record
	reversal *journal.Reversal
	err      error // the machine failed: nothing more can be written
}

// sell is a sale from the first wave to its end: tap, PIN, host; and again
// after a wrong PIN, with a new number, a new cryptogram and a new try.
func (t *Terminal) sell(ctx context.Context, s *sale, k journal.Key) ending {
	var refused ending // by the issuer, with 55: what the payment ends with if nobody tries again
	if s.kind.follows {
		return t.askHost(ctx, s, nil, nil, k, 1).of(k)
	}
	for try := 1; ; try++ {
		tap, end := t.waitTap(ctx, s, k)
		if end != nil {
			return end.after(refused).of(k)
		}
		pin, end := t.askPIN(ctx, s, tap, try)
		if end != nil {
			return end.after(refused).of(k)
		}
		e := t.askHost(ctx, s, tap, pin, k, try).of(k)
		if e.reason != ReasonWrongPIN || try == MaxTries {
			return e
		}
		next, err := t.draw(ctx, func(next journal.Key) []journal.Record {
			return []journal.Record{e.closing, journal.Numbered{Key: next, At: t.env.Now()}}
		})
		if err != nil {
			e.err = err
			return e
		}
		k, refused = next, e
		t.again(s, ReasonWrongPIN)
	}
}

// after is an ending that comes when nobody tries again after a wrong PIN:
// the issuer's refusal stands, unless the machine failed.
func (e ending) after(refused ending) ending {
	if refused.reason == "" || e.err != nil || e.outcome != Cancelled && e.outcome != TryAgain {
		return e
	}
	e.outcome, e.reason, e.code, e.rrn = refused.outcome, refused.reason, refused.code, refused.rrn
	return e
}

func (e ending) of(k journal.Key) ending {
	e.key = k
	return e
}

// askHost sends the request and judges the answer. From commit on the clerk
// can't cancel; from the journal's Sent on, whatever is not a believable answer
// is owed a reversal.
func (t *Terminal) askHost(ctx context.Context, s *sale, tap *tapped, pin *pinBlock, k journal.Key, try int) ending {
	if why := t.waitHost(ctx); why != "" {
		if ctx.Err() != nil {
			return *t.stopped(s)
		}
		return ending{outcome: TryAgain, reason: why}
	}
	if !t.commit(s) {
		return *t.stopped(s)
	}
	now := t.signedIn()
	if now == nil {
		return ending{outcome: TryAgain, reason: ReasonHostDown}
	}
	m, err := t.message(s, tap, pin, now, k)
	if err != nil {
		t.cfg.Log.Error("the request can't be made", "payment", s.id, "err", err)
		return ending{outcome: TryAgain, reason: ReasonProcessing}
	}
	defer m.Reset()
	box, err := t.sealOriginal(t.originalOf(s, tap, pin), k)
	if err != nil {
		t.cfg.Log.Error("the reversal's data can't be sealed: nothing is sent", "payment", s.id, "err", err)
		return ending{outcome: TryAgain, reason: ReasonProcessing}
	}
	sent := journal.Sent{Payment: s.id, Key: k, Try: try, Amount: s.amount, Reversal: box, At: t.env.Now()}
	if err := t.append(ctx, sent); err != nil {
		return ending{outcome: TryAgain, reason: ReasonProcessing, err: err}
	}
	from := t.env.Now()
	a, err := t.exchange(ctx, t.client.Call, m, now.mac, t.cfg.Timeouts.Host)
	e := t.judgeAnswer(s, sent, a, err)
	e.hostFor = t.env.Now().Sub(from)
	return e
}

// judgeAnswer is the end of a request that was written down as sent.
func (t *Terminal) judgeAnswer(s *sale, sent journal.Sent, a answer, err error) ending {
	e := t.judge(s, sent, a, err)
	if s.kind.ask && e.reversal != nil { // a question that went unanswered moved nothing
		return ending{outcome: TryAgain, reason: e.reason, code: e.code, closing: t.answered(sent, "")}
	}
	return e
}

func (t *Terminal) judge(s *sale, sent journal.Sent, a answer, err error) ending {
	log := t.cfg.Log.With("payment", s.id, "stan", sent.Key.STAN.String())
	switch {
	case err != nil && !link.MaybeSent(err):
		log.Warn("the request did not leave", "err", err)
		return ending{outcome: TryAgain, reason: ReasonHostDown, closing: t.answered(sent, "")}
	case errors.Is(err, errAnswer):
		log.Error("answer refused", "err", err)
		return t.reversed(sent, ReasonAnswerUnusable, pos.ReasonFault)
	case errors.Is(err, link.ErrDown):
		log.Warn("the link was cut while the host was asked", "err", err)
		return t.reversed(sent, ReasonLinkCut, pos.ReasonNoReply)
	case err != nil:
		log.Warn("no answer from the host", "err", err)
		return t.reversed(sent, ReasonNoAnswer, pos.ReasonNoReply)
	case a.macErr != nil:
		t.client.Drop() // sign in again: the keys of the two sides may differ
		log.Error("the answer's MAC does not fit", "response", a.code(), "err", a.macErr)
		reason := ReasonMACError
		if a.code() == "A0" {
			reason = ReasonSignedInAgain
		}
		e := t.reversed(sent, reason, pos.ReasonMACError)
		e.code = a.code()
		return e
	case a.m.Has(4) && a.m.Get(4) != amount12(s.amount) && s.kind.kind != Balance:
		log.Error("the answer names another amount")
		return t.reversed(sent, ReasonAnswerUnusable, pos.ReasonFault)
	}
	if a.code() == "00" && s.kind.kind == Balance {
		return ending{outcome: Approved, code: "00", rrn: a.m.Get(37), balance: t.balanceOf(a.m), closing: t.answered(sent, "00")}
	}
	e := ending{
		outcome: Declined, reason: ReasonOfResponse(a.code()), code: a.code(), rrn: a.m.Get(37), auth: a.m.Get(38),
		closing: t.answered(sent, a.code()), issuer: a.m.Bytes(55),
	}
	r, _ := iso8583.ResponseFor(a.code())
	switch r.Class {
	case iso8583.Approved:
		e.outcome, e.reason = Approved, ""
	case iso8583.SignIn, iso8583.CutOver:
		t.client.Drop() // the next sign-in brings keys and batch
	}
	return e
}

func (t *Terminal) answered(sent journal.Sent, code string) journal.Record {
	return journal.Answered{Payment: sent.Payment, Key: sent.Key, Code: code, At: t.env.Now()}
}

// reversed ends a request that may have been approved out of our sight. why is F39 of the reversal.
func (t *Terminal) reversed(sent journal.Sent, reason, why string) ending {
	owed := journal.ReversalOwed{Payment: sent.Payment, Key: sent.Key, Reason: why, At: t.env.Now()}
	return ending{outcome: Reversed, reason: reason, closing: owed, reversal: &journal.Reversal{Owed: owed, Sent: sent}}
}

// commit is the moment from which the clerk can't cancel. Cancel and commit
// decide under one lock: whoever comes first.
func (t *Terminal) commit(s *sale) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.stage != stageOpen {
		return false
	}
	s.stage = stageAsked
	now := t.env.Now()
	s.view.Phase, s.view.Until, s.view.Cancellable, s.view.PIN, s.view.Notice = PhaseHost, now.Add(t.cfg.Timeouts.Host), false, nil, ""
	t.setUI(s, emv.UIRequest{Message: emv.MsgAuthorising, Status: emv.StatusProcessing})
	t.publish()
	return true
}

// again opens a payment for another tap after the host's answer.
func (t *Terminal) again(s *sale, notice string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.stage = stageOpen
	s.view.Cancellable, s.view.Notice = true, notice
	t.publish()
}

// stopped is the end of a payment whose context ended before the host was asked.
func (t *Terminal) stopped(s *sale) *ending {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.stage == stageCancelled {
		return &ending{outcome: Cancelled, reason: ReasonCancelledByClerk}
	}
	return &ending{outcome: Cancelled, reason: ReasonTerminalStopped}
}

// run is a sale's task.
func (t *Terminal) run(ctx context.Context, s *sale, k journal.Key) {
	defer s.cancel()
	e := t.sell(ctx, s, k)
	t.pad.Close()
	result, err := t.finish(ctx, s, e)
	if err != nil {
		err = fmt.Errorf("payment %s: %w", s.id, err)
		t.fail(err)
	}
	s.over.Set(over{result, err})
}

// finish writes the end down and then shows it.
func (t *Terminal) finish(ctx context.Context, s *sale, e ending) (Result, error) {
	if e.err != nil {
		return Result{}, e.err
	}
	ctx = context.WithoutCancel(ctx)
	ui, r := t.result(s, e)
	ended, err := t.endedRecord(s, e, r)
	if err != nil {
		return r, err
	}
	records := []journal.Record{ended}
	if e.closing != nil {
		records = []journal.Record{e.closing, ended}
	}
	if err := t.append(ctx, records...); err != nil {
		return r, err
	}
	if e.reversal != nil {
		t.owe(*e.reversal)
	}
	t.update(ctx, s, e)
	t.cfg.Log.Info("payment ended", "payment", s.id, "outcome", r.Outcome, "reason", r.Reason, "response", r.ResponseCode,
		"stan", r.STAN, "rrn", r.RRN, "amount", s.amount.String(), "card", r.MaskedPAN, "cvm", r.CVM)
	t.mu.Lock()
	if r.Outcome == Approved && r.Batch == t.view.Shift.Batch {
		t.totals.Add(ended)
		t.view.Shift = t.shift(r.Batch)
	}
	s.stage, s.result, s.pin = stageEnded, &r, nil
	s.view.Phase, s.view.Until, s.view.Cancellable, s.view.PIN, s.view.Notice, s.view.Result = PhaseDone, time.Time{}, false, nil, "", &r
	if ui != nil {
		t.setUI(s, *ui)
	}
	t.publish()
	t.mu.Unlock()
	if s.tape != nil {
		if err := t.keepTrace(ctx, *s.tape); err != nil {
			t.cfg.Log.Error("the trace was not kept", "payment", s.id, "err", err)
		}
	}
	return r, nil
}

func (t *Terminal) keepTrace(ctx context.Context, tape trace.Trace) error {
	box, err := trace.Seal(tape, t.cfg.Sealer)
	if err != nil {
		return err
	}
	return t.cfg.Journal.PutTrace(ctx, tape.Payment, box)
}
