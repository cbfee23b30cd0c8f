package cryptogram

import (
	"crypto/sha1"
	"fmt"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// MChip is a cryptogram version of M/Chip (public description, checked against
// vectors of another implementation). Schemes write these numbers in decimal;
// 9F10 carries them in hex: bit 3 is set where session keys are EMV's common
// ones (CSK), clear where they are M/Chip's own (SKD, with the unpredictable
// number); bit 1 is set where the cryptogram covers the counters.
type MChip byte

// The versions: decimal in the name, as the scheme does.
const (
	MChip16 MChip = 0x10 // SKD
	MChip17 MChip = 0x11 // SKD, counters
	MChip20 MChip = 0x14 // CSK
	MChip21 MChip = 0x15 // CSK, counters
)

// Known reports one of the four versions.
func (v MChip) Known() bool {
	return v == MChip16 || v == MChip17 || v == MChip20 || v == MChip21
}

func (v MChip) common() bool   { return v&0x04 != 0 }
func (v MChip) counters() bool { return v&0x01 != 0 }

// MasterKeyOption is how a card's key is derived from the issuer's (EMV Book 2, A1.4).
type MasterKeyOption byte

// Options. B differs from A only for card numbers of 17 digits and more.
const (
	OptionA MasterKeyOption = iota
	OptionB
)

// CardKey derives a card's key from the issuer's. psn has two digits. Errors: ErrKey.
func (MChip) CardKey(issuerKey pay.Secret, pan pay.PAN, psn string, option MasterKeyOption) (pay.Secret, error) {
	if option == OptionA || len(pan.Reveal()) <= 16 {
		key, err := PBOC01.CardKey(issuerKey, pan, psn) // the same derivation, EMV Book 2, A1.4.1
		if err != nil {
			return pay.Secret{}, err
		}
		oddParity(key.Reveal())
		return key, nil
	}
	block, err := tdes(issuerKey)
	if err != nil {
		return pay.Secret{}, err
	}
	if len(psn) != 2 || psn[0] < '0' || psn[0] > '9' || psn[1] < '0' || psn[1] > '9' {
		return pay.Secret{}, fmt.Errorf("%w: want a sequence number of 2 digits", ErrKey)
	}
	digits := pan.Reveal() + psn
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	packed := make([]byte, len(digits)/2)
	for i := range packed {
		packed[i] = (digits[2*i]-'0')<<4 | (digits[2*i+1] - '0')
	}
	key := diversify(block, decimalised(sha1.Sum(packed)))
	oddParity(key.Reveal())
	return key, nil
}

// decimalised is the 16 leftmost decimal digits of a hash; where it has fewer,
// its letters follow as digits, A to F as 0 to 5 (EMV Book 2, A1.4.2).
func decimalised(hash [sha1.Size]byte) (x [8]byte) {
	digits := make([]byte, 0, 40)
	for _, letters := range [...]bool{false, true} {
		for i := range 2 * len(hash) {
			n := hash[i/2] >> 4
			if i%2 == 1 {
				n = hash[i/2] & 15
			}
			switch {
			case !letters && n < 10:
				digits = append(digits, n)
			case letters && n >= 10:
				digits = append(digits, n-10)
			}
		}
	}
	for i := range x {
		x[i] = digits[2*i]<<4 | digits[2*i+1]
	}
	return x
}

// oddParity sets the low bit of each byte so that a DES key has odd parity. DES
// takes no notice; key check values and comparisons with other implementations do.
func oddParity(key []byte) {
	for i, b := range key {
		p := b >> 1
		p ^= p >> 4
		p ^= p >> 2
		p ^= p >> 1
		key[i] = b&0xFE | ^p&1
	}
}

// SessionKey derives the key of one transaction from the card's: EMV Book 2, A1.3.1
// over ATC ‖ 00 00 ‖ 9F37 (SKD), or ATC ‖ 00 00 00 00 00 00 (CSK). Errors: ErrKey.
func (v MChip) SessionKey(cardKey pay.Secret, atc uint16, un [4]byte) (pay.Secret, error) {
	block, err := tdes(cardKey)
	if err != nil {
		return pay.Secret{}, err
	}
	r := [8]byte{byte(atc >> 8), byte(atc)}
	if !v.common() {
		copy(r[4:], un[:])
	}
	key := make([]byte, keyLen)
	copy(key, r[:])
	copy(key[8:], r[:])
	key[2], key[10] = 0xF0, 0x0F
	block.Encrypt(key[:8], key[:8])
	block.Encrypt(key[8:], key[8:])
	oddParity(key)
	return pay.NewSecret(key), nil
}

// MAC is the cryptogram over MChipData: ISO/IEC 9797-1 algorithm 3, padding method 2. Errors: ErrKey.
func (MChip) MAC(sessionKey pay.Secret, data []byte) ([8]byte, error) {
	return PBOC01.MAC(sessionKey, data)
}

// ARPC is method 1 (EMV Book 2, 8.2.1): under the card's own key for versions 16 and
// 17, under the session key for 20 and 21. arc is the ARPC response code,
// for M/Chip two bytes of bits (0010: approve). Errors: ErrKey.
func (v MChip) ARPC(cardKey pay.Secret, atc uint16, arqc [8]byte, arc [2]byte) ([8]byte, error) {
	if !v.common() {
		return PBOC01.ARPC(cardKey, arqc, arc)
	}
	key, err := v.SessionKey(cardKey, atc, [4]byte{})
	if err != nil {
		return [8]byte{}, err
	}
	defer key.Wipe()
	return PBOC01.ARPC(key, arqc, arc)
}

// MChipData assembles what a cryptogram covers: 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82
// 9F36, the CVR of 9F10, and its counters where the version includes them.
// The card calls it over its CDOL1 data, the issuer over field 55. Errors: ErrData.
func MChipData(get func(tlv.Tag) ([]byte, bool)) ([]byte, error) {
	data := make([]byte, 0, PBOCDataLen+2+24)
	for _, f := range pbocFields { // the minimum set of EMV Book 2, 8.1.1, the same for both schemes
		v, ok := get(f.tag)
		if !ok || len(v) != f.len {
			return nil, fmt.Errorf("%w: %s: want %d bytes, have %d", ErrData, f.tag, f.len, len(v))
		}
		data = append(data, v...)
	}
	v, _ := get(tag.IAD)
	iad, err := ParseMChipIAD(v)
	if err != nil {
		return nil, err
	}
	data = append(data, iad.CVR[:]...)
	if iad.Version.counters() {
		data = append(data, iad.Counters...)
	}
	return data, nil
}

// MChipCVR is the card verification results of M/Chip: six bytes (public
// description). Only the bits that our cards set and our issuer reads are named.
type MChipCVR [6]byte

// Bits of byte 1 and 2.
const (
	mchipNoSecondAC  = 0x80 // byte 1: no second GENERATE AC
	mchipPINDone     = 0x04 // byte 1: offline PIN verification performed
	mchipPINVerified = 0x01 // byte 1: offline PIN verification successful
	mchipCDA         = 0x40 // byte 2: combined signature returned in the first GENERATE AC
)

// NewMChipCVR states a cryptogram type.
func NewMChipCVR(t Type) MChipCVR { return MChipCVR{mchipNoSecondAC | byte(t)} }

// Type is the cryptogram's type.
func (c MChipCVR) Type() Type { return Type(c[0] & 0x30) }

// CDCVM reports that the card says: the device verified its holder. M/Chip
// states it as offline PIN verification, performed and successful.
func (c MChipCVR) CDCVM() bool {
	return c[0]&(mchipPINDone|mchipPINVerified) == mchipPINDone|mchipPINVerified
}

// CDA reports that the card says: it signed.
func (c MChipCVR) CDA() bool { return c[1]&mchipCDA != 0 }

// WithCDCVM is c with the statement of CDCVM.
func (c MChipCVR) WithCDCVM() MChipCVR { c[0] |= mchipPINDone | mchipPINVerified; return c }

// WithCDA is c with the statement of CDA.
func (c MChipCVR) WithCDA() MChipCVR { c[1] |= mchipCDA; return c }

// MChipIAD is 9F10 of M/Chip: derivation key index ‖ version ‖ CVR(6) ‖ DAC or ICC
// dynamic number(2) ‖ counters (8 bytes for M/Chip 4; 8, 10, 16 or 18 for Advance).
type MChipIAD struct {
	KeyIndex byte
	Version  MChip
	CVR      MChipCVR
	DAC      [2]byte
	Counters []byte
}

// Append appends the coded IAD.
func (d MChipIAD) Append(dst []byte) []byte {
	dst = append(append(dst, d.KeyIndex, byte(d.Version)), d.CVR[:]...)
	return append(append(dst, d.DAC[:]...), d.Counters...)
}

// ParseMChipIAD takes 9F10 apart. Errors: ErrData.
func ParseMChipIAD(b []byte) (MChipIAD, error) {
	if len(b) < 10 || len(b) > 32 || !MChip(b[1]).Known() {
		return MChipIAD{}, fmt.Errorf("%w: 9F10 is not an M/Chip IAD of a known version", ErrData)
	}
	switch len(b) - 10 {
	case 0, 8, 10, 16, 18:
	default:
		return MChipIAD{}, fmt.Errorf("%w: 9F10: length of the counters", ErrData)
	}
	return MChipIAD{KeyIndex: b[0], Version: MChip(b[1]), CVR: MChipCVR(b[2:8]), DAC: [2]byte(b[8:10]), Counters: b[10:]}, nil
}

// IVCVC3 is the initialisation vector of a track's CVC3: the two last bytes of
// the MAC over the track as it is personalised. Errors: ErrKey.
func IVCVC3(key pay.Secret, track []byte) ([2]byte, error) {
	mac, err := PBOC01.MAC(key, track)
	return [2]byte(mac[6:]), err
}

// CVC3 is the dynamic checksum of mag-stripe mode: the two last bytes of
// IVCVC3 ‖ 9F6A ‖ ATC, enciphered under the card's CVC3 key. Errors: ErrKey.
func CVC3(key pay.Secret, iv [2]byte, un [4]byte, atc uint16) ([2]byte, error) {
	block, err := tdes(key)
	if err != nil {
		return [2]byte{}, err
	}
	var x [8]byte
	copy(x[:2], iv[:])
	copy(x[2:6], un[:])
	x[6], x[7] = byte(atc>>8), byte(atc)
	block.Encrypt(x[:], x[:])
	return [2]byte(x[6:]), nil
}
