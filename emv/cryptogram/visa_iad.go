package cryptogram

import "fmt"

// VisaCVR is the card verification results of Visa: the length byte 03 and
// what follows; format 2 of the IAD has one byte more than format 0. Byte 2
// is byte 5 of 9F10. Only the bits that our cards set and our issuer reads are
// named; that CDCVM uses the bit of offline PIN verification is a stand-in of ours.
type VisaCVR [5]byte

// NewVisaCVR is a CVR with a cryptogram type (second GENERATE AC not requested: bits 8-7 are 10).
func NewVisaCVR(t Type) VisaCVR { return VisaCVR{0x03, 0x80 | byte(t)} }

// Type is the cryptogram's type.
func (c VisaCVR) Type() Type { return Type(c[1] & 0x30) }

// CDCVM reports that the card says: the device verified its holder.
func (c VisaCVR) CDCVM() bool { return c[1]&(cvrVerified|cvrFailed) == cvrVerified }

// OnlinePIN reports that the card says: it asked for the online PIN.
func (c VisaCVR) OnlinePIN() bool { return c[3]&cvrPINExpected != 0 }

// DDA reports that the card says: it signed dynamically.
func (c VisaCVR) DDA() bool { return c[3]&cvrDDA != 0 }

// ScriptFailed reports that the card says: an issuer script failed.
func (c VisaCVR) ScriptFailed() bool { return c[3]&visaScriptFailed != 0 }

// IssuerAuthFailed reports that the card says: the last issuer authentication failed.
func (c VisaCVR) IssuerAuthFailed() bool { return c[2]&visaIssuerAuthFailed != 0 }

const (
	visaScriptFailed     = 0x08 // byte 4
	visaIssuerAuthFailed = 0x08 // byte 3
)

// WithCDCVM is c with the statement of CDCVM.
func (c VisaCVR) WithCDCVM() VisaCVR { c[1] |= cvrVerified; return c }

// WithOnlinePIN is c with the statement of OnlinePIN.
func (c VisaCVR) WithOnlinePIN() VisaCVR { c[3] |= cvrPINExpected; return c }

// WithDDA is c with the statement of DDA.
func (c VisaCVR) WithDDA() VisaCVR { c[3] |= cvrDDA; return c }

// WithScriptFailed is c with the statement of ScriptFailed.
func (c VisaCVR) WithScriptFailed() VisaCVR { c[3] |= visaScriptFailed; return c }

// WithIssuerAuthFailed is c with the statement of IssuerAuthFailed.
func (c VisaCVR) WithIssuerAuthFailed() VisaCVR { c[2] |= visaIssuerAuthFailed; return c }

// VisaIAD is 9F10 of Visa (public description of VIS 1.6). Formats 0, 1 and 3 (CVN
// 10, 17, 18): 06 ‖ derivation key index ‖ version ‖ CVR(4), then optionally
// issuer discretionary data. Format 2 (CVN 22): 1F ‖ version ‖ derivation key
// index ‖ CVR(5) ‖ issuer discretionary data up to 32 bytes in all.
type VisaIAD struct {
	Version       Visa
	KeyIndex      byte
	CVR           VisaCVR // the fifth byte is of format 2 only
	Discretionary []byte
}

const (
	visaFormat0 = 0x06
	visaFormat2 = 0x1F
	visaIADMax  = 32
)

// Append appends the coded IAD. Discretionary data of format 2 are padded with zeros.
func (d VisaIAD) Append(dst []byte) []byte {
	if d.Version != VisaCVN22 {
		dst = append(append(dst, visaFormat0, d.KeyIndex, byte(d.Version)), d.CVR[:4]...)
		return append(dst, d.Discretionary...)
	}
	from := len(dst)
	dst = append(append(dst, visaFormat2, byte(d.Version), d.KeyIndex), d.CVR[:]...)
	dst = append(dst, d.Discretionary...)
	for len(dst)-from < visaIADMax {
		dst = append(dst, 0)
	}
	return dst
}

// ParseVisaIAD takes 9F10 apart. Errors: ErrData.
func ParseVisaIAD(b []byte) (VisaIAD, error) {
	bad := func() (VisaIAD, error) {
		return VisaIAD{}, fmt.Errorf("%w: 9F10 is not a Visa IAD of a known version", ErrData)
	}
	if len(b) < 7 || len(b) > visaIADMax || b[3] != 3 {
		return bad()
	}
	switch b[0] {
	case visaFormat0:
		d := VisaIAD{Version: Visa(b[2]), KeyIndex: b[1]}
		copy(d.CVR[:], b[3:7])
		if !d.Version.Known() || d.Version == VisaCVN22 {
			return bad()
		}
		if len(b) > 7 {
			d.Discretionary = b[7:]
		}
		return d, nil
	case visaFormat2:
		if len(b) != visaIADMax || Visa(b[1]) != VisaCVN22 {
			return bad()
		}
		return VisaIAD{Version: VisaCVN22, KeyIndex: b[2], CVR: VisaCVR(b[3:8]), Discretionary: b[8:]}, nil
	}
	return bad()
}
