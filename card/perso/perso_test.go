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
		"unionpay-poor unionpay-cloned unionpay-cloned-online transit staff dead"
	var have []string
	for _, p := range Profiles() {
		have = append(have, p.Name)
		if p.TitleZH == "" || p.TitleEN == "" || p.HintZH == "" || p.HintEN == "" || p.Form == "" {
			t.Errorf("%s: words are missing", p.Name)
		}
		c, err := TestIssuer().Card(p.Name, card.NewMemoryState(), seeded(1))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if a := c.ATR(); len(a) < 4 || a[0] != 0x3B {
			t.Errorf("%s: ATR %X", p.Name, a)
		}
		if s := fmt.Sprintf("%v %+v %#v %v %+v", p, p, p, c, TestIssuer()); p.spec.body != "" && strings.Contains(s, p.spec.body) {
			t.Errorf("%s prints its card number", p.Name)
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, TestIssuer()); p.Form != FormThing && s != "[secret] [secret] [secret]" {
			t.Errorf("%s prints as %s", p.Name, s)
		}
	}
	if strings.Join(have, " ") != names {
		t.Errorf("names: %v", have)
	}
	if _, ok := ProfileByName("unionpay-gold"); ok {
		t.Error("unknown name found")
	}
	if _, err := TestIssuer().Card("unionpay-gold", card.NewMemoryState(), seeded(1)); err == nil {
		t.Error("unknown card made")
	}
}

func TestAccounts(t *testing.T) {
	accounts := TestIssuer().Accounts(func(string) string { return "123456" })
	if len(accounts) != 8 {
		t.Errorf("%d accounts", len(accounts))
	}
	seen := map[string]bool{}
	lengths := map[int]bool{}
	for _, a := range accounts {
		n := a.PAN.Reveal()
		lengths[len(n)] = true
		if seen[n] || !a.PAN.Luhn() || !strings.HasPrefix(n, issuerID) || len(n) < 16 {
			t.Errorf("%s: card number is used twice or is none", a.Profile)
		}
		seen[n] = true
		want := map[string]int64{"unionpay-poor": 500, "unionpay-debit": 100_000_00, "unionpay-credit": 100_000_00, "unionpay-phone": 100_000_00, "unionpay-watch": 100_000_00}[a.Profile]
		if want == 0 {
			want = 10_000_00
		}
		if a.Balance != want || a.Currency != pay.CNY || a.PINTries != 3 || string(a.PIN.Reveal()) != "123456" {
			t.Errorf("%s: %+v", a.Profile, a)
		}
		if (a.Status == StatusBlocked) != (a.Profile == "unionpay-blocked") || a.CDCVMDevice != (a.Profile == "unionpay-phone" || a.Profile == "unionpay-watch") {
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
	if !lengths[16] || !lengths[19] || len(lengths) < 4 {
		t.Errorf("lengths of card numbers: %v", lengths)
	}
}

func TestMarks(t *testing.T) {
	keys := TestIssuer().CAKeys()
	if len(keys) != 1 || !IsDemoCA(keys[0]) || !IsDemoKey(TestIssuer().IMK()) {
		t.Error("the test issuer's keys are not marked")
	}
	moved := keys[0]
	moved.Index = 0x04
	if !IsDemoCA(moved) {
		t.Error("the checked-in key under a live index passes")
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
