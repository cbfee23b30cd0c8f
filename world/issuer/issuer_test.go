package issuer_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"huika/card/perso"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/pay"
	"huika/rt"
	"huika/world/issuer"
	"huika/world/issuer/issuertest"
	"huika/world/issuer/memlog"
)

// bank is an issuer on a wire, its store, and a scheme's end of the wire.
type bank struct {
	*issuer.Issuer
	t      testing.TB
	env    rt.Env
	config issuer.Config
	log    *memlog.Log[issuer.Record, *issuer.Record]
	pin    string
	wire   *issuertest.Wire
	peer   *issuertest.Peer
	cancel context.CancelFunc
	ended  *rt.Future[error]
	cards  map[string]*issuertest.Card
	stan   int
}

// today is when the tests play; a synctest bubble begins in 2000.
var today = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func newBank(t testing.TB, change func(*issuer.Config)) *bank {
	t.Helper()
	b := &bank{t: t, env: rt.Real(), pin: issuertest.PIN(t), log: memlog.New[issuer.Record](), cards: map[string]*issuertest.Card{}}
	i := perso.TestIssuer()
	b.config = issuer.Config{
		Accounts: i.Accounts(func(string) string { return b.pin }), IMK: i.IMK(), Keys: i.AllMasterKeys(),
		ZPK: issuertest.Key(t, 16), MACKey: issuertest.Key(t, 16), Store: b.log,
	}
	if change != nil {
		change(&b.config)
	}
	b.start()
	t.Cleanup(func() { // where a test gave up
		b.cancel()
		b.peer.Close()
	})
	return b
}

func (b *bank) start() {
	b.t.Helper()
	var err error
	if b.Issuer, err = issuer.New(b.env, b.config); err != nil {
		b.t.Fatal(err)
	}
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	b.wire, b.ended = issuertest.NewWire(b.env), rt.NewFuture[error](b.env)
	one, wire, ended := b.Issuer, b.wire, b.ended
	b.env.Go("issuer", func() { ended.Set(one.Serve(ctx, wire)) })
	b.peer = issuertest.NewPeer(b.t, b.env, b.wire.Dial, b.config.MACKey)
}

// redial is the scheme coming back after its connection was idle too long.
func (b *bank) redial() {
	b.t.Helper()
	b.peer.Close()
	b.peer.Wait(b.t)
	b.peer = issuertest.NewPeer(b.t, b.env, b.wire.Dial, b.config.MACKey)
}

// stop ends the process and returns why it ended.
func (b *bank) stop() error {
	b.t.Helper()
	b.cancel()
	err, getErr := b.ended.Get(context.Background())
	if getErr != nil {
		b.t.Fatal(getErr)
	}
	b.peer.Close()
	b.peer.Wait(b.t)
	return err
}

// crash ends the process without order and starts the next one on what was durable.
func (b *bank) crash() {
	b.t.Helper()
	next := b.log.Crash()
	if err := b.stop(); err != nil && !errors.Is(err, memlog.ErrCrashed) {
		b.t.Fatal(err)
	}
	b.log = next
	b.config.Store = next
	b.start()
}

func (b *bank) card(name string) *issuertest.Card {
	if b.cards[name] == nil {
		b.cards[name] = issuertest.NewCard(b.t, name, b.pin)
	}
	return b.cards[name]
}

// sale makes the message of a tap; pin "" sends none.
func (b *bank) sale(name string, x issuertest.Terminal, pin string) *iso8583.Message {
	b.t.Helper()
	b.stan++
	return b.card(name).Sale(b.t, x, b.stan, pin, b.config.ZPK)
}

func (b *bank) reversal(sale *iso8583.Message) *iso8583.Message {
	b.stan++
	return issuertest.Reversal(sale, b.stan)
}

func (b *bank) balance(name string) int64 {
	b.t.Helper()
	m, ok := b.Balance(b.card(name).Account.PAN)
	if !ok {
		b.t.Fatalf("no balance of %s", name)
	}
	return m.Minor
}

func (b *bank) want(m *iso8583.Message, code string) {
	b.t.Helper()
	if got := b.peer.Code(b.t, m); got != code {
		b.t.Errorf("%s %s: F39 %s, want %s", m.MTI(), m.Get(11), got, code)
	}
}

// inBubble runs a test on fake time, at the date of the tests.
func inBubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today))
		f(t)
	})
}

const big, small = 500_000, 8_880 // 5000.00 and 88.80

// Every response code, by the cards, the terminals and the forgeries that earn it.
func TestResponseCodes(t *testing.T) {
	at := func(fen int64) issuertest.Terminal { return issuertest.Terminal{Fen: fen} }
	type change func(*bank, *iso8583.Message)
	set := func(f int, v string) change { return func(_ *bank, m *iso8583.Message) { m.Set(f, v) } }
	unset := func(f int) change { return func(_ *bank, m *iso8583.Message) { m.Unset(f) } }
	icc := func(g tlv.Tag, value string) change { // replaces, or with "" removes, one tag of F55
		return func(_ *bank, m *iso8583.Message) {
			var out []byte
			list, err := tlv.Parse(m.Bytes(55))
			if err != nil {
				panic(err)
			}
			for _, o := range list {
				if o.Tag != g {
					out = tlv.Append(out, o.Tag, o.Value)
				}
			}
			if value != "" {
				b, err := hex.DecodeString(value)
				if err != nil {
					panic(err)
				}
				out = tlv.Append(out, g, b)
			}
			m.SetBytes(55, out)
		}
	}
	const right, wrong = "right", "wrong"
	for _, c := range []struct {
		name string
		card string
		x    issuertest.Terminal
		pin  string
		edit change
		code string
	}{
		{"small amount", "unionpay-debit", at(small), "", nil, "00"},
		{"limit itself", "unionpay-debit", at(100_000), "", nil, "00"},
		{"large with PIN", "unionpay-debit", at(100_001), right, nil, "00"},
		{"credit card of 16 digits", "unionpay-credit", at(big), right, nil, "00"},
		{"phone at 5000", "unionpay-phone", at(big), "", nil, "00"},
		{"watch at 5000", "unionpay-watch", at(big), "", nil, "00"},
		{"PIN at any amount", "unionpay-pin-always", at(small), right, nil, "00"},
		{"no F14", "unionpay-debit", at(small), "", unset(14), "00"},
		{"no F23", "unionpay-debit", at(small), "", unset(23), "00"},
		{"no 9F27", "unionpay-debit", at(small), "", icc(tag.CID, ""), "00"},
		{"no 9F34", "unionpay-debit", at(small), "", icc(tag.CVMResults, ""), "00"},
		{"whole balance", "unionpay-poor", at(500), "", nil, "00"},

		{"cloned, wrong cryptogram key", "unionpay-cloned-online", at(small), "", nil, "05"},
		{"cryptogram changed", "unionpay-debit", at(small), "", icc(tag.ApplicationCryptogram, "0102030405060708"), "05"},
		{"UN changed", "unionpay-debit", at(small), "", icc(tag.UN, "FFFFFFFF"), "05"},
		{"TVR changed after the tap", "unionpay-debit", at(small), "", icc(tag.TVR, "0000000080"), "05"},
		{"ATC changed", "unionpay-debit", at(small), "", icc(tag.ATC, "7000"), "05"},
		{"CVR changed to CDCVM", "unionpay-debit", at(big), "", icc(tag.IAD, "07010103A4000201"), "05"},
		{"AAC in 9F27", "unionpay-debit", at(small), "", icc(tag.CID, "00"), "05"},
		{"card of an offline-only reader answers AAC", "unionpay-debit", issuertest.Terminal{Fen: small, TTQ: "2E804000"}, "", nil, "05"},
		{"CDCVM claimed, CVR says none", "unionpay-debit", issuertest.Terminal{Fen: big, TTQ: "26804000", CVMResults: "010002"}, "", nil, "05"},
		{"CDCVM claimed at a small amount", "unionpay-debit", issuertest.Terminal{Fen: small, CVMResults: "010002"}, "", nil, "05"},
		{"PIN claimed, none sent", "unionpay-debit", issuertest.Terminal{Fen: small, CVMResults: "020000"}, "", nil, "05"},
		{"card asked for the PIN, none sent", "unionpay-pin-always", issuertest.Terminal{Fen: small, CVMResults: "1F0002"}, "", nil, "05"},
		{"TVR: exception file", "unionpay-debit", issuertest.Terminal{Fen: small, TVR: "1000000000"}, "", nil, "05"},
		{"TVR: DDA failed", "unionpay-debit", issuertest.Terminal{Fen: small, TVR: "0800000000"}, "", nil, "05"},
		{"TVR: verification failed", "unionpay-debit", issuertest.Terminal{Fen: small, TVR: "0000800000"}, "", nil, "05"},
		{"TVR: expired", "unionpay-debit", issuertest.Terminal{Fen: small, TVR: "0040000000"}, "", nil, "54"},
		{"TVR: service not allowed", "unionpay-debit", issuertest.Terminal{Fen: small, TVR: "0010000000"}, "", nil, "57"},

		{"F49 of another currency", "unionpay-debit", at(small), "", set(49, "840"), "12"},
		{"both of another currency", "unionpay-debit", issuertest.Terminal{Fen: small, Currency: "0840"}, "", set(49, "840"), "12"},
		{"F4 differs from 9F02", "unionpay-debit", at(small), "", set(4, "000000008881"), "13"},
		{"nothing to pay", "unionpay-debit", at(0), "", nil, "13"},
		{"F2 of another card", "unionpay-debit", at(small), "", func(b *bank, m *iso8583.Message) { m.Set(2, b.card("unionpay-phone").Account.PAN.Reveal()) }, "14"},
		{"no such card", "unionpay-debit", at(small), "", func(_ *bank, m *iso8583.Message) {
			m.Set(35, "6299990000000000=4912220")
			m.Set(2, "6299990000000000")
		}, "14"},
		{"another sequence number", "unionpay-debit", at(small), "", set(23, "009"), "14"},
		{"F3 is no sale", "unionpay-debit", at(small), "", set(3, "200000"), "30"},
		{"F14 differs", "unionpay-debit", at(small), "", set(14, "4901"), "30"},
		{"no F2", "unionpay-debit", at(small), "", unset(2), "30"},
		{"no F4", "unionpay-debit", at(small), "", unset(4), "30"},
		{"no F35", "unionpay-debit", at(small), "", unset(35), "30"},
		{"no F49", "unionpay-debit", at(small), "", unset(49), "30"},
		{"no F55", "unionpay-debit", at(small), "", unset(55), "30"},
		{"no F41", "unionpay-debit", at(small), "", unset(41), "30"},
		{"F55 is cut", "unionpay-debit", at(small), "", func(_ *bank, m *iso8583.Message) { m.SetBytes(55, m.Bytes(55)[:40]) }, "30"},
		{"no 9F26", "unionpay-debit", at(small), "", icc(tag.ApplicationCryptogram, ""), "30"},
		{"no 9F10", "unionpay-debit", at(small), "", icc(tag.IAD, ""), "30"},
		{"9F10 of another version", "unionpay-debit", at(small), "", icc(tag.IAD, "07011103A0000201"), "30"},
		{"blocked", "unionpay-blocked", at(small), "", nil, "62"},
		{"lost", "unionpay-debit", at(small), "", func(b *bank, _ *iso8583.Message) {}, "41"},
		{"stolen", "unionpay-debit", at(small), "", func(b *bank, _ *iso8583.Message) {}, "43"},
		{"balance short", "unionpay-poor", at(501), "", nil, "51"},
		{"expired", "unionpay-expired", at(small), "", nil, "54"},
		{"another expiry than the card's", "unionpay-debit", at(small), "", func(_ *bank, m *iso8583.Message) {
			m.Unset(14)
			track := []byte(m.Get(35))
			copy(track[len(track)-len(m.Get(35))+len(m.Get(2))+1:], "4811")
			m.SetBytes(35, track)
		}, "54"},
		{"abroad", "unionpay-debit", issuertest.Terminal{Fen: small, Country: "0840"}, "", nil, "57"},
		{"cash", "unionpay-debit", issuertest.Terminal{Fen: small, Type: "01"}, "", nil, "57"},
		{"one fen above the limit, nobody verified", "unionpay-debit", issuertest.Terminal{Fen: 100_001, TTQ: "26804000"}, "", nil, "61"},
		{"TTQ edited at 5000", "unionpay-debit", issuertest.Terminal{Fen: big, TTQ: "26804000", CVMResults: "1F0002"}, "", nil, "61"},
		{"TTQ edited for a card that always wants its PIN", "unionpay-pin-always", issuertest.Terminal{Fen: small, TTQ: "22804000"}, "", nil, "61"},
		{"wrong PIN", "unionpay-debit", at(big), wrong, nil, "55"},
		{"PIN block under another key", "unionpay-debit", at(big), right, func(b *bank, m *iso8583.Message) { m.SetBytes(52, []byte("12345678")) }, "55"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBank(t, func(config *issuer.Config) {
					for i := range config.Accounts {
						if a := &config.Accounts[i]; a.Profile == "unionpay-debit" && (c.code == "41" || c.code == "43") {
							a.Status = map[string]string{"41": "lost", "43": "stolen"}[c.code]
						}
					}
				})
				pin := map[string]string{"": "", right: b.pin, wrong: "0" + b.pin[1:]}[c.pin]
				if c.pin == wrong && pin == b.pin {
					pin = "1" + b.pin[1:]
				}
				before := b.balance(c.card)
				m := b.sale(c.card, c.x, pin)
				if c.edit != nil {
					c.edit(b, m)
				}
				answer, err := b.peer.Ask(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				if got := answer.Get(39); got != c.code {
					t.Errorf("F39 %s, want %s", got, c.code)
				}
				paid := before - b.balance(c.card)
				if want := map[bool]int64{true: c.x.Fen}[c.code == "00"]; paid != want {
					t.Errorf("%d fen debited, want %d", paid, want)
				}
				if (answer.Get(38) != "") != (c.code == "00") {
					t.Errorf("F38 %q with %s", answer.Get(38), c.code)
				}
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// 91 is ARPC method 1 under the session key that made the cryptogram.
func TestARPC(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		for _, code := range []string{"00", "51"} {
			if code != "00" {
				if err := b.SetResponse(code); err != nil {
					t.Fatal(err)
				}
			}
			m := b.sale("unionpay-debit", issuertest.Terminal{Fen: small}, "")
			answer, err := b.peer.Ask(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			atc, _ := tlv.Find(m.Bytes(55), tag.ATC)
			ac, _ := tlv.Find(m.Bytes(55), tag.ApplicationCryptogram)
			a := b.card("unionpay-debit").Account
			k := cryptogram.PBOC01
			key, err := k.CardKey(b.config.IMK, a.PAN, a.PSN)
			if err != nil {
				t.Fatal(err)
			}
			session, err := k.SessionKey(key, uint16(atc[0])<<8|uint16(atc[1]))
			if err != nil {
				t.Fatal(err)
			}
			arpc, err := k.ARPC(session, [8]byte(ac), [2]byte([]byte(code)))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := tlv.Find(answer.Bytes(55), tag.IssuerAuthData)
			if want := string(arpc[:]) + code; answer.Get(39) != code || !ok || string(got) != want {
				t.Errorf("F39 %s, 91 %X, want %X", answer.Get(39), got, want)
			}
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A counter is used once, in whatever order taps come in; also across a restart.
func TestATC(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		var made []*iso8583.Message
		for range 70 {
			made = append(made, b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, ""))
		}
		replay := func(n int) *iso8583.Message { // the same tap as a new payment
			b.stan++
			m := made[n].Clone()
			m.Set(11, fmt.Sprintf("%06d", b.stan))
			return m
		}
		b.want(made[2], "00")
		b.want(replay(2), "05")
		b.want(made[1], "00") // came late
		b.want(replay(1), "05")
		b.crash()
		b.want(replay(1), "05")
		b.want(made[69], "00") // gaps are normal
		b.want(replay(2), "05")
		b.want(made[0], "05") // never used, but older than the window
		b.want(made[6], "00") // the oldest in it
		b.want(replay(69), "05")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Wrong PINs count over restarts, the third ends the card's PIN, a right one before it forgives.
func TestPINTries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		wrong := "9" + b.pin[1:]
		if wrong == b.pin {
			wrong = "8" + b.pin[1:]
		}
		pay := func(pin, code string, left int) {
			t.Helper()
			b.want(b.sale("unionpay-debit", issuertest.Terminal{Fen: big}, pin), code)
			if n, _ := b.TryCounter(b.card("unionpay-debit").Account.PAN); n != left {
				t.Errorf("%d tries left, want %d", n, left)
			}
		}
		pay(wrong, "55", 2)
		pay(b.pin, "00", 3)
		pay(wrong, "55", 2)
		b.crash()
		pay(wrong, "55", 1)
		b.crash()
		pay(wrong, "75", 0)
		b.crash()
		pay(b.pin, "75", 0) // even the right one
		b.want(b.sale("unionpay-debit", issuertest.Terminal{Fen: small}, ""), "00")
		b.want(b.sale("unionpay-credit", issuertest.Terminal{Fen: big}, b.pin), "00") // another card's tries
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// The same message gets the same answer, bytes and all; another one with its key gets 94.
func TestDuplicates(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		for _, c := range []struct {
			card string
			code string
		}{{"unionpay-debit", "00"}, {"unionpay-poor", "51"}, {"unionpay-blocked", "62"}} {
			m := b.sale(c.card, issuertest.Terminal{Fen: small}, "")
			first, err := b.peer.Ask(t.Context(), m)
			if err != nil || first.Get(39) != c.code {
				t.Fatalf("%s: %s, %v", c.card, first.Get(39), err)
			}
			after := b.balance(c.card)
			for n := range 3 {
				if n == 1 {
					b.crash()
				}
				time.Sleep(36 * time.Hour) // another business day by then
				b.redial()
				again, err := b.peer.Ask(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range slices.Compact(append(first.Fields(), again.Fields()...)) {
					if first.Get(f) != again.Get(f) {
						t.Errorf("%s: F%d differs in the repeated answer", c.card, f)
					}
				}
			}
			other := m.Clone()
			other.Set(25, "01")
			b.want(other, "94")
			if b.balance(c.card) != after {
				t.Errorf("%s: a repetition moved money", c.card)
			}
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReversal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		full := b.balance("unionpay-debit")
		sale := b.sale("unionpay-debit", issuertest.Terminal{Fen: small}, "")
		b.want(sale, "00")

		other := b.reversal(sale)
		other.Set(4, "000000000001")
		b.want(other, "64")
		other = b.reversal(sale)
		other.Set(2, b.card("unionpay-credit").Account.PAN.Reveal())
		b.want(other, "14")
		other = b.reversal(sale)
		other.Set(90, "0420"+other.Get(90)[4:])
		b.want(other, "30")
		if b.balance("unionpay-debit") != full-small {
			t.Fatal("a refused reversal moved money")
		}

		bare := b.reversal(sale) // as a scheme sends it: without the card number
		bare.Unset(2)
		b.want(bare, "00")
		for range 3 {
			b.want(b.reversal(sale), "00")
			b.crash()
		}
		if b.balance("unionpay-debit") != full {
			t.Errorf("balance %d, want %d", b.balance("unionpay-debit"), full)
		}
		b.want(sale, "00") // a late copy of the sale hears what it heard, and takes nothing
		if b.balance("unionpay-debit") != full {
			t.Error("a copy of a reversed sale was debited")
		}
		entries := b.Ledger()
		if len(entries) != 1 || !entries[0].Reversed || entries[0].Amount != pay.Fen(small) || entries[0].RRN != sale.Get(37) || len(entries[0].AuthCode) != 6 {
			t.Errorf("ledger %+v", entries)
		}

		declined := b.sale("unionpay-poor", issuertest.Terminal{Fen: small}, "")
		b.want(declined, "51")
		b.want(b.reversal(declined), "00")
		if b.balance("unionpay-poor") != 500 {
			t.Error("the reversal of a decline moved money")
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A reversal that overtakes its sale leaves a tombstone, over restarts too.
func TestReversalBeforeSale(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		full := b.balance("unionpay-debit")
		sale := b.sale("unionpay-debit", issuertest.Terminal{Fen: small}, "")
		b.want(b.reversal(sale), "25")
		b.want(b.reversal(sale), "25")
		b.crash()
		b.want(sale, "12")
		b.want(sale, "12")
		b.want(b.reversal(sale), "25")
		b.crash()
		b.want(sale, "12")
		if b.balance("unionpay-debit") != full || len(b.Ledger()) != 0 {
			t.Error("a sale was debited after its reversal")
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNetworkAndMAC(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		b.want(issuertest.Network(cup.NetworkSignOn, 1), "00")
		b.want(issuertest.Network(cup.NetworkEcho, 2), "00")
		b.want(issuertest.Network("777", 3), "30")
		odd := issuertest.Network(cup.NetworkEcho, 4)
		odd.SetMTI("0100")
		b.want(odd, "12")
		sale := b.sale("unionpay-debit", issuertest.Terminal{Fen: small}, "")
		stranger := issuertest.NewPeer(t, b.env, b.wire.Dial, issuertest.Key(t, 16))
		if _, err := stranger.Ask(t.Context(), sale); !errors.Is(err, cup.ErrMAC) { // the answer's MAC is the zone's
			t.Errorf("wrong MAC: %v", err)
		}
		stranger.Close()
		stranger.Wait(t)
		if b.log.Len() != 0 {
			t.Error("a message with a wrong MAC left a record")
		}
		b.want(sale, "00")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// The buttons: late, lost, down, forced.
func TestControls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		full := b.balance("unionpay-debit")
		pay := func() (*iso8583.Message, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			return b.peer.Ask(ctx, b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, ""))
		}
		b.SetDelay(4 * time.Second)
		start := time.Now()
		if _, err := pay(); err != nil || time.Since(start) != 4*time.Second {
			t.Errorf("delay: %v after %v", err, time.Since(start))
		}
		b.SetDelay(0)
		b.DropReplies(1)
		if _, err := pay(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dropped answer: %v", err)
		}
		if b.balance("unionpay-debit") != full-200 {
			t.Error("what was not answered did not take effect")
		}
		if _, err := pay(); err != nil {
			t.Errorf("after the dropped answer: %v", err)
		}
		for _, bad := range []string{"5", "051", "5 ", "5a"} {
			if b.SetResponse(bad) == nil {
				t.Errorf("SetResponse(%q) passed", bad)
			}
		}
		if err := b.SetResponse("96"); err != nil {
			t.Fatal(err)
		}
		forced := b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, "")
		b.want(forced, "96")
		if err := b.SetResponse("00"); err != nil {
			t.Fatal(err)
		}
		b.want(forced, "96") // its answer stays
		b.SetDown(true)
		if _, err := pay(); !errors.Is(err, link.ErrDown) {
			t.Errorf("down: %v", err)
		}
		b.peer.Wait(t)
		refused := issuertest.NewPeer(t, b.env, b.wire.Dial, b.config.MACKey)
		refused.Wait(t)
		b.SetDown(false)
		b.peer = issuertest.NewPeer(t, b.env, b.wire.Dial, b.config.MACKey)
		if _, err := pay(); err != nil {
			t.Errorf("up again: %v", err)
		}
		if b.balance("unionpay-debit") != full-400 {
			t.Errorf("balance %d, want %d", b.balance("unionpay-debit"), full-400)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLimits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, func(c *issuer.Config) { c.MaxPayments = 2 })
		first := b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, "")
		b.want(first, "00")
		b.want(b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, ""), "00")
		third := b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, "")
		for _, m := range []*iso8583.Message{third, b.reversal(third)} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := b.peer.Ask(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("beyond the limit: %v", err)
			}
			cancel()
		}
		b.want(b.reversal(first), "00") // what is known still ends well
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	i := perso.TestIssuer()
	good := issuer.Config{
		Accounts: i.Accounts(func(string) string { return "123456" }), IMK: i.IMK(), Keys: i.AllMasterKeys(), ZPK: issuertest.Key(t, 16), MACKey: issuertest.Key(t, 16),
		Store: memlog.New[issuer.Record](),
	}
	for name, change := range map[string]func(*issuer.Config){
		"no store":      func(c *issuer.Config) { c.Store = nil },
		"short ZPK":     func(c *issuer.Config) { c.ZPK = issuertest.Key(t, 8) },
		"no MAC key":    func(c *issuer.Config) { c.MACKey = pay.Secret{} },
		"short IMK":     func(c *issuer.Config) { c.IMK = issuertest.Key(t, 5) },
		"account twice": func(c *issuer.Config) { c.Accounts = append(slices.Clone(c.Accounts), c.Accounts[0]) },
		"debit of nobody": func(c *issuer.Config) {
			log := memlog.New[issuer.Record]()
			if err := log.Append(issuer.Record{Kind: issuer.Decision, Transaction: issuer.Sale, Key: "k", Code: "00", Amount: 1}); err != nil {
				t.Fatal(err)
			}
			c.Store = log
		},
		"decided twice": func(c *issuer.Config) {
			log := memlog.New[issuer.Record]()
			r := issuer.Record{Kind: issuer.Decision, Transaction: issuer.Sale, Key: "k", Code: "05"}
			if err := log.Append(r, r); err != nil {
				t.Fatal(err)
			}
			c.Store = log
		},
	} {
		bad := good
		change(&bad)
		if _, err := issuer.New(rt.Real(), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := issuer.New(rt.Real(), good); err != nil {
		t.Errorf("good config: %v", err)
	}
}
