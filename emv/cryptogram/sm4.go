package cryptogram

import (
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/emmansun/gmsm/cbcmac"
	"github.com/emmansun/gmsm/sm4"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// PBOC is how UnionPay cards make and check cryptograms, under one cipher: the
// algorithm byte of 9F10 says which (PBOCOf). Keys have 16 bytes.
type PBOC interface {
	// CardKey derives a card's key from the issuer's; psn has two digits. Errors: ErrKey.
	CardKey(issuerKey pay.Secret, pan pay.PAN, psn string) (pay.Secret, error)
	// SessionKey derives the key of one transaction from the card's. Errors: ErrKey.
	SessionKey(cardKey pay.Secret, atc uint16) (pay.Secret, error)
	// MAC is the application cryptogram where data is PBOCData. Errors: ErrKey.
	MAC(sessionKey pay.Secret, data []byte) ([8]byte, error)
	// ARPC is the issuer's answer: the two characters of 8A over the cryptogram. Errors: ErrKey.
	ARPC(sessionKey pay.Secret, arqc [8]byte, arc [2]byte) ([8]byte, error)
}

// AlgorithmSM4 is the algorithm byte of 9F10 for SM4.
const AlgorithmSM4 = 0x04

// PBOCOf is the cipher that an algorithm byte names; false for one that is not known.
func PBOCOf(algorithm byte) (PBOC, bool) {
	switch algorithm {
	case AlgorithmTDES:
		return PBOC01, true
	case AlgorithmSM4:
		return PBOCSM4, true
	}
	return nil, false
}

// PBOCSM4 is the cryptogram of PBOC 3.0 (JR/T 0025.17) under SM4, over the same
// data as PBOC01. The derivations are those of PBOC01 in one block of SM4 each,
// which has the length of both halves; the cryptogram is the left half of the last
// block of a CBC-MAC. No text and no vector of it was at hand: all of it is
// unverified, beyond SM4 itself.
var PBOCSM4 pbocSM4

type pbocSM4 struct{}

// CardKey is SM4 over the 16 rightmost digits of PAN ‖ PSN and their complement. (Unverified.)
func (pbocSM4) CardKey(issuerKey pay.Secret, pan pay.PAN, psn string) (pay.Secret, error) {
	block, err := sm4Block(issuerKey)
	if err != nil {
		return pay.Secret{}, err
	}
	x, err := rightmostDigits(pan, psn)
	if err != nil {
		return pay.Secret{}, err
	}
	return sm4Derived(block, x), nil
}

// SessionKey is SM4 over the ATC behind six zero bytes, and the complement of the ATC behind six. (Unverified.)
func (pbocSM4) SessionKey(cardKey pay.Secret, atc uint16) (pay.Secret, error) {
	block, err := sm4Block(cardKey)
	if err != nil {
		return pay.Secret{}, err
	}
	key := make([]byte, keyLen)
	key[6], key[7] = byte(atc>>8), byte(atc)
	key[14], key[15] = ^key[6], ^key[7]
	block.Encrypt(key, key)
	return pay.NewSecret(key), nil
}

// MAC is the left half of a CBC-MAC with padding method 2. (Unverified.)
func (pbocSM4) MAC(key pay.Secret, data []byte) ([8]byte, error) {
	block, err := sm4Block(key)
	if err != nil {
		return [8]byte{}, err
	}
	return [8]byte(cbcmac.NewCBCMAC(block, 8).MAC(data)), nil
}

// ARPC is the left half of SM4 over the cryptogram exclusive-or the response
// code, padded with zeros. (Unverified.)
func (pbocSM4) ARPC(sessionKey pay.Secret, arqc [8]byte, arc [2]byte) ([8]byte, error) {
	block, err := sm4Block(sessionKey)
	if err != nil {
		return [8]byte{}, err
	}
	var b [sm4.BlockSize]byte
	copy(b[:], arqc[:])
	b[0] ^= arc[0]
	b[1] ^= arc[1]
	block.Encrypt(b[:], b[:])
	return [8]byte(b[:8]), nil
}

// PBOCScriptMAC is the MAC of one issuer script command: header (CLA INS P1 P2 Lc) ‖
// ATC ‖ cryptogram ‖ data before the MAC, under the session key of the ATC from
// the card's key for message integrity. A command carries its first 4 to 8 bytes.
// (VIS's form, from which PBOC's comes; unverified.) Errors: ErrKey.
func PBOCScriptMAC(p PBOC, cardKey pay.Secret, header []byte, atc uint16, ac [8]byte, data []byte) ([8]byte, error) {
	key, err := p.SessionKey(cardKey, atc)
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	b := make([]byte, 0, len(header)+10+len(data))
	b = append(append(b, header...), byte(atc>>8), byte(atc))
	return p.MAC(key, append(append(b, ac[:]...), data...))
}

// PBOCKeys are an issuer's master keys of the cryptogram, one a cipher.
type PBOCKeys struct{ TDES, SM4 pay.Secret }

// VerifyPBOC checks the cryptogram of field 55 (get gives its objects by tag)
// under the issuer's master key for the cipher that 9F10 names: it derives the
// card's and the session's key and compares in constant time. ok is false for a
// wrong cryptogram; err says that the data can't be checked. Errors: ErrKey, ErrData.
func VerifyPBOC(keys PBOCKeys, pan pay.PAN, psn string, get func(tlv.Tag) ([]byte, bool)) (iad IAD, ok bool, err error) {
	data, err := PBOCData(get)
	if err != nil {
		return iad, false, err
	}
	raw, _ := get(tag.IAD)
	if iad, err = ParseIAD(raw); err != nil {
		return iad, false, err
	}
	cipher, known := PBOCOf(iad.Algorithm)
	if (iad.Version != VersionPBOC01 && iad.Version != VersionPBOC17) || !known {
		return iad, false, fmt.Errorf("%w: 9F10 names a cryptogram that is not known", ErrData)
	}
	issuerKey := keys.TDES
	if iad.Algorithm == AlgorithmSM4 {
		issuerKey = keys.SM4
	}
	cardKey, err := cipher.CardKey(issuerKey, pan, psn)
	if err != nil {
		return iad, false, err
	}
	defer cardKey.Wipe()
	atc, _ := get(tag.ATC) // PBOCData has seen its length
	session, err := cipher.SessionKey(cardKey, uint16(atc[0])<<8|uint16(atc[1]))
	if err != nil {
		return iad, false, err
	}
	defer session.Wipe()
	want, err := cipher.MAC(session, data)
	if err != nil {
		return iad, false, err
	}
	have, _ := get(tag.ApplicationCryptogram)
	return iad, subtle.ConstantTimeCompare(want[:], have) == 1, nil
}

func sm4Block(key pay.Secret) (cipher.Block, error) {
	block, err := sm4.NewCipher(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w: SM4 key of %d bytes", ErrKey, key.Len())
	}
	return block, nil
}

// sm4Derived is SM4 over x and its complement.
func sm4Derived(block cipher.Block, x [8]byte) pay.Secret {
	key := make([]byte, keyLen)
	copy(key, x[:])
	for i := range x {
		key[8+i] = ^x[i]
	}
	block.Encrypt(key, key)
	return pay.NewSecret(key)
}

// rightmostDigits are the 16 rightmost digits of PAN ‖ PSN, two a byte, zeros
// before shorter ones (EMV Book 2, A1.4.1). Errors: ErrKey.
func rightmostDigits(pan pay.PAN, psn string) (x [8]byte, err error) {
	if pan.IsZero() || len(psn) != 2 || strings.Trim(psn, "0123456789") != "" {
		return x, fmt.Errorf("%w: want a card number and a sequence number of 2 digits", ErrKey)
	}
	digits := pan.Reveal() + psn
	for len(digits) < 16 {
		digits = "0" + digits
	}
	digits = digits[len(digits)-16:]
	for i := range x {
		x[i] = (digits[2*i]-'0')<<4 | (digits[2*i+1] - '0')
	}
	return x, nil
}
