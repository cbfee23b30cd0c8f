package entry

import (
	"context"
	"errors"
	"time"

	"huika/emv"
)

// collisionHold is how long the field stays off after a collision before it is
// polled again, and the longest that such a poll lasts. Book D resets the
// field (5.1 to 10 ms); a longer pause keeps two cards that lie on a reader
// from being polled in a hot loop.
const collisionHold = 100 * time.Millisecond

// activate is protocol activation, 3.2: field on, request to present, wait
// for one card, and the collision loop.
func (s *session) activate(ctx context.Context) (step, error) {
	if !s.hasIssuerData() {
		s.r.Candidates, s.r.current = nil, -1 // 3.2.1.1; the list is built anew from this card
	}
	s.showPresent()
	if err := s.p.Reader.FieldOn(ctx); err != nil {
		return stepDone, err
	}
	var deadline time.Time
	if s.p.CardTimeout > 0 {
		deadline = s.p.Now().Add(s.p.CardTimeout)
	}
	collided := false
	for {
		wait := time.Duration(0)
		if !deadline.IsZero() {
			if wait = deadline.Sub(s.p.Now()); wait <= 0 {
				return s.timedOut()
			}
		}
		poll := collided && (wait == 0 || wait > collisionHold)
		if poll {
			wait = collisionHold
		}
		found, err := s.p.Reader.WaitCard(ctx, wait)
		switch {
		case errors.Is(err, emv.ErrCardLost):
			if s.r.Restarts++; s.r.Restarts > MaxRestarts {
				return s.end(endApplication("the card could not be activated")), nil
			}
			continue // 3.3.3.7; polling goes on
		case err != nil:
			return stepDone, err
		case found == Collision:
			s.r.Collisions++
			if !collided { // 3.2.1.4
				collided = true
				s.observe(Event{Kind: EventCollided})
				s.show(emv.UIRequest{Message: emv.MsgOneCardOnly, Status: emv.StatusProcessingError})
			}
			if err := s.reset(ctx); err != nil {
				return stepDone, err
			}
			continue
		}
		if collided { // 3.2.1.5
			collided = false
			s.show(emv.UIRequest{Message: emv.MsgOneCardOnly, Status: emv.StatusReadyToRead})
		}
		if found == OneCard {
			break
		}
		if !poll {
			return s.timedOut()
		}
	}
	s.present()
	if s.a.Start == emv.StartB && s.hasIssuerData() && s.r.current >= 0 {
		return stepFinal, nil // 3.3.2.1: the application of before, without a directory
	}
	return stepSelect, nil
}

// reset switches the field off and on again.
func (s *session) reset(ctx context.Context) error {
	if err := s.p.Reader.FieldOff(ctx, collisionHold); err != nil {
		return err
	}
	return s.p.Reader.FieldOn(ctx)
}

// timedOut ends the activation: no card came.
func (s *session) timedOut() (step, error) {
	s.r.TimedOut = true
	s.finish(noOutcome(emv.EndApplication, "no card was presented in time"))
	return stepDone, nil
}
