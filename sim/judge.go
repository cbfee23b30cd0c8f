package sim

import (
	"context"
	"fmt"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/site"
	"huika/terminal/journal"
	"huika/world/issuer"
	"huika/world/scheme"
)

// slipKey names a payment as a shop does: by terminal, batch and STAN.
type slipKey struct {
	terminal pay.TerminalID
	journal.Key
}

func (k slipKey) String() string { return fmt.Sprintf("%s/%s/%s", k.terminal, k.Batch, k.STAN) }

// schemeOwes counts reversals that the scheme has written down and nobody took.
func (t *town) schemeOwes() int {
	n := 0
	if err := t.disks.seeOwed().Load(func(r scheme.Record) error {
		switch r.Kind {
		case scheme.Owed:
			n++
		case scheme.Settled:
			n--
		}
		return nil
	}); err != nil {
		t.problem("the scheme's log: %v", err)
	}
	return n
}

// judge holds what is durable to the oracles.
func (t *town) judge() error {
	ctx := context.Background()
	heads, err := t.disks.seeHeads()
	if err != nil {
		return err
	}
	rep, err := book.Verify(ctx, t.disks.seeBooks(), t.shape.lanes, heads)
	if err != nil {
		return err
	}
	for _, f := range rep.Findings {
		t.problem("books: %v", f)
	}
	if n := t.schemeOwes(); n != 0 {
		t.problem("the scheme owes %d reversals", n)
	}
	booked, err := t.booked(ctx)
	if err != nil {
		return err
	}
	shop := map[slipKey]int64{}
	for _, x := range t.shape.tills {
		if err := t.shop(ctx, x, shop); err != nil {
			return err
		}
	}
	t.rep.Approved = len(shop)
	t.compare(shop, booked)
	t.merchants(booked, rep.Balances[pay.CNY])
	t.batches(ctx)
	return t.customers(booked, rep.Balances[pay.CNY])
}

// holds reports whether a payment holds: it moved money, or holds some on a card.
func holds(p payment.Payment) bool {
	switch p.State {
	case payment.Approved, payment.Undone, payment.Used, payment.Forwarding:
		return p.Key.Kind.Rule().Moves != payment.MovesNothing // an answered question may be lost
	}
	return false
}

// booked is every payment of the books that holds, by the shop's number. It
// also holds the rows to each other: what follows another payment names it, and
// never takes more of it than there was.
func (t *town) booked(ctx context.Context) (map[slipKey]payment.Payment, error) {
	out := map[slipKey]payment.Payment{}
	claimed := map[payment.Key]int64{}
	all := map[payment.Key]payment.Payment{}
	err := book.AllPayments(ctx, t.disks.seeBooks(), func(_ book.Lane, p payment.Payment) error {
		all[p.Key] = p
		if p.Open() {
			t.problem("%s is %s", p.Key, p.State)
		}
		if !holds(p) {
			return nil
		}
		key := slipKey{p.Key.Terminal, journal.Key{Batch: p.Key.Batch, STAN: p.Key.STAN}}
		if _, twice := out[key]; twice {
			t.problem("two payments hold under %s", key)
		}
		out[key] = p
		rule := p.Key.Kind.Rule()
		if len(rule.On) > 0 && p.Original == (payment.Key{}) {
			t.problem("the %s %s follows nothing", p.Key.Kind, key)
		}
		if rule.Moves == payment.MovesSaleBack && p.State != payment.Undone {
			claimed[p.Original] += p.Amount.Minor
		}
		return nil
	})
	for key, back := range claimed {
		if o := all[key]; back > o.Amount.Minor {
			t.problem("%s: %d fen given back of %d", key, back, o.Amount.Minor)
		}
	}
	return out, err
}

// shop adds every payment that a till's journal holds as approved.
func (t *town) shop(ctx context.Context, x till, out map[slipKey]int64) error {
	j := t.disks.seeJournal(x.node)
	st, err := j.State(ctx)
	if err != nil {
		return err
	}
	if len(st.Open) > 0 || len(st.Reversals) > 0 {
		t.problem("%s has %d open payments and owes %d reversals", x.node, len(st.Open), len(st.Reversals))
	}
	ended := map[pay.PaymentID]bool{}
	approved := map[pay.PaymentID]bool{}
	totals := map[string]journal.Totals{}
	err = j.Each(ctx, func(r journal.Record) error {
		e, ok := r.(journal.Ended)
		if !ok {
			return nil
		}
		if ended[e.Payment] {
			t.problem("%s: payment %s ended twice", x.node, e.Payment)
		}
		ended[e.Payment], approved[e.Payment] = true, e.Approved
		if e.Approved && e.Amount.Minor != 0 {
			out[slipKey{x.id, e.Key}] = e.Amount.Minor
			sum := totals[e.Key.Batch]
			sum.Add(e)
			totals[e.Key.Batch] = sum
		}
		return nil
	})
	for id := range t.seen[x.node] {
		if !approved[id] {
			t.problem("%s: the clerk saw payment %s approved, the journal does not hold it", x.node, id)
		}
	}
	for key, s := range t.settled {
		if key.terminal == x.id && s.Totals != totals[key.batch] {
			t.problem("%s: batch %s was settled with %+v, the journal makes it %+v", x.node, key.batch, s.Totals, totals[key.batch])
		}
	}
	for key, c := range t.closed {
		want := totals[key.batch]
		if key.terminal == x.id && (c.totals.Debits != want.Debits || c.totals.Credits != want.Credits || c.totals.DebitCount != want.DebitCount || c.totals.CreditCount != want.CreditCount) {
			t.problem("%s: the acquirer closed batch %s with %+v, the shop's journal makes it %+v", x.node, key.batch, c.totals, want)
		}
	}
	return err
}

// compare holds shops and books to each other.
func (t *town) compare(shop map[slipKey]int64, booked map[slipKey]payment.Payment) {
	for key, amount := range shop {
		if b, ok := booked[key]; !ok {
			t.problem("the shop approved %s, the books did not", key)
		} else if b.Amount.Minor != amount {
			t.problem("%s: the shop has %d fen, the books %d", key, amount, b.Amount.Minor)
		}
	}
	for key, b := range booked {
		if _, ok := shop[key]; !ok {
			t.problem("the books hold an approved %s of %s that the shop never gave", b.Key.Kind, key)
		}
	}
}

// batches holds the batches that were closed to what they come to now.
func (t *town) batches(ctx context.Context) {
	for key, c := range t.closed {
		now, err := t.disks.seeBooks().Batch(ctx, c.lane, c.merchant, key.terminal, key.batch)
		if err != nil || now != c.totals {
			t.problem("batch %s of %s was closed with %+v, and now comes to %+v (%v)", key.batch, key.terminal, c.totals, now, err)
		}
	}
	for key := range t.settled {
		if _, ok := t.closed[key]; !ok {
			t.problem("the clerk of %s saw batch %s settled, the acquirer did not close it", key.terminal, key.batch)
		}
	}
}

// sign is which way a payment moves money between customer and merchant.
func sign(p payment.Payment) int64 {
	switch p.Key.Kind.Rule().Moves {
	case payment.MovesSale, payment.MovesComplete:
		return 1
	case payment.MovesSaleBack:
		return -1
	}
	return 0
}

// merchants adds each merchant's payments up, less what the acquirer keeps of them.
func (t *town) merchants(booked map[slipKey]payment.Payment, accounts map[book.Account]int64) {
	var fees int64
	due := map[pay.MerchantID]int64{}
	for _, p := range booked {
		due[p.Key.Merchant] += sign(p) * (p.Amount.Minor - p.Fee)
		fees += sign(p) * p.Fee
	}
	for _, x := range t.shape.tills {
		if got := accounts[book.MerchantAccount(x.merchant)]; got != due[x.merchant] {
			t.problem("merchant %s holds %d fen, the payments make %d", x.merchant, got, due[x.merchant])
		}
	}
	if got := accounts[book.FeeAccount]; got != fees {
		t.problem("the fees hold %d fen, the payments make %d", got, fees)
	}
}

// customers compares the issuers' side: what moved a customer's money belongs
// to one approval of a shop, none twice; balances, moves and holds add up.
func (t *town) customers(booked map[slipKey]payment.Payment, accounts map[book.Account]int64) error {
	k := t.kit("auditor")
	approved := map[string]payment.Payment{}
	for _, p := range booked {
		if key, ok := k.BookedKey(p); ok {
			approved[key] = p
		}
	}
	var moved, held int64
	seen := map[string]bool{}
	for _, b := range t.shape.banks {
		bank, err := k.BankIssuer(b.Bank, t.disks.seeLedger(b.node))
		if err != nil {
			return err
		}
		m, h := t.bank(bank, approved, seen)
		moved, held = moved+m, held+h
	}
	if clearing := accounts[book.ClearingAccount(site.SchemeName)]; clearing != moved {
		t.problem("customers paid %d fen, the scheme's clearing account passed on %d", -moved, -clearing)
	}
	if onHold := -accounts[book.HeldAccount(site.SchemeName)]; onHold != held {
		t.problem("issuers hold %d fen for pre-authorisations, the books %d", held, onHold)
	}
	for key, p := range approved {
		if !seen[key] && t.stands(p) {
			t.problem("the shop's %s of %s (RRN %s) moved no customer's money", p.Key.Kind, p.Amount, p.RRN)
		}
	}
	return nil
}

// stands reports whether a payment must show at its issuer now: one that was
// completed or undone has nothing to show of its own any more.
func (t *town) stands(p payment.Payment) bool {
	return p.State == payment.Approved && sign(p) > 0
}

// bank looks at one issuer's ledger.
func (t *town) bank(bank *issuer.Issuer, approved map[string]payment.Payment, seen map[string]bool) (moved, held int64) {
	of := map[string]int64{}
	for _, e := range bank.Ledger() {
		moved += e.Moved
		held += e.Held
		of[e.PAN.Reveal()] += e.Moved
		if e.Moved == 0 && e.Held == 0 {
			continue
		}
		p, ok := approved[e.Key]
		switch {
		case !ok:
			t.problem("a customer's %v of %s stands without an approval (RRN %s, %v)", e.Kind, e.Amount, e.RRN, e.At.Format(time.TimeOnly))
		case p.Amount != e.Amount:
			t.problem("RRN %s: %s at the issuer, %s in the books", e.RRN, e.Amount, p.Amount)
		case seen[e.Key]:
			t.problem("a customer's account moved twice for RRN %s", e.RRN)
		}
		seen[e.Key] = true
	}
	for _, a := range t.cards.Accounts(func(string) string { return pin }) {
		if b, ok := bank.Balance(a.PAN); ok && b.Minor-of[a.PAN.Reveal()] != a.Balance {
			t.problem("account of %s: %d fen left and %d moved do not make %d", a.Profile, b.Minor, of[a.PAN.Reveal()], a.Balance)
		}
	}
	return moved, held
}
