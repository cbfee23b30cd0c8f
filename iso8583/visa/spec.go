package visa

import "huika/iso8583"

// Spec is the dialect without its header, in the words of package iso8583;
// scheme.Wire makes text EBCDIC and lengths one byte.
var Spec = &iso8583.Spec{
	Name: "visa",
	MTI:  iso8583.BCD,
	Fields: iso8583.Fields{
		2:   {Name: "primary account number", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.LLBCD, Max: 19, Show: iso8583.FirstSix},
		3:   {Name: "processing code", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		4:   {Name: "amount", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		7:   {Name: "transmission date and time", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 10, Show: iso8583.Clear},
		11:  {Name: "STAN", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		12:  {Name: "local time", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		13:  {Name: "local date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		14:  {Name: "expiry date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4},
		15:  {Name: "settlement date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		18:  {Name: "merchant category", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		19:  {Name: "acquirer's country", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		22:  {Name: "point of service entry mode", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		23:  {Name: "card sequence number", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		25:  {Name: "point of service condition", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		32:  {Name: "acquiring institution", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.LLBCD, Max: 11, Show: iso8583.Clear},
		33:  {Name: "forwarding institution", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.LLBCD, Max: 11, Show: iso8583.Clear},
		35:  {Name: "track 2", Type: iso8583.Z, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 37},
		37:  {Name: "RRN", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		38:  {Name: "authorisation code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		39:  {Name: "response code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		41:  {Name: "terminal", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		42:  {Name: "merchant", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 15, Show: iso8583.Clear},
		43:  {Name: "merchant name and place", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 40, Show: iso8583.Clear},
		44:  {Name: "additional response data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLBCD, Max: 25, Show: iso8583.Clear},
		48:  {Name: "additional data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 255},
		49:  {Name: "currency", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		52:  {Name: "PIN block", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8},
		53:  {Name: "security control", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 16, Show: iso8583.Clear},
		54:  {Name: "additional amounts", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 120},
		55:  {Name: "IC card data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 255, Show: iso8583.EMVData},
		60:  {Name: "additional point of service data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLBCD, Max: 6, Show: iso8583.Clear},
		62:  {Name: "custom payment service", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 255, Show: iso8583.Clear},
		63:  {Name: "VIP private use", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 255, Show: iso8583.Clear},
		64:  {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		70:  {Name: "network management code", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		90:  {Name: "original data elements", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 42, Show: iso8583.Clear},
		128: {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
	},
}
