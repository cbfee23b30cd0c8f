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
	What     string // "chain", "row hash", "truncated", "missing posting", "unexpected posting", "claim", "checkpoint", "sum", "lane"
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
	Balances   Balances
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

// Verify reads the whole of the books, merchant by merchant, and proves what
// can be proved from them: every row's hash and place in its merchant's chain,
// every payment's postings complete and no other, every claim on a payment
// matched by the payments that follow it, every checkpoint equal to the rows
// before it, and the sum of all balances zero in every currency. heads are the
// chain ends that were kept outside the store (nil: none were kept): a chain
// that ends before its head was truncated, one that differs was rewritten.
func Verify(ctx context.Context, r Reader, lanes int, heads map[pay.MerchantID]Head) (*Report, error) {
	rep := &Report{Balances: Balances{}, Heads: map[pay.MerchantID]Head{}}
	err := r.Merchants(ctx, func(lane Lane, m pay.MerchantID) error {
		if want := LaneOf(m, lanes); want != lane {
			rep.find(Finding{"lane", m, 0, fmt.Sprintf("stands in lane %d, belongs to %d", lane, want)})
		}
		v := audit{rep: rep, merchant: m, moved: map[payment.Key][]Posting{}, points: map[uint64]Balances{}, running: Balances{}}
		v.kept, v.wanted = heads[m]
		look := func(r Reader) error { return v.look(ctx, r, lane) }
		if s, ok := r.(Snapshotter); ok { // rows of one moment belong together; the host may go on
			return s.Snapshot(ctx, look)
		}
		return look(r)
	})
	if err != nil {
		return nil, err
	}
	rep.truncated(heads)
	rep.zero()
	return rep, nil
}

// truncated finds merchants whose head was kept and who have no rows at all.
func (r *Report) truncated(kept map[pay.MerchantID]Head) {
	for _, m := range sorted(kept) {
		if _, seen := r.Heads[m]; !seen && kept[m].Seq > 0 {
			r.find(Finding{"truncated", m, kept[m].Seq, fmt.Sprintf("the chain is gone, its head outside the store is row %d", kept[m].Seq)})
		}
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
