package discover_test

import (
	"strings"
	"testing"

	"huika/iso8583"
	"huika/iso8583/discover"
	"huika/iso8583/scheme"
	"huika/pay"
)

// TestWire is the layout, written by hand.
func TestWire(t *testing.T) {
	pan, err := pay.ParsePAN("36259600000004")
	if err != nil {
		t.Fatal(err)
	}
	m := scheme.Message{
		Kind: scheme.Payment, Transaction: scheme.PreAuth, PAN: pan, Amount: pay.Money{Minor: 8880, Currency: pay.USD},
		Transmission: "0730142501", STAN: 17, Local: "260730102501", Acquirer: "4802", Entry: scheme.Contactless, PINEntry: scheme.PINNo,
		Trace: "123456789012345", Place: scheme.Place{Name: "SHOP", City: "AUSTIN", Country: "US"}, ICC: []byte{0x9F, 0x36, 2, 0, 0x17},
	}
	want := "0100" + "\x72\x38\x24\x81\x00\x20\x82\x0C" +
		"1436259600000004" + "000000" + "000000008880" + "0730142501" + "000017" + "102501" + "0730" + "840" + "072" + "00" + "044802" +
		"SHOP" + strings.Repeat(" ", 21) + "AUSTIN" + strings.Repeat(" ", 7) + "US" + "840" + "005\x9F\x36\x02\x00\x17" +
		"013" + "0000004009000" + "015" + "123456789012345"
	got, err := discover.Dialect.Encode(nil, &m, nil)
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	// An answer without F61 is one all the same: its request knows what was asked.
	var answer, back scheme.Message
	answer.ResponseTo(&m, "00")
	answer.SchemeCode = "08"
	b, err := discover.Dialect.Encode(nil, &answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw := iso8583.NewMessage()
	if err := discover.Spec.Unpack(b, raw); err != nil {
		t.Fatal(err)
	}
	raw.Unset(61)
	if b, err = discover.Spec.Pack(nil, raw); err != nil {
		t.Fatal(err)
	}
	if err := discover.Dialect.Decode(b, &back); err != nil || back.Kind != scheme.Payment || back.Code != "00" || back.SchemeCode != "08" ||
		discover.Dialect.Key(&back) != discover.Dialect.Key(&m) {
		t.Errorf("%v %v", back, err)
	}
}
