// Package amex is the interchange dialect of American Express (GCAG, the global
// credit authorisation guide): ISO 8583:1993 with EBCDIC text and lengths, binary
// bitmaps, action codes of three digits, a point-of-service data code of twelve
// positions, function codes and message reasons.
//
// It is a stand-in's dialect and decides nothing. In a tap it carries the host's
// question to the scheme. Public are the message types (1100, 1420, 1804), the
// action codes, the positions of F22, F24's and F25's values of ISO 8583:1993,
// F26 as the merchant category, F31 as the transaction identifier of an answer,
// F43's parts between backslashes, and the AGNS header of F55. Our reading,
// replaced by the scheme's manual under contract:
//
//   - Void, completion and their like are 1200 and 1220.
//   - F55 carries BER-TLV behind its header, where the scheme has fixed positions.
//   - F63 is ours: what F56 has no place for, function code and transmission time
//     of the original, and its forwarding institution.
//   - F96 holds a working key: P or M, the wrapped key, its check value.
//   - F64 or F128 is a MAC over everything before it.
//
// It asks for a Local with its year. Dropped: nothing but what F22 has no value
// for. Trace is F31, up to 48 characters; the scheme's has 15.
package amex

import (
	"huika/iso8583"
	"huika/iso8583/scheme"
)

// Dialect is American Express's behind the seam of all schemes.
var Dialect scheme.Dialect = dialect{}

type dialect struct{}

var wire = scheme.Wire{Spec: Spec, EBCDIC: true}

// Message types. The answer's third digit is one higher.
const (
	mtiReversal   = "1420"
	mtiManagement = "1804"
)

// rows of payments. Mark is F24; 101 is an authorisation of an estimated amount,
// 202 a transaction approved before whose amount may differ, 108 an inquiry.
var rows = scheme.Rows{
	{Transaction: scheme.Sale, MTI: "1100", Processing: "004000", Mark: "100"},
	{Transaction: scheme.Void, MTI: "1200", Processing: "024000", Mark: "200"},
	{Transaction: scheme.Refund, MTI: "1200", Processing: "204000", Mark: "200"},
	{Transaction: scheme.PreAuth, MTI: "1100", Processing: "004000", Mark: "101"},
	{Transaction: scheme.PreAuthCancel, MTI: "1100", Processing: "024000", Mark: "101"},
	{Transaction: scheme.Completion, MTI: "1200", Processing: "004000", Mark: "202"},
	{Transaction: scheme.CompletionVoid, MTI: "1200", Processing: "024000", Mark: "202"},
	{Transaction: scheme.CompletionAdvice, MTI: "1220", Processing: "004000", Mark: "202"},
	{Transaction: scheme.Balance, MTI: "1100", Processing: "314000", Mark: "108"},
}

// functionReversal is F24 of a full reversal.
const functionReversal = "400"

// functions are F24 of a 1804.
var functions = scheme.FunctionCodes{
	{Function: scheme.SignOn, Code: "801"},
	{Function: scheme.SignOff, Code: "802"},
	{Function: scheme.KeyExchange, Code: "811"},
	{Function: scheme.CutOver, Code: "821"},
	{Function: scheme.Echo, Code: "831"},
}

// reasons are F25 of a 1420, against scheme.Reason.Code.
var reasons = scheme.Codes{
	{Scheme: "4021", Neutral: "98"}, // time-out waiting for an answer
	{Scheme: "4007", Neutral: "96"}, // terminal unable to complete
	{Scheme: "4020", Neutral: "A0"}, // invalid answer
	{Scheme: "4000", Neutral: "06"}, // customer cancellation
}

// Name implements scheme.Dialect.
func (dialect) Name() string { return "amex" }

// Encode implements scheme.Dialect.
func (dialect) Encode(dst []byte, m *scheme.Message, mac iso8583.MAC) ([]byte, error) {
	return wire.Encode(dst, m, mac, put)
}

// Decode implements scheme.Dialect.
func (dialect) Decode(frame []byte, m *scheme.Message) error { return wire.Decode(frame, m, get) }

// CheckMAC implements scheme.Dialect.
func (dialect) CheckMAC(frame []byte, mac iso8583.MAC) error { return wire.CheckMAC(frame, mac) }

// Key implements scheme.Dialect.
func (dialect) Key(m *scheme.Message) string { return scheme.Key(m) }

// Dump implements scheme.Dialect.
func (dialect) Dump(frame []byte) (string, error) { return wire.Dump(frame) }

func put(to *iso8583.Message, m *scheme.Message) error {
	if err := scheme.Put(to, m); err != nil {
		return err
	}
	mti, function := mtiManagement, functions.Of(m.Function)
	if m.Kind != scheme.Management {
		row := rows.Of(m.Transaction)
		if row == nil {
			return wrong("pack", "F3", "no such transaction")
		}
		to.Set(3, row.Processing)
		mti, function = row.MTI, row.Mark
		if m.Kind == scheme.Reversal {
			mti, function = mtiReversal, functionReversal
		}
	}
	if function == "" {
		return wrong("pack", "F24", "no such function")
	}
	scheme.SetMTI(to, mti, m.Response)
	to.Set(24, function)
	if m.Kind == scheme.Reversal && !m.Response && m.Reason != 0 {
		to.Set(25, reasons.Scheme(m.Reason.Code()))
	}
	if m.Response {
		if code := actionCode(m); code != "" {
			to.Set(39, code)
		}
	}
	if m.Trace != "" {
		to.Set(31, m.Trace)
	}
	for _, part := range [...]func(*iso8583.Message, *scheme.Message) error{putDates, putEntry, putPlace, putICC, putOriginal, putKey} {
		if err := part(to, m); err != nil {
			return err
		}
	}
	// F26, not F18, is the merchant category of the 1993 version.
	to.Unset(18)
	if m.MCC != "" {
		to.Set(26, m.MCC)
	}
	return nil
}

func get(from *scheme.In, m *scheme.Message) error {
	if err := scheme.Get(from, m); err != nil {
		return err
	}
	m.MCC, m.Trace, m.Local = from.Get(26), from.Get(31), from.Get(12)
	m.Settlement = ""
	if from.Has(15) {
		m.Settlement = from.Get(15)[2:]
	}
	m.Response = from.IsResponse()
	function := from.Get(24)
	switch mti := from.RequestMTI(); {
	case mti == mtiManagement:
		m.Kind, m.Function = scheme.Management, functions.Find(function)
	case mti == mtiReversal:
		m.Kind = scheme.Reversal // getOriginal finds what it reverses
		if !m.Response {
			m.Reason, _ = scheme.ReasonOf(reasons.Neutral(from.Get(25))) // a reason of no meaning to us is none
		}
	case rows.Has(mti):
		m.Kind, m.Transaction = scheme.Payment, rows.Find(mti, from.Get(3), function)
	}
	if m.Response && from.Has(39) {
		m.SchemeCode = from.Get(39)
		m.Code = neutralCode(m.SchemeCode)
	}
	getEntry(from, m)
	getPlace(from, m)
	for _, part := range [...]func(*scheme.In, *scheme.Message) error{getICC, getOriginal, getKey} {
		if err := part(from, m); err != nil {
			return err
		}
	}
	return nil
}

func wrong(op, field, why string) error { return &iso8583.Error{Op: op, Field: field, Why: why} }
