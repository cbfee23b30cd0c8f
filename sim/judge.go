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
		open = open || p.Open()
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
		} else if b.Amount.Minor != amount {
			t.problem("%s/%s: the shop has %d fen, the books %d", key.Batch, key.STAN, amount, b.Amount.Minor)
		}
	}
	var total int64 // what customers have paid, refunds taken off
	for key, b := range booked {
		switch b.Key.Kind.Rule().Moves {
		case payment.MovesSale, payment.MovesComplete:
			total += b.Amount.Minor
		case payment.MovesSaleBack:
			total -= b.Amount.Minor
		}
		if _, ok := shop[key]; !ok {
			t.problem("the books hold an approved %s of %s/%s that the shop never gave", b.Key.Kind, key.Batch, key.STAN)
		}
	}
	accounts := rep.Balances[pay.CNY]
	id := pay.MerchantID(site.Default().Merchant.ID)
	if got := accounts[book.MerchantAccount(id)] + accounts[book.FeeAccount]; got != total {
		t.problem("the merchant's account and the fees hold %d fen, the approved payments make %d", got, total)
	}
	t.rep.Approved = len(shop)
	return t.customers(booked, total, accounts[book.HoldAccount(id)])
}

// booked is every approved payment of the books, by the shop's number.
func (t *town) booked(ctx context.Context) (map[journal.Key]payment.Payment, error) {
	out := map[journal.Key]payment.Payment{}
	err := book.AllPayments(ctx, t.disks.seeBooks(), func(_ book.Lane, p payment.Payment) error {
		switch p.State {
		case payment.Approved, payment.Undone, payment.Used, payment.Forwarding:
			if p.Key.Kind.Rule().Moves != payment.MovesNothing { // an answered question may be lost
				out[journal.Key{Batch: p.Key.Batch, STAN: p.Key.STAN}] = p
			}
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
		if !ok || !e.Approved || e.Amount.Minor == 0 {
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

// customers compares the issuer's side: what moved a customer's money belongs
// to one approval of the shop, none twice; balances, moves and holds add up.
func (t *town) customers(booked map[journal.Key]payment.Payment, total, hold int64) error {
	env := t.w.Node("auditor")
	kit := site.Kit{Env: env, Config: site.Default(), Secrets: t.secrets, Cards: t.cards, Wire: site.Bare{Env: env}, Log: slog.New(slog.DiscardHandler)}
	bank, err := kit.Issuer(t.ledger.Crash())
	if err != nil {
		return err
	}
	approved := map[string]payment.Payment{}
	for _, p := range booked {
		approved[string(p.RRN)] = p
	}
	var moved, held int64
	of := map[string]int64{}
	seen := map[string]bool{}
	for _, e := range bank.Ledger() {
		moved += e.Moved
		held += e.Held
		of[e.PAN.Reveal()] += e.Moved
		if e.Moved == 0 && e.Held == 0 {
			continue
		}
		p, ok := approved[e.RRN]
		switch {
		case !ok:
			t.problem("a customer's %v of %s stands without an approval (RRN %s, %v)", e.Kind, e.Amount, e.RRN, e.At.Format(time.TimeOnly))
		case p.Amount != e.Amount:
			t.problem("RRN %s: %s at the issuer, %s in the books", e.RRN, e.Amount, p.Amount)
		case seen[e.RRN]:
			t.problem("a customer's account moved twice for RRN %s", e.RRN)
		}
		seen[e.RRN] = true
	}
	if moved != -total {
		t.problem("customers paid %d fen, the shop got %d", -moved, total)
	}
	if held != hold {
		t.problem("issuers hold %d fen for pre-authorisations, the books %d", held, hold)
	}
	for _, a := range t.cards.Accounts(func(string) string { return pin }) {
		if b, ok := bank.Balance(a.PAN); ok && b.Minor-of[a.PAN.Reveal()] != a.Balance {
			t.problem("account of %s: %d fen left and %d moved do not make %d", a.Profile, b.Minor, of[a.PAN.Reveal()], a.Balance)
		}
	}
	return nil
}
