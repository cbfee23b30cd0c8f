package host

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/rt"
)

// Defaults of a lease: how long lanes stay with a host that says nothing more,
// and how often it says so.
const (
	DefaultLeaseTTL = 10 * time.Second
	leaseRounds     = 3 // renewals within one TTL
)

// lanes are what this host owns. Without an owner's name it owns every lane
// under Config.Epoch: one host, one store.
type lanes struct {
	h      *Host
	mu     sync.Mutex
	epochs map[book.Lane]uint64
	until  time.Time // by this host's clock; from then on nothing is owned
}

// epoch is the lane's lease number, or false where another host has it.
func (l *lanes) epoch(lane book.Lane) (uint64, bool) {
	if l.h.cfg.Owner == "" {
		return l.h.cfg.Epoch, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.h.env.Now().Before(l.until) {
		return 0, false
	}
	e, ok := l.epochs[lane]
	return e, ok
}

// Lanes is how many lanes this host owns now.
func (h *Host) Lanes() (n int) {
	for lane := range book.Lane(h.cfg.Lanes) {
		if _, ours := h.lanes.epoch(lane); ours {
			n++
		}
	}
	return n
}

// lose forgets a lane that the store has given to somebody else.
func (l *lanes) lose(lane book.Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.epochs, lane)
}

// keep takes every lane that is free, and renews those it has, until ctx ends;
// then it gives them back. first is set when it has asked once.
func (l *lanes) keep(ctx context.Context, first *rt.Future[struct{}]) {
	if l.h.cfg.Owner == "" {
		return
	}
	for {
		l.renew(ctx)
		first.Set(struct{}{})
		if l.h.env.Sleep(ctx, l.h.cfg.LeaseTTL/leaseRounds) != nil {
			break
		}
	}
	l.mu.Lock()
	l.epochs, l.until = nil, time.Time{}
	l.mu.Unlock()
	last, cancel := l.h.env.WithTimeout(context.WithoutCancel(ctx), l.h.cfg.LeaseTTL/leaseRounds)
	defer cancel()
	if err := l.h.cfg.Store.Release(last, l.h.cfg.Owner); err != nil {
		l.h.cfg.Log.Warn("lanes not given back: they are free when their time is over", "err", err)
	}
}

func (l *lanes) renew(ctx context.Context) {
	want := make([]book.Lane, l.h.cfg.Lanes)
	for i := range want {
		want[i] = book.Lane(i)
	}
	now := l.h.env.Now() // before the store is asked: this host's time ends first
	got, err := l.h.cfg.Store.Lease(ctx, l.h.cfg.Owner, want, now, l.h.cfg.LeaseTTL)
	if err != nil {
		l.h.cfg.Log.Warn("lanes not renewed", "err", err)
		return
	}
	l.mu.Lock()
	before := l.epochs
	l.epochs, l.until = got, now.Add(l.h.cfg.LeaseTTL)
	l.mu.Unlock()
	if !maps.Equal(before, got) {
		l.h.cfg.Log.Info("lanes", "owner", l.h.cfg.Owner, "have", len(got), "of", len(want), "new", fresh(before, got))
		l.h.forgetBatches()  // the last owner may have closed some
		l.h.resolvers.wake() // what the last owner left open is ours now
	}
}

// fresh lists the lanes of now that before did not have under that epoch.
func fresh(before, now map[book.Lane]uint64) []book.Lane {
	var out []book.Lane
	for lane, e := range now {
		if before[lane] != e {
			out = append(out, lane)
		}
	}
	slices.Sort(out)
	return out
}
