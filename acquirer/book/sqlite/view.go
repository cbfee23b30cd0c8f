package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// view is a book.Reader over the read connections, or over one transaction.
type view struct{ q querier }

var _ book.Reader = view{}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Snapshot implements book.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, f func(book.Reader) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return before(ctx, err)
	}
	return errors.Join(f(view{tx}), undo(tx))
}

// Merchants implements book.Reader.
func (s *Store) Merchants(ctx context.Context, f func(book.Lane, pay.MerchantID) error) error {
	return view{s.read}.Merchants(ctx, f)
}

// Transfers implements book.Reader.
func (s *Store) Transfers(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(book.Transfer) error) error {
	return view{s.read}.Transfers(ctx, lane, m, f)
}

// Payments implements book.Reader.
func (s *Store) Payments(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(payment.Payment) error) error {
	return view{s.read}.Payments(ctx, lane, m, f)
}

// Checkpoints implements book.Reader.
func (s *Store) Checkpoints(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(uint64, book.Balances) error) error {
	return view{s.read}.Checkpoints(ctx, lane, m, f)
}

// Merchants implements book.Reader.
func (v view) Merchants(ctx context.Context, f func(book.Lane, pay.MerchantID) error) error {
	// One merchant at a time, so that neither a long read nor a list of all is held while f works.
	lane, m := book.Lane(0), pay.MerchantID("")
	for {
		err := v.q.QueryRowContext(ctx, `SELECT lane, merchant FROM (
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
func (v view) Transfers(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(book.Transfer) error) error {
	return v.transfers(ctx, lane, m, 0, f)
}

func (v view) transfers(ctx context.Context, lane book.Lane, m pay.MerchantID, after uint64, f func(book.Transfer) error) error {
	rows, err := v.q.QueryContext(ctx, `SELECT `+chainColumns+` FROM transfers WHERE lane=? AND merchant=? AND seq>? ORDER BY seq`, lane, m, after)
	if err != nil {
		return before(ctx, err)
	}
	return eachTransfer(ctx, rows, lane, m, f)
}

const chainColumns = `seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, hash`

// eachTransfer calls f for each row of chainColumns.
func eachTransfer(ctx context.Context, rows *sql.Rows, lane book.Lane, m pay.MerchantID, f func(book.Transfer) error) error {
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
func (v view) Payments(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(payment.Payment) error) error {
	rows, err := v.q.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE lane=? AND merchant=? ORDER BY terminal, batch, stan, kind`, lane, m)
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
