package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"huika/acquirer/book"
	"huika/acquirer/payment"
)

// writer is one connection that commits, and what is remembered of the lanes
// that keep to it. Who has the connection has the memory.
type writer struct {
	s     *Store
	pool  *pgxpool.Pool // of one connection
	lanes map[book.Lane]*memory
	stale atomic.Bool // the connection was lost: another server may know less
}

func (s *Store) writer(lane book.Lane) *writer { return s.writers[int(lane)%Writers] }

// Apply implements book.Store: one transaction a lane. The context counts until
// a transaction begins; from then on it is finished. What ends a single lane's
// batch is Apply's own error; of several, each lane has its own.
func (s *Store) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	out := make([]book.LaneResult, len(batches))
	for i, in := range batches {
		var err error
		out[i], err = s.lane(ctx, in)
		out[i].Lane = in.Lane
		if err != nil && !errors.Is(err, book.ErrFenced) && len(batches) == 1 {
			return nil, err
		}
		out[i].Err = err
	}
	return out, nil
}

// lane applies one lane's batch, again and again where that may help, but not for ever.
func (s *Store) lane(ctx context.Context, in book.LaneBatch) (book.LaneResult, error) {
	w, start := s.writer(in.Lane), s.env.Now()
	for pause, cold := firstPause, false; ; pause = min(2*pause, maxPause) {
		out, err := w.try(ctx, in, cold)
		switch {
		case err == nil, errors.Is(err, book.ErrFenced), errors.Is(err, book.ErrUnknown):
			return out, err
		case ctx.Err() != nil:
			return out, ctx.Err()
		case errors.Is(err, errNotDurable) || s.broken.Load():
			return out, fmt.Errorf("%w: %w", book.ErrBroken, err)
		case !again(err), s.env.Now().Sub(start) > retryFor:
			return out, fmt.Errorf("%w: %w", book.ErrNotApplied, err)
		}
		if errors.Is(err, errStale) && !cold {
			cold = true // what was remembered did not hold: look, and decide again
			continue
		}
		if err := s.env.Sleep(ctx, pause); err != nil {
			return out, err
		}
	}
}

// errStale says that a row is not what was remembered of it.
var errStale = errors.New("books: a row is not what was remembered of it")

// try is one transaction, or none. A cold one remembers nothing and reads all that it needs.
func (w *writer) try(ctx context.Context, in book.LaneBatch, cold bool) (out book.LaneResult, err error) {
	wait, cancel := w.s.env.WithTimeout(ctx, connectLimit)
	conn, err := w.pool.Acquire(wait)
	cancel()
	if err != nil {
		return out, err
	}
	defer conn.Release()
	if w.stale.Swap(false) {
		for _, m := range w.lanes {
			m.forget()
		}
	}
	m := w.lanes[in.Lane]
	if m == nil {
		m = newMemory(in.Lane)
		w.lanes[in.Lane] = m
	}
	if cold || m.epoch != in.Epoch {
		m.forget()
	}
	finish, cancel := w.s.env.WithTimeout(context.WithoutCancel(ctx), applyLimit)
	defer cancel()
	b := &batch{s: w.s, lane: in.Lane, m: m, conn: conn.Conn(), rows: map[payment.Key]*entry{}, cold: cold}
	out, err = b.run(finish, in)
	if err != nil {
		m.forget()
		return out, errors.Join(err, b.rollback(finish))
	}
	m.epoch = in.Epoch
	m.learn(b)
	return out, nil
}

// rollback ends a transaction that is not wanted. A connection on which that
// can't be done is closed, and the server forgets the transaction with it.
func (b *batch) rollback(ctx context.Context) error {
	if pc := b.conn.PgConn(); pc.IsClosed() || pc.TxStatus() == transactionIdle {
		return nil
	}
	if _, err := b.conn.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol); err != nil {
		return b.conn.Close(ctx)
	}
	return nil
}

// commit ends a transaction that is wanted.
func (b *batch) commit(ctx context.Context) error {
	pc := b.conn.PgConn()
	results, err := pc.Exec(ctx, "COMMIT").ReadAll()
	var tag pgconn.CommandTag
	if len(results) == 1 {
		tag = results[0].CommandTag
		err = errors.Join(err, results[0].Err)
	}
	return committed(tag, err, pc)
}

// keepable reports whether a text can stand in the database: UTF-8 without NUL.
func keepable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// unkeepable refuses an operation with text that the database would refuse, so
// that it does not spoil its batch.
func unkeepable(op book.Op) bool {
	texts := []string{string(op.Key.Merchant), string(op.Key.Terminal), op.Key.Batch, op.Response, op.AuthCode, op.ReversalReason}
	if p := op.New; p != nil {
		texts = append(texts, string(p.ID), p.MaskedPAN, string(p.RRN), p.Entry, p.CVM, p.Scheme, p.SchemeTime, p.Response, p.AuthCode,
			p.ReversalReason, string(p.Original.Terminal), p.Original.Batch, p.FeeRule)
	}
	for _, s := range texts {
		if !keepable(s) {
			return true
		}
	}
	return false
}

var formatRefusal = payment.Refusal{Code: "30", Why: "the message holds text that is not UTF-8"}
