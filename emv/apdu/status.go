package apdu

import "fmt"

// Status words that code names (ISO/IEC 7816-4 5.1.3, EMV Book 3, 6.3.5).
const (
	SWOK                   uint16 = 0x9000
	SWWarning              uint16 = 0x6200
	SWFileInvalidated      uint16 = 0x6283
	SWAuthFailed           uint16 = 0x6300
	SWWrongLength          uint16 = 0x6700
	SWSecurityStatus       uint16 = 0x6982
	SWPINBlocked           uint16 = 0x6983
	SWReferenceInvalidated uint16 = 0x6984
	SWConditions           uint16 = 0x6985
	SWSeePhone             uint16 = 0x6986
	SWWrongData            uint16 = 0x6A80
	SWNotSupported         uint16 = 0x6A81
	SWFileNotFound         uint16 = 0x6A82
	SWRecordNotFound       uint16 = 0x6A83
	SWWrongP1P2            uint16 = 0x6A86
	SWDataNotFound         uint16 = 0x6A88
	SWUnknownINS           uint16 = 0x6D00
	SWUnknownCLA           uint16 = 0x6E00
	SWNoDiagnosis          uint16 = 0x6F00
)

var statusText = map[uint16]string{
	SWOK:                   "done",
	SWWarning:              "warning, nothing changed",
	SWFileInvalidated:      "selected application is invalidated",
	SWAuthFailed:           "verification failed",
	SWWrongLength:          "wrong length",
	SWSecurityStatus:       "security condition not satisfied",
	SWPINBlocked:           "PIN or authentication method blocked",
	SWReferenceInvalidated: "referenced data invalidated",
	SWConditions:           "conditions of use not satisfied",
	SWSeePhone:             "command not allowed now (phones: see the phone)",
	SWWrongData:            "wrong data",
	SWNotSupported:         "function not supported (or card blocked)",
	SWFileNotFound:         "file or application not found",
	SWRecordNotFound:       "record not found",
	SWWrongP1P2:            "wrong P1 or P2",
	SWDataNotFound:         "referenced data not found",
	SWUnknownINS:           "instruction not supported",
	SWUnknownCLA:           "class not supported",
	SWNoDiagnosis:          "no precise diagnosis",
}

// Explain is a status word in English words.
func Explain(sw uint16) string {
	if s, ok := statusText[sw]; ok {
		return s
	}
	switch sw & 0xFF00 {
	case 0x6100:
		return fmt.Sprintf("%d more bytes available", sw&0xFF)
	case 0x6C00:
		return fmt.Sprintf("wrong Le, %d bytes available", sw&0xFF)
	case 0x6200, 0x6300:
		if sw&0xFFF0 == 0x63C0 {
			return fmt.Sprintf("verification failed, %d tries left", sw&0x0F)
		}
		return "warning"
	case 0x6400, 0x6500, 0x6600:
		return "execution error"
	case 0x6800:
		return "function in CLA not supported"
	case 0x6900:
		return "command not allowed"
	case 0x6A00:
		return "wrong parameters"
	case 0x6B00:
		return "wrong P1 or P2"
	}
	return "unknown status word"
}
