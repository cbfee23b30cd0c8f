package envtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"huika/rt"
)

// Harness runs body as a task of a fresh Env, and returns when it and the tasks
// that it started have ended or wait for what nobody will do.
type Harness func(t *testing.T, body func(env rt.Env))

// Tasks checks time, tasks, waiting and contexts. Time may be virtual: no test here
// takes real time if the clock does not, and each asserts exact order, not durations.
func Tasks(t *testing.T, run Harness) {
	for _, c := range []struct {
		name string
		body func(t *testing.T, env rt.Env)
	}{
		{"sleep takes its time", sleepTakesTime},
		{"sleep ends with its context", sleepCancelled},
		{"sleep of nothing returns the context's error", sleepZero},
		{"sleepers wake in order of time", sleepOrder},
		{"wake before wait is remembered once", wakeRemembered},
		{"one wake releases one wait", oneWakeOneWait},
		{"a token goes before a dead context", tokenBeforeContext},
		{"wait ends with its context and loses no wake", waitCancelled},
		{"timeout ends a wait", timeoutEndsWait},
		{"timeouts nest", timeoutsNest},
		{"cancel of a timeout is Canceled", timeoutCancelled},
		{"cancel reaches contexts derived by the standard library", derivedContexts},
		{"timeout under a parent that ends", parentEnds},
		{"values pass through a timeout", valuesPass},
		{"queue keeps order, refuses when full, drains after close", queueOrder},
		{"queue shares items between consumers", queueConsumers},
		{"queue get ends with its context", queueCancelled},
		{"future is set once and reaches all", futureReachesAll},
		{"topic gives the newest value to every watcher", topicNewest},
		{"randomness is not constant", randomness},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(env rt.Env) { c.body(t, env) })
		})
	}
}

// patience bounds what should not take long.
const patience = time.Hour

func sleepTakesTime(t *testing.T, env rt.Env) {
	from := env.Now()
	if err := env.Sleep(context.Background(), 3*time.Second); err != nil {
		t.Error(err)
	}
	if took := env.Now().Sub(from); took < 3*time.Second || took > 4*time.Second {
		t.Errorf("slept %v", took)
	}
}

func sleepCancelled(t *testing.T, env rt.Env) {
	ctx, cancel := context.WithCancel(context.Background())
	env.Go("cancel", func() {
		sleep(t, env, time.Second)
		cancel()
	})
	from := env.Now()
	if err := env.Sleep(ctx, patience); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := env.Now().Sub(from); took > time.Minute {
		t.Errorf("ended after %v", took)
	}
	if err := env.Sleep(ctx, patience); !errors.Is(err, context.Canceled) {
		t.Errorf("second sleep: %v", err)
	}
}

func sleepZero(t *testing.T, env rt.Env) {
	ctx, cancel := context.WithCancel(context.Background())
	if err := env.Sleep(ctx, 0); err != nil {
		t.Error(err)
	}
	if err := env.Sleep(ctx, -time.Second); err != nil {
		t.Error(err)
	}
	cancel()
	if err := env.Sleep(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func sleepOrder(t *testing.T, env rt.Env) {
	q := rt.NewQueue[int](env, 8)
	for _, n := range []int{3, 1, 4, 2} {
		env.Go(fmt.Sprint("sleeper ", n), func() {
			sleep(t, env, time.Duration(n)*time.Minute)
			put(t, q, n)
		})
	}
	for want := 1; want <= 4; want++ {
		if got := get(t, env, q); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func wakeRemembered(t *testing.T, env rt.Env) {
	w := env.NewWaiter()
	w.Wake()
	w.Wake()
	if err := w.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	if err := waitFor(env, w, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second wake was remembered: %v", err)
	}
}

func oneWakeOneWait(t *testing.T, env rt.Env) {
	w := env.NewWaiter()
	released := rt.NewQueue[int](env, 8)
	ctx, cancel := context.WithCancel(context.Background())
	for i := range 3 {
		env.Go(fmt.Sprint("waits ", i), func() {
			if w.Wait(ctx) == nil {
				put(t, released, i)
			}
		})
	}
	sleep(t, env, time.Second)
	for n := 1; n <= 3; n++ {
		w.Wake()
		get(t, env, released)
		sleep(t, env, time.Second)
		if released.Len() != 0 {
			t.Errorf("wake %d released more than one", n)
		}
	}
	cancel()
}

func tokenBeforeContext(t *testing.T, env rt.Env) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := env.NewWaiter()
	w.Wake()
	if err := w.Wait(ctx); err != nil {
		t.Errorf("first: %v", err)
	}
	if err := w.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("second: %v", err)
	}
}

func waitCancelled(t *testing.T, env rt.Env) {
	w := env.NewWaiter()
	ctx, cancel := context.WithCancel(context.Background())
	ended := rt.NewFuture[error](env)
	env.Go("waits", func() { ended.Set(w.Wait(ctx)) })
	sleep(t, env, time.Second)
	cancel()
	if err := await(t, env, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.Wake()
	if err := waitFor(env, w, time.Second); err != nil {
		t.Errorf("the wake went to the one that had left: %v", err)
	}
}

func timeoutEndsWait(t *testing.T, env rt.Env) {
	ctx, cancel := env.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	from := env.Now()
	if at, ok := ctx.Deadline(); !ok || at.Sub(from) > 6*time.Second || at.Sub(from) < 4*time.Second {
		t.Errorf("deadline %v, %v from now", at, at.Sub(from))
	}
	if err := env.NewWaiter().Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
	if took := env.Now().Sub(from); took < 4*time.Second || took > 6*time.Second {
		t.Errorf("ended after %v", took)
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("Err: %v", ctx.Err())
	}
	if !closed(ctx.Done()) {
		t.Error("Done is open")
	}
	now, cancelNow := env.WithTimeout(context.Background(), 0)
	defer cancelNow()
	if !errors.Is(now.Err(), context.DeadlineExceeded) {
		t.Errorf("no time at all: %v", now.Err())
	}
}

func timeoutsNest(t *testing.T, env rt.Env) {
	outer, cancelOuter := env.WithTimeout(context.Background(), 2*time.Second)
	defer cancelOuter()
	inner, cancelInner := env.WithTimeout(outer, time.Minute)
	defer cancelInner()
	outerAt, _ := outer.Deadline()
	if at, ok := inner.Deadline(); !ok || !at.Equal(outerAt) {
		t.Errorf("inner deadline %v, outer %v", at, outerAt)
	}
	from := env.Now()
	if err := env.Sleep(inner, patience); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := env.Now().Sub(from); took > 3*time.Second {
		t.Errorf("ended after %v", took)
	}
	short, cancelShort := env.WithTimeout(context.Background(), time.Minute)
	defer cancelShort()
	shorter, cancelShorter := env.WithTimeout(short, time.Second)
	defer cancelShorter()
	if err := env.Sleep(shorter, patience); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if short.Err() != nil {
		t.Errorf("the outer ended with the inner: %v", short.Err())
	}
}

func timeoutCancelled(t *testing.T, env rt.Env) {
	ctx, cancel := env.WithTimeout(context.Background(), time.Minute)
	child, cancelChild := env.WithTimeout(ctx, time.Second)
	defer cancelChild()
	cancel()
	cancel()
	for _, c := range []context.Context{ctx, child} {
		if !errors.Is(c.Err(), context.Canceled) || !closed(c.Done()) {
			t.Errorf("error %v", c.Err())
		}
	}
	late, cancelLate := env.WithTimeout(ctx, time.Second)
	defer cancelLate()
	if !errors.Is(late.Err(), context.Canceled) {
		t.Errorf("under an ended parent: %v", late.Err())
	}
}

type key struct{}

func derivedContexts(t *testing.T, env rt.Env) {
	ctx, cancel := env.WithTimeout(context.Background(), time.Second)
	defer cancel()
	derived, cancelDerived := context.WithCancel(context.WithValue(ctx, key{}, 1))
	defer cancelDerived()
	deeper, cancelDeeper := env.WithTimeout(derived, time.Hour)
	defer cancelDeeper()
	gone, cancelGone := context.WithCancel(ctx)
	cancelGone()
	if !errors.Is(gone.Err(), context.Canceled) || ctx.Err() != nil {
		t.Errorf("cancel of a derived one: %v, %v", gone.Err(), ctx.Err())
	}
	if err := env.Sleep(deeper, patience); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sleep: %v", err)
	}
	for i, c := range []context.Context{ctx, derived, deeper} {
		if !errors.Is(c.Err(), context.DeadlineExceeded) || !closed(c.Done()) {
			t.Errorf("context %d: %v", i, c.Err())
		}
	}
	now, cancelNow := env.WithTimeout(context.Background(), time.Hour)
	below, cancelBelow := context.WithCancel(now)
	defer cancelBelow()
	cancelNow()
	if !errors.Is(below.Err(), context.Canceled) {
		t.Errorf("the end is not passed on at once: %v", below.Err())
	}
}

func parentEnds(t *testing.T, env rt.Env) {
	parent, cancel := context.WithCancel(context.Background())
	ctx, cancelTimeout := env.WithTimeout(parent, patience)
	defer cancelTimeout()
	waits := rt.NewFuture[error](env)
	env.Go("waits", func() { waits.Set(env.NewWaiter().Wait(context.WithValue(ctx, key{}, 1))) })
	sleep(t, env, time.Second)
	from := env.Now()
	cancel()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("at once: %v", ctx.Err())
	}
	if err := await(t, env, waits); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	if took := env.Now().Sub(from); took > time.Minute {
		t.Errorf("ended after %v", took)
	}
}

func valuesPass(t *testing.T, env rt.Env) {
	ctx, cancel := env.WithTimeout(context.WithValue(context.Background(), key{}, "v"), time.Minute)
	defer cancel()
	if ctx.Value(key{}) != "v" {
		t.Error("lost")
	}
}

func queueOrder(t *testing.T, env rt.Env) {
	q := rt.NewQueue[int](env, 3)
	for i := range 3 {
		put(t, q, i)
	}
	if err := q.Put(9); !errors.Is(err, rt.ErrFull) {
		t.Errorf("full: %v", err)
	}
	if got := get(t, env, q); got != 0 {
		t.Errorf("got %d", got)
	}
	put(t, q, 3)
	q.Close()
	if err := q.Put(9); !errors.Is(err, rt.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	got, err := q.GetUpTo(context.Background(), 10, nil)
	if err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("got %v, %v", got, err)
	}
	for range 2 {
		if _, err := q.Get(context.Background()); !errors.Is(err, rt.ErrClosed) {
			t.Errorf("drained: %v", err)
		}
	}
}

func queueConsumers(t *testing.T, env rt.Env) {
	const items, consumers = 60, 3
	in, out := rt.NewQueue[int](env, items), rt.NewQueue[int](env, items)
	for i := range consumers {
		env.Go(fmt.Sprint("consumer ", i), func() {
			for {
				v, err := in.Get(context.Background())
				if err != nil {
					put(t, out, -1)
					return
				}
				put(t, out, v)
			}
		})
	}
	for i := range items {
		put(t, in, i)
		if i%7 == 0 {
			sleep(t, env, time.Millisecond)
		}
	}
	seen := make(map[int]bool)
	for range items {
		seen[get(t, env, out)] = true
	}
	if len(seen) != items {
		t.Errorf("%d different items of %d", len(seen), items)
	}
	in.Close()
	for range consumers {
		if v := get(t, env, out); v != -1 {
			t.Errorf("got %d, want the end of a consumer", v)
		}
	}
}

func queueCancelled(t *testing.T, env rt.Env) {
	q := rt.NewQueue[int](env, 1)
	ctx, cancel := env.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := q.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	put(t, q, 1)
	if v, err := q.Get(ctx); err != nil || v != 1 {
		t.Errorf("an item that is there needs no waiting: %d, %v", v, err)
	}
}

func futureReachesAll(t *testing.T, env rt.Env) {
	f := rt.NewFuture[string](env)
	got := rt.NewQueue[string](env, 8)
	for i := range 3 {
		env.Go(fmt.Sprint("reader ", i), func() {
			v, err := f.Get(context.Background())
			if err != nil {
				t.Error(err)
			}
			put(t, got, v)
		})
	}
	sleep(t, env, time.Second)
	if _, ok := f.Peek(); ok {
		t.Error("set before Set")
	}
	if !f.Set("a") || f.Set("b") {
		t.Error("Set does not hold the first value")
	}
	for range 3 {
		if v := get(t, env, got); v != "a" {
			t.Errorf("got %q", v)
		}
	}
	ctx, cancel := env.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := rt.NewFuture[int](env).Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("unset: %v", err)
	}
}

func topicNewest(t *testing.T, env rt.Env) {
	topic := rt.NewTopic(env, 0)
	last := rt.NewQueue[int](env, 8)
	const end = 50
	for i := range 2 {
		env.Go(fmt.Sprint("watcher ", i), func() {
			v, seq := topic.Load()
			for v != end {
				next, n, err := topic.After(context.Background(), seq)
				if err != nil || n <= seq || next <= v {
					t.Errorf("after %d (%d): %d (%d), %v", v, seq, next, n, err)
					return
				}
				v, seq = next, n
			}
			put(t, last, v)
		})
	}
	for i := 1; i <= end; i++ {
		topic.Set(i)
		if i%5 == 0 {
			sleep(t, env, time.Millisecond)
		}
	}
	for range 2 {
		get(t, env, last)
	}
	_, seq := topic.Load()
	ctx, cancel := env.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, n, err := topic.After(ctx, seq); !errors.Is(err, context.DeadlineExceeded) || n != seq {
		t.Errorf("no change: %d, %v", n, err)
	}
	if v, _, err := topic.After(context.Background(), 0); err != nil || v != end {
		t.Errorf("from the start: %d, %v", v, err)
	}
}

func randomness(t *testing.T, env rt.Env) {
	var a, b [16]byte
	for _, p := range [][]byte{a[:], b[:]} {
		if n, err := env.Rand().Read(p); n != len(p) || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	}
	if a == b || a == [16]byte{} {
		t.Error("the same twice")
	}
}

func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func sleep(t *testing.T, env rt.Env, d time.Duration) {
	t.Helper()
	if err := env.Sleep(context.Background(), d); err != nil {
		t.Error(err)
	}
}

func waitFor(env rt.Env, w rt.Waiter, d time.Duration) error {
	ctx, cancel := env.WithTimeout(context.Background(), d)
	defer cancel()
	return w.Wait(ctx)
}

func put[T any](t *testing.T, q *rt.Queue[T], v T) {
	t.Helper()
	if err := q.Put(v); err != nil {
		t.Error(err)
	}
}

func get[T any](t *testing.T, env rt.Env, q *rt.Queue[T]) T {
	t.Helper()
	ctx, cancel := env.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := q.Get(ctx)
	if err != nil {
		t.Error(err)
	}
	return v
}

func await[T any](t *testing.T, env rt.Env, f *rt.Future[T]) T {
	t.Helper()
	ctx, cancel := env.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := f.Get(ctx)
	if err != nil {
		t.Error(err)
	}
	return v
}
