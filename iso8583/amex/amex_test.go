package amex_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"huika/iso8583"
	"huika/iso8583/amex"
	"huika/iso8583/scheme"
	"huika/pay"
)

func sale(t *testing.T) scheme.Message {
	t.Helper()
	pan, err := pay.ParsePAN("374245001741007")
	if err != nil {
		t.Fatal(err)
	}
	return scheme.Message{
		Kind: scheme.Payment, Transaction: scheme.Sale, PAN: pan, Amount: pay.Money{Minor: 8880, Currency: pay.USD},
		Transmission: "0730142501", STAN: 17, Local: "260730102501", Settlement: "0801", MCC: "5411", Acquirer: "4802",
		Entry: scheme.Contactless, PINEntry: scheme.PINNo, Place: scheme.Place{Name: "SHOP", City: "AUSTIN", Country: "US"},
	}
}

func ascii(t *testing.T, b []byte) string {
	t.Helper()
	s, err := charmap.CodePage1047.NewDecoder().String(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWire is the layout of the 1993 version, written by hand.
func TestWire(t *testing.T) {
	m := sale(t)
	got, err := amex.Dialect.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "15374245001741007" + "004000" + "000000008880" + "0730142501" + "000017" + "260730102501" + "260801" + "840" +
		"5001" + "0X50" + "0040" + "100" + "5411" + "044802" + "31" + `SHOP\\AUSTIN\` + strings.Repeat(" ", 13) + "USA" + "840"
	want = strings.Replace(want, "31SHOP", fmt.Sprint(len(`SHOP\\AUSTIN\`)+13+3)+"SHOP", 1)
	if text := ascii(t, got[12:]); text != want || ascii(t, got[:4]) != "1100" {
		t.Errorf("\ngot  %q\nwant %q", text, want)
	}
	if bitmap := []byte{0x72, 0x32, 0x25, 0x41, 0x00, 0x20, 0x80, 0x00}; !bytes.Equal(got[4:12], bitmap) {
		t.Errorf("bitmap %x, want %x", got[4:12], bitmap)
	}
}

// TestReversal: F24 400, F25 says why, F56 which, F63 the rest of it.
func TestReversal(t *testing.T) {
	for reason, code := range map[scheme.Reason]string{scheme.NoReply: "4021", scheme.Fault: "4007", scheme.MACError: "4020", scheme.Other: "4000"} {
		m := sale(t)
		m.Kind, m.Reason, m.STAN = scheme.Reversal, reason, 18
		m.Original = scheme.Original{Transaction: scheme.Sale, STAN: 17, Transmission: "0730142501", Local: "260730102501", Acquirer: "4802", Forwarder: "99"}
		b, err := amex.Dialect.Encode(nil, &m, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := ascii(t, b)
		if !strings.HasPrefix(text, "1420") || !strings.Contains(text, "400"+code+"5411") ||
			!strings.HasSuffix(text, "28"+"1100"+"000017"+"260730102501"+"044802"+"015"+"100"+"0730142501"+"99") {
			t.Errorf("reason %d: %q", reason, text)
		}
		var back scheme.Message
		if err := amex.Dialect.Decode(b, &back); err != nil || back.Original != m.Original || back.Reason != reason || back.Transaction != scheme.Sale {
			t.Errorf("%v %+v %v", back, back.Original, err)
		}
		// Without our own F63 a reversal still says which payment, but not its F7.
		bare := bytes.Replace(b, b[len(b)-18:], nil, 1)
		bare[4+7] &^= 2
		if err := amex.Dialect.Decode(bare, &back); err != nil || back.Original.STAN != 17 || back.Original.Transmission != "" {
			t.Errorf("%+v %v", back.Original, err)
		}
		m.Original.Local = ""
		if _, err := amex.Dialect.Encode(nil, &m, nil); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("an original without local time: %v", err)
		}
	}
}

func TestFields(t *testing.T) {
	for name, spoil := range map[string]func(*scheme.Message){
		"no year":              func(m *scheme.Message) { m.Local = m.Local[2:] },
		"settlement, no local": func(m *scheme.Message) { m.Local = "" },
		"settlement of 6":      func(m *scheme.Message) { m.Settlement = "260801" },
		"backslash":            func(m *scheme.Message) { m.Place.Name = `A\B` },
		"trace of 49":          func(m *scheme.Message) { m.Trace = strings.Repeat("1", 49) },
	} {
		m := sale(t)
		spoil(&m)
		if _, err := amex.Dialect.Encode(nil, &m, nil); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := sale(t)
	m.ICC = []byte{0x9F, 0x36, 2, 0, 0x17}
	b, err := amex.Dialect.Encode(nil, &m, nil)
	if err != nil || !bytes.HasSuffix(b, []byte("\xF0\xF1\xF1\xC1\xC7\xD5\xE2\x00\x01\x9F\x36\x02\x00\x17")) {
		t.Errorf("F55: %x %v", b, err)
	}
	b[len(b)-11] = 0xC2
	var back scheme.Message
	if err := amex.Dialect.Decode(b, &back); !errors.Is(err, iso8583.ErrFormat) || back.Kind != 0 {
		t.Errorf("another header of F55: %v", err)
	}
}

// read is the answer with that action code, as decoded.
func read(t *testing.T, kind scheme.Kind, code, action string) scheme.Message {
	t.Helper()
	m := sale(t)
	m.Kind, m.Response, m.Code, m.SchemeCode = kind, true, code, action
	if kind == scheme.Management {
		m.Function = scheme.Echo
	}
	b, err := amex.Dialect.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var back scheme.Message
	if err := amex.Dialect.Decode(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// TestActionCodes: what the three digits mean for the flow.
func TestActionCodes(t *testing.T) {
	for action, want := range map[string]struct {
		code  string
		class iso8583.Class
	}{
		"000": {"00", iso8583.Approved}, "001": {"00", iso8583.Approved}, "003": {"00", iso8583.Approved}, "400": {"00", iso8583.Approved}, "800": {"00", iso8583.Approved}, "900": {"00", iso8583.Approved},
		"002": {"05", iso8583.Declined}, // in part: we never ask for it
		"100": {"05", iso8583.Declined}, "101": {"54", iso8583.Declined}, "109": {"03", iso8583.Declined}, "110": {"13", iso8583.Declined}, "111": {"14", iso8583.Declined},
		"116": {"51", iso8583.Declined}, "119": {"57", iso8583.Declined}, "121": {"61", iso8583.Declined}, "125": {"05", iso8583.Declined},
		"117": {"55", iso8583.Retry}, "106": {"75", iso8583.Declined}, "206": {"38", iso8583.PickUp}, "208": {"41", iso8583.PickUp}, "209": {"43", iso8583.PickUp},
		"181": {"30", iso8583.Technical}, "911": {"68", iso8583.Technical}, "912": {"91", iso8583.Technical}, "913": {"94", iso8583.Technical}, "909": {"96", iso8583.Technical},
		"914": {"25", iso8583.Declined}, "906": {"90", iso8583.CutOver}, "916": {"A0", iso8583.SignIn}, "999": {"96", iso8583.Technical},
	} {
		back := read(t, scheme.Payment, "", action)
		r, _ := iso8583.ResponseFor(back.Code)
		if back.Code != want.code || back.SchemeCode != action || r.Class != want.class {
			t.Errorf("%s is %s (%s), want %s (%s)", action, back.Code, r.Class, want.code, want.class)
		}
	}
}

// TestEveryResponseHasAnAction: a code that the stand-in gives keeps its class on
// the way over the line.
func TestEveryResponseHasAnAction(t *testing.T) {
	for _, r := range iso8583.Responses() {
		for _, kind := range []scheme.Kind{scheme.Payment, scheme.Reversal, scheme.Management} {
			back := read(t, kind, r.Code, "")
			got, known := iso8583.ResponseFor(back.Code)
			if got.Class != r.Class || !known || len(back.SchemeCode) != 3 {
				t.Errorf("%s %s comes back as %s (action %s), %s", kind, r.Code, back.Code, back.SchemeCode, got.Class)
			}
		}
	}
	for kind, want := range map[scheme.Kind]string{scheme.Payment: "000", scheme.Reversal: "400", scheme.Management: "800"} {
		if back := read(t, kind, "00", ""); back.SchemeCode != want {
			t.Errorf("%s approved as %s, want %s", kind, back.SchemeCode, want)
		}
	}
}
