package cryptogram

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// AES is a cryptogram version of cards with AES keys, which kernel 8 reads:
// EMV's common session key on AES (EMV Book 2, A1.3; Book E, 4.2) and AES-CMAC
// over the minimum set of data. The algorithms were checked against a worked
// example of a scheme; the numbers of the versions and the layout of 9F10 follow
// the public description of that scheme's card (bits 3-2 set: common session
// key on AES; bit 1: the counters and what follows them are covered) and
// stand in for every other scheme's.
type AES byte

// Versions, hex as in 9F10.
const (
	AES16 AES = 0x16
	AES17 AES = 0x17 // covers 9F10 from its byte 11 on, the IAD-MAC among it
)

// Known reports one of the two versions.
func (v AES) Known() bool { return v == AES16 || v == AES17 }

func (v AES) extended() bool { return v&0x01 != 0 }

const aesBlock = 16

// CardKey derives a card's key from the issuer's (EMV Book 2, A1.4.3, option C):
// AES over PAN ‖ PSN, padded with zeros on the left to 16 bytes; for a key of 32
// bytes a second block over its complement follows. psn has two digits. Errors: ErrKey.
func (AES) CardKey(issuerKey pay.Secret, pan pay.PAN, psn string) (pay.Secret, error) {
	c, err := cmacOf(issuerKey)
	if err != nil {
		return pay.Secret{}, err
	}
	if issuerKey.Len() == 24 {
		return pay.Secret{}, fmt.Errorf("%w: AES keys of 24 bytes are not derived", ErrKey)
	}
	digits := pan.Reveal() + psn
	if len(psn) != 2 || len(digits) > 2*aesBlock || strings.Trim(psn, "0123456789") != "" {
		return pay.Secret{}, fmt.Errorf("%w: want a sequence number of 2 digits", ErrKey)
	}
	y, err := hex.DecodeString(strings.Repeat("0", 2*aesBlock-len(digits)) + digits)
	if err != nil {
		return pay.Secret{}, fmt.Errorf("%w: card number", ErrKey)
	}
	key := make([]byte, issuerKey.Len())
	c.Block().Encrypt(key[:aesBlock], y)
	if len(key) == 2*aesBlock {
		for i := range y {
			y[i] ^= 0xFF
		}
		c.Block().Encrypt(key[aesBlock:], y)
	}
	return pay.NewSecret(key), nil
}

// SessionKey derives the key of one transaction from the card's: AES over ATC ‖
// zeros; for a key of 32 bytes two blocks with F0 and 0F in byte 3. Errors: ErrKey.
func (AES) SessionKey(cardKey pay.Secret, atc uint16) (pay.Secret, error) {
	c, err := cmacOf(cardKey)
	if err != nil {
		return pay.Secret{}, err
	}
	if cardKey.Len() == 24 {
		return pay.Secret{}, fmt.Errorf("%w: AES keys of 24 bytes are not derived", ErrKey)
	}
	key := make([]byte, cardKey.Len())
	for i := 0; i < len(key); i += aesBlock {
		key[i], key[i+1] = byte(atc>>8), byte(atc)
		if len(key) > aesBlock {
			key[i+2] = [...]byte{0xF0, 0x0F}[i/aesBlock]
		}
		c.Block().Encrypt(key[i:i+aesBlock], key[i:i+aesBlock])
	}
	return pay.NewSecret(key), nil
}

// MAC is the cryptogram: the leftmost 8 bytes of AES-CMAC over AESData. Errors: ErrKey.
func (AES) MAC(sessionKey pay.Secret, data []byte) ([8]byte, error) {
	c, err := cmacOf(sessionKey)
	if err != nil {
		return [8]byte{}, err
	}
	full := c.Sum(data)
	return [8]byte(full[:8]), nil
}

// ARPC is the issuer's answer, method 1 on AES: the leftmost 8 bytes of AES-CMAC
// under the session key over ARQC ‖ ARPC response code ‖ six zeros (public
// description of one scheme). Errors: ErrKey.
func (v AES) ARPC(cardKey pay.Secret, atc uint16, arqc [8]byte, code [2]byte) ([8]byte, error) {
	full, err := v.answer(cardKey, atc, arqc[:], code[:], make([]byte, 6))
	return [8]byte(full[:8]), err
}

// ARPC2 is method 2 (EMV Book 2, 8.2.2): the leftmost 4 bytes of AES-CMAC over
// ARQC ‖ card status update ‖ proprietary data (0 to 8 bytes). Errors: ErrKey.
func (v AES) ARPC2(cardKey pay.Secret, atc uint16, arqc [8]byte, csu [4]byte, proprietary []byte) ([4]byte, error) {
	if len(proprietary) > 8 {
		return [4]byte{}, fmt.Errorf("%w: proprietary authentication data of %d bytes", ErrData, len(proprietary))
	}
	full, err := v.answer(cardKey, atc, arqc[:], csu[:], proprietary)
	return [4]byte(full[:4]), err
}

func (v AES) answer(cardKey pay.Secret, atc uint16, parts ...[]byte) ([aesBlock]byte, error) {
	key, err := v.SessionKey(cardKey, atc)
	if err != nil {
		return [aesBlock]byte{}, err
	}
	defer key.Wipe()
	c, err := cmacOf(key)
	if err != nil {
		return [aesBlock]byte{}, err
	}
	return c.Sum(parts...), nil
}

// AESData assembles what a cryptogram covers: 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82
// 9F36, the CVR of 9F10, and for AES17 what follows its first ten bytes. The
// card calls it over its CDOL1 data, the issuer over field 55. Errors: ErrData.
func AESData(get func(tlv.Tag) ([]byte, bool)) ([]byte, error) {
	data := make([]byte, 0, 35+6+22)
	for _, f := range pbocFields { // the minimum set of EMV Book 2, 8.1.1
		v, ok := get(f.tag)
		if !ok || len(v) != f.len {
			return nil, fmt.Errorf("%w: %s: want %d bytes, have %d", ErrData, f.tag, f.len, len(v))
		}
		data = append(data, v...)
	}
	v, _ := get(tag.IAD)
	iad, err := ParseAESIAD(v)
	if err != nil {
		return nil, err
	}
	data = append(data, iad.CVR[:]...)
	if iad.Version.extended() {
		data = append(data, iad.Rest...)
	}
	return data, nil
}

// AESIAD is 9F10 of cards with AES keys: derivation key index ‖ version ‖ CVR(6,
// M/Chip's) ‖ 2 bytes ‖ the rest, of which the last 8 of 32 bytes are the
// place of the IAD-MAC that kernel 8 writes into it (offset 24). (Stand-in, as AES.)
type AESIAD struct {
	KeyIndex byte
	Version  AES
	CVR      MChipCVR
	DAC      [2]byte
	Rest     []byte
}

// IADMACOffset is where our cards keep the place of the IAD-MAC in 9F10.
const IADMACOffset = 24

// Append appends the coded IAD.
func (d AESIAD) Append(dst []byte) []byte {
	dst = append(append(dst, d.KeyIndex, byte(d.Version)), d.CVR[:]...)
	return append(append(dst, d.DAC[:]...), d.Rest...)
}

// IADMAC is the IAD-MAC that the kernel wrote; false where there is no place for one.
func (d AESIAD) IADMAC() (mac [8]byte, ok bool) {
	if len(d.Rest) < IADMACOffset-10+8 {
		return mac, false
	}
	return [8]byte(d.Rest[IADMACOffset-10:]), true
}

// ParseAESIAD takes 9F10 apart. Errors: ErrData.
func ParseAESIAD(b []byte) (AESIAD, error) {
	if len(b) < 10 || len(b) > 32 || !AES(b[1]).Known() {
		return AESIAD{}, fmt.Errorf("%w: 9F10 is not of a known AES version", ErrData)
	}
	return AESIAD{KeyIndex: b[0], Version: AES(b[1]), CVR: MChipCVR(b[2:8]), DAC: [2]byte(b[8:10]), Rest: b[10:]}, nil
}

// VerifyAES checks the cryptogram of field 55 (get gives its objects by tag)
// under the issuer's master key: it derives the card's and the session's key and
// compares in constant time. ok is false for a wrong cryptogram; err says that the
// data can't be checked. Errors: ErrKey, ErrData.
func VerifyAES(issuerKey pay.Secret, pan pay.PAN, psn string, get func(tlv.Tag) ([]byte, bool)) (iad AESIAD, ok bool, err error) {
	raw, _ := get(tag.IAD)
	if iad, err = ParseAESIAD(raw); err != nil {
		return iad, false, err
	}
	data, err := AESData(get)
	if err != nil {
		return iad, false, err
	}
	key, err := iad.Version.CardKey(issuerKey, pan, psn)
	if err != nil {
		return iad, false, err
	}
	defer key.Wipe()
	atc, _ := get(tag.ATC) // AESData has checked its length
	session, err := iad.Version.SessionKey(key, uint16(atc[0])<<8|uint16(atc[1]))
	if err != nil {
		return iad, false, err
	}
	defer session.Wipe()
	want, err := iad.Version.MAC(session, data)
	if err != nil {
		return iad, false, err
	}
	have, _ := get(tag.ApplicationCryptogram)
	return iad, subtle.ConstantTimeCompare(want[:], have) == 1, nil
}
