package c3

import (
	"bytes"

	"huika/emv"
	"huika/emv/tag"
	"huika/pay"
)

// restrict applies the processing restrictions of 5.5. Expiry and exception
// file concern a card that approves offline; with an ARQC they are the issuer's.
func (t *tap) restrict(c *Config) (emv.Outcome, bool) {
	if t.crypto == tc {
		if t.expired() { // 5.5.1.1
			if t.ctq[0]&ctq1OnlineIfExpired == 0 {
				return t.declined("the card has expired"), true
			}
			t.goOnline = true
		}
		if c.ExceptionFile != nil { // 5.5.1.2
			pan, err := pay.ParsePAN(t.track2.Number)
			if err != nil || c.ExceptionFile(pan, t.psn()) {
				return t.declined("the card is on the exception file"), true
			}
		}
	}
	switch kind := t.in.Transaction.Type; {
	case c.CashCheck && (kind == typeCash || kind == typeDisbursement): // 5.5.1.3
		return t.usage(0, auc1DomesticCash, auc1AbroadCash, ctq1SwitchForCash, "cash")
	case c.CashbackCheck && kind == typeCashback: // 5.5.1.4
		return t.usage(1, auc2DomesticCashback, auc2AbroadCashback, ctq1SwitchCashback, "cashback")
	}
	return emv.Outcome{}, false
}

// expired compares 5F24, the last valid day, with today. A card that gives no date has expired.
func (t *tap) expired() bool {
	date, ok := t.card.get(tag.ExpirationDate)
	return !ok || lastCentury(date) || bytes.Compare(date, t.term.value(tag.TransactionDate)) < 0
}

// lastCentury reports a BCD year of 50 to 99 (EMV Book 4, 6.7.3).
func lastCentury(date []byte) bool { return date[0] >= 0x50 }

// psn is 5F34 as two digits, "" where the card gave none.
func (t *tap) psn() string {
	v := t.card.value(tag.PSN)
	if len(v) != 1 {
		return ""
	}
	return string([]byte{'0' + v[0]>>4, '0' + v[0]&15})
}

// Application usage control, 9F07 (EMV Book 3, annex C2).
const (
	auc1DomesticCash     = 0x80
	auc1AbroadCash       = 0x40
	auc2DomesticCashback = 0x80
	auc2AbroadCashback   = 0x40
)

// usage holds one service against the usage control. Without 9F07 and 5F28 it
// is not allowed. The CTQ may ask for another interface instead of a decline.
func (t *tap) usage(at int, home, abroad, ctq1 byte, what string) (emv.Outcome, bool) {
	auc := t.card.value(tag.AUC)
	country := t.card.value(tag.IssuerCountry)
	if auc != nil && country != nil {
		bit := abroad
		if bytes.Equal(country, t.term.value(tag.TerminalCountry)) {
			bit = home
		}
		if auc[at]&bit != 0 {
			return emv.Outcome{}, false
		}
	}
	if t.ctq[0]&ctq1 != 0 {
		o := tryAnother("the card wants another interface for "+what, 0)
		o.UIOutcome.Message, o.Alternate = emv.MsgInsertOrSwipe, emv.AlternateNone
		return o, true
	}
	return t.declined("the card's usage control does not allow " + what), true
}

// mayGoOnline: the reader is not offline-only.
func (t *tap) mayGoOnline() bool { return t.term.ttq[0]&ttq1OfflineOnly == 0 }
