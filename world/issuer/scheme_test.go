package issuer_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"huika/card/perso"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
	"huika/world/issuer"
	"huika/world/issuer/issuertest"
)

// otherCards are cards of the other schemes: one of each cryptogram version.
var otherCards = []struct {
	name   string
	answer int // bytes of 91: method 1 has 10, method 2 has 8
	cdcvm  bool
}{
	{"visa", 8, false}, {"visa-phone", 8, true}, {"visa-watch", 10, true}, {"visa-classic", 10, false},
	{"mastercard", 10, false}, {"mastercard-debit", 10, false}, {"mastercard-phone", 10, true}, {"mastercard-watch", 10, true},
	{"amex", 8, false}, {"amex-phone", 8, true}, {"jcb", 8, false}, {"jcb-watch", 8, true}, {"discover", 8, false}, {"discover-phone", 8, true},
}

// answerOf makes 91 again, from the keys that the issuer has.
func (b *bank) answerOf(name string, f55 []byte, code string) []byte {
	b.t.Helper()
	get := func(g tlv.Tag) []byte { v, _ := tlv.Find(f55, g); return v }
	a, atc, ac := b.card(name).Account, get(tag.ATC), [8]byte(get(tag.ApplicationCryptogram))
	counter := uint16(atc[0])<<8 | uint16(atc[1])
	keys := perso.TestIssuer().MasterKeys(a.Scheme)
	var out []byte
	var errs []error
	switch a.Scheme {
	case perso.Amex, perso.JCB, perso.Discover:
		card, err := cryptogram.CCD.CardKey(keys.Cryptogram, a.PAN, a.PSN)
		key, err2 := cryptogram.CCD.SessionKey(card, counter)
		csu := cryptogram.CSU{0, 0x80, 0, 0}
		if code != "00" {
			csu[1] = 0
		}
		arpc, err3 := cryptogram.CCD.ARPC(key, ac, csu)
		out, errs = append(arpc[:], csu[:]...), []error{err, err2, err3}
	case perso.Visa:
		iad, err := cryptogram.ParseVisaIAD(get(tag.IAD))
		key, err2 := iad.Version.CardKey(keys.Cryptogram, a.PAN, a.PSN)
		status := []byte(code)
		if iad.Version == cryptogram.VisaCVN18 || iad.Version == cryptogram.VisaCVN22 {
			status = []byte{0, 0x80, 0, 0}
			if code != "00" {
				status[1] = 0
			}
		}
		arpc, err3 := iad.Version.ARPC(key, counter, ac, status)
		out, errs = arpc, []error{err, err2, err3}
	default:
		iad, err := cryptogram.ParseMChipIAD(get(tag.IAD))
		key, err2 := iad.Version.CardKey(keys.Cryptogram, a.PAN, a.PSN, cryptogram.OptionA)
		arc := [2]byte{0, 0x10}
		if code != "00" {
			arc[1] = 0
		}
		arpc, err3 := iad.Version.ARPC(key, counter, ac, arc)
		out, errs = append(arpc[:], arc[:]...), []error{err, err2, err3}
	}
	if err := errors.Join(errs...); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// Every cryptogram version: the request is approved once, its counter can't come
// again, any change under the cryptogram is refused, and the card is answered by
// its version's method.
func TestEveryScheme(t *testing.T) {
	for _, c := range otherCards {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBank(t, nil)
				full := b.balance(c.name)
				m := b.sale(c.name, issuertest.Terminal{Fen: small}, "")
				answer, err := b.peer.Ask(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				got, ok := tlv.Find(answer.Bytes(55), tag.IssuerAuthData)
				if answer.Get(39) != "00" || !ok || len(got) != c.answer || !bytes.Equal(got, b.answerOf(c.name, m.Bytes(55), "00")) {
					t.Errorf("F39 %s, 91 %X", answer.Get(39), got)
				}
				again := b.sale(c.name, issuertest.Terminal{Fen: small}, "")
				again.SetBytes(55, m.Bytes(55))
				b.want(again, "05") // the counter was used
				if err := b.SetResponse("51"); err != nil {
					t.Fatal(err)
				}
				m = b.sale(c.name, issuertest.Terminal{Fen: small}, "")
				if answer, err = b.peer.Ask(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				if got, _ = tlv.Find(answer.Bytes(55), tag.IssuerAuthData); answer.Get(39) != "51" || !bytes.Equal(got, b.answerOf(c.name, m.Bytes(55), "51")) {
					t.Errorf("declined: F39 %s, 91 %X", answer.Get(39), got)
				}
				if err := b.SetResponse(""); err != nil {
					t.Fatal(err)
				}
				for _, g := range []tlv.Tag{tag.ApplicationCryptogram, tag.ATC, tag.UN} {
					m := b.sale(c.name, issuertest.Terminal{Fen: small}, "")
					f55 := bytes.Clone(m.Bytes(55))
					v, _ := tlv.Find(f55, g)
					v[len(v)-1] ^= 1
					m.SetBytes(55, f55)
					b.want(m, "05")
				}
				if b.balance(c.name) != full-small {
					t.Errorf("balance %d of %d", b.balance(c.name), full)
				}
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// The terminal's word about the cardholder against the card's, above the limit.
func TestEverySchemesHolder(t *testing.T) {
	const large = 150_000
	for _, c := range otherCards {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBank(t, nil)
				if c.cdcvm {
					b.want(b.sale(c.name, issuertest.Terminal{Fen: large}, ""), "00")
				} else {
					b.want(b.sale(c.name, issuertest.Terminal{Fen: large, CVMResults: "010002"}, ""), "05") // claimed, and the card says none
					b.want(b.sale(c.name, issuertest.Terminal{Fen: large, CVMResults: "1F0002"}, ""), map[bool]string{true: "05", false: "61"}[b.card(c.name).Account.Scheme == perso.Visa])
					b.want(b.sale(c.name, issuertest.Terminal{Fen: large}, b.pin), "00")
				}
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// An application of another scheme than the card's account, and one of nobody's.
func TestSchemeOfTheApplication(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		m := b.sale("visa", issuertest.Terminal{Fen: small}, "")
		f55 := bytes.Clone(m.Bytes(55))
		name, _ := tlv.Find(f55, tag.DFName)
		name[4] = 0x99
		m.SetBytes(55, f55)
		b.want(m, "30")
		m = b.sale("visa", issuertest.Terminal{Fen: small}, "")
		debit := b.card("unionpay-debit").Account
		m.Set(2, debit.PAN.Reveal())
		m.Set(35, debit.PAN.Reveal()+"="+debit.Expiry+"201")
		b.want(m, "14")
		// Without 84 the form of 9F10 says it.
		for _, c := range otherCards {
			m := b.sale(c.name, issuertest.Terminal{Fen: small}, "")
			var bare []byte
			if err := tlv.Walk(m.Bytes(55), func(_ int, o tlv.TLV) error {
				if o.Tag != tag.DFName {
					bare = tlv.Append(bare, o.Tag, o.Value)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			m.SetBytes(55, bare)
			want := "00"
			if scheme := b.card(c.name).Account.Scheme; scheme == perso.Amex || scheme == perso.JCB {
				want = "30" // one form for both
			}
			b.want(m, want)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A script comes once, with a MAC that the card takes, also to a repeated request; then no more.
func TestOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		visa := b.card("visa").Account
		for _, bad := range []struct {
			pan pay.PAN
			o   issuer.Order
		}{{b.card("mastercard").Account.PAN, issuer.Order{Block: true}}, {pay.PAN{}, issuer.Order{Block: true}}, {visa.PAN, issuer.Order{OfflineLimit: -1}}} {
			if err := b.Order(bad.pan, bad.o); !errors.Is(err, issuer.ErrOrder) {
				t.Errorf("%+v: %v", bad.o, err)
			}
		}
		if err := b.Order(visa.PAN, issuer.Order{OfflineLimit: 5000, Unblock: true}); err != nil {
			t.Fatal(err)
		}
		m := b.sale("visa", issuertest.Terminal{Fen: small}, "")
		var first []byte
		for try := range 2 {
			answer, err := b.peer.Ask(t.Context(), m)
			if err != nil || answer.Get(39) != "00" {
				t.Fatal(answer.Get(39), err)
			}
			f55 := answer.Bytes(55)
			if _, ok := tlv.Find(f55, tag.IssuerAuthData); !ok {
				t.Error("no 91")
			}
			if try == 0 {
				first = bytes.Clone(f55)
			} else if !bytes.Equal(f55, first) {
				t.Error("the repeated request got another answer")
			}
		}
		body, ok := tlv.Find(first, tag.Script2)
		if !ok {
			t.Fatalf("no script in %X", first)
		}
		var commands []string
		if err := tlv.Walk(body, func(_ int, o tlv.TLV) error {
			if o.Tag == tag.ScriptCommand {
				commands = append(commands, fmt.Sprintf("%X", o.Value[:len(o.Value)-8]))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(commands); got != "[84DA9F540E000000005000 8418000008]" {
			t.Errorf("commands %s", got)
		}
		answer, err := b.peer.Ask(t.Context(), b.sale("visa", issuertest.Terminal{Fen: small}, ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tlv.Find(answer.Bytes(55), tag.Script2); ok {
			t.Error("the script came twice")
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
