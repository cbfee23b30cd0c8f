// Package memory is a terminal journal in memory, for the simulation and for
// tests. What is durable (Disk) stands apart from what is volatile (Store): a
// simulated crash drops the Store and hands the Disk to the next incarnation. It
// is a second real implementation under journal/journaltest, not for shops.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"huika/pay"
	"huika/terminal/journal"
)

// Disk is what survives a crash. Its zero value is an empty one.
type Disk struct {
	mu     sync.Mutex
	lines  []journal.Line
	traces map[pay.PaymentID][]byte
	kept   []pay.PaymentID // of traces, oldest first
	cut    int             // writes left before the power goes; 0: no end
}

// CutAfter lets n more writes through and then loses every one: a crash at a
// durable boundary. n < 1 takes the limit away.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = max(n, 0)
	if d.cut > 0 {
		d.cut++ // one above the count, since 0 says that there is none
	}
}

// write runs f as one durable write. d.mu is held.
func (d *Disk) write(f func()) error {
	if d.cut == 1 {
		return fmt.Errorf("%w: the disk was cut off", journal.ErrLost)
	}
	if d.cut > 1 {
		d.cut--
	}
	f()
	return nil
}

// Writes is how many records the disk holds.
func (d *Disk) Writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// Store is one incarnation's journal.
type Store struct {
	disk   *Disk
	fold   *journal.Fold
	begun  map[pay.PaymentID]bool
	sent   map[journal.Key]bool
	closed bool
}

var _ journal.Store = (*Store)(nil)

// Open reads the disk.
func Open(disk *Disk) (*Store, error) {
	s := &Store{disk: disk, fold: journal.NewFold(), begun: map[pay.PaymentID]bool{}, sent: map[journal.Key]bool{}}
	disk.mu.Lock()
	defer disk.mu.Unlock()
	for _, l := range disk.lines {
		r, err := journal.Decode(l.Kind, l.Body)
		if err != nil {
			return nil, err
		}
		if err := s.fold.Add(r); err != nil {
			return nil, err
		}
		s.remember(r)
	}
	return s, nil
}

func (s *Store) remember(r journal.Record) {
	switch r := r.(type) {
	case journal.Begun:
		s.begun[r.Payment] = true
	case journal.Sent:
		s.sent[r.Key] = true
	}
}

func (s *Store) used(r journal.Record) bool {
	switch r := r.(type) {
	case journal.Begun:
		return s.begun[r.Payment]
	case journal.Sent:
		return s.sent[r.Key]
	}
	return false
}

// Append implements journal.Store.
func (s *Store) Append(ctx context.Context, records ...journal.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed {
		return fmt.Errorf("%w: the journal is closed", journal.ErrLost)
	}
	next := s.fold.Clone()
	var lines []journal.Line
	for _, r := range records {
		if s.used(r) {
			return fmt.Errorf("%w: a payment id or request key was used before", journal.ErrRule)
		}
		if err := next.Add(r); err != nil {
			return err
		}
		l, err := journal.Encode(r)
		if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	return s.disk.write(func() {
		s.disk.lines = append(s.disk.lines, lines...)
		s.fold = next
		for _, r := range records {
			s.remember(r)
		}
	})
}

// State implements journal.Store.
func (s *Store) State(ctx context.Context) (journal.State, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return s.fold.State(), ctx.Err()
}

// Payment implements journal.Store.
func (s *Store) Payment(ctx context.Context, id pay.PaymentID) ([]journal.Record, error) {
	var found []journal.Record
	keys := map[journal.Key]bool{}
	err := s.scan(ctx, func(l journal.Line, r journal.Record) error {
		if l.Payment == id {
			keys[l.Key] = true
			found = append(found, r)
		} else if l.Kind == "reversal_done" && keys[l.Key] {
			found = append(found, r)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = journal.ErrNotFound
	}
	return found, err
}

// Each implements journal.Store.
func (s *Store) Each(ctx context.Context, f func(journal.Record) error) error {
	return s.scan(ctx, func(_ journal.Line, r journal.Record) error { return f(r) })
}

func (s *Store) scan(ctx context.Context, f func(journal.Line, journal.Record) error) error {
	s.disk.mu.Lock()
	lines := s.disk.lines[:len(s.disk.lines):len(s.disk.lines)] // lines never change, the list only grows
	s.disk.mu.Unlock()
	for _, l := range lines {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := journal.Decode(l.Kind, l.Body)
		if err != nil {
			return err
		}
		if err := f(l, r); err != nil {
			return err
		}
	}
	return nil
}

// PutTrace implements journal.Store.
func (s *Store) PutTrace(ctx context.Context, id pay.PaymentID, box []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write(func() {
		if d.traces == nil {
			d.traces = map[pay.PaymentID][]byte{}
		}
		if _, ok := d.traces[id]; ok {
			d.kept = slices.DeleteFunc(d.kept, func(k pay.PaymentID) bool { return k == id })
		}
		d.traces[id] = bytes.Clone(box)
		d.kept = append(d.kept, id)
		for len(d.kept) > journal.MaxTraces {
			delete(d.traces, d.kept[0])
			d.kept = d.kept[1:]
		}
	})
}

// Trace implements journal.Store.
func (s *Store) Trace(ctx context.Context, id pay.PaymentID) ([]byte, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	box, ok := s.disk.traces[id]
	if !ok {
		return nil, journal.ErrNotFound
	}
	return bytes.Clone(box), ctx.Err()
}

// Close implements journal.Store.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.closed = true
	return nil
}
