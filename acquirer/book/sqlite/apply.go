package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

const paymentColumns = `merchant, terminal, batch, stan, kind, id, state, fingerprint, amount, currency, sealed_pan,
 masked_pan, rrn, entry, cvm, scheme, scheme_stan, scheme_time, admitted_ms, updated_ms, response, auth_code, reversal_reason,
 original_terminal, original_batch, original_stan, original_kind, held, taken, fee, fee_back, fee_rule, hold`

// columns is how many paymentColumns names.
const columns = 33

type statements struct {
	find, put, head, transfer, epoch, setEpoch *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&s.find, `SELECT ` + paymentColumns + ` FROM payments WHERE lane=? AND merchant=? AND terminal=? AND batch=? AND stan=? AND kind=?`},
		{&s.put, `INSERT OR REPLACE INTO payments (lane, ` + paymentColumns + `) VALUES (?` + strings.Repeat(",?", columns) + `)`},
		{&s.head, `SELECT seq, hash FROM transfers WHERE lane=? AND merchant=? ORDER BY seq DESC LIMIT 1`},
		{&s.transfer, `INSERT INTO transfers (lane, merchant, seq, terminal, batch, stan, kind, debit, credit, amount, currency, what, at_ms, prev, hash) VALUES (?` + strings.Repeat(",?", 14) + `)`},
		{&s.epoch, `SELECT epoch FROM lanes WHERE lane=?`},
		{&s.setEpoch, `INSERT INTO lanes (lane, epoch) VALUES (?,?) ON CONFLICT (lane) DO UPDATE SET epoch=excluded.epoch`},
	} {
		var err error
		if *p.to, err = db.PrepareContext(ctx, p.sql); err != nil {
			return err
		}
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, st := range []*sql.Stmt{s.find, s.put, s.head, s.transfer, s.epoch, s.setEpoch} {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

// Apply implements book.Store: one transaction for all lanes.
func (s *Store) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, before(ctx, err)
	}
	b := batch{tx: tx, ctx: ctx, stmts: &s.stmts, heads: map[pay.MerchantID]book.Head{}}
	out := make([]book.LaneResult, len(batches))
	for i, lane := range batches {
		out[i].Lane = lane.Lane
		if err := b.lane(lane, &out[i]); err != nil {
			return nil, errors.Join(before(ctx, err), undo(tx))
		}
	}
	if err := tx.Commit(); err != nil {
		// SQLite rolls back on a failed commit, except where the disk itself failed.
		if strings.Contains(err.Error(), "disk I/O error") {
			return nil, fmt.Errorf("%w: %w", book.ErrBroken, err)
		}
		return nil, errors.Join(fmt.Errorf("%w: %w", book.ErrUnknown, err), undo(tx))
	}
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

type batch struct {
	tx    *sql.Tx
	ctx   context.Context
	stmts *statements
	heads map[pay.MerchantID]book.Head
}

func (b *batch) stmt(s *sql.Stmt) *sql.Stmt { return b.tx.StmtContext(b.ctx, s) }

func (b *batch) lane(in book.LaneBatch, out *book.LaneResult) error {
	var epoch uint64
	if err := b.stmt(b.stmts.epoch).QueryRowContext(b.ctx, in.Lane).Scan(&epoch); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	switch {
	case in.Epoch < epoch:
		out.Err = book.ErrFenced
		return nil
	case in.Epoch > epoch:
		if _, err := b.stmt(b.stmts.setEpoch).ExecContext(b.ctx, in.Lane, in.Epoch); err != nil {
			return err
		}
	}
	for _, op := range in.Ops {
		res, moved, err := b.op(in.Lane, op)
		if err != nil {
			return err
		}
		out.Results = append(out.Results, res)
		if moved {
			out.Heads = append(out.Heads, book.MerchantHead{Merchant: op.Key.Merchant, Head: b.heads[op.Key.Merchant]})
		}
	}
	return nil
}

func (b *batch) op(lane book.Lane, op book.Op) (res book.Result, moved bool, err error) {
	d, err := book.Decide(func(k payment.Key) (payment.Payment, error) { return b.load(lane, k) }, op)
	if err != nil {
		return res, false, err
	}
	for _, row := range d.Rows {
		if _, err := b.stmt(b.stmts.put).ExecContext(b.ctx, append([]any{lane}, values(row)...)...); err != nil {
			return res, false, err
		}
	}
	for _, posting := range d.Postings {
		if err := b.post(lane, op, posting); err != nil {
			return res, false, err
		}
	}
	return d.Result, len(d.Postings) > 0, nil
}

func (b *batch) load(lane book.Lane, k payment.Key) (payment.Payment, error) {
	row, err := scan(b.stmt(b.stmts.find).QueryRowContext(b.ctx, lane, k.Merchant, k.Terminal, k.Batch, k.STAN, k.Kind))
	if errors.Is(err, sql.ErrNoRows) {
		return payment.Payment{}, nil
	}
	return row, err
}

func (b *batch) post(lane book.Lane, op book.Op, p book.Posting) error {
	m := op.Key.Merchant
	head, ok := b.heads[m]
	if !ok {
		var hash []byte
		err := b.stmt(b.stmts.head).QueryRowContext(b.ctx, lane, m).Scan(&head.Seq, &hash)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		copy(head.Hash[:], hash)
	}
	t := book.Chain(lane, op.Key, p, op.At, head)
	b.heads[m] = book.Head{Seq: t.Seq, Hash: t.Hash}
	_, err := b.stmt(b.stmts.transfer).ExecContext(b.ctx, lane, m, t.Seq, t.Payment.Terminal, t.Payment.Batch, t.Payment.STAN, t.Payment.Kind,
		t.Debit, t.Credit, t.Amount.Minor, t.Amount.Currency, t.What, t.At.UnixMilli(), t.Prev[:], t.Hash[:])
	return err
}
