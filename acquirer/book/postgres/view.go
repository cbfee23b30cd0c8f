package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// querier is the read connections, or one transaction on one of them.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// view is a book.Reader.
type view struct{ q querier }

var _ book.Reader = view{}

// Snapshot implements book.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, f func(book.Reader) error) error {
	tx, err := s.console.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return before(ctx, err)
	}
	err = f(view{tx})
	if rerr := tx.Rollback(context.WithoutCancel(ctx)); err == nil && rerr != nil && !errors.Is(rerr, pgx.ErrTxClosed) {
		err = before(ctx, rerr)
	}
	return err
}

// Merchants implements book.Reader.
func (s *Store) Merchants(ctx context.Context, f func(book.Lane, pay.MerchantID) error) error {
	return view{s.console}.Merchants(ctx, f)
}

// Transfers implements book.Reader.
func (s *Store) Transfers(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(book.Transfer) error) error {
	return view{s.console}.Transfers(ctx, lane, m, f)
}

// Payments implements book.Reader.
func (s *Store) Payments(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(payment.Payment) error) error {
	return view{s.console}.Payments(ctx, lane, m, f)
}

// Checkpoints implements book.Reader.
func (s *Store) Checkpoints(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(uint64, book.Balances) error) error {
	return view{s.console}.Checkpoints(ctx, lane, m, f)
}

// each reads rows into to, and calls f after each. f's error comes back as it is.
func each(ctx context.Context, rows pgx.Rows, err error, to []any, f func() error) error {
	if err != nil {
		return before(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return before(ctx, err)
		}
		if err := f(); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return before(ctx, err)
	}
	return nil
}

// eachPayment is each for rows of paymentColumns, behind those that go into lead.
func eachPayment(ctx context.Context, rows pgx.Rows, err error, lead []any, f func(payment.Payment) error) error {
	r := newPaymentRow()
	return each(ctx, rows, err, append(lead, r.to[:]...), func() error { return f(r.take()) })
}

// Merchants implements book.Reader.
func (v view) Merchants(ctx context.Context, f func(book.Lane, pay.MerchantID) error) error {
	// One merchant at a time, so that neither a long read nor a list of all is held while f works.
	lane, m := book.Lane(0), pay.MerchantID("")
	for {
		nextLane, next, found := lane, m, false
		for _, table := range [...]string{"payments", "transfers"} {
			var l int32
			var name string
			err := v.q.QueryRow(ctx, `SELECT lane, merchant FROM `+table+` WHERE (lane, merchant) > ($1, $2) ORDER BY lane, merchant LIMIT 1`,
				int32(lane), string(m)).Scan(&l, &name)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
			case err != nil:
				return before(ctx, err)
			case !found || book.Lane(l) < nextLane || book.Lane(l) == nextLane && pay.MerchantID(name) < next:
				nextLane, next, found = book.Lane(l), pay.MerchantID(name), true
			}
		}
		if !found {
			return nil
		}
		lane, m = nextLane, next
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
	var prev book.Hash // of the row before: rows that are read from the middle on do not show theirs
	r := newTransferRow(lane)
	rows, err := v.q.Query(ctx, fmt.Sprintf(`SELECT %s FROM transfers WHERE lane = %d AND merchant = $1 AND seq > $2 ORDER BY seq`, transferColumns, lane),
		string(m), int64(after))
	return each(ctx, rows, err, r.to[:], func() error {
		t := r.take()
		t.Prev, prev = prev, t.Hash
		return f(t)
	})
}

// Payments implements book.Reader.
func (v view) Payments(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(payment.Payment) error) error {
	rows, err := v.q.Query(ctx, fmt.Sprintf(`SELECT %s FROM payments WHERE lane = %d AND merchant = $1 ORDER BY terminal, batch, stan, kind`, paymentColumns, lane), string(m))
	return eachPayment(ctx, rows, err, nil, f)
}

// Checkpoints implements book.Reader.
func (v view) Checkpoints(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(uint64, book.Balances) error) error {
	return v.points(ctx, lane, m, 0, f)
}

// points calls f for each checkpoint from one on.
func (v view) points(ctx context.Context, lane book.Lane, m pay.MerchantID, from uint64, f func(uint64, book.Balances) error) error {
	var seq, at, n int64
	var currency int16
	var account book.Account
	b := book.Balances{}
	rows, err := v.q.Query(ctx, fmt.Sprintf(`SELECT seq, currency, account, balance FROM checkpoints WHERE lane = %d AND merchant = $1 AND seq >= $2 ORDER BY seq`, lane),
		string(m), int64(from))
	err = each(ctx, rows, err, []any{&seq, &currency, (*string)(&account), &n}, func() error {
		if seq != at && at != 0 {
			if err := f(uint64(at), b); err != nil {
				return err
			}
			b = book.Balances{}
		}
		at = seq
		c := pay.Currency(currency)
		if b[c] == nil {
			b[c] = map[book.Account]int64{}
		}
		b[c][account] = n
		return nil
	})
	if err != nil || at == 0 {
		return err
	}
	return f(uint64(at), b)
}
