package c7

import (
	"huika/emv/book3"
	"huika/emv/oda"
	"huika/pay"
)

// ID is the kernel identifier of kernel 7.
const ID = 7

// Version is the application version number (9F09) that a terminal without
// its own value claims: PBOC 3.0.
const Version = 0x0030

// Bounds of one tap.
const (
	MaxRecords = book3.MaxRecords // READ RECORD commands
	MaxObjects = 96               // data objects of the card
)

// Config is a terminal's configuration of the kernel. Limits are minor units.
// The transaction, floor and CVM limits of pre-processing reach the kernel as
// indicators; those here bind even where Entry Point ran without
// pre-processing (autorun).
type Config struct {
	CAKeys *oda.CAStore // nil: offline data authentication always fails
	// SM says that the terminal has SM2, SM3 and SM4: it tells the card so in DF69,
	// and takes SM2 certificates. Which algorithms are used is the card's choice.
	SM bool
	// ExceptionFile reports whether a card is on the terminal's exception
	// file (hot list); psn is "" where the card gave none. nil: no file.
	ExceptionFile func(pan pay.PAN, psn string) bool
	// FloorLimit is the largest amount that may be approved offline. 0: only the issuer approves.
	FloorLimit int64
	// CVMLimit is the smallest amount that needs the cardholder; nil: only the indicators decide.
	CVMLimit *int64
	// Version is the terminal's application version number (9F09); 0: the constant Version.
	Version uint16
}

// Kernel is a configured kernel. It may be used by several terminals at once.
type Kernel struct {
	Config
	// verify authenticates the card; nil: fDDA through emv/oda. The benchmark
	// replaces it to count the public-key operations apart.
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
	ttq3CDCVMSupported = 0x40
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

// Transaction types, 9C.
const (
	typeCash     = 0x01
	typeCashback = 0x09
)
