package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"huika/pay"
	"huika/rt"
	"huika/terminal/journal"
	"huika/terminal/pinpad"
)

// Request is what a till asks for.
type Request struct {
	ID       pay.PaymentID // names the payment; the same id twice is one payment; empty: the terminal makes one
	Kind     Kind          // "" is a sale
	Amount   pay.Money     // zero, in the terminal's currency, for a balance inquiry
	Original Original      // of a void, refund, cancel or completion
}

// SaleRequest is a Request for a sale.
type SaleRequest struct {
	ID     pay.PaymentID
	Amount pay.Money
}

// Errors of the service methods. Each is wrapped with what it is about.
var (
	ErrBusy      = errors.New("another payment is under way")
	ErrAmount    = errors.New("amount not accepted")
	ErrID        = errors.New("payment id not accepted")
	ErrNoPayment = errors.New("no such payment")
	ErrTry       = errors.New("no PIN is asked for with this try")
	ErrPIN       = errors.New("the sealed PIN can't be used") // changed on its way, or not 4 to 12 digits
	ErrReader    = errors.New("the reader can't be used")
	ErrHost      = errors.New("the acquirer can't be reached")
	ErrStopped   = errors.New("the terminal is not running")
	ErrNoTrace   = errors.New("no trace of this payment")
	ErrNoPrinter = errors.New("no printer is configured")
)

// StartSale is Start with a sale.
func (t *Terminal) StartSale(ctx context.Context, req SaleRequest) (pay.PaymentID, error) {
	return t.Start(ctx, Request{ID: req.ID, Amount: req.Amount})
}

// Start begins a payment and returns its id; what follows is seen in the view
// and in Wait. A reader that does not work is no error here: the payment waits
// for it. The id of an earlier request with the same kind and amount returns
// that payment. Errors: ErrKind, ErrAmount, ErrID, ErrBusy, ErrStopped, the journal's.
func (t *Terminal) Start(ctx context.Context, req Request) (pay.PaymentID, error) {
	kind, err := traitOf(req.Kind)
	if err != nil {
		return "", err
	}
	req.Kind = kind.kind
	if kind.follows {
		if err := req.Original.check(kind.kind); err != nil {
			return "", err
		}
	}
	if req.Amount.Currency != t.cfg.Currency || req.Amount.Minor < 0 || (req.Amount.Minor == 0) != (kind.kind == Balance) || req.Amount.Minor > pay.MaxMinor {
		return "", fmt.Errorf("%w: %s; want more than zero, in %s", ErrAmount, req.Amount, t.cfg.Currency)
	}
	id := req.ID
	if id == "" {
		var err error
		if id, err = pay.NewPaymentID(t.env.Rand()); err != nil {
			return "", err
		}
	} else if _, err := pay.ParsePaymentID(string(id)); err != nil {
		return "", fmt.Errorf("%w: %w", ErrID, err)
	} else if known, err := t.known(ctx, req); known || err != nil {
		return id, err
	}
	run, err := t.reserve()
	if err != nil {
		return "", err
	}
	now := t.env.Now()
	k, err := t.draw(ctx, func(k journal.Key) []journal.Record {
		return []journal.Record{journal.Begun{Payment: id, Key: k, Amount: req.Amount, Kind: begunKind(kind.kind), At: now}}
	})
	if err != nil {
		t.mu.Lock()
		t.starting = false
		t.mu.Unlock()
		return "", fmt.Errorf("payment %s: %w", id, err)
	}
	saleCtx, cancel := context.WithCancel(run)
	s := &sale{
		id: id, kind: kind, original: req.Original, amount: req.Amount, started: now, cancel: cancel, over: rt.NewFuture[over](t.env),
		view: PaymentView{
			ID: id, Kind: kind.kind, Amount: req.Amount.Decimal(), Currency: req.Amount.Currency.Alpha(),
			Phase: PhasePresent, Started: now, Until: now.Add(t.cfg.Timeouts.Present), Cancellable: true,
		},
	}
	t.mu.Lock()
	t.current, t.starting = s, false
	t.publish()
	t.mu.Unlock()
	t.cfg.Log.Info("payment begun", "payment", id, "stan", k.STAN.String(), "amount", req.Amount.String())
	t.env.Go("sale", func() { t.run(saleCtx, s, k) })
	return id, nil
}

// begunKind is how the journal writes a kind.
func begunKind(k Kind) string {
	if k == Sale {
		return ""
	}
	return string(k)
}

// reserve takes the one place for a payment.
func (t *Terminal) reserve() (context.Context, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.running == nil:
		return nil, ErrStopped
	case t.starting, t.current != nil && t.current.stage != stageEnded:
		return nil, ErrBusy
	}
	t.starting = true
	return t.running, nil
}

// known reports whether the payment of req exists already.
func (t *Terminal) known(ctx context.Context, req Request) (bool, error) {
	records, err := t.cfg.Journal.Payment(ctx, req.ID)
	if errors.Is(err, journal.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, r := range records {
		if b, ok := r.(journal.Begun); ok {
			if b.Amount != req.Amount || b.Kind != begunKind(req.Kind) {
				return false, fmt.Errorf("%w: payment %s was begun with another amount or kind", ErrAmount, req.ID)
			}
			return true, nil
		}
	}
	return false, nil
}

// Why a cancel did not take.
const (
	WhyHostAsked = "host_asked"
	WhyEnded     = "already_ended"
)

// Cancel ends a payment, unless the host was asked before: Cancel and the
// request decide under one lock, and Cancel says at once who came first.
// Cancelling twice is cancelling once. Errors: ErrNoPayment, the journal's.
func (t *Terminal) Cancel(ctx context.Context, id pay.PaymentID) (cancelled bool, why string, err error) {
	t.mu.Lock()
	s := t.current
	if s == nil || s.id != id {
		t.mu.Unlock()
		r, err := t.stored(ctx, id)
		return r.Outcome == Cancelled && err == nil, WhyEnded, err
	}
	defer t.mu.Unlock()
	switch s.stage {
	case stageOpen:
		s.stage = stageCancelled
		s.view.Cancellable = false
		t.publish()
		s.cancel()
		return true, "", nil
	case stageAsked, stageUpdate:
		return false, WhyHostAsked, nil
	case stageEnded:
		return s.result.Outcome == Cancelled, WhyEnded, nil
	}
	return true, "", nil
}

// SubmitPIN hands in what the page sealed for a try. Errors: ErrNoPayment,
// ErrTry (no PIN is asked for, it was given already, or too many attempts),
// ErrPIN (the page may try again), ErrHost (not signed in: try again).
func (t *Terminal) SubmitPIN(_ context.Context, id pay.PaymentID, try int, sealed []byte) error {
	t.mu.Lock()
	s, now := t.current, t.keys
	var req *pinRequest
	if s != nil && s.id == id && s.stage == stageOpen {
		req = s.pin
	}
	t.mu.Unlock()
	switch {
	case s == nil || s.id != id:
		return ErrNoPayment
	case req == nil || req.try != try:
		return ErrTry
	case now == nil:
		return ErrHost
	}
	block, err := t.pad.Enter(id, try, sealed, req.pan, now.pin)
	switch {
	case errors.Is(err, pinpad.ErrClosed):
		return ErrTry
	case err != nil:
		return fmt.Errorf("%w: %w", ErrPIN, err)
	}
	req.given.Set(pinBlock{block, now})
	return nil
}

// Wait waits for the end of a payment. Errors: ErrNoPayment, ErrStopped where
// the terminal ended before the payment did, ctx.Err(), the journal's.
func (t *Terminal) Wait(ctx context.Context, id pay.PaymentID) (Result, error) {
	t.mu.Lock()
	s := t.current
	t.mu.Unlock()
	if s == nil || s.id != id {
		return t.stored(ctx, id)
	}
	o, err := s.over.Get(ctx)
	switch {
	case err != nil:
		return Result{}, err
	case o.err != nil:
		return Result{}, fmt.Errorf("%w: %w", ErrStopped, o.err)
	}
	return o.result, nil
}

// ended finds how a payment ended, in the journal.
func (t *Terminal) ended(ctx context.Context, id pay.PaymentID) (journal.Ended, error) {
	records, err := t.cfg.Journal.Payment(ctx, id)
	if errors.Is(err, journal.ErrNotFound) {
		return journal.Ended{}, ErrNoPayment
	}
	if err != nil {
		return journal.Ended{}, err
	}
	for _, r := range records {
		if e, ok := r.(journal.Ended); ok {
			return e, nil
		}
	}
	return journal.Ended{}, fmt.Errorf("%w: it has no end yet", ErrNoPayment)
}

func (t *Terminal) stored(ctx context.Context, id pay.PaymentID) (Result, error) {
	e, err := t.ended(ctx, id)
	if err != nil {
		return Result{}, err
	}
	var r Result
	if err := json.Unmarshal(e.Result, &r); err != nil {
		return Result{}, fmt.Errorf("payment %s: stored result: %w", id, err)
	}
	return r, nil
}

// Dismiss clears the finished payment from the screen. Errors: ErrBusy while it is under way.
func (t *Terminal) Dismiss(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		return nil
	}
	if t.current.stage != stageEnded {
		return ErrBusy
	}
	t.current = nil
	t.publish()
	return nil
}
