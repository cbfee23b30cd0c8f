package link

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"huika/rt"
)

// Defaults of ClientOptions.
const (
	DefaultMinBackoff  = 100 * time.Millisecond
	DefaultMaxBackoff  = 10 * time.Second
	DefaultDialTimeout = 10 * time.Second
	DefaultUpTimeout   = 15 * time.Second
)

// ClientOptions say where a Client connects and what makes a connection usable.
type ClientOptions struct {
	Name string // of the tasks, and in errors
	Dial func(ctx context.Context) (net.Conn, error)
	Mux  MuxOptions

	// OnUp signs on over the new connection before anybody else may use it. An
	// error closes the connection and counts as a failed attempt. May be nil.
	OnUp func(ctx context.Context, m *Mux) error
	// OnDown hears why an attempt failed or a connection ended, with the pause
	// before the next attempt. For logs; it must not wait. May be nil.
	OnDown func(err error, pause time.Duration)

	MinBackoff, MaxBackoff time.Duration // pauses between attempts: doubled, capped, with up to a quarter added at random
	DialTimeout, UpTimeout time.Duration // for Dial and for OnUp
}

// Client keeps one connection up. Calls while it is down fail at once.
type Client struct {
	env rt.Env
	opt ClientOptions
	up  *rt.Topic[bool]

	mu  sync.Mutex
	mux *Mux // nil while down
}

// NewClient makes a client that is down until Run.
func NewClient(env rt.Env, opt ClientOptions) *Client {
	if opt.Dial == nil {
		panic("link: Client without Dial")
	}
	for _, d := range []struct {
		at       *time.Duration
		fallback time.Duration
	}{
		{&opt.MinBackoff, DefaultMinBackoff}, {&opt.MaxBackoff, DefaultMaxBackoff},
		{&opt.DialTimeout, DefaultDialTimeout}, {&opt.UpTimeout, DefaultUpTimeout},
	} {
		if *d.at == 0 {
			*d.at = d.fallback
		}
	}
	return &Client{env: env, opt: opt, up: rt.NewTopic(env, false)}
}

// Run connects, and connects again, until ctx ends; it returns the context's error.
func (c *Client) Run(ctx context.Context) error {
	pause := c.opt.MinBackoff
	for {
		signedOn, err := c.once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if signedOn {
			pause = c.opt.MinBackoff
		}
		wait := c.jitter(pause)
		if c.opt.OnDown != nil {
			c.opt.OnDown(fmt.Errorf("%s: %w", c.opt.Name, err), wait)
		}
		if err := c.env.Sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, c.opt.MaxBackoff)
	}
}

// jitter adds up to a quarter, so that many terminals don't come back in one moment.
func (c *Client) jitter(d time.Duration) time.Duration {
	var b [1]byte
	if _, err := io.ReadFull(c.env.Rand(), b[:]); err != nil {
		return d // without randomness the plain pause is right too
	}
	return d + d/4*time.Duration(b[0])/255
}

// once makes one connection and returns when it has ended.
func (c *Client) once(ctx context.Context) (signedOn bool, err error) {
	dialCtx, cancel := c.env.WithTimeout(ctx, c.opt.DialTimeout)
	conn, err := c.opt.Dial(dialCtx)
	cancel()
	if err != nil {
		return false, fmt.Errorf("dial: %w", err)
	}
	m := NewMux(c.env, conn, c.opt.Mux)
	m.onDown = func() { c.unset(m) }
	ended := rt.NewFuture[error](c.env)
	c.env.Go(c.opt.Name+" link", func() { ended.Set(m.Run(ctx)) })
	wait := func() error { // Run ends by itself once the connection is closed
		why, err := ended.Get(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		return why
	}
	if c.opt.OnUp != nil {
		upCtx, cancel := c.env.WithTimeout(ctx, c.opt.UpTimeout)
		err = c.opt.OnUp(upCtx, m)
		cancel()
		if err != nil {
			m.Close()
			return false, fmt.Errorf("sign-on: %w (%w)", err, wait())
		}
	}
	c.mu.Lock()
	c.mux = m
	c.up.Set(true)
	c.mu.Unlock()
	err = wait()
	c.unset(m) // where the connection fell before it was taken into use
	return true, err
}

// unset takes a connection out of use. Whoever gets ErrDown from a call finds
// the client down already, or up again over another connection.
func (c *Client) unset(m *Mux) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mux == m {
		c.mux = nil
		c.up.Set(false)
	}
}

func (c *Client) current() (*Mux, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mux == nil {
		return nil, fmt.Errorf("%w: %w: %s is not connected", ErrNotSent, ErrDown, c.opt.Name)
	}
	return c.mux, nil
}

// Call is Mux.Call on the connection that is up, or ErrDown with ErrNotSent at once.
func (c *Client) Call(ctx context.Context, key string, frame []byte) ([]byte, error) {
	m, err := c.current()
	if err != nil {
		return nil, err
	}
	return m.Call(ctx, key, frame)
}

// Send is Mux.Send on the connection that is up, or ErrDown with ErrNotSent at once.
func (c *Client) Send(frame []byte) error {
	m, err := c.current()
	if err != nil {
		return err
	}
	return m.Send(frame)
}

// Up reports whether a connection is up and signed on.
func (c *Client) Up() bool {
	up, _ := c.up.Load()
	return up
}

// Watch gives the state to whoever follows it: true is up.
func (c *Client) Watch() *rt.Topic[bool] { return c.up }

// WaitUp waits until a connection is up, or returns the context's error.
func (c *Client) WaitUp(ctx context.Context) error {
	up, seq := c.up.Load()
	for !up {
		var err error
		if up, seq, err = c.up.After(ctx, seq); err != nil {
			return err
		}
	}
	return nil
}

// Drop closes the connection that is up; Run dials again.
func (c *Client) Drop() {
	if m, err := c.current(); err == nil { // already down: nothing to drop
		m.Close()
	}
}
