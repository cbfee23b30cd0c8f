package rt

import (
	"context"
	"sync"
)

// Queue is a bounded first-in first-out queue between tasks. Put never waits.
type Queue[T any] struct {
	mu     sync.Mutex
	items  []T
	head   int
	count  int
	closed bool
	ready  Waiter
}

// NewQueue makes a queue with room for size items.
func NewQueue[T any](env Env, size int) *Queue[T] {
	if size < 1 {
		panic("rt: queue without room")
	}
	return &Queue[T]{items: make([]T, size), ready: env.NewWaiter()}
}

// Put adds v, or returns ErrFull or ErrClosed at once.
func (q *Queue[T]) Put(v T) error {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrClosed
	case q.count == len(q.items):
		q.mu.Unlock()
		return ErrFull
	}
	q.items[(q.head+q.count)%len(q.items)] = v
	q.count++
	q.mu.Unlock()
	q.ready.Wake()
	return nil
}

// Get takes the oldest item; it waits while there is none. After Close it
// drains what is left and then returns ErrClosed.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	got, err := q.GetUpTo(ctx, 1, nil)
	if err != nil {
		var zero T
		return zero, err
	}
	return got[0], nil
}

// GetUpTo waits for one item and appends it, and whatever else is queued, to
// buf: at most limit items. It never waits for more than the first.
func (q *Queue[T]) GetUpTo(ctx context.Context, limit int, buf []T) ([]T, error) {
	for {
		q.mu.Lock()
		if q.count > 0 {
			var zero T
			for n := 0; n < limit && q.count > 0; n++ {
				buf = append(buf, q.items[q.head])
				q.items[q.head] = zero
				q.head = (q.head + 1) % len(q.items)
				q.count--
			}
			more := q.count > 0 || q.closed
			q.mu.Unlock()
			if more {
				q.ready.Wake() // pass the turn on to another consumer
			}
			return buf, nil
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			q.ready.Wake()
			return buf, ErrClosed
		}
		if err := q.ready.Wait(ctx); err != nil {
			return buf, err
		}
	}
}

// Len is the number of items waiting.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// Close refuses further items and releases whoever waits.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ready.Wake()
}
