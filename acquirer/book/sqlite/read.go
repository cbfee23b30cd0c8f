package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Unresolved implements book.Store.
func (s *Store) Unresolved(ctx context.Context, lane book.Lane, after book.Cursor) ([]payment.Payment, error) {
	a := after.After
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments INDEXED BY payments_open WHERE lane=? AND (state=1 OR state=4 OR state=9)
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

// FindRRN implements book.Store.
func (s *Store) FindRRN(ctx context.Context, lane book.Lane, m pay.MerchantID, rrn pay.RRN, kinds ...payment.Kind) (best payment.Payment, found bool, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND rrn=? AND merchant=? ORDER BY admitted_ms DESC`, lane, rrn, m)
	if err != nil {
		return best, false, before(ctx, err)
	}
	err = each(ctx, rows, func() error {
		p, err := scan(rows)
		if !found && slices.Contains(kinds, p.Key.Kind) {
			best, found = p, true
		}
		return err
	})
	return best, found, err
}

// Batch implements book.Store.
func (s *Store) Batch(ctx context.Context, lane book.Lane, m pay.MerchantID, t pay.TerminalID, batch string) (out book.BatchTotals, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND merchant=? AND terminal=? AND batch=?`, lane, m, t, batch)
	if err != nil {
		return out, before(ctx, err)
	}
	err = each(ctx, rows, func() error {
		p, err := scan(rows)
		if err == nil {
			out.Add(p)
		}
		return err
	})
	return out, err
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
