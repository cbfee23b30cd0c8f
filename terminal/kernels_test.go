package terminal_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
	nfcmem "huika/nfc/memory"
	"huika/terminal"
)

// What the request of each scheme's card, phone and watch holds: F22, track 2,
// sequence number, and in F55 what its issuer needs, from the kernel's own data record.
func TestRequestOfEachScheme(t *testing.T) {
	for _, c := range []struct {
		card         string
		fen          int64
		pin          bool
		kernel       int
		cvm, results string // 9F34
		oda          string
		psn          string
		device       bool // 9F24 goes along
	}{
		{"unionpay-debit", 8880, false, 7, "none", "1F0002", "fdda", "001", false},
		{"visa", 8880, false, 3, "none", "1F0002", "fdda", "001", false},
		{"visa", 150_000, true, 3, "online_pin", "020000", "fdda", "001", false},
		{"visa-phone", 150_000, false, 3, "cdcvm", "010002", "fdda", "001", true},
		{"visa-watch", 8880, false, 3, "cdcvm", "010002", "fdda", "002", true},
		{"mastercard", 8880, false, 2, "none", "1F0302", "cda", "001", false},
		{"mastercard", 150_000, true, 2, "online_pin", "420300", "cda", "001", false},
		{"mastercard-phone", 8880, false, 2, "none", "3F0002", "cda", "001", true},
		{"mastercard-phone", 150_000, false, 2, "cdcvm", "010002", "cda", "001", true},
		{"c8", 8880, false, 8, "none", "1F0002", "local", "001", false},
		{"c8-phone", 150_000, false, 8, "cdcvm", "010002", "local", "001", true},
		{"mastercard-watch", 150_000, false, 2, "cdcvm", "010002", "cda", "002", true},
		{"amex", 8880, false, 4, "none", "1F0302", "cda", "000", false},
		{"amex", 150_000, true, 4, "online_pin", "420300", "cda", "000", false},
		{"amex-phone", 150_000, false, 4, "cdcvm", "410302", "cda", "001", true},
		{"jcb", 8880, false, 5, "none", "1F0002", "cda", "000", false},
		{"jcb", 150_000, true, 5, "online_pin", "020000", "cda", "000", false},
		{"jcb-watch", 150_000, false, 5, "cdcvm", "010002", "cda", "002", true},
		{"discover", 8880, false, 6, "none", "1F0002", "none", "000", false},
		{"discover", 150_000, true, 6, "online_pin", "020000", "none", "000", false},
		{"discover-phone", 150_000, false, 6, "cdcvm", "010002", "none", "001", true},
	} {
		t.Run(fmt.Sprint(c.card, " ", c.fen), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				id := r.begin(c.fen)
				r.field.Put(r.card(c.card), nfcmem.Steady())
				if c.pin {
					if err := r.enter("135790"); err != nil {
						t.Fatal(err)
					}
				}
				got := r.end(id)
				if got.Outcome != terminal.Approved || got.Kernel != c.kernel || got.CVM != c.cvm || got.ODA != c.oda {
					t.Fatalf("%s %q, kernel %d, cvm %s, oda %s", got.Outcome, got.Reason, got.Kernel, got.CVM, got.ODA)
				}
				sales, _ := r.host.seen()
				m := sales[0]
				mode := "072"
				if c.pin {
					mode = "071"
				}
				pan, rest, ok := strings.Cut(m.Get(35), "=")
				if m.Get(22) != mode || m.Get(23) != c.psn || !ok || pan != m.Get(2) || rest[:4] != m.Get(14) || m.Has(52) != c.pin {
					t.Errorf("F22 %s, F23 %s, F14 %s, F52 %v", m.Get(22), m.Get(23), m.Get(14), m.Has(52))
				}
				list, err := tlv.Parse(m.Bytes(55))
				if err != nil {
					t.Fatal(err)
				}
				hex := func(g tlv.Tag) string { v, _ := list.Find(g); return fmt.Sprintf("%X", v) }
				if hex(tag.CVMResults) != c.results || hex(tag.CID) != "80" && c.card != "unionpay-debit" || hex(tag.AmountAuthorised) != fmt.Sprintf("%012d", c.fen) {
					t.Errorf("9F34 %s, 9F27 %s, 9F02 %s", hex(tag.CVMResults), hex(tag.CID), hex(tag.AmountAuthorised))
				}
				for _, g := range []tlv.Tag{tag.ApplicationCryptogram, tag.IAD, tag.UN, tag.ATC, tag.TVR, tag.AIP, tag.DFName, tag.TerminalCountry, tag.TransactionCurrency, tag.TransactionDate, tag.TransactionType, tag.AmountOther} {
					if hex(g) == "" {
						t.Errorf("%s is missing", g)
					}
				}
				for _, g := range []tlv.Tag{tag.PAN, tag.Track2, tag.Track1} {
					if hex(g) != "" {
						t.Errorf("%s is in F55", g)
					}
				}
				if (hex(tag.PAR) != "") != c.device {
					t.Errorf("9F24 %s", hex(tag.PAR))
				}
			})
		})
	}
}

// A phone that nobody unlocks ends with words about it, and nothing leaves the terminal.
func TestLockedPhone(t *testing.T) {
	for _, name := range []string{"visa-phone-locked", "mastercard-phone-locked", "amex-phone-locked", "jcb-phone-locked", "discover-phone-locked"} {
		inBubble(t, func(t *testing.T, r *rig) {
			id := r.begin(8880)
			r.field.Put(r.card(name), nfcmem.Steady())
			r.until("see phone", func(v *terminal.PaymentView) bool { return v.UI != nil && v.UI.ID == "20" })
			if got := r.end(id); got.Outcome != terminal.TryAgain || got.Reason != terminal.ReasonSeePhone {
				t.Errorf("%s: %s %q", name, got.Outcome, got.Reason)
			}
			if sales, _ := r.host.seen(); len(sales) != 0 {
				t.Errorf("%s: %d requests left", name, len(sales))
			}
		})
	}
}

// The phone is unlocked while it lies there: the payment goes on.
func TestUnlockedPhone(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		id := r.begin(150_000)
		locked := r.field.Put(r.card("mastercard-phone-locked"), nfcmem.Steady())
		r.until("see phone", func(v *terminal.PaymentView) bool { return v.UI != nil && v.UI.ID == "20" })
		r.field.Take(locked)
		r.field.Put(r.card("mastercard-phone"), nfcmem.Steady())
		if got := r.end(id); got.Outcome != terminal.Approved || got.CVM != "cdcvm" {
			t.Errorf("%s %q %s", got.Outcome, got.Reason, got.CVM)
		}
	})
}

// stripeOnly is a Mastercard card whose AIP knows no EMV mode.
func stripeOnly(t *testing.T) *card.MChip {
	t.Helper()
	d, err := perso.TestIssuer().MastercardData("mastercard")
	if err != nil {
		t.Fatal(err)
	}
	d.AIP = [2]byte{0x19, 0x00}
	c, err := card.NewMChip(d, card.NewMemoryState(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Mag-stripe mode is refused unless it is configured; then F22 says 91, the track
// carries its checksum, and there is no F55.
func TestMagStripeMode(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		id := r.begin(8880)
		r.field.Put(stripeOnly(t), nfcmem.Steady())
		if got := r.end(id); got.Outcome != terminal.OtherInterface || got.Reason != terminal.ReasonCardNotUsable {
			t.Errorf("%s %q", got.Outcome, got.Reason)
		}
		if sales, _ := r.host.seen(); len(sales) != 0 {
			t.Error("a request left")
		}
	})
	inBubble(t, func(t *testing.T, r *rig) {
		if err := r.stop(); err == nil {
			t.Error("it stopped without a word")
		}
		r.cfg.MagStripe = true
		r.start()
		id := r.begin(8880)
		r.field.Put(stripeOnly(t), nfcmem.Steady())
		if got := r.end(id); got.Outcome != terminal.Approved || got.Kernel != 2 || got.ODA != "none" {
			t.Errorf("%s %q kernel %d %s", got.Outcome, got.Reason, got.Kernel, got.ODA)
		}
		sales, _ := r.host.seen()
		m := sales[0]
		_, data, _ := strings.Cut(m.Get(35), "=")
		if m.Get(22) != "912" || m.Has(55) || len(data) < 7 || strings.Trim(data[7:], "0") == "" {
			t.Errorf("F22 %s, F55 %v, no checksum in the track: %v", m.Get(22), m.Has(55), len(data) < 7 || strings.Trim(data[7:], "0") == "")
		}
	})
}

// Every AID leads to a kernel that is there, once, under the terminal's limits.
func TestKernelTable(t *testing.T) {
	ks, err := terminal.Kernels(terminal.KernelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	type pair struct {
		aid    string
		kernel emv.KernelID
	}
	seen := map[pair]bool{}
	for _, c := range terminal.Combinations(terminal.Config{Limits: terminal.Limits{CVM: 1, Transaction: 500}}) {
		if _, ok := ks.Lookup(c.Kernel, 0); !ok {
			t.Errorf("AID %X leads to kernel %d, which the terminal does not have", c.AID, c.Kernel)
		}
		if p := (pair{string(c.AID), c.Kernel}); seen[p] {
			t.Errorf("AID %X stands twice for kernel %d", c.AID, c.Kernel)
		} else {
			seen[p] = true
		}
		if c.FloorLimit == nil || *c.FloorLimit != 0 || c.CVMLimit == nil || *c.CVMLimit != 1 || c.TransactionLimit == nil || *c.TransactionLimit != 500 {
			t.Errorf("AID %X has other limits than the terminal", c.AID)
		}
	}
}
