// Package jcb is the interchange dialect of JCB: ISO 8583:1987 with EBCDIC text
// and lengths, binary bitmaps, a MAC in the last field.
//
// It is a stand-in's dialect and decides nothing. JCB publishes no description of
// its online interface: that it follows ISO 8583:1987 is known, all else here is
// our reading of that standard, and is replaced by the scheme's manual under
// contract. In a tap it carries the host's question to the scheme.
//
// It drops Trace and the year of Local. A working key stands in F48.
package jcb

import (
	"huika/iso8583"
	"huika/iso8583/scheme"
)

// Spec is the dialect as ASCII; scheme.Wire makes it EBCDIC.
var Spec = &iso8583.Spec{
	Name: "jcb",
	MTI:  iso8583.ASCII,
	Fields: iso8583.Fields{
		2:   {Name: "primary account number", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 19, Show: iso8583.FirstSix},
		3:   {Name: "processing code", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		4:   {Name: "amount", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		7:   {Name: "transmission date and time", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 10, Show: iso8583.Clear},
		11:  {Name: "STAN", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		12:  {Name: "local time", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		13:  {Name: "local date", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		14:  {Name: "expiry date", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4},
		15:  {Name: "settlement date", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		18:  {Name: "merchant category", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		19:  {Name: "acquirer's country", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		22:  {Name: "point of service entry mode", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		23:  {Name: "card sequence number", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		25:  {Name: "point of service condition", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		32:  {Name: "acquiring institution", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 11, Show: iso8583.Clear},
		33:  {Name: "forwarding institution", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 11, Show: iso8583.Clear},
		35:  {Name: "track 2", Type: iso8583.Z, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 37},
		37:  {Name: "RRN", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		38:  {Name: "authorisation code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		39:  {Name: "response code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		41:  {Name: "terminal", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		42:  {Name: "merchant", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 15, Show: iso8583.Clear},
		43:  {Name: "merchant name and place", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 40, Show: iso8583.Clear},
		44:  {Name: "additional response data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 25, Show: iso8583.Clear},
		48:  {Name: "additional data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 255},
		49:  {Name: "currency", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		52:  {Name: "PIN block", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8},
		53:  {Name: "security control", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 16, Show: iso8583.Clear},
		54:  {Name: "additional amounts", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 120},
		55:  {Name: "IC card data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLASCII, Max: 255, Show: iso8583.EMVData},
		64:  {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		70:  {Name: "network management code", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		90:  {Name: "original data elements", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 42, Show: iso8583.Clear},
		128: {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
	},
}

// Dialect is JCB's behind the seam of all schemes.
var Dialect scheme.Dialect = dialect

var dialect = &scheme.Dialect87{
	Title: "jcb",
	Wire:  scheme.Wire{Spec: Spec, EBCDIC: true},
	Version87: scheme.Version87{
		Reversal: "0420",
		Rows: scheme.Rows{ // Mark: F25; 06 is a pre-authorised request
			{Transaction: scheme.Sale, MTI: "0200", Processing: "000000", Mark: "00"},
			{Transaction: scheme.Void, MTI: "0200", Processing: "020000", Mark: "00"},
			{Transaction: scheme.Refund, MTI: "0200", Processing: "200000", Mark: "00"},
			{Transaction: scheme.PreAuth, MTI: "0100", Processing: "000000", Mark: "06"},
			{Transaction: scheme.PreAuthCancel, MTI: "0100", Processing: "020000", Mark: "06"},
			{Transaction: scheme.Completion, MTI: "0200", Processing: "000000", Mark: "06"},
			{Transaction: scheme.CompletionVoid, MTI: "0200", Processing: "020000", Mark: "06"},
			{Transaction: scheme.CompletionAdvice, MTI: "0220", Processing: "000000", Mark: "06"},
			{Transaction: scheme.Balance, MTI: "0100", Processing: "300000", Mark: "00"},
		},
		Functions: scheme.FunctionCodes{ // ISO 8583:1987, F70
			{Function: scheme.SignOn, Code: "001"},
			{Function: scheme.SignOff, Code: "002"},
			{Function: scheme.Echo, Code: "301"},
			{Function: scheme.KeyExchange, Code: "101"},
			{Function: scheme.CutOver, Code: "201"},
		},
	},
	Place:      scheme.PlaceForm{Name: 25, City: 13, Letters: 2},
	Entry:      3,
	PINControl: "2001010100000000", // ISO 9564 format 0 under zone key 01
	Reasons:    scheme.Codes{},     // F39 of a reversal: the terminal's codes as they are
}
