// Package emv is the terminal's half of a contactless tap: what a kernel is,
// what it is given and what it answers. A tap travels from emv/entry (Entry
// Point: which application, which kernel) into one kernel (emv/c2 … emv/c8),
// which talks to the card through a Transceiver and ends in an Outcome.
//
// The package holds types only. It does no I/O, has no clock and keeps no
// state: reader, display, kernels, combinations, time and randomness are
// handed in, so that the same code runs under a reader, a script, a recorded
// exchange or an outside test bench.
//
// Source of the shapes: EMV Contactless Specifications, Book A (5, 6, 8) and
// Book B (3, 4), from public descriptions.
package emv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"huika/pay"
)

// KernelID is a kernel identifier (tag 9F2A): one byte for the scheme kernels
// 1 to 8, or three bytes (short kernel id and extension), big-endian.
type KernelID uint32

// Start is the place at which Entry Point starts (Book A 8, Book B 3.1).
type Start byte

// Start points. The byte values are those of outcome byte 2.
const (
	StartA    Start = 0x00 // pre-processing
	StartB    Start = 0x10 // protocol activation
	StartC    Start = 0x20 // combination selection
	StartD    Start = 0x30 // kernel activation
	StartNone Start = 0xF0
)

// Transaction is what the till asks for. Amounts are numeric (minor units).
type Transaction struct {
	Amount         pay.Money // 9F02 and 5F2A, 5F36
	AmountOther    int64     // 9F03
	Type           byte      // 9C: 00 purchase, 01 cash, 09 cashback, 20 refund
	Time           time.Time // in the terminal's zone: 9A (YYMMDD) and 9F21 (HHMMSS)
	Sequence       uint32    // 9F41 transaction sequence counter, 4 BCD bytes
	MerchantCustom []byte    // 9F7C, where a scheme asks for it
}

// Indicators are the pre-processing indicators of one combination (Book B 3.1.1).
type Indicators struct {
	StatusCheckRequested     bool
	NotAllowed               bool // contactless application not allowed
	ZeroAmount               bool
	CVMRequiredLimitExceeded bool // reader CVM required limit exceeded
	FloorLimitExceeded       bool // reader contactless floor limit exceeded
	TTQ                      [4]byte
	HasTTQ                   bool
}

// Terminal is the terminal's own data that kernels need.
type Terminal struct {
	AcquirerID         string // 9F01, up to 11 digits
	EntryMode          byte   // 9F39, POS entry mode
	Country            uint16 // 9F1A, ISO 3166 numeric
	Type               byte   // 9F35
	Capabilities       [3]byte
	MerchantID         string // 9F16
	TerminalID         string // 9F1C
	IFDSerial          string // 9F1E, 8 characters
	MerchantCategory   uint16 // 9F15
	MerchantName       string // 9F4E
	AdditionalTerminal [5]byte
}

// OnlineResponse is the issuer's answer, where Entry Point is started again with one.
type OnlineResponse struct {
	Approved     bool
	ResponseCode string // 8A, two characters
	AuthData     []byte // 91
	Scripts      []byte // 71 and 72 templates as received
}

// Input is all that a kernel is handed (Book B 3.4, kernel activation).
type Input struct {
	Start       Start
	Restart     bool
	Transaction Transaction
	AID         []byte // ADF name that was selected
	Kernel      KernelID
	Version     uint16 // application version (9F09) that the kernel was registered under; 0: any
	FCI         []byte // response of the final SELECT, without status word
	FCIStatus   uint16
	Indicators  Indicators
	Terminal    Terminal
	Online      *OnlineResponse // non-nil after an online answer
	Rand        io.Reader       // unpredictable numbers (9F37)
	// Previous is what the kernel of the attempt before this restart returned as its memory, if any.
	Previous any
}

// Transceiver exchanges one command for one response, status word included.
// It returns ErrCardLost (wrapped) when the card left the field, answered
// nothing in time or the protocol failed on the air; any other error means
// that the reader itself failed.
type Transceiver interface {
	Transmit(ctx context.Context, command []byte) (response []byte, err error)
}

// ErrCardLost is a transmission, protocol or time-out error of level 1.
var ErrCardLost = errors.New("card lost")

// Kernel is one kernel's life from activation to outcome. A declined card is
// an outcome; an error means that the machine failed, or that ctx ended.
type Kernel interface {
	Process(ctx context.Context, in Input, card Transceiver) (Outcome, error)
}

// Kind is what Entry Point does next (outcome byte 1).
type Kind byte

// Outcomes (Book A 6.1). The byte values are those of the outcome parameter set.
const (
	Approved         Kind = 0x10
	Declined         Kind = 0x20
	OnlineRequest    Kind = 0x30
	EndApplication   Kind = 0x40
	SelectNext       Kind = 0x50
	TryAnother       Kind = 0x60
	TryAgain         Kind = 0x70
	RequestOnlinePIN Kind = 0x80 // a few kernels ask for the PIN before the second start
	NoOutcome        Kind = 0xF0
)

var kindNames = map[Kind]string{
	Approved: "Approved", Declined: "Declined", OnlineRequest: "Online Request", EndApplication: "End Application",
	SelectNext: "Select Next", TryAnother: "Try Another Interface", TryAgain: "Try Again", RequestOnlinePIN: "Request Online PIN", NoOutcome: "none",
}

func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return fmt.Sprintf("outcome %02X", byte(k))
}

// CVM is the cardholder verification that an outcome asks for (outcome byte 4).
type CVM byte

// CVM values.
const (
	CVMNone      CVM = 0x00
	CVMSignature CVM = 0x10
	CVMOnlinePIN CVM = 0x20
	CVMConfirmed CVM = 0x30 // confirmation code verified: CDCVM
	CVMNotGiven  CVM = 0xF0 // not applicable
)

func (c CVM) String() string {
	switch c {
	case CVMNone:
		return "none"
	case CVMSignature:
		return "signature"
	case CVMOnlinePIN:
		return "online_pin"
	case CVMConfirmed:
		return "cdcvm"
	case CVMNotGiven:
		return "n/a"
	}
	return fmt.Sprintf("cvm %02X", byte(c))
}

// ODA is how offline data authentication ended. It is not part of the
// outcome parameter set; the till, the trace and the tests need it.
type ODA byte

// ODA results.
const (
	ODANone ODA = iota
	ODASDA
	ODADDA
	ODAfDDA
	ODACDA
	ODALocal // C-8
	ODAFailed
)

func (o ODA) String() string {
	return [...]string{"none", "sda", "dda", "fdda", "cda", "local", "failed"}[min(int(o), 6)]
}

// Alternate is an interface that Try Another Interface prefers.
type Alternate byte

// Alternate interface preferences (outcome byte 6).
const (
	AlternateNone  Alternate = 0xF0
	AlternateChip  Alternate = 0x10
	AlternateSwipe Alternate = 0x20
)

// Outcome is everything that a kernel or Entry Point answers (Book A 6.2, Book B).
type Outcome struct {
	Kind   Kind
	Start  Start // where a restart begins; StartNone: no restart
	CVM    CVM
	ODA    ODA
	Reason string // one plain English sentence for traces and logs; never card data

	// OnlineResponseData says which online answer leads back to the kernel.
	OnlineResponseData OnlineResponseData
	UIOutcome          *UIRequest // user interface request on outcome
	UIRestart          *UIRequest // user interface request on restart
	DataRecord         []byte     // TLV, non-nil when present
	Discretionary      []byte     // TLV, non-nil when present
	Alternate          Alternate
	Receipt            bool          // the kernel asks for a receipt
	FieldOff           time.Duration // hold time of field off; FieldOffNone: leave the field on
	RemovalTimeout     time.Duration // 0: no removal time-out
	Error              ErrorIndication
	Memory             any // handed back in Input.Previous at a restart
}

// FieldOffNone says that the field is not switched off on outcome.
const FieldOffNone time.Duration = -1

// OnlineResponseData is the parameter of the same name (Book A 6.2).
type OnlineResponseData byte

// Online response data values.
const (
	OnlineNotApplicable OnlineResponseData = 0xF0
	OnlineEMVData       OnlineResponseData = 0x10 // restart if EMV data came back
	OnlineAny           OnlineResponseData = 0x20 // restart on any answer
)

// ErrorIndication names where an exchange broke, for the discretionary data and the trace.
type ErrorIndication struct {
	L1     bool   // transmission, protocol or time-out
	L2     string // "", or e.g. "card data missing", "CAM failed", "status bytes", "parsing error"
	SW     uint16 // status word of the failing command, where one came
	Step   string // "select", "gpo", "read", "oda", …
	Detail string // tags and rules, never values of card data
}
