package host

import (
	"context"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/rt"
)

// resolver finishes what is open: a payment that was admitted by an earlier
// life of the host is reversed (the scheme may have debited the customer), and
// each reversal is sent until the scheme takes it (crash rule 4). The books
// are its list; nothing lives only in memory.
type resolver struct {
	h    *Host
	wake rt.Waiter
}

// FastTries is how often a reversal is tried before the pauses grow.
const FastTries = 3

func newResolver(h *Host) *resolver { return &resolver{h, h.env.NewWaiter()} }

func (r *resolver) run(ctx context.Context) {
	pause, tries := r.h.cfg.Timeouts.RetryPause, 0
	for ctx.Err() == nil {
		open := r.sweep(ctx)
		r.h.Stats.Unresolved.Store(int64(open))
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

// rest waits for the pause or for new work, whichever comes first.
func (r *resolver) rest(ctx context.Context, pause time.Duration) {
	ctx, cancel := r.h.env.WithTimeout(ctx, pause)
	defer cancel()
	_ = r.wake.Wait(ctx) // either end of the wait leads to the next sweep
}

// sweep tries every open payment once and returns how many stay open.
func (r *resolver) sweep(ctx context.Context) (open int) {
	for lane := range book.Lane(r.h.cfg.Lanes) {
		var cur book.Cursor
		for {
			page, err := r.h.cfg.Store.Unresolved(ctx, lane, cur)
			if err != nil {
				r.h.cfg.Log.Warn("open payments can't be listed", "lane", lane, "err", err)
				open++
				break
			}
			for _, p := range page {
				if !r.h.flight.has(p.Key) && !r.one(ctx, p) {
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
		res, err := r.h.commit.apply(ctx, book.Op{Event: payment.GiveUp, Key: p.Key, At: r.h.now(), ReversalReason: "96"})
		if err != nil {
			return false
		}
		p = res.Payment // the list may be old: meanwhile the payment may have ended well
		if res.Status == book.Applied {
			r.h.Stats.Reversals.Add(1)
		}
	}
	if p.State != payment.Reversing {
		return true
	}
	s := r.h.schemeNamed(p.Scheme)
	if s == nil {
		r.h.cfg.Log.Error("reversal for a scheme that is not configured", "payment", p.ID, "scheme", p.Scheme)
		return false
	}
	code, err := s.reverse(ctx, p)
	if err != nil || !reversalTaken(code) {
		r.h.cfg.Log.Warn("reversal not taken yet", "payment", p.ID, "rrn", p.RRN, "response", code, "err", err)
		return false
	}
	if _, err := r.h.commit.must(ctx, book.Op{Event: payment.ReverseDone, Key: p.Key, At: r.h.now()}); err != nil {
		return false
	}
	r.h.Stats.Reversed.Add(1)
	r.h.cfg.Log.Info("reversed", "payment", p.ID, "rrn", p.RRN, "reason", p.ReversalReason)
	return true
}

// reversalTaken: 00 done, 25 the original is unknown there, and will be refused if it still comes.
func reversalTaken(code string) bool { return code == "00" || code == "25" }

func (h *Host) now() time.Time { return h.env.Now().UTC().Truncate(time.Millisecond) }
