package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/sqlite"
	"huika/acquirer/payment"
	"huika/pay"
)

// fill books n sales of 100 merchants, one each step.
func fill(tb testing.TB, s book.Store, n int, from time.Time, step time.Duration) {
	tb.Helper()
	const each = 10_000
	for at := 0; at < n; at += each {
		var batches []book.LaneBatch
		for i := at; i < min(at+each, n); i++ {
			k := booktest.Key(fmt.Sprintf("M%014d", i%100), i/100+1)
			op := booktest.Admit(k, int64(i%1000+1))
			op.At = from.Add(time.Duration(i) * step)
			op.New.RRN, op.New.MaskedPAN = pay.RRN(fmt.Sprintf("%012d", i)), fmt.Sprintf("622848******%04d", i%10_000)
			batches = append(batches, book.LaneBatch{Lane: book.LaneOf(k.Merchant, book.DefaultLanes), Epoch: 1, Ops: []book.Op{
				op, {Event: payment.Approve, Key: k, At: op.At, Response: "00"},
			}})
		}
		if _, err := s.Apply(context.Background(), batches); err != nil {
			tb.Fatal(err)
		}
	}
}

// A search that no index fits looks at so many rows a call and goes on with
// the next page; a search by time does not look where it can't be.
func TestSearchIsBounded(t *testing.T) {
	s := openIn(t, t.TempDir())
	const n = 3500
	s.LookAt(2000)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fill(t, s, n, from, 100*time.Second)
	oldest := book.Filter{RRN: "", ID: "no such payment"}
	page, err := s.Search(t.Context(), oldest, "", 10)
	if err != nil || len(page.Found) != 0 || page.Next == "" {
		t.Fatalf("%d found, next %q: %v", len(page.Found), page.Next, err)
	}
	if page, err = s.Search(t.Context(), oldest, page.Next, 10); err != nil || page.Next != "" {
		t.Fatalf("next %q: %v", page.Next, err)
	}
	for name, f := range map[string]book.Filter{
		"a reference number": {RRN: "000000000007"},
		"a short time":       {From: from.Add(700 * time.Second), To: from.Add(800 * time.Second)},
	} {
		page, err := s.Search(t.Context(), f, "", 10)
		if err != nil || len(page.Found) != 1 || page.Found[0].Payment.RRN != "000000000007" || page.Next != "" {
			t.Errorf("%s: %d found, next %q: %v", name, len(page.Found), page.Next, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Search(ctx, oldest, "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search: %v", err)
	}
}

func BenchmarkSearch(b *testing.B) {
	s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "books.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 300_000
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fill(b, s, n, from, 100*time.Millisecond)
	last := from.Add(n * 100 * time.Millisecond)
	for _, c := range []struct {
		name string
		f    func() error
	}{
		{"newest 50", func() error { _, err := s.Search(context.Background(), book.Filter{}, "", 50); return err }},
		{"merchant, 50", func() error {
			_, err := s.Search(context.Background(), book.Filter{Merchant: "M00000000000042"}, "", 50)
			return err
		}},
		{"nothing in 200000 rows", func() error { _, err := s.Search(context.Background(), book.Filter{ID: "x"}, "", 50); return err }},
		{"reference number", func() error {
			_, err := s.Search(context.Background(), book.Filter{RRN: "000000000042"}, "", 50)
			return err
		}},
		{"tally of the last hour", func() error {
			_, err := s.Tally(context.Background(), "", last.Add(-time.Hour), last, time.Minute)
			return err
		}},
		{"one payment's transfers", func() error {
			_, err := s.TransfersOf(context.Background(), book.LaneOf("M00000000000042", book.DefaultLanes), booktest.Key("M00000000000042", 2000))
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
