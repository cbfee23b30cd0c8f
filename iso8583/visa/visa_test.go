package visa_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"huika/iso8583"
	"huika/iso8583/scheme"
	"huika/iso8583/visa"
	"huika/keys"
	"huika/pay"
)

func dialect(t *testing.T) *visa.Dialect {
	t.Helper()
	d, err := visa.New(visa.Station{Own: "123456", Peer: "654321"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func preAuth(t *testing.T) scheme.Message {
	t.Helper()
	pan, err := pay.ParsePAN("4761739001010119")
	if err != nil {
		t.Fatal(err)
	}
	return scheme.Message{
		Kind: scheme.Payment, Transaction: scheme.PreAuth, PAN: pan, Amount: pay.Money{Minor: 8880, Currency: pay.JPY},
		Transmission: "0730142501", STAN: 17, Acquirer: "4802101", Entry: scheme.Contactless, PINEntry: scheme.PINYes,
		RRN: "073014250117", Terminal: "T1", ICC: []byte{0x9F, 0x36, 2, 0, 0x17}, Trace: "123456789012345",
		Place: scheme.Place{Name: "SHOP", City: "TOKYO", Country: "JP"},
	}
}

// TestWire is the layout, written by hand: header, BCD, lengths of one byte that
// count digits or bytes, EBCDIC, and the bitmaps within F62.
func TestWire(t *testing.T) {
	m := preAuth(t)
	got, err := dialect(t).Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	spaces := func(n int) string { return strings.Repeat("40", n) }
	want := strings.Join([]string{
		"16 01 02 00A0 654321 123456 00 0000 000000 00 000000 00", // H1 to H12
		"0100",
		"7220 2481 08A0 8214",      // F2 3 4 7 11 19 22 25 32 37 41 43 49 55 60 62
		"10 4761739001010119",      // F2: 16 digits
		"000000",                   // F3
		"000000008880",             // F4
		"0730142501",               // F7
		"000017",                   // F11
		"0392",                     // F19
		"0710",                     // F22
		"00",                       // F25
		"07 04802101",              // F32: 7 digits, half a byte in front
		"F0F7F3F0F1F4F2F5F0F1F1F7", // F37
		"E3F1" + spaces(6),         // F41
		"E2C8D6D7" + spaces(21) + "E3D6D2E8D6" + spaces(8) + "D1D7", // F43
		"0392",                                 // F49
		"05 9F36020017",                        // F55
		"06 080000100002",                      // F60: chip data there, the amount estimated
		"10 4000000000000000 0123456789012345", // F62: 62.2 alone
	}, "")
	want = strings.ReplaceAll(want, " ", "")
	if gotHex := strings.ToUpper(hex.EncodeToString(got)); gotHex != want {
		t.Errorf("\ngot  %s\nwant %s", gotHex, want)
	}
	var back scheme.Message
	if err := dialect(t).Decode(got, &back); err != nil || back.Transaction != scheme.PreAuth || back.Trace != m.Trace || back.Place != m.Place {
		t.Errorf("%v %v", back, err)
	}
}

func TestHeader(t *testing.T) {
	d, m := dialect(t), preAuth(t)
	b, err := d.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"no header":     func(b []byte) []byte { return b[:21] },
		"H1":            func(b []byte) []byte { b[0] = 21; return b },
		"text format":   func(b []byte) []byte { b[2] = 1; return b },
		"H4 too long":   func(b []byte) []byte { b[4]++; return b },
		"a byte added":  func(b []byte) []byte { return append(b, 0) },
		"reject, alone": func(b []byte) []byte { b[0] = 26; return b },
		"empty":         func([]byte) []byte { return nil },
	} {
		bad := spoil(append([]byte(nil), b...))
		var back scheme.Message
		if err := d.Decode(bad, &back); !errors.Is(err, iso8583.ErrFormat) || back.Kind != 0 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := d.Dump(bad); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%s: dumped: %v", name, err)
		}
	}
	for _, s := range []visa.Station{{Own: "12345"}, {Peer: "1234567"}, {Own: "12345x"}} {
		if _, err := visa.New(s); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestRejected: a question that comes back is its own answer, but proves nothing.
func TestRejected(t *testing.T) {
	d, m := dialect(t), preAuth(t)
	mac, err := keys.CMAC(pay.NewSecret([]byte("0123456789abcdef")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Encode(nil, &m, mac)
	if err != nil {
		t.Fatal(err)
	}
	rejected := append([]byte{26, 1, 2, 0, 0, 0x12, 0x34, 0x56, 0x65, 0x43, 0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0x02, 0x93}, b...)
	rejected[3], rejected[4] = byte(len(rejected)>>8), byte(len(rejected))
	var back scheme.Message
	if err := d.Decode(rejected, &back); err != nil {
		t.Fatal(err)
	}
	if !back.Response || back.Code != visa.CodeRejected || back.SchemeCode != "0293" || d.Key(&back) != d.Key(&m) {
		t.Errorf("%v, key %q", back, d.Key(&back))
	}
	if err := d.CheckMAC(rejected, mac); !errors.Is(err, scheme.ErrNoMAC) {
		t.Errorf("our own MAC speaks for the scheme: %v", err)
	}
	if dump, err := d.Dump(rejected); err != nil || !strings.HasPrefix(dump, "rejected 0293: 0100 ") {
		t.Errorf("%q %v", dump, err)
	}
	rejected[25] = 0xAB
	if err := d.Decode(rejected, &back); !errors.Is(err, iso8583.ErrFormat) {
		t.Errorf("H14 of no digits: %v", err)
	}
}

// TestReasons: F63.3 of a reversal.
func TestReasons(t *testing.T) {
	d := dialect(t)
	for reason, want := range map[scheme.Reason]string{
		scheme.NoReply: "a0000000022502", scheme.Fault: "a0000000022503", scheme.MACError: "a0000000022503", scheme.Other: "a0000000022501",
	} {
		m := preAuth(t)
		m.Kind, m.Reason, m.Trace = scheme.Reversal, reason, ""
		m.Original = scheme.Original{Transaction: scheme.PreAuth, STAN: 16, Transmission: "0730142500"}
		b, err := d.Encode(nil, &m, nil)
		if err != nil || !strings.Contains(hex.EncodeToString(b), "07"+want) {
			t.Errorf("reason %d: %x %v", reason, b, err)
		}
	}
	m := preAuth(t)
	m.Trace = "1234"
	if _, err := d.Encode(nil, &m, nil); !errors.Is(err, iso8583.ErrFormat) {
		t.Errorf("a transaction identifier of 4 digits: %v", err)
	}
}

// TestCodes: what VisaNet's own codes mean for the flow.
func TestCodes(t *testing.T) {
	d := dialect(t)
	for code, want := range map[string]iso8583.Class{
		"00": iso8583.Approved, "11": iso8583.Approved, "85": iso8583.Approved,
		"05": iso8583.Declined, "51": iso8583.Declined, "Q1": iso8583.Declined, "R0": iso8583.Declined, "10": iso8583.Declined, // partial: we never ask for it
		"55": iso8583.Retry, "41": iso8583.PickUp, "91": iso8583.Technical, "N0": iso8583.Technical, "81": iso8583.Technical, "96": iso8583.Technical,
	} {
		m := preAuth(t)
		m.Response, m.SchemeCode = true, code
		b, err := d.Encode(nil, &m, nil)
		if err != nil {
			t.Fatal(err)
		}
		var back scheme.Message
		if err := d.Decode(b, &back); err != nil || back.SchemeCode != code {
			t.Fatalf("%s: %v %v", code, back, err)
		}
		if r, _ := iso8583.ResponseFor(back.Code); r.Class != want {
			t.Errorf("%s is %s, as %s %s; want %s", code, back.Code, r.EN, r.Class, want)
		}
	}
}

// TestLengths: a length of one byte may say up to 255; beyond the field it is refused.
func TestLengths(t *testing.T) {
	d := dialect(t)
	b, err := d.Encode(nil, &scheme.Message{Kind: scheme.Payment, Transaction: scheme.Balance, STAN: 17, Acquirer: "48021012345"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const at = 22 + 2 + 8 + 3 + 3 + 1 // header, type, bitmap, F3, F11, F25
	if b[at] != 11 {
		t.Fatalf("F32 is not where the test looks for it: %x", b)
	}
	b = append(b, make([]byte, 255)...) // enough bytes for any length
	b[3], b[4] = byte(len(b)>>8), byte(len(b))
	for n := 12; n < 256; n++ {
		b[at] = byte(n)
		var back scheme.Message
		var e *iso8583.Error
		if err := d.Decode(b, &back); !errors.As(err, &e) || e.Field != "F32" {
			t.Errorf("length %d: %v", n, err)
		}
	}
}
