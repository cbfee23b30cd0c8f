// Package mastercard is the interchange dialect of Mastercard's authorisation
// platform (CIS, and MDS for single messages): ISO 8583:1987 in EBCDIC or ASCII,
// binary bitmaps, no header, with the subelements of DE 48, DE 61 and DE 63.
//
// It is a stand-in's dialect and decides nothing. In a tap it carries the host's
// question to the scheme. Public are the message types, DE 48 (transaction
// category code, then subelements of two digits, two digits of length and data:
// 11 key exchange, 61 extended condition codes, 63 trace id), DE 61's positions
// (7 transaction status: 4 is a pre-authorisation; 10 CAT level: 9 is a mobile
// acceptance device; 11 input capability), DE 63 (network and Banknet reference),
// DE 39 of a reversal, and the codes of DE 70. Our reading, replaced by the
// scheme's manual under contract:
//
//   - Void, completion and their like are 0200 and 0220 (F3 02: adjustment); a
//     completion advice is 0120 with DE 60 reason 191.
//   - DE 64 or DE 128 is a MAC over everything before it.
//   - Subelement 11 carries an AES-wrapped key as well as a TDES one.
//
// Dropped: the year of Local, and of a reversal's reasons MACError, which becomes
// Fault. Trace is DE 63: network code 3, Banknet reference 9; an answer has it
// there, a follow-up in subelement 63.
package mastercard

import "huika/iso8583/scheme"

// Text is the character set of a connection.
type Text uint8

// Character sets.
const (
	EBCDIC Text = iota
	ASCII
)

// New is the dialect in that character set.
func New(text Text) scheme.Dialect {
	if text == ASCII {
		return inASCII
	}
	return inEBCDIC
}

var inEBCDIC, inASCII = dialect(true), dialect(false)

func dialect(ebcdic bool) *scheme.Dialect87 {
	return &scheme.Dialect87{
		Title: "mastercard",
		Wire:  scheme.Wire{Spec: Spec, EBCDIC: ebcdic},
		Version87: scheme.Version87{
			Reversal:  "0400",
			Rows:      rows,
			Functions: functions,
			Codes: scheme.Codes{
				{Scheme: "08", Neutral: "00"}, // honour with identification
				{Scheme: "85", Neutral: "00"}, // not declined: an account verified
				{Scheme: "88", Neutral: "96"}, // cryptographic failure
			},
		},
		Place:      scheme.PlaceForm{Name: 22, City: 13, Gap: 1, Letters: 3},
		Entry:      3,
		PINControl: "9701010001000000", // PIN security: TDES, format 0, key index 0001
		Reasons: scheme.Codes{
			{Scheme: "68", Neutral: "98"}, // response received late
			{Scheme: "06", Neutral: "96"}, // error
			{Scheme: "06", Neutral: "A0"},
			{Scheme: "17", Neutral: "06"}, // customer cancellation
		},
		KeyPrefix: scheme.NoKey,
		Mark:      mark,
		PutOwn:    putOwn,
		GetOwn:    getOwn,
	}
}

var rows = scheme.Rows{ // Mark: DE 61 position 7
	{Transaction: scheme.Sale, MTI: "0100", Processing: "000000", Mark: "0"},
	{Transaction: scheme.Void, MTI: "0200", Processing: "020000", Mark: "0"},
	{Transaction: scheme.Refund, MTI: "0100", Processing: "200000", Mark: "0"},
	{Transaction: scheme.PreAuth, MTI: "0100", Processing: "000000", Mark: "4"},
	{Transaction: scheme.PreAuthCancel, MTI: "0200", Processing: "020000", Mark: "4"},
	{Transaction: scheme.Completion, MTI: "0200", Processing: "000000", Mark: "0"},
	{Transaction: scheme.CompletionVoid, MTI: "0220", Processing: "020000", Mark: "0"},
	{Transaction: scheme.CompletionAdvice, MTI: "0120", Processing: "000000", Mark: "0"},
	{Transaction: scheme.Balance, MTI: "0100", Processing: "300000", Mark: "0"},
}

// functions are DE 70. A sign-on for a group of cards counts as a sign-on.
var functions = scheme.FunctionCodes{
	{Function: scheme.SignOn, Code: "001"},
	{Function: scheme.SignOn, Code: "061"},
	{Function: scheme.SignOff, Code: "002"},
	{Function: scheme.SignOff, Code: "062"},
	{Function: scheme.Echo, Code: "270"},
	{Function: scheme.KeyExchange, Code: "161"},
	{Function: scheme.CutOver, Code: "363"},
}
