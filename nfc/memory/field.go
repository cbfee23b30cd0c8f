// Package memory is the in-memory link: a reader's field into which cards are
// put and from which they are taken, with the faults of package fault and with
// every condition that a reader can be in. In a tap it stands where the radio
// stands, between the terminal's Entry Point and a software card; the card
// tray, the simulation and the tests hold the other end.
//
// All waiting goes through rt, so it runs in the one-at-a-time simulator. It
// models presence, loss and time of the air, not its bits: no anticollision
// frames, no block protocol.
package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/rt"
)

// Presentation says how a card is held to the reader; see fault.Presentation.
// The zero value is a card that leaves before it answers: start from Steady.
type Presentation = fault.Presentation

// Steady is a card held still for as long as it takes.
func Steady() Presentation { return fault.Steady() }

const (
	// pollGap is the time between finding a card and having polled for the other
	// kinds: only then is it known to be alone (EMV Contactless Book D, polling;
	// public description).
	pollGap = 5 * time.Millisecond
	// frameWait is how long the reader waits for an answer that does not come:
	// EMV caps the frame waiting integer at 7, about 39 ms (public description).
	frameWait = 40 * time.Millisecond
	// hangLimit is how long a call to a hung reader lasts until it is called hung.
	hangLimit = 900 * time.Millisecond
	// maxCards bounds what lies in one field.
	maxCards = 16
)

// Field is the reader and the space before it. It implements nfc.Reader; Put,
// Take, SetCondition and the like may be called from any task.
type Field struct {
	env     rt.Env
	changed rt.Waiter // wakes the one task that uses the reader

	mu       sync.Mutex
	health   nfc.Health
	cards    []*placed // in order of arrival
	lastID   int
	active   *placed
	version  uint64 // counts changes of what lies in the field
	collided uint64 // version at which WaitCard last reported a collision; 0: none
	onEmpty  []func()
}

type placed struct {
	id   int
	link *fault.Link
}

var _ nfc.Reader = (*Field)(nil)

// New makes an empty field with a reader that is ready.
func New(env rt.Env) *Field {
	return &Field{
		env: env, changed: env.NewWaiter(),
		health: nfc.Health{Condition: nfc.Ready, Since: env.Now()},
	}
}

// Put holds a card to the reader and returns a number for Take. The same card
// must not lie there twice. At the limit of 16 cards the oldest slides out.
func (f *Field) Put(c nfc.Card, p Presentation) (id int) {
	return f.PutTogether(p, c)[0]
}

// PutTogether holds several cards to the reader at the same moment, so that a
// poll finds them all or none.
func (f *Field) PutTogether(p Presentation, cards ...nfc.Card) (ids []int) {
	f.mu.Lock()
	for _, c := range cards {
		f.lastID++
		f.cards = append(f.cards, &placed{id: f.lastID, link: fault.NewLink(c, p, f.env.Rand())})
		ids = append(ids, f.lastID)
	}
	if over := len(f.cards) - maxCards; over > 0 {
		f.cards = append([]*placed(nil), f.cards[over:]...)
	}
	f.version++
	f.mu.Unlock()
	f.changed.Wake()
	return ids
}

// Take removes a card; one that has left already is no error.
func (f *Field) Take(id int) { f.remove(func(p *placed) bool { return p.id == id }) }

// TakeAll clears the field.
func (f *Field) TakeAll() { f.remove(func(*placed) bool { return true }) }

// Cards is the number of cards in the field now.
func (f *Field) Cards() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.cards)
}

// Holds reports whether the card of that number is still in the field.
func (f *Field) Holds(id int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.cards {
		if p.id == id {
			return true
		}
	}
	return false
}

// OnEmpty has h called whenever the last card leaves the field, by Take or by
// its presentation. h must not wait. Register before the field is used.
func (f *Field) OnEmpty(h func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onEmpty = append(f.onEmpty, h)
}

// remove takes out the cards that match; hooks run outside the lock.
func (f *Field) remove(match func(*placed) bool) {
	f.mu.Lock()
	kept := make([]*placed, 0, len(f.cards))
	for _, p := range f.cards {
		if !match(p) {
			kept = append(kept, p)
		}
	}
	if len(kept) == len(f.cards) {
		f.mu.Unlock()
		return
	}
	f.cards = kept
	f.version++
	var hooks []func()
	if len(kept) == 0 {
		hooks = f.onEmpty
	}
	f.mu.Unlock()
	f.changed.Wake()
	for _, h := range hooks {
		h()
	}
}

// SetCondition puts the reader into a condition, and back with nfc.Ready. Under
// Hung each call lasts 0.9 s before it fails; under the others it fails at once.
// A closed reader stays closed.
func (f *Field) SetCondition(c nfc.Condition) {
	f.mu.Lock()
	if f.health.Condition != c && f.health.Condition != nfc.Closed {
		f.health = nfc.Health{Condition: c, Since: f.env.Now()}
		f.active = nil // whatever happened to the reader, the card lost its power
		f.collided = 0
	}
	f.mu.Unlock()
	f.changed.Wake()
}

// Name is "memory".
func (f *Field) Name() string { return "memory" }

// Status is the reader's condition.
func (f *Field) Status() nfc.Health {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.health
}

// Close frees the reader; a call under way returns.
func (f *Field) Close() error {
	f.SetCondition(nfc.Closed)
	return nil
}

// FieldOn switches the field on.
func (f *Field) FieldOn(ctx context.Context) error { return f.ready(ctx, "field on") }

// FieldOff switches the field off; a card must be found anew by WaitCard.
func (f *Field) FieldOff(ctx context.Context, hold time.Duration) error {
	f.mu.Lock()
	f.active, f.collided = nil, 0
	f.mu.Unlock()
	if err := f.ready(ctx, "field off"); err != nil {
		return err
	}
	return f.env.Sleep(ctx, hold)
}

// WaitCard switches the field on where it is off, and waits. A collision is
// reported once; with nothing changed, the next WaitCard waits for a change.
func (f *Field) WaitCard(ctx context.Context, timeout time.Duration) (nfc.Presence, error) {
	end := f.until(timeout)
	for {
		if err := f.ready(ctx, "wait for card"); err != nil {
			return nfc.NoCard, err
		}
		if f.worthALook() {
			if err := f.env.Sleep(ctx, pollGap); err != nil {
				return nfc.NoCard, err
			}
			presence, card := f.look()
			if card != nil {
				card.link.Reset() // activation powers the card
			}
			if presence != nfc.NoCard {
				return presence, nil
			}
			continue
		}
		if over, err := f.pause(ctx, end); err != nil || over {
			return nfc.NoCard, err
		}
	}
}

// worthALook reports whether a poll would find something not yet reported.
func (f *Field) worthALook() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.cards) > 0 && (f.collided == 0 || f.collided != f.version)
}

// look is one poll: a single card becomes the active one.
func (f *Field) look() (nfc.Presence, *placed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active, f.collided = nil, 0
	switch {
	case f.health.Condition != nfc.Ready || len(f.cards) == 0:
		return nfc.NoCard, nil
	case len(f.cards) > 1:
		f.collided = f.version
		return nfc.Collision, nil
	}
	f.active = f.cards[0]
	return nfc.OneCard, f.active
}

// WaitRemoval waits until nothing lies in the field.
func (f *Field) WaitRemoval(ctx context.Context, timeout time.Duration) (bool, error) {
	end := f.until(timeout)
	for {
		if err := f.ready(ctx, "wait for removal"); err != nil {
			return false, err
		}
		if f.Cards() == 0 {
			return true, nil
		}
		if over, err := f.pause(ctx, end); err != nil || over {
			return f.Cards() == 0 && err == nil, err
		}
	}
}

// Transmit exchanges one command with the active card.
func (f *Field) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := f.ready(ctx, "transmit"); err != nil {
		return nil, err
	}
	card := f.present()
	if card == nil {
		return nil, f.lose(ctx, nil)
	}
	if d := card.link.Latency(); d > 0 {
		end := f.env.Now().Add(d)
		for over := false; !over; {
			var err error
			if over, err = f.pause(ctx, end); err != nil {
				return nil, err
			}
			if err = f.ready(ctx, "transmit"); err != nil {
				return nil, err
			}
			if f.present() != card {
				return nil, f.lose(ctx, nil)
			}
		}
	}
	response, err := card.link.Exchange(command)
	switch {
	case errors.Is(err, fault.ErrLeft):
		return nil, f.lose(ctx, card)
	case errors.Is(err, fault.ErrLost):
		return nil, f.lose(ctx, nil)
	case err != nil:
		return nil, &nfc.ReaderError{Op: "transmit", Condition: nfc.Hung, Err: err}
	}
	if card.link.Left() {
		f.Take(card.id)
	}
	return response, nil
}

// present is the active card, nil where it is no longer in the field.
func (f *Field) present() *placed {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.cards {
		if p == f.active {
			return p
		}
	}
	return nil
}

// lose ends the active session, takes the card that left, and returns
// ErrCardLost once the reader has waited for the answer in vain.
func (f *Field) lose(ctx context.Context, left *placed) error {
	f.mu.Lock()
	f.active = nil
	f.mu.Unlock()
	if left != nil {
		f.Take(left.id)
	}
	if err := f.env.Sleep(ctx, frameWait); err != nil {
		return err
	}
	return nfc.ErrCardLost
}

// ready returns nil where the reader works. A hung one is waited for until hangLimit.
func (f *Field) ready(ctx context.Context, op string) error {
	end := f.until(hangLimit)
	for over := false; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch c := f.Status().Condition; {
		case c == nfc.Ready:
			return nil
		case c != nfc.Hung || over:
			return &nfc.ReaderError{Op: op, Condition: c}
		}
		var err error
		if over, err = f.pause(ctx, end); err != nil {
			return err
		}
	}
}

// until is the moment at which a time-out ends; zero time for none.
func (f *Field) until(timeout time.Duration) time.Time {
	if timeout <= 0 {
		return time.Time{}
	}
	return f.env.Now().Add(timeout)
}

// pause waits until something changes or end comes (zero: never), and reports
// whether end has come.
func (f *Field) pause(ctx context.Context, end time.Time) (over bool, err error) {
	if end.IsZero() {
		return false, f.changed.Wait(ctx)
	}
	left := end.Sub(f.env.Now())
	if left <= 0 {
		return true, ctx.Err()
	}
	limited, cancel := f.env.WithTimeout(ctx, left)
	defer cancel()
	if err := f.changed.Wait(limited); err != nil {
		return true, ctx.Err() // the time-out, unless the caller's context ended
	}
	return false, nil
}
