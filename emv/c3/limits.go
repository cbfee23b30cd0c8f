package c3

import (
	"bytes"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// LimitSet is one set of dynamic reader limits. nil limits are not configured;
// a limit means what it means in pre-processing (Book B 3.1.1): the transaction
// limit and the CVM limit bind at the amount, the floor limit above it.
type LimitSet struct {
	ProgramID            []byte // the card's 9F5A begins with it; 1 to 16 bytes
	TransactionLimit     *int64
	FloorLimit           *int64
	CVMLimit             *int64
	StatusCheck          bool // one single unit of currency asks for the online cryptogram
	ZeroAmountNotAllowed bool // an amount of zero is not taken; else it asks for the online cryptogram
}

// dynamicLimits puts the limit set that the card's application program
// identifier names in the place of pre-processing's result. A card without
// 9F5A, and one that no set knows, keeps what pre-processing found. That an
// amount beyond the set's limits leads to Select Next is by public description, unverified.
func (t *tap) dynamicLimits(c *Config) (emv.Outcome, bool) {
	if len(c.LimitSets) == 0 {
		return emv.Outcome{}, false
	}
	id, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary, tag.ApplicationProgramID)
	if !ok {
		return emv.Outcome{}, false
	}
	for i := range c.LimitSets {
		s := &c.LimitSets[i]
		if len(s.ProgramID) == 0 || !bytes.HasPrefix(id, s.ProgramID) {
			continue
		}
		if !s.apply(&t.ind, t.in.Transaction) {
			return selectNext("the amount is beyond the limits of the card's program", 0), true
		}
		t.term.ttq = t.ind.TTQ
		return emv.Outcome{}, false
	}
	return emv.Outcome{}, false
}

// apply is Book B 3.1.1 over one set; false: the application is not allowed.
func (s *LimitSet) apply(in *emv.Indicators, tx emv.Transaction) bool {
	amount := tx.Amount.Minor
	*in = emv.Indicators{TTQ: in.TTQ, HasTTQ: true}
	in.TTQ[1] &^= ttq2OnlineRequired | ttq2CVMRequired
	unit := int64(1)
	for range tx.Amount.Currency.Exponent() {
		unit *= 10
	}
	in.StatusCheckRequested = s.StatusCheck && amount == unit
	in.ZeroAmount = amount == 0
	in.FloorLimitExceeded = s.FloorLimit != nil && amount > *s.FloorLimit
	in.CVMRequiredLimitExceeded = s.CVMLimit != nil && amount >= *s.CVMLimit
	switch {
	case in.ZeroAmount && (s.ZeroAmountNotAllowed || in.TTQ[0]&ttq1OfflineOnly != 0),
		s.TransactionLimit != nil && amount >= *s.TransactionLimit:
		in.NotAllowed = true
		return false
	}
	if in.StatusCheckRequested || in.ZeroAmount || in.FloorLimitExceeded {
		in.TTQ[1] |= ttq2OnlineRequired
	}
	if in.CVMRequiredLimitExceeded {
		in.TTQ[1] |= ttq2CVMRequired
	}
	return true
}
