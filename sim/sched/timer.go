package sched

import "time"

// timer calls fire, in the scheduler, when the clock reaches at. Timers of one
// moment fire in the order in which they were set.
type timer struct {
	at    time.Duration
	seq   uint64
	index int // in the heap; -1 when not in it
	fire  func()
}

// timerHeap is a binary heap that can remove from the middle.
type timerHeap struct {
	heap []*timer
	seq  uint64
}

func (h *timerHeap) next() (time.Duration, bool) {
	if len(h.heap) == 0 {
		return 0, false
	}
	return h.heap[0].at, true
}

// add sets a timer that is not set.
func (h *timerHeap) add(t *timer) {
	h.seq++
	t.seq, t.index = h.seq, len(h.heap)
	h.heap = append(h.heap, t)
	h.up(t.index)
}

func (h *timerHeap) pop() *timer {
	t := h.heap[0]
	h.remove(t)
	return t
}

// remove takes a timer out; one that is not set is left alone.
func (h *timerHeap) remove(t *timer) {
	i, last := t.index, len(h.heap)-1
	if i < 0 || i > last || h.heap[i] != t {
		return
	}
	h.swap(i, last)
	h.heap[last] = nil
	h.heap = h.heap[:last]
	t.index = -1
	if i < last {
		h.up(i)
		h.down(i)
	}
}

func (h *timerHeap) less(i, j int) bool {
	a, b := h.heap[i], h.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (h *timerHeap) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].index, h.heap[j].index = i, j
}

func (h *timerHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *timerHeap) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h.heap); c++ {
			if h.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}
