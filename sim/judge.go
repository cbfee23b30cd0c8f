package sim

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/site"
	"huika/terminal/journal"
	"huika/world/scheme"
)

// atRest reports whether nothing is open any more, at the terminal and in the books.
func (t *town) atRest() bool {
	j, err := t.disks.seeJournal()
	if err != nil {
		return false
	}
	st, err := j.State(context.Background())
	if err != nil || len(st.Open) > 0 || len(st.Reversals) > 0 {
		return false
	}
	open := false
	err = book.AllPayments(context.Background(), t.disks.seeBooks(), func(_ book.Lane, p payment.Payment) error {
		open = open || p.State.Unresolved()
		return nil
	})
	return err == nil && !open && t.schemeOwes() == 0
}

// schemeOwes counts reversals that the scheme has written down and nobody took.
func (t *town) schemeOwes() int {
	n := 0
	if err := t.owed.Load(func(r scheme.Record) error {
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
	rep, err := book.Verify(ctx, t.disks.seeBooks(), book.DefaultLanes, nil)
	if err != nil {
		return err
	}
	for _, f := range rep.Findings {
		t.problem("books: %v", f)
	}
	if rep.Unresolved > 0 {
		t.problem("%d payments of the acquirer are unresolved", rep.Unresolved)
	}
	booked, err := t.booked(ctx)
	if err != nil {
		return err
	}
	shop, err := t.shop(ctx)
	if err != nil {
		return err
	}
	for key, amount := range shop {
		if b, ok := booked[key]; !ok {
			t.problem("the shop approved %s/%s, the books did not", key.Batch, key.STAN)
		} else if b.amount != amount {
			t.problem("%s/%s: the shop has %d fen, the books %d", key.Batch, key.STAN, amount, b.amount)
		}
	}
	var total int64
	rrns := map[string]int64{}
	for key, b := range booked {
		total += b.amount
		rrns[b.rrn] = b.amount
		if _, ok := shop[key]; !ok {
			t.problem("the books hold an approval of %s/%s that the shop never gave", key.Batch, key.STAN)
		}
	}
	merchant := rep.Balances[pay.CNY][book.MerchantAccount(pay.MerchantID(site.Default().Merchant.ID))]
	if fees := rep.Balances[pay.CNY][book.FeeAccount]; merchant+fees != total {
		t.problem("the merchant's account holds %d fen and the fees %d, the approved payments %d", merchant, fees, total)
	}
	t.rep.Approved = len(shop)
	return t.customers(rrns, total)
}

type bookedSale struct {
	amount int64
	rrn    string
}

// booked is every approved payment of the books.
func (t *town) booked(ctx context.Context) (map[journal.Key]bookedSale, error) {
	out := map[journal.Key]bookedSale{}
	err := book.AllPayments(ctx, t.disks.seeBooks(), func(_ book.Lane, p payment.Payment) error {
		if p.State == payment.Approved {
			out[journal.Key{Batch: p.Key.Batch, STAN: p.Key.STAN}] = bookedSale{p.Amount.Minor, string(p.RRN)}
		}
		return nil
	})
	return out, err
}

// shop is every payment that the shop saw approved.
func (t *town) shop(ctx context.Context) (map[journal.Key]int64, error) {
	j, err := t.disks.seeJournal()
	if err != nil {
		return nil, err
	}
	st, err := j.State(ctx)
	if err != nil {
		return nil, err
	}
	if len(st.Open) > 0 || len(st.Reversals) > 0 {
		t.problem("the terminal has %d open payments and owes %d reversals", len(st.Open), len(st.Reversals))
	}
	out := map[journal.Key]int64{}
	err = j.Each(ctx, func(r journal.Record) error {
		e, ok := r.(journal.Ended)
		if !ok || !e.Approved {
			return nil
		}
		if _, twice := out[e.Key]; twice {
			return errors.New("a payment ended twice in the journal")
		}
		out[e.Key] = e.Amount.Minor
		return nil
	})
	return out, err
}

// customers compares the issuer's side: each debit that stands belongs to one
// approval, none twice, and balances and debits add up to what there was.
func (t *town) customers(approved map[string]int64, total int64) error {
	env := t.w.Node("auditor")
	kit := site.Kit{Env: env, Config: site.Default(), Secrets: t.secrets, Cards: t.cards, Wire: site.Bare{Env: env}, Log: slog.New(slog.DiscardHandler)}
	bank, err := kit.Issuer(t.ledger.Crash())
	if err != nil {
		return err
	}
	spent := map[string]int64{}
	var debits int64
	seen := map[string]bool{}
	for _, e := range bank.Ledger() {
		if e.Reversed {
			continue
		}
		debits += e.Amount.Minor
		spent[e.PAN.Reveal()] += e.Amount.Minor
		amount, ok := approved[e.RRN]
		switch {
		case !ok:
			t.problem("a customer was debited %s without an approval (RRN %s, %v)", e.Amount, e.RRN, e.At.Format(time.TimeOnly))
		case amount != e.Amount.Minor:
			t.problem("RRN %s: debited %s, approved %d fen", e.RRN, e.Amount, amount)
		case seen[e.RRN]:
			t.problem("a customer was debited twice for RRN %s", e.RRN)
		}
		seen[e.RRN] = true
	}
	if debits != total {
		t.problem("customers paid %d fen, the merchant got %d", debits, total)
	}
	for _, a := range t.cards.Accounts(func(string) string { return pin }) {
		if b, ok := bank.Balance(a.PAN); ok && b.Minor+spent[a.PAN.Reveal()] != a.Balance {
			t.problem("account of %s: %d fen left and %d spent do not make %d", a.Profile, b.Minor, spent[a.PAN.Reveal()], a.Balance)
		}
	}
	return nil
}
