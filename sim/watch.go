package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/rt"
)

// watched stands between the books and one life of a host. It makes the trouble
// that a store can make (slow, silent about what it did, a lease that can't be
// renewed), and holds each write to what only shows at that moment: that one
// host at a time owns a lane, and what a batch comes to when it is closed.
type watched struct {
	book.Store
	t    *town
	node string
	env  rt.Env
}

// owner is who wrote to a lane under its newest epoch.
type owner struct {
	node  string
	epoch uint64
}

// batchKey names a terminal's batch.
type batchKey struct {
	terminal pay.TerminalID
	batch    string
}

// closing is what a batch came to.
type closing struct {
	lane     book.Lane
	merchant pay.MerchantID
	totals   book.BatchTotals
}

// pause is the disk's slowness.
func (s *watched) pause(ctx context.Context) error {
	if s.t.over || s.t.slowBooks == 0 {
		return nil
	}
	return s.env.Sleep(ctx, time.Duration(s.t.bookDice.Int64N(int64(s.t.slowBooks))))
}

// Grouping implements book.Store.
func (s *watched) Grouping() book.Grouping {
	if s.t.shape.each {
		return book.EachLane
	}
	return s.Store.Grouping()
}

// Of a store that ends writes without a word, as one that fails over does: how
// often it begins, and for how many writes it goes on at most.
const (
	unknownChance = 0.02
	unknownRun    = 4
)

// failsOver decides whether the write at hand ends without a word.
func (t *town) failsOver() bool {
	if !t.has(Unknown) {
		return false
	}
	if t.failing == 0 && t.bookDice.Float64() < unknownChance {
		t.failing = 1 + t.bookDice.IntN(unknownRun)
	}
	if t.failing == 0 {
		return false
	}
	t.failing--
	return true
}

// stealChance is that another host takes a lane over just before it is written to.
const stealChance = 0.03

// steal gives the lanes that node is about to write to the next host.
func (t *town) steal(node string, batches []book.LaneBatch) {
	next := t.shape.hosts[(slices.Index(t.shape.hosts, node)+1)%len(t.shape.hosts)]
	var lanes []book.Lane
	for _, b := range batches {
		lanes = append(lanes, b.Lane)
	}
	t.take(next, lanes)
}

// take makes the store believe that the present owner's time is over.
func (t *town) take(node string, lanes []book.Lane) {
	if _, err := t.disks.seeBooks().Lease(context.Background(), node, lanes, t.w.Now().Add(2*leaseTTL), leaseTTL); err != nil {
		t.problem("lanes can't be taken: %v", err)
	}
}

// Apply implements book.Store.
func (s *watched) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	if err := s.pause(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", book.ErrNotApplied, err)
	}
	t := s.t
	silent := t.failsOver()
	if silent && t.bookDice.IntN(2) == 0 {
		t.met("books not written")
		return nil, [...]error{book.ErrNotApplied, book.ErrUnknown}[t.bookDice.IntN(2)]
	}
	if len(t.shape.hosts) > 1 && t.has(TakenOver) && t.bookDice.Float64() < stealChance {
		t.steal(s.node, batches)
	}
	res, err := s.Store.Apply(ctx, batches)
	if err == nil {
		for i, r := range res {
			s.wrote(batches[i], r)
		}
	}
	if silent && err == nil {
		t.met("books silent")
		return nil, book.ErrUnknown
	}
	return res, err
}

// wrote looks at one lane's write.
func (s *watched) wrote(b book.LaneBatch, r book.LaneResult) {
	t := s.t
	if r.Err != nil {
		t.met("fenced")
		return
	}
	switch have := t.owners[b.Lane]; {
	case b.Epoch < have.epoch:
		t.problem("lane %d: %s wrote under epoch %d, after %s under %d", b.Lane, s.node, b.Epoch, have.node, have.epoch)
	case b.Epoch == have.epoch && have.node != s.node:
		t.problem("lane %d: %s and %s both wrote under epoch %d", b.Lane, have.node, s.node, b.Epoch)
	case b.Epoch > have.epoch && have.node != "" && have.node != s.node:
		t.met("lane moved")
	}
	t.owners[b.Lane] = owner{s.node, b.Epoch}
	for i, op := range b.Ops {
		if op.Key.Kind != payment.Settlement || op.Event != payment.Approve || r.Results[i].Status != book.Applied {
			continue
		}
		totals, err := s.Store.Batch(context.Background(), b.Lane, op.Key.Merchant, op.Key.Terminal, op.Key.Batch)
		if err != nil {
			t.problem("the batch that is being closed: %v", err)
			continue
		}
		if op.Response != "00" {
			t.problem("batch %s of %s was closed although the totals differ", op.Key.Batch, op.Key.Terminal)
		}
		t.closed[batchKey{op.Key.Terminal, op.Key.Batch}] = closing{b.Lane, op.Key.Merchant, totals}
	}
}

// Lease implements book.Leases.
func (s *watched) Lease(ctx context.Context, who string, lanes []book.Lane, now time.Time, ttl time.Duration) (map[book.Lane]uint64, error) {
	if s.t.noLease == s.node && !s.t.over {
		return nil, book.ErrNotApplied
	}
	if err := s.pause(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", book.ErrNotApplied, err)
	}
	return s.Store.Lease(ctx, who, lanes, now, ttl)
}

// Unresolved implements book.Store.
func (s *watched) Unresolved(ctx context.Context, lane book.Lane, after book.Cursor) ([]payment.Payment, error) {
	out, err := s.Store.Unresolved(ctx, lane, after)
	if perr := s.pause(ctx); err == nil && perr != nil {
		err = fmt.Errorf("%w: %w", book.ErrNotApplied, perr)
	}
	return out, err // what was true when it was read
}

// Find implements book.Store.
func (s *watched) Find(ctx context.Context, lane book.Lane, key payment.Key) (payment.Payment, bool, error) {
	p, ok, err := s.Store.Find(ctx, lane, key)
	if perr := s.pause(ctx); err == nil && perr != nil {
		err = fmt.Errorf("%w: %w", book.ErrNotApplied, perr)
	}
	return p, ok, err
}

// FindRRN implements book.Store.
func (s *watched) FindRRN(ctx context.Context, lane book.Lane, m pay.MerchantID, rrn pay.RRN, kinds ...payment.Kind) (payment.Payment, bool, error) {
	p, ok, err := s.Store.FindRRN(ctx, lane, m, rrn, kinds...)
	if perr := s.pause(ctx); err == nil && perr != nil {
		err = fmt.Errorf("%w: %w", book.ErrNotApplied, perr)
	}
	return p, ok, err
}

// Batch implements book.Store.
func (s *watched) Batch(ctx context.Context, lane book.Lane, m pay.MerchantID, id pay.TerminalID, batch string) (book.BatchTotals, error) {
	out, err := s.Store.Batch(ctx, lane, m, id, batch)
	if perr := s.pause(ctx); err == nil && perr != nil {
		err = fmt.Errorf("%w: %w", book.ErrNotApplied, perr)
	}
	return out, err
}
