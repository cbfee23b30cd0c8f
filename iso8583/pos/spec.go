// Package pos is the dialect between terminal and acquirer: UnionPay-style POS
// messages after public descriptions, with TPDU, header and BCD fields, sign-in
// with working keys and a MAC in field 64.
//
// It is one vendor's usage, not a certified interface, and it decides nothing:
// the terminal and the host say what a message means. Fields of our own are F46
// (payment id) and the AES key layout of F62. In a tap it is what travels from
// the terminal to the acquirer's gateway and back.
package pos

import "huika/iso8583"

// Field numbers that are easy to mistake.
const (
	FieldOriginal  = 61 // batch, STAN and date of the original
	FieldPaymentID = 46 // our own: the 26 characters of pay.PaymentID, from the terminal to the books
	FieldKeys      = 62 // sign-in reply: working keys
	FieldMAC       = 64
)

// Spec is the POS dialect: BCD message type, binary bitmap of 64 fields.
var Spec = &iso8583.Spec{
	Name: "pos",
	MTI:  iso8583.BCD,
	Fields: iso8583.Fields{
		2:  {Name: "primary account number", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 19, Show: iso8583.FirstSix},
		3:  {Name: "processing code", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		4:  {Name: "amount", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		11: {Name: "STAN", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		12: {Name: "local time", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		13: {Name: "local date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		14: {Name: "expiry date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4},
		15: {Name: "settlement date", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		22: {Name: "point of service entry mode", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		23: {Name: "card sequence number", Type: iso8583.N, Enc: iso8583.BCDRight, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		25: {Name: "point of service condition", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		26: {Name: "PIN capture code", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		32: {Name: "acquiring institution", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 11, Show: iso8583.Clear},
		35: {Name: "track 2", Type: iso8583.Z, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 37},
		36: {Name: "track 3", Type: iso8583.Z, Enc: iso8583.BCD, Length: iso8583.LLLBCD, Max: 104},
		37: {Name: "RRN", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		38: {Name: "authorisation code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		39: {Name: "response code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		41: {Name: "terminal", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		42: {Name: "merchant", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 15, Show: iso8583.Clear},
		44: {Name: "additional response data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLBCD, Max: 25, Show: iso8583.Clear},
		46: {Name: "payment id", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLBCD, Max: 26, Show: iso8583.Clear},
		48: {Name: "settlement totals", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLLBCD, Max: 322},
		49: {Name: "currency", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		52: {Name: "PIN block", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8},
		53: {Name: "security control", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.Fixed, Max: 16, Show: iso8583.Clear},
		54: {Name: "balance", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 40},
		55: {Name: "IC card data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 255, Show: iso8583.EMVData},
		58: {Name: "purse data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 100},
		59: {Name: "terminal data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 600},
		60: {Name: "message type, batch, network", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLLBCD, Max: 13, Show: iso8583.Clear},
		61: {Name: "original", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLLBCD, Max: 29, Show: iso8583.Clear},
		62: {Name: "keys or code", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLBCD, Max: 512},
		63: {Name: "operator", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLBCD, Max: 163},
		64: {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
	},
}
