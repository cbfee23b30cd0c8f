package jcb_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"huika/iso8583/jcb"
	"huika/iso8583/scheme"
	"huika/pay"
)

// TestWire is the layout of a reversal, written by hand.
func TestWire(t *testing.T) {
	pan, err := pay.ParsePAN("3540599999991047")
	if err != nil {
		t.Fatal(err)
	}
	m := scheme.Message{
		Kind: scheme.Reversal, Transaction: scheme.CompletionAdvice, Reason: scheme.MACError, PAN: pan, Amount: pay.Money{Minor: 8880, Currency: pay.JPY},
		Transmission: "0730142501", STAN: 18, Local: "260730232501", Acquirer: "4802", Entry: scheme.Contactless, PINEntry: scheme.PINNo,
		Terminal: "T1", Merchant: "M1", Place: scheme.Place{Name: "SHOP", City: "TOKYO", Country: "JP"},
		Original: scheme.Original{Transaction: scheme.CompletionAdvice, STAN: 17, Transmission: "0730142500", Acquirer: "4802", Forwarder: "1"},
	}
	want := "163540599999991047" + "000000" + "000000008880" + "0730142501" + "000018" + "232501" + "0730" + "392" + "072" + "06" + "044802" + "A0" +
		"T1      " + "M1             " + "SHOP" + strings.Repeat(" ", 21) + "TOKYO" + strings.Repeat(" ", 8) + "JP" + "392" +
		"0220" + "000017" + "0730142500" + "00000004802" + "00000000001"
	want, err = charmap.CodePage1047.NewEncoder().String(want)
	if err != nil {
		t.Fatal(err)
	}
	want = "\xF0\xF4\xF2\xF0" + "\xF2\x38\x24\x81\x02\xE0\x80\x00" + "\x00\x00\x00\x40\x00\x00\x00\x00" + want
	got, err := jcb.Dialect.Encode(nil, &m, nil)
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %x\nwant %x", err, got, want)
	}
	var back scheme.Message
	if err := jcb.Dialect.Decode(got, &back); err != nil || back.Transaction != m.Transaction || back.Original != m.Original || back.Reason != m.Reason {
		t.Errorf("%v %+v %v", back, back.Original, err)
	}
}
