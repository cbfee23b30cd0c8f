package link

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"huika/rt"
)

// MaxPending is how many bytes may wait for a peer that does not read.
const MaxPending = 256 << 10

// writer gathers frames and writes whatever has gathered in one Write, from one
// task: under load a system call carries many messages, without any timer.
type writer struct {
	env     rt.Env
	conn    net.Conn
	timeout time.Duration // for one Write; beyond it the peer counts as dead

	mu      sync.Mutex
	pending []byte
	closed  bool
	ready   rt.Waiter
}

func newWriter(env rt.Env, conn net.Conn, timeout time.Duration) *writer {
	return &writer{env: env, conn: conn, timeout: timeout, ready: env.NewWaiter()}
}

// put queues one frame without waiting: nil, ErrFrame, ErrWindow or ErrDown.
func (w *writer) put(frame []byte) error {
	if err := CheckFrame(frame); err != nil {
		return err
	}
	w.mu.Lock()
	switch {
	case w.closed:
		w.mu.Unlock()
		return ErrDown
	case len(w.pending)+2+len(frame) > MaxPending:
		w.mu.Unlock()
		return ErrWindow
	}
	w.pending = AppendFrame(w.pending, frame)
	w.mu.Unlock()
	w.ready.Wake()
	return nil
}

// run writes until the writer is closed or a write fails. What is pending when
// it is closed is not written: the calls it belongs to have failed.
func (w *writer) run(ctx context.Context) error {
	var spare []byte
	for {
		w.mu.Lock()
		batch, closed := w.pending, w.closed
		if len(batch) > 0 {
			w.pending = spare[:0]
		}
		w.mu.Unlock()
		if closed {
			return nil
		}
		if len(batch) == 0 {
			if err := w.ready.Wait(ctx); err != nil {
				return err
			}
			continue
		}
		if err := w.conn.SetWriteDeadline(w.env.Now().Add(w.timeout)); err != nil {
			return fmt.Errorf("link: %w", err)
		}
		_, err := w.conn.Write(batch)
		clear(batch) // frames carry card data
		if err != nil {
			return fmt.Errorf("link: %w", err)
		}
		spare = batch
	}
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	clear(w.pending)
	w.mu.Unlock()
	w.ready.Wake()
}
