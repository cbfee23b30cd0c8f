package mastercard_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"huika/iso8583"
	"huika/iso8583/mastercard"
	"huika/iso8583/scheme"
	"huika/pay"
)

func sale(t *testing.T) scheme.Message {
	t.Helper()
	pan, err := pay.ParsePAN("5413330089010012")
	if err != nil {
		t.Fatal(err)
	}
	return scheme.Message{
		Kind: scheme.Payment, Transaction: scheme.Sale, PAN: pan, Amount: pay.Money{Minor: 8880, Currency: pay.USD},
		Transmission: "0730142501", STAN: 17, Acquirer: "4802", Entry: scheme.Contactless, PINEntry: scheme.PINYes,
		PINBlock: []byte("12345678"), Place: scheme.Place{Name: "SHOP", City: "AUSTIN", Country: "US"},
	}
}

// TestWire is the layout, written by hand, in ASCII; EBCDIC is the same but for
// the character set.
func TestWire(t *testing.T) {
	m := sale(t)
	m.Trace = "MCC123456ABC"
	m.Original = scheme.Original{Transaction: scheme.Sale, STAN: 16, Transmission: "0730142500", Acquirer: "4802"}
	want := func(head string) string {
		return head +
			"165413330089010012" + "000000" + "000000008880" + "0730142501" + "000017" + "840" + "071" + "044802" +
			"SHOP" + strings.Repeat(" ", 19) + "AUSTIN" + strings.Repeat(" ", 8) + "USA" +
			"029" + "R" + "6105" + "00001" + "6315" + "MCC123456ABC   " +
			"840" + "12345678" + "9701010001000000" +
			"026" + "00000000093" + "00" + "840" + strings.Repeat(" ", 10) +
			"0100" + "000016" + "0730142500" + "00000004802" + "00000000000"
	}
	bitmap := "\xF2\x20\x24\x01\x00\x21\x98\x08" + "\x00\x00\x00\x40\x00\x00\x00\x00"
	got, err := mastercard.New(mastercard.ASCII).Encode(nil, &m, nil)
	if err != nil || string(got) != want("0100"+bitmap) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want("0100"+bitmap))
	}
	ebcdic := charmap.CodePage1047.NewEncoder()
	text, err := ebcdic.String(want(""))
	if err != nil {
		t.Fatal(err)
	}
	block, err := ebcdic.String("12345678")
	if err != nil {
		t.Fatal(err)
	}
	text = "\xF0\xF1\xF0\xF0" + bitmap + strings.Replace(text, block, "12345678", 1) // F52 is bytes
	got, err = mastercard.New(mastercard.EBCDIC).Encode(nil, &m, nil)
	if err != nil || string(got) != text {
		t.Errorf("%v\ngot  %x\nwant %x", err, got, text)
	}
}

// TestTrace: an answer has the reference in DE 63, a follow-up in DE 48.
func TestTrace(t *testing.T) {
	for _, text := range []mastercard.Text{mastercard.EBCDIC, mastercard.ASCII} {
		d, request := mastercard.New(text), sale(t)
		var answer, back scheme.Message
		answer.ResponseTo(&request, "00")
		answer.Trace = "MCC123456ABC"
		for _, m := range []scheme.Message{answer, func() scheme.Message { m := request; m.Trace = answer.Trace; return m }()} {
			b, err := d.Encode(nil, &m, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Decode(b, &back); err != nil || back.Trace != answer.Trace {
				t.Errorf("%v: %q %v", m, back.Trace, err)
			}
		}
		request.Trace = "MCC"
		if _, err := d.Encode(nil, &request, nil); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("a trace of 3 characters: %v", err)
		}
	}
}

// TestDE48: what others put there does not disturb; what is no element is refused.
func TestDE48(t *testing.T) {
	d, m := mastercard.New(mastercard.ASCII), sale(t)
	whole, err := d.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for elements, want := range map[string]bool{
		"R" + "610500001": true, "T" + "420701032" + "10": true, "R": true, "R" + "9900" + "6105" + "12345": true,
		"R6105": false, "R61": false, "R6105123": false, "Rxx05": false, "R61-1": false, "R6105000016": false,
	} {
		size := string([]byte{'0', '0' + byte(len(elements)/10), '0' + byte(len(elements)%10)})
		b := bytes.Replace(whole, []byte("010R610500001"), []byte(size+elements), 1)
		if bytes.Equal(b, whole) && elements != "R610500001" {
			t.Fatal("DE 48 is not where the test looks for it")
		}
		var back scheme.Message
		err := d.Decode(b, &back)
		if want && (err != nil || back.Transaction != scheme.Sale) || !want && !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%q: %v %v", elements, back, err)
		}
		if err != nil && strings.Contains(err.Error(), "xx") {
			t.Errorf("the error shows data: %v", err)
		}
	}
}

// TestKey is subelement 11, written by hand.
func TestKey(t *testing.T) {
	d := mastercard.New(mastercard.ASCII)
	m := scheme.Message{Kind: scheme.Management, Function: scheme.KeyExchange, STAN: 1, Transmission: "0730080000",
		Key: scheme.WorkingKey{Use: scheme.PINKey, Wrapped: bytes.Repeat([]byte{0xAB}, 16), Check: [4]byte{1, 2, 3, 0xFF}}}
	b, err := d.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "0581154" + "PK0000" + strings.Repeat("AB", 16) + "010203FF00000000" + "161"; !strings.HasSuffix(string(b), want) {
		t.Errorf("%q does not end in %q", b, want)
	}
	for from, to := range map[string]string{"PK": "XX", "ABAB": "ABxx", "010203FF": "01020-FF", "1154": "1153"} {
		var back scheme.Message
		if err := d.Decode(bytes.Replace(b, []byte(from), []byte(to), 1), &back); !errors.Is(err, iso8583.ErrFormat) || back.Kind != 0 {
			t.Errorf("%s for %s: %v", to, from, err)
		}
	}
}

// TestFunctions: a sign-on for a group is a sign-on.
func TestFunctions(t *testing.T) {
	d := mastercard.New(mastercard.ASCII)
	m := scheme.Message{Kind: scheme.Management, Function: scheme.SignOn, STAN: 1}
	b, err := d.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]scheme.Function{
		"001": scheme.SignOn, "061": scheme.SignOn, "002": scheme.SignOff, "062": scheme.SignOff, "270": scheme.Echo, "161": scheme.KeyExchange, "363": scheme.CutOver, "999": 0,
	} {
		var back scheme.Message
		if err := d.Decode(append(b[:len(b)-3:len(b)-3], code...), &back); err != nil || back.Kind != scheme.Management || back.Function != want {
			t.Errorf("%s: %v %v", code, back, err)
		}
	}
}

// TestCodes: what Mastercard's own codes mean for the flow.
func TestCodes(t *testing.T) {
	d := mastercard.New(mastercard.ASCII)
	for code, want := range map[string]iso8583.Class{
		"00": iso8583.Approved, "08": iso8583.Approved, "85": iso8583.Approved, "05": iso8583.Declined, "10": iso8583.Declined, "87": iso8583.Declined, // in part: we never ask for it
		"55": iso8583.Retry, "43": iso8583.PickUp, "91": iso8583.Technical, "88": iso8583.Technical, "94": iso8583.Technical,
	} {
		m := sale(t)
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
			t.Errorf("%s is %s, as %s; want %s", code, back.Code, r.Class, want)
		}
	}
}

// TestReasons: DE 39 of a reversal.
func TestReasons(t *testing.T) {
	d := mastercard.New(mastercard.ASCII)
	for reason, want := range map[scheme.Reason]string{scheme.NoReply: "68", scheme.Fault: "06", scheme.MACError: "06", scheme.Other: "17"} {
		m := sale(t)
		m.Kind, m.Reason = scheme.Reversal, reason
		b, err := d.Encode(nil, &m, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw := iso8583.NewMessage()
		if err := mastercard.Spec.Unpack(b, raw); err != nil || raw.Get(39) != want || raw.MTI() != "0400" {
			t.Errorf("reason %d: %s with %q, want %q, %v", reason, raw.MTI(), raw.Get(39), want, err)
		}
	}
}
