package book3

import (
	"bytes"
	"encoding/binary"

	"huika/emv/tag"
)

// CVM codes without bit 7 (EMV Book 3, annex C3).
const (
	CVMFail      = 0x00
	CVMPlainPIN  = 0x01
	CVMOnlinePIN = 0x02
	CVMPINSign   = 0x03
	CVMCipherPIN = 0x04
	CVMCipherAnd = 0x05
	CVMSignature = 0x1E
	CVMNone      = 0x1F
	CVMNotDone   = 0x3F // "no CVM performed", in 9F34 only
)

// Results, byte 3 of 9F34 (EMV Book 4, annex A4).
const (
	CVMUnknown    = 0x00
	CVMFailure    = 0x01
	CVMSuccessful = 0x02
)

// Rule is one cardholder verification rule: CVM code (bit 7: apply the next rule
// where this one fails) and condition.
type Rule struct{ Code, Condition byte }

// Method is the code without bit 7.
func (r Rule) Method() byte { return r.Code & 0xBF }

// Next reports that the next rule applies where this one fails.
func (r Rule) Next() bool { return r.Code&0x40 != 0 }

// CVMList is 8E: two amounts in the application's currency and the rules.
type CVMList struct {
	x, y  int64
	rules []byte
}

// ParseCVMList reads 8E; false where it has no rule or an odd length (EMV Book 3, 10.5).
func ParseCVMList(v []byte) (CVMList, bool) {
	if len(v) < 10 || len(v)%2 != 0 {
		return CVMList{}, false
	}
	return CVMList{int64(binary.BigEndian.Uint32(v)), int64(binary.BigEndian.Uint32(v[4:])), v[8:]}, true
}

// Len is the number of rules.
func (l CVMList) Len() int { return len(l.rules) / 2 }

// Rule is rule number i, from 0.
func (l CVMList) Rule(i int) Rule { return Rule{l.rules[2*i], l.rules[2*i+1]} }

// Recognised reports a method that the book has.
func Recognised(method byte) bool {
	switch method {
	case CVMFail, CVMPlainPIN, CVMOnlinePIN, CVMPINSign, CVMCipherPIN, CVMCipherAnd, CVMSignature, CVMNone:
		return true
	}
	return false
}

// Holds reports that the condition of a rule is satisfied (EMV Book 3, annex
// C3); supported says whether the terminal can do the rule's method.
func (d *Terminal) Holds(l CVMList, r Rule, c *Card, supported bool) bool {
	unattended := d.termType[0]&0x0F >= 4
	tx := d.txType[0]
	cash := tx == Cash || tx == Disbursement
	switch r.Condition {
	case 0x00:
		return true
	case 0x01: // unattended cash
		return cash && unattended
	case 0x02: // neither cash nor cashback
		return !cash && tx != Cashback
	case 0x03:
		return supported
	case 0x04: // manual cash
		return cash && !unattended
	case 0x05:
		return tx == Cashback
	case 0x06, 0x07, 0x08, 0x09:
		if !bytes.Equal(c.Value(tag.ApplicationCurrency), d.currency[:]) {
			return false
		}
		limit := l.x
		if r.Condition >= 0x08 {
			limit = l.y
		}
		return (d.Minor > limit) == (r.Condition&1 != 0)
	}
	return false
}

// SetCVM writes 9F34.
func (d *Terminal) SetCVM(method, condition, result byte) {
	d.CVMResults = [3]byte{method, condition, result}
}
