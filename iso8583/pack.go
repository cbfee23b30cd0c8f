package iso8583

import (
	"fmt"
	"math/bits"
)

// Pack appends the message to dst. On error dst comes back as it was.
func (s *Spec) Pack(dst []byte, m *Message) ([]byte, error) {
	out, err := s.pack(dst, m)
	if err != nil {
		return dst, err
	}
	if len(out)-len(dst) > MaxMessage {
		return dst, &Error{"pack", "message", fmt.Sprintf("longer than %d bytes", MaxMessage)}
	}
	return out, nil
}

func (s *Spec) pack(dst []byte, m *Message) ([]byte, error) {
	if m.bad {
		return nil, &Error{"pack", "message", fmt.Sprintf("a field outside 2 to %d, or too long for any message, was set", MaxField)}
	}
	if !m.full || !all(m.mti[:], isN) {
		return nil, &Error{"pack", "MTI", "want four digits"}
	}
	if s.MTI == BCD {
		dst = append(dst, (m.mti[0]-'0')<<4|(m.mti[1]-'0'), (m.mti[2]-'0')<<4|(m.mti[3]-'0'))
	} else {
		dst = append(dst, m.mti[:]...)
	}
	dst = appendBitmap(dst, m.has)
	for half, word := range m.has {
		for word != 0 {
			lead := bits.LeadingZeros64(word)
			word &^= 1 << (63 - lead)
			n := half<<6 + lead + 1
			at := m.at[n]
			var why string
			if dst, why = s.Fields[n].append(dst, m.buf[at.off:at.off+at.len]); why != "" {
				return nil, &Error{"pack", fieldName(n), why}
			}
		}
	}
	return dst, nil
}

// append writes one field; why is "" or what is wrong with the value.
func (f *Field) append(dst, v []byte) (out []byte, why string) {
	switch {
	case f.Type == 0:
		return dst, "not in this dialect"
	case f.Length == Fixed && len(v) != f.Max:
		return dst, fmt.Sprintf("length %d; want exactly %d", len(v), f.Max)
	case len(v) > f.Max:
		return dst, fmt.Sprintf("length %d; want at most %d", len(v), f.Max)
	}
	n := len(v)
	switch f.Length {
	case LLBCD:
		dst = append(dst, byte(n/10<<4|n%10))
	case LLLBCD:
		dst = append(dst, byte(n/100), byte(n/10%10<<4|n%10))
	case LLASCII:
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	case LLLASCII:
		dst = append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	}
	switch f.Enc {
	case BCD, BCDRight:
		return f.appendBCD(dst, v)
	}
	start := len(dst)
	dst = append(dst, v...)
	if f.Type == Z {
		separators(dst[start:])
	}
	return dst, f.wrong(dst[start:])
}

// separators writes a track-2 separator as '='.
func separators(v []byte) {
	for i, c := range v {
		if c == 'D' {
			v[i] = '='
		}
	}
}

func (f *Field) appendBCD(dst, v []byte) ([]byte, string) {
	table := &digitOf
	if f.Type == Z {
		table = &trackOf
	}
	bad := byte(0)
	if len(v)%2 == 1 && f.Enc == BCDRight {
		d := table[v[0]]
		bad |= d
		dst = append(dst, d)
		v = v[1:]
	}
	for len(v) >= 2 {
		hi, lo := table[v[0]], table[v[1]]
		bad |= hi | lo
		dst = append(dst, hi<<4|lo)
		v = v[2:]
	}
	if len(v) == 1 {
		d := table[v[0]]
		bad |= d
		dst = append(dst, d<<4)
	}
	if bad&noDigit != 0 {
		return dst, f.typeError()
	}
	return dst, ""
}

// wrong checks the characters of an unpacked or packed text value.
func (f *Field) wrong(v []byte) string {
	var class byte
	switch f.Type {
	case N:
		class = isN
	case Z:
		class = isZ
	case AN:
		class = isAN
	case ANS:
		class = isANS
	default:
		return ""
	}
	if !all(v, class) {
		return f.typeError()
	}
	return ""
}

func (f *Field) typeError() string {
	switch f.Type {
	case N:
		return "want digits"
	case Z:
		return "want track 2 digits and a separator"
	case AN:
		return "want digits, letters and spaces"
	}
	return "want text without control characters"
}

// Character classes, as bits of classOf.
const (
	isN byte = 1 << iota
	isZ
	isAN
	isANS
)

// noDigit marks, in digitOf and trackOf, what is no digit.
const noDigit = 0x80

var classOf, digitOf, trackOf = func() (class, digit, track [256]byte) {
	for c := range 256 {
		digit[c], track[c] = noDigit, noDigit
		b := byte(c)
		switch {
		case b >= '0' && b <= '9':
			class[c] = isN | isZ | isAN | isANS
			digit[c], track[c] = b-'0', b-'0'
		case b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == ' ':
			class[c] = isAN | isANS
		case b > ' ' && b != 0x7F:
			class[c] = isANS
		}
	}
	class['='] |= isZ
	track['='], track['D'] = 0xD, 0xD
	return class, digit, track
}()

func all(v []byte, class byte) bool {
	ok := class
	for _, c := range v {
		ok &= classOf[c]
	}
	return ok != 0
}
