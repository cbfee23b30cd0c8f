package sched

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of the network.
const (
	// MaxInFlight is how many bytes one direction of a connection holds, on the way or unread, before Write waits.
	MaxInFlight = 256 << 10
	// MaxBacklog is how many connections wait for an Accept before dials are refused.
	MaxBacklog = 128
	// DialPatience is how long a dial over a partition waits.
	DialPatience = 2 * time.Minute
	firstPort    = 20000 // given to listeners that ask for port 0, and to dialers
	lastPort     = 65000
)

// network is every listener and connection of a world.
type network struct {
	w         *World
	listeners map[string]*listener
	conns     []*conn // open ends, in the order of their making
	faults    map[string]*Faults
	apart     map[pair]bool
	healed    waitQueue // dials that wait for a Heal
	port      int
}

func (n *network) init(w *World) {
	n.w = w
	n.listeners = make(map[string]*listener)
	n.faults = make(map[string]*Faults)
	n.apart = make(map[pair]bool)
	n.port = firstPort
}

func (n *network) faultsOf(addr string) *Faults {
	f := n.faults[addr]
	if f == nil {
		f = new(Faults)
		*f = n.w.cfg.Faults
		n.faults[addr] = f
	}
	return f
}

func (n *network) parted(a, b *env) bool { return n.apart[pairOf(a.node.name, b.node.name)] }

// flow lets all the connections go on that a partition had stopped.
func (n *network) flow() {
	for _, c := range n.conns {
		c.in.schedule()
	}
}

// crash closes what an incarnation had open.
func (n *network) crash(e *env) {
	var own []*listener
	for _, l := range n.listeners {
		if l.env == e {
			own = append(own, l)
		}
	}
	sortListeners(own)
	for _, l := range own {
		l.shut()
	}
	for _, c := range append([]*conn(nil), n.conns...) {
		if c.env == e && !c.closed {
			c.die()
		}
	}
}

// normal is the one spelling of an address: every name of this machine is 127.0.0.1.
func normal(addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		return addr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch host {
	case "", "0.0.0.0", "::", "::1", "localhost":
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func (n *network) nextPort() string {
	n.port++
	if n.port > lastPort {
		n.port = firstPort
	}
	return strconv.Itoa(n.port)
}

// addr is a net.Addr; those with an IP address become a *net.TCPAddr.
type addr struct{ network, text string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.text }

func netAddr(text string) net.Addr {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return &net.UnixAddr{Net: "unix", Name: path}
	}
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		ip := net.ParseIP(host)
		number, err := strconv.Atoi(port)
		if ip != nil && err == nil {
			return &net.TCPAddr{IP: ip, Port: number}
		}
	}
	return addr{"tcp", text}
}

func opError(op string, at net.Addr, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: at, Err: err}
}

var errBadAddr = errors.New("not host:port")

func (e *env) Listen(address string) (net.Listener, error) {
	w := e.w
	if e.dead || w.cur != nil && w.cur.killed {
		return nil, ErrCrashed
	}
	at := normal(address)
	if !strings.HasPrefix(at, "unix:") {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			return nil, opError("listen", addr{"tcp", address}, errBadAddr)
		}
		for port == "0" {
			free := net.JoinHostPort(host, w.net.nextPort())
			if w.net.listeners[free] == nil {
				at, port = free, ""
			}
		}
	}
	if w.net.listeners[at] != nil {
		return nil, opError("listen", netAddr(at), syscall.EADDRINUSE)
	}
	l := &listener{env: e, text: at, addr: netAddr(at)}
	w.net.listeners[at] = l
	return l, nil
}

func (e *env) Dial(ctx context.Context, address string) (net.Conn, error) {
	w := e.w
	t, err := e.enter()
	if err != nil {
		return nil, err
	}
	at := normal(address)
	faults := w.net.faultsOf(at)
	w.hist.add(w, t, evDial, at, 0)
	if err := e.Sleep(ctx, w.within(faults.Latency)); err != nil {
		return nil, opError("dial", netAddr(at), err)
	}
	for deadline := w.now + DialPatience; ; {
		l := w.net.listeners[at]
		if l == nil || !w.net.parted(e, l.env) {
			break
		}
		if w.now >= deadline {
			return nil, opError("dial", netAddr(at), syscall.ETIMEDOUT)
		}
		w.watchContext(t, ctx)
		t.timer.at = deadline
		w.timers.add(&t.timer)
		w.net.healed.add(t)
		if err := w.park(t, inDial); err != nil {
			return nil, opError("dial", netAddr(at), err)
		}
	}
	l := w.net.listeners[at]
	if l == nil || len(l.backlog) == MaxBacklog || w.chance(faults.Refuse) {
		w.hist.add(w, t, evRefused, at, 0)
		return nil, opError("dial", netAddr(at), syscall.ECONNREFUSED)
	}
	local := netAddr("127.0.0.1:" + w.net.nextPort())
	near := newConn(e, faults, local, l.addr)
	far := newConn(l.env, faults, l.addr, local)
	near.peer, far.peer = far, near
	l.backlog = append(l.backlog, far)
	l.queue.releaseAll(w)
	return near, nil
}

// listener is a listening socket.
type listener struct {
	env     *env
	text    string
	addr    net.Addr
	backlog []*conn
	queue   waitQueue
	closed  bool
}

func sortListeners(ls []*listener) {
	for i := range ls { // a handful: insertion sort
		for j := i; j > 0 && ls[j].text < ls[j-1].text; j-- {
			ls[j], ls[j-1] = ls[j-1], ls[j]
		}
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	w := l.env.w
	for {
		t, err := l.env.enter()
		switch {
		case err != nil:
			return nil, opError("accept", l.addr, err)
		case l.closed:
			return nil, opError("accept", l.addr, net.ErrClosed)
		case len(l.backlog) > 0:
			c := l.backlog[0]
			l.backlog = l.backlog[1:]
			w.hist.add(w, t, evAccept, l.text, 0)
			return c, nil
		}
		l.queue.add(t)
		if err := w.park(t, inAccept); err != nil {
			return nil, opError("accept", l.addr, err)
		}
	}
}

func (l *listener) Close() error {
	w := l.env.w
	switch {
	case l.env.dead || w.cur != nil && w.cur.killed:
		return opError("close", l.addr, ErrCrashed)
	case l.closed:
		return opError("close", l.addr, net.ErrClosed)
	}
	l.shut()
	return nil
}

func (l *listener) shut() {
	l.closed = true
	delete(l.env.w.net.listeners, l.text)
	for _, c := range l.backlog {
		c.die()
	}
	l.backlog = nil
	l.queue.releaseAll(l.env.w)
}
