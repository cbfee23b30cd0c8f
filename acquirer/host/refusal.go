package host

import (
	"context"

	"huika/acquirer/book"
	"huika/acquirer/payment"
)

// maxRefusals is how many refused requests of a terminal are remembered. A copy
// that comes after so many others is none that a network makes.
const maxRefusals = 32

// refusal is a request that left no row in the books.
type refusal struct {
	key   payment.Key
	print payment.Fingerprint
	code  string
}

// refused answers a request that is not taken on, and that leaves no row. It may
// be a copy of one that was taken: then what the books hold counts, and where
// they can't be asked nothing is said, so that the terminal reverses. A refusal
// would leave the customer with what the first copy did.
func (h *Host) refused(ctx context.Context, s *session, key payment.Key, print payment.Fingerprint, why payment.Refusal) answer {
	h.Stats.Refused.Add(1)
	p, found, err := h.cfg.Store.Find(ctx, book.LaneOf(key.Merchant, h.cfg.Lanes), key)
	switch {
	case err != nil:
		return answer{silent: true}
	case found:
		return stored(p)
	}
	if s != nil { // an operator asks again with the same token, and may be decided anew
		s.refuse(refusal{key, print, why.Code})
	}
	return answer{code: why.Code, why: why.Why}
}

// refuse remembers a refusal: a copy of the request that comes late, when the
// reason is gone, must not be taken behind the terminal's back. Copies come over
// the connection of the first, hence to this process.
func (s *session) refuse(r refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refusals) >= maxRefusals {
		s.refusals = append(s.refusals[:0], s.refusals[1:]...)
	}
	s.refusals = append(s.refusals, r)
}

// refusedBefore is the answer that an earlier copy got.
func (s *session) refusedBefore(key payment.Key, print payment.Fingerprint) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refusals {
		if r.key == key && r.print == print {
			return answer{code: r.code}, true
		}
	}
	return answer{}, false
}

// takes is "" where this host may take a payment on in its batch, else the response code.
func (h *Host) takes(ctx context.Context, s *session, key payment.Key) string {
	switch {
	case !h.serves(s):
		return codeElsewhere
	case h.flight.has(settlementKey(key)):
		return "96" // the batch is being added up
	}
	return h.batchOpen(ctx, s, key)
}
