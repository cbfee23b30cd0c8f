package sched

import (
	"encoding/binary"
	"time"
)

type segKind uint8

const (
	segData  segKind = iota
	segFin           // the other end closed
	segReset         // the connection broke
)

// segment is a piece that arrives as a whole.
type segment struct {
	kind segKind
	data []byte
	at   time.Duration
}

// pipe is one direction of a connection: what was sent and has not arrived. It
// keeps order; a partition stops it.
type pipe struct {
	w     *World
	to    *conn
	segs  []segment
	head  int
	held  int           // bytes here and unread at the end
	last  time.Duration // arrival of the newest segment
	over  segKind       // the fin or reset that was sent, after which no data counts
	timer timer
}

func (p *pipe) push(data []byte, latency time.Duration) {
	if p.over != segData || p.to.closed {
		return
	}
	p.held += len(data)
	p.put(segment{segData, data, 0}, latency)
}

func (p *pipe) put(s segment, latency time.Duration) {
	p.last = max(p.last, p.w.now+latency)
	s.at = p.last
	if p.head == len(p.segs) {
		p.segs, p.head = p.segs[:0], 0
	}
	p.segs = append(p.segs, s)
	p.schedule()
}

// end sends the last segment; only a reset can follow a fin.
func (p *pipe) end(kind segKind, latency time.Duration) {
	if p.over >= kind || p.to.closed {
		return
	}
	p.over = kind
	p.put(segment{kind, nil, 0}, latency)
}

// tear is what a crash of the sender leaves: a seeded part of what was on its way, then a reset.
func (p *pipe) tear() {
	if p.to.closed {
		return
	}
	waiting := p.segs[p.head:]
	if len(waiting) > 0 && p.w.noise {
		keep := p.w.rng.IntN(len(waiting) + 1)
		for _, s := range waiting[keep:] {
			p.held -= len(s.data)
		}
		clear(waiting[keep:])
		p.segs = p.segs[:p.head+keep]
	}
	p.over = segData
	p.end(segReset, p.to.latency())
}

// schedule sets the timer for the first segment, unless a partition holds it.
func (p *pipe) schedule() {
	if p.head == len(p.segs) || p.to.closed || p.w.net.parted(p.to.env, p.to.peer.env) {
		return
	}
	p.w.timers.remove(&p.timer)
	p.timer.at = max(p.segs[p.head].at, p.w.now)
	p.w.timers.add(&p.timer)
}

// deliver runs in the scheduler when the first segment is due.
func (p *pipe) deliver() {
	c := p.to
	if c.closed || p.head == len(p.segs) || p.w.net.parted(c.env, c.peer.env) {
		return
	}
	s := p.segs[p.head]
	p.segs[p.head] = segment{}
	p.head++
	switch s.kind {
	case segData:
		c.unread = append(c.unread, s.data...)
		p.w.hist.add(p.w, nil, evDeliver, "", len(s.data))
	case segFin:
		c.eof = true
		p.w.hist.add(p.w, nil, evFin, "", 0)
	case segReset:
		c.reset = true
		p.w.hist.add(p.w, nil, evReset, "", 0)
		c.writing.releaseAll(p.w)
	}
	c.reading.releaseAll(p.w)
	p.schedule()
}

func (p *pipe) stop() {
	p.w.timers.remove(&p.timer)
	p.segs, p.head, p.held = nil, 0, 0
}

func (c *conn) latency() time.Duration {
	w := c.env.w
	d := w.within(c.faults.Latency)
	if w.chance(c.faults.Stall) {
		d += w.within(c.faults.StallFor)
	}
	return d
}

// send puts what was written on its way, with the faults of the link.
func (c *conn) send(b []byte) {
	w := c.env.w
	if c.peer.closed {
		// The peer is gone: TCP takes the bytes, and the answer to them is a reset.
		c.in.end(segReset, c.latency())
		return
	}
	b = append([]byte(nil), b...)
	if !c.faults.Framed {
		if rest := c.frames.rest(); len(rest) > 0 {
			b = append(rest, b...)
		}
		c.sendWhole(b)
		return
	}
	for _, frame := range c.frames.split(b) {
		switch {
		case w.chance(c.faults.Lose):
			w.hist.add(w, w.cur, evLost, "", len(frame))
			continue
		case w.chance(c.faults.Delay):
			w.hist.add(w, w.cur, evDelayed, "", len(frame))
			c.later(frame)
			continue
		case w.chance(c.faults.Double):
			w.hist.add(w, w.cur, evDoubled, "", len(frame))
			c.later(frame)
		}
		c.sendWhole(frame)
	}
}

// later sends a frame once more, or at last, after DelayFor: other frames go before it.
func (c *conn) later(frame []byte) {
	w := c.env.w
	w.At(w.within(c.faults.DelayFor), func() {
		if !c.closed && !c.reset {
			c.peer.in.push(frame, c.latency())
		}
	})
}

// sendWhole sends bytes that belong together: whole, in pieces, or cut.
func (c *conn) sendWhole(b []byte) {
	w := c.env.w
	out := &c.peer.in
	if len(b) == 0 || out.over != segData {
		return
	}
	if w.chance(c.faults.Cut) {
		n := w.rng.IntN(len(b) + 1)
		w.hist.add(w, w.cur, evCut, "", n)
		if n > 0 {
			out.push(b[:n], c.latency())
		}
		out.end(segReset, c.latency())
		c.in.end(segReset, c.latency())
		return
	}
	for len(b) > 1 && w.chance(c.faults.Split) {
		n := 1 + w.rng.IntN(len(b)-1)
		out.push(b[:n], c.latency())
		b = b[n:]
	}
	out.push(b, c.latency())
}

// framer collects written bytes into frames with a 2-byte length in front.
type framer struct{ part []byte }

// split returns the frames that b completes, with their lengths, and keeps the rest.
func (f *framer) split(b []byte) [][]byte {
	b = append(f.part, b...)
	var frames [][]byte
	for len(b) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(b))
		if len(b) < n {
			break
		}
		frames = append(frames, b[:n:n])
		b = b[n:]
	}
	f.part = append([]byte(nil), b...)
	return frames
}

// rest gives up what has not become a frame.
func (f *framer) rest() []byte {
	b := f.part
	f.part = nil
	return b
}
