package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Unresolved implements book.Store.
func (s *Store) Unresolved(ctx context.Context, lane book.Lane, after book.Cursor) ([]payment.Payment, error) {
	a := after.After
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND state IN (1,4,9)
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

// Merchants implements book.Reader.
func (s *Store) Merchants(ctx context.Context, f func(book.Lane, pay.MerchantID) error) error {
	// One merchant at a time, so that neither a long read nor a list of all is held while f works.
	lane, m := book.Lane(0), pay.MerchantID("")
	for {
		err := s.read.QueryRowContext(ctx, `SELECT lane, merchant FROM (
 SELECT * FROM (SELECT lane, merchant FROM payments WHERE (lane, merchant) > (?1, ?2) ORDER BY lane, merchant LIMIT 1)
 UNION SELECT * FROM (SELECT lane, merchant FROM transfers WHERE (lane, merchant) > (?1, ?2) ORDER BY lane, merchant LIMIT 1))
 ORDER BY lane, merchant LIMIT 1`, lane, m).Scan(&lane, &m)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return before(ctx, err)
		}
		if err := f(lane, m); err != nil {
			return err
		}
	}
}

// Transfers implements book.Reader.
func (s *Store) Transfers(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(book.Transfer) error) error {
	return s.transfers(ctx, s.read, lane, m, 0, f)
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (*Store) transfers(ctx context.Context, q querier, lane book.Lane, m pay.MerchantID, after uint64, f func(book.Transfer) error) error {
	rows, err := q.QueryContext(ctx, `SELECT seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, hash
 FROM transfers WHERE lane=? AND merchant=? AND seq>? ORDER BY seq`, lane, m, after)
	if err != nil {
		return before(ctx, err)
	}
	var prev book.Hash // of the row before: rows that are read from the middle on do not show theirs
	return each(ctx, rows, func() error {
		t := book.Transfer{Lane: lane, Merchant: m, Prev: prev}
		var at int64
		var hash []byte
		if err := rows.Scan(&t.Seq, &t.Payment.Terminal, &t.Payment.Batch, &t.Payment.STAN, &t.Payment.Kind,
			&t.Debit, &t.Credit, &t.Amount.Minor, &t.Amount.Currency, &t.What, &at, &hash); err != nil {
			return before(ctx, err)
		}
		t.Payment.Merchant, t.At = t.Merchant, time.UnixMilli(at).UTC()
		copy(t.Hash[:], hash)
		prev = t.Hash
		return f(t)
	})
}

// Payments implements book.Reader.
func (s *Store) Payments(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(payment.Payment) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND merchant=? ORDER BY terminal, batch, stan, kind`, lane, m)
	if err != nil {
		return before(ctx, err)
	}
	return each(ctx, rows, func() error {
		p, err := scan(rows)
		if err != nil {
			return before(ctx, err)
		}
		return f(p)
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
