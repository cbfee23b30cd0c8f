package c6

import (
	"huika/emv"
	"huika/emv/book3"
)

// verifyCardholder picks the cardholder verification by TTQ and CPR (figure 19):
// online PIN, signature (or in its stead where the PIN can't be done and the card
// allows that), the consumer device, no CVM where the card allows it; else
// another interface, or the end.
func (t *tap) verifyCardholder() *result {
	required := t.cvmRequired()
	t.cvm = emv.CVMNone
	if !required && t.cpr[0]&(cpr1OnlinePIN|cpr1Signature) == 0 { // 19.1, 19.2
		return nil
	}
	t.term.TSI[0] |= book3.TSICVM // 19.3
	signature := t.ttq[0]&ttq1Signature != 0
	switch {
	case t.cpr[0]&cpr1OnlinePIN != 0: // 19.4
		if t.ttq[0]&ttq1OnlinePIN != 0 && t.mayGoOnline() { // 19.6
			t.term.TVR.Set(book3.OnlinePINEntered) // 19.9
			t.cvm = emv.CVMOnlinePIN
			return nil
		}
		if t.cpr[1]&cpr2FallbackSign != 0 && signature { // 19.7, 19.8
			t.cvm = emv.CVMSignature
			return nil
		}
	case t.cpr[0]&cpr1Signature != 0 && signature: // 19.5, 19.8
		t.cvm = emv.CVMSignature
		return nil
	}
	if t.ttq[2]&ttq3CDCVM != 0 && t.cpr[0]&cpr1CDCVM != 0 { // 19.10, 19.12
		return t.verifyDevice()
	}
	if t.mayFallBack() { // 19.11
		return nil
	}
	if t.ttq[0]&ttq1Chip != 0 { // 19.13
		return t.tryAnother("no cardholder verification can be done here", 0)
	}
	return t.end("cvm", "cardholder verification", "no cardholder verification can be done here", 0)
}

// verifyDevice believes the consumer device by the CVR, which stands under the cryptogram (figure 20).
func (t *tap) verifyDevice() *result {
	switch {
	case t.cvr[1]&cvr2VerifyFail == 0 && t.cvr[1]&cvr2Verified != 0: // 20.1, 20.3
		t.cvm = emv.CVMConfirmed
	case t.cpr[1]&cpr2FallbackSign != 0 && t.ttq[0]&ttq1Signature != 0: // 20.2, 20.6
		t.cvm = emv.CVMSignature
	case t.mayFallBack(): // 20.4
	default: // 20.5
		t.term.TVR.Set(book3.CVMFailed)
		return t.end("cvm", "cardholder verification", "the device did not verify its holder", 0)
	}
	return nil
}

// mayFallBack: the card allows no CVM at all and so does the terminal (CL TAS-002, updates 23a and 23b).
func (t *tap) mayFallBack() bool {
	return t.cpr[1]&cpr2FallbackNone != 0 && t.term.Capabilities[1]&cap2NoCVM != 0
}

// cvmRequired is the terminal's own rule: the TTQ, pre-processing or the
// configured limit. Nothing that was changed on the way to the card can lift it.
func (t *tap) cvmRequired() bool {
	limit := t.k.CVMLimit
	return t.ttq[1]&ttq2CVMRequired != 0 || t.in.Indicators.CVMRequiredLimitExceeded || (limit != nil && t.term.Minor >= *limit)
}

// mayGoOnline: the reader is not offline-only.
func (t *tap) mayGoOnline() bool { return t.ttq[0]&ttq1OfflineOnly == 0 }

// cvmResults is 9F34: method, condition, result (EMV Book 4, annex A4). The
// codes for a CDCVM and for none are those in use for contactless, unverified.
func cvmResults(c emv.CVM) [3]byte {
	switch c {
	case emv.CVMOnlinePIN:
		return [3]byte{book3.CVMOnlinePIN, 0x00, book3.CVMUnknown}
	case emv.CVMSignature:
		return [3]byte{book3.CVMSignature, 0x00, book3.CVMUnknown}
	case emv.CVMConfirmed:
		return [3]byte{book3.CVMPlainPIN, 0x00, book3.CVMSuccessful}
	}
	return [3]byte{book3.CVMNone, 0x00, book3.CVMSuccessful}
}
