package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
)

// Unresolved implements book.Store.
func (s *Store) Unresolved(ctx context.Context, lane book.Lane, after book.Cursor) ([]payment.Payment, error) {
	a := after.After
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND state IN (1,4)
 AND (merchant, terminal, batch, stan, kind) > (?,?,?,?,?) ORDER BY merchant, terminal, batch, stan, kind LIMIT ?`,
		lane, a.Merchant, a.Terminal, a.Batch, a.STAN, a.Kind, book.UnresolvedPage)
	if err != nil {
		return nil, before(ctx, err)
	}
	var out []payment.Payment
	err = each(ctx, rows, func() error {
		p, err := scan(rows)
		out = append(out, p)
		return err
	})
	return out, err
}

// Find implements book.Store.
func (s *Store) Find(ctx context.Context, lane book.Lane, k payment.Key) (payment.Payment, bool, error) {
	p, err := scan(s.read.QueryRowContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND merchant=? AND terminal=? AND batch=? AND stan=? AND kind=?`,
		lane, k.Merchant, k.Terminal, k.Batch, k.STAN, k.Kind))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, false, nil
	case err != nil:
		return p, false, before(ctx, err)
	}
	return p, true, nil
}

// Transfers implements book.Reader.
func (s *Store) Transfers(ctx context.Context, f func(book.Transfer) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT lane, merchant, seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, prev, hash
 FROM transfers ORDER BY lane, merchant, seq`)
	if err != nil {
		return before(ctx, err)
	}
	return each(ctx, rows, func() error {
		var t book.Transfer
		var at int64
		var prev, hash []byte
		if err := rows.Scan(&t.Lane, &t.Merchant, &t.Seq, &t.Payment.Terminal, &t.Payment.Batch, &t.Payment.STAN, &t.Payment.Kind,
			&t.Debit, &t.Credit, &t.Amount.Minor, &t.Amount.Currency, &t.What, &at, &prev, &hash); err != nil {
			return before(ctx, err)
		}
		t.Payment.Merchant, t.At = t.Merchant, time.UnixMilli(at).UTC()
		copy(t.Prev[:], prev)
		copy(t.Hash[:], hash)
		return f(t)
	})
}

// Payments implements book.Reader.
func (s *Store) Payments(ctx context.Context, f func(book.Lane, payment.Payment) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT lane, `+paymentColumns+` FROM payments ORDER BY lane, merchant, terminal, batch, stan, kind`)
	if err != nil {
		return before(ctx, err)
	}
	return each(ctx, rows, func() error {
		var lane book.Lane
		p, err := scan(rows, &lane)
		if err != nil {
			return before(ctx, err)
		}
		return f(lane, p)
	})
}

func each(ctx context.Context, rows *sql.Rows, f func() error) error {
	for rows.Next() {
		if err := f(); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return before(ctx, err)
	}
	return nil
}
