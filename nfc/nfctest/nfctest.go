// Package nfctest is the contract of nfc.Reader as tests: what every transport
// must do when a card comes, answers, is slow, leaves early or is two, when the
// clerk cancels, and when the reader itself fails and comes back. The in-memory
// link runs it on a fake clock, PC/SC against a real pcscd.
//
// It is for tests only and stands outside the way of a tap.
package nfctest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/rt"
)

// Rig is one reader with hands to hold cards to it.
type Rig struct {
	Env    rt.Env
	Reader nfc.Reader
	// Put holds a card to the reader; take removes it and may be called when it has left already.
	Put func(c nfc.Card, p fault.Presentation) (take func())
	// Break puts the reader into a condition and returns what ends that. A
	// condition that this transport cannot be put into is absent.
	Break map[nfc.Condition]func() (mend func())
}

// Suite is one transport.
type Suite struct {
	// Open makes a rig with an empty field and room for that many cards, and has
	// it closed at the test's end.
	Open func(t *testing.T, cards int) *Rig
	// Wrap runs one test body (synctest.Test, or nil for none).
	Wrap func(t *testing.T, body func(t *testing.T))
}

const (
	// notice is within which a reader's failure, or its return, must be known.
	notice = time.Second
	// prompt is within which a cancelled call must be back.
	prompt = 100 * time.Millisecond
	// present is enough for any transport to see a card that is there.
	present = 5 * time.Second
)

// Run runs the whole contract.
func Run(t *testing.T, s Suite) {
	for _, c := range []struct {
		name  string
		cards int
		body  func(*testing.T, *Rig)
	}{
		{"empty field", 1, emptyField},
		{"card present", 1, cardPresent},
		{"lengths", 1, lengths},
		{"field off resets", 1, fieldOffResets},
		{"removed before the first command", 1, func(t *testing.T, r *Rig) { removedAfter(t, r, 0) }},
		{"removed after two commands", 1, func(t *testing.T, r *Rig) { removedAfter(t, r, 2) }},
		{"taken in the middle", 1, takenMidway},
		{"two cards", 2, twoCards},
		{"cancel while waiting", 1, cancelWait},
		{"cancel while transmitting", 1, cancelTransmit},
		{"cancelled before", 1, cancelledBefore},
		{"slow card", 1, slowCard},
		{"man in the middle", 1, manInTheMiddle},
		{"dead chip", 1, deadChip},
		{"field too weak", 1, weakField},
		{"close", 1, closing},
	} {
		s.run(t, c.name, c.cards, c.body)
	}
	for _, c := range []nfc.Condition{nfc.Unplugged, nfc.Hung, nfc.Taken, nfc.Disabled, nfc.NoService, nfc.Busy} {
		s.run(t, "reader "+string(c), 2, func(t *testing.T, r *Rig) { broken(t, r, c) })
	}
	s.run(t, "hung in the middle of a payment", 1, hungMidway)
}

func (s Suite) run(t *testing.T, name string, cards int, body func(*testing.T, *Rig)) {
	t.Run(name, func(t *testing.T) {
		wrap := s.Wrap
		if wrap == nil {
			wrap = func(t *testing.T, body func(*testing.T)) { body(t) }
		}
		wrap(t, func(t *testing.T) { body(t, s.Open(t, cards)) })
	})
}

func emptyField(t *testing.T, r *Rig) {
	ctx := context.Background()
	must(t, r.Reader.FieldOn(ctx))
	if h := r.Reader.Status(); h.Condition != nfc.Ready {
		t.Fatalf("status %+v, want ready", h)
	}
	start := r.Env.Now()
	if p, err := r.Reader.WaitCard(ctx, 60*time.Millisecond); p != nfc.NoCard || err != nil {
		t.Fatalf("WaitCard on an empty field: %v, %v", p, err)
	}
	if d := r.Env.Now().Sub(start); d < 60*time.Millisecond || d > notice {
		t.Errorf("waited %v, want 60ms", d)
	}
	if gone, err := r.Reader.WaitRemoval(ctx, time.Second); !gone || err != nil {
		t.Fatalf("WaitRemoval on an empty field: %v, %v", gone, err)
	}
	if _, err := r.Reader.Transmit(ctx, SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("Transmit without a card: %v, want ErrCardLost", err)
	}
}

func cardPresent(t *testing.T, r *Rig) {
	ctx := context.Background()
	waited := rt.NewFuture[error](r.Env)
	r.Env.Go("wait", func() {
		p, err := r.Reader.WaitCard(ctx, present)
		if err == nil && p != nfc.OneCard {
			err = errors.New(p.String())
		}
		waited.Set(err)
	})
	card := NewCard(false)
	take := r.Put(card, fault.Steady())
	err, waitErr := waited.Get(ctx)
	must(t, errors.Join(err, waitErr))
	selects(t, r)
	exchange(t, r, []byte("abc"))
	if gone, err := r.Reader.WaitRemoval(ctx, 10*time.Millisecond); gone || err != nil {
		t.Fatalf("WaitRemoval with a card there: %v, %v", gone, err)
	}
	take()
	if gone, err := r.Reader.WaitRemoval(ctx, present); !gone || err != nil {
		t.Fatalf("WaitRemoval: %v, %v", gone, err)
	}
	if _, err := r.Reader.Transmit(ctx, SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("Transmit after removal: %v, want ErrCardLost", err)
	}
}

func lengths(t *testing.T, r *Rig) {
	defer r.Put(NewCard(false), fault.Steady())()
	waitOne(t, r)
	selects(t, r)
	data := make([]byte, 255)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for n := 0; n <= len(data); n += 15 {
		exchange(t, r, data[:n])
	}
}

func fieldOffResets(t *testing.T, r *Rig) {
	ctx := context.Background()
	card := NewCard(false)
	defer r.Put(card, fault.Steady())()
	waitOne(t, r)
	selects(t, r)
	resets, start := card.Resets(), r.Env.Now()
	must(t, r.Reader.FieldOff(ctx, 20*time.Millisecond))
	if d := r.Env.Now().Sub(start); d < 20*time.Millisecond {
		t.Errorf("the field was off for %v, want 20ms", d)
	}
	if _, err := r.Reader.Transmit(ctx, SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("Transmit with the field off: %v, want ErrCardLost", err)
	}
	must(t, r.Reader.FieldOn(ctx))
	waitOne(t, r)
	if card.Resets() == resets {
		t.Error("the card kept its power through field off")
	}
	got, err := r.Reader.Transmit(ctx, getData([]byte{1}))
	if must(t, err); !bytes.Equal(got, []byte{0x69, 0x85}) {
		t.Errorf("a card that was reset answers %X, want 6985: its session survived", got)
	}
}

// removedAfter has the card leave after n answers, and come again.
func removedAfter(t *testing.T, r *Rig, n int) {
	ctx := context.Background()
	card := NewCard(false)
	take := r.Put(card, fault.Presentation{RemoveAfterAPDU: n})
	waitOne(t, r)
	for range n {
		selects(t, r)
	}
	if got, err := r.Reader.Transmit(ctx, SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("command %d: %X, %v, want ErrCardLost", n+1, got, err)
	}
	if card.Commands() != n {
		t.Errorf("%d commands reached the card, want %d", card.Commands(), n)
	}
	if gone, err := r.Reader.WaitRemoval(ctx, present); !gone || err != nil {
		t.Fatalf("WaitRemoval: %v, %v", gone, err)
	}
	take()
	defer r.Put(card, fault.Steady())()
	waitOne(t, r)
	selects(t, r)
	exchange(t, r, []byte("again"))
}

func takenMidway(t *testing.T, r *Rig) {
	ctx := context.Background()
	take := r.Put(NewCard(false), fault.Steady())
	waitOne(t, r)
	selects(t, r)
	take()
	if _, err := r.Reader.Transmit(ctx, getData([]byte{1})); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("Transmit after the card was taken: %v, want ErrCardLost", err)
	}
	if p, err := r.Reader.WaitCard(ctx, 700*time.Millisecond); p != nfc.NoCard || err != nil {
		t.Fatalf("WaitCard after the card was taken: %v, %v", p, err)
	}
	defer r.Put(NewCard(false), fault.Steady())()
	waitOne(t, r)
	selects(t, r)
}

func twoCards(t *testing.T, r *Rig) {
	ctx := context.Background()
	a, b := NewCard(false), NewCard(false)
	takeA := r.Put(a, fault.Steady())
	takeB := r.Put(b, fault.Steady())
	if p, err := r.Reader.WaitCard(ctx, present); p != nfc.Collision || err != nil {
		t.Fatalf("WaitCard with two cards: %v, %v", p, err)
	}
	if _, err := r.Reader.Transmit(ctx, SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("Transmit with two cards: %v, want ErrCardLost", err)
	}
	if a.Commands()+b.Commands() != 0 {
		t.Error("a command reached one of two cards")
	}
	if p, err := r.Reader.WaitCard(ctx, 50*time.Millisecond); p != nfc.NoCard || err != nil {
		t.Fatalf("WaitCard with the same two cards still there: %v, %v; a collision is reported once", p, err)
	}
	takeA()
	waitOne(t, r)
	selects(t, r)
	if b.Commands() != 1 {
		t.Error("the card that stayed was not the one that answered")
	}
	takeB()
}

func cancelWait(t *testing.T, r *Rig) {
	for name, wait := range map[string]func(context.Context) error{
		"WaitCard": func(ctx context.Context) error {
			_, err := r.Reader.WaitCard(ctx, 0)
			return err
		},
		"FieldOff": func(ctx context.Context) error { return r.Reader.FieldOff(ctx, time.Minute) },
	} {
		cancelled(t, r, name, wait)
	}
	defer r.Put(NewCard(false), fault.Steady())()
	waitOne(t, r)
	cancelled(t, r, "WaitRemoval", func(ctx context.Context) error {
		_, err := r.Reader.WaitRemoval(ctx, 0)
		return err
	})
	selects(t, r) // a cancelled wait for removal leaves the card as it was
}

func cancelTransmit(t *testing.T, r *Rig) {
	card := NewCard(false)
	take := r.Put(card, fault.Presentation{RemoveAfterAPDU: -1, Latency: 400 * time.Millisecond})
	waitOne(t, r)
	cancelled(t, r, "Transmit", func(ctx context.Context) error {
		_, err := r.Reader.Transmit(ctx, SelectCommand)
		return err
	})
	must(t, r.Reader.FieldOff(context.Background(), 0))
	take()
	if gone, err := r.Reader.WaitRemoval(context.Background(), present); !gone || err != nil {
		t.Fatalf("WaitRemoval: %v, %v", gone, err)
	}
	defer r.Put(NewCard(false), fault.Steady())()
	waitOne(t, r)
	selects(t, r)
}

// cancelled runs wait, cancels it in the middle, and expects it back at once.
func cancelled(t *testing.T, r *Rig, name string, wait func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	back := rt.NewFuture[error](r.Env)
	r.Env.Go(name, func() { back.Set(wait(ctx)) })
	must(t, r.Env.Sleep(context.Background(), 50*time.Millisecond))
	if err, done := back.Peek(); done {
		t.Fatalf("%s returned %v before it was cancelled", name, err)
	}
	start := r.Env.Now()
	cancel()
	err, waitErr := back.Get(context.Background())
	must(t, waitErr)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s cancelled: %v, want context.Canceled", name, err)
	}
	if d := r.Env.Now().Sub(start); d > prompt {
		t.Errorf("%s came back %v after the cancel", name, d)
	}
}

func cancelledBefore(t *testing.T, r *Rig) {
	defer r.Put(NewCard(false), fault.Steady())()
	waitOne(t, r)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, transmit := r.Reader.Transmit(ctx, SelectCommand)
	_, card := r.Reader.WaitCard(ctx, time.Second)
	_, removal := r.Reader.WaitRemoval(ctx, time.Second)
	for name, err := range map[string]error{"Transmit": transmit, "WaitCard": card, "WaitRemoval": removal,
		"FieldOn": r.Reader.FieldOn(ctx), "FieldOff": r.Reader.FieldOff(ctx, time.Second)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s under a context that has ended: %v", name, err)
		}
	}
	waitOne(t, r)
	selects(t, r)
}

func slowCard(t *testing.T, r *Rig) {
	const latency = 150 * time.Millisecond
	defer r.Put(NewCard(false), fault.Presentation{RemoveAfterAPDU: -1, Latency: latency})()
	waitOne(t, r)
	start := r.Env.Now()
	selects(t, r)
	exchange(t, r, []byte("slow"))
	if d := r.Env.Now().Sub(start); d < 2*latency {
		t.Errorf("two commands took %v, want at least %v", d, 2*latency)
	}
}

func manInTheMiddle(t *testing.T, r *Rig) {
	p := fault.Steady()
	p.Tamper = func(toCard bool, apdu []byte) []byte {
		if toCard && len(apdu) > 5 && apdu[1] == 0xCA {
			apdu[5] = 'X'
		}
		if !toCard && len(apdu) > 2 {
			apdu[0] ^= 0xFF
		}
		return apdu
	}
	defer r.Put(NewCard(false), p)()
	waitOne(t, r)
	got, err := r.Reader.Transmit(context.Background(), SelectCommand)
	want := append([]byte{SelectResponse[0] ^ 0xFF}, SelectResponse[1:]...)
	if must(t, err); !bytes.Equal(got, want) {
		t.Fatalf("edited response: %X, want %X", got, want)
	}
	got, err = r.Reader.Transmit(context.Background(), getData([]byte("abc")))
	if want := []byte{'c' ^ 0xFF, 'b', 'X', 0x90, 0x00}; err != nil || !bytes.Equal(got, want) {
		t.Fatalf("edited command: %X, %v, want %X", got, err, want)
	}
}

func deadChip(t *testing.T, r *Rig) {
	take := r.Put(NewCard(true), fault.Steady())
	waitOne(t, r)
	if got, err := r.Reader.Transmit(context.Background(), SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
		t.Fatalf("a dead chip answers %X, %v", got, err)
	}
	take()
	if gone, err := r.Reader.WaitRemoval(context.Background(), present); !gone || err != nil {
		t.Fatalf("WaitRemoval: %v, %v", gone, err)
	}
}

func weakField(t *testing.T, r *Rig) {
	p := fault.Steady()
	p.Weak = 1
	defer r.Put(NewCard(false), p)()
	for range 2 { // a card in a weak field is lost, and found again
		waitOne(t, r)
		if got, err := r.Reader.Transmit(context.Background(), SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
			t.Fatalf("in a field that loses everything: %X, %v", got, err)
		}
	}
}

func closing(t *testing.T, r *Rig) {
	ctx := context.Background()
	back := rt.NewFuture[error](r.Env)
	r.Env.Go("wait", func() {
		_, err := r.Reader.WaitCard(ctx, 0)
		back.Set(err)
	})
	must(t, r.Env.Sleep(ctx, 20*time.Millisecond))
	start := r.Env.Now()
	must(t, r.Reader.Close())
	err, waitErr := back.Get(ctx)
	must(t, waitErr)
	condition(t, err, nfc.Closed)
	if d := r.Env.Now().Sub(start); d > prompt {
		t.Errorf("the wait under way came back %v after Close", d)
	}
	_, err = r.Reader.Transmit(ctx, SelectCommand)
	condition(t, err, nfc.Closed)
	condition(t, r.Reader.FieldOn(ctx), nfc.Closed)
	if h := r.Reader.Status(); h.Condition != nfc.Closed {
		t.Errorf("status %+v after Close", h)
	}
	must(t, r.Reader.Close())
}
