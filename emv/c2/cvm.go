package c2

import (
	"bytes"
	"encoding/binary"

	"huika/emv"
	"huika/emv/tag"
)

// CVM codes (EMV Book 3, annex C3), without b7.
const (
	cvmFail      = 0x00
	cvmPlainPIN  = 0x01
	cvmOnline    = 0x02
	cvmPINSign   = 0x03
	cvmCipherPIN = 0x04
	cvmCipherAnd = 0x05
	cvmSign      = 0x1E
	cvmNone      = 0x1F
	cvmNoCVM     = 0x3F // no CVM performed
	cvmNext      = 0x40 // apply the next rule where this CVM is not successful
)

// Byte 2 of 9F33: what the terminal can do about the cardholder.
const (
	cap2PlainPIN  = 0x80
	cap2Online    = 0x40
	cap2Sign      = 0x20
	cap2CipherPIN = 0x10
	cap2NoCVM     = 0x08
)

// Results, byte 3 of 9F34.
const (
	cvmUnknown    = 0x00
	cvmFailed     = 0x01
	cvmSuccessful = 0x02
)

// verifyCardholder is CVM selection, and the floor limit after it (S456.36 to S456.38).
func (t *tap) verifyCardholder() *result {
	t.selectCVM()
	if t.exceeds(t.k.FloorLimit, t.in.Indicators.FloorLimitExceeded) {
		t.term.tvr[3] |= tvr4FloorLimit
	}
	return nil
}

func (t *tap) chose(c emv.CVM, method, condition, outcome byte) {
	t.cvm, t.term.cvmResults = c, [3]byte{method, condition, outcome}
}

// selectCVM is the procedure CVM.
func (t *tap) selectCVM() {
	if t.onDevice { // CVM.1
		if t.aboveCVMLimit() {
			t.chose(emv.CVMConfirmed, cvmPlainPIN, 0x00, cvmSuccessful) // CVM.4
		} else {
			t.chose(emv.CVMNone, cvmNoCVM, 0x00, cvmSuccessful) // CVM.3
		}
		return
	}
	if t.aip[0]&aip1CVM == 0 {
		t.chose(emv.CVMNone, cvmNoCVM, 0x00, cvmUnknown) // CVM.6
		return
	}
	list := t.card.value(tag.CVMList)
	if len(list) < 10 {
		t.chose(emv.CVMNone, cvmNoCVM, 0x00, cvmUnknown) // CVM.8
		t.term.tvr[0] |= tvr1ICCDataMissing
		return
	}
	for rules := list[8:]; len(rules) >= 2; rules = rules[2:] {
		code, condition := rules[0], rules[1]
		last := len(rules) < 4
		if !t.conditionHolds(code, condition, list) { // CVM.10 to CVM.12
			if last {
				t.chose(emv.CVMNone, cvmNoCVM, 0x00, cvmFailed) // CVM.14
				t.term.tvr[2] |= tvr3CVMFailed
			}
			continue
		}
		if !recognised(code) {
			t.term.tvr[2] |= tvr3UnrecognisedCVM // CVM.16
		} else if t.canDo(code) && code&0x3F != cvmFail {
			t.perform(code, condition) // CVM.18
			return
		}
		if code&cvmNext == 0 || last { // CVM.19, CVM.20
			t.failed(code, condition)
			return
		}
	}
}

// perform is CVM.18. PINs that the card checks can't be done without contacts: Book C-2
// leaves their outcome to the implementation; ours is that no CVM has been done.
func (t *tap) perform(code, condition byte) {
	switch code & 0x3F {
	case cvmOnline:
		t.chose(emv.CVMOnlinePIN, code, condition, cvmUnknown)
		t.term.tvr[2] |= tvr3OnlinePIN
	case cvmSign:
		t.chose(emv.CVMSignature, code, condition, cvmUnknown)
		t.receipt = true
	case cvmNone:
		t.chose(emv.CVMNone, code, condition, cvmSuccessful)
	default:
		t.failed(code, condition)
	}
}

// failed is CVM.22 to CVM.25.
func (t *tap) failed(code, condition byte) {
	t.term.tvr[2] |= tvr3CVMFailed
	if code&0x3F == cvmFail {
		t.chose(emv.CVMNone, code, condition, cvmFailed)
		return
	}
	t.chose(emv.CVMNone, cvmNoCVM, 0x00, cvmFailed)
}

func recognised(code byte) bool {
	switch code & 0xBF {
	case cvmFail, cvmPlainPIN, cvmOnline, cvmPINSign, cvmCipherPIN, cvmCipherAnd, cvmSign, cvmNone:
		return true
	}
	return false
}

// canDo: terminal capabilities have the method.
func (t *tap) canDo(code byte) bool {
	var bit byte
	switch code & 0xBF {
	case cvmFail:
		return true
	case cvmPlainPIN, cvmPINSign:
		bit = cap2PlainPIN
	case cvmOnline:
		bit = cap2Online
	case cvmSign:
		bit = cap2Sign
	case cvmCipherPIN, cvmCipherAnd:
		bit = cap2CipherPIN
	case cvmNone:
		bit = cap2NoCVM
	}
	return t.term.capabilities[1]&bit != 0
}

// conditionHolds is CVM.10 to CVM.12: understood, its data there, satisfied (EMV Book 3, annex C3).
func (t *tap) conditionHolds(code, condition byte, list []byte) bool {
	tx := t.term.txType[0]
	unattended := t.term.termType[0]&0x0F >= 4
	switch condition {
	case 0x00:
		return true
	case 0x01: // unattended cash
		return tx == typeCash && unattended
	case 0x02: // neither cash nor cashback
		return tx != typeCash && tx != typeDisbursement && tx != typeCashback
	case 0x03:
		return t.canDo(code)
	case 0x04: // manual cash
		return (tx == typeCash || tx == typeDisbursement) && !unattended
	case 0x05:
		return tx == typeCashback
	case 0x06, 0x07, 0x08, 0x09:
		currency := t.card.value(tag.ApplicationCurrency)
		if !bytes.Equal(currency, t.term.currency[:]) {
			return false
		}
		limit := int64(binary.BigEndian.Uint32(list[0:4])) // X
		if condition >= 0x08 {
			limit = int64(binary.BigEndian.Uint32(list[4:8])) // Y
		}
		return (t.term.minor > limit) == (condition == 0x07 || condition == 0x09)
	}
	return false
}
