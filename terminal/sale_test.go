package terminal_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"huika/card/perso"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/keys"
	"huika/pay"
	"huika/terminal"
)

// An approved wave, from the wire to the receipt.
func TestApproved(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		got := r.pay("unionpay-debit", 8880)
		if got.Outcome != terminal.Approved || got.CVM != "none" || got.ODA != "fdda" || got.Kernel != 7 || got.RRN != "260302000042" || got.AuthCode != "A1B2C3" {
			t.Fatalf("result: %+v", got)
		}
		sales, reversals := r.host.seen()
		if len(sales) != 1 || len(reversals) != 0 {
			t.Fatalf("%d sales and %d reversals on the wire", len(sales), len(reversals))
		}
		checkSale(t, sales[0], got)
		v, _ := r.View()
		if v.Shift.Count != 1 || v.Shift.Sum != "88.80" || v.Payment.Phase != terminal.PhaseDone || v.Payment.UI.ID != "03" {
			t.Errorf("view: %+v %+v", v.Shift, v.Payment)
		}
		text, err := r.Receipt(t.Context(), got.Payment, "zh")
		if err != nil {
			t.Fatal(err)
		}
		arqc, _ := tlv.Find(sales[0].Bytes(55), tag.ApplicationCryptogram)
		for _, want := range []string{"SIMULATION", "RMB 88.80", "交易金额未超过1000.00元,免密免签", got.MaskedPAN, "A0000003330101", strings.ToUpper(hex.EncodeToString(arqc)), "260302000042", "A1B2C3", got.STAN} {
			if !strings.Contains(text, want) {
				t.Errorf("the receipt lacks %q:\n%s", want, text)
			}
		}
		st := r.state()
		if len(st.Open) != 0 || len(st.Reversals) != 0 || st.Totals.DebitCount != 1 || st.Totals.Debits != 8880 {
			t.Errorf("journal: %+v", st)
		}
	})
}

// saleOrder is field 55 of facts/pos8583: the tags and their order.
var saleOrder = []tlv.Tag{0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34, 0x9F35, 0x9F1E, 0x84, 0x9F09, 0x9F41, 0x9F63}

func checkSale(t *testing.T, m *iso8583.Message, got terminal.Result) {
	t.Helper()
	for f, want := range map[int]string{
		3: "000000", 4: "000000008880", 11: got.STAN, 22: "072", 25: "00", 41: "10000001", 42: "898110000000001",
		46: string(got.Payment), 49: "156", 60: "22" + got.Batch + "000" + "60",
	} {
		if m.Get(f) != want {
			t.Errorf("F%d = %q, want %q", f, m.Get(f), want)
		}
	}
	if pan, _, _ := strings.Cut(m.Get(35), "="); pan != m.Get(2) || len(pan) < 16 {
		t.Error("F2 and track 2 of F35 name different cards")
	}
	if m.Has(52) || m.Has(53) {
		t.Error("a PIN block without a PIN")
	}
	list, err := tlv.Parse(m.Bytes(55))
	if err != nil {
		t.Fatal(err)
	}
	var order []tlv.Tag
	for _, o := range list {
		order = append(order, o.Tag)
	}
	want := saleOrder
	if _, ok := list.Find(tag.ProductID); !ok {
		want = want[:len(want)-1]
	}
	if !slices.Equal(order, want) {
		t.Errorf("F55 holds %v, want %v", order, want)
	}
	if v, _ := list.Find(tag.AmountAuthorised); hex.EncodeToString(v) != m.Get(4) {
		t.Error("F4 and 9F02 differ")
	}
}

// Which cards ask for what, at which amounts, and where each bad card stops.
func TestCards(t *testing.T) {
	for _, c := range []struct {
		card    string
		fen     int64
		pin     bool
		outcome terminal.OutcomeWord
		reason  string
		cvm     string
		asked   bool // the host
	}{
		{"unionpay-debit", 100000, false, terminal.Approved, "", "none", true},
		{"unionpay-debit", 100001, true, terminal.Approved, "", "online_pin", true},
		{"unionpay-credit", 1, false, terminal.Approved, "", "none", true},
		{"unionpay-credit", 500000, true, terminal.Approved, "", "online_pin", true},
		{"unionpay-phone", 500000, false, terminal.Approved, "", "cdcvm", true},
		{"unionpay-watch", 500000, false, terminal.Approved, "", "cdcvm", true},
		{"unionpay-pin-always", 100, true, terminal.Approved, "", "online_pin", true},
		{"unionpay-expired", 100, false, terminal.Declined, "card_expired", "none", false},
		{"unionpay-cloned", 100, false, terminal.Declined, "card_not_genuine", "none", false},
		{"unionpay-cloned-online", 100, false, terminal.Approved, "", "none", true}, // this host has no issuer behind it
		{"transit", 100, false, terminal.OtherInterface, "card_not_supported", "none", false},
		{"staff", 100, false, terminal.OtherInterface, "card_not_supported", "none", false},
		{"dead", 100, false, terminal.TryAgain, "card_not_read", "none", false},
	} {
		t.Run(c.card+"/"+pay.Fen(c.fen).Decimal(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				if c.pin {
					go func() {
						if err := r.enter("135790"); err != nil {
							t.Errorf("PIN: %v", err)
						}
					}()
				}
				got := r.pay(c.card, c.fen)
				if got.Outcome != c.outcome || got.Reason != c.reason || got.CVM != c.cvm {
					t.Errorf("got %s %q %s (message %s, oda %s), want %s %q %s", got.Outcome, got.Reason, got.CVM, got.MessageID, got.ODA, c.outcome, c.reason, c.cvm)
				}
				sales, reversals := r.host.seen()
				if (len(sales) == 1) != c.asked || len(reversals) != 0 {
					t.Errorf("%d sales, %d reversals on the wire", len(sales), len(reversals))
				}
				if c.pin && len(sales) == 1 {
					checkPIN(t, r, sales[0], "135790")
				}
			})
		})
	}
}

func checkPIN(t *testing.T, r *rig, m *iso8583.Message, digits string) {
	t.Helper()
	pan, err := pay.ParsePAN(m.Get(2))
	if err != nil {
		t.Fatal(err)
	}
	if m.Get(22) != "071" || m.Get(53) != "2600000000000000" {
		t.Errorf("F22 %q, F53 %q", m.Get(22), m.Get(53))
	}
	pin, err := keys.DecryptPIN(m.Bytes(52), pan, r.host.keys.PIN)
	if err != nil || string(pin.Reveal()) != digits {
		t.Errorf("F52 does not hold the PIN: %v", err)
	}
}

// Every answer of the host: what the clerk sees, and what is owed.
func TestHostAnswers(t *testing.T) {
	for _, c := range []struct {
		name     string
		reply    reply
		outcome  terminal.OutcomeWord
		reason   string
		reversal string // F39 of the reversal, "" for none
	}{
		{"05", reply{code: "05"}, terminal.Declined, "declined_by_issuer", ""},
		{"51", reply{code: "51"}, terminal.Declined, "insufficient_funds", ""},
		{"62", reply{code: "62"}, terminal.Declined, "card_restricted", ""},
		{"75", reply{code: "75"}, terminal.Declined, "pin_tries_exceeded", ""},
		{"91", reply{code: "91"}, terminal.Declined, "issuer_unavailable", ""},
		{"96", reply{code: "96"}, terminal.Declined, "host_fault", ""},
		{"90", reply{code: "90"}, terminal.Declined, "cut_over", ""},
		{"unknown code", reply{code: "Z9"}, terminal.Declined, "declined_by_issuer", ""},
		{"A0 with MAC", reply{code: "A0"}, terminal.Declined, "signed_in_again", ""},
		{"A0 without MAC", reply{code: "A0", noMAC: true}, terminal.Reversed, "signed_in_again", "A0"},
		{"approval with a wrong MAC", reply{badMAC: true}, terminal.Reversed, "mac_error", "A0"},
		{"approval without MAC", reply{noMAC: true}, terminal.Reversed, "mac_error", "A0"},
		{"decline without MAC", reply{code: "05", noMAC: true}, terminal.Reversed, "mac_error", "A0"},
		{"another amount", reply{amount: "000000000001"}, terminal.Reversed, "answer_unusable", "96"},
		{"no answer", reply{silent: true}, terminal.Reversed, "no_answer", "98"},
		{"answer after the time-out", reply{delay: 46e9}, terminal.Reversed, "no_answer", "98"},
		{"answer just in time", reply{delay: 44e9}, terminal.Approved, "", ""},
		{"link cut", reply{cut: true}, terminal.Reversed, "link_cut", "98"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.host.onSale(func(*iso8583.Message) reply { return c.reply })
				got := r.pay("unionpay-debit", 8880)
				if got.Outcome != c.outcome || got.Reason != c.reason {
					t.Errorf("got %s %q, want %s %q", got.Outcome, got.Reason, c.outcome, c.reason)
				}
				if w, ok := terminal.Explain(got.Reason); got.Reason != "" && (!ok || w.ZH == "" || w.NextEN == "") {
					t.Errorf("no words for %q", got.Reason)
				}
				r.settle()
				sales, reversals := r.host.seen()
				if c.reversal == "" {
					if len(reversals) != 0 {
						t.Errorf("%d reversals, want none", len(reversals))
					}
					return
				}
				if len(reversals) != 1 {
					t.Fatalf("%d reversals, want 1", len(reversals))
				}
				checkReversal(t, sales[0], reversals[0], c.reversal)
				if st := r.state(); len(st.Reversals) != 0 || len(st.Open) != 0 || st.Totals.DebitCount != 0 {
					t.Errorf("journal: %+v", st)
				}
			})
		})
	}
}

// A reversal repeats its sale's STAN, batch, amount and card, and names the reason.
func checkReversal(t *testing.T, sale, rev *iso8583.Message, reason string) {
	t.Helper()
	for _, f := range []int{2, 3, 4, 11, 22, 23, 25, 41, 42, 49, 60} {
		if rev.Get(f) != sale.Get(f) {
			t.Errorf("F%d of the reversal differs from the sale's", f)
		}
	}
	if rev.Get(39) != reason {
		t.Errorf("F39 = %s, want %s", rev.Get(39), reason)
	}
	if want := sale.Get(60)[2:8] + sale.Get(11); !strings.HasPrefix(rev.Get(61), want) || len(rev.Get(61)) != 16 {
		t.Errorf("F61 = %s, want %s and the date", rev.Get(61), want)
	}
	for _, f := range []int{35, 52} {
		if rev.Has(f) {
			t.Errorf("the reversal holds F%d", f)
		}
	}
	if _, ok := tlv.Find(rev.Bytes(55), tag.ApplicationCryptogram); ok || len(rev.Bytes(55)) == 0 {
		t.Error("F55 of the reversal: want 95 9F1E 9F10 9F36 and no cryptogram")
	}
}

// The accounts of the test issuer really are what the cards say (the rig has no issuer of its own).
func TestPANsAreTheIssuers(t *testing.T) {
	known := map[string]bool{}
	for _, a := range perso.TestIssuer().Accounts(func(string) string { return "135790" }) {
		known[a.PAN.Reveal()] = true
	}
	inBubble(t, func(t *testing.T, r *rig) {
		r.pay("unionpay-debit", 100)
		sales, _ := r.host.seen()
		if !known[sales[0].Get(2)] {
			t.Error("F2 is no card number of the issuer")
		}
	})
}
