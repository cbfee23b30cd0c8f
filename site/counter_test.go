package site_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/card/perso"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal/journal"
	journalsqlite "huika/terminal/journal/sqlite"
)

// counter is a shop's counter with everything behind it: terminal, host, scheme
// and issuer as `huika demo` wires them, on files and mutual TLS over loopback
// sockets, with a wiretap inside the TLS.
type counter struct {
	*site.System
	tap        *wiretap
	pin, wrong string
	accounts   []perso.Account
}

// openCounter opens one that ends with the test, and is audited then.
func openCounter(t *testing.T, set func(*testing.T, *site.Config)) *counter {
	t.Helper()
	c := &counter{}
	c.pin, c.wrong = randomPIN(t)
	cfg := site.Default()
	cfg.Data, cfg.World.PIN = t.TempDir(), c.pin
	set(t, &cfg)
	check(t, perso.TestIssuer().Save(filepath.Join(cfg.Data, "cards"))) // checked-in keys: nothing here is about making them
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	kit, err := site.OpenKit(rt.Real(), cfg, log)
	check(t, err)
	c.tap = &wiretap{Wire: kit.Wire, onUnreadable: func(err error) { t.Errorf("a frame that can't be read: %v", err) }}
	kit.Wire = c.tap
	c.System, err = site.OpenOver(kit, site.Parts{World: true, Acquirer: true, Terminal: true})
	check(t, err)
	c.accounts = kit.Cards.Accounts(func(string) string { return c.pin })
	t.Cleanup(func() { c.closing(t) })
	c.rest(t)
	return c
}

// randomPIN is a PIN and one that differs from it in each digit.
func randomPIN(t *testing.T) (right, wrong string) {
	t.Helper()
	b := make([]byte, 6)
	_, err := rand.Read(b)
	check(t, err)
	for _, d := range b {
		right += string('0' + d%10)
		wrong += string('0' + (d+5)%10)
	}
	if strings.Trim(right, right[:1]) == "" { // a pad may refuse six equal digits one day
		return randomPIN(t)
	}
	return right, wrong
}

// resting reports what is still open, "" where nothing is.
func (c *counter) resting(t *testing.T) string {
	t.Helper()
	v, _ := c.Terminal.View()
	switch {
	case !v.Host.SignedIn:
		return "the terminal is not signed in"
	case v.Host.PendingReversals > 0:
		return "the terminal owes a reversal"
	case !c.Host.Up():
		return "the host's link to the scheme is down"
	case !c.Scheme.Up("demo bank"):
		return "the scheme's link to the issuer is down"
	case c.Scheme.Owed() > 0:
		return "the scheme owes a reversal"
	}
	open := ""
	check(t, book.AllPayments(t.Context(), c.Books, func(_ book.Lane, p payment.Payment) error {
		if p.State.Unresolved() {
			open = "a payment of the host is " + p.State.String()
		}
		return nil
	}))
	return open
}

// rest waits until all links are up and nobody owes anything.
func (c *counter) rest(t *testing.T) {
	t.Helper()
	open := ""
	for end := time.Now().Add(restLimit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		check(t, c.Err())
		if open = c.resting(t); open == "" {
			return
		}
	}
	t.Fatalf("after %v %s", restLimit, open)
}

// purse is what each party has.
type purse struct{ merchant, clearing, customers, card int64 }

// purses reads them, and proves the books on the way. profile is the card whose account is looked at.
func (c *counter) purses(t *testing.T, profile string) (p purse) {
	t.Helper()
	rep, err := book.Verify(t.Context(), c.Books, c.Kit.Config.Acquirer.Lanes, nil)
	check(t, err)
	for _, f := range rep.Findings {
		t.Errorf("books: %v", f)
	}
	if rep.Unresolved > 0 {
		t.Errorf("%d payments are unresolved", rep.Unresolved)
	}
	cny := rep.Balances[pay.CNY]
	p.merchant = cny[book.MerchantAccount(pay.MerchantID(c.Kit.Config.Merchant.ID))]
	for _, scheme := range []string{site.SchemeName, perso.Visa, perso.Mastercard, perso.Amex, perso.JCB, perso.Discover} {
		p.clearing += cny[book.ClearingAccount(scheme)]
	}
	owner, _ := perso.ProfileByName(profile)
	for _, a := range c.accounts {
		b, ok := c.Issuer.Balance(a.PAN)
		if !ok {
			t.Fatalf("%s has no account", a.Profile)
		}
		if p.customers += b.Minor; a.Profile == owner.Account {
			p.card = b.Minor
		}
	}
	return p
}

// sold is one approved payment as the books or the issuer hold it.
type sold struct {
	amount int64
	rrn    string
}

// booked is every payment of the books that holds.
func booked(t *testing.T, books book.Reader) map[journal.Key]sold {
	t.Helper()
	out := map[journal.Key]sold{}
	check(t, book.AllPayments(context.Background(), books, func(_ book.Lane, p payment.Payment) error {
		if p.State == payment.Approved {
			out[journal.Key{Batch: p.Key.Batch, STAN: p.Key.STAN}] = sold{p.Amount.Minor, string(p.RRN)}
		}
		return nil
	}))
	return out
}

// closing ends the system and holds what is on its disks against each other:
// the terminal's journal, the acquirer's books with their heads, the issuer's ledger.
func (c *counter) closing(t *testing.T) {
	t.Helper()
	inBooks := booked(t, c.Books)
	byRRN := map[string]int64{}
	for _, s := range inBooks {
		byRRN[s.rrn] = s.amount
	}
	for _, e := range c.Issuer.Ledger() {
		if e.Reversed {
			continue
		}
		if amount, ok := byRRN[e.RRN]; !ok || amount != e.Amount.Minor {
			t.Errorf("RRN %s: a customer paid %s, the books have %d fen (%t)", e.RRN, e.Amount, amount, ok)
		}
		delete(byRRN, e.RRN) // a second debit finds nothing
	}
	if len(byRRN) > 0 {
		t.Errorf("booked, but no customer paid: %v", byRRN)
	}
	check(t, c.Close())
	cfg := c.Kit.Config
	rep, err := site.Verify(context.Background(), rt.Real(), cfg, c.Kit.Log)
	check(t, err)
	if !rep.Sound() || rep.Unresolved > 0 {
		t.Errorf("books after the end: %v, %d unresolved", rep.Findings, rep.Unresolved)
	}
	j, err := journalsqlite.Open(context.Background(), filepath.Join(cfg.Data, "terminal", "journal.db"))
	check(t, err)
	st, err := j.State(context.Background())
	check(t, err)
	if len(st.Open) > 0 || len(st.Reversals) > 0 {
		t.Errorf("journal: %d payments open, %d reversals owed", len(st.Open), len(st.Reversals))
	}
	check(t, j.Each(context.Background(), func(r journal.Record) error {
		e, ok := r.(journal.Ended)
		if !ok || !e.Approved {
			return nil
		}
		if b, ok := inBooks[e.Key]; !ok || b.amount != e.Amount.Minor {
			t.Errorf("%s/%s: the journal approved %s, the books have %d fen (%t)", e.Key.Batch, e.Key.STAN, e.Amount, b.amount, ok)
		}
		delete(inBooks, e.Key)
		return nil
	}))
	if len(inBooks) > 0 {
		t.Errorf("the journal knows nothing of %v", inBooks)
	}
	check(t, j.Close())
}
