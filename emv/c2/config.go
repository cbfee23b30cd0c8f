package c2

import (
	"sync/atomic"
	"time"

	"huika/emv/oda"
	"huika/emv/tlv"
	"huika/pay"
)

// ID is the kernel identifier of kernel 2.
const ID = 2

// Version is the application version number (9F09) that a terminal without its own value claims.
const Version = 0x0002

// Bounds of one tap.
const (
	MaxRecords    = 32   // READ RECORD commands
	MaxObjects    = 128  // data objects of the card
	MaxStaticData = 2048 // bytes of records for offline data authentication (S4.35)
	MaxRelay      = 3    // EXCHANGE RELAY RESISTANCE DATA commands (SR1.22)
	MaxGetData    = 16   // GET DATA commands for Tags To Read
	MaxPutData    = 16   // PUT DATA commands, before and after GENERATE AC each
	MaxExchanges  = 16   // answers that the kernel waits for in data exchange
	// MaxCommands is the most that one tap sends: GPO, the above, two balances, RECOVER AC, GENERATE AC.
	MaxCommands = 1 + MaxRelay + MaxRecords + MaxGetData + 2*MaxPutData + 4
)

// Kernel configuration, DF811B.
const (
	NoMagStripe     = 0x80 // mag-stripe mode not supported
	NoEMV           = 0x40 // EMV mode not supported
	OnDeviceCVM     = 0x20 // on device cardholder verification supported
	RelayResistance = 0x10 // relay resistance protocol supported
)

// Config is a terminal's configuration of the kernel (Book C-2, Annex A and
// 4.6). Start from Defaults: the zero value is a terminal that supports no CVM
// and declines nothing. Limits are minor units, and an amount above one exceeds it.
type Config struct {
	CAKeys *oda.CAStore // nil: CDA always fails

	Kernel       byte   // DF811B
	Version      uint16 // 9F09; 0: the constant Version
	MagVersion   uint16 // 9F6D
	DataInput    byte   // DF8117, card data input capability: byte 1 of 9F33
	CVMRequired  byte   // DF8118: byte 2 of 9F33 above CVMLimit
	CVMNone      byte   // DF8119: byte 2 of 9F33 otherwise
	Security     byte   // DF811F: byte 3 of 9F33
	MagCVM       byte   // DF811E, mag-stripe CVM capability above CVMLimit: 10 signature, 20 online PIN, F0 n/a
	MagNoCVM     byte   // DF812C, the same otherwise
	UDOL         []byte // DF811A, default UDOL
	Category     byte   // 9F53, transaction category code; 0: none
	HoldTime     time.Duration
	MessageHold  time.Duration // DF812D
	Phone        []PhoneMessage
	TACDefault   [5]byte // DF8120
	TACDenial    [5]byte // DF8121
	TACOnline    [5]byte // DF8122
	FloorLimit   int64   // DF8123
	Limit        int64   // DF8124, reader contactless transaction limit (no on-device CVM)
	LimitOnCDCVM int64   // DF8125, the same with on-device CVM
	CVMLimit     int64   // DF8126, reader CVM required limit

	Relay Relay
	// Clock is monotonic time for the relay resistance protocol. Where it is nil
	// and the Transceiver is no Timed, the protocol counts as not supported.
	Clock func() time.Duration

	Torn TornLog // nil: no recovery of torn transactions (DF811D is 0)

	// Data are further data objects of the terminal (TLV), as the ACT signal
	// carries them: tags to read DF8112 and to write FF8102, FF8103, proceed to
	// first write flag DF8110, data storage 9F5C, DF810D, DF8108–DF810A, DF60,
	// DF62, DF63, balance reading DF8104 and DF8105 (their presence asks for it).
	Data     []byte
	Exchange Exchange // nil: the terminal is not asked for anything

	// ExceptionFile reports whether a card is on the terminal's exception file;
	// psn is "" where the card gave none. nil: no file. (Ours: Book C-2 leaves
	// it to the terminal.)
	ExceptionFile func(pan pay.PAN, psn string) bool
}

// Relay are the thresholds of the relay resistance protocol, in units of 0.1 ms.
type Relay struct {
	MinGrace        uint16 // DF8132
	MaxGrace        uint16 // DF8133
	ExpectedCommand uint16 // DF8134, transmission time of the C-APDU
	ExpectedReply   uint16 // DF8135, transmission time of the R-APDU
	Accuracy        uint16 // DF8136
	Mismatch        byte   // DF8137, percent
}

// PhoneMessage is one row of the phone message table (DF8131): where PCII
// (DF4B) under Mask equals Value, the message is shown.
type PhoneMessage struct {
	Mask, Value [3]byte
	Message     byte
	Status      byte
}

// Bits of the POS cardholder interaction information, DF4B.
var pciiMask = [3]byte{0x00, 0x03, 0x0F} // those that ask for another presentation (S910.71)

const pcii2PINVerified = 0x10 // byte 2: offline PIN verification successful

// Defaults are the configuration data of Book C-2 (public implementations agree
// on them), for a merchant who takes online PIN and signature and knows on-device CVM.
// The phone message table has a row for each bit of PCII that asks for
// another presentation; the book's own rows were not at hand.
func Defaults() Config {
	tac := [5]byte{0x84, 0x00, 0x00, 0x00, 0x0C}
	c := Config{
		Kernel: OnDeviceCVM, Version: Version, MagVersion: 0x0001,
		DataInput: 0x60, CVMRequired: 0x60, CVMNone: 0x08, Security: 0x08, MagCVM: 0x10, MagNoCVM: 0x00,
		UDOL: []byte{0x9F, 0x6A, 0x04}, HoldTime: 1300 * time.Millisecond, MessageHold: 1300 * time.Millisecond,
		TACDefault: tac, TACDenial: tac, TACOnline: tac,
		Relay: Relay{MinGrace: 20, MaxGrace: 50, ExpectedCommand: 18, ExpectedReply: 24, Accuracy: 300, Mismatch: 50},
	}
	for _, bit := range [][3]byte{{0, 1, 0}, {0, 2, 0}, {0, 0, 1}, {0, 0, 2}, {0, 0, 4}, {0, 0, 8}} {
		c.Phone = append(c.Phone, PhoneMessage{Mask: bit, Value: bit, Message: 0x20})
	}
	c.Phone = append(c.Phone, PhoneMessage{Message: 0x07})
	return c
}

// Kernel is a configured kernel. It may be used by several terminals at once.
type Kernel struct {
	Config
	failed atomic.Int32 // Failed MS Cntr: checksums in a row that were refused or wrong (S13.3)
	// recoverKey finds the card's key; nil: the chain of certificates. The
	// benchmark replaces it to count the public-key operations apart.
	verify func(t *tap, response []byte) ([]byte, error)
}

// Data objects of kernel 2 that the flow names; emv/tag's C2 has all of them with words.
const (
	tagBalance        tlv.Tag = 0x9F50 // offline accumulator balance
	tagDRDOL          tlv.Tag = 0x9F51
	tagCategory       tlv.Tag = 0x9F53
	tagODSCard        tlv.Tag = 0x9F54
	tagDSDOL          tlv.Tag = 0x9F5B
	tagOperatorID     tlv.Tag = 0x9F5C // DS requested operator ID
	tagCapabilities   tlv.Tag = 0x9F5D // application capabilities information
	tagDSID           tlv.Tag = 0x9F5E
	tagSlots          tlv.Tag = 0x9F5F // DS slot availability
	tagCVC3Track1     tlv.Tag = 0x9F60
	tagCVC3Track2     tlv.Tag = 0x9F61
	tagPCVC3Track1    tlv.Tag = 0x9F62
	tagPUNATCTrack1   tlv.Tag = 0x9F63
	tagNATCTrack1     tlv.Tag = 0x9F64
	tagPCVC3Track2    tlv.Tag = 0x9F65
	tagPUNATCTrack2   tlv.Tag = 0x9F66
	tagNATCTrack2     tlv.Tag = 0x9F67
	tagUDOL           tlv.Tag = 0x9F69
	tagUNNumeric      tlv.Tag = 0x9F6A
	tagTrack2Data     tlv.Tag = 0x9F6B
	tagMagVersion     tlv.Tag = 0x9F6D
	tagThirdParty     tlv.Tag = 0x9F6E
	tagSlotManagement tlv.Tag = 0x9F6F
	tagSummary1       tlv.Tag = 0x9F7D
	tagMobileSupport  tlv.Tag = 0x9F7E
	tagDSUN           tlv.Tag = 0x9F7F // DS unpredictable number
	tagInputCard      tlv.Tag = 0xDF60
	tagDigestH        tlv.Tag = 0xDF61
	tagODSInfo        tlv.Tag = 0xDF62
	tagODSTerm        tlv.Tag = 0xDF63
	tagPCII           tlv.Tag = 0xDF4B
	tagSummary2       tlv.Tag = 0xDF8101
	tagSummary3       tlv.Tag = 0xDF8102
	tagBalanceBefore  tlv.Tag = 0xDF8104
	tagBalanceAfter   tlv.Tag = 0xDF8105
	tagCDOL1Data      tlv.Tag = 0xDF8107
	tagDSACType       tlv.Tag = 0xDF8108
	tagInputTerm      tlv.Tag = 0xDF8109
	tagODSInfoReader  tlv.Tag = 0xDF810A
	tagSummaryStatus  tlv.Tag = 0xDF810B
	tagDSVNTerm       tlv.Tag = 0xDF810D
	tagPutAfter       tlv.Tag = 0xDF810E // post-gen AC put data status
	tagPutBefore      tlv.Tag = 0xDF810F // pre-gen AC put data status
	tagFirstWrite     tlv.Tag = 0xDF8110 // proceed to first write flag
	tagPDOLData       tlv.Tag = 0xDF8111
	tagTagsToRead     tlv.Tag = 0xDF8112
	tagDRDOLData      tlv.Tag = 0xDF8113
	tagRCP            tlv.Tag = 0xDF8114 // reference control parameter
	tagError          tlv.Tag = 0xDF8115
	tagIDSStatus      tlv.Tag = 0xDF8128
	tagDDTrack1       tlv.Tag = 0xDF812A
	tagDDTrack2       tlv.Tag = 0xDF812B
	tagRelayTerminal  tlv.Tag = 0xDF8301
	tagRelayDevice    tlv.Tag = 0xDF8302
	tagRelayMin       tlv.Tag = 0xDF8303
	tagRelayMax       tlv.Tag = 0xDF8304
	tagRelayReply     tlv.Tag = 0xDF8305
	tagRelayMeasured  tlv.Tag = 0xDF8306
	tagRelayCounter   tlv.Tag = 0xDF8307
	tagTornRecord     tlv.Tag = 0xFF8101
	tagWriteBefore    tlv.Tag = 0xFF8102
	tagWriteAfter     tlv.Tag = 0xFF8103
	tagRiskData       tlv.Tag = 0x9F1D // terminal risk management data
	tagTokenRequestor tlv.Tag = 0x9F19
)
