package schemetest

import (
	"huika/iso8583"
	"huika/iso8583/scheme"
)

// LessonSpec is the field table of the recipe's example: text in ASCII, digits in
// BCD, lengths in BCD.
var LessonSpec = &iso8583.Spec{
	Name: "lesson",
	MTI:  iso8583.BCD,
	Fields: iso8583.Fields{
		2:   {Name: "primary account number", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 19, Show: iso8583.FirstSix},
		3:   {Name: "processing code", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		4:   {Name: "amount", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		7:   {Name: "transmission date and time", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 10, Show: iso8583.Clear},
		11:  {Name: "STAN", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		14:  {Name: "expiry date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4},
		12:  {Name: "local time", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		13:  {Name: "local date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		15:  {Name: "settlement date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		18:  {Name: "merchant category", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		22:  {Name: "point of service entry mode", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		23:  {Name: "card sequence number", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		25:  {Name: "point of service condition", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		32:  {Name: "acquiring institution", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 11, Show: iso8583.Clear},
		33:  {Name: "forwarding institution", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 11, Show: iso8583.Clear},
		35:  {Name: "track 2", Type: iso8583.Z, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 37},
		37:  {Name: "RRN", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		38:  {Name: "authorisation code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		39:  {Name: "response code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		41:  {Name: "terminal", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		42:  {Name: "merchant", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 15, Show: iso8583.Clear},
		43:  {Name: "merchant name and place", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 40, Show: iso8583.Clear},
		48:  {Name: "working key", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 99},
		49:  {Name: "currency", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		52:  {Name: "PIN block", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8},
		53:  {Name: "security control", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 16, Show: iso8583.Clear},
		54:  {Name: "additional amounts", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 120},
		55:  {Name: "IC card data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 255, Show: iso8583.EMVData},
		70:  {Name: "network management code", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		90:  {Name: "original data elements", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 42, Show: iso8583.Clear},
		128: {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
	},
}

// Lesson is the example of docs/recipes/add-a-scheme.md: a dialect of no scheme.
// It drops Trace, Additional and the year of Local.
var Lesson scheme.Dialect = lesson

var lesson = &scheme.Dialect87{
	Title: "lesson",
	Wire:  scheme.Wire{Spec: LessonSpec, Always128: true},
	Version87: scheme.Version87{
		Reversal: "0420",
		Rows: scheme.Rows{ // Mark: F25
			{Transaction: scheme.Sale, MTI: "0200", Processing: "000000", Mark: "00"},
			{Transaction: scheme.Void, MTI: "0200", Processing: "020000", Mark: "00"},
			{Transaction: scheme.Refund, MTI: "0220", Processing: "200000", Mark: "00"},
			{Transaction: scheme.PreAuth, MTI: "0100", Processing: "000000", Mark: "06"},
			{Transaction: scheme.PreAuthCancel, MTI: "0100", Processing: "020000", Mark: "06"},
			{Transaction: scheme.Completion, MTI: "0202", Processing: "000000", Mark: "06"},
			{Transaction: scheme.CompletionVoid, MTI: "0202", Processing: "020000", Mark: "06"},
			{Transaction: scheme.CompletionAdvice, MTI: "0220", Processing: "000000", Mark: "06"},
			{Transaction: scheme.Balance, MTI: "0100", Processing: "310000", Mark: "00"},
		},
		Functions: scheme.FunctionCodes{
			{Function: scheme.SignOn, Code: "061"},
			{Function: scheme.SignOff, Code: "062"},
			{Function: scheme.Echo, Code: "270"},
			{Function: scheme.KeyExchange, Code: "161"},
			{Function: scheme.CutOver, Code: "201"},
		},
		Codes: scheme.Codes{{Scheme: "0A", Neutral: "00"}}, // approved, stand-in
	},
	Place:      scheme.PlaceForm{Name: 25, City: 13, Letters: 2},
	Entry:      4,
	PINControl: "2001010100000000",
	Reasons:    scheme.Codes{{Scheme: "68", Neutral: "98"}}, // answer received too late
	KeyPrefix:  "LK",
}
