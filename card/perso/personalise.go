package perso

import (
	"bytes"
	"encoding/hex"
	"time"

	"huika/emv/tag"
	"huika/pay"
)

// What cards of several schemes have in common.
var (
	allUsage = []byte{0xFF, 0xC0}    // AUC: everything, everywhere
	china    = []byte{0x01, 0x56}    // ISO 3166 and ISO 4217
	aipList  = []byte{byte(tag.AIP)} // 9F4A
)

// track2of201 is 57 of international cards: number, D, expiry YYMM, service code
// 201, discretionary data of 13 zeros.
func track2of201(pan pay.PAN, end time.Time) []byte {
	return packDigits(pan.Reveal() + "D" + end.Format("0601") + "201" + "0000000000000")
}

// packDigits packs hex digits two a byte, padded with F.
func packDigits(s string) []byte {
	if len(s)%2 == 1 {
		s += "F"
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("perso: not digits") // callers pass card numbers and dates
	}
	return b
}

// otherKey is a key that the issuer never made.
func otherKey(k pay.Secret) pay.Secret {
	b := bytes.Clone(k.Reveal())
	for i := range b {
		b[i] ^= 0x5A
	}
	return pay.NewSecret(b)
}
