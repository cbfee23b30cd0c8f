// Package rt is the seam between Huika and the machine: time, tasks, waiting,
// randomness and the network. Everything that waits, in terminal, acquirer,
// world and nfc, waits through it; Real is the machine itself, and package sim
// has a seeded scheduler that runs one task at a time in the same interface.
//
// It is not for codecs and kernels: those take clock, randomness and I/O as
// plain arguments.
package rt

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// Env is what a task may ask of the machine.
type Env interface {
	// Now is the current time.
	Now() time.Time
	// Sleep waits for d, or returns the context's error.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is context.WithTimeout on this Env's clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	// Go starts a task. The name shows in the simulator's history.
	Go(name string, f func())
	// Rand is the source of randomness: the operating system's, or a seeded one in the simulation.
	Rand() io.Reader
	// Dial connects to host:port, or to unix:path.
	Dial(ctx context.Context, addr string) (net.Conn, error)
	// Listen listens on host:port (port 0: any), or on unix:path.
	Listen(addr string) (net.Listener, error)
	// NewWaiter makes a place where one task waits for another.
	NewWaiter() Waiter
}

// Waiter is the only way one task waits for another: a binary semaphore. A
// Wake with nobody waiting is remembered once; one Wake releases one Wait.
type Waiter interface {
	// Wait returns nil after a Wake, or the context's error.
	Wait(ctx context.Context) error
	// Wake never blocks.
	Wake()
}

// ErrFull says that a bounded queue has no room. Nothing was taken.
var ErrFull = errors.New("queue full")

// ErrClosed says that the queue was closed and is empty.
var ErrClosed = errors.New("queue closed")
