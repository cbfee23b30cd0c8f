package c3

import (
	"huika/emv/book3"
	"huika/emv/oda"
	"huika/pay"
)

// ID is the kernel identifier of kernel 3.
const ID = 3

// Version is the application version number (9F09) that a terminal without its
// own value claims: VIS 1.5 (public description).
const Version = 0x0096

// Bounds of one tap.
const (
	MaxRecords = book3.MaxRecords // READ RECORD commands
	MaxObjects = 96               // data objects of the card
)

// Config is a terminal's configuration of the kernel. Limits are minor units.
// The limits of pre-processing reach the kernel as indicators.
type Config struct {
	CAKeys *oda.CAStore // nil: offline data authentication always fails
	// ExceptionFile reports whether a card is on the terminal's exception
	// file (hot list); psn is "" where the card gave none. nil: no file.
	ExceptionFile func(pan pay.PAN, psn string) bool
	// LimitSets are the dynamic reader limits: the first whose ProgramID the
	// card's application program identifier (9F5A) begins with takes the place
	// of the limits of pre-processing. None: the feature is off.
	LimitSets []LimitSet
	// FloorLimit is the largest amount that may be approved offline, CVMLimit the
	// smallest that needs the cardholder. They bind even where Entry Point ran
	// without pre-processing (autorun); nil: only the indicators decide.
	FloorLimit, CVMLimit *int64
	// CashCheck and CashbackCheck make the kernel hold cash and cashback against
	// the card's usage control (implementation options of 5.5.1.3 and 5.5.1.4).
	CashCheck, CashbackCheck bool
	// AllowVersion00 takes fDDA of version 00 too. Its signature covers the
	// unpredictable number alone, so that the amount can be changed under it.
	AllowVersion00 bool
	// StrictCDCVM believes a consumer device verification only where the CTQ
	// equals its copy in a 9F69 that was authenticated. The book also takes an
	// unauthenticated one with an ARQC and leaves it to the issuer. (Ours.)
	StrictCDCVM bool
	// Version is the terminal's application version number (9F09); 0: the constant Version.
	Version uint16
}

// Kernel is a configured kernel. It may be used by several terminals at once.
type Kernel struct {
	Config
	// verify authenticates the card; nil: fDDA or SDA through emv/oda. The
	// benchmark replaces it to count the public-key operations apart.
	verify func(c *Config, t *tap) error
}

// TTQ, 9F66 (terminal transaction qualifiers).
const (
	ttq1Chip           = 0x10 // EMV contact chip supported
	ttq1OfflineOnly    = 0x08
	ttq1OnlinePIN      = 0x04
	ttq1Signature      = 0x02
	ttq1ODAForOnline   = 0x01
	ttq2OnlineRequired = 0x80
	ttq2CVMRequired    = 0x40
	ttq3IssuerUpdate   = 0x80
)

// CTQ, 9F6C (card transaction qualifiers).
const (
	ctq1OnlinePIN       = 0x80
	ctq1Signature       = 0x40
	ctq1OnlineIfODAFail = 0x20
	ctq1SwitchIfODAFail = 0x10
	ctq1OnlineIfExpired = 0x08
	ctq1SwitchForCash   = 0x04
	ctq1SwitchCashback  = 0x02
	ctq2CDCVM           = 0x80
	ctq2IssuerUpdate    = 0x40
)

// AIP, 82, byte 1.
const (
	aipSDA = 0x40 // SDA supported for online authorisations
	aipDDA = 0x20
)

// Transaction types, 9C.
const (
	typeCash         = 0x01
	typeCashback     = 0x09
	typeDisbursement = 0x17
)
