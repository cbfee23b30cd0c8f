// Package schemetest is what every scheme dialect must do for the host and the
// stand-in switch to work over it: the contract behind docs/recipes/add-a-scheme.md.
// It holds as well the recipe's own example, a dialect of no real scheme.
//
// What a dialect may drop it doesn't ask for; each dialect's own tests do that.
package schemetest

import (
	"errors"
	"strings"
	"testing"

	"huika/iso8583"
	"huika/iso8583/scheme"
	"huika/pay"
)

// The card of all messages here: a published test number.
const (
	cardNumber = "4761739001010119"
	track2     = "4761739001010119=30122011143857989"
)

// originals are what follow-ups follow.
var originals = map[scheme.Transaction][]scheme.Transaction{
	scheme.Void: {scheme.Sale}, scheme.Refund: {scheme.Sale, scheme.Completion, scheme.CompletionAdvice}, scheme.PreAuthCancel: {scheme.PreAuth},
	scheme.Completion: {scheme.PreAuth}, scheme.CompletionAdvice: {scheme.PreAuth}, scheme.CompletionVoid: {scheme.Completion},
}

// Messages are one of each kind, as the host sends them: every transaction with
// every original that it may have, the reversal of each, every function.
func Messages(t testing.TB) []scheme.Message {
	t.Helper()
	pan, err := pay.ParsePAN(cardNumber)
	if err != nil {
		t.Fatal(err)
	}
	var out []scheme.Message
	for _, tr := range scheme.Transactions {
		m := scheme.Message{
			Kind: scheme.Payment, Transaction: tr, PAN: pan, Amount: pay.Money{Minor: 8880, Currency: pay.CNY},
			Transmission: "1124080102", STAN: 17, Local: "261124160102", Expiry: "3012", MCC: "5411", Entry: scheme.Contactless, PINEntry: scheme.PINYes,
			Sequence: "001", Acquirer: "48160000", Track2: pay.NewSecret([]byte(track2)), RRN: "632824000017", Terminal: "HK000001", Merchant: "898310048160001",
			Place: scheme.Place{Name: "HUIKA SHOP", City: "SHANGHAI", Country: "CN"},
			ICC:   []byte{0x9F, 0x26, 1, 0xAB}, PINBlock: []byte{1, 2, 3, 4, 5, 6, 7, 0xF8},
		}
		back := m
		back.Kind, back.STAN, back.Track2, back.PINBlock, back.ICC, back.Reason = scheme.Reversal, 18, pay.Secret{}, nil, nil, scheme.NoReply
		back.Original = original(tr)
		out = append(out, back)
		if len(originals[tr]) == 0 {
			out = append(out, m)
		}
		for _, of := range originals[tr] {
			m.Original, m.AuthCode = original(of), "A1B2C3"
			out = append(out, m)
		}
	}
	for _, f := range scheme.Functions {
		m := scheme.Message{Kind: scheme.Management, Function: f, Transmission: "1124080102", STAN: 19, Acquirer: "48160000"}
		if f == scheme.KeyExchange {
			for use, size := range map[scheme.KeyUse]int{scheme.PINKey: scheme.MaxKey, scheme.MACKey: 16} {
				k := m
				k.Key = scheme.WorkingKey{Use: use, Wrapped: []byte("\x00\xFFworking keys under a key")[:size], Check: [4]byte{0xAB, 0, 1, 0xFF}}
				out = append(out, k)
			}
			continue
		}
		out = append(out, m)
	}
	return out
}

func original(of scheme.Transaction) scheme.Original {
	return scheme.Original{Transaction: of, STAN: 11, Transmission: "1124075959", Local: "261124155959", Acquirer: "48160000"}
}

// Answers of an issuer or switch to m: approved, refused, unavailable.
func answers(m *scheme.Message) []scheme.Message {
	var out []scheme.Message
	for _, code := range []string{"00", "51", "91"} {
		var r scheme.Message
		r.ResponseTo(m, code)
		if m.Kind == scheme.Payment && code == "00" {
			r.AuthCode, r.ICC = "A1B2C3", []byte{0x91, 1, 0xCD}
			if m.Transaction == scheme.Balance {
				r.Balances = "0002156C000001234500"
			}
		}
		out = append(out, r)
	}
	return out
}

// Run holds a dialect to the contract. mac and other are two different keys.
func Run(t *testing.T, d scheme.Dialect, mac, other iso8583.MAC) {
	if d.Name() == "" {
		t.Error("no name")
	}
	classify := scheme.Classify(d)
	for _, m := range Messages(t) {
		t.Run(m.Class(), func(t *testing.T) {
			for _, one := range append(answers(&m), m) {
				frame, err := d.Encode([]byte("kept"), &one, mac)
				if err != nil || string(frame[:4]) != "kept" {
					t.Fatalf("%s: %v", one.Class(), err)
				}
				frame = frame[4:]
				carries(t, d, &m, &one, frame)
				if key, response, err := classify(frame); err != nil || key != d.Key(&m) || response != one.Response {
					t.Errorf("classified as %q %v %v; want %q %v", key, response, err, d.Key(&m), one.Response)
				}
				sealed(t, d, &one, frame, mac, other)
				hides(t, d, &one, frame)
			}
			next := m
			next.STAN++
			if d.Key(&next) == d.Key(&m) {
				t.Error("two requests with one key")
			}
		})
	}
	t.Run("refused", func(t *testing.T) { refuses(t, d) })
}

// carries checks what the host and the switch go by.
func carries(t *testing.T, d scheme.Dialect, asked, m *scheme.Message, frame []byte) {
	t.Helper()
	var got scheme.Message
	if err := d.Decode(frame, &got); err != nil {
		t.Fatalf("%s: %v", m.Class(), err)
	}
	type pair struct {
		what      string
		have, out any
	}
	want := []pair{
		{"kind", got.Kind, m.Kind}, {"response", got.Response, m.Response}, {"F7", got.Transmission, m.Transmission}, {"F11", got.STAN, m.STAN}, {"F32", got.Acquirer, m.Acquirer},
	}
	if m.Kind != scheme.Management {
		want = append(want, pair{"amount", got.Amount, m.Amount}, pair{"F37", got.RRN, m.RRN}, pair{"F41", got.Terminal, m.Terminal}, pair{"F42", got.Merchant, m.Merchant})
	} else {
		want = append(want, pair{"function", got.Function, m.Function})
	}
	if m.Response {
		want = append(want, pair{"code", got.Code, m.Code}, pair{"F38", got.AuthCode, m.AuthCode}, pair{"F54", got.Balances, m.Balances}, pair{"F55", string(got.ICC), string(m.ICC)})
	} else {
		want = append(want,
			pair{"transaction", got.Transaction, m.Transaction}, pair{"card", got.PAN.Reveal(), m.PAN.Reveal()}, pair{"F14", got.Expiry, m.Expiry}, pair{"F22", got.Entry, m.Entry},
			pair{"F23", got.Sequence, m.Sequence}, pair{"track 2", string(got.Track2.Reveal()), string(m.Track2.Reveal())}, pair{"F52", string(got.PINBlock), string(m.PINBlock)},
			pair{"F55", string(got.ICC), string(m.ICC)}, pair{"reason", got.Reason, m.Reason}, pair{"key's use", got.Key.Use, m.Key.Use},
			pair{"key", string(got.Key.Wrapped), string(m.Key.Wrapped)}, pair{"key's check value", got.Key.Check, m.Key.Check},
			pair{"original", asOne(got.Original.Transaction), asOne(m.Original.Transaction)}, pair{"original's F7", got.Original.Transmission, m.Original.Transmission},
			pair{"original's F11", got.Original.STAN, m.Original.STAN}, pair{"original's F32", got.Original.Acquirer, m.Original.Acquirer},
		)
	}
	for _, w := range want {
		if w.have != w.out {
			t.Errorf("%s, answer %v: %s comes back as %q, want %q", asked.Class(), m.Response, w.what, w.have, w.out)
		}
	}
}

// asOne takes a completion for the sale that it is to whoever gives it back: a
// dialect need not tell them apart, and issuers do not.
func asOne(t scheme.Transaction) scheme.Transaction {
	if t == scheme.Completion {
		return scheme.Sale
	}
	return t
}

// sealed checks that the MAC guards the frame, and stands at its end.
func sealed(t *testing.T, d scheme.Dialect, m *scheme.Message, frame []byte, mac, other iso8583.MAC) {
	t.Helper()
	if err := d.CheckMAC(frame, mac); err != nil {
		t.Errorf("%s: %v", m.Class(), err)
	}
	if err := d.CheckMAC(frame, other); !errors.Is(err, scheme.ErrMAC) {
		t.Errorf("%s: under another key: %v", m.Class(), err)
	}
	last := append([]byte(nil), frame...)
	last[len(last)-1] ^= 1
	if err := d.CheckMAC(last, mac); !errors.Is(err, scheme.ErrMAC) {
		t.Errorf("%s: the last byte is not the MAC's: %v", m.Class(), err)
	}
	bare, err := d.Encode(nil, m, nil)
	if err != nil || !errors.Is(d.CheckMAC(bare, mac), scheme.ErrNoMAC) {
		t.Errorf("%s: without MAC: %v", m.Class(), d.CheckMAC(bare, mac))
	}
}

// hides checks that what is made to be read shows nothing.
func hides(t *testing.T, d scheme.Dialect, m *scheme.Message, frame []byte) {
	t.Helper()
	text, err := d.Dump(frame)
	if err != nil || text == "" {
		t.Errorf("%s: no dump: %v", m.Class(), err)
	}
	for _, secret := range []string{cardNumber[6:12], track2[17:], "01020304050607f8", "01020304050607F8"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s: the dump shows %q", m.Class(), secret)
		}
	}
}

// refuses checks that what can't be carried is a typed error, and that a frame of
// anything at all does not panic.
func refuses(t *testing.T, d scheme.Dialect) {
	for name, bad := range map[string]scheme.Message{
		"no kind": {}, "no transaction": {Kind: scheme.Payment}, "no function": {Kind: scheme.Management},
		"negative": {Kind: scheme.Payment, Transaction: scheme.Sale, Amount: pay.Money{Minor: -1, Currency: pay.CNY}},
		"STAN":     {Kind: scheme.Payment, Transaction: scheme.Sale, STAN: 1_000_000},
	} {
		if out, err := d.Encode([]byte("kept"), &bad, nil); !errors.Is(err, iso8583.ErrFormat) || string(out) != "kept" {
			t.Errorf("%s: %q %v", name, out, err)
		}
	}
	m := Messages(t)[1]
	frame, err := d.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range frame {
		var got scheme.Message
		if err := d.Decode(frame[:cut], &got); err == nil || !got.PAN.IsZero() {
			t.Errorf("cut to %d bytes of %d: %v", cut, len(frame), err)
		}
	}
}
