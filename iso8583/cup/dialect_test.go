package cup_test

import (
	"bytes"
	"errors"
	"testing"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/scheme"
	"huika/pay"
)

// Behind the seam the bytes are those that this package writes by itself.
func TestDialectWritesTheSame(t *testing.T) {
	mac := cmac(t, "0123456789abcdef")
	pan, err := pay.ParsePAN("6228480000000001117")
	if err != nil {
		t.Fatal(err)
	}
	raw := sale()
	for f, v := range map[int]string{12: "222501", 13: "0730", 22: "072", 25: "00", 37: "073014250117", 49: "156", 55: "\x9F\x36\x02\x00\x17"} {
		raw.Set(f, v)
	}
	m := scheme.Message{
		Kind: scheme.Payment, Transaction: scheme.Sale, PAN: pan, Amount: pay.Fen(8880), Transmission: "0730142501", STAN: 123456,
		Local: "260730222501", Entry: scheme.Contactless, PINEntry: scheme.PINNo, Acquirer: "48021000", RRN: "073014250117",
		Terminal: "12345678", Merchant: "898310000000001", ICC: []byte{0x9F, 0x36, 2, 0, 0x17},
	}
	check := func(what string) {
		t.Helper()
		want, err := cup.Encode(nil, raw, mac)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cup.Dialect.Encode(nil, &m, mac)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", what, err, got, want)
		}
		if cup.CheckMAC(got, mac) != nil || cup.Dialect.CheckMAC(want, mac) != nil {
			t.Errorf("%s: the two check the MAC differently", what)
		}
	}
	check("sale")

	original := cup.Original{MTI: "0200", STAN: "123456", Transmission: "0730142501", Acquirer: "48021000"}
	raw.SetMTI(cup.MTIReversal)
	raw.Set(11, "123457")
	raw.Set(39, "98")
	raw.Set(90, original.String())
	m.Kind, m.STAN, m.Reason = scheme.Reversal, 123457, scheme.NoReply
	m.Original = scheme.Original{Transaction: scheme.Sale, STAN: 123456, Transmission: "0730142501", Acquirer: "48021000"}
	check("reversal")

	raw.Unset(25) // a reversal without it is still of a sale
	b, err := cup.Encode(nil, raw, mac)
	if err != nil {
		t.Fatal(err)
	}
	var back scheme.Message
	if err := cup.Dialect.Decode(b, &back); err != nil || back.Transaction != scheme.Sale || back.Original != m.Original {
		t.Errorf("%v %+v %v", back, back.Original, err)
	}
	if err := cup.Dialect.CheckMAC(b, cmac(t, "another key, 16B")); !errors.Is(err, scheme.ErrMAC) {
		t.Error(err)
	}
	if err := cup.Dialect.Decode(b[:30], &back); !errors.Is(err, iso8583.ErrFormat) || back.Kind != 0 {
		t.Errorf("%v %v", back, err)
	}
}

// A shop's name may be Chinese: GBK is what UnionPay prints.
func TestDialectCarriesGBK(t *testing.T) {
	name := "\xBB\xDD\xBF\xA8" // 惠卡
	m := scheme.Message{Kind: scheme.Payment, Transaction: scheme.Sale, STAN: 1, Place: scheme.Place{Name: name, City: "SHANGHAI", Country: "CN"}}
	b, err := cup.Dialect.Encode(nil, &m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var back scheme.Message
	if err := cup.Dialect.Decode(b, &back); err != nil || back.Place != m.Place {
		t.Errorf("%+v %v", back.Place, err)
	}
}
