package site_test

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
	"huika/site"
)

// The wires of a system, by who dials whom.
const (
	posWire  = "terminal-host"
	cupWire  = "host-scheme"
	bankWire = "scheme-issuer"
)

// spoken is one frame that crossed a wire, or was lost on it.
type spoken struct {
	wire, mti, stan, rrn, auth, code string
	atc, cryptogram, pan             string // of a request that holds them
}

// mishap is what happens to the next frame of a kind.
type mishap struct {
	wire, mti string
	what      int
}

// What can happen to a frame.
const (
	lose    = iota + 1 // it never arrives
	double             // it arrives twice
	spoil              // a bit of its MAC arrives flipped
	overdue            // it arrives behind the next one of its direction
)

// wiretap is a site.Wire under which every frame is read, counted, and now and
// then ill-treated. It sits inside TLS, at the end that dialled: nothing of the
// system knows of it.
type wiretap struct {
	site.Wire
	onUnreadable func(error)

	mu      sync.Mutex
	frames  []spoken
	mishaps []mishap
	last    *tappedConn // of the terminal
	sale    []byte      // its last 0200
}

func (w *wiretap) Dialer(role, peer string, addr func() string) func(context.Context) (net.Conn, error) {
	dial := w.Wire.Dialer(role, peer, addr)
	if strings.HasPrefix(role, "scheme-") || strings.HasPrefix(peer, "scheme-") {
		return dial // other schemes' wires are not read here
	}
	name := bankWire
	switch peer {
	case site.RoleHost:
		name = posWire
	case site.RoleScheme:
		name = cupWire
	}
	return func(ctx context.Context) (net.Conn, error) {
		c, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		t := &tappedConn{Conn: c, tap: w, wire: name}
		if name == posWire {
			w.mu.Lock()
			w.last = t
			w.mu.Unlock()
		}
		return t, nil
	}
}

// plan has the next frames of a kind, one for each what, come to grief.
func (w *wiretap) plan(wire, mti string, what ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, how := range what {
		w.mishaps = append(w.mishaps, mishap{wire, mti, how})
	}
}

// mark is how many frames there were so far.
func (w *wiretap) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.frames)
}

// calm forgets mishaps that never came, so that they hit no later row.
func (w *wiretap) calm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mishaps = nil
}

// since are the frames behind a mark, and mishaps that never came.
func (w *wiretap) since(mark int) (frames []spoken, waiting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]spoken(nil), w.frames[mark:]...), len(w.mishaps)
}

// repeatSale sends the terminal's last 0200 again, byte for byte.
func (w *wiretap) repeatSale() error {
	w.mu.Lock()
	c, frame := w.last, w.sale
	w.mu.Unlock()
	_, err := c.Write(frame)
	return err
}

// hear notes a frame and says what shall happen to it.
func (w *wiretap) hear(wire string, frame []byte) int {
	m := iso8583.NewMessage()
	var err error
	if wire == posWire {
		_, err = pos.Decode(frame, m)
	} else {
		err = cup.Decode(frame, m)
	}
	if err != nil {
		w.onUnreadable(err)
		return 0
	}
	s := spoken{wire: wire, mti: m.MTI(), stan: m.Get(11), rrn: m.Get(37), auth: m.Get(38), code: m.Get(39), pan: m.Get(2)}
	for t, to := range map[tlv.Tag]*string{tag.ATC: &s.atc, tag.ApplicationCryptogram: &s.cryptogram} {
		if v, ok := tlv.Find(m.Bytes(55), t); ok {
			*to = string(v)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames = append(w.frames, s)
	if wire == posWire && s.mti == pos.MTIFinancial {
		w.sale = append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...)
	}
	for i, p := range w.mishaps {
		if p.wire == wire && p.mti == s.mti {
			w.mishaps = append(w.mishaps[:i], w.mishaps[i+1:]...)
			return p.what
		}
	}
	return 0
}

// tappedConn is a dialled connection. One task reads from it.
type tappedConn struct {
	net.Conn
	tap  *wiretap
	wire string

	mu  sync.Mutex // of the writers: the link's, and repeatSale
	out stretch

	in    stretch
	ready []byte
}

// Write passes whole frames on.
func (c *tappedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.add(b)
	if on := c.out.pass(c.tap, c.wire); len(on) > 0 {
		if _, err := c.Conn.Write(on); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Read hands out whole frames.
func (c *tappedConn) Read(b []byte) (int, error) {
	for len(c.ready) == 0 {
		chunk := make([]byte, 8192)
		n, err := c.Conn.Read(chunk)
		if err != nil {
			return 0, err
		}
		c.in.add(chunk[:n])
		c.ready = c.in.pass(c.tap, c.wire)
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// stretch is one direction of a connection.
type stretch struct{ part, held []byte }

func (s *stretch) add(b []byte) { s.part = append(s.part, b...) }

// pass takes the whole frames out and returns what goes on.
func (s *stretch) pass(w *wiretap, wire string) (on []byte) {
	for len(s.part) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(s.part))
		if len(s.part) < n {
			break
		}
		frame := append([]byte(nil), s.part[:n]...)
		s.part = s.part[n:]
		switch w.hear(wire, frame[2:]) {
		case lose:
		case double:
			w.hear(wire, frame[2:])
			on = append(append(on, frame...), frame...)
		case spoil:
			frame[n-1] ^= 1
			on = append(on, frame...)
		case overdue:
			s.held = frame
		default:
			on = append(append(on, frame...), s.held...)
			s.held = nil
		}
	}
	return on
}
