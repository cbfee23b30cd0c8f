package merchant_test

import (
	"errors"
	"testing"

	"huika/acquirer/bin"
	"huika/acquirer/merchant"
	"huika/pay"
)

var tariff = merchant.Tariff{Country: 156, Rows: []merchant.Row{
	{Name: "foreign", Origin: merchant.Foreign, Rate: 18_000, Min: 100},
	{Name: "debit", Product: bin.Debit, Rate: 5_000, Cap: 2_000},
	{Name: "credit", Product: bin.Credit, Rate: 6_000},
}}

func TestFee(t *testing.T) {
	if err := tariff.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		product bin.Product
		country uint16
		fen     int64
		fee     int64
		row     string
	}{
		{bin.Debit, 156, 8880, 44, "debit"},        // 44.4
		{bin.Debit, 156, 8900, 45, "debit"},        // 44.5: half goes up
		{bin.Debit, 156, 400_000, 2000, "debit"},   // the cap, exactly
		{bin.Debit, 156, 9_999_999, 2000, "debit"}, // and beyond it
		{bin.Credit, 156, 8880, 53, "credit"},      // 53.28
		{bin.Credit, 156, 1, 0, "credit"},
		{bin.Credit, 840, 8880, 160, "foreign"}, // 159.84
		{bin.Debit, 840, 1000, 100, "foreign"},  // the minimum
		{bin.Debit, 840, 60, 60, "foreign"},     // never more than the amount
		{bin.Prepaid, 156, 8880, 0, ""},
	} {
		fee, row := tariff.Fee(bin.Range{Product: c.product, Country: c.country}, pay.Fen(c.fen))
		if fee != c.fee || row != c.row {
			t.Errorf("%s of %d, %d fen: %d by %q, want %d by %q", c.product, c.country, c.fen, fee, row, c.fee, c.row)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, r := range map[string]merchant.Row{
		"no name": {Rate: 1}, "negative rate": {Name: "a", Rate: -1}, "more than everything": {Name: "a", Rate: merchant.PerMillion + 1},
		"cap below minimum": {Name: "a", Min: 5, Cap: 4}, "origin": {Name: "a", Origin: "moon"},
	} {
		if err := (merchant.Tariff{Rows: []merchant.Row{r}}).Check(); !errors.Is(err, merchant.ErrTariff) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
