package c3

import (
	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// cryptogram is the type of an application cryptogram, as 9F27 codes it.
type cryptogram byte

// Cryptogram types.
const (
	aac  cryptogram = 0x00 // declined
	tc   cryptogram = 0x40 // approved offline
	arqc cryptogram = 0x80 // go online
)

// check is the check of mandatory data after the last record (5.4.2.1). It
// says what is wrong, or "", and takes out what later steps need.
func (t *tap) check() string {
	if name, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName); !ok || len(name) == 0 {
		return "84 is missing"
	}
	if len(t.card.value(tag.AIP)) != 2 {
		return "82 is missing"
	}
	if len(t.card.value(tag.ATC)) != 2 {
		return "9F36 is missing"
	}
	if len(t.card.value(tag.ApplicationCryptogram)) != 8 {
		return "9F26 is missing"
	}
	if why := t.cryptogramType(); why != "" {
		return why
	}
	if v, ok := t.card.get(tag.CTQ); ok {
		if len(v) != 2 {
			return "9F6C has a wrong length"
		}
		t.ctq, t.hasCTQ = [2]byte(v), true
	}
	var ok bool
	if t.track2, ok = book3.ParseTrack2(t.card.value(tag.Track2)); !ok {
		return "57 is missing or malformed"
	}
	if pan, ok := t.card.get(tag.PAN); ok && !t.isNumber(pan) { // annex A.2
		return "5A and 57 are of different card numbers"
	}
	if !t.validDate(tag.ExpirationDate) {
		return "5F24 is malformed"
	}
	for _, f := range [...]struct {
		tag tlv.Tag
		len int
		why string
	}{
		{tag.FormFactor, 4, "9F6E has a wrong length"}, {tag.AvailableOffline, 6, "9F5D has a wrong length"},
		{tag.AUC, 2, "9F07 has a wrong length"}, {tag.IssuerCountry, 2, "5F28 has a wrong length"},
	} {
		if v, ok := t.card.get(f.tag); ok && len(v) != f.len {
			return f.why
		}
	}
	if v, ok := t.card.get(tag.AvailableOffline); ok && !book3.Digits(v) {
		return "9F5D is no amount"
	}
	return ""
}

// cryptogramType reads 9F27, or where it is absent bits 6 and 5 of byte 5 of
// 9F10 (5.4.3.1). Where both are there they must agree: 9F27 stands outside
// the cryptogram, the CVR inside. (Our rule.)
func (t *tap) cryptogramType() string {
	iad := t.card.value(tag.IAD)
	if len(iad) < 5 {
		return "9F10 is missing or too short"
	}
	t.crypto = cryptogram(iad[4] & 0x30 << 2)
	cid, ok := t.card.get(tag.CID)
	if !ok {
		return ""
	}
	if len(cid) != 1 || cryptogram(cid[0]&0xC0) != t.crypto {
		return "9F27 and 9F10 name different cryptogram types"
	}
	return ""
}

// judgeCryptogram is 5.4.3.2: an AAC, and a type that does not exist, decline; an
// ARQC goes online, and so does a TC where the reader asked for an online
// cryptogram or the amount is above its floor limit.
func (t *tap) judgeCryptogram(c *Config) (emv.Outcome, bool) {
	switch t.crypto {
	case arqc:
		t.goOnline = true
	case tc:
		t.goOnline = t.term.ttq[1]&ttq2OnlineRequired != 0 || t.ind.FloorLimitExceeded ||
			(c.FloorLimit != nil && t.in.Transaction.Amount.Minor > *c.FloorLimit)
	case aac:
		return t.declined("the card declined"), true
	default:
		return t.declined("the card names no cryptogram type"), true
	}
	return emv.Outcome{}, false
}

// validDate accepts an absent date and YYMMDD digits.
func (t *tap) validDate(d tlv.Tag) bool {
	v, ok := t.card.get(d)
	return !ok || (len(v) == 3 && book3.Digits(v) && v[1] >= 0x01 && v[1] <= 0x12 && v[2] >= 0x01 && v[2] <= 0x31)
}

// isNumber reports whether 5A holds track 2's card number.
func (t *tap) isNumber(pan []byte) bool {
	number, ok := book3.Number(pan)
	return ok && number == t.track2.Number
}
