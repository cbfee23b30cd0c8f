package iso8583

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Unpack reads a whole message into m, which it empties first. It refuses
// fields that the dialect does not have, lengths beyond a field's bound,
// characters outside a field's type, padding that is not zero, and bytes that
// are left over. After an error m is empty.
func (s *Spec) Unpack(b []byte, m *Message) error {
	m.Reset()
	field, why := s.unpack(b, m)
	if why == "" {
		return nil
	}
	m.Reset()
	return &Error{"unpack", field, why}
}

func (s *Spec) unpack(b []byte, m *Message) (field, why string) {
	if len(b) > MaxMessage {
		return "message", fmt.Sprintf("longer than %d bytes", MaxMessage)
	}
	// BCD doubles at most, so one growth is enough for the whole message.
	if want := 2 * len(b); cap(m.buf) < want {
		m.buf = make([]byte, 0, want)
	}
	if s.MTI == BCD {
		if len(b) < 2 {
			return "MTI", "missing"
		}
		a, z := pairOf[b[0]], pairOf[b[1]]
		if a == noPair || z == noPair {
			return "MTI", "want four digits"
		}
		binary.LittleEndian.PutUint16(m.mti[:], a)
		binary.LittleEndian.PutUint16(m.mti[2:], z)
		b = b[2:]
	} else {
		if len(b) < 4 {
			return "MTI", "missing"
		}
		if !all(b[:4], isN) {
			return "MTI", "want four digits"
		}
		copy(m.mti[:], b)
		b = b[4:]
	}
	m.full = true

	has, rest, why := readBitmap(b)
	if why != "" {
		return "bitmap", why
	}
	b = rest
	for half, word := range has {
		for word != 0 {
			lead := bits.LeadingZeros64(word)
			word &^= 1 << (63 - lead)
			n := half<<6 + lead + 1
			used, why := s.Fields[n].read(b, m, n)
			if why != "" {
				return fieldName(n), why
			}
			b = b[used:]
		}
	}
	if len(b) != 0 {
		return "message", fmt.Sprintf("%d bytes left over", len(b))
	}
	return "", ""
}

func readBitmap(b []byte) (has [2]uint64, rest []byte, why string) {
	if len(b) < 8 {
		return has, nil, "missing"
	}
	has[0], b = binary.BigEndian.Uint64(b), b[8:]
	if has[0]>>63 == 1 {
		if len(b) < 8 {
			return has, nil, "second half missing"
		}
		has[0] &^= 1 << 63
		has[1], b = binary.BigEndian.Uint64(b), b[8:]
		if has[1] == 0 {
			return has, nil, "second half is empty"
		}
	}
	if has[1]>>63 == 1 {
		return has, nil, "a third half is not supported"
	}
	return has, b, ""
}

// read takes field n from the front of b and reports how many bytes it used.
func (f *Field) read(b []byte, m *Message, n int) (used int, why string) {
	if f.Type == 0 {
		return 0, "not in this dialect"
	}
	length, used, why := f.readLength(b)
	if why != "" {
		return 0, why
	}
	b = b[used:]
	size := length
	if f.Enc == BCD || f.Enc == BCDRight {
		size = (length + 1) / 2
	}
	if len(b) < size {
		return 0, fmt.Sprintf("want %d bytes, %d are left", size, len(b))
	}
	v := m.place(n, length)
	switch f.Enc {
	case BCD, BCDRight:
		why = f.expand(v, b[:size])
	default:
		copy(v, b)
		if f.Type == Z {
			separators(v)
		}
		why = f.wrong(v)
	}
	return used + size, why
}

func (f *Field) readLength(b []byte) (length, used int, why string) {
	var prefix uint32 // as many ASCII digits as the prefix has
	switch f.Length {
	case Fixed:
		return f.Max, 0, ""
	case LLBCD:
		used = 1
	case LLLBCD, LLASCII:
		used = 2
	case LLLASCII:
		used = 3
	}
	if len(b) < used {
		return 0, 0, "length missing"
	}
	for _, c := range b[:used] {
		var d uint32
		if f.Length == LLBCD || f.Length == LLLBCD {
			if pairOf[c] == noPair {
				return 0, 0, "length is not a number"
			}
			d = uint32(c>>4)*10 + uint32(c&15)
			prefix = prefix*100 + d
			continue
		}
		if digitOf[c] == noDigit {
			return 0, 0, "length is not a number"
		}
		prefix = prefix*10 + uint32(digitOf[c])
	}
	if int(prefix) > f.Max {
		return 0, 0, fmt.Sprintf("length %d; want at most %d", prefix, f.Max)
	}
	return int(prefix), used, ""
}

// expand turns BCD into len(v) characters.
func (f *Field) expand(v, b []byte) string {
	if len(v)%2 == 1 {
		spare, digit := b[len(b)-1]&15, b[len(b)-1]>>4
		if f.Enc == BCDRight {
			spare, digit = b[0]>>4, b[0]&15
		}
		c := nibble(digit, f.Type)
		switch {
		case c == 0:
			return f.typeError()
		case spare != 0:
			return "padding is not zero"
		}
		if f.Enc == BCDRight {
			v[0] = c
			v, b = v[1:], b[1:]
		} else {
			v[len(v)-1] = c
			v, b = v[:len(v)-1], b[:len(b)-1]
		}
	}
	for i, x := range b {
		if p := pairOf[x]; p != noPair {
			binary.LittleEndian.PutUint16(v[2*i:], p)
			continue
		}
		hi, lo := nibble(x>>4, f.Type), nibble(x&15, f.Type)
		if hi == 0 || lo == 0 {
			return f.typeError()
		}
		v[2*i], v[2*i+1] = hi, lo
	}
	return ""
}

// nibble is the character of half a BCD byte, or 0 where type t has none for it.
func nibble(n byte, t Type) byte {
	switch {
	case n <= 9:
		return '0' + n
	case n == 0xD && t == Z:
		return '='
	}
	return 0
}

// noPair marks, in pairOf, a byte that is not two digits.
const noPair = 0

// pairOf is the two ASCII digits of a BCD byte, first digit in the low byte.
var pairOf = func() (t [256]uint16) {
	for hi := range 10 {
		for lo := range 10 {
			t[hi<<4|lo] = uint16('0'+hi) | uint16('0'+lo)<<8
		}
	}
	return t
}()
