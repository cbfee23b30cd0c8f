package mastercard

import (
	"encoding/hex"
	"strings"

	"huika/iso8583"
	"huika/iso8583/scheme"
)

// attended is DE 61 of a sale in a shop with card and cardholder present, on a
// mobile acceptance device that reads contactless chips: 11 positions, then life
// cycle 2, country 3 and postal code 10.
const (
	attended    = "00000000093" + "00" + "000" + "          "
	statusAt    = 6  // position 7
	countryAt   = 13 // positions 14 to 16
	traceSize   = 12 // DE 63
	retail      = 'R'
	adviceFinal = "1910000" // DE 60: the acquirer's system completed the transaction
)

// Subelements of DE 48.
const (
	seKey      = "11"
	seExtended = "61"
	seTrace    = "63"

	seTraceSize = 15 // DE 63 filled with spaces
	keyHead     = 2 + 2 + 2
	keyCheck    = 16 // hexadecimal digits of the check value, filled with zeros
)

func putOwn(to *iso8583.Message, m *scheme.Message, row *scheme.Row) error {
	if len(m.Trace) > 0 && len(m.Trace) != traceSize {
		return &iso8583.Error{Op: "pack", Field: "DE63", Why: "want 12 characters"}
	}
	if m.Response && m.Trace != "" {
		to.Set(63, m.Trace)
	}
	if row != nil {
		v := [len(attended)]byte([]byte(attended))
		v[statusAt] = row.Mark[0]
		copy(v[countryAt:], scheme.CountryNumber(m.Place.Country))
		to.SetBytes(61, v[:])
		if row.Transaction == scheme.CompletionAdvice && m.Kind == scheme.Payment {
			to.Set(60, adviceFinal)
		}
	}
	return put48(to, m, row)
}

// put48 sets DE 48: the category code of a payment and the subelements there are.
func put48(to *iso8583.Message, m *scheme.Message, row *scheme.Row) error {
	var room [128]byte
	v := room[:0]
	if row != nil {
		v = append(v, retail)
	}
	if m.Key.Use != 0 || len(m.Key.Wrapped) > 0 {
		class := "PK"
		switch {
		case m.Key.Use == scheme.MACKey:
			class = "MK"
		case m.Key.Use != scheme.PINKey:
			return &iso8583.Error{Op: "pack", Field: "DE48.11", Why: "want a PIN or MAC key"}
		}
		if n := len(m.Key.Wrapped); n != 16 && n != scheme.MaxKey {
			return &iso8583.Error{Op: "pack", Field: "DE48.11", Why: "want a wrapped key of 16 or 24 bytes"}
		}
		size := keyHead + 2*len(m.Key.Wrapped) + keyCheck
		v = append(append(v, seKey...), byte('0'+size/10), byte('0'+size%10))
		v = append(append(v, class...), "0000"...) // index and cycle of the key
		v = appendHex(v, m.Key.Wrapped)
		v = append(appendHex(v, m.Key.Check[:]), "00000000"...)
	}
	if row != nil && !m.Response {
		final := byte('1') // the amount is final
		if row.Transaction == scheme.PreAuth {
			final = '0'
		}
		v = append(append(append(v, seExtended...), "050000"...), final)
	}
	if m.Trace != "" && !m.Response {
		v = append(append(append(v, seTrace...), "15"...), m.Trace...)
		v = append(v, "   "...)
	}
	if len(v) > 0 {
		to.SetBytes(48, v)
	}
	return nil
}

// appendHex appends upper-case hexadecimal.
func appendHex(dst, b []byte) []byte {
	start := len(dst)
	dst = hex.AppendEncode(dst, b)
	for i, c := range dst[start:] {
		if c >= 'a' {
			dst[start+i] = c - 'a' + 'A'
		}
	}
	return dst
}

func getOwn(from *scheme.In, m *scheme.Message) error {
	v := from.Get(48)
	if m.Kind == scheme.Payment || m.Kind == scheme.Reversal {
		if v != "" {
			v = v[1:] // the category code
		}
	}
	m.Trace = from.Get(63)
	for len(v) > 0 {
		if len(v) < 4 || !digits(v[:4]) {
			return &iso8583.Error{Op: "unpack", Field: "DE48", Why: "want subelements of two digits and a length"}
		}
		id, n := v[:2], int(v[2]-'0')*10+int(v[3]-'0')
		if len(v) < 4+n {
			return &iso8583.Error{Op: "unpack", Field: "DE48." + id, Why: "shorter than its length says"}
		}
		data := v[4 : 4+n]
		v = v[4+n:]
		switch {
		case id == seTrace && m.Trace == "" && n == seTraceSize:
			m.Trace = strings.TrimRight(data, " ")
		case id == seKey && m.Function == scheme.KeyExchange:
			if err := getKey(data, &m.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func getKey(data string, k *scheme.WorkingKey) error {
	wrong := &iso8583.Error{Op: "unpack", Field: "DE48.11", Why: "no key"}
	n := len(data) - keyHead - keyCheck
	if n != 2*16 && n != 2*scheme.MaxKey {
		return wrong
	}
	wrapped, err := hex.DecodeString(data[keyHead : keyHead+n])
	if err != nil {
		return wrong
	}
	check, err := hex.DecodeString(data[keyHead+n : keyHead+n+8])
	if err != nil {
		return wrong
	}
	switch data[:2] {
	case "PK":
		k.Use = scheme.PINKey
	case "MK":
		k.Use = scheme.MACKey
	default:
		return wrong
	}
	k.Wrapped = wrapped
	copy(k.Check[:], check)
	return nil
}

// mark is position 7 of DE 61.
func mark(from *scheme.In) string {
	if v := from.Bytes(61); len(v) > statusAt {
		if v[statusAt] == '4' {
			return "4"
		}
		return "0"
	}
	return ""
}
