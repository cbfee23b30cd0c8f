package c7

import (
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

// check is the check of mandatory data after the last record. It says what is
// wrong, or "", and takes out what later steps need.
func (t *tap) check() string {
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
	// 57 comes unsigned in the GPO response, 5A in a signed record: two card
	// numbers in one tap are not one card. (Our rule.)
	if pan, ok := t.card.get(tag.PAN); ok && !t.isNumber(pan) {
		return "5A and 57 are of different card numbers"
	}
	if !t.validDate(tag.ExpirationDate) || !t.validDate(tag.EffectiveDate) {
		return "a date is malformed"
	}
	return ""
}

// cryptogramType reads 9F27, or where it is absent byte 5 of 9F10 (the second
// byte of the CVR). Where both are there they must agree: 9F27 stands outside
// the cryptogram, the CVR inside. (Our rule.)
func (t *tap) cryptogramType() string {
	iad := t.card.value(tag.IAD)
	if len(iad) < 5 {
		return "9F10 is missing or too short"
	}
	var inCVR cryptogram
	switch iad[4] & 0x30 {
	case 0x00:
		inCVR = aac
	case 0x10:
		inCVR = tc
	case 0x20:
		inCVR = arqc
	default:
		return "9F10 names no cryptogram type"
	}
	t.crypto = inCVR
	cid, ok := t.card.get(tag.CID)
	if !ok {
		return ""
	}
	if len(cid) != 1 || cryptogram(cid[0]&0xC0) != inCVR {
		return "9F27 and 9F10 name different cryptogram types"
	}
	return ""
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
