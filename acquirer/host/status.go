package host

import (
	"cmp"
	"slices"
	"time"

	"huika/acquirer/book"
	"huika/pay"
)

// TerminalStatus is one configured terminal as the host sees it.
type TerminalStatus struct {
	ID       pay.TerminalID
	Merchant pay.MerchantID
	SignedIn bool      // since this host started
	Seen     time.Time // its last message to this host, zero: none yet
}

// Terminals are the configured ones, in the order of merchant and id.
func (h *Host) Terminals() []TerminalStatus {
	h.mu.Lock()
	out := make([]TerminalStatus, 0, len(h.terminals))
	for _, s := range h.terminals {
		s.mu.Lock()
		out = append(out, TerminalStatus{ID: s.terminal.ID, Merchant: s.terminal.Merchant, SignedIn: s.keys != nil, Seen: s.seen})
		s.mu.Unlock()
	}
	h.mu.Unlock()
	slices.SortFunc(out, func(a, b TerminalStatus) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// SchemeStatus is one connection to a scheme.
type SchemeStatus struct {
	Name string
	Up   bool // signed on
	Open int  // reversals and advices that it has not taken, at the last look
}

// SchemeLinks are the connections to schemes, in the order of the configuration.
func (h *Host) SchemeLinks() []SchemeStatus {
	out := make([]SchemeStatus, 0, len(h.schemes))
	for _, s := range h.schemes {
		out = append(out, SchemeStatus{Name: s.cfg.Name, Up: s.up(), Open: int(h.resolvers.of(s).left.Load())})
	}
	return out
}

// LaneState is one lane.
type LaneState struct {
	Lane  book.Lane
	Owned bool // by this host
	Epoch uint64
}

// LaneStates are all lanes, and whether this host owns them.
func (h *Host) LaneStates() []LaneState {
	out := make([]LaneState, h.cfg.Lanes)
	for i := range out {
		e, ours := h.lanes.epoch(book.Lane(i))
		out[i] = LaneState{Lane: book.Lane(i), Owned: ours, Epoch: e}
	}
	return out
}

// OwnsLane reports whether the lane is this host's now.
func (h *Host) OwnsLane(lane book.Lane) bool {
	_, ours := h.lanes.epoch(lane)
	return ours
}

// Counts are what Stats counted until one moment.
type Counts struct {
	Admitted, Approved, Declined uint64
	Reversals, Full              uint64
	Unresolved                   int64
	// Latency is how many payments took at most LatencyBounds[i], from the
	// terminal's message to its answer; the last place: longer ones.
	Latency [len(LatencyBounds) + 1]uint64
}

// LatencyBounds are the upper ends of the latency histogram, in milliseconds.
var LatencyBounds = [...]int64{1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10_000, 30_000}

// Counts reads the counters.
func (h *Host) Counts() Counts {
	s := &h.Stats
	c := Counts{
		Admitted: s.Admitted.Load(), Approved: s.Approved.Load(), Declined: s.Declined.Load(), Reversals: s.Reversals.Load(), Full: s.Full.Load(),
		Unresolved: s.Unresolved.Load(),
	}
	for i := range c.Latency {
		c.Latency[i] = s.latency[i].Load()
	}
	return c
}

// took notes how long a payment took.
func (s *Stats) took(d time.Duration) {
	ms := (d + time.Millisecond - 1).Milliseconds()
	i, _ := slices.BinarySearch(LatencyBounds[:], ms)
	s.latency[i].Add(1)
}
