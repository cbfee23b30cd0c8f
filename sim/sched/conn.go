package sched

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	env           *env
	faults        *Faults
	local, remote net.Addr
	peer          *conn
	spot          int // index in network.conns

	in     pipe   // what is on its way to this end
	unread []byte // what has arrived
	eof    bool   // the peer closed, and everything has arrived
	reset  bool   // the connection is broken
	closed bool   // here

	reading, writing waitQueue
	readBy, writeBy  deadline
	frames           framer // of what is written here
}

func newConn(e *env, f *Faults, local, remote net.Addr) *conn {
	w := e.w
	c := &conn{env: e, faults: f, local: local, remote: remote, spot: len(w.net.conns)}
	c.in = pipe{w: w, to: c}
	c.in.timer.fire = c.in.deliver
	c.readBy.init(e, &c.reading)
	c.writeBy.init(e, &c.writing)
	w.net.conns = append(w.net.conns, c)
	return c
}

// forget takes the end out of the network's list.
func (c *conn) forget() {
	n := &c.env.w.net
	last := len(n.conns) - 1
	n.conns[c.spot] = n.conns[last]
	n.conns[c.spot].spot = c.spot
	n.conns[last] = nil
	n.conns = n.conns[:last]
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

func (c *conn) Read(p []byte) (int, error) {
	w := c.env.w
	for passed := false; ; {
		t, err := c.env.enter()
		switch {
		case err != nil:
			return 0, c.fault("read", err)
		case c.closed:
			return 0, c.fault("read", net.ErrClosed)
		case c.readBy.passed:
			if !passed {
				passed = true
				w.pass(t)
				continue
			}
			return 0, c.fault("read", os.ErrDeadlineExceeded)
		case len(c.unread) > 0 || len(p) == 0:
			if !passed {
				passed = true
				w.pass(t)
				continue
			}
			n := copy(p, c.unread)
			c.unread = c.unread[n:]
			if len(c.unread) == 0 {
				c.unread = nil
			}
			c.in.held -= n
			c.peer.writing.releaseAll(w)
			return n, nil
		case c.reset:
			return 0, c.fault("read", syscall.ECONNRESET)
		case c.eof:
			return 0, io.EOF
		}
		passed = true
		c.reading.add(t)
		if err := w.park(t, inRead); err != nil {
			return 0, c.fault("read", err)
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	w := c.env.w
	out := &c.peer.in
	for passed := false; ; {
		t, err := c.env.enter()
		switch {
		case err != nil:
			return 0, c.fault("write", err)
		case c.closed:
			return 0, c.fault("write", net.ErrClosed)
		case c.reset:
			return 0, c.fault("write", syscall.EPIPE)
		case c.writeBy.passed:
			return 0, c.fault("write", os.ErrDeadlineExceeded)
		case !passed:
			passed = true
			w.pass(t)
			continue
		case out.held == 0 || out.held+len(p) <= MaxInFlight:
			w.hist.add(w, t, evWrite, "", len(p))
			c.send(p)
			return len(p), nil
		}
		c.writing.add(t)
		if err := w.park(t, inWrite); err != nil {
			return 0, c.fault("write", err)
		}
	}
}

// Close lets what was written arrive, and then the end of it.
func (c *conn) Close() error {
	w := c.env.w
	switch {
	case c.env.dead || w.cur != nil && w.cur.killed:
		return c.fault("close", ErrCrashed)
	case c.closed:
		return c.fault("close", net.ErrClosed)
	}
	if rest := c.frames.rest(); len(rest) > 0 {
		c.peer.in.push(rest, c.latency())
	}
	c.shut()
	if len(c.unread) > 0 {
		c.peer.in.end(segReset, c.latency()) // as TCP does: something was not read
	} else {
		c.peer.in.end(segFin, c.latency())
	}
	return nil
}

// shut makes this end unusable, without a word to the other.
func (c *conn) shut() {
	c.closed = true
	c.readBy.stop()
	c.writeBy.stop()
	c.in.stop()
	c.forget()
	c.reading.releaseAll(c.env.w)
	c.writing.releaseAll(c.env.w)
	c.peer.writing.releaseAll(c.env.w)
}

// die is the end of a crashed machine: part of what was on its way is lost.
func (c *conn) die() {
	c.shut()
	c.peer.in.tear()
}

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.setDeadline(&c.readBy, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeBy, t) }

func (c *conn) setDeadline(d *deadline, t time.Time) error {
	w := c.env.w
	switch {
	case c.env.dead || w.cur != nil && w.cur.killed:
		return c.fault("set", ErrCrashed)
	case c.closed:
		return c.fault("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}

// deadline ends the waits of a queue at a time.
type deadline struct {
	e      *env
	queue  *waitQueue
	timer  timer
	passed bool
}

func (d *deadline) init(e *env, q *waitQueue) {
	d.e, d.queue = e, q
	d.timer.index = -1
	d.timer.fire = func() {
		d.passed = true
		d.queue.releaseAll(e.w)
	}
}

func (d *deadline) set(t time.Time) {
	d.stop()
	if t.IsZero() {
		return
	}
	w := d.e.w
	d.timer.at = w.now + t.Sub(d.e.Now())
	if d.timer.at <= w.now {
		d.timer.fire()
		return
	}
	w.timers.add(&d.timer)
}

func (d *deadline) stop() {
	d.passed = false
	d.e.w.timers.remove(&d.timer)
}
