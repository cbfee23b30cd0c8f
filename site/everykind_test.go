package site_test

import (
	"testing"

	"huika/acquirer/book"
	"huika/pay"
	"huika/site"
	"huika/terminal"
)

// customer is what is left on the debit card's account.
func (l life) customer() int64 {
	l.t.Helper()
	for _, a := range l.Kit.Cards.Accounts(func(string) string { return "123456" }) {
		if a.Profile == waved {
			b, ok := l.Issuer.Balance(a.PAN)
			if !ok {
				l.t.Fatal("no such account")
			}
			return b.Minor
		}
	}
	l.t.Fatal("no debit card")
	return 0
}

func (l life) merchant() int64 {
	l.t.Helper()
	rep, err := book.Verify(l.t.Context(), l.Books, l.Kit.Config.Acquirer.Lanes, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range rep.Findings {
		l.t.Error(f)
	}
	if rep.Unresolved > 0 {
		l.t.Errorf("%d payments are unresolved", rep.Unresolved)
	}
	return rep.Balances[pay.CNY][book.MerchantAccount(pay.MerchantID(l.Kit.Config.Merchant.ID))]
}

func by(r terminal.Result) terminal.Original {
	return terminal.Original{RRN: pay.RRN(r.RRN), AuthCode: r.AuthCode}
}

// Every kind of transaction through terminal, acquirer, scheme and issuer, on
// their sockets, in each scheme's dialect: the customer's account and the merchant's move together.
func TestEveryKind(t *testing.T) {
	for _, dialect := range []string{"cup", "visa", "mastercard", "amex", "jcb", "discover", "lesson"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			everyKind(openLife(t, func(c *site.Config) {
				c.Acquirer.Schemes = []site.SchemeConfig{{Name: site.SchemeName, Dialect: dialect, Address: "127.0.0.1:0"}}
			}))
		})
	}
}

func everyKind(l life) {
	t := l.t
	start := l.customer()
	moved := func(want int64) {
		t.Helper()
		if c, m := start-l.customer(), l.merchant(); c != want || m != want {
			t.Fatalf("the customer paid %d fen, the merchant has %d; want %d", c, m, want)
		}
	}
	sale := l.approved(terminal.Request{Amount: pay.Fen(8880)})
	moved(8880)
	l.refused("64", terminal.Request{Kind: terminal.Void, Amount: pay.Fen(8000), Original: by(sale)})
	l.approved(terminal.Request{Kind: terminal.Void, Amount: pay.Fen(8880), Original: by(sale)})
	moved(0)
	l.refused("12", terminal.Request{Kind: terminal.Void, Amount: pay.Fen(8880), Original: by(sale)})

	sale = l.approved(terminal.Request{Amount: pay.Fen(10000)})
	l.approved(terminal.Request{Kind: terminal.Refund, Amount: pay.Fen(4000), Original: by(sale)})
	moved(6000)
	l.refused("64", terminal.Request{Kind: terminal.Refund, Amount: pay.Fen(6001), Original: by(sale)})
	l.approved(terminal.Request{Kind: terminal.Refund, Amount: pay.Fen(6000), Original: by(sale)})
	moved(0)

	auth := l.approved(terminal.Request{Kind: terminal.PreAuth, Amount: pay.Fen(20000)})
	l.refused("64", terminal.Request{Kind: terminal.Completion, Amount: pay.Fen(23001), Original: by(auth)})
	done := l.approved(terminal.Request{Kind: terminal.Completion, Amount: pay.Fen(23000), Original: by(auth)})
	moved(23000)
	l.approved(terminal.Request{Kind: terminal.CompletionVoid, Amount: pay.Fen(23000), Original: by(done)})
	moved(0)
	auth = l.approved(terminal.Request{Kind: terminal.PreAuth, Amount: pay.Fen(20000)})
	l.approved(terminal.Request{Kind: terminal.PreAuthCancel, Amount: pay.Fen(20000), Original: by(auth)})
	moved(0)

	balance := l.approved(terminal.Request{Kind: terminal.Balance, Amount: pay.Fen(0)})
	if want := pay.Fen(l.customer()).Decimal(); balance.Balance != want {
		t.Errorf("balance inquiry says %q, want %s", balance.Balance, want)
	}

	s, err := l.Terminal.Settle(t.Context())
	if err != nil || !s.Balanced || s.Batch != "000001" || s.Next != "000002" || s.Totals.DebitCount != 3 || s.Totals.CreditCount != 4 {
		t.Fatalf("settlement: %+v %v", s, err)
	}
	if r := l.approved(terminal.Request{Amount: pay.Fen(100)}); r.Batch != "000002" {
		t.Errorf("the next sale is in batch %s", r.Batch)
	}
	l.refused("12", terminal.Request{Kind: terminal.CompletionVoid, Amount: pay.Fen(23000), Original: by(done)}) // its batch is closed
	moved(100)
}
