package c3

import (
	"huika/emv"
	"huika/emv/tag"
)

// verifyCardholder picks the cardholder verification (5.7). Where the card gives
// no CTQ the reader decides by itself: signature, else online PIN (5.7.1.1). With
// a CTQ it is online PIN, then consumer device, then signature, as far as the card
// asks for it and the reader has it (5.7.1.2). Where a CVM is required and none
// is left, the transaction is declined (5.7.1.3).
func (t *tap) verifyCardholder(c *Config) (emv.Outcome, bool) {
	required := t.cvmRequired(c)
	ttq := t.term.ttq
	pin := ttq[0]&ttq1OnlinePIN != 0 && t.mayGoOnline()
	signature := ttq[0]&ttq1Signature != 0
	t.cvm = emv.CVMNone
	switch {
	case !t.hasCTQ && !required:
	case !t.hasCTQ && signature:
		t.cvm = emv.CVMSignature
	case !t.hasCTQ && pin:
		t.cvm = emv.CVMOnlinePIN
	case t.ctq[0]&ctq1OnlinePIN != 0 && pin:
		t.cvm = emv.CVMOnlinePIN
	case t.ctq[1]&ctq2CDCVM != 0 && t.mayBelieveCDCVM(c):
		if !t.cdcvmHolds() {
			return t.declined("the card's claim of a device verification does not hold"), true
		}
		t.cvm = emv.CVMConfirmed
	case t.ctq[0]&ctq1Signature != 0 && signature:
		t.cvm = emv.CVMSignature
	case required:
		return t.declined("the amount needs cardholder verification and the card offers none that can be done"), true
	}
	if t.cvm == emv.CVMOnlinePIN {
		t.goOnline = true
	}
	return emv.Outcome{}, false
}

// cvmRequired is the terminal's own rule. Nothing that the card says, or that
// was changed on the way to the card, can lift it.
func (t *tap) cvmRequired(c *Config) bool {
	return t.term.ttq[1]&ttq2CVMRequired != 0 || t.ind.CVMRequiredLimitExceeded ||
		(c.CVMLimit != nil && t.in.Transaction.Amount.Minor >= *c.CVMLimit)
}

// mayBelieveCDCVM: with StrictCDCVM a claim that no signature stands behind is
// passed over, as if the card had not made it.
func (t *tap) mayBelieveCDCVM(c *Config) bool { return !c.StrictCDCVM || t.oda == emv.ODAfDDA }

// cdcvmHolds: the CTQ equals its copy in 9F69; without 9F69 the claim holds with
// an ARQC only, where the issuer can compare it with what the cryptogram says.
func (t *tap) cdcvmHolds() bool {
	if _, given := t.card.get(tag.CardAuthData); !given {
		return t.crypto == arqc
	}
	copied, ok := t.copiedCTQ()
	return ok && copied == t.ctq
}

// cvmResults is 9F34: method, condition, result (EMV Book 4, annex A4). The
// codes for a CDCVM and for none are those in use for contactless, unverified.
func cvmResults(c emv.CVM) [3]byte {
	switch c {
	case emv.CVMOnlinePIN:
		return [3]byte{0x02, 0x00, 0x00} // enciphered PIN verified online, result unknown
	case emv.CVMSignature:
		return [3]byte{0x1E, 0x00, 0x00} // signature, result unknown
	case emv.CVMConfirmed:
		return [3]byte{0x01, 0x00, 0x02} // verified by the device, successful
	}
	return [3]byte{0x1F, 0x00, 0x02} // no CVM required
}
