// Package outage lets a stand-in of package world fail on command: refuse
// connections, answer late, lose answers. Demo buttons and tests press it.
//
// It is not the simulator's network, whose faults come from a seed.
package outage

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Switch is the faults of one stand-in. The zero value is healthy; any task may call it.
type Switch struct {
	delay atomic.Int64
	drop  atomic.Int64

	mu    sync.Mutex
	down  bool
	conns []*conn
}

// SetDelay holds every answer back for d from now on.
func (s *Switch) SetDelay(d time.Duration) { s.delay.Store(int64(d)) }

// Delay is how long answers are held back.
func (s *Switch) Delay() time.Duration { return time.Duration(s.delay.Load()) }

// Drop loses the next n answers; what they answer has taken effect.
func (s *Switch) Drop(n int) { s.drop.Store(int64(n)) }

// TakeDrop reports whether the answer at hand is to be lost.
func (s *Switch) TakeDrop() bool {
	for {
		n := s.drop.Load()
		if n <= 0 {
			return false
		}
		if s.drop.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// SetDown cuts all connections and closes new ones at once, until it is called with false.
func (s *Switch) SetDown(down bool) {
	s.mu.Lock()
	s.down = down
	var cut []*conn
	if down {
		cut = append(cut, s.conns...)
	}
	s.mu.Unlock()
	for _, c := range cut {
		_ = c.Close() // the peer sees the cut; there is nobody to tell about a close that failed
	}
}

// Down reports whether the stand-in is down.
func (s *Switch) Down() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Listen puts the switch between ln and whoever accepts from it.
func (s *Switch) Listen(ln net.Listener) net.Listener { return &listener{ln, s} }

type listener struct {
	net.Listener
	s *Switch
}

// Accept waits for a connection while the switch is not down.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.s.admit(raw); c != nil {
			return c, nil
		}
		_ = raw.Close() // refused; see SetDown
	}
}

func (s *Switch) admit(raw net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil
	}
	c := &conn{Conn: raw, s: s}
	s.conns = append(s.conns, c)
	return c
}

// conn is a connection that the switch can cut.
type conn struct {
	net.Conn
	s *Switch
}

// NetConn is the connection underneath, for who needs its TLS state.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close closes the connection and forgets it.
func (c *conn) Close() error {
	c.s.mu.Lock()
	for i, x := range c.s.conns {
		if x == c {
			c.s.conns = append(c.s.conns[:i], c.s.conns[i+1:]...)
			break
		}
	}
	c.s.mu.Unlock()
	return c.Conn.Close()
}
