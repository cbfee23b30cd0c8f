package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Post implements book.Poster: one transaction for all lanes.
func (s *Store) Post(ctx context.Context, batches []book.LaneMoves) ([]book.LaneResult, error) {
	return s.writing(ctx, func(b *batch) ([]book.LaneResult, error) { return b.moves(batches) })
}

func (b *batch) moves(batches []book.LaneMoves) ([]book.LaneResult, error) {
	epochs, err := b.epochs()
	if err != nil {
		return nil, err
	}
	out := make([]book.LaneResult, len(batches))
	for i, in := range batches {
		out[i].Lane = in.Lane
		if out[i].Err, err = b.enter(epochs, in.Lane, in.Epoch); err != nil {
			return nil, err
		} else if out[i].Err != nil {
			continue
		}
		out[i].Results = make([]book.Result, len(in.Moves))
		var last pay.MerchantID
		for k, m := range in.Moves {
			head, err := b.head(in.Lane, m.Merchant)
			if err != nil {
				return nil, err
			}
			res, err := book.DecideMove(m, head, func(seq uint64) (book.Transfer, error) { return b.transferAt(in.Lane, m.Merchant, seq) })
			if err != nil {
				return nil, err
			}
			out[i].Results[k] = res
			if res.Status != book.Applied {
				continue
			}
			if err := b.post(in.Lane, m.Key(), m.Posting, m.At); err != nil {
				return nil, err
			}
			if n := len(out[i].Heads); n > 0 && last == m.Merchant {
				out[i].Heads = out[i].Heads[:n-1] // only the last end counts
			}
			last = m.Merchant
			out[i].Heads = append(out[i].Heads, book.MerchantHead{Merchant: m.Merchant, Head: b.heads[m.Merchant]})
		}
	}
	return out, nil
}

// transferColumnCount is how many transferColumns names.
const transferColumnCount = 13

// transferAt is one row, which must be there.
func (b *batch) transferAt(lane book.Lane, m pay.MerchantID, seq uint64) (t book.Transfer, err error) {
	if err := b.flush(); err != nil {
		return t, err
	}
	var dest [transferColumnCount]driver.Value
	err = b.r.with(int64(lane), string(m), int64(seq)).query(stTransferAt, dest[:], func() error {
		t, err = transferOf(lane, dest[:])
		return err
	})
	if err == nil && t.Seq != seq {
		err = fmt.Errorf("row %d of merchant %s is missing", seq, m)
	}
	return t, err
}

// ChainEnd implements book.Poster.
func (s *Store) ChainEnd(ctx context.Context, lane book.Lane, m pay.MerchantID) (seq uint64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM transfers WHERE lane=? AND merchant=?`, lane, m).Scan(&seq)
	if err != nil {
		return 0, before(ctx, err)
	}
	return seq, nil
}

// transferOf is a row of transferColumns; Prev is not among them.
func transferOf(lane book.Lane, v []driver.Value) (t book.Transfer, err error) {
	r := reader{v: v}
	t.Lane, t.Merchant, t.Seq = lane, pay.MerchantID(r.text()), uint64(r.number())
	t.Payment = payment.Key{Merchant: t.Merchant, Terminal: pay.TerminalID(r.text()), Batch: r.text(), STAN: pay.STAN(r.number()), Kind: payment.Kind(r.number())}
	t.Debit, t.Credit = book.Account(r.text()), book.Account(r.text())
	t.Amount = pay.Money{Minor: r.number(), Currency: pay.Currency(r.number())}
	t.What, t.At = r.text(), time.UnixMilli(r.number()).UTC()
	copy(t.Hash[:], r.bytes())
	return t, r.err
}
