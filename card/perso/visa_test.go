package perso

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"huika/card"
	"huika/pay"
)

func TestVisaProfiles(t *testing.T) {
	var have []string
	for _, p := range VisaProfiles() {
		have = append(have, p.Name)
		if p.TitleZH == "" || p.TitleEN == "" || p.HintZH == "" || p.HintEN == "" || p.Form == "" {
			t.Errorf("%s: words are missing", p.Name)
		}
		if o, ok := visaByName(p.Account); !ok || o.visa.body == "" {
			t.Errorf("%s draws on %s", p.Name, p.Account)
		}
		if _, ok := ProfileByName(p.Name); ok {
			t.Errorf("%s is a name of another scheme's card", p.Name)
		}
		c, err := TestIssuer().VisaCard(p.Name, card.NewMemoryState(), seeded(1))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, p); !strings.HasPrefix(s, "[secret] [secret] ") || (p.spec.body != "" && strings.Contains(s, p.spec.body)) {
			t.Errorf("%s prints as %s", p.Name, s)
		}
	}
	if got := strings.Join(have, " "); got != "visa visa-phone visa-watch visa-phone-locked visa-cloned" {
		t.Errorf("names: %s", got)
	}
	if _, err := TestIssuer().VisaCard("visa-gold", card.NewMemoryState(), seeded(1)); err == nil {
		t.Error("unknown card made")
	}
}

func TestVisaAccounts(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range TestIssuer().VisaAccounts(func(string) string { return "123456" }) {
		n := a.PAN.Reveal()
		if seen[n] || !a.PAN.Luhn() || !strings.HasPrefix(n, issuerVisa) || len(n) != 16 || a.Currency != pay.CNY || a.Balance != plenty || a.Expiry != "4912" {
			t.Errorf("%s: %+v", a.Profile, a)
		}
		seen[n] = true
		if device := a.Profile != "visa"; a.CDCVMDevice != device || strings.HasPrefix(n, rangeVisaTokens) != device {
			t.Errorf("%s: device %v", a.Profile, a.CDCVMDevice)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d accounts", len(seen))
	}
}

// The keys carry the marks of the demo, and each purpose has its own.
func TestVisaKeys(t *testing.T) {
	i := TestIssuer()
	for _, k := range i.VisaCAKeys() {
		if k.RID != VisaRID || !IsDemoCA(k) {
			t.Errorf("CA key %X %02X", k.RID, k.Index)
		}
	}
	a, b := i.VisaIMK(), i.VisaScriptKey()
	if !IsDemoKey(a) || !IsDemoKey(b) || bytes.Equal(a.Reveal(), b.Reveal()) || bytes.Equal(a.Reveal(), i.IMK().Reveal()) {
		t.Error("master keys")
	}
}
