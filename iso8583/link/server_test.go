package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"huika/iso8583/link"
	"huika/rt"
)

// pipes is a listener and a dialler over net.Pipe, for tests on a fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	fail   atomic.Int64 // so many Accepts fail first
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	if p.fail.Add(-1) >= 0 {
		return nil, errors.New("no file descriptors")
	}
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, errors.New("refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func serve(ctx context.Context, p *pipes, opt link.ServerOptions) chan error {
	done := make(chan error, 1)
	go func() { done <- link.Serve(ctx, rt.Real(), p, opt) }()
	return done
}

func send(t *testing.T, c net.Conn, frame string) {
	t.Helper()
	if _, err := c.Write(link.AppendFrame(nil, []byte(frame))); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, p *pipes) net.Conn {
	t.Helper()
	c, err := p.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// gone asserts that the peer has closed the connection.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is not closed: %v", err)
	}
}

func TestServerBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		var busy, most atomic.Int64
		var ended []string
		done := serve(ctx, p, link.ServerOptions{
			MaxConns: 2, MaxHandlers: 3, IdleTimeout: time.Minute,
			Handle: func(ctx context.Context, c *link.Conn, f []byte) {
				most.Store(max(most.Load(), busy.Add(1)))
				defer busy.Add(-1)
				if err := rt.Real().Sleep(ctx, time.Second); err != nil {
					t.Error(err)
				}
				if err := c.Send(f); err != nil {
					t.Error(err)
				}
			},
			Closed: func(c *link.Conn, err error) { ended = append(ended, fmt.Sprintf("%d: %v", c.ID(), err)) },
		})
		a, b := dial(t, p), dial(t, p)
		refused := dial(t, p)
		gone(t, refused)
		synctest.Wait()
		if fmt.Sprint(ended) != "[3: too many connections]" {
			t.Errorf("ended: %v", ended)
		}
		go func() {
			for i := range 10 {
				send(t, a, fmt.Sprint(i))
			}
		}()
		began := time.Now()
		// b is served at once although a has more under way than it may.
		time.Sleep(time.Millisecond)
		send(t, b, "other")
		if f, err := link.ReadFrame(b, nil); err != nil || string(f) != "other" {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 1100*time.Millisecond {
			t.Errorf("a slow peer held up another for %v", waited)
		}
		for range 10 {
			if _, err := link.ReadFrame(a, nil); err != nil {
				t.Fatal(err)
			}
		}
		if most.Load() != 4 { // three of a, one of b
			t.Errorf("%d handlers at once", most.Load())
		}
		// Both fall silent: each is closed a minute after its last frame.
		began = time.Now()
		gone(t, b)
		gone(t, a)
		if waited := time.Since(began); waited > time.Minute {
			t.Errorf("idle connections closed after %v", waited)
		}
		c := dial(t, p) // their places are free again
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		gone(t, c)
	})
}

// The handler of a payment goes on when its terminal hangs up, and Serve waits for it.
func TestHandlerOutlivesConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p, began := newPipes(), time.Now()
		var finished error = errors.New("not yet")
		done := serve(ctx, p, link.ServerOptions{Handle: func(ctx context.Context, c *link.Conn, f []byte) {
			c.SetSession("signed in")
			if err := rt.Real().Sleep(ctx, 30*time.Second); err != nil {
				t.Errorf("the handler's context ended with %v", err)
			}
			if c.Session() != "signed in" || c.Peer() == nil {
				t.Error("the session is lost")
			}
			finished = c.Send(f)
			<-ctx.Done()
			time.Sleep(5 * time.Second)
		}})
		a := dial(t, p)
		send(t, a, "sale")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if !errors.Is(finished, link.ErrDown) {
			t.Errorf("sending to a closed connection: %v", finished)
		}
		cancel()
		if err := <-done; err != nil || time.Since(began) != 45*time.Second {
			t.Errorf("Serve returned %v after %v", err, time.Since(began))
		}
	})
}

func TestServerBadFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		why := make(chan error, 1)
		done := serve(ctx, p, link.ServerOptions{
			Handle: func(context.Context, *link.Conn, []byte) { t.Error("handled") },
			Closed: func(_ *link.Conn, err error) { why <- err },
		})
		a := dial(t, p)
		if _, err := a.Write([]byte{0xFF, 0xFF}); err != nil {
			t.Fatal(err)
		}
		gone(t, a)
		if err := <-why; !errors.Is(err, link.ErrFrame) {
			t.Error(err)
		}
		cancel()
		<-done
	})
}

func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		p.fail.Store(10)
		done := serve(ctx, p, link.ServerOptions{Handle: func(_ context.Context, c *link.Conn, f []byte) {
			if err := c.Send(f); err != nil {
				t.Error(err)
			}
		}})
		a := dial(t, p) // served after ten failures with growing pauses
		send(t, a, "x")
		if _, err := link.ReadFrame(a, nil); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p = newPipes()
		p.fail.Store(1000)
		if err := <-serve(t.Context(), p, link.ServerOptions{Handle: func(context.Context, *link.Conn, []byte) {}}); err == nil {
			t.Error("accepting fails for good and Serve says nothing")
		}
		p = newPipes()
		done = serve(t.Context(), p, link.ServerOptions{Handle: func(context.Context, *link.Conn, []byte) {}})
		synctest.Wait()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("listener closed by somebody else: %v", err)
		}
	})
}

// A frame that drips in, and a connection that never says a word, each have
// their time; what comes whole is served meanwhile.
func TestSlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		done := serve(ctx, p, link.ServerOptions{
			IdleTimeout: time.Minute, FrameTimeout: 5 * time.Second,
			Handle: func(_ context.Context, c *link.Conn, f []byte) {
				if err := c.Send(f); err != nil {
					t.Error(err)
				}
			},
		})
		slow, good := dial(t, p), dial(t, p)
		began, died := time.Now(), make(chan time.Duration, 1)
		go func() {
			for _, b := range link.AppendFrame(nil, []byte("a frame of twenty byte")) {
				if _, err := slow.Write([]byte{b}); err != nil {
					died <- time.Since(began)
					return
				}
				time.Sleep(time.Second)
			}
		}()
		for range 3 {
			time.Sleep(20 * time.Second) // longer than a frame may take: between frames that is allowed
			send(t, good, "whole")
			if f, err := link.ReadFrame(good, nil); err != nil || string(f) != "whole" {
				t.Fatal(err)
			}
		}
		if waited := <-died; waited < 5*time.Second || waited > 6*time.Second {
			t.Errorf("a frame that dripped in was given %v", waited)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
