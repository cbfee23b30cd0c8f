package entry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"huika/emv"
)

// session is one activation under way.
type session struct {
	p       *Point
	a       Activation
	r       Result
	restart bool           // the restart flag
	onStart *emv.UIRequest // user interface request on restart that was kept
	memory  any            // the kernel's, from the attempt before
	card    time.Time      // when the card became present
	last    time.Time      // when the last exchange ended
	kernel  emv.KernelID   // active kernel, for events
}

// step is where an activation stands. A step returns the next one.
type step int

const (
	stepActivate step = iota + 1 // 3.2 protocol activation
	stepSelect                   // 3.3.2 steps 1 and 2
	stepList                     // 3.3.2 step 3
	stepFinal                    // 3.3.3 final combination selection
	stepKernel                   // 3.4 kernel activation
	stepDone
)

// Activate processes from any start point to the final outcome (Book B 3).
// Select Next and Try Again are handled inside; every other outcome, with
// whatever start it names, is handed back: the caller is the reader of Book A.
func (p *Point) Activate(ctx context.Context, a Activation) (Result, error) {
	s := &session{p: p, a: a, r: Result{Transaction: a.Transaction, current: -1}}
	if err := p.check(a); err != nil {
		return s.r, err
	}
	if a.Previous != nil {
		s.r = *a.Previous
		s.r.TimedOut = false
		s.r.Candidates = slices.Clone(a.Previous.Candidates)
		s.restart = a.Previous.Outcome.Start != emv.StartNone
		s.onStart, s.memory = a.Previous.Outcome.UIRestart, a.Previous.Outcome.Memory
	}
	s.observe(Event{Kind: EventStart, Start: a.Start})
	next, err := s.start()
	for next != stepDone && err == nil {
		switch next {
		case stepActivate:
			next, err = s.activate(ctx)
		case stepSelect:
			next, err = s.selectPPSE(ctx)
		case stepList:
			next = s.list()
		case stepFinal:
			next, err = s.selectAID(ctx)
		case stepKernel:
			next, err = s.activateKernel(ctx)
		}
	}
	return s.r, err
}

// check refuses what no transaction can be run with.
func (p *Point) check(a Activation) error {
	switch {
	case p.Reader == nil:
		return fmt.Errorf("%w: no reader", ErrConfig)
	case p.Kernels == nil:
		return fmt.Errorf("%w: no kernels", ErrConfig)
	case p.CardTimeout > 0 && p.Now == nil:
		return fmt.Errorf("%w: CardTimeout needs Now", ErrConfig)
	case a.Transaction.Amount.Minor < 0:
		return fmt.Errorf("%w: negative amount", ErrConfig)
	case a.Start != emv.StartA && a.Start != emv.StartB && a.Previous == nil:
		return fmt.Errorf("%w: start %X needs a previous result", ErrConfig, byte(a.Start))
	case (a.Start == emv.StartC || a.Start == emv.StartD) && a.Previous.current < 0:
		return fmt.Errorf("%w: start %X without a selected application", ErrConfig, byte(a.Start))
	case a.Start != emv.StartA && a.Start != emv.StartB && a.Start != emv.StartC && a.Start != emv.StartD:
		return fmt.Errorf("%w: start %X", ErrConfig, byte(a.Start))
	}
	for i := range p.Combinations {
		if n := len(p.Combinations[i].AID); n < minAID || n > maxAID {
			return fmt.Errorf("%w: combination %d has an AID of %d bytes", ErrConfig, i, n)
		}
	}
	return nil
}

// start does what each start point begins with.
func (s *session) start() (step, error) {
	p, tx := s.p, s.a.Transaction
	switch s.a.Start {
	case emv.StartA:
		s.r.indicators = make([]emv.Indicators, len(p.Combinations))
		allowed := false
		for i := range p.Combinations {
			c := &p.Combinations[i]
			s.r.indicators[i] = unsupported
			if c.supports(tx.Type) {
				s.r.indicators[i] = Preprocess(c, tx)
			}
			allowed = allowed || !s.r.indicators[i].NotAllowed
		}
		if !allowed { // 3.1.1.13
			return s.end(tryAnotherInterface()), nil
		}
		return stepActivate, nil
	case emv.StartB:
		if !s.restart || len(s.r.indicators) != len(p.Combinations) { // 3.2.1.1
			s.r.indicators = make([]emv.Indicators, len(p.Combinations))
			for i := range p.Combinations {
				s.r.indicators[i] = unsupported
				if p.Combinations[i].supports(tx.Type) {
					s.r.indicators[i] = autorunIndicators(&p.Combinations[i])
				}
			}
			s.r.Candidates, s.r.current = nil, -1
		}
		return stepActivate, nil
	case emv.StartC:
		s.showPresent()
		return stepList, nil
	}
	s.showPresent()
	return stepKernel, nil
}

// showPresent sends the request of 3.2.1.2: the one that was kept for a
// restart, else message 15. Starts C and D send it too when they are entered
// by a restart, as the published type-approval cases expect.
func (s *session) showPresent() {
	if s.restart && s.onStart != nil {
		s.show(*s.onStart)
		return
	}
	s.show(emv.UIRequest{Message: emv.MsgPresentCard, Status: emv.StatusReadyToRead})
}

// hasIssuerData reports whether the activation carries issuer authentication data or scripts.
func (s *session) hasIssuerData() bool {
	o := s.a.Online
	return o != nil && (len(o.AuthData) > 0 || len(o.Scripts) > 0)
}

// back returns to start B inside this activation (3.3.3.7, 3.5.1.3).
func (s *session) back() (step, error) {
	if s.r.Restarts++; s.r.Restarts > MaxRestarts {
		return s.end(endApplication("the card could not be read")), nil
	}
	return stepActivate, nil
}

// activateKernel is 3.4, followed by outcome processing 3.5.
func (s *session) activateKernel(ctx context.Context) (step, error) {
	cand := &s.r.Candidates[s.r.current]
	c := &s.p.Combinations[cand.Combination]
	k, version, ok := s.p.Kernels.find(s.r.Kernel, c.Version)
	if !ok {
		return s.remove(), nil // a combination without its kernel is not supported
	}
	s.r.Version = version
	s.kernel = s.r.Kernel
	in := emv.Input{
		Start: s.a.Start, Restart: s.restart, Transaction: s.a.Transaction,
		AID: s.r.AID, Kernel: s.r.Kernel, Version: version, FCI: s.r.FCI, FCIStatus: s.r.FCIStatus,
		Indicators: s.r.Indicators, Terminal: s.p.Terminal, Online: s.a.Online,
		Rand: s.p.Rand, Previous: s.memory,
	}
	o, err := k.Process(ctx, in, (*link)(s))
	s.kernel = 0
	s.settleTimings()
	if errors.Is(err, emv.ErrCardLost) {
		o, err = tryAgain(), nil
	}
	if err != nil {
		return stepDone, fmt.Errorf("kernel %X: %w", uint32(s.r.Kernel), err)
	}
	return s.process(ctx, o)
}

// end finishes with an outcome of Entry Point's own, none of which goes on.
func (s *session) end(o emv.Outcome) step {
	s.finish(o)
	s.show(*o.UIOutcome)
	return stepDone
}

// process is outcome processing of a kernel's outcome, 3.5.1.1 to 3.5.1.5.
func (s *session) process(ctx context.Context, o emv.Outcome) (step, error) {
	s.finish(o)
	if o.UIOutcome != nil {
		s.show(*o.UIOutcome)
	}
	if o.FieldOff >= 0 {
		if err := s.p.Reader.FieldOff(ctx, o.FieldOff); err != nil {
			return stepDone, err
		}
	}
	if o.Start != emv.StartNone { // Book A 8.1.1.9
		s.restart = true
	}
	s.onStart = o.UIRestart
	switch o.Kind {
	case emv.TryAgain:
		s.memory = o.Memory
		return s.back()
	case emv.SelectNext:
		return s.remove(), nil
	}
	return stepDone, nil
}

// finish records an outcome and tells the observer.
func (s *session) finish(o emv.Outcome) {
	s.r.Outcome = o
	s.observe(Event{Kind: EventOutcome, Kernel: s.r.Kernel, AID: s.r.AID, Outcome: &s.r.Outcome})
}

// remove takes the selected combination off the list and goes to start C, step 3.
func (s *session) remove() step {
	s.r.Candidates[s.r.current].Tried = true
	return stepList
}
