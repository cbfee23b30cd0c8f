package c6

import (
	"huika/emv/oda"
	"huika/pay"
)

// ID is the kernel identifier of kernel 6.
const ID = 6

// Version is the application version number (9F09) that a terminal without its own value claims (D-PAS 1.0, public description).
const Version = 0x0001

// Config is a terminal's configuration of the kernel. Limits are minor units.
type Config struct {
	CAKeys *oda.CAStore // nil: CDA always fails
	// ExceptionFile reports whether a card is on the terminal's exception file;
	// psn is "" where the card gave none. nil: no file.
	ExceptionFile func(pan pay.PAN, psn string) bool
	// FloorLimit is the largest amount that may be approved offline, CVMLimit the
	// smallest that needs the cardholder. They bind even where Entry Point ran
	// without pre-processing (autorun); nil: only the indicators decide.
	FloorLimit, CVMLimit *int64
	Version              uint16 // 9F09; 0: the constant Version
}

// Kernel is a configured kernel. It may be used by several terminals at once.
type Kernel struct {
	Config
	// verify checks the combined signature; nil: through emv/book3. The
	// benchmark replaces it to count the public-key operations apart.
	verify func(t *tap) error
}

// TTQ, 9F66 (terminal transaction qualifiers).
const (
	ttq1MagStripe      = 0x80
	ttq1Chip           = 0x10 // EMV contact chip supported
	ttq1OfflineOnly    = 0x08
	ttq1OnlinePIN      = 0x04
	ttq1Signature      = 0x02
	ttq2OnlineRequired = 0x80
	ttq2CVMRequired    = 0x40
	ttq3IssuerUpdate   = 0x80
	ttq3CDCVM          = 0x40
)

// CPR, 9F71 (card processing requirements).
const (
	cpr1OnlinePIN       = 0x80
	cpr1Signature       = 0x40
	cpr1Loyalty         = 0x20 // program identifier limit reached
	cpr1CDCVM           = 0x10 // consumer device CVM performed
	cpr2SwitchIfOffline = 0x80 // switch to another interface if unable to process online
	cpr2OnlineIfCDAFail = 0x40
	cpr2SwitchIfCDAFail = 0x20 // decline or switch
	cpr2IssuerUpdate    = 0x10
	cpr2OnlineExpired   = 0x08
	cpr2DeclineExpired  = 0x04
	cpr2FallbackSign    = 0x02
	cpr2FallbackNone    = 0x01
)

// Card verification results in 9F10: derivation key index(1) ‖ cryptogram version(1) ‖ CVR(8).
const (
	iadCVR          = 2
	iadCVREnd       = 10
	cvr2Verified    = 0x02 // byte 2: confirmation code verification performed
	cvr2VerifyFail  = 0x01 // byte 2: performed and failed
	cap2NoCVM       = 0x08 // 9F33 byte 2: no CVM required
	maxTrack2       = 19
	offlineBalances = 6 // bytes of D1
)
