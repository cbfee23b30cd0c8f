package sched

import (
	"time"
)

// Span is a range of times, both ends included; zero Max means exactly Min.
type Span struct{ Min, Max time.Duration }

// Faults says what may happen to the traffic of one listening address. Chances
// are probabilities from 0 to 1; the zero value is a perfect network without
// latency. What TCP would never do to bytes (lose, double, overtake) happens
// only to whole frames, as a relay in the path would do it.
type Faults struct {
	Latency  Span    // of each chunk, one way; TCP keeps their order
	Split    float64 // chance, per write or frame, that it arrives in pieces
	Stall    float64 // chance, per write, that it takes StallFor longer
	StallFor Span
	Refuse   float64 // chance, per dial, of "connection refused"
	Cut      float64 // chance, per write or frame, that the connection breaks in the middle of it

	// Framed says that the traffic is frames with a length of 2 bytes, big-endian,
	// in front (iso8583/link). Without it Lose, Double and Delay do nothing.
	Framed   bool
	Lose     float64 // chance, per frame, that it never arrives
	Double   float64 // chance, per frame, that it arrives a second time, after DelayFor
	Delay    float64 // chance, per frame, that it arrives after DelayFor, and others overtake it
	DelayFor Span
}

// LAN is a network that works: 0.1 to 2 ms, now and then in pieces.
func LAN() Faults {
	return Faults{Latency: Span{100 * time.Microsecond, 2 * time.Millisecond}, Split: 0.1}
}

// Rough is a network of frames where everything that can happen does, at about rate per frame.
func Rough(rate float64) Faults {
	return Faults{
		Latency: Span{100 * time.Microsecond, 20 * time.Millisecond},
		Split:   0.2,
		Stall:   rate, StallFor: Span{10 * time.Millisecond, 3 * time.Second},
		Refuse: rate, Cut: rate / 2,
		Framed: true, Lose: rate, Double: rate, Delay: rate,
		DelayFor: Span{time.Millisecond, 30 * time.Second},
	}
}

// SetFaults gives an address its own faults, for open connections as well.
func (w *World) SetFaults(addr string, f Faults) { *w.net.faultsOf(normal(addr)) = f }

// Partition holds everything between two nodes back until Heal: what was sent waits, dials hang.
func (w *World) Partition(a, b string) {
	w.hist.addName(w, evPartition, a+" | "+b, 0)
	w.net.apart[pairOf(a, b)] = true
}

// Heal ends a partition.
func (w *World) Heal(a, b string) {
	w.hist.addName(w, evHeal, a+" | "+b, 0)
	delete(w.net.apart, pairOf(a, b))
	w.net.healed.releaseAll(w)
	w.net.flow()
}

// Break resets every connection between two nodes, as a middlebox does that has
// lost its table: what is on its way arrives first.
func (w *World) Break(a, b string) {
	w.hist.addName(w, evCut, a+" | "+b, 0)
	for _, c := range append([]*conn(nil), w.net.conns...) {
		if c.env.node.name == a && c.peer.env.node.name == b {
			c.in.end(segReset, c.latency())
			c.peer.in.end(segReset, c.latency())
		}
	}
}

// Calm ends every fault that chance makes, and every partition: from here on a
// sound system must come to rest. Latency stays; crashes are the caller's.
func (w *World) Calm() {
	w.noise = false
	clear(w.net.apart)
	w.hist.addName(w, evHeal, "calm", 0)
	w.net.healed.releaseAll(w)
	w.net.flow()
}

// chance draws a fault.
func (w *World) chance(p float64) bool { return w.noise && p > 0 && w.rng.Float64() < p }

func (w *World) within(s Span) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return s.Min + time.Duration(w.rng.Int64N(int64(s.Max-s.Min)+1))
}

type pair struct{ a, b string }

func pairOf(a, b string) pair {
	if a > b {
		a, b = b, a
	}
	return pair{a, b}
}
