// Package storetest is the contract of issuer.Store as a test suite, run by
// every implementation. It is imported by tests only.
package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"huika/world/issuer"
)

// Harness opens a new, empty store. Reopen ends its process, without closing
// anything in order, and opens the same store in the next one.
type Harness interface {
	issuer.Store
	Reopen(t *testing.T) Harness
}

// Record is a record that uses every field, different for each n.
func Record(n int) issuer.Record {
	return issuer.Record{
		Kind: issuer.Decision, Transaction: issuer.Transaction(1 + n%9), Original: fmt.Sprintf("1122000000|%06d|12345678|HK000001|898110000000001", n), Available: int64(-n), Key: fmt.Sprintf("1123235959|%06d|12345678|HK000001|898110000000001", n), Account: issuer.AccountRef{1, 2, byte(n)},
		Amount: int64(n) * 100, Code: "00", Fingerprint: [16]byte{byte(n), 15: 9}, HasATC: true, ATC: uint16(n), PIN: issuer.PINRight,
		Auth: string([]byte{byte(n), 9: 1}), Script: "72", RRN: fmt.Sprintf("%012d", n), AtMS: 1_795_000_000_000 + int64(n),
	}
}

func load(t *testing.T, s issuer.Store) []issuer.Record {
	t.Helper()
	var got []issuer.Record
	if err := s.Load(func(r issuer.Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatalf("load: %v", err)
	}
	return got
}

func want(t *testing.T, s issuer.Store, records ...issuer.Record) {
	t.Helper()
	if got := load(t, s); !reflect.DeepEqual(got, records) {
		t.Fatalf("loaded %d records, want %d:\n%+v\n%+v", len(got), len(records), got, records)
	}
}

// Run checks one implementation.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Run("empty", func(t *testing.T) {
		s := open(t)
		want(t, s)
		want(t, s.Reopen(t))
	})
	t.Run("order and batches survive", func(t *testing.T) {
		s := open(t)
		var all []issuer.Record
		for n := 1; n <= 40; n += 4 {
			batch := []issuer.Record{Record(n), Record(n + 1), {Kind: issuer.Reversal, Key: Record(n).Key, AtMS: 5}, {Kind: issuer.Tombstone, Key: "only", AtMS: 6}}
			if err := s.Append(batch...); err != nil {
				t.Fatal(err)
			}
			all = append(all, batch...)
			if n%8 == 1 {
				s = s.Reopen(t)
			}
		}
		want(t, s, all...)
	})
	t.Run("append nothing", func(t *testing.T) {
		s := open(t)
		if err := s.Append(); err != nil {
			t.Fatal(err)
		}
		want(t, s.Reopen(t))
	})
	t.Run("an impossible record spoils its batch and no other", func(t *testing.T) {
		s := open(t)
		if err := s.Append(Record(1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(Record(2), issuer.Record{}); !errors.Is(err, issuer.ErrRecord) {
			t.Fatalf("append of an empty record: %v", err)
		}
		if err := s.Append(Record(3)); err != nil {
			t.Fatal(err)
		}
		want(t, s.Reopen(t), Record(1), Record(3))
	})
	t.Run("load stops at the caller's error", func(t *testing.T) {
		s := open(t)
		if err := s.Append(Record(1), Record(2)); err != nil {
			t.Fatal(err)
		}
		stop, n := errors.New("stop"), 0
		if err := s.Load(func(issuer.Record) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Fatalf("%d records, %v", n, err)
		}
	})
	t.Run("many tasks", func(t *testing.T) {
		s := open(t)
		var tasks sync.WaitGroup
		for n := range 16 {
			tasks.Go(func() {
				if err := s.Append(Record(n)); err != nil {
					t.Error(err)
				}
			})
		}
		tasks.Wait()
		seen := map[string]bool{}
		for _, r := range load(t, s.Reopen(t)) {
			seen[r.Key] = true
		}
		if len(seen) != 16 {
			t.Errorf("%d of 16 records", len(seen))
		}
	})
}
