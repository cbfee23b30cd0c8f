package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"huika/acquirer/book"
	"huika/pay"
)

// Checkpoint implements book.Store.
func (s *Store) Checkpoint(ctx context.Context, lane book.Lane, m pay.MerchantID) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		b, seq, last, err := balances(ctx, tx, lane, m)
		if err != nil || seq == last {
			return err
		}
		for _, c := range slices.Sorted(maps.Keys(b)) {
			for _, a := range slices.Sorted(maps.Keys(b[c])) {
				if _, err := tx.ExecContext(ctx, `INSERT INTO checkpoints (lane, merchant, seq, currency, account, balance) VALUES (?,?,?,?,?,?)`, lane, m, seq, c, a, b[c][a]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Balances implements book.Store.
func (s *Store) Balances(ctx context.Context, lane book.Lane, m pay.MerchantID) (book.Balances, error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, before(ctx, err)
	}
	b, _, _, err := balances(ctx, tx, lane, m)
	if err != nil {
		return nil, errors.Join(before(ctx, err), undo(tx))
	}
	return b, undo(tx)
}

// balances are the last checkpoint, behind row last, and the rows up to seq.
func balances(ctx context.Context, tx *sql.Tx, lane book.Lane, m pay.MerchantID) (b book.Balances, seq, last uint64, err error) {
	b = book.Balances{}
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM checkpoints WHERE lane=? AND merchant=?`, lane, m).Scan(&last); err != nil {
		return nil, 0, 0, err
	}
	if err := points(ctx, tx, lane, m, last, last, func(_ uint64, at book.Balances) error { b = at; return nil }); err != nil {
		return nil, 0, 0, err
	}
	seq = last
	err = view{tx}.transfers(ctx, lane, m, last, func(t book.Transfer) error {
		b.Move(t.Posting)
		seq = t.Seq
		return nil
	})
	return b, seq, last, err
}

// Checkpoints implements book.Reader.
func (v view) Checkpoints(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(uint64, book.Balances) error) error {
	return points(ctx, v.q, lane, m, 0, 1<<62, f)
}

func points(ctx context.Context, q querier, lane book.Lane, m pay.MerchantID, from, to uint64, f func(uint64, book.Balances) error) error {
	rows, err := q.QueryContext(ctx, `SELECT seq, currency, account, balance FROM checkpoints WHERE lane=? AND merchant=? AND seq BETWEEN ? AND ? ORDER BY seq`, lane, m, from, to)
	if err != nil {
		return before(ctx, err)
	}
	var at uint64
	b := book.Balances{}
	err = each(ctx, rows, func() error {
		var seq uint64
		var c pay.Currency
		var a book.Account
		var n int64
		if err := rows.Scan(&seq, &c, &a, &n); err != nil {
			return before(ctx, err)
		}
		if seq != at && at != 0 {
			if err := f(at, b); err != nil {
				return err
			}
			b = book.Balances{}
		}
		at = seq
		if b[c] == nil {
			b[c] = map[book.Account]int64{}
		}
		b[c][a] = n
		return nil
	})
	if err != nil || at == 0 {
		return err
	}
	return f(at, b)
}

// inTx runs f in one durable transaction.
func (s *Store) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return before(ctx, err)
	}
	if err := f(tx); err != nil {
		return errors.Join(before(ctx, err), undo(tx))
	}
	if err := tx.Commit(); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", book.ErrUnknown, err), undo(tx))
	}
	return nil
}

// Lease implements book.Leases.
func (s *Store) Lease(ctx context.Context, owner string, lanes []book.Lane, now time.Time, ttl time.Duration) (map[book.Lane]uint64, error) {
	out := map[book.Lane]uint64{}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		for _, l := range lanes {
			var epoch uint64
			err := tx.QueryRowContext(ctx, `INSERT INTO lanes (lane, epoch, owner, until_ms) VALUES (?1, 1, ?2, ?4)
 ON CONFLICT (lane) DO UPDATE SET epoch = epoch + (owner <> excluded.owner), owner = excluded.owner, until_ms = excluded.until_ms
 WHERE owner = excluded.owner OR owner = '' OR until_ms <= ?3 RETURNING epoch`, l, owner, now.UnixMilli(), now.Add(ttl).UnixMilli()).Scan(&epoch)
			if errors.Is(err, sql.ErrNoRows) {
				continue // somebody else's
			}
			if err != nil {
				return err
			}
			out[l] = epoch
		}
		return nil
	})
	return out, err
}

// Release implements book.Leases.
func (s *Store) Release(ctx context.Context, owner string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE lanes SET owner='', until_ms=0 WHERE owner=?`, owner)
		return err
	})
}
