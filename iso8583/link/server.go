package link

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"huika/rt"
)

// Defaults of ServerOptions.
const (
	DefaultMaxConns    = 1024
	DefaultMaxHandlers = 64
	DefaultIdleTimeout = 5 * time.Minute

	// DefaultFrameTimeout is for a handshake, and for the rest of a frame that has begun.
	DefaultFrameTimeout = 10 * time.Second

	// maxAcceptErrors in a row end Serve; the pause between them grows to acceptPauseMax.
	maxAcceptErrors = 16
	acceptPauseMin  = 5 * time.Millisecond
	acceptPauseMax  = time.Second
)

// ServerOptions say how a Server treats its connections.
type ServerOptions struct {
	MaxConns    int           // more are closed at once; 0: DefaultMaxConns
	MaxHandlers int           // frames of one connection under way; beyond it the connection is not read; 0: DefaultMaxHandlers
	IdleTimeout time.Duration // a connection without a frame for so long is closed; 0: DefaultIdleTimeout
	// FrameTimeout is for the TLS handshake, and for a frame from its first byte to
	// its last: who sends slower is not served; 0: DefaultFrameTimeout.
	FrameTimeout time.Duration
	WriteTimeout time.Duration // 0: DefaultWriteTimeout
	ReadBuffer   int           // bytes that every connection holds while it is idle; 0: readBuffer

	// Handle is called in a task of its own for each frame, which it owns. Its
	// context is Serve's: it does not end with the connection, because a payment
	// that was begun is carried on when the terminal hangs up.
	Handle func(ctx context.Context, c *Conn, frame []byte)
	// Closed hears why a connection ended. For logs; it must not wait. May be nil.
	Closed func(c *Conn, err error)
}

// ErrMaxConns is given to Closed for a connection that was refused.
var ErrMaxConns = errors.New("too many connections")

// Conn is one accepted connection.
type Conn struct {
	id   uint64
	conn net.Conn
	out  *writer
	once sync.Once

	slots rt.Waiter
	busy  atomic.Int64

	mu      sync.Mutex
	session any
}

// Send queues a frame. It never waits: nil, ErrFrame, ErrWindow or ErrDown.
func (c *Conn) Send(frame []byte) error { return c.out.put(frame) }

// Peer is the connection itself, for its addresses and TLS certificates; it must not be read or written.
func (c *Conn) Peer() net.Conn { return c.conn }

// ID numbers the connections of one Serve, from 1.
func (c *Conn) ID() uint64 { return c.id }

// SetSession keeps a value with the connection, such as who signed in over it.
func (c *Conn) SetSession(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = v
}

// Session is what SetSession kept, or nil.
func (c *Conn) Session() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Close ends the connection.
func (c *Conn) Close() {
	c.once.Do(func() {
		c.out.close()
		_ = c.conn.Close() // it is given up either way
	})
}

// server is one Serve under way.
type server struct {
	env rt.Env
	opt ServerOptions
	ctx context.Context

	mu    sync.Mutex
	conns []*Conn // in the order of their arrival
	tasks int     // all tasks of connections and handlers
	next  uint64
	shut  bool
	idle  rt.Waiter // woken when tasks falls to 0

	workers *workers
}

// Serve accepts connections from ln, which it closes in the end, until ctx ends
// (then it returns nil) or accepting fails for good. It returns when every
// connection is closed and every handler has returned.
func Serve(ctx context.Context, env rt.Env, ln net.Listener, opt ServerOptions) error {
	if opt.Handle == nil {
		panic("link: Serve without Handle")
	}
	if opt.MaxConns == 0 {
		opt.MaxConns = DefaultMaxConns
	}
	if opt.MaxHandlers == 0 {
		opt.MaxHandlers = DefaultMaxHandlers
	}
	if opt.IdleTimeout == 0 {
		opt.IdleTimeout = DefaultIdleTimeout
	}
	if opt.FrameTimeout == 0 {
		opt.FrameTimeout = DefaultFrameTimeout
	}
	if opt.WriteTimeout == 0 {
		opt.WriteTimeout = DefaultWriteTimeout
	}
	if opt.ReadBuffer == 0 {
		opt.ReadBuffer = readBuffer
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{env: env, opt: opt, ctx: ctx, idle: env.NewWaiter()}
	s.workers = newWorkers(s)
	s.task("link stop", func() { // a blocked Accept or Read ends only when its socket closes
		if err := env.NewWaiter().Wait(ctx); err != nil {
			_ = ln.Close() // Serve is ending; a second close is harmless
			s.closeAll()
		}
	})
	err := s.accept(ln)
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	return errors.Join(err, s.drain())
}

// task runs f and counts it until it returns.
func (s *server) task(name string, f func()) {
	s.mu.Lock()
	s.tasks++
	s.mu.Unlock()
	s.env.Go(name, func() {
		defer func() {
			s.mu.Lock()
			s.tasks--
			last := s.tasks == 0
			s.mu.Unlock()
			if last {
				s.idle.Wake()
			}
		}()
		f()
	})
}

func (s *server) drain() error {
	rest := context.WithoutCancel(s.ctx) // the tasks end by themselves: all sockets are closed
	for {
		s.mu.Lock()
		n := s.tasks
		s.mu.Unlock()
		if n == 0 {
			return nil
		}
		if err := s.idle.Wait(rest); err != nil {
			return err
		}
	}
}

func (s *server) closeAll() {
	s.mu.Lock()
	s.shut = true
	conns := append([]*Conn(nil), s.conns...)
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func (s *server) accept(ln net.Listener) error {
	failures, pause := 0, acceptPauseMin
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			failures, pause = 0, acceptPauseMin
			s.start(conn)
			continue
		case s.ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("link: %w", err)
		}
		if failures++; failures >= maxAcceptErrors {
			return fmt.Errorf("link: accepting failed %d times in a row: %w", failures, err)
		}
		if s.env.Sleep(s.ctx, pause) != nil {
			return nil // only ctx ends a sleep early
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

func (s *server) start(conn net.Conn) {
	c := &Conn{conn: conn, out: newWriter(s.env, conn, s.opt.WriteTimeout), slots: s.env.NewWaiter()}
	s.mu.Lock()
	s.next++
	c.id = s.next
	full, shut := len(s.conns) >= s.opt.MaxConns, s.shut
	if !full && !shut {
		s.conns = append(s.conns, c)
	}
	s.mu.Unlock()
	if full || shut {
		c.Close()
		s.closed(c, ErrMaxConns)
		return
	}
	s.task("link writer", func() {
		if err := c.out.run(s.ctx); err != nil {
			c.Close() // the reader ends with it and reports
		}
	})
	s.task("link reader", func() {
		err := s.read(c)
		c.Close()
		s.mu.Lock()
		for i, x := range s.conns {
			if x == c {
				s.conns = append(s.conns[:i], s.conns[i+1:]...)
				break
			}
		}
		s.mu.Unlock()
		s.closed(c, err)
	})
}

func (s *server) closed(c *Conn, err error) {
	if s.opt.Closed != nil {
		s.opt.Closed(c, err)
	}
}

// handshake ends the TLS handshake where there is one, however the connection is wrapped.
func (s *server) handshake(c *Conn) error {
	if err := c.conn.SetReadDeadline(s.env.Now().Add(s.opt.FrameTimeout)); err != nil {
		return err
	}
	for at := c.conn; ; {
		if secure, ok := at.(interface{ HandshakeContext(context.Context) error }); ok {
			return secure.HandshakeContext(s.ctx)
		}
		inner, ok := at.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		at = inner.NetConn()
	}
}

// whole reports whether a frame has come to its end: it need not be waited for,
// whatever has become of the connection meanwhile.
func whole(r *bufio.Reader) bool {
	n := r.Buffered()
	if n < prefixSize {
		return false
	}
	head, err := r.Peek(prefixSize) // it is buffered
	return err == nil && n-prefixSize >= int(binary.BigEndian.Uint16(head))
}

func (s *server) read(c *Conn) error {
	if err := s.handshake(c); err != nil {
		return err
	}
	r := bufio.NewReaderSize(c.conn, s.opt.ReadBuffer)
	for {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if r.Buffered() == 0 {
			if err := c.conn.SetReadDeadline(s.env.Now().Add(s.opt.IdleTimeout)); err != nil {
				return err
			}
			if _, err := r.Peek(1); err != nil {
				return err
			}
		}
		if !whole(r) {
			if err := c.conn.SetReadDeadline(s.env.Now().Add(s.opt.FrameTimeout)); err != nil {
				return err
			}
		}
		frame, err := ReadFrame(r, nil)
		if err != nil {
			return err
		}
		for c.busy.Load() >= int64(s.opt.MaxHandlers) {
			if err := c.slots.Wait(s.ctx); err != nil {
				return err
			}
		}
		c.busy.Add(1)
		s.workers.give(c, frame)
	}
}
