package c4

import (
	"huika/emv/oda"
	"huika/pay"
)

// ID is the kernel identifier of kernel 4.
const ID = 4

// Version is the application version number (9F09) that a terminal without its own value claims (public terminal configurations).
const Version = 0x0001

// Contactless reader capabilities, 9F6D.
const (
	readerEMV         = 0x80 // EMV and mag-stripe mode: Expresspay 2.0 (80), 3 or later (C0)
	readerCVMRequired = 0x08 // set by the kernel
)

// Enhanced contactless reader capabilities, 9F6E.
const (
	Enhanced1Contact       = 0x80
	Enhanced1FullOnline    = 0x20
	Enhanced1PartialOnline = 0x10
	Enhanced1Mobile        = 0x08
	Enhanced2MobileCVM     = 0x80
	Enhanced2OnlinePIN     = 0x40
	Enhanced2Signature     = 0x20
	enhanced3OfflineOnly   = 0x80 // set by the kernel
	enhanced3CVMRequired   = 0x40 // set by the kernel
)

// Limits are minor units; nil: none. An amount at the CVM limit reaches it, one above
// the others exceeds them (public implementation).
type Limits struct{ Transaction, CVM, Floor *int64 }

// Config is a terminal's configuration of the kernel. Start from Defaults.
type Config struct {
	CAKeys        *oda.CAStore                       // nil: offline data authentication always fails
	ExceptionFile func(pan pay.PAN, psn string) bool // nil: no file
	Version       uint16                             // 9F09; 0: the constant Version
	Reader        byte                               // 9F6D
	Enhanced      [4]byte                            // 9F6E
	TACDefault    [5]byte
	TACDenial     [5]byte
	TACOnline     [5]byte
	Limits        Limits // Entry Point's indicators count too
	// Dynamic are the dynamic reader limits: sets 0 to 15, and the default for
	// cards that name none or one that is not here. nil: none, Limits count.
	Dynamic        *Dynamic
	CannotGoOnline bool
}

// Dynamic are dynamic reader limits.
type Dynamic struct {
	Default Limits
	Sets    [16]*Limits
}

// Defaults are a terminal in EMV mode with online PIN, signature and mobile CVM,
// and the action codes that public terminal configurations have.
func Defaults() Config {
	return Config{
		Reader: 0xC0,
		Enhanced: [4]byte{Enhanced1Contact | Enhanced1PartialOnline | Enhanced1Mobile, Enhanced2MobileCVM | Enhanced2OnlinePIN | Enhanced2Signature,
			0, 0x03}, // byte 4 as in public configurations (D8E00003); mag-stripe mode, 40 of byte 1, is clear
		TACDenial:  [5]byte{0x00, 0x10, 0x00, 0x00, 0x00},
		TACOnline:  [5]byte{0xDE, 0x00, 0xFC, 0x98, 0x00},
		TACDefault: [5]byte{0xDC, 0x50, 0xFC, 0x98, 0x00},
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
	aip1SDA    = 0x40
	aip1CVM    = 0x10 // cardholder verification is supported
	aip1CDA    = 0x01
	aip2EMV    = 0x80
	aip2Mobile = 0x40 // Expresspay Mobile
)

// Terminal capabilities, 9F33 (EMV Book 4, annex A2).
const (
	caps1Chip = 0x20
	caps3SDA  = 0x80
	caps3CDA  = 0x08
)

// Card interface and payment capabilities, 9F70.
const (
	card1Contact = 0x20
	card1Mobile  = 0x08
)

// Mobile CVM results, 9F71.
const (
	mobileDone       = 0x01 // byte 1
	mobileFailed     = 0x01 // byte 3
	mobileSuccessful = 0x02
	mobileBlocked    = 0x03
)
