package sched

import (
	"fmt"
	"io"
	"time"
)

// DefaultHistory is how many events a world keeps, where its Config names no number.
const DefaultHistory = 4096

// what an event was.
type what uint8

const (
	evStart what = iota
	evTurn
	evPark
	evEnd
	evKill
	evCrash
	evNote
	evDial
	evRefused
	evAccept
	evWrite
	evDeliver
	evFin
	evReset
	evLost
	evDoubled
	evDelayed
	evCut
	evPartition
	evHeal
	evClock
)

var whatNames = [...]string{"start", "turn", "parks", "end", "killed", "CRASH", "note", "dial", "refused", "accept",
	"write", "deliver", "fin", "RESET", "LOST", "DOUBLED", "DELAYED", "CUT", "PARTITION", "heal", "CLOCK"}

// Event is one line of the history.
type Event struct {
	At   time.Duration // since the world began
	Step uint64
	Task string // node/task, or empty
	What string
	Text string // a note, an address
	N    int    // bytes, for network events
}

func (e Event) String() string {
	s := fmt.Sprintf("%12.6f #%d %-28s %s", e.At.Seconds(), e.Step, e.Task, e.What)
	if e.Text != "" {
		s += " " + e.Text
	}
	if e.N != 0 {
		s += fmt.Sprintf(" (%d)", e.N)
	}
	return s
}

type entry struct {
	at   time.Duration
	step uint64
	task string
	what what
	text string
	n    int
}

// history keeps the last events in a ring and hashes all of them.
type history struct {
	ring []entry
	size int
	next int
	hash uint64
}

func newHistory(size int) history {
	if size <= 0 {
		size = DefaultHistory
	}
	return history{size: size, hash: 14695981039346656037}
}

func (h *history) mix(v uint64) { h.hash = (h.hash ^ v) * 1099511628211 }

func (h *history) put(e entry) {
	if len(h.ring) < h.size {
		h.ring = append(h.ring, e)
		return
	}
	h.ring[h.next] = e
	if h.next++; h.next == h.size {
		h.next = 0
	}
}

// add records an event of a task (nil: of the world). Contents never enter: only lengths do.
func (h *history) add(w *World, t *task, k what, text string, n int) {
	h.mix(uint64(k)<<56 ^ uint64(w.now))
	id, name := uint64(0), ""
	if t != nil {
		id, name = t.id, t.name
	}
	h.mix(id<<32 ^ uint64(n))
	for i := range len(text) {
		h.mix(uint64(text[i]))
	}
	h.put(entry{w.now, w.steps, name, k, text, n})
}

func (h *history) addName(w *World, k what, name string, n int) { h.add(w, w.cur, k, name, n) }

// turn is hashed but not kept: there are too many, and parks say the same.
func (h *history) turn(w *World, t *task) { h.mix(t.id<<40 ^ uint64(w.now)) }

func (h *history) park(w *World, t *task) {
	h.mix(uint64(t.where) << 48)
	h.put(entry{w.now, w.steps, t.name, evPark, t.where.String(), 0})
}

// Note adds a line of the caller's to the history, and to the hash. It must hold
// no card data: histories are printed.
func (w *World) Note(format string, args ...any) {
	w.hist.add(w, w.cur, evNote, fmt.Sprintf(format, args...), 0)
}

// Hash is a digest of every event so far: two runs of a seed have the same.
func (w *World) Hash() uint64 { return w.hist.hash }

// History is the newest events, oldest first.
func (w *World) History() []Event {
	h := &w.hist
	out := make([]Event, 0, len(h.ring))
	for i := range h.ring {
		e := h.ring[(h.next+i)%len(h.ring)]
		out = append(out, Event{e.at, e.step, e.task, whatNames[e.what], e.text, e.n})
	}
	return out
}

// WriteHistory prints the newest events, a line each.
func (w *World) WriteHistory(to io.Writer) error {
	for _, e := range w.History() {
		if _, err := fmt.Fprintln(to, e); err != nil {
			return err
		}
	}
	return nil
}
