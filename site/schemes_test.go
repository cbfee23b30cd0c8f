package site_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
	"huika/site"
	"huika/terminal"
)

// Published test numbers of each scheme go to their scheme, in its dialect, and on
// to the issuer, who misses the card data that a real card gives (30); the books name the scheme.
func TestEachSchemeIsReached(t *testing.T) {
	l := openLife(t)
	d := l.doors()[0]
	c, err := l.enter(d, d.peer)
	check(t, err)
	defer func() { _ = c.Close() }()
	m := iso8583.NewMessage()
	m.SetMTI(pos.MTISignIn)
	m.Set(11, "900000")
	m.Set(41, l.Kit.Config.Terminal.ID)
	m.Set(42, l.Kit.Config.Merchant.ID)
	m.Set(60, pos.F60{Type: "00", Batch: "000001", Network: pos.NetworkSignIn}.String())
	k, err := pos.OpenKeys(l.Kit.Secrets.TMK, talk(t, c, m, nil).Bytes(pos.FieldKeys))
	check(t, err)
	mac, err := keys.CMAC(k.MAC)
	check(t, err)
	for i, row := range []struct{ pan, scheme string }{
		{"6250941006528599", "unionpay"}, {"8171999927660000", "unionpay"}, {"4761739001010119", "visa"}, {"5413330089010012", "mastercard"}, {"2223000048400011", "mastercard"},
		{"374245455400126", "amex"}, {"3566002020360505", "jcb"}, {"6011000990139424", "discover"}, {"36148900647913", "discover"}, {"30569309025904", "discover"},
	} {
		stan := pay.STAN(900_100 + i)
		sale := iso8583.NewMessage()
		sale.SetMTI(pos.MTIFinancial)
		for f, v := range map[int]string{
			2: row.pan, 3: pos.ProcessSale, 4: "000000000100", 11: stan.String(), 14: "3012", 22: "072", 25: "00", 35: row.pan + "=3012201", 41: m.Get(41), 42: m.Get(42),
			46: "00000000000000000000" + stan.String(), 49: "156", 60: pos.F60{Type: "22", Batch: "000001", Network: "000", Capability: "6"}.String(),
		} {
			sale.Set(f, v)
		}
		sale.SetBytes(55, []byte{0x9F, 0x26, 8, 1, 2, 3, 4, 5, 6, 7, 8})
		if code := talk(t, c, sale, mac).Get(39); code != "30" { // the issuer misses card data; 14 would be a switch without a route
			t.Errorf("%s: response %s, want the issuer's refusal", row.scheme, code)
		}
		key := payment.Key{Merchant: pay.MerchantID(m.Get(42)), Terminal: pay.TerminalID(m.Get(41)), Batch: "000001", STAN: stan, Kind: payment.Sale}
		p, ok, err := l.Books.Find(t.Context(), book.LaneOf(key.Merchant, l.Kit.Config.Acquirer.Lanes), key)
		if err != nil || !ok || p.Scheme != row.scheme || p.State != payment.Declined {
			t.Errorf("%s: booked under %q, %v (%v, %v)", row.pan[:4], p.Scheme, p.State, ok, err)
		}
	}
}

// A data directory of the time when UnionPay was the only scheme goes on: its keys
// stay, those of the other schemes are added, and stay from then on.
func TestOldDataDirectory(t *testing.T) {
	l := openLife(t)
	l.approved(terminal.Request{Amount: pay.Fen(100)})
	cfg, path := l.Kit.Config, filepath.Join(l.Kit.Config.Data, "keys.json")
	check(t, l.Close())
	read := func() map[string][]byte {
		text, err := os.ReadFile(path)
		check(t, err)
		m := map[string][]byte{}
		check(t, json.Unmarshal(text, &m))
		return m
	}
	old := read()
	for name := range old {
		if strings.HasPrefix(name, "scheme_") || name == "acquirer_zmk" {
			delete(old, name)
		}
	}
	text, err := json.Marshal(old)
	check(t, err)
	check(t, os.WriteFile(path, text, 0o600))
	again := openLife(t, func(c *site.Config) { *c = cfg })
	again.approved(terminal.Request{Amount: pay.Fen(100)})
	check(t, again.Close())
	now := read()
	for name, key := range old {
		if string(now[name]) != string(key) {
			t.Errorf("key %s was changed", name)
		}
	}
	if len(now["scheme_visa_zpk"]) != 16 || len(now["acquirer_zmk"]) != 16 {
		t.Error("the new schemes have no keys")
	}
	third := openLife(t, func(c *site.Config) { *c = cfg })
	third.approved(terminal.Request{Amount: pay.Fen(100)})
	if string(read()["scheme_visa_zpk"]) != string(now["scheme_visa_zpk"]) {
		t.Error("keys were drawn anew")
	}
}
