package issuer_test

import (
	"fmt"
	"slices"
	"testing"

	"huika/iso8583"
	"huika/pay"
	"huika/world/issuer"
	"huika/world/issuer/issuertest"
)

const debitCard = "unionpay-debit"

// request makes a request with the card.
func (b *bank) request(s issuertest.Shape, name string, fen int64) *iso8583.Message {
	b.t.Helper()
	b.stan++
	return b.card(name).Request(b.t, s, issuertest.Terminal{Fen: fen}, b.stan, "", b.config.ZPK)
}

// after makes a follow-up of an original that was answered with code.
func (b *bank) after(s issuertest.Shape, original *iso8583.Message, code string, fen int64) *iso8583.Message {
	b.stan++
	return issuertest.Follow(s, original, code, fen, b.stan)
}

// done sends m, wants an approval and gives its F38.
func (b *bank) done(m *iso8583.Message) string {
	b.t.Helper()
	answer, err := b.peer.Ask(b.t.Context(), m)
	if err != nil {
		b.t.Fatal(err)
	}
	if answer.Get(39) != "00" {
		b.t.Fatalf("%s %s %s: F39 %s", m.MTI(), m.Get(3), m.Get(11), answer.Get(39))
	}
	return answer.Get(38)
}

func (b *bank) held(name string) int64 {
	b.t.Helper()
	m, ok := b.Held(b.card(name).Account.PAN)
	if !ok {
		b.t.Fatalf("no card %s", name)
	}
	return m.Minor
}

// ledgerFits holds the ledger against balances and holds: what every oracle may rely on.
func (b *bank) ledgerFits() error {
	moved, held, seen := map[string]int64{}, map[string]int64{}, map[string]bool{}
	for _, e := range b.Ledger() {
		if seen[e.Key] || e.Amount.Minor < 0 || e.Reversed && (e.Moved != 0 || e.Held != 0) || int64(e.Direction)*e.Moved < 0 || len(e.AuthCode) != 6 {
			return fmt.Errorf("entry %+v", e)
		}
		if e.Original != "" && !seen[e.Original] {
			return fmt.Errorf("%s of %s follows nothing", e.Kind, e.Original)
		}
		seen[e.Key] = true
		moved[e.PAN.Reveal()] += e.Moved
		held[e.PAN.Reveal()] += e.Held
	}
	for _, a := range b.config.Accounts {
		balance, _ := b.Balance(a.PAN)
		holds, _ := b.Held(a.PAN)
		if balance.Minor != a.Balance+moved[a.PAN.Reveal()] || holds.Minor != held[a.PAN.Reveal()] {
			return fmt.Errorf("%s: balance %d, began with %d, moved %d; holds %d, entries hold %d", a.Profile, balance.Minor, a.Balance, moved[a.PAN.Reveal()], holds.Minor, held[a.PAN.Reveal()])
		}
	}
	return nil
}

func with(f int, v string) func(*iso8583.Message) { return func(m *iso8583.Message) { m.Set(f, v) } }

func without(f int) func(*iso8583.Message) { return func(m *iso8583.Message) { m.Unset(f) } }

// kindCase is one request with what has to come before it.
type kindCase struct {
	name string
	make func(b *bank) *iso8583.Message
	edit func(*iso8583.Message)
	code string
	paid int64 // by the debit card's customer after all of it
	held int64
}

// kindCases is every kind, good and bad.
func kindCases() []kindCase {
	type maker = func(*bank) *iso8583.Message
	// chain makes the last request of a row; those before it are approved.
	type link struct {
		s   issuertest.Shape
		fen int64
	}
	chain := func(first link, rest ...link) maker {
		return func(b *bank) *iso8583.Message {
			m := b.request(first.s, debitCard, first.fen)
			for _, l := range rest {
				m = b.after(l.s, m, b.done(m), l.fen)
			}
			return m
		}
	}
	// beside makes the last request of the first row after others of the same original.
	beside := func(first link, others ...link) maker {
		return func(b *bank) *iso8583.Message {
			m := b.request(first.s, debitCard, first.fen)
			code := b.done(m)
			for _, l := range others[:len(others)-1] {
				b.done(b.after(l.s, m, code, l.fen))
			}
			last := others[len(others)-1]
			return b.after(last.s, m, code, last.fen)
		}
	}
	reversed := func(first link, follow link) maker { // the original is reversed before its follow-up
		return func(b *bank) *iso8583.Message {
			m := b.request(first.s, debitCard, first.fen)
			code := b.done(m)
			b.want(b.reversal(m), "00")
			return b.after(follow.s, m, code, follow.fen)
		}
	}
	const fen = 10_000
	sale, auth := link{issuertest.Sale, fen}, link{issuertest.PreAuth, fen}
	void, cancel := link{issuertest.Void, fen}, link{issuertest.PreAuthCancel, fen}
	refund := func(n int64) link { return link{issuertest.Refund, n} }
	completion := func(n int64) link { return link{issuertest.Completion, n} }
	advice := func(n int64) link { return link{issuertest.CompletionAdvice, n} }
	undo := func(n int64) link { return link{issuertest.CompletionVoid, n} }
	inquiry := link{issuertest.Balance, 0}
	another := with(2, "6299990123456789013") // replaced by a real card's in the test
	return []kindCase{
		{"sale", chain(sale), nil, "00", fen, 0},
		{"sale above what is available", func(b *bank) *iso8583.Message {
			b.done(b.request(issuertest.PreAuth, "unionpay-poor", 400))
			return b.request(issuertest.Sale, "unionpay-poor", 101)
		}, nil, "51", 0, 0},
		{"sale of all that is available", func(b *bank) *iso8583.Message {
			b.done(b.request(issuertest.PreAuth, "unionpay-poor", 400))
			return b.request(issuertest.Sale, "unionpay-poor", 100)
		}, nil, "00", 0, 0},

		{"void", chain(sale, void), nil, "00", 0, 0},
		{"void from another terminal of the merchant", chain(sale, void), with(41, "HK000002"), "00", 0, 0},
		{"void from another merchant", chain(sale, void), with(42, "898110000000002"), "25", fen, 0},
		{"void of a part", chain(sale, link{issuertest.Void, fen - 1}), nil, "64", fen, 0},
		{"void of more", chain(sale, link{issuertest.Void, fen + 1}), nil, "64", fen, 0},
		{"void twice", beside(sale, void, void), nil, "12", 0, 0},
		{"void of a refunded sale", beside(sale, refund(1), void), nil, "12", fen - 1, 0},
		{"void of a reversed sale", reversed(sale, void), nil, "12", 0, 0},
		{"void of a pre-authorisation", chain(auth, void), nil, "12", 0, fen},
		{"void of a void", chain(sale, void, void), nil, "12", 0, 0},
		{"void of a completion", chain(auth, completion(fen), void), nil, "12", fen, 0},
		{"void of nothing", chain(sale, void), with(90, "0200"+"999999"+"1123080000"+"00048020000"+"00000000000"), "25", fen, 0},
		{"void of another message type", chain(sale, void), func(m *iso8583.Message) { m.Set(90, "0100"+m.Get(90)[4:]) }, "12", fen, 0},
		{"void of an impossible message type", chain(sale, void), func(m *iso8583.Message) { m.Set(90, "0420"+m.Get(90)[4:]) }, "30", fen, 0},
		{"void without F90", chain(sale, void), without(90), "30", fen, 0},
		{"void without F38", chain(sale, void), without(38), "30", fen, 0},
		{"void without F2", chain(sale, void), without(2), "30", fen, 0},
		{"void without F4", chain(sale, void), without(4), "30", fen, 0},
		{"void without F49", chain(sale, void), without(49), "30", fen, 0},
		{"void without F41", chain(sale, void), without(41), "30", fen, 0},
		{"void with another code", chain(sale, void), with(38, "ABCDEF"), "25", fen, 0},
		{"void with another card", chain(sale, void), another, "14", fen, 0},
		{"void in another currency", chain(sale, void), with(49, "840"), "12", fen, 0},
		{"void of zero", chain(sale, void), with(4, "000000000000"), "13", fen, 0},
		{"void of a declined sale", func(b *bank) *iso8583.Message {
			m := b.request(issuertest.Sale, "unionpay-poor", 501)
			b.want(m, "51")
			return b.after(issuertest.Void, m, "123456", 501)
		}, nil, "12", 0, 0},
		{"void of a sale that was reversed before it came", func(b *bank) *iso8583.Message {
			m := b.request(issuertest.Sale, debitCard, fen)
			b.want(b.reversal(m), "25")
			return b.after(issuertest.Void, m, "123456", fen)
		}, nil, "12", 0, 0},
		{"void of a sale that came after its reversal", func(b *bank) *iso8583.Message {
			m := b.request(issuertest.Sale, debitCard, fen)
			b.want(b.reversal(m), "25")
			b.want(m, "12")
			return b.after(issuertest.Void, m, "123456", fen)
		}, nil, "12", 0, 0},

		{"refund in part", chain(sale, refund(3_000)), nil, "00", 7_000, 0},
		{"refund of what is left", beside(sale, refund(3_000), refund(2_000), refund(5_000)), nil, "00", 0, 0},
		{"refund of more than is left", beside(sale, refund(3_000), refund(7_001)), nil, "64", 7_000, 0},
		{"refund after a full refund", beside(sale, refund(fen), refund(1)), nil, "64", 0, 0},
		{"refund of a voided sale", beside(sale, void, refund(1)), nil, "12", 0, 0},
		{"refund of a reversed sale", reversed(sale, refund(1)), nil, "12", 0, 0},
		{"refund of a completion", chain(auth, completion(11_000), refund(500)), nil, "00", 10_500, 0},
		{"refund of an advised completion", chain(auth, advice(9_000), refund(9_000)), nil, "00", 0, 0},
		{"refund of a pre-authorisation", chain(auth, refund(1)), nil, "12", 0, fen},
		{"refund of a balance inquiry", chain(inquiry, refund(1)), nil, "12", 0, 0},
		{"refund of zero", chain(sale, refund(0)), nil, "13", fen, 0},
		{"refund with another card", chain(sale, refund(1)), another, "14", fen, 0},
		{"refund with another code", chain(sale, refund(1)), with(38, "ABCDEF"), "25", fen, 0},
		{"refund of nothing", chain(sale, refund(1)), with(90, "0200"+"999999"+"1123080000"+"00048020000"+"00000000000"), "25", fen, 0},

		{"pre-authorisation", chain(auth), nil, "00", 0, fen},
		{"pre-authorisation with 9C 03", func(b *bank) *iso8583.Message {
			b.stan++
			return b.card(debitCard).Request(b.t, issuertest.PreAuth, issuertest.Terminal{Fen: fen, Type: "03"}, b.stan, "", b.config.ZPK)
		}, nil, "00", 0, fen},
		{"pre-authorisation of an inquiry's 9C", func(b *bank) *iso8583.Message {
			b.stan++
			return b.card(debitCard).Request(b.t, issuertest.PreAuth, issuertest.Terminal{Fen: fen, Type: "31"}, b.stan, "", b.config.ZPK)
		}, nil, "57", 0, 0},
		{"pre-authorisation above the balance", func(b *bank) *iso8583.Message { return b.request(issuertest.PreAuth, "unionpay-poor", 501) }, nil, "51", 0, 0},
		{"pre-authorisation above what is available", func(b *bank) *iso8583.Message {
			b.done(b.request(issuertest.PreAuth, "unionpay-poor", 300))
			return b.request(issuertest.PreAuth, "unionpay-poor", 201)
		}, nil, "51", 0, 0},
		{"pre-authorisation without the chip", chain(auth), without(55), "30", 0, 0},
		{"pre-authorisation of another amount than signed", chain(auth), with(4, "000000010001"), "13", 0, 0},
		{"pre-authorisation of a blocked card", func(b *bank) *iso8583.Message { return b.request(issuertest.PreAuth, "unionpay-blocked", fen) }, nil, "62", 0, 0},

		{"cancel", chain(auth, cancel), nil, "00", 0, 0},
		{"cancel without F38", chain(auth, cancel), without(38), "00", 0, 0},
		{"cancel of a part", chain(auth, link{issuertest.PreAuthCancel, 1}), nil, "64", 0, fen},
		{"cancel twice", beside(auth, cancel, cancel), nil, "12", 0, 0},
		{"cancel of a completed hold", beside(auth, completion(1), cancel), nil, "12", 1, 0},
		{"cancel of a reversed hold", reversed(auth, cancel), nil, "12", 0, 0},
		{"cancel of a sale", chain(sale, cancel), nil, "12", fen, 0},
		{"cancel with another card", chain(auth, cancel), another, "14", 0, fen},
		{"cancel of nothing", chain(auth, cancel), with(90, "0100"+"999999"+"1123080000"+"00048020000"+"00000000000"), "25", 0, fen},

		{"completion", chain(auth, completion(fen)), nil, "00", fen, 0},
		{"completion of less", chain(auth, completion(1)), nil, "00", 1, 0},
		{"completion of 115 %", chain(auth, completion(11_500)), nil, "00", 11_500, 0},
		{"completion of more", chain(auth, completion(11_501)), nil, "64", 0, fen},
		{"completion of zero", chain(auth, completion(0)), nil, "13", 0, fen},
		{"completion twice", beside(auth, completion(1), completion(1)), nil, "12", 1, 0},
		{"completion of a cancelled hold", beside(auth, cancel, completion(1)), nil, "12", 0, 0},
		{"completion of a reversed hold", reversed(auth, completion(1)), nil, "12", 0, 0},
		{"completion of a sale", chain(sale, completion(fen)), nil, "12", fen, 0},
		{"completion without F38", chain(auth, completion(fen)), without(38), "30", 0, fen},
		{"completion with another code", chain(auth, completion(fen)), with(38, "ABCDEF"), "25", 0, fen},
		{"completion with another card", chain(auth, completion(fen)), another, "14", 0, fen},
		{"completion beyond the balance, as promised", func(b *bank) *iso8583.Message {
			m := b.request(issuertest.PreAuth, "unionpay-poor", 500)
			return b.after(issuertest.Completion, m, b.done(m), 575)
		}, nil, "00", 0, 0},

		{"completion void", chain(auth, completion(11_000), undo(11_000)), nil, "00", 0, 0},
		{"completion void of a part", chain(auth, completion(11_000), undo(10_999)), nil, "64", 11_000, 0},
		{"completion void of a sale", chain(sale, undo(fen)), nil, "12", fen, 0},
		{"completion void of an advice", chain(auth, advice(fen), undo(fen)), nil, "12", fen, 0},
		{"completion void of a refunded completion", func(b *bank) *iso8583.Message {
			m := b.request(issuertest.PreAuth, debitCard, fen)
			c := b.after(issuertest.Completion, m, b.done(m), fen)
			code := b.done(c)
			b.done(b.after(issuertest.Refund, c, code, 1))
			return b.after(issuertest.CompletionVoid, c, code, fen)
		}, nil, "12", fen - 1, 0},
		{"second completion after a completion void", func(b *bank) *iso8583.Message {
			m := b.request(issuertest.PreAuth, debitCard, fen)
			code := b.done(m)
			c := b.after(issuertest.Completion, m, code, fen)
			b.done(b.after(issuertest.CompletionVoid, c, b.done(c), fen))
			return b.after(issuertest.Completion, m, code, fen)
		}, nil, "12", 0, 0},

		{"advice", chain(auth, advice(11_500)), nil, "00", 11_500, 0},
		{"advice without F38", chain(auth, advice(9_000)), without(38), "00", 9_000, 0},
		{"advice of more", chain(auth, advice(11_501)), nil, "64", 0, fen},
		{"advice after a completion", beside(auth, completion(1), advice(1)), nil, "12", 1, 0},
		{"advice of an unknown hold", chain(auth, advice(1)), with(90, "0100"+"999999"+"1123080000"+"00048020000"+"00000000000"), "25", 0, fen},
		{"advice with another card", chain(auth, advice(1)), another, "14", 0, fen},

		{"balance inquiry", chain(inquiry), nil, "00", 0, 0},
		{"balance inquiry without F4", chain(inquiry), without(4), "00", 0, 0},
		{"balance inquiry with an amount", chain(link{issuertest.Balance, 1}), nil, "13", 0, 0},
		{"balance inquiry with another amount than signed", chain(inquiry), with(4, "000000000001"), "13", 0, 0},
		{"balance inquiry with a sale's cryptogram", func(b *bank) *iso8583.Message {
			b.stan++
			return b.card(debitCard).Request(b.t, issuertest.Balance, issuertest.Terminal{Type: "00"}, b.stan, "", b.config.ZPK)
		}, nil, "57", 0, 0},
		{"balance inquiry without the chip", chain(inquiry), without(55), "30", 0, 0},
		{"balance inquiry of a blocked card", func(b *bank) *iso8583.Message { return b.request(issuertest.Balance, "unionpay-blocked", 0) }, nil, "62", 0, 0},
		{"balance inquiry without the PIN that the card wants", func(b *bank) *iso8583.Message {
			b.stan++
			x := issuertest.Terminal{TTQ: "22804000"}
			return b.card("unionpay-pin-always").Request(b.t, issuertest.Balance, x, b.stan, "", b.config.ZPK)
		}, nil, "61", 0, 0},
		{"balance inquiry with its PIN", func(b *bank) *iso8583.Message {
			b.stan++
			return b.card("unionpay-pin-always").Request(b.t, issuertest.Balance, issuertest.Terminal{}, b.stan, b.pin, b.config.ZPK)
		}, nil, "00", 0, 0},
	}
}

// Each kind, good and bad; its repetition, also after a restart; another message with its key.
func TestKinds(t *testing.T) {
	for _, c := range kindCases() {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBank(t, nil)
				full := b.balance(debitCard)
				m := c.make(b)
				if c.edit != nil {
					c.edit(m)
				}
				if m.Get(2) == "6299990123456789013" {
					m.Set(2, b.card("unionpay-credit").Account.PAN.Reveal())
				}
				first, err := b.peer.Ask(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				inquiry := m.Get(3) == "310000"
				if first.Get(39) != c.code || (first.Get(38) != "") != (c.code == "00") || (first.Get(54) != "") != (c.code == "00" && inquiry) {
					t.Errorf("F39 %s, want %s; F38 %q, F54 %q", first.Get(39), c.code, first.Get(38), first.Get(54))
				}
				fits := func() {
					t.Helper()
					if paid, held := full-b.balance(debitCard), b.held(debitCard); paid != c.paid || held != c.held {
						t.Errorf("%d fen paid, want %d; %d held, want %d", paid, c.paid, held, c.held)
					}
					if err := b.ledgerFits(); err != nil {
						t.Error(err)
					}
				}
				fits()
				for range 2 {
					again, err := b.peer.Ask(t.Context(), m)
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range slices.Compact(append(first.Fields(), again.Fields()...)) {
						if first.Get(f) != again.Get(f) {
							t.Errorf("F%d differs in the repeated answer", f)
						}
					}
					fits()
					b.crash()
				}
				if m.Has(41) { // else it had no key
					other := m.Clone()
					other.Set(22, "999")
					b.want(other, "94")
				}
				fits()
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// What is no transaction is refused and leaves nothing behind.
func TestNoSuchTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		for _, s := range []issuertest.Shape{
			{MTI: "0200", Processing: "010000", Condition: "00"}, {MTI: "0200", Processing: "030000", Condition: "06"}, {MTI: "0200", Processing: "310000", Condition: "06"},
			{MTI: "0100", Processing: "000000", Condition: "00"}, {MTI: "0100", Processing: "030000", Condition: "00"}, {MTI: "0100", Processing: "200000", Condition: "00"},
			{MTI: "0220", Processing: "000000", Condition: "00"}, {MTI: "0220", Processing: "200000", Condition: "06"}, {MTI: "0320", Processing: "000000", Condition: "00"},
		} {
			b.want(b.request(s, debitCard, 100), "12")
		}
		if b.log.Len() != 0 || b.balance(debitCard) != b.card(debitCard).Account.Balance || b.held(debitCard) != 0 {
			t.Errorf("%d records, %d held", b.log.Len(), b.held(debitCard))
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// F54 says what is available: C, or D where a reversed completion left less than nothing.
func TestInquiry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		says := func(want string) {
			t.Helper()
			answer, err := b.peer.Ask(t.Context(), b.request(issuertest.Balance, "unionpay-poor", 0))
			if err != nil || answer.Get(54) != want {
				t.Errorf("F54 %q, want %q, %v", answer.Get(54), want, err)
			}
		}
		says("0002156C000000000500")
		auth := b.request(issuertest.PreAuth, "unionpay-poor", 500)
		code := b.done(auth)
		says("0002156C000000000000")
		completion := b.after(issuertest.Completion, auth, code, 100)
		b.done(completion)
		says("0002156C000000000400")
		b.done(b.request(issuertest.Sale, "unionpay-poor", 399))
		b.want(b.reversal(completion), "00") // 101 left, 500 held
		says("0002156D000000000399")
		if got := len(b.Ledger()); got != 3 {
			t.Errorf("%d entries: inquiries belong to none", got)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A forced code declines every kind but the advice, which tells and does not ask.
func TestForcedKinds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		sale, auth := b.request(issuertest.Sale, debitCard, 100), b.request(issuertest.PreAuth, debitCard, 100)
		saleCode, authCode := b.done(sale), b.done(auth)
		if err := b.SetResponse("96"); err != nil {
			t.Fatal(err)
		}
		for _, m := range []*iso8583.Message{
			b.after(issuertest.Void, sale, saleCode, 100), b.after(issuertest.Refund, sale, saleCode, 1), b.request(issuertest.PreAuth, debitCard, 1),
			b.after(issuertest.PreAuthCancel, auth, authCode, 100), b.after(issuertest.Completion, auth, authCode, 1), b.request(issuertest.Balance, debitCard, 0),
		} {
			b.want(m, "96")
		}
		b.want(b.after(issuertest.CompletionAdvice, auth, authCode, 1), "00")
		b.want(b.reversal(sale), "00")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// What a void or refund says of its original in the ledger.
func TestLedgerOfKinds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		sale := b.request(issuertest.Sale, debitCard, 1000)
		refund := b.after(issuertest.Refund, sale, b.done(sale), 400)
		b.done(refund)
		auth := b.request(issuertest.PreAuth, debitCard, 700)
		b.done(auth)
		key := func(m *iso8583.Message) string {
			k, ok := issuer.Key(m)
			if !ok {
				t.Fatal("no key")
			}
			return k
		}
		type row struct {
			Key, Original string
			Kind          issuer.Transaction
			Direction     issuer.Direction
			Amount        pay.Money
			Moved, Held   int64
		}
		var got []row
		for _, e := range b.Ledger() {
			got = append(got, row{e.Key, e.Original, e.Kind, e.Direction, e.Amount, e.Moved, e.Held})
		}
		want := []row{
			{key(sale), "", issuer.Sale, issuer.Debit, pay.Fen(1000), -1000, 0},
			{key(refund), key(sale), issuer.Refund, issuer.Credit, pay.Fen(400), 400, 0},
			{key(auth), "", issuer.PreAuth, issuer.Aside, pay.Fen(700), 0, 700},
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
