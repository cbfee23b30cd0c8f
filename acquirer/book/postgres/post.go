package postgres

import (
	"context"
	"fmt"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Post implements book.Poster: one transaction a lane; see Apply.
func (s *Store) Post(ctx context.Context, batches []book.LaneMoves) ([]book.LaneResult, error) {
	out := make([]book.LaneResult, len(batches))
	for i, in := range batches {
		out[i] = s.lane(ctx, in.Lane, in.Epoch, func(ctx context.Context, b *batch) (book.LaneResult, error) { return b.post(ctx, in.Moves) })
	}
	return alone(out)
}

// post books moves. It always looks at the chains first: moves are few.
func (b *batch) post(ctx context.Context, moves []book.Move) (out book.LaneResult, err error) {
	asked, moved := map[pay.MerchantID]bool{}, map[pay.MerchantID]bool{}
	var chains []pay.MerchantID
	for _, m := range moves {
		if keepable(string(m.Merchant)) && !asked[m.Merchant] {
			asked[m.Merchant] = true
			chains = append(chains, m.Merchant)
		}
	}
	if len(chains) > 0 {
		if err := b.look(ctx, nil, chains); err != nil {
			return out, err
		}
	}
	for _, m := range moves {
		if !asked[m.Merchant] {
			out.Results = append(out.Results, book.Result{Status: book.Refused, Refusal: formatRefusal})
			continue
		}
		res, err := book.DecideMove(m, b.heads[m.Merchant], func(seq uint64) (book.Transfer, error) { return b.transfer(ctx, m.Merchant, seq) })
		if err != nil {
			return out, err
		}
		if res.Status == book.Applied {
			b.book(m.Key(), m.Posting, m.At)
			moved[m.Merchant] = true
		}
		out.Results = append(out.Results, res)
	}
	b.ends(moved, &out)
	return out, b.write(ctx)
}

// transfer is one row of a chain, in the table or about to be, which must be there.
func (b *batch) transfer(ctx context.Context, m pay.MerchantID, seq uint64) (book.Transfer, error) {
	for _, t := range b.transfers {
		if t.Merchant == m && t.Seq == seq {
			return t, nil
		}
	}
	r := newTransferRow(b.lane)
	if err := b.conn.QueryRow(ctx, b.m.sql.row, string(m), int64(seq)).Scan(r.to[:]...); err != nil {
		return book.Transfer{}, fmt.Errorf("row %d of merchant %s: %w", seq, m, err)
	}
	return r.take(), nil
}

// ChainEnd implements book.Poster.
func (s *Store) ChainEnd(ctx context.Context, lane book.Lane, m pay.MerchantID) (seq uint64, err error) {
	if !keepable(string(m)) {
		return 0, nil
	}
	err = s.read.QueryRow(ctx, fmt.Sprintf(`SELECT coalesce(max(seq), 0) FROM transfers WHERE lane = %d AND merchant = $1`, lane), string(m)).Scan(&seq)
	if err != nil {
		return 0, before(ctx, err)
	}
	return seq, nil
}

// TransfersAfter is up to limit rows of a merchant's chain behind row seq, in
// chain order. Prev of the first is zero where seq is not.
func (s *Store) TransfersAfter(ctx context.Context, lane book.Lane, m pay.MerchantID, seq uint64, limit int) (out []book.Transfer, err error) {
	if !keepable(string(m)) || limit <= 0 {
		return nil, nil
	}
	return s.rows(ctx, lane, `merchant = $1 AND seq > $2 ORDER BY seq LIMIT $3`, string(m), int64(seq), limit)
}

// TransfersOf is what one payment moved, in chain order; Prev is not filled in.
func (s *Store) TransfersOf(ctx context.Context, lane book.Lane, k payment.Key) (out []book.Transfer, err error) {
	p, found, err := s.Find(ctx, lane, k)
	if err != nil || !found {
		return nil, err
	}
	// They stand between the payment's first and last writing: the chain goes by time.
	from, err := s.SeqAt(ctx, lane, k.Merchant, p.Admitted.Add(-book.ClockSlack))
	if err != nil {
		return nil, err
	}
	to, err := s.SeqAt(ctx, lane, k.Merchant, p.Updated.Add(book.ClockSlack))
	if err != nil {
		return nil, err
	}
	out, err = s.rows(ctx, lane, `merchant = $1 AND seq > $2 AND seq <= $3 AND terminal = $4 AND batch = $5 AND stan = $6 AND kind = $7 ORDER BY seq`,
		string(k.Merchant), int64(from), int64(to), string(k.Terminal), k.Batch, int32(k.STAN), int16(k.Kind))
	for i := range out {
		out[i].Prev = book.Hash{}
	}
	return out, err
}

func (s *Store) rows(ctx context.Context, lane book.Lane, where string, args ...any) (out []book.Transfer, err error) {
	r := newTransferRow(lane)
	var prev book.Hash
	rows, err := s.read.Query(ctx, fmt.Sprintf(`SELECT %s FROM transfers WHERE lane = %d AND `, transferColumns, lane)+where, args...)
	err = each(ctx, rows, err, r.to[:], func() error {
		t := r.take()
		t.Prev, prev = prev, t.Hash
		out = append(out, t)
		return nil
	})
	return out, err
}

// SeqAt is the last row of a merchant's chain that was written before at, 0
// where there is none; exact as far as the host's clock only went forward. It
// halves the chain: no index goes by time.
func (s *Store) SeqAt(ctx context.Context, lane book.Lane, m pay.MerchantID, at time.Time) (uint64, error) {
	end, err := s.ChainEnd(ctx, lane, m)
	if err != nil {
		return 0, err
	}
	low, high := uint64(0), end // the answer is in [low, high]
	for low < high {
		mid := low + (high-low+1)/2
		var ms int64
		err := s.read.QueryRow(ctx, fmt.Sprintf(`SELECT at_ms FROM transfers WHERE lane = %d AND merchant = $1 AND seq >= $2 ORDER BY seq LIMIT 1`, lane),
			string(m), int64(mid)).Scan(&ms)
		switch {
		case err != nil:
			return 0, before(ctx, err)
		case ms < millis(at):
			low = mid
		default:
			high = mid - 1
		}
	}
	return low, nil
}
