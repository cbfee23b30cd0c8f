package booktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Searchable is a store that a console can ask.
type Searchable interface {
	book.Store
	book.Searcher
	book.Chains
}

// RunSearch holds a store to the contract of book.Searcher and book.Chains.
// open makes an empty store.
func RunSearch(t *testing.T, open func(t *testing.T) Searchable) {
	t.Run("filters", func(t *testing.T) { filters(t, open(t)) })
	t.Run("pages stand still while payments arrive", func(t *testing.T) { stable(t, open(t)) })
	t.Run("cursors that no page gave", func(t *testing.T) { cursors(t, open(t)) })
	t.Run("tally", func(t *testing.T) { tallies(t, open(t)) })
	t.Run("chains", func(t *testing.T) { chains(t, open(t)) })
	t.Run("an empty store", func(t *testing.T) { nothing(t, open(t)) })
}

// admitAt begins a payment at a time.
func admitAt(op book.Op, when time.Time) book.Op {
	op.At = when
	return op
}

// day fills the store with a day's payments of every state and many kinds and
// returns them as they stand, the oldest admission first.
func day(t *testing.T, s book.Store) []payment.Payment {
	t.Helper()
	var keys []payment.Key
	at := at
	begin := func(op book.Op) payment.Key {
		at = at.Add(7 * time.Minute)
		op.New.RRN = pay.RRN(fmt.Sprintf("%012d", len(keys)+1))
		op.New.MaskedPAN = fmt.Sprintf("622848******%04d", 1000+len(keys)%7)
		if len(keys)%5 == 0 && op.New.Original == (payment.Key{}) {
			op.New.Amount.Currency, op.New.Scheme = pay.USD, "visa"
		}
		apply(t, s, admitAt(op, at))
		keys = append(keys, op.Key)
		return op.Key
	}
	on := func(k payment.Key, events ...payment.Event) {
		for _, e := range events {
			op := event(e, k)
			op.At = at.Add(time.Second)
			switch e {
			case payment.Approve:
				op.Response, op.AuthCode = "00", "A1B2C3"
			case payment.Decline:
				op.Response = "51"
			}
			apply(t, s, op)
		}
	}
	for i := range 6 {
		m, n := fmt.Sprintf("M%d", i%3+1), 20*i
		fen := int64(100 * (i + 1))
		on(begin(withFee(Admit(Key(m, n+1), fen), 2)), payment.Approve)
		on(begin(Admit(Key(m, n+2), fen)), payment.Decline)
		begin(Admit(Key(m, n+3), fen))
		on(begin(Admit(Key(m, n+4), fen)), payment.Approve, payment.Reverse, payment.ReverseDone)
		on(begin(Admit(Key(m, n+5), fen)), payment.Reverse)
		sale := begin(Admit(Key(m, n+6), fen))
		on(sale, payment.Approve)
		refund := following(of(payment.Refund, m, n+7), sale, fen/2)
		refund.New.Amount.Currency = find(t, s, sale).Amount.Currency
		on(begin(refund), payment.Approve)
		auth := begin(Admit(of(payment.PreAuth, m, n+8), fen))
		on(auth, payment.Approve)
		on(begin(Admit(of(payment.Balance, m, n+9), 0)), payment.Approve)
	}
	out := make([]payment.Payment, 0, len(keys))
	for _, k := range keys {
		out = append(out, find(t, s, k))
	}
	return out
}

// everything pages through a search.
func everything(t *testing.T, s book.Searcher, f book.Filter, limit int) (out []payment.Payment) {
	t.Helper()
	after := ""
	for range 1000 {
		page, err := s.Search(context.Background(), f, after, limit)
		if err != nil || len(page.Found) > limit {
			t.Fatalf("%v, %d found", err, len(page.Found))
		}
		for _, found := range page.Found {
			if found.Lane != book.LaneOf(found.Payment.Key.Merchant, lanes) {
				t.Fatalf("%v is in lane %d", found.Payment.Key, found.Lane)
			}
			out = append(out, found.Payment)
		}
		if after = page.Next; after == "" {
			return out
		}
	}
	t.Fatal("the pages have no end")
	return nil
}

func filters(t *testing.T, s Searchable) {
	all := day(t, s)
	if len(all) < 45 {
		t.Fatalf("%d payments", len(all))
	}
	middle := all[len(all)/2]
	for name, f := range map[string]book.Filter{
		"none":                                 {},
		"merchant":                             {Merchant: "M2"},
		"terminal":                             {Terminal: "T0000001"},
		"another terminal":                     {Terminal: "T0000002"},
		"batch":                                {Batch: "000001", Merchant: "M1"},
		"states":                               {States: []payment.State{payment.Approved, payment.Reversed}},
		"kinds":                                {Kinds: []payment.Kind{payment.Refund, payment.PreAuth}},
		"from":                                 {From: middle.Admitted},
		"from, a part of a millisecond later":  {From: middle.Admitted.Add(time.Microsecond)},
		"to":                                   {To: middle.Admitted},
		"from and to":                          {From: all[3].Admitted, To: middle.Admitted},
		"amounts":                              {Min: 200, Max: 400},
		"currency":                             {Currency: pay.USD},
		"reference number":                     {RRN: middle.RRN},
		"reference number of another merchant": {RRN: middle.RRN, Merchant: "M9"},
		"id":                                   {ID: middle.ID},
		"end of the card":                      {Last4: "1003"},
		"scheme":                               {Scheme: "visa"},
		"response":                             {Response: "51"},
		"follows":                              {Original: originalIn(all)},
		"many":                                 {Merchant: "M1", States: []payment.State{payment.Approved}, Min: 100, Last4: "1005"},
	} {
		t.Run(name, func(t *testing.T) {
			var want []payment.Payment
			for _, p := range all {
				if f.Shows(p) {
					want = append(want, p)
				}
			}
			slices.Reverse(want)
			for _, limit := range []int{1, 7, book.MaxPage} {
				got := everything(t, s, f, limit)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("pages of %d: %d payments, want %d", limit, len(got), len(want))
				}
			}
		})
	}
}

// originalIn is a payment that another one follows.
func originalIn(all []payment.Payment) payment.Key {
	for _, p := range all {
		if p.Original != (payment.Key{}) {
			return p.Original
		}
	}
	return payment.Key{}
}

func stable(t *testing.T, s Searchable) {
	for i := 1; i <= 10; i++ {
		apply(t, s, Admit(Key("M1", i), int64(i)))
	}
	first, err := s.Search(context.Background(), book.Filter{}, "", 4)
	if err != nil || len(first.Found) != 4 || first.Next == "" {
		t.Fatalf("%+v %v", first, err)
	}
	var got []pay.STAN
	page := first
	for next := 11; ; next++ {
		for _, f := range page.Found {
			got = append(got, f.Payment.Key.STAN)
		}
		if page.Next == "" {
			break
		}
		apply(t, s, Admit(Key("M2", next), 1), event(payment.Approve, Key("M1", next-10))) // arrives, and changes, between pages
		if page, err = s.Search(context.Background(), book.Filter{}, page.Next, 4); err != nil {
			t.Fatal(err)
		}
	}
	if want := []pay.STAN{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}; !slices.Equal(got, want) {
		t.Fatalf("saw %v, want %v", got, want)
	}
}

func cursors(t *testing.T, s Searchable) {
	apply(t, s, Admit(Key("M1", 1), 1))
	for _, c := range []string{"x", "-1", "0", "999999", "1e3", " ", "1 OR 1=1"} {
		if _, err := s.Search(context.Background(), book.Filter{}, c, 10); !errors.Is(err, book.ErrCursor) {
			t.Errorf("cursor %q: %v", c, err)
		}
	}
}

func tallies(t *testing.T, s Searchable) {
	all := day(t, s)
	first, last := all[0].Admitted, all[len(all)-1].Admitted
	for _, c := range []struct {
		m        pay.MerchantID
		from, to time.Time
		step     time.Duration
	}{
		{"", first, last.Add(time.Millisecond), time.Hour},
		{"", first.Add(-time.Hour), last, 15 * time.Minute},
		{"M2", first, last.Add(time.Hour), time.Hour},
		{"M9", first, last, time.Hour},
		{"", first, last.Add(time.Millisecond), 24 * time.Hour},
		{"", last.Add(time.Hour), last.Add(2 * time.Hour), time.Minute},
	} {
		want := map[string]*book.Bucket{}
		for _, p := range all {
			if (book.Filter{Merchant: c.m, From: c.from, To: c.to}).Shows(p) {
				b := book.Bucket{At: c.from.Add(p.Admitted.Sub(c.from) / c.step * c.step), Currency: p.Amount.Currency}
				id := b.At.String() + b.Currency.String()
				if want[id] == nil {
					want[id] = &b
				}
				want[id].Add(p)
			}
		}
		var list []book.Bucket
		for _, b := range want {
			if !b.Empty() {
				list = append(list, *b)
			}
		}
		slices.SortFunc(list, func(a, b book.Bucket) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Currency, b.Currency))
		})
		got, err := s.Tally(context.Background(), c.m, c.from, c.to, c.step)
		if err != nil || !reflect.DeepEqual(got, list) {
			t.Errorf("%+v: %v\nhave %+v\nwant %+v", c, err, got, list)
		}
	}
	for name, step := range map[string]time.Duration{"no step": 0, "too many spans": time.Millisecond} {
		if _, err := s.Tally(context.Background(), "", first, last, step); !errors.Is(err, book.ErrNotApplied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func chains(t *testing.T, s Searchable) {
	ctx := context.Background()
	all := day(t, s)
	for _, m := range []pay.MerchantID{"M1", "M2", "M3"} {
		lane := book.LaneOf(m, lanes)
		var chain []book.Transfer
		if err := s.Transfers(ctx, lane, m, func(t book.Transfer) error { chain = append(chain, t); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(chain) < 8 {
			t.Fatalf("%s moved %d times", m, len(chain))
		}
		var got []book.Transfer
		for seq := uint64(0); ; seq = got[len(got)-1].Seq {
			page, err := s.TransfersAfter(ctx, lane, m, seq, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if seq > 0 { // the first row of a page does not know the one before
				page[0].Prev = got[len(got)-1].Hash
			}
			got = append(got, page...)
		}
		if !reflect.DeepEqual(got, chain) {
			t.Fatalf("%s: the pages of the chain are not the chain", m)
		}
		if other, err := s.TransfersAfter(ctx, (lane+1)%lanes, m, 0, 3); err != nil || len(other) != 0 {
			t.Fatalf("another lane shows %d rows: %v", len(other), err)
		}
		for _, when := range []time.Time{chain[0].At, chain[0].At.Add(time.Microsecond), chain[4].At, chain[len(chain)-1].At.Add(time.Hour), at.Add(-time.Hour)} {
			want := uint64(0)
			for _, row := range chain {
				if row.At.Before(when) {
					want = row.Seq
				}
			}
			if seq, err := s.SeqAt(ctx, lane, m, when); err != nil || seq != want {
				t.Errorf("%s before %v: row %d, want %d: %v", m, when, seq, want, err)
			}
		}
		for _, p := range all {
			if p.Key.Merchant != m {
				continue
			}
			var want []book.Transfer
			for _, row := range chain {
				if row.Payment == p.Key {
					row.Prev = book.Hash{}
					want = append(want, row)
				}
			}
			if got, err := s.TransfersOf(ctx, lane, p.Key); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v moved %d times, want %d: %v", p.Key, len(got), len(want), err)
			}
		}
	}
}

func nothing(t *testing.T, s Searchable) {
	ctx := context.Background()
	if page, err := s.Search(ctx, book.Filter{}, "", 10); err != nil || len(page.Found) != 0 || page.Next != "" {
		t.Errorf("%+v %v", page, err)
	}
	if b, err := s.Tally(ctx, "", at, at.Add(time.Hour), time.Minute); err != nil || len(b) != 0 {
		t.Errorf("%v %v", b, err)
	}
	if rows, err := s.TransfersOf(ctx, 1, Key("M1", 1)); err != nil || len(rows) != 0 {
		t.Errorf("%v %v", rows, err)
	}
	if seq, err := s.SeqAt(ctx, 1, "M1", at); err != nil || seq != 0 {
		t.Errorf("%d %v", seq, err)
	}
}
