package c8

import (
	"io"
	"time"

	"huika/emv/bdh"
	"huika/emv/oda"
	"huika/emv/tlv"
)

// ID is the kernel identifier of kernel 8.
const ID = 8

// Version is the application version number (9F09) that a terminal without its own value claims.
const Version = 0x0002

// Bounds of one tap.
const (
	MaxRecords    = 32   // READ RECORD commands
	MaxObjects    = 128  // data objects of the card
	MaxStaticData = 2048 // bytes of records for local authentication
	MaxRelay      = 3    // EXCHANGE RELAY RESISTANCE DATA commands (21.20)
	MaxReadData   = 10   // READ DATA commands: one a data envelope
	MaxWriteData  = 10   // WRITE DATA commands
	// MaxCommands is the most that one tap sends: GPO, the above, GENERATE AC.
	MaxCommands = 1 + MaxRelay + MaxRecords + MaxReadData + 1 + MaxWriteData
)

// Kernel configuration, 9F8209 byte 1.
const (
	RelayResistance    = 0x10 // relay resistance protocol supported
	ReportLocalFailure = 0x08 // report local authentication failed in the TVR
)

// LocalAuthentication is the bit of Config.Security (9F820A) that enables local authentication.
const LocalAuthentication = 0x10

// CVM capability (9F8207, 9F8208), as byte 1 of 9F1D codes it.
const (
	CVMOnlinePIN = 0x40
	CVMSignature = 0x20
	CVMNone      = 0x08
	CVMOnDevice  = 0x04
)

// Config is a terminal's configuration of the kernel (Book C-8, A.3). Start from
// Defaults: the zero value is a terminal that supports no CVM and denies
// nothing. Limits are minor units, and an amount above one exceeds it.
type Config struct {
	CAKeys *oda.CAStore // nil: local authentication always fails

	Kernel          byte    // 9F8209 byte 1
	Version         uint16  // 9F09; 0: the constant Version
	DataInput       byte    // 9F8206, card data input capability: byte 1 of 9F33
	CVMRequired     byte    // 9F8207, CVM capability above CVMLimit
	CVMNotRequired  byte    // 9F8208, CVM capability otherwise
	Security        byte    // 9F820A: byte 3 of 9F33
	TACDenial       [5]byte // 9F820B
	TACOnline       [5]byte // 9F820C
	FloorLimit      int64   // 9F820D
	CVMLimit        int64   // 9F820E
	HoldTime        time.Duration
	MessageHold     time.Duration // 9F8211
	ReservedTVR     [5]byte       // 9F821A: bits that the card's TVR can't alter
	RestartMessages []byte        // 9F821D: message identifiers that the card may ask for
	IADMACOffset    byte          // 9F821E
	CDOL1           []byte        // 9F8220, default CDOL1; nil: none
	RiskData        [8]byte       // 9F1D, bytes 2 to 8; the kernel fills byte 1

	Relay Relay
	// Clock is monotonic time for the relay resistance protocol. Where it is nil
	// and the Transceiver is no Timed, the protocol counts as not supported.
	Clock func() time.Duration

	Read  []tlv.Tag // 9F8203: data envelopes to read, 9F8111 to 9F811A
	Write []byte    // BF8104: data envelopes to write (TLV)

	// StrictCDCVM believes a consumer device's verification only where local
	// authentication succeeded. Otherwise the issuer must judge it by the
	// IAD-MAC. (Ours.)
	StrictCDCVM bool
}

// Relay are the thresholds of the relay resistance protocol, in units of 0.1 ms.
type Relay struct {
	MinGrace        uint16 // 9F8213
	MaxGrace        uint16 // 9F8214
	ExpectedCommand uint16 // 9F8215, transmission time of the C-APDU
	ExpectedReply   uint16 // 9F8216, transmission time of the R-APDU
	Accuracy        uint16 // 9F8217
	Mismatch        byte   // 9F8218, percent
}

// Defaults are a configuration for a merchant who takes online PIN, signature and
// on-device CVM. The book's own default values were not at hand: times and
// thresholds are kernel 2's, action codes and the reserved mask are ours
// (deny what failed local authentication or the relay resistance protocol; ask
// the issuer about everything else; the card alters no bit that the kernel sets).
func Defaults() Config {
	return Config{
		Version: Version, DataInput: 0x60, Security: LocalAuthentication,
		CVMRequired: CVMOnlinePIN | CVMSignature | CVMOnDevice, CVMNotRequired: CVMOnlinePIN | CVMNone | CVMOnDevice,
		TACDenial: [5]byte{tvr1LocalFailed, 0, 0, 0, tvr5RelayThreshold | tvr5RelayTime}, TACOnline: [5]byte{0x84, 0xF0, 0x84, 0x80, 0x4C},
		HoldTime: 1300 * time.Millisecond, MessageHold: 1300 * time.Millisecond,
		ReservedTVR:     [5]byte{0x84, 0x00, 0x84, 0x80, 0xFF},
		RestartMessages: []byte{0x18, 0x1D, 0x20, 0x21}, IADMACOffset: 24,
		Relay: Relay{MinGrace: 20, MaxGrace: 50, ExpectedCommand: 18, ExpectedReply: 24, Accuracy: 300, Mismatch: 50},
	}
}

// Kernel is a configured kernel. It may be used by several terminals at once.
type Kernel struct {
	Config
	// agree and verify are the public-key operations; nil: emv/bdh and the chain
	// of certificates. The benchmark replaces them to count them apart.
	agree  func(rand io.Reader) (agreement, error)
	verify func(t *tap) error
}

// agreement is the kernel's key of one transaction.
type agreement interface {
	Public() [bdh.KernelKeySize]byte
	Open(cardKeyData []byte) (*bdh.Channel, bdh.Blinded, error)
}

// AIP bits (82) of kernel 8.
const (
	aip1Local      = 0x01 // local authentication supported
	aip2Offline    = 0x08 // offline capable; clear: the card is online only
	aip2CopyMAC    = 0x06 // copy IAD-MAC in 9F10
	aip2CopyByUs   = 0x02 //   at the default offset
	aip2CopyByCard = 0x04 //   at the card's offset, 9F8107
	aip2Relay      = 0x01
)

// Terminal verification results of kernel 8: index and mask (A.1.131).
const (
	tvr1LocalNotDone   = 0x80
	tvr1LocalFailed    = 0x04
	tvr3CVMFailed      = 0x80
	tvr3OnlineCVM      = 0x04
	tvr4FloorLimit     = 0x80
	tvr5Kernel8        = 0x80
	tvr5AIDMismatch    = 0x40
	tvr5RelayThreshold = 0x08
	tvr5RelayTime      = 0x04
	tvr5RelayDone      = 0x02
	tvr5RelayNotDone   = 0x01
)

// Transaction types, 9C.
const (
	typePurchase     = 0x00
	typeCash         = 0x01
	typeCashback     = 0x09
	typeDisbursement = 0x17
)
