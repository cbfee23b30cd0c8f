package entry

import (
	"context"
	"errors"
	"time"

	"huika/emv"
	"huika/emv/apdu"
)

// link is a session as a kernel sees it: an emv.Transceiver that is also an emv.Display.
type link session

// Transmit sends one command, tells the observer and measures.
func (l *link) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return (*session)(l).transmit(ctx, command)
}

// Show sends a kernel's user interface request.
func (l *link) Show(r emv.UIRequest) { (*session)(l).show(r) }

// exchange sends one of Entry Point's own commands. A response that is no
// response APDU is a fault on the air: emv.ErrCardLost.
func (s *session) exchange(ctx context.Context, command []byte) (apdu.Response, error) {
	b, err := s.transmit(ctx, command)
	if err != nil {
		return apdu.Response{}, err
	}
	r, err := apdu.ParseResponse(b)
	if err != nil {
		return apdu.Response{}, errors.Join(emv.ErrCardLost, err)
	}
	return r, nil
}

func (s *session) transmit(ctx context.Context, command []byte) ([]byte, error) {
	from := s.now()
	response, err := s.p.Reader.Transmit(ctx, command)
	s.last = s.now()
	took := s.last.Sub(from)
	if len(command) > 1 {
		switch t := &s.r.Timings; command[1] {
		case apdu.InsSelect:
			t.Select += took
		case apdu.InsGPO:
			t.GPO += took
		case apdu.InsReadRecord:
			t.Read += took
		default:
			t.Other += took
		}
	}
	s.observe(Event{Kind: EventExchange, At: from, Took: took, Kernel: s.kernel, AID: s.r.AID, Command: command, Response: response, Err: err})
	return response, err
}

// present starts the clock of a tap.
func (s *session) present() {
	s.card = s.now()
	s.last, s.r.Timings = s.card, Timings{}
	s.observe(Event{Kind: EventCard, At: s.card})
}

// settleTimings is called when a kernel is done.
func (s *session) settleTimings() {
	now := s.now()
	if s.card.IsZero() { // start D: the card was there before
		s.card = now
	}
	if !s.last.IsZero() {
		s.r.Timings.ODA = now.Sub(s.last)
	}
	s.r.Timings.Total = now.Sub(s.card)
}

func (s *session) now() time.Time {
	if s.p.Now == nil {
		return time.Time{}
	}
	return s.p.Now()
}

func (s *session) show(r emv.UIRequest) {
	if len(r.Language) == 0 {
		r.Language = s.p.Language
	}
	s.observe(Event{Kind: EventUI, Kernel: s.kernel, UI: r})
	if s.p.Display != nil {
		s.p.Display.Show(r)
	}
}

func (s *session) observe(e Event) {
	if s.p.Observer == nil {
		return
	}
	if e.At.IsZero() {
		e.At = s.now()
	}
	s.p.Observer.Observe(e)
}
