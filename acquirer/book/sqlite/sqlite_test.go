package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/sqlite"
	"huika/acquirer/payment"
	"huika/pay"
)

func TestContract(t *testing.T) {
	paths := map[book.Store]string{}
	open := func(t *testing.T, path string) book.Store {
		s, err := sqlite.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		paths[s] = path
		t.Cleanup(func() { _ = s.Close() }) // a test may have closed it already
		return s
	}
	booktest.Run(t,
		func(t *testing.T) book.Store { return open(t, filepath.Join(t.TempDir(), "books.db")) },
		func(t *testing.T, s book.Store) book.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, paths[s])
		})
}

// A hand in the file is found and named, whatever it did.
func TestTampering(t *testing.T) {
	for _, c := range []struct{ name, sql, find string }{
		{"amount changed", `UPDATE transfers SET amount=amount+1 WHERE seq=2`, "row hash"},
		{"row removed", `DELETE FROM transfers WHERE seq=2`, "chain"},
		{"tail cut", `DELETE FROM transfers WHERE seq=3`, "truncated"},
		{"merchant swapped", `UPDATE transfers SET credit='merchant:M9' WHERE seq=1`, "row hash"},
		{"payment's amount changed", `UPDATE payments SET amount=amount*10 WHERE stan=1`, "unexpected posting"},
		{"approval invented", `UPDATE payments SET state=2 WHERE stan=4`, "missing posting"},
		{"payment removed", `DELETE FROM payments WHERE stan=1`, "unexpected posting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "books.db")
			s, err := sqlite.Open(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var ops []book.Op
			for stan := 1; stan <= 4; stan++ {
				k := booktest.Key("M1", stan)
				ops = append(ops, booktest.Admit(k, int64(100*stan)))
				if stan < 4 {
					ops = append(ops, book.Op{Event: payment.Approve, Key: k, Response: "00"})
				}
			}
			if _, err := s.Apply(context.Background(), []book.LaneBatch{{Lane: book.LaneOf("M1", book.DefaultLanes), Epoch: 1, Ops: ops}}); err != nil {
				t.Fatal(err)
			}
			before, err := book.Verify(context.Background(), s, book.DefaultLanes, nil)
			if err != nil || !before.Sound() || before.Transfers != 3 {
				t.Fatalf("%v %+v", err, before)
			}
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(c.sql); err == nil && strings.Contains(c.sql, "transfers") {
				t.Fatal("the table let a transfer be changed")
			}
			for _, q := range []string{`DROP TRIGGER transfers_no_update`, `DROP TRIGGER transfers_no_delete`, c.sql} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			after, err := book.Verify(context.Background(), s, book.DefaultLanes, map[pay.MerchantID]book.Head{"M1": before.Heads["M1"]})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range after.Findings {
				if f.What == c.find && f.Merchant == "M1" {
					return
				}
			}
			t.Fatalf("want %q, found %v", c.find, after.Findings)
		})
	}
}

func BenchmarkPayments(b *testing.B) {
	s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "books.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	booktest.Bench(b, s)
}

func openIn(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(dir, "books.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it already
	return s
}

func TestSearchContract(t *testing.T) {
	booktest.RunSearch(t, func(t *testing.T) booktest.Searchable { return openIn(t, t.TempDir()) })
}

func TestReferenceContract(t *testing.T) {
	dirs := map[book.Reference]string{}
	booktest.RunReference(t,
		func(t *testing.T) book.Reference {
			dir := t.TempDir()
			s := openIn(t, dir)
			dirs[s] = dir
			return s
		},
		func(t *testing.T, r book.Reference) book.Reference {
			if err := r.(*sqlite.Store).Close(); err != nil {
				t.Fatal(err)
			}
			return openIn(t, dirs[r])
		})
}
