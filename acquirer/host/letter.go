package host

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
)

// DeadAfter is after how many tries what the scheme does not take is shown to
// a person. It goes on being tried.
const DeadAfter = 10

// Letter is a reversal or advice that the scheme has not taken.
type Letter struct {
	Payment payment.Payment
	Tries   int       // since the host started
	Code    string    // F39 of the last answer, "" where none came
	Since   time.Time // the first try in this life of the host
	Last    time.Time
}

// letters are the tries of one resolver.
type letters struct {
	mu sync.Mutex
	m  map[payment.Key]*Letter
}

func (l *letters) note(p payment.Payment, code string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		l.m = map[payment.Key]*Letter{}
	}
	e := l.m[p.Key]
	if e == nil {
		e = &Letter{Since: now}
		l.m[p.Key] = e
	}
	e.Payment, e.Code, e.Last = p, code, now
	e.Tries++
}

func (l *letters) drop(k payment.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.m, k)
}

// DeadLetters are what schemes keep refusing, or not answering, oldest first.
func (h *Host) DeadLetters() []Letter {
	var out []Letter
	for _, r := range h.resolvers {
		r.letters.mu.Lock()
		for _, e := range r.letters.m {
			if e.Tries >= DeadAfter {
				out = append(out, *e)
			}
		}
		r.letters.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Letter) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Payment.ID, b.Payment.ID))
	})
	return out
}

// ErrNotOpen says that nothing is open any more that a person could end.
var ErrNotOpen = errors.New("nothing is open: the payment ended by itself")

// EndByHand ends a dead letter on a person's word: a reversal counts as done
// (it was put right with the scheme by other means), an advice is given up and
// its money goes back. Errors: ErrNotOpen, the committer's, ctx's.
func (h *Host) EndByHand(ctx context.Context, key payment.Key) (payment.Payment, error) {
	res, err := h.commit.apply(ctx, book.Op{Event: payment.ByHand, Key: key, At: h.now()})
	switch {
	case err != nil:
		return payment.Payment{}, err
	case res.Status != book.Applied:
		return res.Payment, ErrNotOpen
	}
	for _, r := range h.resolvers {
		r.letters.drop(key)
	}
	h.cfg.Log.Warn("ended by hand", "payment", res.Payment.ID, "rrn", res.Payment.RRN, "state", res.Payment.State.String())
	return res.Payment, nil
}
