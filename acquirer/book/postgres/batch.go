package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// batch is one lane's transaction. Where everything that it needs is remembered
// it goes out in one round trip and commits in a second one; else it reads first.
type batch struct {
	s     *Store
	lane  book.Lane
	epoch uint64
	m     *memory
	conn  *pgx.Conn
	cold  bool // nothing is taken for new that was not looked for
	begun bool
	claim string // the statement that writes the batch's epoch into the lane's row; "": it stands there

	rows      map[payment.Key]*entry // that this transaction has seen
	order     []*entry               // those that it writes, in the order in which they came
	heads     map[pay.MerchantID]book.Head
	transfers []book.Transfer
}

// entry is one payment in a transaction: as it stands in the table (None: not), and as it will.
type entry struct {
	was, now payment.Payment
	guessed  bool // taken for new, not looked for
	written  bool
}

// apply applies operations.
func (b *batch) apply(ctx context.Context, ops []book.Op) (out book.LaneResult, err error) {
	keys, chains := b.needs(ops)
	if len(keys)+len(chains) > 0 {
		if err := b.look(ctx, keys, chains); err != nil {
			return out, err
		}
	}
	if err := b.decide(ops, &out); err != nil {
		return out, err
	}
	return out, b.write(ctx)
}

// needs lists the payments and chains that the operations touch and that are
// not remembered. A payment that begins is taken for new, unless the batch is cold.
func (b *batch) needs(ops []book.Op) (keys []payment.Key, chains []pay.MerchantID) {
	asked, chain := map[payment.Key]bool{}, map[pay.MerchantID]bool{}
	need := func(k payment.Key) {
		if asked[k] || k == (payment.Key{}) {
			return
		}
		asked[k] = true
		if p, ok := b.m.open[k]; ok {
			b.rows[k] = &entry{was: p, now: p}
			return
		}
		keys = append(keys, k)
	}
	for _, op := range ops {
		if op.New != nil {
			if _, open := b.m.open[op.Key]; !open && !b.cold && !asked[op.Key] {
				asked[op.Key] = true
				b.rows[op.Key] = &entry{guessed: true} // the INSERT will tell
			}
			need(op.New.Original)
		}
		need(op.Key)
		if e := b.rows[op.Key]; e != nil {
			need(e.was.Original)
		}
		if m := op.Key.Merchant; moves(op.Event) && !chain[m] {
			chain[m] = true
			if h, ok := b.m.heads[m]; ok {
				b.heads[m] = h
			} else {
				chains = append(chains, m)
			}
		}
	}
	return keys, chains
}

// moves reports whether an event may book transfers.
func moves(e payment.Event) bool {
	for _, t := range payment.Table {
		if t.Event == e && t.Books != payment.BooksNothing {
			return true
		}
	}
	return false
}

// begin queues the beginning of the transaction: the lane's row is locked, and its epoch read.
func (b *batch) begin(q *pgx.Batch) {
	q.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	q.Queue(b.m.sql.lock)
}

// own reads what begin has queued: whether the lane is the batch's.
func (b *batch) own(r pgx.BatchResults) error {
	if _, err := r.Exec(); err != nil {
		return err
	}
	b.begun = true
	var have uint64
	switch err := r.QueryRow().Scan(&have); {
	case errors.Is(err, pgx.ErrNoRows):
		b.claim = b.m.sql.addLane
	case err != nil:
		return err
	case b.epoch < have:
		return book.ErrFenced
	case b.epoch > have:
		b.claim = b.m.sql.setEpoch
	}
	return nil
}

// look begins the transaction and reads payments, those that they follow, and chains' ends.
func (b *batch) look(ctx context.Context, keys []payment.Key, chains []pay.MerchantID) error {
	for len(keys)+len(chains) > 0 {
		q := &pgx.Batch{}
		first := !b.begun
		if first {
			b.begin(q)
		}
		for _, k := range keys {
			q.Queue(b.m.sql.find, string(k.Merchant), string(k.Terminal), k.Batch, int32(k.STAN), int16(k.Kind))
		}
		for _, m := range chains {
			q.Queue(b.m.sql.head, string(m))
		}
		if err := b.send(ctx, q, func(r pgx.BatchResults) error {
			if first {
				if err := b.own(r); err != nil {
					return err
				}
			}
			return b.read(r, keys, chains)
		}); err != nil {
			return err
		}
		var originals []payment.Key
		for _, k := range keys {
			if o := b.rows[k].was.Original; o != (payment.Key{}) && b.rows[o] == nil {
				b.rows[o] = &entry{} // asked for once
				originals = append(originals, o)
			}
		}
		keys, chains = originals, nil
	}
	return nil
}
