package cryptogram

import (
	"fmt"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// CCD is the cryptogram of EMV's common core definitions, version 5 (EMV Book 2,
// 8.1 and annex A1; Book 3, annex C): card key by option B, common session key,
// ARPC method 2. How American Express, JCB and Discover make theirs is not
// public; our cards of these schemes and their issuer use this in its place. (Stand-in.)
var CCD ccd

type ccd struct{}

// VersionCCD is the cryptogram version of CCD, with the format code A in its upper half: the CCI of the IAD.
const VersionCCD = 0xA5

// CardKey derives a card's key from the issuer's. psn has two digits. Errors: ErrKey.
func (ccd) CardKey(issuerKey pay.Secret, pan pay.PAN, psn string) (pay.Secret, error) {
	return MChip20.CardKey(issuerKey, pan, psn, OptionB)
}

// SessionKey derives the key of one transaction from the card's (EMV Book 2, A1.3.1). Errors: ErrKey.
func (ccd) SessionKey(cardKey pay.Secret, atc uint16) (pay.Secret, error) {
	return MChip20.SessionKey(cardKey, atc, [4]byte{})
}

// MAC is the cryptogram over CCDData: ISO/IEC 9797-1 algorithm 3, padding method 2. Errors: ErrKey.
func (ccd) MAC(sessionKey pay.Secret, data []byte) ([8]byte, error) {
	return PBOC01.MAC(sessionKey, data)
}

// ARPC is method 2 (EMV Book 2, 8.2.2): four bytes of the MAC over the cryptogram and
// the card status update, under the session key. 91 is made of both. Errors: ErrKey.
func (c ccd) ARPC(sessionKey pay.Secret, arqc [8]byte, csu CSU) ([4]byte, error) {
	mac, err := c.MAC(sessionKey, append(arqc[:], csu[:]...))
	return [4]byte(mac[:4]), err
}

// CSU is the card status update (EMV Book 3, annex C10).
type CSU [4]byte

// NewCSU states whether the issuer approves.
func NewCSU(approved bool) (c CSU) {
	if approved {
		c[1] = CSUApproved
	}
	return c
}

// Approves reports that the issuer approves.
func (c CSU) Approves() bool { return c[1]&CSUApproved != 0 }

// AuthData is issuer authentication data, 91: ARPC ‖ CSU.
func (c CSU) AuthData(arpc [4]byte) []byte { return append(arpc[:], c[:]...) }

// ParseAuthData takes 91 apart; false where it has no 8 bytes.
func ParseAuthData(b []byte) (arpc [4]byte, csu CSU, ok bool) {
	if len(b) != 8 {
		return arpc, csu, false
	}
	return [4]byte(b[:4]), CSU(b[4:]), true
}

// CCDData assembles what a cryptogram covers: 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82
// 9F36 and the whole of 9F10 (EMV Book 2, 8.1.1 and CCD). The card calls it over
// its data of the terminal, the issuer over field 55. Errors: ErrData.
func CCDData(get func(tlv.Tag) ([]byte, bool)) ([]byte, error) {
	data := make([]byte, 0, PBOCDataLen-4+32)
	for _, f := range pbocFields {
		v, ok := get(f.tag)
		if !ok || len(v) != f.len {
			return nil, fmt.Errorf("%w: %s: want %d bytes, have %d", ErrData, f.tag, f.len, len(v))
		}
		data = append(data, v...)
	}
	iad, _ := get(tag.IAD)
	if len(iad) == 0 || len(iad) > 32 {
		return nil, fmt.Errorf("%w: 9F10: have %d bytes", ErrData, len(iad))
	}
	return append(data, iad...), nil
}

// CCDCVR is the card verification results of CCD (EMV Book 3, annex C7.3). Only the bits that our cards set and our
// issuer reads are named; that a device's own verification uses those of the offline PIN is a stand-in of ours.
type CCDCVR [5]byte

const (
	ccdNoSecond  = 0x80 // byte 1, bits 8-7: second GENERATE AC not requested
	ccdSecondTC  = 0x40 // byte 1, bits 8-7: TC returned in it
	ccdCDA       = 0x08 // byte 1
	ccdAuthFails = 0x01 // byte 1: issuer authentication performed and failed
	ccdPINDone   = 0x08 // byte 2
	ccdPINFailed = 0x04 // byte 2
)

// NewCCDCVR states the type of the first cryptogram.
func NewCCDCVR(t Type) CCDCVR { return CCDCVR{ccdNoSecond | byte(t)} }

// Type is the first cryptogram's type.
func (c CCDCVR) Type() Type { return Type(c[0] & 0x30) }

// CDCVM reports that the card says: the device verified its holder.
func (c CCDCVR) CDCVM() bool { return c[1]&(ccdPINDone|ccdPINFailed) == ccdPINDone }

// CDA reports that the card says: it signed.
func (c CCDCVR) CDA() bool { return c[0]&ccdCDA != 0 }

// WithCDCVM is c with the statement of CDCVM.
func (c CCDCVR) WithCDCVM() CCDCVR { c[1] |= ccdPINDone; return c }

// WithCDA is c with the statement of CDA.
func (c CCDCVR) WithCDA() CCDCVR { c[0] |= ccdCDA; return c }

// WithSecond is c with the type of the second cryptogram, TC or AAC.
func (c CCDCVR) WithSecond(t Type) CCDCVR {
	c[0] &^= ccdNoSecond | ccdSecondTC
	if t == TC {
		c[0] |= ccdSecondTC
	}
	return c
}

// WithIssuerAuthFailed is c with the statement that the issuer's answer was not the issuer's.
func (c CCDCVR) WithIssuerAuthFailed() CCDCVR { c[0] |= ccdAuthFails; return c }

// CCDIAD is 9F10 of CCD (EMV Book 3, annex C7.2): 0F ‖ CCI ‖ derivation key index ‖
// CVR(5) ‖ counters(8) ‖ 0F ‖ issuer discretionary data(15).
type CCDIAD struct {
	KeyIndex      byte
	CVR           CCDCVR
	Counters      [8]byte
	Discretionary [15]byte
}

const ccdHalf = 0x0F // length of each half of the IAD

// Append appends the coded IAD.
func (d CCDIAD) Append(dst []byte) []byte {
	dst = append(append(dst, ccdHalf, VersionCCD, d.KeyIndex), d.CVR[:]...)
	dst = append(append(dst, d.Counters[:]...), ccdHalf)
	return append(dst, d.Discretionary[:]...)
}

// ParseCCDIAD takes 9F10 apart. Errors: ErrData.
func ParseCCDIAD(b []byte) (CCDIAD, error) {
	if len(b) != 32 || b[0] != ccdHalf || b[16] != ccdHalf || b[1] != VersionCCD {
		return CCDIAD{}, fmt.Errorf("%w: 9F10 is not a CCD IAD of version A5", ErrData)
	}
	return CCDIAD{KeyIndex: b[2], CVR: CCDCVR(b[3:8]), Counters: [8]byte(b[8:16]), Discretionary: [15]byte(b[17:])}, nil
}

// DiscoverCVR is the card verification results of D-PAS: eight bytes, of which public
// implementations of kernel 6 read byte 2. The cryptogram type in byte 1 is a stand-in.
type DiscoverCVR [8]byte

// Bits of byte 2.
const (
	discoverDomestic      = 0x10
	discoverInternational = 0x08
	discoverVerified      = 0x02 // confirmation code verification performed
	discoverFailed        = 0x01 // and failed
)

// NewDiscoverCVR states the cryptogram's type and whether the card is at home.
func NewDiscoverCVR(t Type, domestic bool) DiscoverCVR {
	where := byte(discoverInternational)
	if domestic {
		where = discoverDomestic
	}
	return DiscoverCVR{ccdNoSecond | byte(t), where}
}

// Type is the cryptogram's type.
func (c DiscoverCVR) Type() Type { return Type(c[0] & 0x30) }

// CDCVM reports that the card says: the device verified its holder.
func (c DiscoverCVR) CDCVM() bool {
	return c[1]&(discoverVerified|discoverFailed) == discoverVerified
}

// WithCDCVM is c with the statement of CDCVM.
func (c DiscoverCVR) WithCDCVM() DiscoverCVR { c[1] |= discoverVerified; return c }

// DiscoverIAD is 9F10 of D-PAS: derivation key index ‖ cryptogram version ‖ CVR(8). The
// version of our cards is CCD's, so that nobody takes it for one of the scheme's.
type DiscoverIAD struct {
	KeyIndex byte
	CVR      DiscoverCVR
}

// Append appends the coded IAD.
func (d DiscoverIAD) Append(dst []byte) []byte {
	return append(append(dst, d.KeyIndex, VersionCCD), d.CVR[:]...)
}

// ParseDiscoverIAD takes 9F10 apart. Errors: ErrData.
func ParseDiscoverIAD(b []byte) (DiscoverIAD, error) {
	if len(b) != 10 || b[1] != VersionCCD {
		return DiscoverIAD{}, fmt.Errorf("%w: 9F10 is not a D-PAS IAD of version A5", ErrData)
	}
	return DiscoverIAD{KeyIndex: b[0], CVR: DiscoverCVR(b[2:])}, nil
}
