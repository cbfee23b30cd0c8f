package pcsc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"huika/nfc"
)

// FieldOn reports whether the reader is usable; PC/SC powers cards by itself.
func (r *Reader) FieldOn(ctx context.Context) error {
	const op = "field on"
	if err := r.enter(op); err != nil {
		return err
	}
	defer r.leave()
	return r.usable(ctx, op)
}

// FieldOff cuts the card's power.
func (r *Reader) FieldOff(ctx context.Context, hold time.Duration) error {
	const op = "field off"
	if err := r.enter(op); err != nil {
		return err
	}
	defer r.leave()
	r.collided = ""
	disposition := uintptr(unpowerCard)
	if !r.stillThere(r.card.slot) {
		// pcscd, told to cut the power of a card that is gone, notes the slot as
		// empty outside its own polling, and then misses a card put there at once.
		disposition = leaveCard
	}
	if err := r.endCard(ctx, op, disposition); err != nil {
		return err
	}
	if err := r.usable(ctx, op); err != nil {
		return err
	}
	return r.env.Sleep(ctx, hold)
}

// WaitCard waits for a card and connects to it, exclusively. A collision is
// reported once; with nothing changed, the next WaitCard waits for a change. A
// card that is there but does not start is OneCard, and lost at the first Transmit.
func (r *Reader) WaitCard(ctx context.Context, timeout time.Duration) (nfc.Presence, error) {
	const op = "wait for card"
	if err := r.enter(op); err != nil {
		return nfc.NoCard, err
	}
	defer r.leave()
	end := r.until(timeout)
	var refused time.Time // when connecting began to fail
	for {
		if err := r.usable(ctx, op); err != nil {
			return nfc.NoCard, err
		}
		if err := r.endCard(ctx, op, leaveCard); err != nil {
			return nfc.NoCard, err
		}
		presence, where, again := r.find()
		switch presence {
		case nfc.Collision:
			return presence, nil
		case nfc.OneCard:
			c, err := r.connect(ctx, op, where)
			if err != nil {
				return nfc.NoCard, err
			}
			now := r.env.Now()
			if refused.IsZero() {
				refused = now
			}
			persists := now.Sub(refused) >= pollTime // longer than a card on its way out, or a passing look
			switch kind := kindOf(c); {
			case c == codeSuccess:
				return nfc.OneCard, nil
			case kind == nfc.Taken && persists:
				r.takenNow()
				return nfc.NoCard, &nfc.ReaderError{Op: op, Condition: nfc.Taken, Err: c}
			case kind == "" && persists:
				return nfc.OneCard, nil
			case kind != "" && kind != nfc.Taken:
				return nfc.NoCard, &nfc.ReaderError{Op: op, Condition: kind, Err: c}
			}
			again = now.Add(pollTime / 10)
		case nfc.NoCard:
			refused = time.Time{}
		}
		if !end.IsZero() && !r.env.Now().Before(end) {
			return nfc.NoCard, nil
		}
		if err := r.pause(ctx, end, again); err != nil {
			return nfc.NoCard, err
		}
	}
}

// find looks at the slots as the monitor last saw them. again is when to look
// anew even without a change.
func (r *Reader) find() (p nfc.Presence, where slot, again time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.env.Now()
	var cards []slot
	earliest := now
	for _, s := range r.slots {
		if !s.present() {
			continue
		}
		if s.name == r.doubt.slot && s.events() == r.doubt.events && now.Before(r.doubt.until) {
			again = r.doubt.until
			continue
		}
		cards = append(cards, s)
		if s.since.Before(earliest) {
			earliest = s.since
		}
	}
	switch {
	case len(cards) == 0:
		r.collided = ""
		return nfc.NoCard, slot{}, again
	case len(cards) > 1:
		if these := fingerprint(cards); these != r.collided {
			r.collided = these
			return nfc.Collision, slot{}, again
		}
		return nfc.NoCard, slot{}, again
	}
	r.collided = ""
	settle := r.opts.Settle
	if settle == 0 && len(r.slots) > 1 {
		settle = pollTime
	}
	if ripe := earliest.Add(settle); now.Before(ripe) {
		return nfc.NoCard, slot{}, ripe
	}
	return nfc.OneCard, cards[0], again
}

// fingerprint tells one set of cards in slots from another.
func fingerprint(cards []slot) string {
	var b strings.Builder
	for _, s := range cards {
		fmt.Fprintf(&b, "%s#%d\n", s.name, s.events())
	}
	return b.String()
}

// Transmit exchanges one command with the connected card.
func (r *Reader) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	const op = "transmit"
	if err := r.enter(op); err != nil {
		return nil, err
	}
	defer r.leave()
	if err := r.usable(ctx, op); err != nil {
		return nil, err
	}
	if r.card.handle == 0 {
		return nil, nfc.ErrCardLost
	}
	type answer struct {
		response []byte
		code     code
	}
	if r.buffer == nil {
		r.buffer = make([]byte, maxResponse)
	}
	lib, s, buffer := r.lib, r.card, r.buffer
	command = append([]byte(nil), command...) // a call given up may outlive the caller's
	a, returned, err := ask(ctx, r.env, func() answer {
		response, c := lib.Transmit(s.handle, s.protocol, command, buffer)
		return answer{response, c}
	}, func(answer) { r.free(s) })
	if err != nil {
		r.card, r.buffer = session{}, nil
		return nil, r.gaveUp(op, returned, err)
	}
	kind := kindOf(a.code)
	switch {
	case a.code == codeSuccess && len(a.response) >= 2:
		return append([]byte(nil), a.response...), nil
	case kind == "": // vpcd's driver says success, and nothing, when the card leaves during the command
		r.doubt = doubt{slot: s.slot.name, events: s.slot.events(), until: r.env.Now().Add(pollTime)}
		if err := r.endCard(ctx, op, leaveCard); err != nil {
			return nil, err
		}
		return nil, nfc.ErrCardLost
	}
	if err := r.endCard(ctx, op, leaveCard); err != nil {
		return nil, err
	}
	return nil, &nfc.ReaderError{Op: op, Condition: kind, Err: a.code}
}

// WaitRemoval waits until no slot has a card.
func (r *Reader) WaitRemoval(ctx context.Context, timeout time.Duration) (bool, error) {
	const op = "wait for removal"
	if err := r.enter(op); err != nil {
		return false, err
	}
	defer r.leave()
	end := r.until(timeout)
	for {
		if err := r.usable(ctx, op); err != nil {
			return false, err
		}
		if r.empty() {
			return true, nil
		}
		if !end.IsZero() && !r.env.Now().Before(end) {
			return false, nil
		}
		if err := r.pause(ctx, end); err != nil {
			return false, err
		}
	}
}

// stillThere reports whether the card in the slot is, to the monitor's knowledge, the one seen as s.
func (r *Reader) stillThere(s slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.slots, func(now slot) bool {
		return now.name == s.name && now.present() && now.events() == s.events()
	})
}

func (r *Reader) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.slots {
		if s.present() {
			return false
		}
	}
	return true
}
