package wire_test

import (
	"testing"

	"huika/acquirer/payment"
	"huika/httpapi/wire"
	"huika/pay"
)

func TestRefsComeBack(t *testing.T) {
	for _, k := range []payment.Key{
		{Merchant: "104310048160001", Terminal: "HK000001", Batch: "000001", STAN: 1, Kind: payment.Sale},
		{Merchant: "a/b c=é", Terminal: "", Batch: "A0zzzz", STAN: 999_999, Kind: payment.Settlement},
	} {
		if got, err := wire.ParseRef(wire.Ref(k)); err != nil || got != k {
			t.Errorf("%v came back as %v: %v", k, got, err)
		}
	}
	for _, bad := range []string{"", "x", "!!", wire.Ref(payment.Key{})[:4], "MTA0MzE"} {
		if k, err := wire.ParseRef(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, k)
		}
	}
}

func TestWords(t *testing.T) {
	for _, r := range payment.Rules {
		if k, ok := wire.ParseKind(wire.Kind(r.Kind)); !ok || k != r.Kind {
			t.Errorf("%s is written %q", r.Name, wire.Kind(r.Kind))
		}
	}
	for s := payment.Admitted; s <= payment.Abandoned; s++ {
		if got, ok := wire.ParseState(s.String()); !ok || got != s {
			t.Errorf("%v does not come back", s)
		}
	}
	if wire.Kind(0) != "" || wire.Kind(99) != "" {
		t.Error("an unknown kind has a word")
	}
	if got := wire.Amount(-8880, pay.CNY); got != (wire.Money{Amount: "-88.80", Currency: "CNY"}) {
		t.Errorf("%+v", got)
	}
}
