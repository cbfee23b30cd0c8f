package perso

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"huika/card"
	"huika/emv/oda"
	"huika/pay"
)

func TestC8Profiles(t *testing.T) {
	var have []string
	for _, p := range C8Profiles() {
		have = append(have, p.Name)
		if p.TitleZH == "" || p.TitleEN == "" || p.HintZH == "" || p.HintEN == "" || p.Form == "" {
			t.Errorf("%s: words are missing", p.Name)
		}
		if o, ok := c8ByName(p.Account); !ok || o.c8.body == "" {
			t.Errorf("%s draws on %s", p.Name, p.Account)
		}
		if _, ok := ProfileByName(p.Name); ok {
			t.Errorf("%s is a name of another card", p.Name)
		}
		c, err := TestIssuer().C8Card(p.Name, card.NewMemoryState(), seeded(1))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, p); !strings.HasPrefix(s, "[secret] [secret] ") || (p.spec.body != "" && strings.Contains(s, p.spec.body)) {
			t.Errorf("%s prints as %s", p.Name, s)
		}
	}
	if got := strings.Join(have, " "); got != "c8 c8-phone c8-watch c8-phone-locked c8-cloned" {
		t.Errorf("names: %s", got)
	}
	if _, err := TestIssuer().C8Card("c8-gold", card.NewMemoryState(), seeded(1)); err == nil {
		t.Error("unknown card made")
	}
}

func TestC8Accounts(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range TestIssuer().MastercardAccounts(func(string) string { return "123456" }) {
		seen[a.PAN.Reveal()] = true
	}
	others := len(seen)
	for _, a := range TestIssuer().C8Accounts(func(string) string { return "123456" }) {
		n := a.PAN.Reveal()
		if seen[n] || !a.PAN.Luhn() || !strings.HasPrefix(n, issuerMC) || len(n) != 16 || a.Currency != pay.CNY || a.Balance != plenty || a.Expiry != "4912" {
			t.Errorf("%s: %+v", a.Profile, a)
		}
		seen[n] = true
		if device := a.Profile != "c8"; a.CDCVMDevice != device || strings.HasPrefix(n, rangeC8Tokens) != device {
			t.Errorf("%s: device %v", a.Profile, a.CDCVMDevice)
		}
	}
	if len(seen)-others != 3 {
		t.Errorf("%d accounts", len(seen)-others)
	}
}

// The keys carry the marks of the demo, each purpose has its own, and every issuer its own.
func TestC8Keys(t *testing.T) {
	i := TestIssuer()
	list, err := i.C8CAKeys()
	if err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	k := list[0]
	if k.RID != MastercardRID || !IsDemoECCA(k) {
		t.Errorf("CA key %X %02X", k.RID, k.Index)
	}
	if k.Index = 0x05; !IsDemoECCA(k) {
		t.Error("the demo's key under another index passes for a real one")
	}
	if k.X[0] ^= 1; IsDemoECCA(k) {
		t.Error("any key is the demo's")
	}
	if a, b := i.C8IMK(), i.MastercardIMK(); !IsDemoKey(a) || a.Len() != 16 || bytes.Equal(a.Reveal(), b.Reveal()) {
		t.Error("master key")
	}
	seen := map[oda.ECPublicKey]bool{}
	for _, purpose := range []string{"ca", "issuer", "card c8", "card c8-phone", "card c8-watch", "card c8-cloned"} {
		k, err := i.ecKey(purpose)
		if err != nil || seen[k.Public()] {
			t.Errorf("%s: %v", purpose, err)
			continue
		}
		seen[k.Public()] = true
	}
	other := &Issuer{imk: pay.NewSecret([]byte("DEMOanother key."))}
	if k, err := other.ecKey("ca"); err != nil || seen[k.Public()] {
		t.Errorf("another issuer has this one's CA: %v", err)
	}
}
