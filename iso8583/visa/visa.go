// Package visa is the interchange dialect of VisaNet (V.I.P.: BASE I and the
// Single Message System): a header of 22 bytes, BCD digits, EBCDIC text, lengths
// of one byte, binary bitmaps, and the bitmapped subfields of F62 and F63.
//
// It is a stand-in's dialect and decides nothing. In a tap it carries the host's
// question to the scheme. Public are the header's parts, the field layout, F60's
// additional authorisation indicator (an estimated amount), F62.2 (transaction
// identifier), F63.1, F63.3 (why a reversal), F43's 25, 13 and 2 characters, and
// the reject header of 26 bytes before a message that comes back. Our reading,
// replaced by the scheme's manual under contract:
//
//   - Which message type carries what has no counterpart in a dual-message world:
//     sale, pre-authorisation, refund and balance are BASE I 0100; void,
//     completion and their like SMS 0200 and 0220 (F3 22: credit adjustment).
//   - A working key stands in F48; track 2 of odd length ends in half a byte of 0.
//   - F64 or F128 is a MAC over everything after the header, which VisaNet rewrites.
//
// Dropped: the year of Local, and of a reversal's reasons MACError, which becomes
// Fault. Trace is F62.2, 15 digits.
package visa

import (
	"huika/iso8583"
	"huika/iso8583/scheme"
)

// Station is the two ends of a line, six digits each (H5 and H6); "" is 000000.
type Station struct {
	Own  string
	Peer string
}

// Dialect is Visa's behind the seam of all schemes.
type Dialect struct {
	*scheme.Dialect87
	own, peer [3]byte
}

// New is the dialect as a station speaks it; a station that is not six digits is
// an error that wraps iso8583.ErrFormat.
func New(s Station) (*Dialect, error) {
	d := &Dialect{Dialect87: body}
	for _, of := range []struct {
		digits string
		to     *[3]byte
	}{{s.Own, &d.own}, {s.Peer, &d.peer}} {
		if of.digits != "" && !packDigits(of.to[:], of.digits) {
			return nil, &iso8583.Error{Op: "set", Field: "station", Why: "want six digits"}
		}
	}
	return d, nil
}

// body is everything behind the header.
var body = &scheme.Dialect87{
	Title: "visa",
	Wire:  scheme.Wire{Spec: Spec, EBCDIC: true, ByteLengths: true},
	Version87: scheme.Version87{
		Reversal: "0400",
		Rows: scheme.Rows{ // Mark: F60.10; 2 is an estimated amount
			{Transaction: scheme.Sale, MTI: "0100", Processing: "000000", Mark: "0"},
			{Transaction: scheme.Void, MTI: "0200", Processing: "220000", Mark: "0"},
			{Transaction: scheme.Refund, MTI: "0100", Processing: "200000", Mark: "0"},
			{Transaction: scheme.PreAuth, MTI: "0100", Processing: "000000", Mark: "2"},
			{Transaction: scheme.PreAuthCancel, MTI: "0200", Processing: "220000", Mark: "2"},
			{Transaction: scheme.Completion, MTI: "0200", Processing: "000000", Mark: "0"},
			{Transaction: scheme.CompletionVoid, MTI: "0220", Processing: "220000", Mark: "0"},
			{Transaction: scheme.CompletionAdvice, MTI: "0220", Processing: "000000", Mark: "0"},
			{Transaction: scheme.Balance, MTI: "0100", Processing: "300000", Mark: "0"},
		},
		Functions: scheme.FunctionCodes{
			{Function: scheme.SignOn, Code: "071"},
			{Function: scheme.SignOff, Code: "072"},
			{Function: scheme.Echo, Code: "301"},
			{Function: scheme.KeyExchange, Code: "161"},
			{Function: scheme.CutOver, Code: "201"},
		},
		Codes: scheme.Codes{
			{Scheme: "11", Neutral: "00"}, // approved, VIP
			{Scheme: "85", Neutral: "00"}, // no reason to decline: an account verified, a refund taken
			{Scheme: "N0", Neutral: "91"}, // the issuer asks for stand-in processing
			{Scheme: "81", Neutral: "96"}, // cryptographic error in the PIN
			{Scheme: "Q1", Neutral: "05"}, // card authentication failed
			{Scheme: "R0", Neutral: "05"}, // cardholder stopped the payment
			{Scheme: "R1", Neutral: "05"},
			{Scheme: "R3", Neutral: "05"},
		},
	},
	Place:      scheme.PlaceForm{Name: 25, City: 13, Letters: 2},
	Entry:      4,
	PINControl: "2001010100000000", // format 20, TDES, PIN block format 01, zone key index 01
	Mark:       mark,
	PutOwn:     putOwn,
	GetOwn:     getOwn,
}

// reasons are F63.3 of a 0400, by scheme.Reason.
var reasons = [...]uint16{scheme.NoReply: 0x2502, scheme.Fault: 0x2503, scheme.MACError: 0x2503, scheme.Other: 0x2501}

// traceDigits is the length of F62.2.
const traceDigits = 15

func putOwn(to *iso8583.Message, m *scheme.Message, row *scheme.Row) error {
	if row != nil {
		to.Set(25, "00")
		// F60: terminal in a shop, it reads contactless chips, the chip's data is in
		// F55 or not, no mail order, and the indicator of the amount.
		f60 := [6]byte{0x08, 0x00, 0x00, 0x00, 0x00, row.Mark[0] - '0'}
		if len(m.ICC) > 0 {
			f60[3] = 0x10
		}
		to.SetBytes(60, f60[:])
	}
	if m.Trace != "" {
		if len(m.Trace) != traceDigits {
			return &iso8583.Error{Op: "pack", Field: "F62.2", Why: "want 15 digits"}
		}
		v := [8 + 8]byte{0x40} // bitmap: 62.2 alone
		digits := [2 * 8]byte{0: '0'}
		copy(digits[1:], m.Trace)
		if !packDigits(v[8:], string(digits[:])) {
			return &iso8583.Error{Op: "pack", Field: "F62.2", Why: "want 15 digits"}
		}
		to.SetBytes(62, v[:])
	}
	if m.Kind == scheme.Reversal && !m.Response && m.Reason != 0 {
		if int(m.Reason) >= len(reasons) {
			return &iso8583.Error{Op: "pack", Field: "F63.3", Why: "no such reason"}
		}
		why := reasons[m.Reason]
		// Bitmap: 63.1, the network (0002 is Visa), and 63.3.
		v := [3 + 2 + 2]byte{0xA0, 0, 0, 0x00, 0x02, byte(why >> 8), byte(why)}
		to.SetBytes(63, v[:])
	}
	return nil
}

func getOwn(from *scheme.In, m *scheme.Message) error {
	if from.Has(62) {
		// The parts stand in the order of their bits: 62.1 has one byte, 62.2 eight.
		v, ok := subfield(from.Bytes(62), 8, []int{1, 8}, 2)
		if !ok || v != nil && v[0]>>4 != 0 {
			return &iso8583.Error{Op: "unpack", Field: "F62", Why: "shorter than its bitmap says, or no number"}
		}
		if v != nil {
			digits, ok := unpackDigits(v)
			if !ok {
				return &iso8583.Error{Op: "unpack", Field: "F62.2", Why: "want 15 digits"}
			}
			m.Trace = digits[1:]
		}
	}
	if m.Kind == scheme.Reversal && !m.Response && from.Has(63) {
		v, ok := subfield(from.Bytes(63), 3, []int{2, 2, 2}, 3)
		if !ok {
			return &iso8583.Error{Op: "unpack", Field: "F63", Why: "shorter than its bitmap says"}
		}
		if v != nil {
			why := uint16(v[0])<<8 | uint16(v[1])
			for r := scheme.NoReply; r <= scheme.Other; r++ {
				if reasons[r] == why && m.Reason == 0 {
					m.Reason = r
				}
			}
		}
	}
	return nil
}

// subfield is part want (counted from 1) of a field that begins with a bitmap of
// size bytes; nil where its bit is not set. widths are the parts up to want.
func subfield(v []byte, size int, widths []int, want int) (part []byte, ok bool) {
	if len(v) < size {
		return nil, false
	}
	at := size
	for i, width := range widths {
		if v[i/8]&(0x80>>(i%8)) == 0 {
			continue
		}
		if len(v) < at+width {
			return nil, false
		}
		if i+1 == want {
			return v[at : at+width], true
		}
		at += width
	}
	return nil, true
}

// mark is F60.10, the last digit of F60.
func mark(from *scheme.In) string {
	v := from.Bytes(60)
	switch {
	case len(v) != 6:
		return ""
	case v[5]&15 == 2:
		return "2"
	}
	return "0"
}

// packDigits fills to with an even number of digits; false where they are none, or of another number.
func packDigits(to []byte, digits string) bool {
	if len(digits) != 2*len(to) {
		return false
	}
	for i := range to {
		hi, lo := digits[2*i]-'0', digits[2*i+1]-'0'
		if hi > 9 || lo > 9 {
			return false
		}
		to[i] = hi<<4 | lo
	}
	return true
}

func unpackDigits(b []byte) (string, bool) {
	digits := make([]byte, 0, 2*len(b))
	for _, c := range b {
		if c>>4 > 9 || c&15 > 9 {
			return "", false
		}
		digits = append(digits, '0'+c>>4, '0'+c&15)
	}
	return string(digits), true
}
