package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// FindRRN implements book.Store.
func (s *Store) FindRRN(ctx context.Context, lane book.Lane, m pay.MerchantID, rrn pay.RRN, kinds ...payment.Kind) (payment.Payment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best payment.Payment
	for _, k := range s.keys(func(k payment.Key) bool {
		return k.Merchant == m && s.lanes[k] == lane && s.rows[k].RRN == rrn && slices.Contains(kinds, k.Kind)
	}) {
		if p := s.rows[k]; best.State == payment.None || p.Admitted.After(best.Admitted) {
			best = p
		}
	}
	return best, best.State != payment.None, ctx.Err()
}

// Batch implements book.Store.
func (s *Store) Batch(ctx context.Context, lane book.Lane, m pay.MerchantID, t pay.TerminalID, batch string) (book.BatchTotals, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out book.BatchTotals
	for k, p := range s.rows {
		if k.Merchant == m && k.Terminal == t && k.Batch == batch && s.lanes[k] == lane {
			out.Add(p)
		}
	}
	return out, ctx.Err()
}

// Checkpoint implements book.Store.
func (s *Store) Checkpoint(ctx context.Context, _ book.Lane, m pay.MerchantID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chains[m]
	if c == nil {
		return nil
	}
	seq := c.rows[len(c.rows)-1].Seq
	if n := len(c.points); n > 0 && c.points[n-1].seq == seq {
		return nil
	}
	c.points = append(c.points, point{seq, c.sum()})
	return nil
}

// sum is the last checkpoint and the rows behind it.
func (c *chain) sum() book.Balances {
	b, from := book.Balances{}, uint64(0)
	if n := len(c.points); n > 0 {
		b, from = c.points[n-1].balances.Clone(), c.points[n-1].seq
	}
	for _, t := range c.rows[from:] {
		b.Move(t.Posting)
	}
	return b
}

// Balances implements book.Store.
func (s *Store) Balances(ctx context.Context, _ book.Lane, m pay.MerchantID) (book.Balances, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.chains[m]; c != nil {
		return c.sum(), ctx.Err()
	}
	return book.Balances{}, ctx.Err()
}

// Lease implements book.Leases.
func (s *Store) Lease(ctx context.Context, owner string, lanes []book.Lane, now time.Time, ttl time.Duration) (map[book.Lane]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[book.Lane]uint64{}
	for _, l := range lanes {
		have := s.leases[l]
		switch {
		case have.owner == owner:
		case have.owner != "" && now.Before(have.until):
			continue
		default:
			s.epochs[l]++
		}
		s.leases[l] = lease{owner, now.Add(ttl)}
		out[l] = s.epochs[l]
	}
	return out, nil
}

// Release implements book.Leases.
func (s *Store) Release(ctx context.Context, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l, have := range s.leases {
		if have.owner == owner {
			delete(s.leases, l)
		}
	}
	return ctx.Err()
}

// Merchants implements book.Reader.
func (s *Store) Merchants(ctx context.Context, f func(book.Lane, pay.MerchantID) error) error {
	type place struct {
		lane book.Lane
		m    pay.MerchantID
	}
	s.mu.Lock()
	seen := map[place]bool{}
	for k, lane := range s.lanes {
		seen[place{lane, k.Merchant}] = true
	}
	for m, c := range s.chains {
		seen[place{c.lane, m}] = true
	}
	s.mu.Unlock()
	all := make([]place, 0, len(seen))
	for p := range seen {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b place) int { return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.m, b.m)) })
	for _, p := range all {
		if err := f(p.lane, p.m); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Transfers implements book.Reader.
func (s *Store) Transfers(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(book.Transfer) error) error {
	s.mu.Lock()
	var rows []book.Transfer
	if c := s.chains[m]; c != nil && c.lane == lane {
		rows = slices.Clone(c.rows)
	}
	s.mu.Unlock()
	for _, t := range rows {
		if err := f(t); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Payments implements book.Reader.
func (s *Store) Payments(ctx context.Context, lane book.Lane, m pay.MerchantID, f func(payment.Payment) error) error {
	s.mu.Lock()
	var rows []payment.Payment
	for _, k := range s.keys(func(k payment.Key) bool { return k.Merchant == m && s.lanes[k] == lane }) {
		rows = append(rows, s.rows[k])
	}
	s.mu.Unlock()
	for _, p := range rows {
		if err := f(p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Checkpoints implements book.Reader.
func (s *Store) Checkpoints(ctx context.Context, _ book.Lane, m pay.MerchantID, f func(uint64, book.Balances) error) error {
	s.mu.Lock()
	var points []point
	if c := s.chains[m]; c != nil {
		points = slices.Clone(c.points)
	}
	s.mu.Unlock()
	for _, p := range points {
		if err := f(p.seq, p.balances.Clone()); err != nil {
			return err
		}
	}
	return ctx.Err()
}
