package c2

import (
	"bytes"

	"huika/emv/tag"
)

// Application usage control, 9F07 (EMV Book 3, annex C2).
const (
	auc1DomesticCash     = 0x80
	auc1AbroadCash       = 0x40
	auc1DomesticGoods    = 0x20
	auc1AbroadGoods      = 0x10
	auc1DomesticServices = 0x08
	auc1AbroadServices   = 0x04
	auc1ATM              = 0x02
	auc1OtherThanATM     = 0x01
	auc2DomesticCashback = 0x80
	auc2AbroadCashback   = 0x40
)

// Transaction types, 9C.
const (
	typePurchase     = 0x00
	typeCash         = 0x01
	typeCashback     = 0x09
	typeDisbursement = 0x17
)

// restrict is PRE: application version, dates and usage. It sets bits of the
// TVR; what follows from them is for terminal action analysis.
func (t *tap) restrict() *result {
	tvr := &t.term.tvr
	if v := t.card.value(tag.ApplicationVersion); len(v) > 0 && !bytes.Equal(v, t.term.version[:]) {
		tvr[1] |= tvr2Versions // PRE.3
	}
	if v := t.card.value(tag.EffectiveDate); len(v) == 3 && earlier(t.term.date[:], v) {
		tvr[1] |= tvr2NotYetEffective // PRE.6
	}
	if v := t.card.value(tag.ExpirationDate); earlier(v, t.term.date[:]) {
		tvr[1] |= tvr2Expired // PRE.8
	}
	if !t.usageAllowed() {
		tvr[1] |= tvr2NotAllowed // PRE.13, 19, 24, 29
	}
	return nil
}

// earlier compares dates YYMMDD; years 50 to 99 are of the last century (EMV Book 4, 6.7.3).
func earlier(a, b []byte) bool {
	if last := a[0] >= 0x50; last != (b[0] >= 0x50) {
		return last
	}
	return bytes.Compare(a, b) < 0
}

func (t *tap) usageAllowed() bool {
	auc := t.card.value(tag.AUC)
	if len(auc) != 2 {
		return true // PRE.9: none
	}
	atm := t.term.termType[0] >= 0x14 && t.term.termType[0] <= 0x16 && t.term.additional[0]&0x80 != 0 // PRE.10
	if (atm && auc[0]&auc1ATM == 0) || (!atm && auc[0]&auc1OtherThanATM == 0) {
		return false
	}
	issuer := t.card.value(tag.IssuerCountry)
	if len(issuer) == 0 {
		return true // PRE.14
	}
	domestic := bytes.Equal(issuer, t.term.country[:])
	pick := func(home, abroad byte) byte {
		if domestic {
			return home
		}
		return abroad
	}
	switch t.term.txType[0] {
	case typeCash, typeDisbursement:
		if auc[0]&pick(auc1DomesticCash, auc1AbroadCash) == 0 {
			return false
		}
	case typePurchase, typeCashback:
		if auc[0]&pick(auc1DomesticGoods|auc1DomesticServices, auc1AbroadGoods|auc1AbroadServices) == 0 {
			return false
		}
	}
	other, _ := t.value(tag.AmountOther)
	if !bytes.Equal(other, make([]byte, len(other))) { // PRE.25
		return auc[1]&pick(auc2DomesticCashback, auc2AbroadCashback) != 0
	}
	return true
}
