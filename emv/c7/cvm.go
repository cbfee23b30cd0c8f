package c7

import (
	"huika/emv"
)

// verifyCardholder picks the cardholder verification from the CTQ. The order
// (online PIN, CDCVM, signature) and the rules without a CTQ are kernel 3's;
// for kernel 7 they are unverified.
func (t *tap) verifyCardholder(c *Config) (emv.Outcome, bool) {
	required := t.cvmRequired(c)
	ttq := t.term.ttq
	t.cvm = emv.CVMNone
	switch {
	case !t.hasCTQ && !required:
	case !t.hasCTQ && ttq[0]&ttq1Signature != 0:
		t.cvm = emv.CVMSignature
	case !t.hasCTQ && ttq[0]&ttq1OnlinePIN != 0 && t.mayGoOnline():
		t.cvm = emv.CVMOnlinePIN
	case t.hasCTQ && t.ctq[0]&ctq1OnlinePIN != 0 && ttq[0]&ttq1OnlinePIN != 0 && t.mayGoOnline():
		t.cvm = emv.CVMOnlinePIN
	case t.hasCTQ && t.ctq[1]&ctq2CDCVM != 0 && t.believeCDCVM():
		t.cvm = emv.CVMConfirmed
	case t.hasCTQ && t.ctq[0]&ctq1Signature != 0 && ttq[0]&ttq1Signature != 0:
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
	return t.term.ttq[1]&ttq2CVMRequired != 0 || t.in.Indicators.CVMRequiredLimitExceeded ||
		(c.CVMLimit != nil && t.in.Transaction.Amount.Minor >= *c.CVMLimit)
}

// believeCDCVM: a claim of consumer device verification counts only where the
// CTQ equals its copy in a verified 9F69, and the terminal supports it.
func (t *tap) believeCDCVM() bool {
	copied, ok := t.signedCTQ()
	return t.oda == emv.ODAfDDA && ok && copied == t.ctq && t.term.ttq[2]&ttq3CDCVMSupported != 0
}

// cvmResults is 9F34: method, condition, result (EMV Book 4, annex A4). The
// codes for a CDCVM and for none are those in use for contactless, unverified for kernel 7.
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
