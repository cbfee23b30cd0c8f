// Package discover is the interchange dialect of the Discover network (Discover,
// Diners Club): ISO 8583:1987 in ASCII with binary bitmaps, 0100 for every
// question, 0400 for reversals, a network reference id (NRID) that comes with an
// answer, and point-of-service data in F61.
//
// It is a stand-in's dialect and decides nothing. Public are the message types,
// the NRID of 15 digits, and that F22, F55 and F61 describe the entry; the place
// of the NRID (F62), the parts of F61 and the codes beyond ISO 8583 are our
// reading, replaced by the scheme's manual under contract. In a tap it carries
// the host's question to the scheme.
//
// Trace is the NRID. The year of Local is dropped. A working key stands in F48.
package discover

import (
	"huika/iso8583"
	"huika/iso8583/scheme"
)

// Spec is the dialect: all text ASCII.
var Spec = &iso8583.Spec{
	Name: "discover",
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
		61:  {Name: "point of service data", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 13, Show: iso8583.Clear},
		62:  {Name: "network reference id", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 15, Show: iso8583.Clear},
		64:  {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		70:  {Name: "network management code", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		90:  {Name: "original data elements", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 42, Show: iso8583.Clear},
		128: {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
	},
}

// Dialect is Discover's behind the seam of all schemes.
var Dialect scheme.Dialect = dialect

var dialect = &scheme.Dialect87{
	Title: "discover",
	Wire:  scheme.Wire{Spec: Spec},
	Version87: scheme.Version87{
		Reversal: "0400",
		Rows: scheme.Rows{ // Mark: digit preAuthStatus of F61
			{Transaction: scheme.Sale, MTI: "0100", Processing: "000000", Mark: "0"},
			{Transaction: scheme.Void, MTI: "0100", Processing: "020000", Mark: "0"},
			{Transaction: scheme.Refund, MTI: "0100", Processing: "200000", Mark: "0"},
			{Transaction: scheme.PreAuth, MTI: "0100", Processing: "000000", Mark: "4"},
			{Transaction: scheme.PreAuthCancel, MTI: "0100", Processing: "020000", Mark: "4"},
			{Transaction: scheme.Completion, MTI: "0100", Processing: "000000", Mark: "5"},
			{Transaction: scheme.CompletionVoid, MTI: "0100", Processing: "020000", Mark: "5"},
			{Transaction: scheme.CompletionAdvice, MTI: "0120", Processing: "000000", Mark: "5"},
			{Transaction: scheme.Balance, MTI: "0100", Processing: "300000", Mark: "0"},
		},
		Functions: scheme.FunctionCodes{
			{Function: scheme.SignOn, Code: "001"},
			{Function: scheme.SignOff, Code: "002"},
			{Function: scheme.Echo, Code: "301"},
			{Function: scheme.KeyExchange, Code: "101"},
			{Function: scheme.CutOver, Code: "201"},
		},
		Codes: scheme.Codes{
			{Scheme: "08", Neutral: "00"}, // approve with identification
		},
	},
	Place:      scheme.PlaceForm{Name: 25, City: 13, Letters: 2},
	Entry:      3,
	PINControl: "2001010100000000", // ISO 9564 format 0 under zone key 01
	Reasons:    scheme.Codes{},     // F39 of a reversal: the terminal's codes as they are
	TraceField: 62,
	Mark:       mark,
	PutOwn:     putOwn,
}

// attended is F61 of a sale in a shop with the card present: 13 digits, of which
// the seventh is the status and the tenth says a terminal in the merchant's hand.
const (
	attended      = "0000000009000"
	preAuthStatus = 6
)

func putOwn(to *iso8583.Message, _ *scheme.Message, row *scheme.Row) error {
	if row == nil {
		return nil
	}
	to.Set(25, "00")
	v := [len(attended)]byte([]byte(attended))
	v[preAuthStatus] = row.Mark[0]
	to.SetBytes(61, v[:])
	return nil
}

func mark(from *scheme.In) string {
	if v := from.Bytes(61); len(v) > preAuthStatus {
		return string(v[preAuthStatus : preAuthStatus+1])
	}
	return ""
}
