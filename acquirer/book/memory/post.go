package memory

import (
	"context"

	"huika/acquirer/book"
	"huika/pay"
)

// Post implements book.Poster.
func (s *Store) Post(ctx context.Context, batches []book.LaneMoves) ([]book.LaneResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]book.LaneResult, len(batches))
	for i, b := range batches {
		out[i].Lane = b.Lane
		if b.Epoch < s.epochs[b.Lane] {
			out[i].Err = book.ErrFenced
			continue
		}
		s.epochs[b.Lane] = b.Epoch
		for _, m := range b.Moves {
			res, err := book.DecideMove(m, s.head(m.Merchant), func(seq uint64) (book.Transfer, error) { return s.chains[m.Merchant].rows[seq-1], nil })
			if err != nil {
				return nil, err
			}
			if res.Status == book.Applied {
				s.post(b.Lane, m.Key(), m.Posting, m.At)
				out[i].Heads = append(out[i].Heads, book.MerchantHead{Merchant: m.Merchant, Head: s.head(m.Merchant)})
			}
			out[i].Results = append(out[i].Results, res)
		}
	}
	return out, nil
}

// ChainEnd implements book.Poster.
func (s *Store) ChainEnd(ctx context.Context, _ book.Lane, m pay.MerchantID) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head(m).Seq, ctx.Err()
}
