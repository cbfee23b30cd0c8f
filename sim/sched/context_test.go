package sched

import (
	"context"
	"testing"
	"time"
)

// TestWatchesAreForgotten: a long run makes a context per request, and must not
// poll those of the past for ever.
func TestWatchesAreForgotten(t *testing.T) {
	w := New(Config{})
	defer w.Close()
	env := w.Node("a")
	most := 0
	env.Go("requests", func() {
		for range 20 * idlePolls {
			ctx, cancel := context.WithCancel(context.Background())
			timed, cancelTimed := env.WithTimeout(ctx, time.Minute)
			if err := env.Sleep(timed, time.Millisecond); err != nil {
				t.Error(err)
			}
			if err := env.Sleep(ctx, time.Millisecond); err != nil {
				t.Error(err)
			}
			cancelTimed()
			cancel()
			most = max(most, len(w.watches.list))
		}
	})
	if _, err := w.Run(Limit{}); err != nil {
		t.Error(err)
	}
	if most > idlePolls || len(w.watches.list) != len(w.watches.find) {
		t.Errorf("%d watches at most, %d and %d at the end", most, len(w.watches.list), len(w.watches.find))
	}
	if len(w.timers.heap) != 0 {
		t.Errorf("%d timers of cancelled timeouts are left", len(w.timers.heap))
	}
}

// TestTimerHeap takes timers out of the middle and pops the rest in order.
func TestTimerHeap(t *testing.T) {
	w := New(Config{Seed: 3})
	defer w.Close()
	var h timerHeap
	var all []*timer
	for range 500 {
		x := &timer{at: time.Duration(w.rng.IntN(50))}
		h.add(x)
		all = append(all, x)
	}
	for i, x := range all {
		if i%3 == 0 {
			h.remove(x)
			h.remove(x) // no matter
		}
	}
	var last *timer
	for n := 0; len(h.heap) > 0; n++ {
		x := h.pop()
		if last != nil && (x.at < last.at || x.at == last.at && x.seq < last.seq) {
			t.Fatalf("timer %d: %v after %v", n, x.at, last.at)
		}
		last = x
	}
}
