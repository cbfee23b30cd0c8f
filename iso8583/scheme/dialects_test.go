package scheme_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"huika/iso8583"
	"huika/iso8583/amex"
	"huika/iso8583/cup"
	"huika/iso8583/discover"
	"huika/iso8583/jcb"
	"huika/iso8583/mastercard"
	"huika/iso8583/scheme"
	"huika/iso8583/visa"
	"huika/keys"
	"huika/pay"
)

// tested is a dialect, and what its documentation says that it drops.
type tested struct {
	scheme.Dialect
	wire  *scheme.Wire
	trace int // characters of Trace at most, and at least but for amex; 0: dropped
	drop  func(m *scheme.Message)
}

func vis(t testing.TB) *visa.Dialect {
	t.Helper()
	d, err := visa.New(visa.Station{Own: "123456", Peer: "654321"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wireOf(d scheme.Dialect) *scheme.Wire { return &d.(*scheme.Dialect87).Wire }

// noYear is what all dialects of the 1987 version lose.
func noYear(m *scheme.Message) {
	if len(m.Local) == 12 {
		m.Local = m.Local[2:]
	}
	m.Original.Local = ""
}

func faultForMAC(m *scheme.Message) {
	if m.Reason == scheme.MACError {
		m.Reason = scheme.Fault
	}
}

func dialects(t testing.TB) []tested {
	v := vis(t)
	return []tested{
		{cup.Dialect, wireOf(cup.Dialect), 0, func(m *scheme.Message) { noYear(m); m.Trace, m.Additional = "", "" }},
		{v, &v.Wire, 15, func(m *scheme.Message) { noYear(m); faultForMAC(m) }},
		{mastercard.New(mastercard.EBCDIC), wireOf(mastercard.New(mastercard.EBCDIC)), 12, func(m *scheme.Message) { noYear(m); faultForMAC(m) }},
		{mastercard.New(mastercard.ASCII), wireOf(mastercard.New(mastercard.ASCII)), 12, func(m *scheme.Message) { noYear(m); faultForMAC(m) }},
		{amex.Dialect, &scheme.Wire{Spec: amex.Spec, EBCDIC: true}, 15, func(*scheme.Message) {}},
		{jcb.Dialect, wireOf(jcb.Dialect), 0, func(m *scheme.Message) { noYear(m); m.Trace = "" }},
		{discover.Dialect, wireOf(discover.Dialect), 15, func(m *scheme.Message) { noYear(m) }},
	}
}

// normal is what m comes back as.
func (d tested) normal(m scheme.Message) scheme.Message {
	d.drop(&m)
	if m.SchemeCode == "" && m.Response && m.Code != "" {
		m.SchemeCode = schemeCode(d.Name(), &m)
	}
	if len(m.PINBlock) == 0 {
		m.PINBlock = nil
	}
	return m
}

// schemeCode is F39 of the few codes that the generators use.
func schemeCode(name string, m *scheme.Message) string {
	if name != "amex" {
		return m.Code
	}
	switch {
	case m.Code == "00" && m.Kind == scheme.Reversal:
		return "400"
	case m.Code == "00" && m.Kind == scheme.Management:
		return "800"
	case m.Code == "00" && m.Transaction == scheme.CompletionAdvice:
		return "900"
	}
	return map[string]string{"00": "000", "05": "100", "51": "116", "91": "912", "A0": "916", "54": "101"}[m.Code]
}

const (
	testPAN   = "4761739001010119"
	testTrack = "4761739001010119=30122011143857989"
)

func mustPAN(t interface{ Fatal(...any) }, digits string) pay.PAN {
	pan, err := pay.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pan
}

// sale has every field that a request may have.
func (d tested) sale(t testing.TB) scheme.Message {
	return scheme.Message{
		Kind: scheme.Payment, Transaction: scheme.Sale,
		PAN: mustPAN(t, testPAN), Amount: pay.Money{Minor: 8880, Currency: pay.JPY},
		Transmission: "0730142501", STAN: 17, Local: "260730222501", Expiry: "3012", Settlement: "0731", MCC: "5411",
		Entry: scheme.Contactless, PINEntry: scheme.PINYes, Sequence: "001", Acquirer: "48021000", Forwarder: "4802",
		Track2: pay.NewSecret([]byte(testTrack)), RRN: "073014250117",
		Terminal: "12345678", Merchant: "898310000000001", Place: scheme.Place{Name: "HUIKA TEST SHOP", City: "SHANGHAI", Country: "CN"},
		PINBlock: []byte{0xFF, 1, 2, 3, 0xAA, 5, 0x80, 7}, ICC: []byte("\x9F\x26\x08\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x9F\x27\x01\x80"),
	}
}

func (d tested) answer(t testing.TB, request scheme.Message, code string) scheme.Message {
	var m scheme.Message
	m.ResponseTo(&request, code)
	m.AuthCode, m.Settlement, m.Additional = "A1B2C3", "0731", "5"
	m.ICC = []byte("\x91\x0A\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x30\x30")
	m.Trace = strings.Repeat("1", d.trace)
	return m
}

// each is every message of the dialect: requests and answers of all
// transactions, their reversals, and all functions.
func (d tested) each(t testing.TB) map[string]scheme.Message {
	out := make(map[string]scheme.Message)
	add := func(m scheme.Message, codes ...string) {
		out[m.Class()] = m
		for _, code := range codes {
			out[m.Class()+", "+code] = d.answer(t, m, code)
		}
	}
	originals := map[scheme.Transaction]scheme.Transaction{
		scheme.Void: scheme.Sale, scheme.Refund: scheme.Sale, scheme.PreAuthCancel: scheme.PreAuth, scheme.Completion: scheme.PreAuth,
		scheme.CompletionVoid: scheme.Completion, scheme.CompletionAdvice: scheme.PreAuth,
	}
	for _, tr := range scheme.Transactions {
		m := d.sale(t)
		m.Transaction = tr
		if of := originals[tr]; of != 0 {
			m.Original = scheme.Original{Transaction: of, STAN: 999_999, Transmission: "0730142500", Local: "260730222500", Acquirer: "48021000", Forwarder: "4802"}
			m.AuthCode, m.Trace = "A1B2C3", strings.Repeat("1", d.trace)
		}
		add(m, "00", "51")
		m.Kind, m.STAN, m.Reason = scheme.Reversal, 18, scheme.NoReply
		m.Original = scheme.Original{Transaction: tr, STAN: 17, Transmission: "0730142501", Local: "260730222501", Acquirer: "48021000"}
		m.Track2, m.PINBlock = pay.Secret{}, nil
		add(m, "00")
	}
	for _, f := range scheme.Functions {
		m := scheme.Message{Kind: scheme.Management, Function: f, Transmission: "0730080000", STAN: 1, Acquirer: "48021000"}
		if f == scheme.KeyExchange {
			m.Key = scheme.WorkingKey{Use: scheme.PINKey, Wrapped: []byte("\x01\xFFsixteen or more byte")[:16], Check: [4]byte{0xAB, 0, 0xCD, 0xEF}}
			mac := m
			mac.Key = scheme.WorkingKey{Use: scheme.MACKey, Wrapped: []byte("twenty-four bytes or so!"), Check: [4]byte{1, 2, 3, 4}}
			out["MAC key"] = mac
		}
		out[m.Class()] = m
		var answer scheme.Message
		answer.ResponseTo(&m, "00")
		out[answer.Class()] = answer
	}
	return out
}

func cmac(t testing.TB, key string) iso8583.MAC {
	t.Helper()
	mac, err := keys.CMAC(pay.NewSecret([]byte(key)))
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// same compares messages; secrets by content.
func same(a, b scheme.Message) string {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		x, y := va.Field(i).Interface(), vb.Field(i).Interface()
		switch x := x.(type) {
		case pay.Secret:
			x, y = pay.NewSecret(x.Reveal()), pay.NewSecret(y.(pay.Secret).Reveal())
			if string(x.Reveal()) != string(y.(pay.Secret).Reveal()) {
				return va.Type().Field(i).Name
			}
			continue
		case pay.PAN:
			if x.Reveal() != y.(pay.PAN).Reveal() {
				return "PAN"
			}
			continue
		}
		if !reflect.DeepEqual(x, y) {
			return fmt.Sprintf("%s: %v, want %v", va.Type().Field(i).Name, x, y)
		}
	}
	return ""
}

func TestRoundTrip(t *testing.T) {
	mac := cmac(t, "0123456789abcdef")
	for _, d := range dialects(t) {
		for name, m := range d.each(t) {
			for _, with := range []iso8583.MAC{nil, mac} {
				before := m
				b, err := d.Encode([]byte("before"), &m, with)
				if err != nil || string(b[:6]) != "before" {
					t.Errorf("%s %s: %v", d.Name(), name, err)
					continue
				}
				if diff := same(m, before); diff != "" {
					t.Errorf("%s %s: Encode changed %s", d.Name(), name, diff)
				}
				b = b[6:]
				var back scheme.Message
				if err := d.Decode(b, &back); err != nil {
					t.Errorf("%s %s: %v", d.Name(), name, err)
					continue
				}
				if diff := same(back, d.normal(m)); diff != "" {
					t.Errorf("%s %s: %s", d.Name(), name, diff)
				}
				if d.Key(&back) != d.Key(&m) {
					t.Errorf("%s %s: key %q, decoded %q", d.Name(), name, d.Key(&m), d.Key(&back))
				}
				if key, response, err := scheme.Classify(d)(b); err != nil || key != d.Key(&m) || response != m.Response {
					t.Errorf("%s %s: classified as %q %v %v", d.Name(), name, key, response, err)
				}
			}
		}
	}
}

// TestCodes: every code that a stand-in gives keeps its class over every line.
func TestCodes(t *testing.T) {
	for _, d := range dialects(t) {
		for _, r := range iso8583.Responses() {
			m := d.answer(t, d.sale(t), r.Code)
			b, err := d.Encode(nil, &m, nil)
			if err != nil {
				t.Fatal(err)
			}
			var back scheme.Message
			if err := d.Decode(b, &back); err != nil {
				t.Fatal(err)
			}
			if got, known := iso8583.ResponseFor(back.Code); !known || got.Class != r.Class {
				t.Errorf("%s: %s (%s) comes back as %s (%s)", d.Name(), r.Code, r.Class, back.Code, got.Class)
			}
		}
	}
}

// TestReasons: a terminal's reason of a reversal and the neutral one.
func TestReasons(t *testing.T) {
	for _, code := range []string{"98", "96", "A0", "06"} {
		if r, ok := scheme.ReasonOf(code); !ok || r.Code() != code {
			t.Errorf("%s is %d, which is %q", code, r, r.Code())
		}
	}
	if r, ok := scheme.ReasonOf("00"); ok || r.Code() != "" || scheme.Reason(99).Code() != "" {
		t.Errorf("00 is %d", r)
	}
}

func TestTables(t *testing.T) {
	for _, d := range dialects(t) {
		if err := d.wire.Check(); err != nil {
			t.Errorf("%s: %v", d.Name(), err)
		}
		if d87, ok := d.Dialect.(interface{ Check() error }); ok {
			if err := d87.Check(); err != nil {
				t.Errorf("%s: %v", d.Name(), err)
			}
		} else if d.Name() != "amex" {
			t.Errorf("%s has no tables to check", d.Name())
		}
	}
}

func TestMAC(t *testing.T) {
	mac, other := cmac(t, "0123456789abcdef"), cmac(t, "another key, 16B")
	for _, d := range dialects(t) {
		header := 0
		if d.Name() == "visa" {
			header = 22
		}
		// One message with a second bitmap and one without: F128 and F64.
		for _, m := range []scheme.Message{d.sale(t), d.each(t)["void"]} {
			b, err := d.Encode(nil, &m, mac)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.CheckMAC(b, mac); err != nil {
				t.Fatalf("%s: %v", d.Name(), err)
			}
			if err := d.CheckMAC(b, other); !errors.Is(err, scheme.ErrMAC) {
				t.Errorf("%s: another key: %v", d.Name(), err)
			}
			for bit := 8 * header; bit < 8*len(b); bit++ {
				b[bit/8] ^= 1 << (bit % 8)
				if d.CheckMAC(b, mac) == nil {
					t.Errorf("%s: bit %d of byte %d flipped and not seen", d.Name(), bit%8, bit/8)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
			for n := range len(b) {
				if err := d.CheckMAC(b[:n], mac); err == nil {
					t.Errorf("%s: cut to %d and not seen", d.Name(), n)
				}
			}
			bare, err := d.Encode(nil, &m, nil)
			if err != nil || !errors.Is(d.CheckMAC(bare, mac), scheme.ErrNoMAC) {
				t.Errorf("%s: no MAC: %v", d.Name(), d.CheckMAC(bare, mac))
			}
		}
	}
}

// TestRefused: what can't be carried is a typed error, dst stays, nothing panics.
func TestRefused(t *testing.T) {
	for _, d := range dialects(t) {
		for name, spoil := range map[string]func(*scheme.Message){
			"no kind":           func(m *scheme.Message) { m.Kind = 0 },
			"no transaction":    func(m *scheme.Message) { m.Transaction = 0 },
			"no such kind":      func(m *scheme.Message) { m.Kind = 99 },
			"no function":       func(m *scheme.Message) { m.Kind = scheme.Management },
			"negative amount":   func(m *scheme.Message) { m.Amount.Minor = -1 },
			"thirteen digits":   func(m *scheme.Message) { m.Amount.Minor = 1_000_000_000_000 },
			"STAN of 7 digits":  func(m *scheme.Message) { m.STAN = 1_000_000 },
			"F7 of 9 digits":    func(m *scheme.Message) { m.Transmission = "073014250" },
			"local of 11":       func(m *scheme.Message) { m.Local = "60730222501" },
			"terminal of 9":     func(m *scheme.Message) { m.Terminal = "123456789" },
			"merchant of 16":    func(m *scheme.Message) { m.Merchant = "8983100000000012" },
			"terminal, space":   func(m *scheme.Message) { m.Terminal = "1234567 " },
			"acquirer of 12":    func(m *scheme.Message) { m.Acquirer = "123456789012" },
			"PIN block of 9":    func(m *scheme.Message) { m.PINBlock = make([]byte, 9) },
			"ICC too long":      func(m *scheme.Message) { m.ICC = make([]byte, scheme.MaxICC+1) },
			"entry":             func(m *scheme.Message) { m.Entry = 99 },
			"PIN entry":         func(m *scheme.Message) { m.PINEntry = 99 },
			"country":           func(m *scheme.Message) { m.Place.Country = "ZZ" },
			"country numeric":   func(m *scheme.Message) { m.Place.Country = "156" },
			"name too long":     func(m *scheme.Message) { m.Place.Name = strings.Repeat("x", scheme.MaxName+1) },
			"city too long":     func(m *scheme.Message) { m.Place.City = strings.Repeat("x", scheme.MaxCity+1) },
			"control character": func(m *scheme.Message) { m.Place.Name = "a\nb" },
			"original of none":  func(m *scheme.Message) { m.Original.STAN = 1 },
			"key of 17 bytes":   func(m *scheme.Message) { m.Key = scheme.WorkingKey{Use: scheme.PINKey, Wrapped: make([]byte, 17)} },
			"key of no use":     func(m *scheme.Message) { m.Key = scheme.WorkingKey{Wrapped: make([]byte, 16)} },
			"original's F32": func(m *scheme.Message) {
				m.Original = scheme.Original{Transaction: scheme.Sale, Transmission: "0730142501", Local: "260730142501", Acquirer: "123456789012"}
			},
			"currency beyond n3": func(m *scheme.Message) { m.Amount.Currency = 1000 },
		} {
			m := d.sale(t)
			spoil(&m)
			out, err := d.Encode([]byte("kept"), &m, nil)
			var e *iso8583.Error
			if !errors.Is(err, iso8583.ErrFormat) || !errors.As(err, &e) || e.Field == "" || string(out) != "kept" {
				t.Errorf("%s, %s: %q %v", d.Name(), name, out, err)
			}
			if err != nil && strings.Contains(err.Error(), testPAN[6:12]) {
				t.Errorf("%s, %s: the error shows a card number", d.Name(), name)
			}
		}
	}
}

// TestUnknown: a class or request that this package does not know is no error.
func TestUnknown(t *testing.T) {
	for _, d := range dialects(t) {
		raw := iso8583.NewMessage()
		raw.SetMTI("0620")
		raw.Set(11, "000001")
		b, err := scheme.PackRaw(d.wire, raw)
		if err != nil {
			t.Fatal(err)
		}
		if d.Name() == "visa" {
			b = append([]byte{22, 1, 2, 0, byte(22 + len(b)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, b...)
		}
		m := d.sale(t)
		if err := d.Decode(b, &m); err != nil || m.Kind != scheme.Unknown || m.STAN != 1 || !m.PAN.IsZero() {
			t.Errorf("%s: %v %v", d.Name(), m, err)
		}
		if _, err := d.Encode(nil, &m, nil); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%s: wrote a message of no kind: %v", d.Name(), err)
		}
	}
}

// TestNothingShows: no dump and no print shows what must not be seen.
func TestNothingShows(t *testing.T) {
	for _, d := range dialects(t) {
		for name, m := range d.each(t) {
			b, err := d.Encode(nil, &m, cmac(t, "0123456789abcdef"))
			if err != nil {
				t.Fatal(err)
			}
			dump, err := d.Dump(b)
			if err != nil || dump == "" {
				t.Fatalf("%s %s: %v", d.Name(), name, err)
			}
			for what, text := range map[string]string{
				"dump": dump, "%v": fmt.Sprintf("%v", m), "%+v": fmt.Sprintf("%+v", &m), "%#v": fmt.Sprintf("%#v", m), "%x": fmt.Sprintf("%x", m),
				"in a struct": fmt.Sprintf("%+v", struct{ M scheme.Message }{m}), "log": m.LogValue().String(), "summary": m.Summary(),
			} {
				for _, secret := range []string{testPAN[6:12], testTrack[18:], "ff010203aa058007", "FF010203AA058007", fmt.Sprintf("%x", m.Key.Wrapped)} {
					if secret != "" && strings.Contains(text, secret) {
						t.Errorf("%s %s: %s shows %q: %s", d.Name(), name, what, secret, text)
					}
				}
			}
			if !m.PAN.IsZero() && !strings.Contains(dump, "476173******0119") {
				t.Errorf("%s %s: no masked card number in %s", d.Name(), name, dump)
			}
		}
	}
}

func TestWipe(t *testing.T) {
	m := dialects(t)[0].sale(t)
	pin, icc, track := m.PINBlock, m.ICC, m.Track2.Reveal()
	m.Wipe()
	for _, b := range [][]byte{pin, icc, track} {
		if strings.Trim(string(b), "\x00") != "" {
			t.Errorf("left: %x", b)
		}
	}
	if diff := same(m, scheme.Message{}); diff != "" {
		t.Error(diff)
	}
}
