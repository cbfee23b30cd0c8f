// Package merchant is what the acquirer has agreed with a merchant: today its
// tariff, what each payment costs it. It asks nobody and keeps nothing.
package merchant

import (
	"errors"
	"fmt"

	"huika/acquirer/bin"
	"huika/pay"
)

// Origin is where a card comes from, as the merchant's country sees it.
type Origin string

// Origins.
const (
	Domestic Origin = "domestic"
	Foreign  Origin = "foreign"
)

// PerMillion is the unit of a rate: 6000 is 0.6 %.
const PerMillion = 1_000_000

// Row is one line of a tariff. Empty Product or Origin match any.
type Row struct {
	Name    string
	Product bin.Product
	Origin  Origin
	Rate    int64 // parts per million of the amount
	Min     int64 // fen; at least this much
	Cap     int64 // fen; at most this much; 0: no cap
}

// Tariff is a merchant's prices: the first row that matches counts.
type Tariff struct {
	Country uint16 // ISO 3166 numeric, of the merchant
	Rows    []Row
}

// ErrTariff is wrapped by Check's errors.
var ErrTariff = errors.New("tariff")

// Check finds rows that can't be meant, and names them.
func (t Tariff) Check() error {
	for i, r := range t.Rows {
		switch {
		case r.Name == "":
			return fmt.Errorf("%w: row %d has no name", ErrTariff, i+1)
		case r.Rate < 0 || r.Rate > PerMillion:
			return fmt.Errorf("%w: %s: rate %d: want 0 to %d parts per million", ErrTariff, r.Name, r.Rate, PerMillion)
		case r.Min < 0 || r.Cap < 0 || r.Cap > 0 && r.Cap < r.Min:
			return fmt.Errorf("%w: %s: want 0 <= min <= cap", ErrTariff, r.Name)
		case r.Origin != "" && r.Origin != Domestic && r.Origin != Foreign:
			return fmt.Errorf("%w: %s: origin %q: want domestic or foreign", ErrTariff, r.Name, r.Origin)
		}
	}
	return nil
}

// Fee is what an amount on a card costs, in the amount's minor units, and the
// name of the row that says so; 0 and "" where no row matches. Rounding: half
// up (away from zero), once, on the rate's product; then the minimum, the cap,
// and never more than the amount itself.
func (t Tariff) Fee(card bin.Range, amount pay.Money) (int64, string) {
	origin := Domestic
	if card.Country != t.Country {
		origin = Foreign
	}
	for _, r := range t.Rows {
		if r.Product != "" && r.Product != card.Product || r.Origin != "" && r.Origin != origin {
			continue
		}
		fee := max(pay.RoundHalfUp(amount.Minor, r.Rate, PerMillion), r.Min)
		if r.Cap > 0 {
			fee = min(fee, r.Cap)
		}
		return min(fee, amount.Minor), r.Name
	}
	return 0, ""
}
