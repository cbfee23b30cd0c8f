package rt

import (
	"context"
	"sync"
)

// Future is a value that one task sets once and any number of tasks wait for.
type Future[T any] struct {
	mu    sync.Mutex
	value T
	set   bool
	ready Waiter
}

// NewFuture makes an unset future.
func NewFuture[T any](env Env) *Future[T] { return &Future[T]{ready: env.NewWaiter()} }

// Set gives the value; it reports false, and changes nothing, where one was set before.
func (f *Future[T]) Set(v T) bool {
	f.mu.Lock()
	if f.set {
		f.mu.Unlock()
		return false
	}
	f.value, f.set = v, true
	f.mu.Unlock()
	f.ready.Wake()
	return true
}

// Get waits for the value, or returns the context's error.
func (f *Future[T]) Get(ctx context.Context) (T, error) {
	for {
		if v, ok := f.Peek(); ok {
			f.ready.Wake() // the next waiter's turn
			return v, nil
		}
		if err := f.ready.Wait(ctx); err != nil {
			var zero T
			return zero, err
		}
	}
}

// Peek is the value, if it is set.
func (f *Future[T]) Peek() (T, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.value, f.set
}

// Topic is a value that changes and that any number of tasks watch. Each
// change has a number; a watcher that is slow sees the newest value, not each.
type Topic[T any] struct {
	env      Env
	mu       sync.Mutex
	value    T
	seq      uint64
	watchers []Waiter
}

// NewTopic makes a topic with a first value, numbered 1.
func NewTopic[T any](env Env, v T) *Topic[T] { return &Topic[T]{env: env, value: v, seq: 1} }

// Set replaces the value and wakes every watcher.
func (t *Topic[T]) Set(v T) {
	t.mu.Lock()
	t.value = v
	t.seq++
	woken := t.watchers
	t.watchers = nil
	t.mu.Unlock()
	for _, w := range woken {
		w.Wake()
	}
}

// Load is the newest value and its number.
func (t *Topic[T]) Load() (T, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.value, t.seq
}

// After waits for a value numbered above seq, or returns the context's error.
func (t *Topic[T]) After(ctx context.Context, seq uint64) (T, uint64, error) {
	w := t.env.NewWaiter()
	for {
		t.mu.Lock()
		if t.seq > seq {
			v, n := t.value, t.seq
			t.mu.Unlock()
			return v, n, nil
		}
		t.watchers = append(t.watchers, w)
		t.mu.Unlock()
		if err := w.Wait(ctx); err != nil {
			t.forget(w)
			var zero T
			return zero, seq, err
		}
	}
}

func (t *Topic[T]) forget(w Waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, x := range t.watchers {
		if x == w {
			t.watchers = append(t.watchers[:i], t.watchers[i+1:]...)
			return
		}
	}
}
