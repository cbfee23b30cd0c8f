package c2

import (
	"bytes"

	"huika/emv/dol"
	"huika/emv/tag"
	"huika/pay"
)

// checkLimit is the reader contactless transaction limit (S456.14, S78.10).
func (t *tap) checkLimit() *result {
	if t.term.minor > t.limit {
		t.errors.l2 = maxLimitExceeded
		return t.selectNext("limits", "the amount is above the reader's limit for this kind of card") // S456.15
	}
	return nil
}

// checkCard is the check of mandatory data and of the data storage identifier (S456.16 to S456.20).
func (t *tap) checkCard() *result {
	pan, expiry, cdol := t.card.value(tag.PAN), t.card.value(tag.ExpirationDate), t.card.value(tag.CDOL1)
	if len(pan) == 0 || len(expiry) == 0 || len(cdol) == 0 {
		return t.invalid(cardDataMissing, "read", "5A, 5F24 or 8C is missing") // S456.17
	}
	number, ok := panDigits(pan)
	if !ok {
		return t.invalid(cardDataError, "read", "5A is no card number") // ours
	}
	if _, err := dol.Size(cdol); err != nil {
		return t.invalid(parsingError, "read", "CDOL1 can't be read")
	}
	// 5A and 57 must be one card number. (Ours: the host books on 57, the certificate is about 5A.)
	if t57 := t.card.value(tag.Track2); len(t57) > 0 {
		if n, _, ok := splitTrack2(t57); !ok || string(n) != number {
			return t.invalid(cardDataError, "read", "5A and 57 are of different card numbers")
		}
	}
	if t.idsRead && !bytes.Equal(t.card.value(tagDSID), storageID(number, t.card.value(tag.PSN))) {
		return t.invalid(cardDataError, "read", "the data storage identifier is of another card") // S456.20
	}
	if t.k.ExceptionFile != nil {
		if p, err := pay.ParsePAN(number); err != nil || t.k.ExceptionFile(p, psnDigits(t.card.value(tag.PSN))) {
			t.term.tvr[0] |= tvr1ExceptionFile
		}
	}
	return nil
}

// panDigits are the digits of 5A (compressed numeric); false where it is none of 8 to 19.
func panDigits(pan []byte) (string, bool) {
	var b [20]byte
	n, ended := 0, false
	for i := range 2 * len(pan) {
		d := pan[i/2] >> 4
		if i%2 == 1 {
			d = pan[i/2] & 15
		}
		switch {
		case d == 0xF:
			ended = true
		case ended || d > 9 || n == len(b):
			return "", false
		default:
			b[n] = '0' + d
			n++
		}
	}
	return string(b[:n]), n >= 8 && n <= 19
}

// psnDigits is 5F34 as two digits, "" where the card gave none.
func psnDigits(psn []byte) string {
	if len(psn) != 1 {
		return ""
	}
	return string([]byte{'0' + psn[0]>>4, '0' + psn[0]&15})
}

// storageID is PAN ‖ PSN in digits, on the left padded with zeros to whole bytes and at
// least 8 of them (S456.19).
func storageID(pan string, psn []byte) []byte {
	digits := pan + "00"
	if len(psn) == 1 {
		digits = pan + psnDigits(psn)
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	for len(digits) < 16 {
		digits = "00" + digits
	}
	id := make([]byte, len(digits)/2)
	for i := range id {
		id[i] = (digits[2*i]-'0')<<4 | (digits[2*i+1]-'0')&15
	}
	return id
}

// checkCDA looks for the data that CDA needs (S456.24 to S456.28).
func (t *tap) checkCDA() *result {
	if !t.wantCDA {
		return nil
	}
	for _, g := range [...]struct{ bytes []byte }{
		{t.card.value(tag.CAIndex)}, {t.card.value(tag.IssuerCertificate)}, {t.card.value(tag.IssuerExponent)},
		{t.card.value(tag.ICCCertificate)}, {t.card.value(tag.ICCExponent)}, {t.card.value(tag.SDATagList)},
	} {
		if len(g.bytes) == 0 {
			t.term.tvr[0] |= tvr1ICCDataMissing | tvr1CDAFailed
		}
	}
	if _, ok := t.caKey(); !ok {
		t.term.tvr[0] |= tvr1CDAFailed
	}
	if list := t.card.value(tag.SDATagList); len(list) != 1 || list[0] != byte(tag.AIP) {
		return t.invalid(cardDataError, "oda", "9F4A is not 82") // S456.27
	}
	if len(t.static)+len(t.aip) > MaxStaticData {
		t.term.tvr[0] |= tvr1CDAFailed
		return nil
	}
	t.static = append(t.static, t.aip[:]...)
	return nil
}

// capabilities sets byte 2 of 9F33 by the CVM limit (S456.30 to S456.33).
func (t *tap) capabilities() *result {
	if t.aboveCVMLimit() {
		t.receipt = true
		t.term.capabilities[1] = t.k.CVMRequired
		return nil
	}
	t.term.capabilities[1] = t.k.CVMNone
	return nil
}

// balanceBefore reads the offline balance where card and terminal have it (BR1, S16).
func (t *tap) balanceBefore() *result {
	if _, wanted := t.given.get(tagBalanceBefore); !wanted || !t.supports(capBalance) {
		return nil
	}
	v, lost, err := t.readBalance()
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lostCard("balance") // S16.3
	}
	if v != nil {
		t.given.set(tagBalanceBefore, v)
	}
	return nil
}

// readBalance is GET DATA 9F50; nil where the card gave no balance (S16.9).
func (t *tap) readBalance() (v []byte, lost bool, err error) {
	r, lost, err := t.send(getData(tagBalance))
	if err != nil || lost || !r.OK() || len(r.Data) != 9 || r.Data[0] != 0x9F || r.Data[1] != 0x50 || r.Data[2] != 6 {
		return nil, lost, err
	}
	return r.Data[3:], false, nil
}
