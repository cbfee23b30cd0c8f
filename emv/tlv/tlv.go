// Package tlv reads and writes BER-TLV as EMV uses it: definite lengths, tags
// of one to three bytes, zero bytes allowed between objects (EMV Book 3,
// Annex B). It knows no tag by name (emv/tag does) and no meaning.
//
// In a tap it stands under everything that a card answers: FCI, GPO response,
// records, and under field 55 of the messages behind it. Values alias the
// input; nothing is copied. Reader is the form without allocations; Parse, Find
// and Walk are built on it.
package tlv

import (
	"errors"
	"fmt"
	"math/bits"
)

// Bounds of what is read. A card's answer is at most 256 bytes and a message
// field a few hundred; these limits only stop hostile input.
const (
	MaxDepth       = 8      // templates inside templates
	MaxObjects     = 256    // objects of one level, and of a whole Walk
	MaxLength      = 0xFFFF // of one value
	maxTagBytes    = 3
	maxLengthBytes = 2 // after the first length byte
)

// Tag is a BER tag as its bytes read as a big-endian number: 0x9F26, 0x5A, 0xDF8104.
type Tag uint32

// String is the tag in hex: "9F26".
func (t Tag) String() string { return fmt.Sprintf("%0*X", 2*t.Len(), uint32(t)) }

// Len is the number of bytes of the tag, at least one.
func (t Tag) Len() int { return max(1, (bits.Len32(uint32(t))+7)/8) }

// Constructed reports whether the value is itself a row of TLV objects (bit 6 of the first byte).
func (t Tag) Constructed() bool { return uint32(t)>>(8*(t.Len()-1))&0x20 != 0 }

// TLV is one object. Value aliases the input that it was read from.
type TLV struct {
	Tag   Tag
	Value []byte
}

// ErrMalformed is what every *Error is (errors.Is).
var ErrMalformed = errors.New("malformed TLV")

// Error says where and why bytes are not BER-TLV. It never carries the bytes.
type Error struct {
	Offset int // from the start of the input
	Why    string
}

func (e *Error) Error() string { return fmt.Sprintf("malformed TLV at byte %d: %s", e.Offset, e.Why) }

// Is makes errors.Is(err, ErrMalformed) true.
func (e *Error) Is(target error) bool { return target == ErrMalformed }

// ParseTag reads one tag and returns the number of its bytes. Offsets of its errors count from b.
func ParseTag(b []byte) (Tag, int, error) {
	if len(b) == 0 {
		return 0, 0, &Error{0, "no tag"}
	}
	t := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return t, 1, nil
	}
	for i := 1; i < len(b); i++ {
		if i == maxTagBytes {
			return 0, 0, &Error{i, "tag of more than 3 bytes"}
		}
		if i == 1 && b[i] == 0x80 {
			return 0, 0, &Error{i, "overlong tag"} // ISO/IEC 8825-1, 8.1.2.4.2 c
		}
		t = t<<8 | Tag(b[i])
		if b[i]&0x80 == 0 {
			return t, i + 1, nil
		}
	}
	return 0, 0, &Error{len(b), "tag is cut off"}
}

// parseLength reads a length field. A length below 128 in the two- or
// three-byte form is taken: BER allows it, the books do not forbid it and
// cards send it. The indefinite form and more than two length bytes are not.
func parseLength(b []byte) (length, n int, err error) {
	if len(b) == 0 {
		return 0, 0, &Error{0, "length is missing"}
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n = int(b[0] & 0x7F)
	if n == 0 {
		return 0, 0, &Error{0, "indefinite length"}
	}
	if n > maxLengthBytes {
		return 0, 0, &Error{0, "length of more than 2 bytes"}
	}
	if len(b) < 1+n {
		return 0, 0, &Error{len(b), "length is cut off"}
	}
	for _, c := range b[1 : 1+n] {
		length = length<<8 | int(c)
	}
	return length, 1 + n, nil
}

// Reader steps through the objects of one level without allocating:
//
//	r := tlv.NewReader(data)
//	for r.Next() {
//		use(r.TLV())
//	}
//	if err := r.Err(); err != nil { … }
type Reader struct {
	data  []byte
	off   int // of the next byte to read
	start int // of the current object
	base  int // offset of data in the outermost input, for errors
	count int
	cur   TLV
	err   error
}

// NewReader reads the objects of data.
func NewReader(data []byte) Reader { return Reader{data: data} }

// Next goes to the next object. It returns false at the end and at an error.
func (r *Reader) Next() bool {
	if r.err != nil {
		return false
	}
	for r.off < len(r.data) && r.data[r.off] == 0 {
		r.off++ // EMV Book 3, Annex B1: 00 before, between and after objects
	}
	if r.off == len(r.data) {
		return false
	}
	if r.count == MaxObjects {
		return r.fail(0, &Error{0, "too many objects"})
	}
	r.start = r.off
	tag, n, err := ParseTag(r.data[r.off:])
	if err != nil {
		return r.fail(0, err)
	}
	length, m, err := parseLength(r.data[r.off+n:])
	if err != nil {
		return r.fail(n, err)
	}
	from := r.off + n + m
	if length > len(r.data)-from {
		return r.fail(n, &Error{0, "value is cut off"})
	}
	r.cur = TLV{tag, r.data[from : from+length : from+length]}
	r.off = from + length
	r.count++
	return true
}

func (r *Reader) fail(at int, err error) bool {
	var e *Error
	if errors.As(err, &e) {
		err = &Error{r.base + r.off + at + e.Offset, e.Why}
	}
	r.cur, r.err = TLV{}, err
	return false
}

// TLV is the current object.
func (r *Reader) TLV() TLV { return r.cur }

// Raw is the current object with its tag and length, as it stands in the input.
func (r *Reader) Raw() []byte { return r.data[r.start:r.off:r.off] }

// Err is the error that ended the reading: nil at the end of good input, else a *Error.
func (r *Reader) Err() error { return r.err }

// List is the objects of one level in their order.
type List []TLV

// Find is the value of the first object with tag t.
func (l List) Find(t Tag) ([]byte, bool) {
	for i := range l {
		if l[i].Tag == t {
			return l[i].Value, true
		}
	}
	return nil, false
}

// Parse reads one level. It returns a *Error for anything that is not whole,
// definite BER-TLV within the bounds.
func Parse(data []byte) (List, error) {
	n := 0
	count := NewReader(data)
	for count.Next() {
		n++
	}
	if err := count.Err(); err != nil {
		return nil, err
	}
	list := make(List, 0, n)
	for r := NewReader(data); r.Next(); {
		list = append(list, r.cur)
	}
	return list, nil
}

// Find walks down templates: Find(fci, 0x6F, 0xA5, 0x9F38) is the PDOL of an
// FCI. At each step it takes the first object with the tag. False stands for
// absent as well as for malformed before the object; who must tell them apart
// parses first.
func Find(data []byte, path ...Tag) ([]byte, bool) {
	if len(path) == 0 || len(path) > MaxDepth {
		return nil, false
	}
	for _, t := range path {
		r := NewReader(data)
		found := false
		for r.Next() {
			if r.cur.Tag == t {
				data, found = r.cur.Value, true
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return data, true
}

// Walk calls f for every object, templates before their contents, depth 0
// first. It stops at f's first error and returns it; bad input is a *Error.
func Walk(data []byte, f func(depth int, t TLV) error) error {
	left := MaxObjects
	return walk(data, 0, 0, &left, f)
}

func walk(data []byte, base, depth int, left *int, f func(int, TLV) error) error {
	if depth == MaxDepth {
		return &Error{base, "templates are nested too deeply"}
	}
	r := NewReader(data)
	r.base = base
	for r.Next() {
		if *left == 0 {
			return &Error{base + r.start, "too many objects"}
		}
		*left--
		if err := f(depth, r.cur); err != nil {
			return err
		}
		if r.cur.Tag.Constructed() {
			if err := walk(r.cur.Value, base+r.off-len(r.cur.Value), depth+1, left, f); err != nil {
				return err
			}
		}
	}
	return r.err
}

// AppendTag appends the bytes of t.
func AppendTag(dst []byte, t Tag) []byte {
	for i := t.Len() - 1; i >= 0; i-- {
		dst = append(dst, byte(t>>(8*i)))
	}
	return dst
}

// AppendLength appends n in the shortest form. n beyond MaxLength is a fault of the caller and panics.
func AppendLength(dst []byte, n int) []byte {
	switch {
	case n < 0 || n > MaxLength:
		panic("tlv: length out of range")
	case n < 0x80:
		return append(dst, byte(n))
	case n < 0x100:
		return append(dst, 0x81, byte(n))
	}
	return append(dst, 0x82, byte(n>>8), byte(n))
}

// Append appends one object.
func Append(dst []byte, t Tag, value []byte) []byte {
	return append(AppendLength(AppendTag(dst, t), len(value)), value...)
}
