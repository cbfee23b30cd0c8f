package perso

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"huika/card"
	"huika/emv/oda"
	"huika/pay"
)

// chipSchemes are the three schemes by their public functions.
var chipSchemes = []struct {
	scheme        *chipScheme
	profiles      func() []Profile
	card          func(*Issuer, string, card.State, io.Reader) (Contactless, error)
	keys          func(*Issuer) []oda.CAKey
	imk           func(*Issuer) pay.Secret
	accounts      func(*Issuer, func(string) string) []Account
	rid           [5]byte
	tokens        string
	digits        int
	cards, tested string
}{
	{amexScheme, AmexProfiles, (*Issuer).AmexCard, (*Issuer).AmexCAKeys, (*Issuer).AmexIMK, (*Issuer).AmexAccounts, AmexRID, rangeAmexTokens, 15, rangeAmexCards, "amex"},
	{jcbScheme, JCBProfiles, (*Issuer).JCBCard, (*Issuer).JCBCAKeys, (*Issuer).JCBIMK, (*Issuer).JCBAccounts, JCBRID, rangeJCBTokens, 16, rangeJCBCards, "jcb"},
	{discoverScheme, DiscoverProfiles, (*Issuer).DiscoverCard, (*Issuer).DiscoverCAKeys, (*Issuer).DiscoverIMK, (*Issuer).DiscoverAccounts, DiscoverRID, rangeDiscoverTokens, 16, rangeDiscoverCards, "discover"},
}

func TestChipProfiles(t *testing.T) {
	for _, s := range chipSchemes {
		var have []string
		for _, p := range s.profiles() {
			have = append(have, p.Name)
			if p.TitleZH == "" || p.TitleEN == "" || p.HintZH == "" || p.HintEN == "" || p.Form == "" {
				t.Errorf("%s: words are missing", p.Name)
			}
			if o, err := s.scheme.byName(p.Account); err != nil || o.chip.body == "" {
				t.Errorf("%s draws on %s", p.Name, p.Account)
			}
			if _, ok := ProfileByName(p.Name); ok {
				t.Errorf("%s is a name of another scheme's card", p.Name)
			}
			c, err := s.card(TestIssuer(), p.Name, card.NewMemoryState(), seeded(1))
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			if s := fmt.Sprintf("%v %+v %#v", c, c, p); !strings.HasPrefix(s, "[secret] [secret] ") || (p.spec.body != "" && strings.Contains(s, p.spec.body)) {
				t.Errorf("%s prints as %s", p.Name, s)
			}
		}
		n := s.tested
		if got := strings.Join(have, " "); got != n+" "+n+"-phone "+n+"-watch "+n+"-phone-locked "+n+"-cloned" {
			t.Errorf("names: %s", got)
		}
		if _, err := s.card(TestIssuer(), n+"-gold", card.NewMemoryState(), seeded(1)); err == nil {
			t.Error("unknown card made")
		}
	}
}

func TestChipAccounts(t *testing.T) {
	for _, s := range chipSchemes {
		seen := map[string]bool{}
		for _, a := range s.accounts(TestIssuer(), func(string) string { return "123456" }) {
			n := a.PAN.Reveal()
			if seen[n] || !a.PAN.Luhn() || !strings.HasPrefix(n, s.scheme.issuerID) || len(n) != s.digits || a.Currency != pay.CNY || a.Balance != plenty || a.Expiry != "4912" {
				t.Errorf("%s: %+v", a.Profile, a)
			}
			seen[n] = true
			if device := a.Profile != s.tested; a.CDCVMDevice != device || strings.HasPrefix(n, s.tokens) != device || strings.HasPrefix(n, s.cards) == device {
				t.Errorf("%s: device %v", a.Profile, a.CDCVMDevice)
			}
		}
		if len(seen) != 3 {
			t.Errorf("%s: %d accounts", s.tested, len(seen))
		}
	}
}

// The keys carry the marks of the demo, and each scheme has its own.
func TestChipKeys(t *testing.T) {
	i := TestIssuer()
	masters := [][]byte{i.IMK().Reveal(), i.VisaIMK().Reveal(), i.MastercardIMK().Reveal()}
	for _, s := range chipSchemes {
		for _, k := range s.keys(i) {
			if k.RID != s.rid || !IsDemoCA(k) || !bytes.HasPrefix(s.scheme.aid, s.rid[:]) {
				t.Errorf("CA key %X %02X", k.RID, k.Index)
			}
		}
		k := s.imk(i)
		if !IsDemoKey(k) {
			t.Errorf("%s: master key without the mark", s.tested)
		}
		for _, other := range masters {
			if bytes.Equal(other, k.Reveal()) {
				t.Errorf("%s: master key of another scheme", s.tested)
			}
		}
		masters = append(masters, k.Reveal())
	}
}
