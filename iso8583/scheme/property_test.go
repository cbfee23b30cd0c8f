package scheme_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"huika/iso8583/scheme"
	"huika/pay"
)

func digits(t *rapid.T, name string, low, high int) string {
	return rapid.StringMatching(fmt.Sprintf(`[0-9]{%d,%d}`, low, high)).Draw(t, name)
}

// text is printable ASCII that does not end in a space.
func text(t *rapid.T, name string, high int) string {
	return strings.TrimRight(rapid.StringMatching(fmt.Sprintf(`[ -\[\]-~]{0,%d}`, high)).Draw(t, name), " ")
}

func maybe(t *rapid.T, name string) bool { return rapid.Bool().Draw(t, "has "+name) }

var codes = []string{"00", "05", "51", "91", "A0", "54"}

// draw makes any message that the dialect can carry.
func (d tested) draw(t *rapid.T) scheme.Message {
	m := scheme.Message{Kind: rapid.SampledFrom([]scheme.Kind{scheme.Payment, scheme.Reversal, scheme.Management}).Draw(t, "kind")}
	m.Response = rapid.Bool().Draw(t, "response")
	m.Transmission = digits(t, "F7", 10, 10)
	m.STAN = pay.STAN(rapid.IntRange(1, 999_999).Draw(t, "STAN"))
	m.Local = digits(t, "local", 12, 12)
	if maybe(t, "F32") {
		m.Acquirer = digits(t, "F32", 1, 11)
	}
	if maybe(t, "F33") {
		m.Forwarder = digits(t, "F33", 1, 11)
	}
	if m.Response {
		m.Code = rapid.SampledFrom(codes).Draw(t, "code")
	}
	if m.Kind == scheme.Management {
		m.Function = rapid.SampledFrom(scheme.Functions[:]).Draw(t, "function")
		if m.Function == scheme.KeyExchange && maybe(t, "key") {
			size := rapid.SampledFrom([]int{16, scheme.MaxKey}).Draw(t, "key size")
			m.Key = scheme.WorkingKey{
				Use:     rapid.SampledFrom([]scheme.KeyUse{scheme.PINKey, scheme.MACKey}).Draw(t, "use"),
				Wrapped: rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "key"),
			}
			copy(m.Key.Check[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "check"))
		}
		return m
	}
	m.Transaction = rapid.SampledFrom(scheme.Transactions[:]).Draw(t, "transaction")
	m.Amount = pay.Money{Minor: rapid.Int64Range(0, 999_999_999_999).Draw(t, "amount"), Currency: pay.Currency(rapid.IntRange(1, 999).Draw(t, "currency"))}
	m.Entry = scheme.Entry(rapid.IntRange(0, int(scheme.ContactlessStripe)).Draw(t, "entry"))
	m.PINEntry = scheme.PINEntry(rapid.IntRange(0, int(scheme.PINNo)).Draw(t, "PIN entry"))
	m.RRN = pay.RRN(rapid.StringMatching(`[0-9A-Z]{12}`).Draw(t, "F37"))
	m.Terminal, m.Merchant = pay.TerminalID(text(t, "F41", 8)), pay.MerchantID(text(t, "F42", 15))
	for _, f := range []struct {
		name      string
		to        *string
		low, high int
	}{{"F14", &m.Expiry, 4, 4}, {"F15", &m.Settlement, 4, 4}, {"F18", &m.MCC, 4, 4}, {"F23", &m.Sequence, 3, 3}, {"F38", &m.AuthCode, 6, 6}} {
		if maybe(t, f.name) {
			*f.to = digits(t, f.name, f.low, f.high)
		}
	}
	if maybe(t, "F2") {
		m.PAN = mustPAN(t, digits(t, "F2", 8, 19))
	}
	if maybe(t, "F35") {
		m.Track2 = pay.NewSecret([]byte(digits(t, "F35", 8, 19) + "=" + digits(t, "F35 rest", 0, 17)))
	}
	if maybe(t, "F43") {
		m.Place = scheme.Place{Name: text(t, "name", scheme.MaxName), City: text(t, "city", scheme.MaxCity), Country: rapid.SampledFrom([]string{"CN", "JP", "US", "HK", "ZW"}).Draw(t, "country")}
	}
	if maybe(t, "F52") {
		m.PINBlock = rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "F52")
	}
	if maybe(t, "F54") {
		m.Balances = strings.Repeat("0002156C000010000000", rapid.IntRange(1, 6).Draw(t, "F54"))
	}
	if maybe(t, "F55") {
		m.ICC = rapid.SliceOfN(rapid.Byte(), 1, scheme.MaxICC).Draw(t, "F55")
	}
	if maybe(t, "F44") {
		m.Additional = rapid.StringMatching(`[0-9A-Z]{1,25}`).Draw(t, "F44")
	}
	if d.trace > 0 && maybe(t, "trace") {
		m.Trace = digits(t, "trace", d.trace, d.trace)
	}
	if m.Kind == scheme.Reversal && !m.Response {
		m.Reason = scheme.Reason(rapid.IntRange(int(scheme.NoReply), int(scheme.Other)).Draw(t, "reason"))
	}
	if of := original(m); of != 0 && (m.Kind == scheme.Reversal || maybe(t, "original")) {
		// Without leading zeros: the fixed columns of F90 lose them.
		institution := func(name string) string { return strings.TrimLeft(digits(t, name, 0, 11), "0") }
		m.Original = scheme.Original{
			Transaction: of, STAN: pay.STAN(rapid.IntRange(1, 999_999).Draw(t, "original STAN")), Transmission: digits(t, "original F7", 10, 10),
			Local: digits(t, "original local", 12, 12), Acquirer: institution("original F32"), Forwarder: institution("original F33"),
		}
	}
	return m
}

// original is what m's Original must be, where it has one.
func original(m scheme.Message) scheme.Transaction {
	if m.Kind == scheme.Reversal {
		return m.Transaction
	}
	return map[scheme.Transaction]scheme.Transaction{
		scheme.Void: scheme.Sale, scheme.Refund: scheme.Sale, scheme.PreAuthCancel: scheme.PreAuth, scheme.Completion: scheme.PreAuth,
		scheme.CompletionVoid: scheme.Completion, scheme.CompletionAdvice: scheme.PreAuth,
	}[m.Transaction]
}

func TestAnyMessage(t *testing.T) {
	mac := cmac(t, "0123456789abcdef")
	for i, d := range dialects(t) {
		t.Run(fmt.Sprint(i, " ", d.Name()), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := d.draw(rt)
				b, err := d.Encode(nil, &m, mac)
				if err != nil {
					rt.Fatalf("encode: %v", err)
				}
				if err := d.CheckMAC(b, mac); err != nil {
					rt.Fatal(err)
				}
				var back scheme.Message
				if err := d.Decode(b, &back); err != nil {
					rt.Fatalf("decode: %v", err)
				}
				if diff := same(back, d.normal(m)); diff != "" {
					rt.Fatal(diff)
				}
			})
		})
	}
}

// TestKeysDoNotCollide: two requests that differ in anything that names a request
// have two keys, and each answer has its request's, also through bytes.
func TestKeysDoNotCollide(t *testing.T) {
	for i, d := range dialects(t) {
		t.Run(fmt.Sprint(i, " ", d.Name()), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				a := d.draw(rt)
				a.Response, a.Code, a.SchemeCode = false, "", ""
				b := a
				// One or more parts of the identity change; also by moving a digit to a neighbour.
				for _, part := range rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 1, 7, rapid.ID[int]).Draw(rt, "parts") {
					switch part {
					case 0:
						b.Transmission = digits(rt, "other F7", 10, 10)
					case 1:
						b.STAN = pay.STAN(rapid.IntRange(1, 999_999).Draw(rt, "other STAN"))
					case 2:
						b.Acquirer = digits(rt, "other F32", 1, 11)
					case 3:
						b.Terminal = pay.TerminalID(text(rt, "other F41", 8))
					case 4:
						b.Merchant = pay.MerchantID(text(rt, "other F42", 15))
					case 5:
						if n := len(a.Terminal); n > 0 && len(a.Merchant) < 15 {
							b.Terminal, b.Merchant = pay.TerminalID(strings.TrimRight(string(a.Terminal[:n-1]), " ")), pay.MerchantID(a.Terminal[n-1:])+a.Merchant
						}
					case 6:
						if n := len(a.Acquirer); n > 1 {
							b.Acquirer = a.Acquirer[:n-1]
						}
					}
				}
				id := func(m scheme.Message) string {
					return fmt.Sprintf("%q %d %q %q %q %d", m.Transmission, m.STAN, m.Acquirer, m.Terminal, m.Merchant, m.Kind)
				}
				if (d.Key(&a) == d.Key(&b)) != (id(a) == id(b)) {
					rt.Fatalf("%s and %s: keys %q and %q", id(a), id(b), d.Key(&a), d.Key(&b))
				}
				for _, m := range []scheme.Message{a, b} {
					var answer, back scheme.Message
					answer.ResponseTo(&m, "00")
					frame, err := d.Encode(nil, &answer, nil)
					if err != nil {
						rt.Fatal(err)
					}
					if err := d.Decode(frame, &back); err != nil {
						rt.Fatal(err)
					}
					if d.Key(&back) != d.Key(&m) || !back.Response {
						rt.Fatalf("answer %q, request %q", d.Key(&back), d.Key(&m))
					}
				}
			})
		})
	}
}

// TestKeySeparates: the cases that random texts would hardly meet.
func TestKeySeparates(t *testing.T) {
	base := scheme.Message{Kind: scheme.Payment, Transmission: "0730142501", STAN: 17, Acquirer: "48021000", Terminal: "12345678", Merchant: "89831000000001"}
	keys := map[string]string{}
	for name, change := range map[string]func(*scheme.Message){
		"as it is":             func(*scheme.Message) {},
		"reversal":             func(m *scheme.Message) { m.Kind = scheme.Reversal },
		"F7":                   func(m *scheme.Message) { m.Transmission = "0730142502" },
		"STAN":                 func(m *scheme.Message) { m.STAN = 18 },
		"F32 shorter":          func(m *scheme.Message) { m.Acquirer = "4802100" },
		"F32's end to F41":     func(m *scheme.Message) { m.Acquirer, m.Terminal = "4802100", "01234567" },
		"F41 shorter":          func(m *scheme.Message) { m.Terminal = "1234567" },
		"F41's end to F42":     func(m *scheme.Message) { m.Terminal, m.Merchant = "1234567", "889831000000001" },
		"all three shift":      func(m *scheme.Message) { m.Acquirer, m.Terminal, m.Merchant = "4802100", "01234567", "889831000000001" },
		"F42":                  func(m *scheme.Message) { m.Merchant = "89831000000002" },
		"no F42":               func(m *scheme.Message) { m.Merchant = "" },
		"no F41":               func(m *scheme.Message) { m.Terminal = "" },
		"a separator in F41":   func(m *scheme.Message) { m.Terminal = "|234567" },
		"F42 begins in spaces": func(m *scheme.Message) { m.Merchant = " 89831000000000" },
	} {
		m := base
		change(&m)
		k := scheme.Key(&m)
		if other, ok := keys[k]; ok {
			t.Errorf("%s and %s have one key %q", name, other, k)
		}
		keys[k] = name
	}
}
