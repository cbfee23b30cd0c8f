// Package journaltest is the contract of a terminal journal as a test suite:
// every store passes it, so that the simulation (journal/memory) and the shop
// (journal/sqlite) obey the same rules.
package journaltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"huika/pay"
	"huika/terminal/journal"
)

// Disk opens incarnations of one journal: each Open sees what was durable
// before. The incarnation before it is dropped without Close where crash is set.
type Disk interface {
	Open(t testing.TB, crash bool) journal.Store
}

var at = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

const batch = "000007"

func key(stan pay.STAN) journal.Key { return journal.Key{Batch: batch, STAN: stan} }

func begun(id string, stan pay.STAN) journal.Begun {
	return journal.Begun{Payment: pay.PaymentID(id), Key: key(stan), Amount: pay.Fen(8880), At: at}
}

func sent(id string, stan pay.STAN) journal.Sent {
	return journal.Sent{Payment: pay.PaymentID(id), Key: key(stan), Try: 1, Amount: pay.Fen(8880), Reversal: []byte{1, 2}, At: at}
}

func ended(id string, stan pay.STAN, approved bool) journal.Ended {
	return journal.Ended{Payment: pay.PaymentID(id), Key: key(stan), Approved: approved, Amount: pay.Fen(8880), Result: []byte(`{}`), Receipt: []byte{3}, At: at}
}

func answered(id string, stan pay.STAN, code string) journal.Answered {
	return journal.Answered{Payment: pay.PaymentID(id), Key: key(stan), Code: code, At: at}
}

func owed(id string, stan pay.STAN) journal.ReversalOwed {
	return journal.ReversalOwed{Payment: pay.PaymentID(id), Key: key(stan), Reason: "98", At: at}
}

// Run holds a store to the contract.
func Run(t *testing.T, fresh func(t testing.TB) Disk) {
	t.Run("empty", func(t *testing.T) {
		s := fresh(t).Open(t, false)
		want(t, s, journal.State{})
		if _, err := s.Payment(t.Context(), "none"); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("Payment: %v, want ErrNotFound", err)
		}
		if _, err := s.Trace(t.Context(), "none"); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("Trace: %v, want ErrNotFound", err)
		}
	})
	t.Run("sale", func(t *testing.T) { testSale(t, fresh(t)) })
	t.Run("reversal", func(t *testing.T) { testReversal(t, fresh(t)) })
	t.Run("rules", func(t *testing.T) { testRules(t, fresh(t)) })
	t.Run("traces", func(t *testing.T) { testTraces(t, fresh(t)) })
	t.Run("cancelled context", func(t *testing.T) {
		s := fresh(t).Open(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Append(ctx, begun("a", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("Append: %v, want context.Canceled", err)
		}
		want(t, s, journal.State{})
	})
	t.Run("any records", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) { testAny(t, r, fresh(t)) })
	})
}

func do(t testing.TB, s journal.Store, records ...journal.Record) {
	t.Helper()
	if err := s.Append(t.Context(), records...); err != nil {
		t.Fatalf("Append %T: %v", records[0], err)
	}
}

func want(t testing.TB, s journal.Store, w journal.State) {
	t.Helper()
	got, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, w) {
		t.Errorf("State:\n got %+v\nwant %+v", got, w)
	}
}

// Each step survives a crash that follows it.
func testSale(t *testing.T, d Disk) {
	s := d.Open(t, false)
	again := func(w journal.State) { t.Helper(); s = d.Open(t, true); want(t, s, w) }
	st := journal.State{Batch: batch}
	do(t, s, journal.BatchOpened{Batch: batch, At: at})
	again(st)

	do(t, s, journal.Numbered{Key: key(4), At: at})
	st.STAN = 4
	again(st)

	b := begun("a", 5)
	do(t, s, b)
	st.STAN, st.Open = 5, []journal.Open{{Begun: b}}
	again(st)

	x := sent("a", 5)
	do(t, s, x)
	st.Open = []journal.Open{{Begun: b, Sent: &x}}
	again(st)

	e := ended("a", 5, true)
	do(t, s, answered("a", 5, "00"), e)
	st.Open, st.Totals = nil, journal.Totals{Debits: 8880, DebitCount: 1}
	again(st)

	got, err := s.Payment(t.Context(), "a")
	if w := []journal.Record{b, x, answered("a", 5, "00"), e}; err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("Payment: %v, %v; want %v", got, err, w)
	}
	do(t, s, journal.BatchOpened{Batch: "000008", At: at})
	again(journal.State{Batch: "000008", STAN: 5})
}

func testReversal(t *testing.T, d Disk) {
	s := d.Open(t, false)
	b, x, o, e := begun("a", 1), sent("a", 1), owed("a", 1), ended("a", 1, false)
	do(t, s, journal.BatchOpened{Batch: batch, At: at}, b, x)
	do(t, s, o, e)
	s = d.Open(t, true)
	st := journal.State{Batch: batch, STAN: 1, Reversals: []journal.Reversal{{Owed: o, Sent: x}}}
	want(t, s, st)
	done := journal.ReversalDone{Key: key(1), Code: "25", At: at}
	do(t, s, done)
	s = d.Open(t, true)
	want(t, s, journal.State{Batch: batch, STAN: 1})
	got, err := s.Payment(t.Context(), "a")
	if w := []journal.Record{b, x, o, e, done}; err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("Payment: %v, %v; want %v", got, err, w)
	}
}

func testRules(t *testing.T, d Disk) {
	s := d.Open(t, false)
	refused := func(name string, records ...journal.Record) {
		t.Helper()
		before, err := s.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Append(t.Context(), records...); !errors.Is(err, journal.ErrRule) {
			t.Errorf("%s: %v, want ErrRule", name, err)
		}
		want(t, s, before)
	}
	refused("sent without a payment", sent("a", 1))
	refused("answer without a request", answered("a", 1, "00"))
	refused("end without a beginning", ended("a", 1, true))
	refused("STAN 0", begun("a", 0))
	refused("STAN of seven digits", begun("a", 1_000_000))
	refused("payment without an id", begun("", 1))
	refused("batch of letters", journal.BatchOpened{Batch: "00000x"})
	refused("a good record is not kept without its fellow", begun("a", 1), sent("b", 1))

	do(t, s, begun("a", 1))
	refused("begun twice", begun("a", 2))
	refused("reversal without a request", owed("a", 1))
	do(t, s, sent("a", 1))
	refused("two requests at once", sent("a", 2))
	refused("end with a request under way", ended("a", 1, true))
	refused("answer to another request", answered("a", 2, "00"))
	do(t, s, answered("a", 1, "55"))
	refused("answered twice", answered("a", 1, "55"))
	refused("the same key again", sent("a", 1))
	do(t, s, journal.Numbered{Key: key(2)}, sent("a", 2), owed("a", 2))
	refused("answer after a reversal", answered("a", 2, "00"))
	refused("reversal of another key done", journal.ReversalDone{Key: key(1), Code: "00"})
	wrong := ended("a", 2, true)
	wrong.Amount = pay.Fen(8881)
	refused("approved with another amount", wrong)
	do(t, s, ended("a", 2, false), journal.ReversalDone{Key: key(2), Code: "00"})
	refused("reversal done twice", journal.ReversalDone{Key: key(2), Code: "00"})
	refused("ended twice", ended("a", 2, false))
	s = d.Open(t, true)
	refused("begun again after its end", begun("a", 9))
}

func testTraces(t *testing.T, d Disk) {
	s := d.Open(t, false)
	put := func(id string, box byte) {
		t.Helper()
		if err := s.PutTrace(t.Context(), pay.PaymentID(id), []byte{box}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(id string, box byte) {
		t.Helper()
		got, err := s.Trace(t.Context(), pay.PaymentID(id))
		if err != nil || len(got) != 1 || got[0] != box {
			t.Errorf("Trace(%s) = %x, %v; want %x", id, got, err, box)
		}
	}
	put("a", 1)
	put("b", 2)
	put("a", 3)
	has("a", 3)
	has("b", 2)
	for i := range journal.MaxTraces - 1 {
		put(fmt.Sprint(i), byte(i))
	}
	s = d.Open(t, true)
	has("a", 3) // written again after b, so b gave way first
	if _, err := s.Trace(t.Context(), "b"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("the oldest trace is still there: %v", err)
	}
}

// testAny appends records at random: a store agrees with Fold on each, and a crash loses nothing.
func testAny(t *testing.T, r *rapid.T, d Disk) {
	s := d.Open(t, false)
	model := journal.NewFold()
	ids, keys := map[pay.PaymentID]bool{}, map[journal.Key]bool{}
	for range rapid.IntRange(1, 40).Draw(r, "steps") {
		id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "id")
		stan := pay.STAN(rapid.IntRange(1, 6).Draw(r, "stan"))
		rec := []journal.Record{
			begun(id, stan), sent(id, stan), answered(id, stan, "05"), owed(id, stan), ended(id, stan, stan%2 == 0),
			journal.ReversalDone{Key: key(stan), Code: "00", At: at}, journal.BatchOpened{Batch: batch, At: at},
		}[rapid.IntRange(0, 6).Draw(r, "kind")]
		next, used := model.Clone(), false
		switch x := rec.(type) {
		case journal.Begun:
			used = ids[x.Payment]
		case journal.Sent:
			used = keys[x.Key]
		}
		ok := !used && next.Add(rec) == nil
		if err := s.Append(t.Context(), rec); (err == nil) != ok {
			r.Fatalf("Append(%#v) = %v, the rules allow it: %v", rec, err, ok)
		}
		if ok {
			model = next
			switch x := rec.(type) {
			case journal.Begun:
				ids[x.Payment] = true
			case journal.Sent:
				keys[x.Key] = true
			}
		}
	}
	want(t, d.Open(t, true), model.State())
}
