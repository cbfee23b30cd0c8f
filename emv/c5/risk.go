package c5

import (
	"fmt"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// manageRisk is terminal risk management (5.5). A limit is exceeded at the
// amount. What pre-processing found counts as well, so that it can only be stricter. (Ours.)
func (t *tap) manageRisk() *result {
	c, amount, ind := &t.k.Config, t.term.Minor, &t.in.Indicators
	at := func(limit *int64) bool { return limit != nil && amount >= *limit }
	if at(c.TransactionLimit) { // 5.5.1
		return t.selectNext("limits", "the amount is above the reader's limit", 0)
	}
	refund := t.in.Transaction.Type == book3.Refund
	if (at(c.CVMLimit) || ind.CVMRequiredLimitExceeded) && !refund { // 5.5.2
		t.tip[0] |= tip1CVMRequired
	}
	switch {
	case t.legacy, t.term.Kind() == book3.OnlineOnly, // 5.5.3.1
		c.Options&StatusCheck != 0 && amount == book3.Unit(t.in),
		at(c.FloorLimit), ind.FloorLimitExceeded: // 5.5.3.2
		t.term.TVR.Set(book3.FloorLimit)
	}
	if !t.legacy && c.Options&RandomSelection != 0 && c.FloorLimit != nil && !t.term.TVR.Has(book3.FloorLimit) { // 5.5.4
		if err := t.term.Select(c.Random, *c.FloorLimit, t.in.Rand); err != nil {
			return &result{err: fmt.Errorf("kernel 5: %w", err)}
		}
	}
	if !t.legacy && c.Options&ExceptionCheck != 0 { // 5.5.5
		t.term.CheckExceptionFile(t.number, t.card.Value(tag.PSN), c.ExceptionFile)
	}
	return nil
}

// restrict is the processing restrictions (5.6).
func (t *tap) restrict() *result {
	if auc := t.card.Value(tag.AUC); !t.legacy && len(auc) > 0 { // 5.6.1
		country := t.card.Value(tag.JCBCountry)
		if len(country) == 0 {
			country = t.card.Value(tag.IssuerCountry)
		}
		t.term.CheckUsage(auc, country)
	}
	t.term.CheckExpiry(t.card.Value(tag.ExpirationDate)) // 5.6.2
	t.term.CheckEffective(t.card)                        // 5.6.3
	return nil
}

// analyse is terminal action analysis (5.7): which cryptogram to ask for. Where
// it is a denial no card is asked.
func (t *tap) analyse() *result {
	if t.in.Transaction.Type == book3.Refund { // 5.7.1.1
		return t.declined("a refund is not paid by this card")
	}
	iac := func(g tlv.Tag) []byte {
		if t.legacy { // 5.7.1.2: a card in legacy mode has none
			return nil
		}
		return t.card.Value(g)
	}
	tvr, c := t.term.TVR, &t.k.Config
	if tvr.Matches(c.TACDenial, iac(tag.IACDenial), book3.AbsentDenial) { // 5.7.1.4
		return t.declined("terminal action analysis denies it")
	}
	t.asked = book3.TC
	if t.term.Kind() == book3.OfflineOnly {
		if tvr.Matches(c.TACDefault, iac(tag.IACDefault), book3.AbsentOnline) {
			t.asked = book3.AAC
		}
	} else if tvr.Matches(c.TACOnline, iac(tag.IACOnline), book3.AbsentOnline) {
		t.asked = book3.ARQC
	}
	if t.legacy { // 5.10.1.3
		t.asked = book3.ARQC
	}
	return nil
}

// verifyCardholder takes the card's choice, 9F50 (5.8.3). It reports why it can't be done, or "".
func (t *tap) verifyCardholder() string {
	required := t.tip[0]&tip1CVMRequired != 0
	if t.legacy {
		return t.verifyByList(required)
	}
	v := t.card.Value(tag.CVMStatus) // there: see mandatory
	can := func(bit byte) bool { return t.tip[0]&bit != 0 }
	switch status := v[0]; {
	case status == statusNone && required: // 5.8.3.2
		return "the amount needs cardholder verification and the card wants none"
	case status == statusNone:
		t.choose(emv.CVMNone)
	case status == statusSignature && can(TIP1Signature): // 5.8.3.3
		t.choose(emv.CVMSignature)
	case status == statusOnlinePIN && can(TIP1OnlinePIN):
		t.choose(emv.CVMOnlinePIN)
	case status&0xF0 == statusOnDevice && can(TIP1OnDevice):
		t.choose(emv.CVMConfirmed)
	case status == statusSignature, status == statusOnlinePIN, status&0xF0 == statusOnDevice:
		return "the reader can't do the cardholder verification that the card wants"
	default:
		return t.ownPolicy(required)
	}
	return ""
}

// ownPolicy is what is left to the terminal where the card has no preference:
// online PIN, else signature, where one is required. (Ours.)
func (t *tap) ownPolicy(required bool) string {
	switch {
	case !required:
		t.choose(emv.CVMNone)
	case t.tip[0]&TIP1OnlinePIN != 0:
		t.choose(emv.CVMOnlinePIN)
	case t.tip[0]&TIP1Signature != 0:
		t.choose(emv.CVMSignature)
	default:
		return "the amount needs cardholder verification and the reader can do none"
	}
	return ""
}

// verifyByList is cardholder verification in legacy mode (5.10.2): where one is
// required, the first signature or online PIN of the CVM list that the terminal can do.
func (t *tap) verifyByList(required bool) string {
	list, ok := book3.ParseCVMList(t.card.Value(tag.CVMList))
	switch {
	case !required:
		t.choose(emv.CVMNone)
		return ""
	case !ok: // 5.10.2.2
		return t.ownPolicy(required)
	}
	for i := range list.Len() { // 5.10.2.3
		switch r := list.Rule(i); {
		case r.Method() == book3.CVMNone, r.Method() == book3.CVMCipherPIN:
			return "the card offers no cardholder verification that can be done"
		case r.Method() == book3.CVMSignature && t.tip[0]&TIP1Signature != 0:
			t.choose(emv.CVMSignature)
			return ""
		case r.Method() == book3.CVMOnlinePIN && t.tip[0]&TIP1OnlinePIN != 0:
			t.choose(emv.CVMOnlinePIN)
			return ""
		}
	}
	return "the card offers no cardholder verification that can be done" // 5.10.2.4
}

// choose keeps the verification and writes 9F34 (the code for a CDCVM is the one in use for contactless).
func (t *tap) choose(c emv.CVM) {
	t.cvm = c
	switch c {
	case emv.CVMOnlinePIN:
		t.term.SetCVM(book3.CVMOnlinePIN, 0, book3.CVMUnknown)
	case emv.CVMSignature:
		t.term.SetCVM(book3.CVMSignature, 0, book3.CVMUnknown)
	case emv.CVMConfirmed:
		t.term.SetCVM(book3.CVMPlainPIN, 0, book3.CVMSuccessful)
	default:
		t.term.SetCVM(book3.CVMNone, 0, book3.CVMSuccessful)
	}
}
