package cryptogram

import (
	"crypto/des"
	"fmt"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Visa is a cryptogram version of Visa as byte 3 (or 2, see VisaIAD) of 9F10
// carries it. People call 0A, 11 and 12 by their decimal numbers 10, 17 and 18,
// and 22 by its hex digits: its upper half says IAD format 2, its lower half
// algorithm 2, which is that of 18 (public description of VIS 1.6).
//
//	      key of the cryptogram   covers                              padding  ARPC
//	CVN10 card key                the common set, then CVR            zeros    method 1, card key
//	CVN17 card key                9F02 9F37 9F36, byte 5 of 9F10      zeros    method 1, card key
//	CVN18 common session key      the common set, then 9F10           80       method 2, session key
//	CVN22 common session key      the common set, then 9F10           80       method 2, session key
//
// CVN10 and CVN18 are checked against vectors of another implementation; CVN22
// differs from CVN18 in the form of 9F10 only; CVN17 is by public description and
// checked against no vector.
type Visa byte

// The versions.
const (
	VisaCVN10 Visa = 0x0A
	VisaCVN17 Visa = 0x11
	VisaCVN18 Visa = 0x12
	VisaCVN22 Visa = 0x22
)

// Known reports one of the four versions.
func (v Visa) Known() bool {
	return v == VisaCVN10 || v == VisaCVN17 || v == VisaCVN18 || v == VisaCVN22
}

// String is the number that people use.
func (v Visa) String() string {
	switch v {
	case VisaCVN10, VisaCVN17, VisaCVN18:
		return fmt.Sprintf("CVN %d", byte(v))
	}
	return fmt.Sprintf("CVN %02X", byte(v))
}

// session reports that the version uses common session keys, whole 9F10 and ARPC method 2.
func (v Visa) session() bool { return v == VisaCVN18 || v == VisaCVN22 }

// CardKey derives a card's key (UDK) from the issuer's: EMV Book 2, A1.4, option
// A for CVN 10 and 17, option B (which differs beyond 16 digits only) for 18 and
// 22. psn has two digits. Errors: ErrKey.
func (v Visa) CardKey(issuerKey pay.Secret, pan pay.PAN, psn string) (pay.Secret, error) {
	option := OptionA
	if v.session() {
		option = OptionB
	}
	return MChip20.CardKey(issuerKey, pan, psn, option) // EMV's own derivation; not M/Chip's alone
}

// SessionKey is the key of one cryptogram: the card's own for CVN 10 and 17,
// EMV's common session key over the ATC for 18 and 22. Errors: ErrKey.
func (v Visa) SessionKey(cardKey pay.Secret, atc uint16) (pay.Secret, error) {
	if v.session() {
		return MChip20.SessionKey(cardKey, atc, [4]byte{}) // common session key, EMV Book 2, A1.3.1
	}
	if cardKey.Len() != keyLen {
		return pay.Secret{}, fmt.Errorf("%w: want %d bytes, have %d", ErrKey, keyLen, cardKey.Len())
	}
	return pay.NewSecret(append([]byte(nil), cardKey.Reveal()...)), nil
}

// MAC is the cryptogram over VisaData: ISO/IEC 9797-1 algorithm 3, padded with
// zeros (method 1) for CVN 10 and 17, with 80 and zeros (method 2) for 18 and 22. Errors: ErrKey.
func (v Visa) MAC(sessionKey pay.Secret, data []byte) ([8]byte, error) {
	if v.session() {
		return PBOC01.MAC(sessionKey, data)
	}
	return macZeros(sessionKey, data)
}

// macZeros is ISO/IEC 9797-1 algorithm 3 with padding method 1.
func macZeros(key pay.Secret, data []byte) ([8]byte, error) {
	full, err := tdes(key)
	if err != nil {
		return [8]byte{}, err
	}
	left, err := des.NewCipher(key.Reveal()[:8])
	if err != nil {
		return [8]byte{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var chain [8]byte
	for {
		for i := range min(8, len(data)) {
			chain[i] ^= data[i]
		}
		if len(data) <= 8 {
			break
		}
		left.Encrypt(chain[:], chain[:])
		data = data[8:]
	}
	full.Encrypt(chain[:], chain[:])
	return chain, nil
}

// VisaData assembles what a cryptogram of the version that 9F10 names covers.
// The card calls it over its PDOL data, the issuer over field 55. get gives
// values by tag; one that is absent or of another length is ErrData. The error names the tag only.
func VisaData(get func(tlv.Tag) ([]byte, bool)) ([]byte, error) {
	whole, _ := get(tag.IAD)
	iad, err := ParseVisaIAD(whole)
	if err != nil {
		return nil, err
	}
	fields := pbocFields[:] // the minimum set of EMV Book 2, 8.1.1
	if iad.Version == VisaCVN17 {
		fields = visaCVN17Fields[:]
	}
	data := make([]byte, 0, PBOCDataLen+visaIADMax)
	for _, f := range fields {
		v, ok := get(f.tag)
		if !ok || len(v) != f.len {
			return nil, fmt.Errorf("%w: %s: want %d bytes, have %d", ErrData, f.tag, f.len, len(v))
		}
		data = append(data, v...)
	}
	switch iad.Version {
	case VisaCVN10:
		return append(data, iad.CVR[:4]...), nil
	case VisaCVN17:
		return append(data, iad.CVR[1]), nil
	}
	return append(data, whole...), nil
}

var visaCVN17Fields = [...]struct {
	tag tlv.Tag
	len int
}{{tag.AmountAuthorised, 6}, {tag.UN, 4}, {tag.ATC, 2}}

// ARPC makes 91 (issuer authentication data) for a cryptogram. Method 1 (CVN 10
// and 17): ARPC(8) ‖ status, status being the two characters of 8A. Method 2 (CVN
// 18 and 22): ARPC(4) ‖ status, status being the card status update (4 bytes).
// Errors: ErrKey; ErrData for a status of another length.
func (v Visa) ARPC(cardKey pay.Secret, atc uint16, ac [8]byte, status []byte) ([]byte, error) {
	key, err := v.SessionKey(cardKey, atc)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	if !v.session() {
		if len(status) != 2 {
			return nil, fmt.Errorf("%w: response code of %d bytes", ErrData, len(status))
		}
		arpc, err := PBOC01.ARPC(key, ac, [2]byte(status))
		if err != nil {
			return nil, err
		}
		return append(arpc[:], status...), nil
	}
	if len(status) != 4 {
		return nil, fmt.Errorf("%w: card status update of %d bytes", ErrData, len(status))
	}
	mac, err := PBOC01.MAC(key, append(append(make([]byte, 0, 12), ac[:]...), status...)) // EMV Book 2, 8.2.2
	if err != nil {
		return nil, err
	}
	return append(append(make([]byte, 0, 8), mac[:4]...), status...), nil
}

// CSUApproved is bit 8 of byte 2 of a card status update: the issuer approves the
// online transaction (EMV Book 3, annex C10).
const CSUApproved = 0x80

// ScriptKey is the session key of issuer scripts: the halves of the card's key
// exclusive-or the ATC and its complement (public description, checked against a vector).
// cardKey is derived from the issuer's key for message integrity. Errors: ErrKey.
func (Visa) ScriptKey(cardKey pay.Secret, atc uint16) (pay.Secret, error) {
	if cardKey.Len() != keyLen {
		return pay.Secret{}, fmt.Errorf("%w: want %d bytes, have %d", ErrKey, keyLen, cardKey.Len())
	}
	key := append([]byte(nil), cardKey.Reveal()...)
	key[6] ^= byte(atc >> 8)
	key[7] ^= byte(atc)
	key[14] ^= ^byte(atc >> 8)
	key[15] ^= ^byte(atc)
	return pay.NewSecret(key), nil
}

// ScriptMAC is the MAC of one script command under its ScriptKey: header (CLA INS
// P1 P2 Lc) ‖ ATC ‖ cryptogram ‖ data before the MAC. A command carries its first
// 4 to 8 bytes. Errors: ErrKey.
func (Visa) ScriptMAC(scriptKey pay.Secret, header []byte, atc uint16, ac [8]byte, data []byte) ([8]byte, error) {
	b := make([]byte, 0, len(header)+10+len(data))
	b = append(append(b, header...), byte(atc>>8), byte(atc))
	return PBOC01.MAC(scriptKey, append(append(b, ac[:]...), data...))
}
