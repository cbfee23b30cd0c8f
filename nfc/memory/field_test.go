package memory_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/nfc/memory"
	"huika/nfc/nfctest"
	"huika/rt"
)

func TestContract(t *testing.T) {
	nfctest.Run(t, nfctest.Suite{Wrap: synctest.Test, Open: func(t *testing.T, _ int) *nfctest.Rig {
		env := rt.Real()
		f := memory.New(env)
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		rig := &nfctest.Rig{Env: env, Reader: f, Break: map[nfc.Condition]func() func(){}}
		rig.Put = func(c nfc.Card, p fault.Presentation) func() {
			id := f.Put(c, p)
			return func() { f.Take(id) }
		}
		for _, c := range []nfc.Condition{nfc.Unplugged, nfc.Hung, nfc.Taken, nfc.Disabled, nfc.NoService, nfc.Busy} {
			rig.Break[c] = func() func() {
				f.SetCondition(c)
				return func() { f.SetCondition(nfc.Ready) }
			}
		}
		return rig
	}})
}

// seeded is the real machine but for its randomness.
type seeded struct {
	rt.Env
	source io.Reader
}

func (s seeded) Rand() io.Reader { return s.source }

// The same seed loses the same exchanges.
func TestWeakFieldFollowsTheSeed(t *testing.T) {
	run := func(seed byte) (lost []int, heard int) {
		synctest.Test(t, func(t *testing.T) {
			env := seeded{rt.Real(), rand.NewChaCha8([32]byte{seed})}
			f, card, ctx := memory.New(env), nfctest.NewCard(false), context.Background()
			p := memory.Steady()
			p.Weak = 0.3
			f.Put(card, p)
			for i := range 100 {
				if got, err := f.WaitCard(ctx, time.Second); got != nfc.OneCard || err != nil {
					t.Fatal(got, err)
				}
				if _, err := f.Transmit(ctx, nfctest.SelectCommand); errors.Is(err, nfc.ErrCardLost) {
					lost = append(lost, i)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			heard = card.Commands()
		})
		return lost, heard
	}
	a, heardA := run(1)
	b, heardB := run(1)
	if len(a) < 10 || len(a) > 60 {
		t.Errorf("%d of 100 exchanges lost at 0.3", len(a))
	}
	if heardA <= 100-len(a) || heardA >= 100 {
		t.Errorf("%d commands reached the card and %d exchanges were lost: both legs must lose", heardA, len(a))
	}
	if heardA != heardB || len(a) != len(b) {
		t.Fatalf("one seed, two courses: %v and %v", a, b)
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("one seed, two courses: %v and %v", a, b)
		}
	}
}

func TestFieldTellsWhenItIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f, empty := memory.New(rt.Real()), 0
		f.OnEmpty(func() { empty++ })
		ids := f.PutTogether(memory.Steady(), nfctest.NewCard(false), nfctest.NewCard(false))
		f.Take(ids[0])
		if empty != 0 || f.Cards() != 1 || f.Holds(ids[0]) || !f.Holds(ids[1]) {
			t.Fatalf("after one of two was taken: told %d times, %d cards", empty, f.Cards())
		}
		f.TakeAll()
		f.TakeAll()
		f.Take(ids[1])
		if empty != 1 {
			t.Fatalf("told %d times that it became empty once", empty)
		}
		id := f.Put(nfctest.NewCard(false), memory.Presentation{RemoveAfterAPDU: 1})
		if _, err := f.WaitCard(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Transmit(ctx, nfctest.SelectCommand); err != nil {
			t.Fatal(err)
		}
		if empty != 2 || f.Holds(id) {
			t.Fatalf("a card that left by itself: told %d times", empty)
		}
	})
}

// A card put down a moment after the first still collides: one alone is only
// known to be alone after a second look.
func TestSecondCardRightAfterTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, ctx := rt.Real(), context.Background()
		f := memory.New(env)
		env.Go("hand", func() {
			f.Put(nfctest.NewCard(false), memory.Steady())
			if err := env.Sleep(ctx, 2*time.Millisecond); err != nil {
				t.Error(err)
			}
			f.Put(nfctest.NewCard(false), memory.Steady())
		})
		if p, err := f.WaitCard(ctx, time.Second); p != nfc.Collision || err != nil {
			t.Fatalf("%v, %v", p, err)
		}
	})
}

func TestFieldIsBounded(t *testing.T) {
	f := memory.New(rt.Real())
	first := f.Put(nfctest.NewCard(false), memory.Steady())
	for range 1000 {
		f.Put(nfctest.NewCard(false), memory.Steady())
	}
	if f.Cards() != 16 || f.Holds(first) {
		t.Fatalf("%d cards in the field, want 16 without the first", f.Cards())
	}
}

// A slow card that is pulled away is lost at once, not when its time is over.
func TestSlowCardPulledAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, ctx := rt.Real(), context.Background()
		f := memory.New(env)
		id := f.Put(nfctest.NewCard(false), memory.Presentation{RemoveAfterAPDU: -1, Latency: time.Minute})
		if _, err := f.WaitCard(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
		env.Go("hand", func() {
			if err := env.Sleep(ctx, 10*time.Millisecond); err != nil {
				t.Error(err)
			}
			f.Take(id)
		})
		start := env.Now()
		if _, err := f.Transmit(ctx, nfctest.SelectCommand); !errors.Is(err, nfc.ErrCardLost) {
			t.Fatal(err)
		}
		if d := env.Now().Sub(start); d > 100*time.Millisecond {
			t.Errorf("noticed after %v", d)
		}
	})
}

func BenchmarkTransmit(b *testing.B) {
	f, ctx := memory.New(rt.Real()), context.Background()
	f.Put(nfctest.NewCard(false), memory.Steady())
	if p, err := f.WaitCard(ctx, time.Second); p != nfc.OneCard || err != nil {
		b.Fatal(p, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Transmit(ctx, nfctest.SelectCommand); err != nil {
			b.Fatal(err)
		}
	}
}
