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
	"huika/pay"
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
		out[i] = s.lane(ctx, in.Lane, in.Epoch, func(ctx context.Context, b *batch) (book.LaneResult, error) { return b.apply(ctx, in.Ops) })
	}
	return alone(out)
}

// alone makes the error of a single lane the call's own, unless it is about the lane.
func alone(out []book.LaneResult) ([]book.LaneResult, error) {
	if len(out) == 1 && out[0].Err != nil && !errors.Is(out[0].Err, book.ErrFenced) {
		return nil, out[0].Err
	}
	return out, nil
}

// work is what a transaction does before it commits.
type work func(context.Context, *batch) (book.LaneResult, error)

// lane does one lane's work, again and again where that may help, but not for ever.
func (s *Store) lane(ctx context.Context, lane book.Lane, epoch uint64, f work) book.LaneResult {
	out, err := s.tries(ctx, lane, epoch, f)
	out.Lane, out.Err = lane, err
	return out
}

func (s *Store) tries(ctx context.Context, lane book.Lane, epoch uint64, f work) (book.LaneResult, error) {
	w, start := s.writer(lane), s.env.Now()
	for pause, cold := firstPause, false; ; pause = min(2*pause, maxPause) {
		out, err := w.try(ctx, lane, epoch, cold, f)
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
func (w *writer) try(ctx context.Context, lane book.Lane, epoch uint64, cold bool, f work) (out book.LaneResult, err error) {
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
	m := w.lanes[lane]
	if m == nil {
		m = newMemory(lane)
		w.lanes[lane] = m
	}
	if cold || m.epoch != epoch {
		m.forget()
	}
	finish, cancel := w.s.env.WithTimeout(context.WithoutCancel(ctx), applyLimit)
	defer cancel()
	b := &batch{s: w.s, lane: lane, epoch: epoch, m: m, conn: conn.Conn(), rows: map[payment.Key]*entry{}, heads: map[pay.MerchantID]book.Head{}, cold: cold}
	if out, err = f(finish, b); err == nil {
		err = b.commit(finish)
	}
	if err != nil {
		m.forget()
		if rerr := b.rollback(finish); rerr != nil {
			err = errors.Join(err, rerr)
		}
		return out, err
	}
	m.epoch = epoch
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
