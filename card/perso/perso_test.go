package perso

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/card"
	"huika/emv/oda"
	"huika/pay"
)

var update = flag.Bool("update", false, "make test-issuer.json again")

func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// The checked-in issuer is what its seed gives: generation is deterministic to the byte.
func TestCheckedInIssuer(t *testing.T) {
	i, err := generate(seeded(2), testIndex, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	b, err := i.encode()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("test-issuer.json", b, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b, testIssuerFile) {
		t.Error("test-issuer.json is not what its seed gives; run with -update if that is meant")
	}
}

func TestGenerateSaveLoad(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	i, err := Generate(seeded(7), now)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "demo")
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := i.Save(dir); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal(err, st.Mode())
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := i.encode()
	b, err2 := got.encode()
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
		t.Error("loaded issuer differs", err)
	}
	if i.Save(dir) != nil {
		t.Error("saving over an old file fails")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.*.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, e := range []struct{ what, old, new string }{
		{"mark", CAName, "HUIKA CA"}, {"index", `"ca_index": 226`, `"ca_index": 4`}, {"master key", `"imk": "44454d4f`, `"imk": "44454d4e`},
		{"JSON", "{", "["}, {"prime", `"p": "`, `"p": "zz`}, {"date", "2026-11-01", "2026-11-31"}, {"card", "unionpay-debit", "unionpay-debut"},
	} {
		if !bytes.Contains(a, []byte(e.old)) {
			t.Fatalf("%s: test is out of date", e.what)
		}
		if _, err := decode(bytes.Replace(a, []byte(e.old), []byte(e.new), 1)); err == nil {
			t.Errorf("%s: damaged file was taken", e.what)
		} else if strings.Contains(err.Error(), "44454d4e") {
			t.Errorf("%s: error shows a key", e.what)
		}
	}
}

func TestProfiles(t *testing.T) {
	names := "unionpay-debit unionpay-credit unionpay-phone unionpay-watch unionpay-pin-always unionpay-expired unionpay-blocked " +
		"unionpay-poor unionpay-cloned unionpay-cloned-online unionpay-sm unionpay-sm-phone unionpay-sm-cloned " +
		"visa visa-phone visa-watch visa-classic visa-phone-locked visa-cloned visa-cloned-online " +
		"mastercard mastercard-phone mastercard-watch mastercard-debit mastercard-phone-locked mastercard-cloned mastercard-cloned-online " +
		"c8 c8-phone c8-watch c8-phone-locked c8-cloned " +
		"amex amex-phone amex-watch amex-phone-locked amex-cloned " +
		"jcb jcb-phone jcb-watch jcb-phone-locked jcb-cloned " +
		"discover discover-phone discover-watch discover-phone-locked discover-cloned " +
		"transit staff dead"
	var have []string
	for _, p := range Profiles() {
		have = append(have, p.Name)
	}
	if strings.Join(have, " ") != names {
		t.Errorf("names: %v", have)
	}
	for _, p := range AllProfiles() {
		c, err := TestIssuer().Card(p.Name, card.NewMemoryState(), seeded(1))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if a := c.ATR(); len(a) < 4 || a[0] != 0x3B {
			t.Errorf("%s: ATR %X", p.Name, a)
		}
		number := string(p.owner.Account.Number)
		if s := fmt.Sprintf("%v %+v %#v %v %+v", p, p, p, c, TestIssuer()); number != "" && strings.Contains(s, number) {
			t.Errorf("%s prints its card number", p.Name)
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, TestIssuer()); p.Form != FormThing && s != "[secret] [secret] [secret]" {
			t.Errorf("%s prints as %s", p.Name, s)
		}
	}
	if _, ok := ProfileByName("unionpay-gold"); ok {
		t.Error("unknown name found")
	}
	if _, err := TestIssuer().Card("unionpay-gold", card.NewMemoryState(), seeded(1)); err == nil {
		t.Error("unknown card made")
	}
	if _, err := TestIssuer().VisaData("mastercard"); err == nil {
		t.Error("a Mastercard card is a Visa card")
	}
}

// The card numbers of the time before profiles were files: what is on a disk or on paper stays right.
func TestCardNumbersStay(t *testing.T) {
	want := map[string]string{
		"unionpay-debit": "6299990135702468913", "unionpay-credit": "6299990246813573", "visa": "4761739314159264", "mastercard": "5413339141592655",
	}
	for _, a := range TestIssuer().Accounts(func(string) string { return "1" }) {
		if w := want[a.Profile]; w != "" && a.PAN.Reveal()[:len(w)-1] != w[:len(w)-1] {
			t.Errorf("%s: another card number", a.Profile)
		}
	}
}

func TestAccounts(t *testing.T) {
	accounts := TestIssuer().Accounts(func(string) string { return "123456" })
	if len(accounts) != 30 {
		t.Errorf("%d accounts", len(accounts))
	}
	seen := map[string]bool{}
	lengths := map[int]bool{}
	for _, a := range accounts {
		n := a.PAN.Reveal()
		lengths[len(n)] = true
		s, ok := schemeByName(a.Scheme)
		shortest := 16
		if a.Scheme == Amex {
			shortest = 15
		}
		if !ok || seen[n] || !a.PAN.Luhn() || !strings.HasPrefix(n, s.issuer) || len(n) < shortest {
			t.Errorf("%s: card number is used twice or is none", a.Profile)
		}
		seen[n] = true
		p, _ := ProfileByName(a.Profile)
		if a.Balance != int64(p.own.Account.Balance) || a.Balance < 500 || a.Currency != pay.CNY || a.PINTries != 3 || string(a.PIN.Reveal()) != "123456" {
			t.Errorf("%s: %+v", a.Profile, a)
		}
		if (a.Status == StatusBlocked) != (a.Profile == "unionpay-blocked") || a.CDCVMDevice != (p.Form == FormPhone || p.Form == FormWatch) ||
			a.PINAlways != (a.Profile == "unionpay-pin-always") {
			t.Errorf("%s: status %s, device %v", a.Profile, a.Status, a.CDCVMDevice)
		}
		expiry := "4912"
		if a.Profile == "unionpay-expired" {
			expiry = "9912"
		}
		if a.Expiry != expiry {
			t.Errorf("%s: expiry %s", a.Profile, a.Expiry)
		}
		if s := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(s, n) || strings.Contains(s, "123456") {
			t.Errorf("%s: account prints its number or PIN", a.Profile)
		}
	}
	if !lengths[15] || !lengths[16] || !lengths[19] || len(lengths) < 4 {
		t.Errorf("lengths of card numbers: %v", lengths)
	}
}

func TestMarks(t *testing.T) {
	keys, moduli, rids := TestIssuer().CAKeys(), map[string]bool{}, map[[5]byte]bool{}
	for _, k := range keys {
		moduli[string(k.Modulus)], rids[k.RID] = true, true
		moved := k
		moved.Index = 0x04
		if !IsDemoCA(k) || !IsDemoCA(moved) {
			t.Errorf("the CA key of %X passes, perhaps under a live index", k.RID)
		}
	}
	if want := len(schemes()) - 1; len(moduli) != want || len(rids) != want { // kernel 8's cards are under another scheme's RID
		t.Errorf("%d CA keys of %d schemes", len(moduli), len(rids))
	}
	if !IsDemoKey(TestIssuer().IMK()) {
		t.Error("the issuer's key is not marked")
	}
	masters := map[string]bool{}
	for name, k := range TestIssuer().AllMasterKeys() {
		for _, key := range []pay.Secret{k.Cryptogram, k.Script, k.CVC3} {
			if s := string(key.Reveal()); !IsDemoKey(key) || masters[s] {
				t.Errorf("a master key of %s is not marked, or used twice", name)
			} else {
				masters[s] = true
			}
		}
	}
	if IsDemoCA(oda.CAKey{RID: RID, Index: 0x04, Modulus: []byte{1}}) || IsDemoKey(pay.NewSecret(make([]byte, 16))) {
		t.Error("other keys carry the mark")
	}
}

func BenchmarkGenerate(b *testing.B) {
	seed := byte(0)
	for b.Loop() {
		seed++
		if _, err := Generate(seeded(seed), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			b.Fatal(err)
		}
	}
}
