package cryptogram

import (
	"errors"
	"fmt"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// ErrData is wrapped by errors about the data that a cryptogram covers.
var ErrData = errors.New("cryptogram: data")

// pbocFields is what cryptogram version 01 covers, in its order: tag and exact length.
// The CVR out of 9F10 follows.
var pbocFields = [...]struct {
	tag tlv.Tag
	len int
}{
	{tag.AmountAuthorised, 6}, {tag.AmountOther, 6}, {tag.TerminalCountry, 2}, {tag.TVR, 5}, {tag.TransactionCurrency, 2},
	{tag.TransactionDate, 3}, {tag.TransactionType, 1}, {tag.UN, 4}, {tag.AIP, 2}, {tag.ATC, 2},
}

// PBOCDataLen is the length of what PBOCData gives: 33 bytes of fields and 4 of CVR.
const PBOCDataLen = 37

// PBOCData assembles what a cryptogram covers. Version 01, and every other that
// 9F10 names: 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36 and the CVR of 9F10.
// Version 17 (contactless): 9F02 9F37 9F36 and byte 2 of the CVR, as in Visa's
// (seen in two public programs of issuers, no vector). The card calls it over its
// PDOL data, the issuer over field 55, so that the rule has one home. get gives
// values by tag; one that is absent or of another length is ErrData. The error
// names the tag only.
func PBOCData(get func(tlv.Tag) ([]byte, bool)) ([]byte, error) {
	v, _ := get(tag.IAD)
	iad, err := ParseIAD(v)
	if err != nil {
		return nil, err
	}
	fields, cvr := pbocFields[:], iad.CVR[:]
	if iad.Version == VersionPBOC17 {
		fields, cvr = visaCVN17Fields[:], iad.CVR[1:2]
	}
	data := make([]byte, 0, PBOCDataLen)
	for _, f := range fields {
		v, ok := get(f.tag)
		if !ok || len(v) != f.len {
			return nil, fmt.Errorf("%w: %s: want %d bytes, have %d", ErrData, f.tag, f.len, len(v))
		}
		data = append(data, v...)
	}
	return append(data, cvr...), nil
}

// Cryptogram types as bits 6-5 of a CVR's second byte (and, shifted, of 9F27).
type Type byte

// Types.
const (
	AAC  Type = 0x00
	TC   Type = 0x10
	ARQC Type = 0x20
)

// CID is the type as 9F27 codes it.
func (t Type) CID() byte { return byte(t) << 2 }

// CVR is the card verification results of the UnionPay IAD: its length byte 03 and
// three bytes of facts that the card states under its cryptogram. The layout follows
// the public description (it is that of VIS); which bits our software cards set,
// and that CDCVM uses the bit of offline PIN verification, is a stand-in of ours.
type CVR [4]byte

// NewCVR is a CVR with a cryptogram type (second GENERATE AC not requested: bits 8-7 are 10).
func NewCVR(t Type) CVR { return CVR{0x03, 0x80 | byte(t)} }

// Bits of a CVR: index of the byte and mask.
const (
	cvrVerified    = 0x04 // byte 2: verified by the card or device
	cvrFailed      = 0x02 // byte 2: verification by the card or device failed
	cvrAuthFailed  = 0x08 // byte 3: issuer authentication failed on the last online transaction
	cvrScript      = 0x08 // byte 4: an issuer script failed
	cvrDDA         = 0x02 // byte 4: DDA performed
	cvrPINExpected = 0x01 // byte 4: PIN expected and not verified by the card
)

// Type is the cryptogram's type.
func (c CVR) Type() Type { return Type(c[1] & 0x30) }

// CDCVM reports that the card says: the device verified the cardholder.
func (c CVR) CDCVM() bool { return c[1]&(cvrVerified|cvrFailed) == cvrVerified }

// OnlinePIN reports that the card says: it asked for the online PIN (its CTQ B1b8).
func (c CVR) OnlinePIN() bool { return c[3]&cvrPINExpected != 0 }

// DDA reports that the card says: it signed dynamically.
func (c CVR) DDA() bool { return c[3]&cvrDDA != 0 }

// WithCDCVM is c with the statement of CDCVM.
func (c CVR) WithCDCVM() CVR { c[1] |= cvrVerified; return c }

// WithOnlinePIN is c with the statement of OnlinePIN.
func (c CVR) WithOnlinePIN() CVR { c[3] |= cvrPINExpected; return c }

// WithDDA is c with the statement of DDA.
func (c CVR) WithDDA() CVR { c[3] |= cvrDDA; return c }

// IssuerAuthFailed reports that the card says: the last ARPC was wrong.
func (c CVR) IssuerAuthFailed() bool { return c[2]&cvrAuthFailed != 0 }

// ScriptFailed reports that the card says: a command of the last scripts was refused.
func (c CVR) ScriptFailed() bool { return c[3]&cvrScript != 0 }

// WithIssuerAuthFailed is c with the statement of IssuerAuthFailed.
func (c CVR) WithIssuerAuthFailed() CVR { c[2] |= cvrAuthFailed; return c }

// WithScriptFailed is c with the statement of ScriptFailed.
func (c CVR) WithScriptFailed() CVR { c[3] |= cvrScript; return c }

// IAD is 9F10 of UnionPay: 07 ‖ derivation key index ‖ cryptogram version ‖ CVR(4) ‖
// algorithm (01: triple DES, 04: SM4), then optionally issuer discretionary data
// with its length byte (public description).
type IAD struct {
	KeyIndex, Version, Algorithm byte
	CVR                          CVR
	Discretionary                []byte // without its length byte; nil where absent
}

const (
	iadLen        = 7    // what the first byte counts
	VersionPBOC01 = 0x01 // cryptogram version of PBOC01
	VersionPBOC17 = 0x17 // hex: the contactless one, under the same keys
	AlgorithmTDES = 0x01
)

// Append appends the coded IAD.
func (d IAD) Append(dst []byte) []byte {
	dst = append(append(dst, iadLen, d.KeyIndex, d.Version), d.CVR[:]...)
	dst = append(dst, d.Algorithm)
	if d.Discretionary != nil {
		dst = append(append(dst, byte(len(d.Discretionary))), d.Discretionary...)
	}
	return dst
}

// ParseIAD takes 9F10 apart. Errors: ErrData.
func ParseIAD(b []byte) (IAD, error) {
	if len(b) < 1+iadLen || len(b) > 32 || b[0] != iadLen || b[3] != 3 {
		return IAD{}, fmt.Errorf("%w: 9F10 is not a UnionPay IAD", ErrData)
	}
	d := IAD{KeyIndex: b[1], Version: b[2], CVR: CVR(b[3:7]), Algorithm: b[7]}
	if rest := b[1+iadLen:]; len(rest) > 0 {
		if int(rest[0]) != len(rest)-1 {
			return IAD{}, fmt.Errorf("%w: 9F10: length of the discretionary data", ErrData)
		}
		d.Discretionary = rest[1:]
	}
	return d, nil
}
