package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
	"huika/pay"
)

// inTx runs f in one durable transaction on the lane's writer. f may run again.
func (s *Store) inTx(ctx context.Context, lane book.Lane, level pgx.TxIsoLevel, f func(*pgx.Conn) error) error {
	start := s.env.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := s.writer(lane).once(ctx, level, f)
		switch {
		case err == nil, errors.Is(err, book.ErrUnknown), errors.Is(err, book.ErrConflict):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !again(err), s.env.Now().Sub(start) > retryFor:
			return before(ctx, err)
		}
		if err := s.env.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func (w *writer) once(ctx context.Context, level pgx.TxIsoLevel, f func(*pgx.Conn) error) error {
	wait, cancel := w.s.env.WithTimeout(ctx, connectLimit)
	conn, err := w.pool.Acquire(wait)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Release()
	finish, cancel := w.s.env.WithTimeout(context.WithoutCancel(ctx), applyLimit)
	defer cancel()
	b := batch{conn: conn.Conn()}
	if _, err := b.conn.Exec(finish, "BEGIN ISOLATION LEVEL "+string(level)); err != nil {
		return err
	}
	if err := f(b.conn); err != nil {
		return errors.Join(err, b.rollback(finish))
	}
	if err := b.commit(finish); err != nil {
		return errors.Join(err, b.rollback(finish))
	}
	return nil
}

// Checkpoint implements book.Store.
func (s *Store) Checkpoint(ctx context.Context, lane book.Lane, m pay.MerchantID) error {
	if !keepable(string(m)) {
		return nil
	}
	return s.inTx(ctx, lane, pgx.RepeatableRead, func(c *pgx.Conn) error {
		b, seq, last, err := balances(ctx, c, lane, m)
		if err != nil || seq == last {
			return err
		}
		q := &pgx.Batch{}
		for currency, accounts := range b {
			for account, n := range accounts {
				q.Queue(fmt.Sprintf(`INSERT INTO checkpoints (lane, merchant, seq, currency, account, balance) VALUES (%d, $1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, lane),
					string(m), int64(seq), int16(currency), string(account), n)
			}
		}
		return c.SendBatch(ctx, q).Close()
	})
}

// Balances implements book.Store.
func (s *Store) Balances(ctx context.Context, lane book.Lane, m pay.MerchantID) (b book.Balances, err error) {
	if !keepable(string(m)) {
		return book.Balances{}, nil
	}
	tx, err := s.read.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, before(ctx, err)
	}
	b, _, _, err = balances(ctx, tx, lane, m)
	if rerr := tx.Rollback(context.WithoutCancel(ctx)); err == nil && rerr != nil {
		err = before(ctx, rerr)
	}
	return b, err
}

// balances are the last checkpoint, behind row last, and the rows up to seq.
func balances(ctx context.Context, q querier, lane book.Lane, m pay.MerchantID) (b book.Balances, seq, last uint64, err error) {
	v := view{q}
	b = book.Balances{}
	if err := q.QueryRow(ctx, fmt.Sprintf(`SELECT coalesce(max(seq), 0) FROM checkpoints WHERE lane = %d AND merchant = $1`, lane), string(m)).Scan(&last); err != nil {
		return nil, 0, 0, before(ctx, err)
	}
	if last > 0 {
		if err := v.points(ctx, lane, m, last, func(_ uint64, at book.Balances) error { b = at; return nil }); err != nil {
			return nil, 0, 0, err
		}
	}
	seq = last
	err = v.transfers(ctx, lane, m, last, func(t book.Transfer) error {
		b.Move(t.Posting)
		seq = t.Seq
		return nil
	})
	return b, seq, last, err
}

// Lease implements book.Leases. All lanes are asked for in one transaction, in
// their order, so that two hosts that ask at once do not wait for each other in a ring.
func (s *Store) Lease(ctx context.Context, owner string, lanes []book.Lane, now time.Time, ttl time.Duration) (map[book.Lane]uint64, error) {
	if len(lanes) == 0 {
		return map[book.Lane]uint64{}, nil
	}
	var out map[book.Lane]uint64
	lanes = inOrder(lanes)
	err := s.inTx(ctx, lanes[0], pgx.ReadCommitted, func(c *pgx.Conn) error {
		out = map[book.Lane]uint64{}
		q := &pgx.Batch{}
		for _, l := range lanes {
			q.Queue(fmt.Sprintf(leaseText, l), owner, now.UnixMilli(), now.Add(ttl).UnixMilli())
		}
		r := c.SendBatch(ctx, q)
		for _, l := range lanes {
			var epoch uint64
			switch err := r.QueryRow().Scan(&epoch); {
			case errors.Is(err, pgx.ErrNoRows): // somebody else's
			case err != nil:
				return errors.Join(err, r.Close())
			default:
				out[l] = epoch
			}
		}
		return r.Close()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

const leaseText = `INSERT INTO lanes AS l (lane, epoch, owner, until_ms) VALUES (%d, 1, $1, $3)
 ON CONFLICT (lane) DO UPDATE SET epoch = l.epoch + CASE WHEN l.owner = excluded.owner THEN 0 ELSE 1 END, owner = excluded.owner, until_ms = excluded.until_ms
 WHERE l.owner = excluded.owner OR l.owner = '' OR l.until_ms <= $2 RETURNING epoch`

// Release implements book.Leases.
func (s *Store) Release(ctx context.Context, owner string) error {
	return s.inTx(ctx, 0, pgx.ReadCommitted, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `UPDATE lanes SET owner = '', until_ms = 0 WHERE lane IN (SELECT lane FROM lanes WHERE owner = $1 ORDER BY lane FOR UPDATE)`, owner)
		return err
	})
}
