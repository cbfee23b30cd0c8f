package book

import (
	"context"
	"fmt"
	"sort"

	"huika/acquirer/payment"
	"huika/pay"
)

// Finding is one thing that is wrong with the books.
type Finding struct {
	What     string // "chain", "row hash", "truncated", "missing posting", "unexpected posting", "sum", "lane"
	Merchant pay.MerchantID
	Seq      uint64 // 0 where it is not about one row
	Detail   string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: merchant %s row %d: %s", f.What, f.Merchant, f.Seq, f.Detail)
}

// Report is what Verify saw.
type Report struct {
	Payments   int
	Transfers  int
	Unresolved int
	Balances   map[pay.Currency]map[Account]int64
	Findings   []Finding
	Heads      map[pay.MerchantID]Head
}

// MaxFindings bounds a report: a store that is wrong everywhere need not be listed whole.
const MaxFindings = 100

// Sound reports whether nothing is wrong.
func (r *Report) Sound() bool { return len(r.Findings) == 0 }

func (r *Report) find(f Finding) {
	if len(r.Findings) < MaxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Verify reads the whole of the books and proves what can be proved from
// them: every row's hash and place in its merchant's chain, every payment's
// postings complete and no other, balances recomputed from the rows, and the
// sum of all balances zero in every currency. heads are the chain ends that
// were kept outside the store (nil: none were kept): a chain that ends before
// its head was truncated, one that differs was rewritten.
func Verify(ctx context.Context, r Reader, lanes int, heads map[pay.MerchantID]Head) (*Report, error) {
	rep := &Report{Balances: map[pay.Currency]map[Account]int64{}, Heads: map[pay.MerchantID]Head{}}
	moved := map[payment.Key][]Posting{}
	atHead := map[pay.MerchantID]Hash{}
	err := r.Transfers(ctx, func(t Transfer) error {
		rep.Transfers++
		end := rep.Heads[t.Merchant]
		switch {
		case t.Seq != end.Seq+1:
			rep.find(Finding{"chain", t.Merchant, t.Seq, fmt.Sprintf("follows row %d: rows are missing", end.Seq)})
		case t.Prev != end.Hash:
			rep.find(Finding{"chain", t.Merchant, t.Seq, "does not continue the row before it"})
		}
		if t.Sum() != t.Hash {
			rep.find(Finding{"row hash", t.Merchant, t.Seq, "the row was changed after it was written"})
		}
		if want := LaneOf(t.Merchant, lanes); want != t.Lane {
			rep.find(Finding{"lane", t.Merchant, t.Seq, fmt.Sprintf("stands in lane %d, belongs to %d", t.Lane, want)})
		}
		if t.Amount.Minor <= 0 || t.Debit == t.Credit {
			rep.find(Finding{"sum", t.Merchant, t.Seq, "an amount must be positive and move between two accounts"})
		}
		rep.Heads[t.Merchant] = Head{t.Seq, t.Hash}
		if kept, ok := heads[t.Merchant]; ok && kept.Seq == t.Seq {
			atHead[t.Merchant] = t.Hash
		}
		rep.book(t.Posting)
		moved[t.Payment] = append(moved[t.Payment], t.Posting)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rep.heads(heads, atHead)
	err = r.Payments(ctx, func(_ Lane, p payment.Payment) error {
		rep.Payments++
		if p.State.Unresolved() {
			rep.Unresolved++
		}
		rep.complete(p, moved[p.Key])
		delete(moved, p.Key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rep.orphans(moved)
	rep.zero()
	return rep, nil
}

func (r *Report) book(p Posting) {
	b := r.Balances[p.Amount.Currency]
	if b == nil {
		b = map[Account]int64{}
		r.Balances[p.Amount.Currency] = b
	}
	b[p.Debit] -= p.Amount.Minor
	b[p.Credit] += p.Amount.Minor
}

func (r *Report) heads(kept map[pay.MerchantID]Head, seen map[pay.MerchantID]Hash) {
	for _, m := range sorted(kept) {
		switch hash, ok := seen[m]; {
		case !ok:
			r.find(Finding{"truncated", m, kept[m].Seq, fmt.Sprintf("the chain ends at row %d, its head outside the store is row %d", r.Heads[m].Seq, kept[m].Seq)})
		case hash != kept[m].Hash:
			r.find(Finding{"chain", m, kept[m].Seq, "the head outside the store has another hash: history was rewritten"})
		}
	}
}

// complete checks that a payment's postings are those its state demands: an
// approved sale moved once, a reversed one moved back, the others never.
func (r *Report) complete(p payment.Payment, have []Posting) {
	sale := postings(payment.Transition{Postings: payment.SalePostings}, p)
	undo := postings(payment.Transition{Postings: payment.RefundOfSale}, p)
	var want []Posting
	switch p.State {
	case payment.Approved:
		want = sale
	case payment.Reversing, payment.Reversed:
		if len(have) == 0 {
			return // reversed before any approval came
		}
		want = append(sale, undo...)
	}
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(have):
			r.find(Finding{"missing posting", p.Key.Merchant, 0, fmt.Sprintf("payment %s is %s without its %s", p.ID, p.State, want[i].What)})
		case i >= len(want):
			r.find(Finding{"unexpected posting", p.Key.Merchant, 0, fmt.Sprintf("payment %s is %s and moved a %s of %s", p.ID, p.State, have[i].What, have[i].Amount)})
		case want[i] != have[i]:
			r.find(Finding{"unexpected posting", p.Key.Merchant, 0, fmt.Sprintf("payment %s: its %s is not the one its row demands", p.ID, have[i].What)})
		}
	}
}

func (r *Report) orphans(moved map[payment.Key][]Posting) {
	keys := make([]payment.Key, 0, len(moved))
	for k := range moved {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return Less(keys[i], keys[j]) })
	for _, k := range keys {
		r.find(Finding{"unexpected posting", k.Merchant, 0, fmt.Sprintf("moved for payment %s, which is not in the books", k)})
	}
}

// zero proves double entry again from the sums; a row carries both legs, so
// only an overflow or a broken reader can make it fail.
func (r *Report) zero() {
	for c, accounts := range r.Balances {
		var sum int64
		for _, v := range accounts {
			sum += v
		}
		if sum != 0 {
			r.find(Finding{"sum", "", 0, fmt.Sprintf("all %s accounts together hold %s", c, pay.Money{Minor: sum, Currency: c})})
		}
	}
}

func sorted(m map[pay.MerchantID]Head) []pay.MerchantID {
	out := make([]pay.MerchantID, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}
