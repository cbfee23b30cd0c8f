package book3

import (
	"bytes"

	"huika/emv/tag"
	"huika/pay"
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
	Purchase     = 0x00
	Cash         = 0x01
	Cashback     = 0x09
	Disbursement = 0x17
	Refund       = 0x20
)

// CheckVersions is EMV Book 3, 10.4.1: the card's application version number, where it gives one, is the terminal's.
func (d *Terminal) CheckVersions(c *Card) {
	if v := c.Value(tag.ApplicationVersion); len(v) > 0 && !bytes.Equal(v, d.version[:]) {
		d.TVR.Set(Versions)
	}
}

// CheckEffective is the first half of EMV Book 3, 10.4.3: 5F25, where it is there, is not in the future.
func (d *Terminal) CheckEffective(c *Card) {
	if v := c.Value(tag.EffectiveDate); len(v) == 3 && earlier(d.date[:], v) {
		d.TVR.Set(NotYetEffective)
	}
}

// CheckExpiry is the second half: date (5F24, the last valid day) is not past.
func (d *Terminal) CheckExpiry(date []byte) {
	if len(date) == 3 && earlier(date, d.date[:]) {
		d.TVR.Set(Expired)
	}
}

// earlier compares dates YYMMDD; years 50 to 99 are of the last century (EMV Book 4, 6.7.3).
func earlier(a, b []byte) bool {
	if last := a[0] >= 0x50; last != (b[0] >= 0x50) {
		return last
	}
	return bytes.Compare(a, b) < 0
}

// ValidDate accepts YYMMDD.
func ValidDate(v []byte) bool {
	return len(v) == 3 && Digits(v) && v[1] >= 0x01 && v[1] <= 0x12 && v[2] >= 0x01 && v[2] <= 0x31
}

// CheckUsage is EMV Book 3, 10.4.2: the card's usage control, auc (9F07), allows
// this terminal and, where the issuer's country is known, this service.
func (d *Terminal) CheckUsage(auc, country []byte) {
	if !d.usageAllowed(auc, country) {
		d.TVR.Set(NotAllowed)
	}
}

func (d *Terminal) usageAllowed(auc, country []byte) bool {
	if len(auc) != 2 {
		return true
	}
	where := byte(auc1OtherThanATM)
	if d.atATM() {
		where = auc1ATM
	}
	if auc[0]&where == 0 {
		return false
	}
	if len(country) == 0 {
		return true
	}
	domestic := bytes.Equal(country, d.country[:])
	pick := func(home, abroad byte) byte {
		if domestic {
			return home
		}
		return abroad
	}
	goods := auc[0]&pick(auc1DomesticGoods|auc1DomesticServices, auc1AbroadGoods|auc1AbroadServices) != 0
	back := auc[1]&pick(auc2DomesticCashback, auc2AbroadCashback) != 0
	switch d.txType[0] {
	case Cash, Disbursement:
		return auc[0]&pick(auc1DomesticCash, auc1AbroadCash) != 0
	case Purchase:
		return goods && (d.other == [6]byte{} || back)
	case Cashback:
		return goods && back
	}
	return true
}

// atATM: an unattended terminal of a financial institution that gives cash (EMV Book 4, annex A1 and A3).
func (d *Terminal) atATM() bool {
	return d.termType[0] >= 0x14 && d.termType[0] <= 0x16 && d.additional[0]&0x80 != 0
}

// CheckExceptionFile looks the card up (EMV Book 3, 10.6, note on the exception
// file). listed is nil where the terminal has none. A number that is none counts as listed.
func (d *Terminal) CheckExceptionFile(number string, psn []byte, listed func(pan pay.PAN, psn string) bool) {
	if listed == nil {
		return
	}
	digits := ""
	if len(psn) == 1 {
		digits = string([]byte{'0' + psn[0]>>4, '0' + psn[0]&15})
	}
	if pan, err := pay.ParsePAN(number); err != nil || listed(pan, digits) {
		d.TVR.Set(ExceptionFile)
	}
}
