package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Apply implements book.Store: one transaction for all lanes. The context
// counts until the transaction begins; from then on it is finished.
func (s *Store) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	return s.writing(ctx, func(b *batch) ([]book.LaneResult, error) { return b.run(batches) })
}

// writing has the writer's connection for one transaction.
func (s *Store) writing(ctx context.Context, f func(*batch) ([]book.LaneResult, error)) ([]book.LaneResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []book.LaneResult
	var failed error // of the books, as opposed to those of database/sql
	err := s.conn.Raw(func(any) error {
		out, failed = s.transact(f)
		return nil
	})
	if err != nil {
		return nil, before(ctx, err)
	}
	return out, failed
}

// transact runs f in one transaction and learns what it wrote once that is durable.
func (s *Store) transact(f func(*batch) ([]book.LaneResult, error)) ([]book.LaneResult, error) {
	r := &s.raw
	if err := s.refresh(); err != nil {
		return nil, fmt.Errorf("%w: %w", book.ErrNotApplied, err)
	}
	if err := r.with().exec(stBegin); err != nil {
		return nil, fmt.Errorf("%w: %w", book.ErrNotApplied, err)
	}
	b := batch{s: s, r: r, rows: map[payment.Key]stored{}, heads: map[pay.MerchantID]book.Head{}}
	out, err := f(&b)
	if err == nil {
		err = b.flush()
	}
	if err != nil {
		s.forget()
		return nil, errors.Join(fmt.Errorf("%w: %w", book.ErrNotApplied, err), r.with().exec(stRollback))
	}
	if err := r.with().exec(stCommit); err != nil {
		s.forget()
		// SQLite rolls back on a failed commit, except where the disk itself failed.
		if strings.Contains(err.Error(), "disk I/O error") {
			return nil, fmt.Errorf("%w: %w", book.ErrBroken, err)
		}
		if rerr := r.with().exec(stRollback); rerr != nil && !strings.Contains(rerr.Error(), "no transaction") {
			err = errors.Join(err, rerr)
		}
		return nil, fmt.Errorf("%w: %w", book.ErrUnknown, err)
	}
	s.learn(&b)
	return out, nil
}

func undo(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

func before(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", book.ErrNotApplied, err)
}

// stored is a payment's row and where it stands. at is 0 where there is none.
type stored struct {
	at  int64
	row payment.Payment
}

// batch is one transaction.
type batch struct {
	s     *Store
	r     *raw
	rows  map[payment.Key]stored // that this transaction has seen, as they stand in it
	heads map[pay.MerchantID]book.Head
	// rowsOut are transfers that have their place and are not written yet: they
	// go out together, in one statement for several.
	rowsOut []book.Transfer
}

func (b *batch) run(batches []book.LaneBatch) ([]book.LaneResult, error) {
	epochs, err := b.epochs()
	if err != nil {
		return nil, err
	}
	out := make([]book.LaneResult, len(batches))
	for i, in := range batches {
		out[i].Lane = in.Lane
		if out[i].Err, err = b.enter(epochs, in.Lane, in.Epoch); err != nil {
			return nil, err
		} else if out[i].Err != nil {
			continue
		}
		out[i].Results = make([]book.Result, 0, len(in.Ops))
		for _, op := range in.Ops {
			res, moved, err := b.op(in.Lane, op)
			if err != nil {
				return nil, err
			}
			out[i].Results = append(out[i].Results, res)
			if moved {
				out[i].Heads = append(out[i].Heads, book.MerchantHead{Merchant: op.Key.Merchant, Head: b.heads[op.Key.Merchant]})
			}
		}
	}
	return out, nil
}

// enter checks that a lane is the caller's: fenced where it is another host's.
func (b *batch) enter(epochs map[book.Lane]uint64, lane book.Lane, mine uint64) (fenced, err error) {
	switch epoch := epochs[lane]; {
	case mine < epoch:
		return book.ErrFenced, nil
	case mine > epoch:
		epochs[lane] = mine
		return nil, b.r.with(int64(lane), int64(mine)).exec(stSetEpoch)
	}
	return nil, nil
}

func (b *batch) epochs() (map[book.Lane]uint64, error) {
	out := map[book.Lane]uint64{}
	var dest [2]driver.Value
	err := b.r.with().query(stEpochs, dest[:], func() error {
		out[book.Lane(dest[0].(int64))] = uint64(dest[1].(int64))
		return nil
	})
	return out, err
}

// op applies one operation. A payment that begins is taken for new: only where
// its key turns out to be taken is the row read and decided about again.
func (b *batch) op(lane book.Lane, op book.Op) (book.Result, bool, error) {
	if _, seen := b.rows[op.Key]; op.New != nil && !seen {
		if _, known := b.s.open[op.Key]; !known {
			res, moved, err := b.decide(lane, op, true)
			if !errors.Is(err, errTaken) {
				return res, moved, err
			}
		}
	}
	return b.decide(lane, op, false)
}

// errTaken says that a payment that was taken for new has a row.
var errTaken = errors.New("books: the key is taken")

func (b *batch) decide(lane book.Lane, op book.Op, fresh bool) (book.Result, bool, error) {
	d, err := book.Decide(func(k payment.Key) (payment.Payment, error) {
		if fresh && k == op.Key {
			return payment.Payment{}, nil
		}
		s, err := b.load(lane, k)
		return s.row, err
	}, op)
	if err != nil || len(d.Rows) == 0 {
		if err == nil && fresh { // nothing is written that would tell: look
			var s stored
			if s, err = b.load(lane, op.Key); err == nil && s.at != 0 {
				err = errTaken
			}
		}
		return d.Result, false, err
	}
	for _, row := range d.Rows {
		if err := b.put(lane, row); err != nil {
			return book.Result{}, false, err
		}
	}
	for _, posting := range d.Postings {
		if err := b.post(lane, op.Key, posting, op.At); err != nil {
			return book.Result{}, false, err
		}
	}
	return d.Result, len(d.Postings) > 0, nil
}

func (b *batch) load(lane book.Lane, k payment.Key) (stored, error) {
	if s, ok := b.rows[k]; ok {
		return s, nil
	}
	s, ok := b.s.open[k]
	if !ok {
		var dest [columns + 1]driver.Value
		err := b.r.with(int64(lane), string(k.Merchant), string(k.Terminal), k.Batch, int64(k.STAN), int64(k.Kind)).query(stFind, dest[:], func() (err error) {
			s.at = dest[0].(int64)
			s.row, err = fromValues(dest[1:])
			return err
		})
		if err != nil {
			return s, err
		}
	}
	b.rows[k] = s
	return s, nil
}

// put writes a row: the new one, or what can change of one that stands.
func (b *batch) put(lane book.Lane, p payment.Payment) error {
	s := b.rows[p.Key]
	if s.at == 0 {
		var err error
		if begins(p) {
			s.at, err = b.r.with(int64(lane)).and(values(p)[:newColumns]...).and(p.Fee, p.FeeRule).insert(stInsertNew)
		} else {
			s.at, err = b.r.with(int64(lane)).and(values(p)...).insert(stInsert)
		}
		if err != nil {
			return err
		}
		if s.at == 0 {
			return errTaken
		}
	} else if err := b.r.with(int64(p.State), p.Updated.UnixMilli(), p.Response, p.AuthCode, p.ReversalReason,
		p.Held, p.Taken, p.Fee, p.FeeBack, p.Hold, s.at).exec(stUpdate); err != nil {
		return err
	}
	s.row = p
	b.rows[p.Key] = s
	return nil
}

// post gives a posting its place in its merchant's chain.
func (b *batch) post(lane book.Lane, key payment.Key, p book.Posting, at time.Time) error {
	head, err := b.head(lane, key.Merchant)
	if err != nil {
		return err
	}
	t := book.Chain(lane, key, p, at, head)
	b.heads[key.Merchant] = book.Head{Seq: t.Seq, Hash: t.Hash}
	if b.rowsOut = append(b.rowsOut, t); len(b.rowsOut) < transferRows {
		return nil
	}
	return b.flush()
}

func (b *batch) head(lane book.Lane, m pay.MerchantID) (book.Head, error) {
	head, ok := b.heads[m]
	if !ok {
		if head, ok = b.s.heads[m]; !ok {
			var dest [2]driver.Value
			err := b.r.with(int64(lane), string(m)).query(stHead, dest[:], func() error {
				head.Seq = uint64(dest[0].(int64))
				copy(head.Hash[:], dest[1].([]byte))
				return nil
			})
			if err != nil {
				return head, err
			}
		}
	}
	return head, nil
}

// flush writes the transfers that wait. A transaction writes payments or moves, never both.
func (b *batch) flush() error {
	if len(b.rowsOut) == 0 {
		return nil
	}
	defer func() { b.rowsOut = b.rowsOut[:0] }()
	one, many := stTransfer, stTransfers
	if b.rowsOut[0].Payment.Kind == 0 {
		one, many = stMove, stMoves
	}
	if len(b.rowsOut) == transferRows {
		b.r.with()
		for i := range b.rowsOut {
			b.r.transfer(&b.rowsOut[i])
		}
		return b.r.exec(many)
	}
	for i := range b.rowsOut {
		if err := b.r.with().transfer(&b.rowsOut[i]).exec(one); err != nil {
			return err
		}
	}
	return nil
}

// transfer adds a row's values, as transferValue or moveValue wants them.
func (r *raw) transfer(t *book.Transfer) *raw {
	r.and(int64(t.Lane), string(t.Merchant), int64(t.Seq))
	if p := &t.Payment; p.Kind != 0 {
		r.and(string(p.Terminal), p.Batch, int64(p.STAN), int64(p.Kind))
	}
	return r.and(string(t.Debit), string(t.Credit), t.Amount.Minor, int64(t.Amount.Currency), t.What, t.At.UnixMilli(), t.Hash[:])
}
