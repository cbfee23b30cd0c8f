package host

import (
	"context"
	"sync/atomic"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/rt"
)

// resolver finishes what is open towards one scheme: a payment that an earlier
// life of the host admitted and nobody answered is given up; each reversal and
// each advice is sent until the scheme takes it (crash rule 4). The books are
// its list; nothing lives only in memory. Each scheme has its own, so that a
// dead one never slows another.
type resolver struct {
	h       *Host
	s       *cardScheme // nil: what names no configured scheme
	wake    rt.Waiter
	letters letters
	open    int          // at the last look
	left    atomic.Int64 // the same, for whoever asks
}

type resolvers []*resolver

func (rs resolvers) wake() {
	for _, r := range rs {
		r.wake.Wake()
	}
}

// of is the resolver of a scheme; nil: of none.
func (rs resolvers) of(s *cardScheme) *resolver {
	for _, r := range rs {
		if r.s == s {
			return r
		}
	}
	return nil
}

// FastTries is how often a reversal is tried before the pauses grow.
const FastTries = 3

func newResolver(h *Host, s *cardScheme) *resolver {
	return &resolver{h: h, s: s, wake: h.env.NewWaiter()}
}

func (r *resolver) name() string {
	if r.s == nil {
		return "of no scheme"
	}
	return r.s.cfg.Name
}

// mine reports whether the payment is this resolver's.
func (r *resolver) mine(p payment.Payment) bool {
	if p.Key.Kind.Rule().Local {
		return false // the terminal's to finish
	}
	if r.s == nil {
		return r.h.schemeNamed(p.Scheme) == nil
	}
	return p.Scheme == r.s.cfg.Name
}

func (r *resolver) run(ctx context.Context) {
	pause, tries := r.h.cfg.Timeouts.RetryPause, 0
	for ctx.Err() == nil {
		open := r.sweep(ctx)
		r.h.Stats.Unresolved.Add(int64(open - r.open))
		r.open = open
		r.left.Store(int64(open))
		if open == 0 {
			pause, tries = r.h.cfg.Timeouts.RetryPause, 0
			if r.wake.Wait(ctx) != nil {
				return
			}
			continue
		}
		if tries++; tries > FastTries {
			pause = min(2*pause, r.h.cfg.Timeouts.RetryCeil)
		}
		r.rest(ctx, pause)
	}
}

// rest waits for the pause or for new work, whichever comes first; but the first
// pause in any case: work that comes while a scheme is down must not make every
// sweep follow the last, as that would be felt by the others.
func (r *resolver) rest(ctx context.Context, pause time.Duration) {
	first := r.h.cfg.Timeouts.RetryPause
	if r.h.env.Sleep(ctx, first) != nil || pause <= first {
		return
	}
	ctx, cancel := r.h.env.WithTimeout(ctx, pause-first)
	defer cancel()
	_ = r.wake.Wait(ctx) // either end of the wait leads to the next sweep
}

// sweep tries every open payment once and returns how many stay open.
func (r *resolver) sweep(ctx context.Context) (open int) {
	for lane := range book.Lane(r.h.cfg.Lanes) {
		if _, ours := r.h.lanes.epoch(lane); !ours {
			continue // another host finishes it
		}
		var cur book.Cursor
		for {
			page, err := r.h.cfg.Store.Unresolved(ctx, lane, cur)
			if err != nil {
				r.h.cfg.Log.Warn("open payments can't be listed", "lane", lane, "err", err)
				open++
				break
			}
			for _, p := range page {
				if r.mine(p) && !r.h.flight.passOver(p.Key) && !r.one(ctx, p) {
					open++
				}
			}
			if len(page) < book.UnresolvedPage {
				break
			}
			cur.After = page[len(page)-1].Key
		}
	}
	return open
}

// one takes a payment as far as it goes now and reports whether it is finished.
func (r *resolver) one(ctx context.Context, p payment.Payment) bool {
	if p.State == payment.Admitted {
		op := book.Op{Event: payment.GiveUp, Key: p.Key, At: r.h.now(), ReversalReason: "96"}
		if !p.Key.Kind.Rule().Reversible {
			op = book.Op{Event: payment.Decline, Key: p.Key, At: op.At, Response: "96"}
		}
		res, err := r.h.commit.apply(ctx, op)
		if err != nil {
			return false
		}
		p = res.Payment // the list may be old: meanwhile the payment may have ended well
		if res.Status == book.Applied && p.State == payment.Reversing {
			r.h.Stats.Reversals.Add(1)
		}
	}
	var send func(context.Context, payment.Payment) (string, error)
	end := payment.ReverseDone
	switch {
	case p.State == payment.Reversing && r.s != nil:
		send = r.s.reverse
	case p.State == payment.Forwarding && r.s != nil:
		send, end = r.s.advise, payment.Forwarded
	case p.State.Unresolved():
		r.letters.note(p, "", r.h.now())
		r.h.cfg.Log.Error("open payment of a scheme that is not configured", "payment", p.ID, "scheme", p.Scheme)
		return false
	default:
		r.letters.drop(p.Key)
		return true
	}
	code, err := send(ctx, p)
	if err != nil || !taken(p.State, code) {
		r.letters.note(p, code, r.h.now())
		r.h.cfg.Log.Warn("not taken by the scheme yet", "state", p.State.String(), "payment", p.ID, "rrn", p.RRN, "response", code, "err", err)
		return false
	}
	if _, err := r.h.commit.must(ctx, book.Op{Event: end, Key: p.Key, At: r.h.now()}); err != nil {
		return false
	}
	r.letters.drop(p.Key)
	if end == payment.ReverseDone {
		r.h.Stats.Reversed.Add(1)
	}
	r.h.cfg.Log.Info(end.String(), "payment", p.ID, "rrn", p.RRN, "reason", p.ReversalReason)
	return true
}

// taken: 00 done; for a reversal also 25, the original is unknown there and
// will be refused if it still comes.
func taken(s payment.State, code string) bool {
	return code == "00" || code == "25" && s == payment.Reversing
}

func (h *Host) now() time.Time { return h.env.Now().UTC().Truncate(time.Millisecond) }
