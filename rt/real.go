package rt

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"strings"
	"time"
)

type real struct{ dialer net.Dialer }

// Real is the machine itself.
func Real() Env { return &real{} }

// IsReal reports whether e is the machine itself, not a simulated one.
func IsReal(e Env) bool {
	_, ok := e.(*real)
	return ok
}

func (*real) Now() time.Time { return time.Now() }

func (*real) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (*real) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (*real) Go(_ string, f func()) { go f() }

func (*real) Rand() io.Reader { return rand.Reader }

func split(addr string) (network, address string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", path
	}
	return "tcp", addr
}

func (r *real) Dial(ctx context.Context, addr string) (net.Conn, error) {
	network, address := split(addr)
	return r.dialer.DialContext(ctx, network, address)
}

func (*real) Listen(addr string) (net.Listener, error) {
	network, address := split(addr)
	return net.Listen(network, address)
}

func (*real) NewWaiter() Waiter { return make(waiter, 1) }

type waiter chan struct{}

func (w waiter) Wait(ctx context.Context) error {
	select {
	case <-w:
		return nil
	default:
	}
	select {
	case <-w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w waiter) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}
