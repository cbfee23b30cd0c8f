package c5

import (
	"time"

	"huika/emv/book3"
	"huika/emv/oda"
	"huika/pay"
)

// ID is the kernel identifier of kernel 5.
const ID = 5

// Version is the application version number (9F09) that a terminal without its own value claims (public description).
const Version = 0x0200

// Combination options, byte 1: what the terminal does for this application.
const (
	StatusCheck     = 0x40
	ODASupported    = 0x20
	ExceptionCheck  = 0x10
	RandomSelection = 0x08
	EMVMode         = 0x02
	LegacyMode      = 0x01
)

// Terminal interchange profile, 9F53.
const (
	tip1CVMRequired = 0x80 // set by the kernel
	TIP1Signature   = 0x40
	TIP1OnlinePIN   = 0x20
	TIP1OnDevice    = 0x10
	TIP2Update      = 0x80 // issuer update supported
)

// Terminal compatibility indicator, 9F52. Bit 1, mag-stripe mode, which Book C-5 has always set, is
// clear here: this kernel has no such mode.
const tciEMV = 0x02

// Config is a terminal's configuration of the kernel. Start from Defaults.
// Limits are minor units; an amount at one exceeds it (Book C-5, 5.5).
type Config struct {
	CAKeys        *oda.CAStore                       // nil: CDA always fails
	ExceptionFile func(pan pay.PAN, psn string) bool // nil: no file; looked at with ExceptionCheck only
	Options       byte                               // combination options, byte 1
	Profile       [3]byte                            // 9F53
	TACDefault    [5]byte
	TACDenial     [5]byte
	TACOnline     [5]byte
	// The limits; nil: none. Entry Point's indicators count too.
	TransactionLimit, FloorLimit, CVMLimit *int64
	Random                                 book3.Random  // random transaction selection below FloorLimit
	RemovalTimeout                         time.Duration // of "present and hold"
	Version                                uint16        // 9F09; 0: the constant Version
}

// Defaults are a terminal with CDA, EMV and legacy mode, online PIN, signature and
// on-device CVM, and the action codes that public implementations agree on.
func Defaults() Config {
	return Config{
		Options:        ODASupported | ExceptionCheck | EMVMode | LegacyMode,
		Profile:        [3]byte{TIP1Signature | TIP1OnlinePIN | TIP1OnDevice, TIP2Update, 0},
		TACDenial:      [5]byte{0x04, 0x10, 0x00, 0x00, 0x00},
		TACOnline:      [5]byte{0x90, 0x60, 0x00, 0x90, 0x00},
		TACDefault:     [5]byte{0x90, 0x40, 0x00, 0x80, 0x00},
		RemovalTimeout: 10 * time.Second,
	}
}

// Kernel is a configured kernel. It may be used by several terminals at once.
type Kernel struct {
	Config
	// verify checks the combined signature; nil: through emv/book3. The
	// benchmark replaces it to count the public-key operations apart.
	verify func(t *tap, response []byte) error
}

// AIP, 82.
const (
	aip1CDA = 0x01
	aip2EMV = 0x80
)

// Cardholder verification status, 9F50.
const (
	statusNone      = 0x00
	statusSignature = 0x10
	statusOnlinePIN = 0x20
	statusOnDevice  = 0x30 // upper half
)

// Issuer update parameter, 9F60.
const (
	updateHold = 0x01
	updateTwo  = 0x02
)
