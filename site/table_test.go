package site_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/nfc"
	"huika/pay"
	"huika/site"
	"huika/terminal"
	"huika/world/tray"
)

// scenario is one payment at the counter: which card, how it is held, what the
// people do, which party fails; and all that must be true afterwards.
type scenario struct {
	name    string
	card    string // of the desk; "" for none
	beside  string // another one that is held with it
	sticker string // how the card is held the first time
	again   bool   // the customer holds it there once more when asked
	fen     int64
	pins    []string           // keyed one after the other; then the pad stays empty
	trouble func(*shop)        // before the payment begins
	during  func(*shop, watch) // beside it
	mend    func(*shop)        // after it

	outcome terminal.OutcomeWord
	reason  string
	cvm     string // "none" where empty
	oda     string // "none" where empty
	code    string
	wires   string // frames: terminal's 0200 and 0400, host's 0200 and 0420
	paid    int64  // by the customer to the shop
}

// watch is what a helper beside the payment sees of it.
type watch struct {
	id pay.PaymentID
	// phase waits until the payment stands there.
	phase func(terminal.Phase)
}

const (
	debit   = "unionpay-debit"
	noCard  = ""
	sent    = "1 0 1 0" // asked once, answered once
	nothing = "0 0 0 0"
)

func cancelIn(at terminal.Phase) func(*shop, watch) {
	return func(s *shop, w watch) {
		w.phase(at)
		if took, why, err := s.pos.Cancel(s.t.Context(), w.id); err != nil || !took {
			s.t.Errorf("cancel while %s: %v %q %v", at, took, why, err)
		}
	}
}

// readerFails lets the reader fail while a card is waited for; it must be named
// in words, and the payment must go on when it is back.
func readerFails(c nfc.Condition) func(*shop, watch) {
	return func(s *shop, w watch) {
		w.phase(terminal.PhasePresent)
		began := time.Now()
		s.field.SetCondition(c)
		s.sees("reader "+string(c), func(v terminal.View) bool {
			return v.Reader.Condition == string(c) && v.Payment != nil && v.Payment.Notice == "reader_"+string(c)
		})
		if took := time.Since(began); took > time.Second {
			s.t.Errorf("noticed after %v", took)
		}
		s.field.SetCondition(nfc.Ready)
		if _, err := s.desk.Put(s.t.Context(), debit, ""); err != nil {
			s.t.Error(err)
		}
	}
}

var scenarios = []scenario{
	{name: "smallest", card: debit, fen: 1, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 1},
	{name: "88.80", card: debit, fen: 8880, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 8880},
	{name: "credit card", card: "unionpay-credit", fen: 8880, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 8880},
	{name: "1000.00 needs no PIN", card: debit, fen: 100_000, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100_000},
	{name: "1000.01 needs the PIN", card: debit, fen: 100_001, pins: []string{pin}, outcome: terminal.Approved, cvm: "online_pin", oda: "fdda", code: "00", wires: sent, paid: 100_001},
	{name: "1000.01 with the credit card", card: "unionpay-credit", fen: 100_001, pins: []string{pin}, outcome: terminal.Approved, cvm: "online_pin", oda: "fdda", code: "00", wires: sent, paid: 100_001},
	{name: "PIN asked and none given", card: debit, fen: 100_001, outcome: terminal.Cancelled, reason: "pin_not_given", cvm: "online_pin", oda: "fdda", wires: nothing},
	{name: "PIN always: 1.00", card: "unionpay-pin-always", fen: 100, pins: []string{pin}, outcome: terminal.Approved, cvm: "online_pin", oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "wrong PIN, then right", card: debit, again: true, fen: 150_000, pins: []string{"000000", pin}, outcome: terminal.Approved, cvm: "online_pin", oda: "fdda", code: "00", wires: "2 0 2 0", paid: 150_000},
	{name: "three wrong PINs", card: "unionpay-credit", again: true, fen: 150_000, pins: []string{"000000", "111111", "222222"}, outcome: terminal.Declined, reason: "pin_tries_exceeded", cvm: "online_pin", oda: "fdda", code: "75", wires: "3 0 3 0"},
	{name: "and then even the right one", card: "unionpay-credit", fen: 150_000, pins: []string{pin}, outcome: terminal.Declined, reason: "pin_tries_exceeded", cvm: "online_pin", oda: "fdda", code: "75", wires: sent},
	{name: "phone at 5000.00", card: "unionpay-phone", fen: 500_000, outcome: terminal.Approved, cvm: "cdcvm", oda: "fdda", code: "00", wires: sent, paid: 500_000},
	{name: "watch at 5000.00", card: "unionpay-watch", fen: 500_000, outcome: terminal.Approved, cvm: "cdcvm", oda: "fdda", code: "00", wires: sent, paid: 500_000},
	{name: "phone at 1000.01", card: "unionpay-phone", fen: 100_001, outcome: terminal.Approved, cvm: "cdcvm", oda: "fdda", code: "00", wires: sent, paid: 100_001},
	{name: "phone below the limit", card: "unionpay-phone", fen: 100, outcome: terminal.Approved, cvm: "cdcvm", oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "expired", card: "unionpay-expired", fen: 100, outcome: terminal.Declined, reason: "card_expired", wires: nothing},
	{name: "blocked by the issuer", card: "unionpay-blocked", fen: 100, outcome: terminal.Declined, reason: "card_restricted", oda: "fdda", code: "62", wires: sent},
	{name: "balance short", card: "unionpay-poor", fen: 501, outcome: terminal.Declined, reason: "insufficient_funds", oda: "fdda", code: "51", wires: sent},
	{name: "balance just enough", card: "unionpay-poor", fen: 500, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 500},
	{name: "clone with its own key", card: "unionpay-cloned", fen: 100, outcome: terminal.Declined, reason: "card_not_genuine", oda: "failed", wires: nothing},
	{name: "clone that asks for online", card: "unionpay-cloned-online", fen: 100, outcome: terminal.Declined, reason: "declined_by_issuer", oda: "failed", code: "05", wires: sent},
	{name: "CTQ edited at 5000.00", card: debit, sticker: tray.CTQEdited, fen: 500_000, outcome: terminal.Declined, reason: "card_not_genuine", oda: "failed", wires: nothing},
	{name: "TTQ edited at 5000.00", card: debit, sticker: tray.TTQEdited, fen: 500_000, outcome: terminal.Declined, reason: "cardholder_not_verified", oda: "fdda", wires: nothing},
	{name: "slow card", card: debit, sticker: tray.SlowCard, fen: 100, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "weak field", card: debit, sticker: tray.Weak, again: true, fen: 100, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "removed before GPO, held again", card: debit, sticker: tray.RemovedBeforeGPO, again: true, fen: 100, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "removed after GPO, held again", card: debit, sticker: tray.RemovedAfterGPO, again: true, fen: 100, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "removed and not held again", card: debit, sticker: tray.RemovedAfterGPO, fen: 100, outcome: terminal.TryAgain, reason: "card_not_read", wires: nothing},
	{name: "two cards stay", card: debit, beside: "unionpay-credit", fen: 100, outcome: terminal.TryAgain, reason: "one_card_only", wires: nothing},
	{name: "two cards, one is taken away", card: debit, beside: "staff", fen: 100, during: func(s *shop, w watch) {
		s.sees("one card only", func(v terminal.View) bool { return v.Payment != nil && v.Payment.UI != nil && v.Payment.UI.ID == "19" })
		for _, i := range s.desk.List() {
			if i.Name == "staff" {
				check(s.t, s.desk.Take(s.t.Context(), i.ID))
			}
		}
	}, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "transit card", card: "transit", fen: 100, outcome: terminal.OtherInterface, reason: "card_not_supported", wires: nothing},
	{name: "staff card", card: "staff", fen: 100, outcome: terminal.OtherInterface, reason: "card_not_supported", wires: nothing},
	{name: "dead chip", card: "dead", fen: 100, outcome: terminal.TryAgain, reason: "card_not_read", wires: nothing},
	{name: "nobody comes", card: noCard, fen: 100, outcome: terminal.TryAgain, reason: "present_timeout", wires: nothing},
	{name: "cancelled while waiting for a card", card: noCard, fen: 100, during: cancelIn(terminal.PhasePresent), outcome: terminal.Cancelled, reason: "cancelled_by_clerk", wires: nothing},
	{name: "cancelled while the card is read", card: debit, sticker: tray.SlowCard, fen: 100, during: cancelIn(terminal.PhaseReading), outcome: terminal.Cancelled, reason: "cancelled_by_clerk", wires: nothing},
	{name: "cancelled while the PIN pad is open", card: debit, fen: 200_000, during: cancelIn(terminal.PhasePIN), outcome: terminal.Cancelled, reason: "cancelled_by_clerk", cvm: "online_pin", oda: "fdda", wires: nothing},
	{name: "cancelled too late", card: debit, fen: 100, trouble: func(s *shop) { s.issue.SetDelay(200 * time.Millisecond) }, during: func(s *shop, w watch) {
		w.phase(terminal.PhaseHost)
		if took, why, err := s.pos.Cancel(s.t.Context(), w.id); err != nil || took || why != terminal.WhyHostAsked {
			s.t.Errorf("cancel while the host is asked: %v %q %v", took, why, err)
		}
	}, mend: func(s *shop) { s.issue.SetDelay(0) }, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "a second sale meanwhile", card: debit, fen: 100, trouble: func(s *shop) { s.issue.SetDelay(100 * time.Millisecond) }, during: func(s *shop, w watch) {
		w.phase(terminal.PhaseHost)
		if _, err := s.pos.StartSale(s.t.Context(), terminal.SaleRequest{Amount: pay.Fen(1)}); err == nil {
			s.t.Error("a second sale was begun")
		}
		if id, err := s.pos.StartSale(s.t.Context(), terminal.SaleRequest{ID: w.id, Amount: pay.Fen(100)}); err != nil || id != w.id {
			s.t.Errorf("the same request again: %v %v", id, err)
		}
	}, mend: func(s *shop) { s.issue.SetDelay(0) }, outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "reader unplugged", card: noCard, fen: 100, during: readerFails(nfc.Unplugged), outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "reader hung", card: noCard, fen: 100, during: readerFails(nfc.Hung), outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "reader taken", card: noCard, fen: 100, during: readerFails(nfc.Taken), outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "reader disabled", card: noCard, fen: 100, during: readerFails(nfc.Disabled), outcome: terminal.Approved, oda: "fdda", code: "00", wires: sent, paid: 100},
	{name: "reader stays unplugged", card: noCard, fen: 100, trouble: func(s *shop) { s.field.SetCondition(nfc.Unplugged) }, during: cancelIn(terminal.PhasePresent), mend: func(s *shop) { s.field.SetCondition(nfc.Ready) }, outcome: terminal.Cancelled, reason: "cancelled_by_clerk", wires: nothing},
	{name: "answer lost on its way to the shop", card: debit, fen: 100, trouble: func(s *shop) { s.setLose("0210") }, mend: func(s *shop) { s.setLose("") }, outcome: terminal.Reversed, reason: "no_answer", oda: "fdda", wires: "1 1 1 1"},
	{name: "issuer's answer lost", card: debit, fen: 100, trouble: func(s *shop) { s.issue.DropReplies(1) }, outcome: terminal.Declined, reason: "issuer_unavailable", oda: "fdda", code: "91", wires: sent},
	{name: "scheme's answer lost", card: debit, fen: 100, trouble: func(s *shop) { s.swtch.DropResponses(1) }, outcome: terminal.Declined, reason: "issuer_unavailable", oda: "fdda", code: "91", wires: "1 0 1 1"},
	{name: "issuer slower than the scheme waits", card: debit, fen: 100, trouble: func(s *shop) { s.issue.SetDelay(700 * time.Millisecond) }, mend: func(s *shop) { s.issue.SetDelay(0) }, outcome: terminal.Declined, reason: "issuer_unavailable", oda: "fdda", code: "91", wires: sent},
	{name: "issuer down", card: debit, fen: 100, trouble: func(s *shop) { s.issue.SetDown(true) }, mend: func(s *shop) { s.issue.SetDown(false) }, outcome: terminal.Declined, reason: "issuer_unavailable", oda: "fdda", code: "91", wires: sent},
	{name: "scheme down", card: debit, fen: 100, trouble: func(s *shop) {
		s.swtch.SetDown(true)
		for s.host.Up() {
			time.Sleep(time.Millisecond)
		}
	}, mend: func(s *shop) { s.swtch.SetDown(false) }, outcome: terminal.Declined, reason: "issuer_unavailable", oda: "fdda", code: "91", wires: "1 0 0 0"},
	{name: "host down", card: debit, fen: 100, trouble: func(s *shop) {
		s.down.SetDown(true)
		s.sees("host down", func(v terminal.View) bool { return !v.Host.SignedIn })
	}, mend: func(s *shop) { s.down.SetDown(false) }, outcome: terminal.TryAgain, reason: "host_down", oda: "fdda", wires: nothing},
	{name: "link cut while the host is asked", card: debit, fen: 100, trouble: func(s *shop) { s.issue.SetDelay(200 * time.Millisecond) }, during: func(s *shop, w watch) {
		w.phase(terminal.PhaseHost)
		time.Sleep(50 * time.Millisecond) // let the request leave
		s.down.SetDown(true)
	}, mend: func(s *shop) { s.issue.SetDelay(0); s.down.SetDown(false) }, outcome: terminal.Reversed, reason: "link_cut", oda: "fdda", wires: "1 1 1 1"},
	{name: "issuer refuses by command", card: debit, fen: 100, trouble: func(s *shop) { check(s.t, s.issue.SetResponse("41")) }, mend: func(s *shop) { check(s.t, s.issue.SetResponse("")) }, outcome: terminal.Declined, reason: "card_lost", oda: "fdda", code: "41", wires: sent},
	{name: "more than the account holds", card: debit, fen: 99_999_999, pins: []string{pin}, outcome: terminal.Declined, reason: "insufficient_funds", cvm: "online_pin", oda: "fdda", code: "51", wires: sent},
}

// sees waits until the terminal's view is as wanted.
func (s *shop) sees(what string, want func(terminal.View) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), restLimit)
	defer cancel()
	var seq uint64
	for {
		v, n, err := s.pos.After(ctx, seq)
		if err != nil {
			s.t.Errorf("never seen: %s", what)
			return
		}
		if seq = n; want(v) {
			return
		}
	}
}

// frames counts what left, as scenario.wires says it.
func (s *shop) frames() string {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	var n [4]int
	for _, e := range s.o.events {
		for i, want := range []string{"terminal sends 0200", "terminal sends 0400", "host sends scheme 0200", "host sends scheme 0420"} {
			if strings.HasPrefix(e.String(), want) {
				n[i]++
			}
		}
	}
	s.o.events = nil
	return fmt.Sprint(n[0], n[1], n[2], n[3])
}

// spent is what all customers have paid; the merchant's account must say the same.
func (s *shop) spent() int64 {
	s.t.Helper()
	var sum int64
	for _, a := range s.cards.Accounts(func(string) string { return pin }) {
		if b, ok := s.issue.Balance(a.PAN); ok {
			sum += a.Balance - b.Minor
		}
	}
	rep, err := book.Verify(s.t.Context(), s.books, book.DefaultLanes, nil)
	check(s.t, err)
	for _, f := range rep.Findings {
		s.t.Error(f)
	}
	if rep.Unresolved > 0 {
		s.t.Errorf("%d payments are unresolved", rep.Unresolved)
	}
	if got := rep.Balances[pay.CNY][book.MerchantAccount(pay.MerchantID(site.Default().Merchant.ID))]; got != sum {
		s.t.Errorf("the customers paid %d fen, the merchant has %d", sum, got)
	}
	return sum
}

func (s *shop) play(c scenario) terminal.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), restLimit)
	defer cancel()
	if c.trouble != nil {
		c.trouble(s)
	}
	id, err := s.pos.StartSale(ctx, terminal.SaleRequest{Amount: pay.Fen(c.fen)})
	check(s.t, err)
	beside := make(chan struct{})
	go func() {
		defer close(beside)
		if c.during != nil {
			c.during(s, watch{id, func(p terminal.Phase) {
				s.sees(string(p), func(v terminal.View) bool { return v.Payment != nil && v.Payment.ID == id && v.Payment.Phase == p })
			}})
		}
	}()
	sticker := c.sticker
	hold := func() {
		for _, name := range []string{c.card, c.beside} {
			if name == "" {
				continue
			}
			if _, err := s.desk.Put(ctx, name, sticker); err != nil && !strings.Contains(err.Error(), "already") {
				s.t.Error(err)
			}
		}
		if sticker != tray.Weak {
			sticker = ""
		}
	}
	hold()
	defer s.field.TakeAll()
	var seq uint64
	asked, keyed := "", 0
	for {
		v, n, err := s.pos.After(ctx, seq)
		check(s.t, err)
		seq = n
		p := v.Payment
		switch {
		case p == nil || p.ID != id:
		case p.Result != nil:
			<-beside
			return *p.Result
		case p.Phase == terminal.PhasePresent && p.Until.String() != asked:
			if asked != "" && c.again {
				hold()
			}
			asked = p.Until.String()
		case p.PIN != nil && p.PIN.Try > keyed && p.PIN.Try <= len(c.pins):
			keyed = p.PIN.Try
			sealed, err := seal(c.pins[keyed-1], p.PIN)
			check(s.t, err)
			check(s.t, s.pos.SubmitPIN(ctx, id, keyed, sealed))
		}
	}
}

// One table of payments over the whole site on the memory link: what the shop
// is told, what stands on both wires, and where the money is.
func TestScenarios(t *testing.T) {
	t.Parallel()
	s := openShop(t, false, func(c *site.Config) {
		c.Timeouts.Present, c.Timeouts.PIN = ms(1500), ms(1500)
	})
	for i, c := range scenarios {
		if testing.Short() && i%3 != 0 && c.name != "and then even the right one" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.frames()
			before := s.spent()
			r := s.play(c)
			if c.mend != nil {
				c.mend(s)
			}
			s.rest()
			if c.cvm == "" {
				c.cvm = "none"
			}
			if c.oda == "" {
				c.oda = "none"
			}
			if r.Outcome != c.outcome || r.Reason != c.reason || r.CVM != c.cvm || r.ODA != c.oda || r.ResponseCode != c.code {
				t.Errorf("got %s, %q, cvm %s, oda %s, response %q; want %s, %q, %s, %s, %q",
					r.Outcome, r.Reason, r.CVM, r.ODA, r.ResponseCode, c.outcome, c.reason, c.cvm, c.oda, c.code)
			}
			if got := s.frames(); got != c.wires {
				t.Errorf("frames %s, want %s", got, c.wires)
			}
			if got := s.spent() - before; got != c.paid {
				t.Errorf("the customer paid %d fen, want %d", got, c.paid)
			}
			check(t, s.pos.Dismiss(t.Context()))
		})
	}
}
