package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// send sends queued statements in one round trip and reads their answers with f.
func (b *batch) send(ctx context.Context, q *pgx.Batch, f func(pgx.BatchResults) error) error {
	r := b.conn.SendBatch(ctx, q)
	err := f(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return err
}

// read takes the answers of look.
func (b *batch) read(r pgx.BatchResults, keys []payment.Key, chains []pay.MerchantID) error {
	row := newPaymentRow()
	for _, k := range keys {
		p, err := row.scan(r.QueryRow())
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		b.rows[k] = &entry{was: p, now: p}
	}
	for _, m := range chains {
		var seq uint64
		var hash []byte
		err := r.QueryRow().Scan(&seq, &hash)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		h := book.Head{Seq: seq}
		copy(h.Hash[:], hash)
		b.heads[m] = h
	}
	return nil
}

// decide works the operations out, in memory.
func (b *batch) decide(ops []book.Op, out *book.LaneResult) error {
	out.Results = make([]book.Result, 0, len(ops))
	moved := map[pay.MerchantID]bool{}
	for _, op := range ops {
		if unkeepable(op) {
			out.Results = append(out.Results, book.Result{Status: book.Refused, Refusal: formatRefusal})
			continue
		}
		d, err := book.Decide(b.load, op)
		if err != nil {
			return err
		}
		if e := b.rows[op.Key]; len(d.Rows) == 0 && e.guessed && !e.written {
			return errStale // nothing is written that would tell whether it is new
		}
		for _, p := range d.Rows {
			e := b.rows[p.Key]
			if e.now = p; !e.written {
				e.written = true
				b.order = append(b.order, e)
			}
		}
		for _, p := range d.Postings {
			b.book(op.Key, p, op.At)
			moved[op.Key.Merchant] = true
		}
		out.Results = append(out.Results, d.Result)
	}
	b.ends(moved, out)
	return nil
}

// book gives a posting its place in its merchant's chain.
func (b *batch) book(k payment.Key, p book.Posting, at time.Time) {
	t := book.Chain(b.lane, k, p, at, b.heads[k.Merchant])
	b.heads[k.Merchant] = book.Head{Seq: t.Seq, Hash: t.Hash}
	b.transfers = append(b.transfers, t)
}

func (b *batch) ends(moved map[pay.MerchantID]bool, out *book.LaneResult) {
	for m := range moved {
		out.Heads = append(out.Heads, book.MerchantHead{Merchant: m, Head: b.heads[m]})
	}
}

func (b *batch) load(k payment.Key) (payment.Payment, error) {
	e, ok := b.rows[k]
	if !ok {
		return payment.Payment{}, errStale
	}
	return e.now, nil
}

// write sends what was decided, behind the transaction's beginning if that is
// still to come, and checks that every row found its place.
func (b *batch) write(ctx context.Context) error {
	q := &pgx.Batch{}
	first := !b.begun
	if first {
		b.begin(q)
	}
	var fresh, changed []*entry
	for _, e := range b.order {
		if e.was.State == payment.None {
			fresh = append(fresh, e)
		} else {
			changed = append(changed, e)
		}
	}
	var want []int64 // rows that each statement must write
	for at, n := 0, 0; at < len(fresh); at += n {
		n = rowsOf(len(fresh) - at)
		args := make([]any, 0, n*(columns+1))
		for _, e := range fresh[at : at+n] {
			args = values(append(args, b.s.nextPlace(e.now.Admitted)), &e.now)
		}
		q.Queue(b.m.sql.payments[n], args...)
		want = append(want, int64(n))
	}
	for _, e := range changed {
		q.Queue(b.m.sql.update, change(e)...)
		want = append(want, 1)
	}
	for at, n := 0, 0; at < len(b.transfers); at += n {
		n = rowsOf(len(b.transfers) - at)
		args := make([]any, 0, n*transferWidth)
		for i := range b.transfers[at : at+n] {
			args = transferValues(args, &b.transfers[at+i])
		}
		q.Queue(b.m.sql.transfers[n], args...)
		want = append(want, int64(n))
	}
	if q.Len() == 0 {
		return nil
	}
	err := b.send(ctx, q, func(r pgx.BatchResults) error {
		if first {
			if err := b.own(r); err != nil {
				return err
			}
		}
		for _, n := range want {
			tag, err := r.Exec()
			if err != nil {
				return taken(err)
			}
			if tag.RowsAffected() != n {
				return errStale
			}
		}
		return nil
	})
	if err != nil || b.claim == "" {
		return err
	}
	tag, err := b.conn.Exec(ctx, b.claim, b.epoch)
	if err == nil && tag.RowsAffected() != 1 {
		err = errStale // another host has just made the row
	}
	return err
}

// taken turns the refusal of a key that has a row into errStale: what was taken
// for new is not, or a chain goes on elsewhere. A key is hardly ever taken, so
// an INSERT that fails is cheaper than one that looks first.
func taken(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == codeUnique {
		return errStale
	}
	return err
}

// rowsOf is the largest statement that n rows fill.
func rowsOf(n int) int {
	size := MaxRows
	for size > n {
		size /= 2
	}
	return size
}

// change are the arguments of update.
func change(e *entry) []any {
	k, was, p := &e.now.Key, &e.was, &e.now
	return []any{
		string(k.Merchant), string(k.Terminal), k.Batch, int32(k.STAN), int16(k.Kind),
		int16(was.State), was.Held, was.Taken, was.Updated.UnixMilli(),
		int16(p.State), p.Updated.UnixMilli(), p.Response, p.AuthCode, p.ReversalReason, p.Held, p.Taken, p.Fee, p.FeeBack, p.Hold,
	}
}
