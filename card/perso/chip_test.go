package perso

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// chipCards are American Express, JCB and Discover: their ranges of cards and of tokens, and the length of their numbers.
var chipCards = []struct {
	scheme, cards, tokens string
	digits                int
}{{Amex, "3742459", "3742455", 15}, {JCB, "3566009", "3566005", 16}, {Discover, "6011009", "6011005", 16}}

// Tokens of devices and numbers of cards stand in ranges of their own, and devices alone have a payment account reference.
func TestChipAccounts(t *testing.T) {
	for _, s := range chipCards {
		owners := 0
		for _, a := range TestIssuer().Accounts(func(string) string { return "123456" }) {
			if a.Scheme != s.scheme {
				continue
			}
			owners++
			n, device := a.PAN.Reveal(), a.Profile != s.scheme
			if a.CDCVMDevice != device || len(n) != s.digits || strings.HasPrefix(n, s.tokens) != device || strings.HasPrefix(n, s.cards) == device {
				t.Errorf("%s: device %v, %d digits", a.Profile, a.CDCVMDevice, len(n))
			}
			p, _ := ProfileByName(a.Profile)
			if par := p.own.Application.PAR; device && !strings.HasSuffix(par, n[len(n)-3:]) || !device && par != "" {
				t.Errorf("%s: payment account reference %s", a.Profile, par)
			}
		}
		if owners != 3 {
			t.Errorf("%s: %d accounts", s.scheme, owners)
		}
	}
}

// The data for tests are of the scheme that was asked for.
func TestChipData(t *testing.T) {
	i := TestIssuer()
	_, e1 := i.AmexData("jcb")
	_, e2 := i.JCBData("discover")
	_, e3 := i.DiscoverData("amex-gold")
	for n, err := range []error{e1, e2, e3} {
		if err == nil {
			t.Errorf("%d: another scheme's card, or none, was made", n)
		}
	}
}

// What these cards do not have is refused in their profiles.
func TestChipProfileRefused(t *testing.T) {
	for _, c := range chipCards {
		file := "profiles/" + c.scheme + ".yaml"
		b, err := profileFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for old, fresh := range map[string]string{
			"cryptogram: ccd": `cryptogram: "18"`, "  preferred_name: ": "  cid: true\n  preferred_name: ", "  label: ": "  form_factor: \"20700000\"\n  label: ",
			"chip_key: ": "c8: {qualifier: 8}\nchip_key: ", "\napplication:": "\nmastercard: {counters: 8}\n\napplication:",
		} {
			text := strings.Replace(string(b), old, fresh, 1)
			if text == string(b) {
				t.Fatalf("%s: the test is out of date: %q", c.scheme, old)
			}
			read := func(f string) ([]byte, error) {
				if f == file {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			}
			if _, err := readProfiles(read, []string{file}); !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s, %q: %v", c.scheme, fresh, err)
			}
		}
	}
}
