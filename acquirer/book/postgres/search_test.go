package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/postgres"
	"huika/acquirer/payment"
	"huika/pay"
)

// filled are payments of two merchants: every fifth stays open, every third is
// declined, the others are approved.
func filled(t *testing.T, s *postgres.Store, n int) {
	t.Helper()
	start := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	for i := 1; i <= n; i++ {
		m := []string{"M1", "M2"}[i%2]
		k := booktest.Key(m, i)
		ops := []book.Op{booktest.Admit(k, int64(i))}
		ops[0].At = start.Add(time.Duration(i) * time.Second)
		ops[0].New.RRN = pay.RRN(fmt.Sprintf("%012d", i))
		switch {
		case i%5 == 0:
		case i%3 == 0:
			ops = append(ops, book.Op{Event: payment.Decline, Key: k, At: ops[0].At, Response: "51"})
		default:
			ops = append(ops, book.Op{Event: payment.Approve, Key: k, At: ops[0].At, Response: "00"})
		}
		res, err := s.Apply(t.Context(), []book.LaneBatch{{Lane: book.LaneOf(k.Merchant, book.DefaultLanes), Epoch: 1, Ops: ops}})
		if err != nil || res[0].Err != nil {
			t.Fatal(err, res)
		}
	}
}

func TestSearch(t *testing.T) {
	s := shared(t).empty(t)
	const n = 60
	filled(t, s, n)
	start := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		f    book.Filter
		want func(i int) bool
	}{
		"everything":   {book.Filter{}, func(int) bool { return true }},
		"a merchant":   {book.Filter{Merchant: "M2"}, func(i int) bool { return i%2 == 1 }},
		"open ones":    {book.Filter{States: []payment.State{payment.Admitted}}, func(i int) bool { return i%5 == 0 }},
		"declined":     {book.Filter{States: []payment.State{payment.Declined, payment.Reversed}, Merchant: "M1"}, func(i int) bool { return i%2 == 0 && i%5 != 0 && i%3 == 0 }},
		"by response":  {book.Filter{Response: "51"}, func(i int) bool { return i%5 != 0 && i%3 == 0 }},
		"amounts":      {book.Filter{Min: 10, Max: 20}, func(i int) bool { return i >= 10 && i <= 20 }},
		"a span":       {book.Filter{From: start.Add(7 * time.Second), To: start.Add(11 * time.Second)}, func(i int) bool { return i >= 7 && i < 11 }},
		"a number":     {book.Filter{RRN: "000000000041"}, func(i int) bool { return i == 41 }},
		"an open one":  {book.Filter{RRN: "000000000040"}, func(i int) bool { return i == 40 }},
		"an id":        {book.Filter{ID: "00000000000000000000000012"}, func(i int) bool { return i == 12 }},
		"card's end":   {book.Filter{Last4: "1234", Scheme: "unionpay", Kinds: []payment.Kind{payment.Sale}}, func(int) bool { return true }},
		"nothing":      {book.Filter{Last4: "9999"}, func(int) bool { return false }},
		"not our text": {book.Filter{Scheme: "\xff"}, func(int) bool { return false }},
		"a terminal":   {book.Filter{Terminal: "T0000001", Batch: "000001", Currency: pay.CNY}, func(int) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []int
			for i := n; i > 0; i-- {
				if c.want(i) {
					want = append(want, i)
				}
			}
			var got []int
			after := ""
			for range n {
				page, err := s.Search(t.Context(), c.f, after, 7)
				if err != nil || len(page.Found) > 7 {
					t.Fatal(err, len(page.Found))
				}
				for _, p := range page.Found {
					if p.Lane != book.LaneOf(p.Payment.Key.Merchant, book.DefaultLanes) {
						t.Fatalf("lane %d of %s", p.Lane, p.Payment.Key)
					}
					got = append(got, int(p.Payment.Key.STAN))
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("found %v\nwant  %v", got, want)
			}
		})
	}
	for _, bad := range []string{"x", "e30", "!", "eyJwIjotMSwiS2V5IjoiYSJ9"} {
		if _, err := s.Search(t.Context(), book.Filter{}, bad, 10); !errors.Is(err, book.ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func TestTally(t *testing.T) {
	s := shared(t).empty(t)
	filled(t, s, 60)
	void := booktest.Key("M1", 62)
	void.Kind = payment.Void
	op := booktest.Admit(void, 2)
	op.At, op.New.Original = time.Date(2026, 11, 23, 1, 0, 59, 0, time.UTC), booktest.Key("M1", 2)
	if res, err := apply(t, s, op, book.Op{Event: payment.Approve, Key: void, At: op.At}); err != nil || res[1].Status != book.Applied {
		t.Fatal(err, res)
	}
	from := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	got, err := s.Tally(t.Context(), "M1", from, from.Add(time.Minute), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []book.Bucket{}
	for b := range 3 {
		w := book.Bucket{At: from.Add(time.Duration(b) * 20 * time.Second), Currency: pay.CNY}
		for i := 20 * b; i < 20*b+20; i++ {
			switch {
			case i == 0, i%2 == 1, i%5 == 0:
			case i == 2:
				w.Undone++
			case i%3 == 0:
				w.Declined++
			default:
				w.Approved++
				w.Minor += int64(i)
			}
		}
		want = append(want, w)
	}
	want[2].Approved++ // the void itself
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestReference(t *testing.T) {
	c := shared(t)
	s := c.empty(t)
	ctx := t.Context()
	at := time.Date(2026, 11, 23, 1, 2, 3, 4_000_000, time.UTC)
	put := func(id string, version int64, body string, want error) {
		t.Helper()
		got, err := s.Put(ctx, book.Entry{Kind: "view", ID: id, Version: version, Updated: at, Body: []byte(body)})
		if !errors.Is(err, want) || want == nil && got != version+1 {
			t.Fatalf("%s: %d %v, want %v", id, got, err, want)
		}
	}
	put("b", 0, "one", nil)
	put("b", 0, "again", book.ErrConflict)
	put("b", 1, "two", nil)
	put("b", 1, "late", book.ErrConflict)
	put("é", 0, "", nil)
	put("B", 0, "x", nil)
	put("none", 3, "x", book.ErrConflict)
	put("big", 0, strings.Repeat("x", book.MaxEntry+1), book.ErrNotApplied)
	e, ok, err := s.Entry(ctx, "view", "b")
	if err != nil || !ok || e.Version != 2 || string(e.Body) != "two" || !e.Updated.Equal(at) || e.Kind != "view" || e.ID != "b" {
		t.Fatalf("%v %v %+v", err, ok, e)
	}
	list := func(after string, limit int) (ids string) {
		es, err := s.Entries(ctx, "view", after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			ids += e.ID
		}
		return ids
	}
	if got := list("", 10) + " " + list("B", 1) + " " + list("é", 9); got != "Bbé b " {
		t.Fatalf("in order: %q", got)
	}
	if err := s.Delete(ctx, "view", "b", 1); !errors.Is(err, book.ErrConflict) {
		t.Fatal(err)
	}
	if err := errors.Join(s.Delete(ctx, "view", "b", 2), s.Delete(ctx, "view", "b", 2)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Entry(ctx, "view", "b"); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// A hand in the tables is found and named, whatever it did.
func TestTampering(t *testing.T) {
	c := shared(t)
	for _, d := range []struct{ name, sql, find string }{
		{"amount changed", `UPDATE transfers SET amount=amount+1 WHERE seq=2`, "row hash"},
		{"row removed", `DELETE FROM transfers WHERE seq=2`, "chain"},
		{"tail cut", `DELETE FROM transfers WHERE seq=3`, "truncated"},
		{"payment's amount changed", `UPDATE payments SET amount=amount*10 WHERE stan=1`, "unexpected posting"},
		{"payment removed", `DELETE FROM payments WHERE stan=1`, "unexpected posting"},
	} {
		t.Run(d.name, func(t *testing.T) {
			db := c.Database(t, "books")
			s := c.open(t, c.DSN(db))
			for stan := 1; stan <= 3; stan++ {
				k := booktest.Key(merchant, stan)
				if _, err := apply(t, s, booktest.Admit(k, int64(100*stan)), book.Op{Event: payment.Approve, Key: k, Response: "00"}); err != nil {
					t.Fatal(err)
				}
			}
			before, err := book.Verify(t.Context(), s, book.DefaultLanes, nil)
			if err != nil || !before.Sound() || before.Transfers != 3 {
				t.Fatalf("%v %+v", err, before)
			}
			conn, err := pgx.Connect(t.Context(), c.DSN(db))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.Background()) }()
			if _, err := conn.Exec(t.Context(), d.sql); err == nil && strings.Contains(d.sql, "transfers") {
				t.Fatal("the table let a transfer be changed")
			}
			c.Exec(t, db, `DROP TRIGGER transfers_immutable ON transfers`, d.sql)
			after, err := book.Verify(t.Context(), s, book.DefaultLanes, map[pay.MerchantID]book.Head{merchant: before.Heads[merchant]})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range after.Findings {
				if f.What == d.find && f.Merchant == merchant {
					return
				}
			}
			t.Fatalf("want %q, found %v", d.find, after.Findings)
		})
	}
}

// A chain can be looked into by row, by payment and by time.
func TestChains(t *testing.T) {
	s := shared(t).empty(t)
	begun := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	for i := 1; i <= 5; i++ {
		k := booktest.Key(merchant, i)
		op := booktest.Admit(k, int64(100*i))
		op.At, op.New.Fee = begun.Add(time.Duration(i)*24*time.Hour), 1
		if _, err := apply(t, s, op, book.Op{Event: payment.Approve, Key: k, At: op.At.Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	var chain []book.Transfer
	if err := s.Transfers(t.Context(), lane, merchant, func(tr book.Transfer) error { chain = append(chain, tr); return nil }); err != nil || len(chain) != 10 {
		t.Fatal(err, len(chain))
	}
	after, err := s.TransfersAfter(t.Context(), lane, merchant, 7, 2)
	if err != nil || len(after) != 2 || after[0].Seq != 8 || after[0].Prev != (book.Hash{}) || after[1] != chain[8] {
		t.Fatalf("%v %+v", err, after)
	}
	of, err := s.TransfersOf(t.Context(), lane, booktest.Key(merchant, 3))
	if err != nil || len(of) != 2 || of[0].Hash != chain[4].Hash || of[1].Hash != chain[5].Hash {
		t.Fatalf("%v %+v", err, of)
	}
	for _, c := range []struct {
		at   time.Time
		want uint64
	}{{begun, 0}, {chain[0].At, 0}, {chain[0].At.Add(time.Millisecond), 2}, {chain[4].At, 4}, {chain[9].At.Add(time.Hour), 10}} {
		if got, err := s.SeqAt(t.Context(), lane, merchant, c.at); err != nil || got != c.want {
			t.Errorf("before %v: row %d %v, want %d", c.at, got, err, c.want)
		}
	}
}

// A search that no index serves looks at so many rows a call and no more; the
// next one goes on behind them, and the last finds what is there.
func TestSearchIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a table with 200,000 rows")
	}
	c := shared(t)
	db := c.Database(t, "books")
	s := c.open(t, c.DSN(db))
	filled(t, s, 3)
	c.Exec(t, db, fmt.Sprintf(`INSERT INTO payments SELECT lane, stan + n, amount, place + n, admitted_ms, updated_ms, held, taken, fee, fee_back, hold, scheme_stan, original_stan,
 kind, state, currency, original_kind, merchant, terminal, batch, 'other', fingerprint, sealed_pan, masked_pan, rrn, entry, cvm, scheme, scheme_time, response, auth_code,
 reversal_reason, original_terminal, original_batch, fee_rule FROM payments, generate_series(1, %d) n WHERE stan = 3`, book.SearchRows+10))
	f := book.Filter{ID: "00000000000000000000000001"}
	first, err := s.Search(t.Context(), f, "", 10)
	if err != nil || len(first.Found) != 0 || first.Next == "" {
		t.Fatalf("%v %+v", err, first)
	}
	second, err := s.Search(t.Context(), f, first.Next, 10)
	if err != nil || len(second.Found) != 1 || second.Next != "" || second.Found[0].Payment.ID != f.ID {
		t.Fatalf("%v %+v", err, second)
	}
}
