package pos

import (
	"slices"
	"strconv"

	"huika/iso8583"
	"huika/pay"
)

// FieldDownload carries what a terminal downloads. It is the field of the keys.
const FieldDownload = FieldKeys

// Parameters are the terminal's 小额免密免签 settings (F60.3 394), as far as a
// terminal here goes by them. The tags are one vendor's; the forms of the values
// are ours, as no description gives them: amounts are 6 bytes BCD, flags one byte.
type Parameters struct {
	Free       bool  // FF8054: payments without a PIN up to NoPINLimit; off: every payment needs the cardholder
	CDCVM      bool  // FF8057: the device's own verification counts
	NoPINLimit int64 // FF8058: up to and including so much no PIN, in minor units
}

var parameterTags = struct{ free, cdcvm, noPIN [3]byte }{
	[3]byte{0xFF, 0x80, 0x54}, [3]byte{0xFF, 0x80, 0x57}, [3]byte{0xFF, 0x80, 0x58},
}

// amountSize is the bytes of an amount: twelve digits.
const amountSize = 6

// Append writes p as TLV: three bytes of tag, one of length, the value.
func (p Parameters) Append(dst []byte) []byte {
	put := func(tag [3]byte, v ...byte) { dst = append(append(append(dst, tag[:]...), byte(len(v))), v...) }
	flag := func(on bool) byte {
		if on {
			return 1
		}
		return 0
	}
	put(parameterTags.free, flag(p.Free))
	put(parameterTags.cdcvm, flag(p.CDCVM))
	var digits [amountSize]byte
	n := p.NoPINLimit
	for i := amountSize - 1; i >= 0; i-- {
		digits[i] = byte(n/10%10)<<4 | byte(n%10)
		n /= 100
	}
	put(parameterTags.noPIN, digits[:]...)
	return dst
}

// ParseParameters reads what Append writes, over base: what is not there stays
// as it was, and tags that we do not know are passed over. Errors: iso8583.ErrFormat.
func ParseParameters(b []byte, base Parameters) (Parameters, error) {
	bad := func(why string) (Parameters, error) {
		return base, &iso8583.Error{Op: "parse", Field: "F62", Why: why}
	}
	p := base
	for len(b) > 0 {
		if len(b) < 4 || len(b) < 4+int(b[3]) {
			return bad("a parameter is cut short")
		}
		tag, v := [3]byte(b[:3]), b[4:4+int(b[3])]
		b = b[4+int(b[3]):]
		switch tag {
		case parameterTags.free, parameterTags.cdcvm:
			if len(v) != 1 || v[0] > 1 {
				return bad("a flag is not 0 or 1")
			}
			if tag == parameterTags.free {
				p.Free = v[0] == 1
			} else {
				p.CDCVM = v[0] == 1
			}
		case parameterTags.noPIN:
			n, ok := bcd(v)
			if len(v) != amountSize || !ok {
				return bad("FF8058 is not an amount")
			}
			p.NoPINLimit = n
		}
	}
	return p, nil
}

func bcd(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c>>4 > 9 || c&0x0F > 9 {
			return 0, false
		}
		n = 100*n + 10*int64(c>>4) + int64(c&0x0F)
	}
	return n, len(b) <= amountSize
}

// Lists of card numbers and of their first digits travel as entries of ten
// bytes, BCD on the left, filled with F: up to PageEntries of them in one answer,
// behind a byte that is 1 where another page follows. A request's F62 is the page,
// three digits; none is page 000. Ours.
const (
	entrySize   = 10
	PageEntries = 48
	MaxPages    = 1000
)

// AppendPage writes one page of a list of digits (1 to 19 of them each). A page
// beyond the end is empty. Errors: iso8583.ErrFormat.
func AppendPage(dst []byte, list []string, page int) ([]byte, error) {
	from := min(page*PageEntries, len(list))
	to := min(from+PageEntries, len(list))
	more := byte(0)
	if to < len(list) {
		more = 1
	}
	dst = append(dst, more)
	for _, digits := range list[from:to] {
		var e [entrySize]byte
		for i := range e {
			e[i] = 0xFF
		}
		for i := range len(digits) {
			if i >= 2*entrySize-1 || digits[i] < '0' || digits[i] > '9' {
				return nil, &iso8583.Error{Op: "pack", Field: "F62", Why: "an entry is not 1 to 19 digits"}
			}
			d := digits[i] - '0'
			if i%2 == 0 {
				e[i/2] = d<<4 | 0x0F
			} else {
				e[i/2] = e[i/2]&0xF0 | d
			}
		}
		dst = append(dst, e[:]...)
	}
	return dst, nil
}

// ParsePage reads what AppendPage writes. Errors: iso8583.ErrFormat.
func ParsePage(b []byte) (entries []string, more bool, err error) {
	if len(b) == 0 || (len(b)-1)%entrySize != 0 || b[0] > 1 || b[0] == 1 && len(b) == 1 {
		return nil, false, &iso8583.Error{Op: "parse", Field: "F62", Why: "not a page of a list"}
	}
	for e := range slices.Chunk(b[1:], entrySize) {
		digits := make([]byte, 0, 2*entrySize)
		for _, c := range e {
			digits = append(digits, '0'+c>>4, '0'+c&0x0F)
		}
		end := slices.Index(digits, '0'+0x0F)
		if end < 1 {
			return nil, false, &iso8583.Error{Op: "parse", Field: "F62", Why: "an entry is not 1 to 19 digits"}
		}
		for i, c := range digits {
			if i < end && c > '9' || i >= end && c != '0'+0x0F {
				return nil, false, &iso8583.Error{Op: "parse", Field: "F62", Why: "an entry is not 1 to 19 digits"}
			}
		}
		entries = append(entries, string(digits[:end]))
		clear(digits)
	}
	return entries, b[0] == 1, nil
}

// PageRequest is F62 of a request for a page.
func PageRequest(page int) []byte { return []byte(strconv.Itoa(1000 + page)[1:]) }

// RequestedPage reads it.
func RequestedPage(f62 []byte) (int, bool) {
	if len(f62) == 0 {
		return 0, true
	}
	n, err := strconv.ParseUint(string(f62), 10, 16)
	return int(n), err == nil && len(f62) == 3
}

// DigitsOf is a list of card numbers as AppendPage takes it.
func DigitsOf(cards []pay.PAN) []string {
	out := make([]string, 0, len(cards))
	for _, c := range cards {
		out = append(out, c.Reveal())
	}
	return out
}
