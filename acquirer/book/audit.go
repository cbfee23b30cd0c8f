package book

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"

	"huika/acquirer/payment"
	"huika/pay"
)

// audit is Verify's look at one merchant.
type audit struct {
	rep      *Report
	merchant pay.MerchantID
	moved    map[payment.Key][]Posting
	points   map[uint64]Balances
	running  Balances
	claims   map[payment.Key]*claims
	kept     Head // outside the store
	wanted   bool // there is one
	reached  Hash // the hash of the row that kept names
}

// look reads everything of the merchant.
func (v *audit) look(ctx context.Context, r Reader, lane Lane) error {
	v.rep.Heads[v.merchant] = Head{} // seen, whatever it has
	err := r.Checkpoints(ctx, lane, v.merchant, func(seq uint64, b Balances) error {
		v.points[seq] = b
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.Transfers(ctx, lane, v.merchant, func(t Transfer) error { v.transfer(t); return nil }); err != nil {
		return err
	}
	if err := r.Payments(ctx, lane, v.merchant, v.payment); err != nil {
		return err
	}
	v.end()
	return nil
}

// claims are both sides of what follows a payment: what its row says, and what the followers' rows add up to.
type claims struct {
	held, taken, feeBack     int64
	wantHeld, wantTaken, fee int64
}

func (v *audit) find(what string, seq uint64, format string, args ...any) {
	v.rep.find(Finding{what, v.merchant, seq, fmt.Sprintf(format, args...)})
}

func (v *audit) transfer(t Transfer) {
	v.rep.Transfers++
	end := v.rep.Heads[v.merchant]
	switch {
	case t.Seq != end.Seq+1:
		v.find("chain", t.Seq, "follows row %d: rows are missing", end.Seq)
	case t.Prev != end.Hash:
		v.find("chain", t.Seq, "does not continue the row before it")
	}
	if t.Sum() != t.Hash {
		v.find("row hash", t.Seq, "the row was changed after it was written")
	}
	if t.Amount.Minor <= 0 || t.Debit == t.Credit {
		v.find("sum", t.Seq, "an amount must be positive and move between two accounts")
	}
	v.rep.Heads[v.merchant] = Head{t.Seq, t.Hash}
	if t.Seq == v.kept.Seq {
		v.reached = t.Hash
	}
	v.rep.Balances.Move(t.Posting)
	v.running.Move(t.Posting)
	if t.Payment.Kind == 0 {
		if !soundMove(v.merchant, t.Posting) {
			v.find("unexpected posting", t.Seq, "a move of no kind that the table has")
		}
	} else {
		v.moved[t.Payment] = append(v.moved[t.Payment], t.Posting)
	}
	if want, ok := v.points[t.Seq]; ok {
		if !v.running.Equal(want) {
			v.find("checkpoint", t.Seq, "the balances that were written down are not those of the rows before")
		}
		delete(v.points, t.Seq)
	}
}

func (v *audit) payment(p payment.Payment) error {
	v.rep.Payments++
	if p.Open() {
		v.rep.Unresolved++
	}
	v.complete(p, v.moved[p.Key])
	delete(v.moved, p.Key)
	if p.Held != 0 || p.Taken != 0 || p.FeeBack != 0 {
		c := v.claim(p.Key)
		c.held, c.taken, c.feeBack = p.Held, p.Taken, p.FeeBack
	}
	if p.Original != (payment.Key{}) {
		v.follows(p)
	}
	return nil
}

func (v *audit) claim(k payment.Key) *claims {
	if v.claims == nil {
		v.claims = map[payment.Key]*claims{}
	}
	c := v.claims[k]
	if c == nil {
		c = &claims{}
		v.claims[k] = c
	}
	return c
}

// follows adds a follow-up's claim to what its original must show.
func (v *audit) follows(p payment.Payment) {
	rule := p.Key.Kind.Rule()
	share := p.Amount.Minor
	if rule.Claim == payment.Complete {
		share = p.Hold // a completion takes all that was held
	}
	switch p.State {
	case payment.Admitted, payment.Reversing:
		v.claim(p.Original).wantHeld += share
	case payment.Approved, payment.Forwarding, payment.Undone:
		c := v.claim(p.Original)
		c.wantTaken += share
		if rule.Moves == payment.MovesSaleBack {
			c.fee += p.Fee
		}
	}
}

// complete checks that a payment's postings are those its state demands: an
// approval moved once, one that was taken back also moved back, the others never.
func (v *audit) complete(p payment.Payment, have []Posting) {
	var want []Posting
	switch p.State {
	case payment.Approved, payment.Undone, payment.Used, payment.Forwarding:
		want = moves(p)
	case payment.Reversing, payment.Reversed, payment.Abandoned:
		if len(have) == 0 && p.State != payment.Abandoned {
			return // reversed before any approval came
		}
		want = moves(p)
		want = append(want, inverse(want)...)
	}
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(have):
			v.find("missing posting", 0, "payment %s is %s without its %s", p.ID, p.State, want[i].What)
		case i >= len(want):
			v.find("unexpected posting", 0, "payment %s is %s and moved a %s of %s", p.ID, p.State, have[i].What, have[i].Amount)
		case want[i] != have[i]:
			v.find("unexpected posting", 0, "payment %s: its %s is not the one its row demands", p.ID, have[i].What)
		}
	}
}

// end reports what is left over when every row of the merchant was seen.
func (v *audit) end() {
	if end := v.rep.Heads[v.merchant]; v.wanted && v.kept.Seq > 0 {
		switch {
		case v.reached == Hash{}:
			v.find("truncated", v.kept.Seq, "the chain ends at row %d, its head outside the store is row %d", end.Seq, v.kept.Seq)
		case v.reached != v.kept.Hash:
			v.find("chain", v.kept.Seq, "the head outside the store has another hash: history was rewritten")
		}
	}
	for _, k := range sortedKeys(v.moved) {
		v.find("unexpected posting", 0, "moved for payment %s, which is not in the books", k)
	}
	for _, k := range sortedKeys(v.claims) {
		switch c := v.claims[k]; {
		case c.held != c.wantHeld || c.taken != c.wantTaken:
			v.find("claim", 0, "payment %s: %d held and %d taken of it; the payments that follow it make %d and %d", k, c.held, c.taken, c.wantHeld, c.wantTaken)
		case c.feeBack != c.fee:
			v.find("claim", 0, "payment %s: %d of its fee returned; the payments that follow it make %d", k, c.feeBack, c.fee)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(v.points)) {
		v.find("checkpoint", seq, "stands behind a row that is not there")
	}
}

func sortedKeys[V any](m map[payment.Key]V) []payment.Key {
	keys := make([]payment.Key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return Less(keys[i], keys[j]) })
	return keys
}
