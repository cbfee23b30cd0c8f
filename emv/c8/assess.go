package c8

import (
	"bytes"

	"huika/emv"
	"huika/emv/tag"
)

// assess is what the kernel finds before GENERATE AC (202122232425.7 to .21):
// limits, CVM capability, AID, whether local authentication will be done, and
// the first terminal action analysis.
func (t *tap) assess() *result {
	capability := t.k.CVMNotRequired // .11
	if t.cvmLimitExceeded() {
		t.receipt = true               // .8
		capability = t.k.CVMRequired   // .9
		t.term.risk[1] |= riskCVMLimit // .10
	}
	t.term.capabilities[1] = capability
	t.term.risk[0] = capability // .12
	if t.term.minor > t.k.FloorLimit || t.in.Indicators.FloorLimitExceeded {
		t.term.tvr[3] |= tvr4FloorLimit // .15
	}
	if !bytes.HasPrefix(t.card.value(tag.DFName), t.in.AID) {
		t.term.tvr[4] |= tvr5AIDMismatch // .17
	}
	if !t.wantLocal() {
		t.term.tvr[0] |= tvr1LocalNotDone // .20
	}
	t.decision = t.analyse(t.wantLocal())
	return nil
}

const riskCVMLimit = 0x80 // 9F1D byte 2: CVM limit exceeded

// cvmLimitExceeded: Entry Point's own limit counts too.
func (t *tap) cvmLimitExceeded() bool {
	return t.term.minor > t.k.CVMLimit || t.in.Indicators.CVMRequiredLimitExceeded
}

// wantLocal: both sides do local authentication.
func (t *tap) wantLocal() bool {
	return t.k.Security&LocalAuthentication != 0 && t.aip[0]&aip1Local != 0
}

// onlineOnly and offlineOnly are terminal types (9F35; EMV Book 4, A1).
func (t *tap) onlineOnly() bool {
	switch t.term.termType[0] {
	case 0x11, 0x21, 0x14, 0x24, 0x34:
		return true
	}
	return false
}

func (t *tap) offlineOnly() bool {
	switch t.term.termType[0] {
	case 0x13, 0x23, 0x16, 0x26, 0x36:
		return true
	}
	return false
}

// analyse is terminal action analysis (TAA.1 to TAA.6). Nothing is accepted
// offline without the card's local authentication, whatever the action codes
// say: anybody can open a channel and send a TC. The same goes for a card whose
// CDOL1 local authentication does not cover: who changes it on its way has the
// terminal send the card another amount than it shows. (Both are ours.)
func (t *tap) analyse(local bool) cryptogram {
	for i, b := range t.term.tvr {
		if b&t.k.TACDenial[i] != 0 {
			return aac // TAA.1
		}
	}
	online := t.aip[1]&aip2Offline == 0 || !local // TAA.4, TAA.5
	switch {
	case t.onlineOnly():
		return arqc // TAA.2
	case t.offlineOnly() && online:
		return aac // TAA.5
	case t.offlineOnly():
		return tc
	}
	for i, b := range t.term.tvr {
		online = online || b&t.k.TACOnline[i] != 0 // TAA.6
	}
	if online {
		return arqc
	}
	return tc
}

// Cardholder verification decisions, 9F8102 (A.1.25).
const (
	cvdNone      = 0x00
	cvdSignature = 0x01
	cvdOnlinePIN = 0x02
	cvdOnDevice  = 0x03
	cvdNA        = 0x0F
	cvdFailed    = 0xFF
)

// verifyCardholder takes over the card's decision where the terminal has what it asks for (29.25 to 29.42).
func (t *tap) verifyCardholder() {
	can := t.term.risk[0]
	fail := func() {
		t.term.cvmResults = [3]byte{0x3F, 0x00, 0x01} // 29.26, 29.41
		t.term.tvr[2] |= tvr3CVMFailed
	}
	switch decision := t.card.value(tag.CVDecision)[0]; {
	case decision == cvdNone && can&CVMNone != 0:
		t.cvm, t.term.cvmResults = emv.CVMNone, [3]byte{0x1F, 0x00, 0x02} // 29.28
	case decision == cvdSignature && can&CVMSignature != 0:
		t.cvm, t.term.cvmResults = emv.CVMSignature, [3]byte{0x1E, 0x00, 0x00} // 29.30
		t.receipt = true                                                       // a signature needs paper (ours)
	case decision == cvdOnDevice && can&CVMOnDevice != 0 && (t.oda == emv.ODALocal || !t.k.StrictCDCVM):
		t.cvm, t.term.cvmResults = emv.CVMConfirmed, [3]byte{0x01, 0x00, 0x02} // 29.32
	case decision == cvdNA && !t.cvmLimitExceeded(): // above the limit the book takes it too (ours)
		t.term.cvmResults = [3]byte{0x3F, 0x00, 0x00} // 29.34
	case decision == cvdOnlinePIN && can&CVMOnlinePIN != 0:
		t.cvm, t.term.cvmResults = emv.CVMOnlinePIN, [3]byte{0x02, 0x00, 0x00} // 29.42
		t.term.tvr[2] |= tvr3OnlineCVM
	default:
		fail()
	}
}
