package terminal

import (
	"strconv"

	"huika/iso8583"
)

// shift is the batch as the screen sums it: what was taken less what was given
// back. t.mu is held.
func (t *Terminal) shift(batch string) ShiftView {
	return ShiftView{Batch: batch, Count: t.totals.DebitCount, Refunds: t.totals.CreditCount, Sum: t.money(t.totals.Debits - t.totals.Credits).Decimal()}
}

// balanceOf is the available balance of F54: account type 2, amount type 2,
// currency 3, C or D, amount 12; as a decimal, "" where there is none.
func (t *Terminal) balanceOf(m *iso8583.Message) string {
	const entry = 20
	for s := m.Get(54); len(s) >= entry; s = s[entry:] {
		minor, err := strconv.ParseInt(s[8:20], 10, 64)
		if err != nil || s[2:4] != "02" || s[4:7] != t.cfg.Currency.Numeric() {
			continue
		}
		if s[7] == 'D' {
			minor = -minor
		}
		return t.money(minor).Decimal()
	}
	return ""
}
