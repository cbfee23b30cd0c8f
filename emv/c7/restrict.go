package c7

import (
	"bytes"

	"huika/emv"
	"huika/emv/tag"
	"huika/pay"
)

// restrict applies the processing restrictions (EMV Book 3, 10.4) and the
// exception file. The TVR was fixed when the PDOL data was sent, so a
// restriction that fails decides here instead of setting a bit. Which of them
// decline, beyond expiry, is by public description, unverified.
func (t *tap) restrict(c *Config) (emv.Outcome, bool) {
	today := t.term.value(tag.TransactionDate)
	if date, ok := t.card.get(tag.EffectiveDate); ok && bytes.Compare(date, today) > 0 && !lastCentury(date) {
		return t.declined("the card is not valid yet"), true
	}
	if t.expired(today) {
		if !t.mayGoOnline() || t.ctq[0]&ctq1OnlineIfExpired == 0 {
			return t.declined("the card has expired"), true
		}
		t.goOnline = true
	}
	if !t.usageAllowed() {
		return t.declined("the card's usage control does not allow this transaction"), true
	}
	// 9F08 against 9F09 is compared by EMV Book 3, 10.4.1 to set a TVR bit
	// only; with the TVR fixed there is nothing left for it to do.
	if o, done := t.switchForCash(); done {
		return o, true
	}
	if c.ExceptionFile != nil {
		pan, err := pay.ParsePAN(t.track2.Number)
		if err != nil || c.ExceptionFile(pan, t.psn()) {
			return t.declined("the card is on the exception file"), true
		}
	}
	return emv.Outcome{}, false
}

// psn is 5F34 as two digits, "" where the card gave none.
func (t *tap) psn() string {
	v := t.card.value(tag.PSN)
	if len(v) != 1 {
		return ""
	}
	return string([]byte{'0' + v[0]>>4, '0' + v[0]&15})
}

// expired compares 5F24 (last valid day), or the month of track 2, with today.
func (t *tap) expired(today []byte) bool {
	if date, ok := t.card.get(tag.ExpirationDate); ok {
		return lastCentury(date) || bytes.Compare(date, today) < 0
	}
	return lastCentury(t.track2.Expiry[:]) || bytes.Compare(t.track2.Expiry[:], today[:2]) < 0
}

// lastCentury reports a BCD year of 50 to 99 (EMV Book 4, 6.7.3).
func lastCentury(date []byte) bool { return date[0] >= 0x50 }

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

// usageAllowed is EMV Book 3, 10.4.2. Without 9F07 everything is allowed;
// without 5F28 nobody knows what is domestic, and only the kind of terminal counts.
func (t *tap) usageAllowed() bool {
	auc, ok := t.card.get(tag.AUC)
	if !ok {
		return true
	}
	if len(auc) != 2 {
		return false
	}
	place := byte(auc1OtherThanATM)
	if isATM(t.in.Terminal.Type, t.in.Transaction.Type) {
		place = auc1ATM
	}
	if auc[0]&place == 0 {
		return false
	}
	country, ok := t.card.get(tag.IssuerCountry)
	if !ok {
		return true
	}
	domestic := bytes.Equal(country, t.term.value(tag.TerminalCountry))
	pick := func(home, abroad byte) byte {
		if domestic {
			return home
		}
		return abroad
	}
	goods := pick(auc1DomesticGoods|auc1DomesticServices, auc1AbroadGoods|auc1AbroadServices)
	switch t.in.Transaction.Type {
	case 0x00:
		return auc[0]&goods != 0
	case typeCash:
		return auc[0]&pick(auc1DomesticCash, auc1AbroadCash) != 0
	case typeCashback:
		return auc[0]&goods != 0 && auc[1]&pick(auc2DomesticCashback, auc2AbroadCashback) != 0
	}
	return true // refunds are not named in usage control
}

// isATM: an unattended terminal of a financial institution that pays out cash (EMV Book 4, annex A1).
func isATM(termType, txType byte) bool {
	return termType >= 0x14 && termType <= 0x16 && txType == typeCash
}

// switchForCash is CTQ byte 1, bits 3 and 2: another interface for cash and cashback, where the reader has one.
func (t *tap) switchForCash() (emv.Outcome, bool) {
	if t.term.ttq[0]&ttq1Chip == 0 {
		return emv.Outcome{}, false
	}
	switch {
	case t.in.Transaction.Type == typeCash && t.ctq[0]&ctq1SwitchForCash != 0,
		t.in.Transaction.Type == typeCashback && t.ctq[0]&ctq1SwitchCashback != 0:
		return tryAnother("the card wants another interface for cash", 0), true
	}
	return emv.Outcome{}, false
}

// mayGoOnline: the reader is not offline-only.
func (t *tap) mayGoOnline() bool { return t.term.ttq[0]&ttq1OfflineOnly == 0 }
