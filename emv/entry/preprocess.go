package entry

import (
	"slices"

	"huika/emv"
)

// TTQ bits that pre-processing reads and sets.
const (
	ttq1OfflineOnly      = 0x08
	ttq2OnlineCryptogram = 0x80
	ttq2CVMRequired      = 0x40
)

// Preprocess works out the indicators of one combination for tx: Book B
// 3.1.1.1 to 3.1.1.12. It is exported for configuration screens and tests;
// Run applies it to every combination of the transaction's type.
func Preprocess(c *Combination, tx emv.Transaction) emv.Indicators {
	amount := tx.Amount.Minor
	var in emv.Indicators // 3.1.1.1
	if c.TTQ != nil {     // 3.1.1.2
		in.TTQ, in.HasTTQ = *c.TTQ, true
		in.TTQ[1] &^= ttq2OnlineCryptogram | ttq2CVMRequired
	}
	if c.StatusCheck && amount == unit(tx) { // 3.1.1.3
		in.StatusCheckRequested = true
	}
	if amount == 0 { // 3.1.1.4
		if c.ZeroAmount == ZeroAmountNotAllowed {
			in.NotAllowed = true
		} else {
			in.ZeroAmount = true
		}
	}
	if c.TransactionLimit != nil && amount >= *c.TransactionLimit { // 3.1.1.5
		in.NotAllowed = true
	}
	floor := c.FloorLimit // 3.1.1.6
	if floor == nil {
		floor = c.TerminalFloorLimit // 3.1.1.7
	}
	if floor != nil && amount > *floor {
		in.FloorLimitExceeded = true
	}
	if c.CVMLimit != nil && amount >= *c.CVMLimit { // 3.1.1.8
		in.CVMRequiredLimitExceeded = true
	}
	if !in.HasTTQ {
		return in
	}
	if in.FloorLimitExceeded || in.StatusCheckRequested { // 3.1.1.9, 3.1.1.10
		in.TTQ[1] |= ttq2OnlineCryptogram
	}
	if in.ZeroAmount { // 3.1.1.11
		if in.TTQ[0]&ttq1OfflineOnly != 0 {
			in.NotAllowed = true
		} else {
			in.TTQ[1] |= ttq2OnlineCryptogram
		}
	}
	if in.CVMRequiredLimitExceeded { // 3.1.1.12
		in.TTQ[1] |= ttq2CVMRequired
	}
	return in
}

// unit is one single unit of the transaction's currency in its minor unit: 100 for CNY, 1 for JPY.
func unit(tx emv.Transaction) int64 {
	u := int64(1)
	for range tx.Amount.Currency.Exponent() {
		u *= 10
	}
	return u
}

// supports reports whether the combination is configured for the transaction type.
func (c *Combination) supports(txType byte) bool {
	return len(c.Types) == 0 || slices.Contains(c.Types, txType)
}

// autorunIndicators are those of start B without pre-processing: the TTQ as configured (Book B 3.2.1.1).
func autorunIndicators(c *Combination) emv.Indicators {
	var in emv.Indicators
	if c.TTQ != nil {
		in.TTQ, in.HasTTQ = *c.TTQ, true
	}
	return in
}

// unsupported marks combinations that are not configured for the transaction's type.
var unsupported = emv.Indicators{NotAllowed: true}
