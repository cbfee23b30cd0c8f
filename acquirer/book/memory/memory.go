// Package memory keeps the books in memory: for the simulation, where a Store
// outlives the host that crashes, and for tests. It is not for money that is
// real.
package memory

import (
	"context"
	"sort"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

type chain struct {
	lane   book.Lane
	rows   []book.Transfer
	points []point
}

type point struct {
	seq      uint64
	balances book.Balances
}

type lease struct {
	owner string
	until time.Time
}

// Store is a book.Store whose content lives as long as it does.
type Store struct {
	mu     sync.Mutex
	rows   map[payment.Key]payment.Payment
	lanes  map[payment.Key]book.Lane
	order  []payment.Key // of rows, as they came
	chains map[pay.MerchantID]*chain
	epochs map[book.Lane]uint64
	leases map[book.Lane]lease
	refs   map[refKey]book.Entry
}

var _ interface {
	book.Store
	book.Searcher
	book.Chains
	book.Reference
} = (*Store)(nil)

// New is an empty store.
func New() *Store {
	return &Store{
		rows: map[payment.Key]payment.Payment{}, lanes: map[payment.Key]book.Lane{},
		chains: map[pay.MerchantID]*chain{}, epochs: map[book.Lane]uint64{}, leases: map[book.Lane]lease{},
		refs: map[refKey]book.Entry{},
	}
}

// Grouping is all lanes in one transaction.
func (*Store) Grouping() book.Grouping { return book.AllLanes }

// Close does nothing: the content stays for the next owner.
func (*Store) Close() error { return nil }

// Apply implements book.Store.
func (s *Store) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]book.LaneResult, len(batches))
	for i, b := range batches {
		out[i].Lane = b.Lane
		if b.Epoch < s.epochs[b.Lane] {
			out[i].Err = book.ErrFenced
			continue
		}
		s.epochs[b.Lane] = b.Epoch
		for _, op := range b.Ops {
			before := s.head(op.Key.Merchant)
			res, err := s.apply(b.Lane, op)
			if err != nil {
				return nil, err
			}
			out[i].Results = append(out[i].Results, res)
			if after := s.head(op.Key.Merchant); after != before {
				out[i].Heads = append(out[i].Heads, book.MerchantHead{Merchant: op.Key.Merchant, Head: after})
			}
		}
	}
	return out, nil
}

func (s *Store) apply(lane book.Lane, op book.Op) (book.Result, error) {
	d, err := book.Decide(func(k payment.Key) (payment.Payment, error) { return s.rows[k], nil }, op)
	if err != nil {
		return d.Result, err
	}
	for _, row := range d.Rows {
		if _, had := s.rows[row.Key]; !had {
			s.order = append(s.order, row.Key)
		}
		s.rows[row.Key] = row
		s.lanes[row.Key] = lane
	}
	for _, p := range d.Postings {
		s.post(lane, op.Key, p, op.At)
	}
	return d.Result, nil
}

func (s *Store) post(lane book.Lane, key payment.Key, p book.Posting, at time.Time) {
	c := s.chains[key.Merchant]
	if c == nil {
		c = &chain{lane: lane}
		s.chains[key.Merchant] = c
	}
	c.rows = append(c.rows, book.Chain(lane, key, p, at, s.head(key.Merchant)))
}

func (s *Store) head(m pay.MerchantID) book.Head {
	c := s.chains[m]
	if c == nil || len(c.rows) == 0 {
		return book.Head{}
	}
	last := c.rows[len(c.rows)-1]
	return book.Head{Seq: last.Seq, Hash: last.Hash}
}

func (s *Store) keys(keep func(payment.Key) bool) []payment.Key {
	var ks []payment.Key
	for k := range s.rows {
		if keep(k) {
			ks = append(ks, k)
		}
	}
	sort.Slice(ks, func(i, j int) bool { return book.Less(ks[i], ks[j]) })
	return ks
}

// Unresolved implements book.Store.
func (s *Store) Unresolved(ctx context.Context, lane book.Lane, after book.Cursor) ([]payment.Payment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ks := s.keys(func(k payment.Key) bool {
		return s.lanes[k] == lane && s.rows[k].State.Unresolved() && (after == book.Cursor{} || book.Less(after.After, k))
	})
	out := make([]payment.Payment, 0, min(len(ks), book.UnresolvedPage))
	for _, k := range ks[:min(len(ks), book.UnresolvedPage)] {
		out = append(out, s.rows[k])
	}
	return out, ctx.Err()
}

// Find implements book.Store.
func (s *Store) Find(ctx context.Context, lane book.Lane, key payment.Key) (payment.Payment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.rows[key]
	return p, ok && s.lanes[key] == lane, ctx.Err()
}
