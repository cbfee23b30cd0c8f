package pcsc

import (
	"context"
	"errors"
	"time"

	"huika/nfc"
	"huika/rt"
)

// session is the library context that the user's task works in, and the card
// connected in it (handle 0: none).
type session struct {
	context  scardContext
	handle   scardHandle
	protocol uint64
	slot     slot
}

// connect powers the card in s. A code that is not success is the card's or
// the reader's refusal; an error ends the operation.
func (r *Reader) connect(ctx context.Context, op string, s slot) (code, error) {
	type answer struct {
		session session
		code    code
	}
	lib, held, reset := r.lib, r.card.context, r.left
	free := func(a answer) { r.free(a.session) }
	r.card = session{} // the call owns it until it answers
	r.hold(1)
	a, returned, err := ask(ctx, r.env, func() answer {
		s := session{context: held, slot: s}
		c := codeInvalidHandle
		if s.context != 0 {
			s.handle, s.protocol, c = lib.Connect(s.context, s.slot.name, shareExclusive)
		}
		if kindOf(c) == nfc.NoService { // no context yet, or one of a pcscd that has ended since
			if s.context != 0 {
				lib.Release(s.context) // the service that knew it is gone
			}
			if s.context, c = lib.Establish(); c == codeSuccess {
				s.handle, s.protocol, c = lib.Connect(s.context, s.slot.name, shareExclusive)
			} else {
				s.context = 0
			}
		}
		if c == codeSuccess && reset {
			if s.protocol, c = lib.Reset(s.handle); c != codeSuccess {
				lib.Disconnect(s.handle, leaveCard) // the refusal to reset is what is reported
			}
		}
		if c != codeSuccess {
			s.handle = 0
		}
		return answer{s, c}
	}, free)
	if err != nil {
		return 0, r.gaveUp(op, returned, err)
	}
	r.card = a.session
	if a.code != codeSuccess {
		r.hold(-1)
		return a.code, nil
	}
	r.left = false
	r.mu.Lock()
	r.taken = time.Time{} // it is ours alone
	r.mu.Unlock()
	return a.code, nil
}

// endCard disconnects from the card, where one is connected. That the card or
// the reader is gone by then is no error.
func (r *Reader) endCard(ctx context.Context, op string, disposition uintptr) error {
	if r.card.handle == 0 {
		return nil
	}
	s := r.card
	r.card, r.left = session{}, disposition == leaveCard
	_, returned, err := ask(ctx, r.env, func() code { return r.lib.Disconnect(s.handle, disposition) },
		func(code) { r.free(session{context: s.context}) })
	if err != nil {
		return r.gaveUp(op, returned, err)
	}
	r.card.context = s.context
	r.hold(-1)
	return nil
}

// gaveUp notes a call that goes on without a listener, and turns why into the caller's error.
func (r *Reader) gaveUp(op string, returned *rt.Future[struct{}], why error) error {
	since := r.env.Now()
	if errors.Is(why, errHung) {
		since = since.Add(-callLimit)
	}
	r.mu.Lock()
	r.lost = &lostCall{returned: returned, since: since}
	r.left = true
	r.holds += r.holds % 2 // the task that frees it is the one that disconnects
	r.judge()
	r.mu.Unlock()
	// The task wakes the user's and the condition is judged again when the call is back.
	r.env.Go("pcsc lost call", func() {
		if _, err := returned.Get(r.ctx); err != nil {
			return // closed
		}
		r.mu.Lock()
		r.holds += 2 // what the monitor is looking at now may still have been ours
		r.judge()
		r.mu.Unlock()
		r.changed.Wake()
	})
	if errors.Is(why, errHung) {
		return &nfc.ReaderError{Op: op, Condition: nfc.Hung, Err: why}
	}
	return why
}

// abandonCard frees the card and its context with nobody waiting.
func (r *Reader) abandonCard() {
	s := r.card
	r.card = session{}
	if s.context != 0 {
		r.env.Go("pcsc release", func() { r.free(s) })
	}
}

// free runs in a call's own task. Failures are the end of a service that frees all by itself.
func (r *Reader) free(s session) {
	if s.handle != 0 {
		r.lib.Disconnect(s.handle, leaveCard) // pcscd cuts the power of a card that nobody uses
	}
	if s.context != 0 {
		r.lib.Release(s.context)
	}
}

// hold counts a connect (1) or a disconnect (-1) of ours; both go up, so that odd means connected.
func (r *Reader) hold(step int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if connected := r.holds%2 == 1; connected != (step > 0) {
		r.holds++
	}
}

// takenNow records that a connect was refused, without waiting for the monitor.
func (r *Reader) takenNow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = r.env.Now().Add(-takenGrace)
	r.judge()
}

// kindOf is the condition of the reader that a code means; "" where it is the
// card that failed, or nothing did.
func kindOf(c code) nfc.Condition {
	switch c {
	case codeSuccess, codeNoSmartcard, codeProtoMismatch, codeNotTransacted, codeUnsupportedCard,
		codeUnresponsiveCard, codeUnpoweredCard, codeResetCard, codeRemovedCard:
		return ""
	case codeSharing:
		return nfc.Taken
	case codeUnknownReader, codeReaderUnavailable, codeNoReaders:
		return nfc.Unplugged
	case codeNoService, codeServiceStopped, codeCommError, codeInvalidHandle:
		return nfc.NoService
	}
	return nfc.Hung // it answers, but not as a working reader does
}
