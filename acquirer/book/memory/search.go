package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Search implements book.Searcher. The cursor is the place in order of the last
// row that was looked at.
func (s *Store) Search(ctx context.Context, f book.Filter, after string, limit int) (book.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(s.order)
	if after != "" {
		n, err := strconv.Atoi(after)
		if err != nil || n < 1 || n > len(s.order) {
			return book.Page{}, book.ErrCursor
		}
		at = n
	}
	limit = min(max(limit, 1), book.MaxPage)
	var page book.Page
	for looked := 0; at > 0; looked++ {
		if len(page.Found) == limit || looked == book.SearchRows {
			page.Next = strconv.Itoa(at)
			break
		}
		at--
		k := s.order[at]
		if p := s.rows[k]; f.Shows(p) {
			page.Found = append(page.Found, book.Found{Lane: s.lanes[k], Payment: p})
		}
	}
	if page.Next != "" && len(page.Found) == limit && !slices.ContainsFunc(s.order[:at], func(k payment.Key) bool { return f.Shows(s.rows[k]) }) {
		page.Next = "" // nothing is left
	}
	return page, ctx.Err()
}

// Tally implements book.Searcher.
func (s *Store) Tally(ctx context.Context, m pay.MerchantID, from, to time.Time, step time.Duration) ([]book.Bucket, error) {
	if err := book.CheckSpans(from, to, step); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	type place struct {
		span int64
		c    pay.Currency
	}
	sums := map[place]*book.Bucket{}
	f := book.Filter{Merchant: m, From: from, To: to}
	for _, k := range s.order {
		p := s.rows[k]
		if !f.Shows(p) {
			continue
		}
		at := place{int64(p.Admitted.Sub(from) / step), p.Amount.Currency}
		if sums[at] == nil {
			sums[at] = &book.Bucket{At: from.Add(time.Duration(at.span) * step).UTC(), Currency: at.c}
		}
		sums[at].Add(p)
	}
	var out []book.Bucket
	for _, b := range sums {
		if !b.Empty() {
			out = append(out, *b)
		}
	}
	slices.SortFunc(out, func(a, b book.Bucket) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Currency, b.Currency))
	})
	return out, ctx.Err()
}

// chainOf is a copy of a merchant's rows behind seq.
func (s *Store) chainOf(lane book.Lane, m pay.MerchantID, seq uint64) []book.Transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chains[m]
	if c == nil || c.lane != lane || seq >= uint64(len(c.rows)) {
		return nil
	}
	return slices.Clone(c.rows[seq:])
}

// TransfersAfter implements book.Chains.
func (s *Store) TransfersAfter(ctx context.Context, lane book.Lane, m pay.MerchantID, seq uint64, limit int) ([]book.Transfer, error) {
	rows := s.chainOf(lane, m, seq)
	rows = rows[:min(len(rows), max(limit, 0))]
	if len(rows) > 0 && seq > 0 {
		rows[0].Prev = book.Hash{}
	}
	return rows, ctx.Err()
}

// TransfersOf implements book.Chains.
func (s *Store) TransfersOf(ctx context.Context, lane book.Lane, key payment.Key) ([]book.Transfer, error) {
	var out []book.Transfer
	for _, t := range s.chainOf(lane, key.Merchant, 0) {
		if t.Payment == key {
			t.Prev = book.Hash{}
			out = append(out, t)
		}
	}
	return out, ctx.Err()
}

// SeqAt implements book.Chains.
func (s *Store) SeqAt(ctx context.Context, lane book.Lane, m pay.MerchantID, at time.Time) (uint64, error) {
	rows := s.chainOf(lane, m, 0)
	n, _ := slices.BinarySearchFunc(rows, at, func(t book.Transfer, at time.Time) int { return t.At.Compare(at) })
	return uint64(n), ctx.Err()
}

// refKey is a place in the reference table.
type refKey struct{ kind, id string }

// Entry implements book.Reference.
func (s *Store) Entry(ctx context.Context, kind, id string) (book.Entry, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.refs[refKey{kind, id}]
	e.Body = slices.Clone(e.Body)
	return e, ok, ctx.Err()
}

// Entries implements book.Reference.
func (s *Store) Entries(ctx context.Context, kind, after string, limit int) ([]book.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []book.Entry
	for k, e := range s.refs {
		if k.kind == kind && k.id > after {
			e.Body = slices.Clone(e.Body)
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b book.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(len(out), max(limit, 0))], ctx.Err()
}

// Put implements book.Reference.
func (s *Store) Put(ctx context.Context, e book.Entry) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(e.Body) > book.MaxEntry {
		return 0, fmt.Errorf("%w: the entry has %d bytes, more than %d", book.ErrNotApplied, len(e.Body), book.MaxEntry)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := refKey{e.Kind, e.ID}
	if s.refs[k].Version != e.Version {
		return 0, book.ErrConflict
	}
	e.Version++
	e.Body, e.Updated = slices.Clone(e.Body), e.Updated.UTC().Truncate(time.Millisecond)
	s.refs[k] = e
	return e.Version, nil
}

// Delete implements book.Reference.
func (s *Store) Delete(ctx context.Context, kind, id string, version int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := refKey{kind, id}
	if have, ok := s.refs[k]; ok && have.Version != version {
		return book.ErrConflict
	}
	delete(s.refs, k)
	return nil
}
