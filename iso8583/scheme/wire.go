package scheme

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"strconv"
	"sync"

	"huika/iso8583"
)

// Wire is how a scheme's messages stand on the line where that is not how
// package iso8583 writes them: the Spec as it is but for the character set and
// the lengths. The MAC is the last field of a message: F64, or F128 where a
// field above 64 is present.
type Wire struct {
	Spec *iso8583.Spec
	// EBCDIC: the message type, texts and lengths that the Spec calls ASCII are in code page 1047.
	EBCDIC bool
	// ByteLengths: a length that the Spec calls LLBCD or LLLBCD is one byte, binary.
	ByteLengths bool
	// Always128: the MAC is F128 always, and the Spec has no F64.
	Always128 bool
}

// maxByteLength is the longest field with a length of one byte.
const maxByteLength = 255

// Check reports the first entry of the Spec that the wire can't carry; a dialect's test calls it.
func (w *Wire) Check() error {
	if err := w.Spec.Check(); err != nil {
		return err
	}
	for n, f := range w.Spec.Fields {
		ascii := f.Length == iso8583.LLASCII || f.Length == iso8583.LLLASCII
		switch {
		case f.Type == 0 || f.Length == iso8583.Fixed:
		case w.ByteLengths && (ascii || f.Max > maxByteLength):
			return wrong("check", n, "a length of one byte can't carry it")
		case w.EBCDIC && !w.ByteLengths && !ascii:
			return wrong("check", n, "want a length in text")
		}
	}
	if f := w.Spec.Fields[128]; f.Type != iso8583.B || f.Max != macSize || f.Length != iso8583.Fixed {
		return wrong("check", 128, "want a MAC of 8 bytes")
	}
	if f := w.Spec.Fields[64]; w.Always128 != (f.Type == 0) || !w.Always128 && f != w.Spec.Fields[128] {
		return wrong("check", 64, "want a MAC like F128, or none")
	}
	return nil
}

const macSize = 8

// raw is a message on its way, and room for its translation.
type raw struct {
	In
	line []byte
}

var raws = sync.Pool{New: func() any { return new(raw) }}

// free wipes it and gives it back.
func (r *raw) free() {
	r.msg.Reset()
	r.text = ""
	clear(r.room)
	clear(r.line)
	raws.Put(r)
}

// Encode packs what fill puts into an empty message, behind dst and with the MAC.
// On error dst comes back as it was.
func (w *Wire) Encode(dst []byte, m *Message, mac iso8583.MAC, fill func(*iso8583.Message, *Message) error) ([]byte, error) {
	r := raws.Get().(*raw)
	defer r.free()
	if err := fill(&r.msg, m); err != nil {
		return dst, err
	}
	return w.pack(dst, &r.msg, mac)
}

func (w *Wire) pack(dst []byte, m *iso8583.Message, mac iso8583.MAC) ([]byte, error) {
	var room [macSize]byte
	if mac != nil {
		m.SetBytes(w.macField(m), room[:])
	}
	start := len(dst)
	out, err := w.Spec.Pack(dst, m)
	if err != nil {
		return dst, err
	}
	line, err := w.toLine(out, start, m)
	if err != nil {
		clear(out[start:])
		return dst, err
	}
	out = line
	if mac != nil {
		sum := mac.Sum(out[start : len(out)-macSize])
		copy(out[len(out)-macSize:], sum[:])
	}
	return out, nil
}

func (w *Wire) macField(m *iso8583.Message) int {
	if w.Always128 {
		return 128
	}
	for f := 65; f < 128; f++ {
		if m.Has(f) {
			return 128
		}
	}
	return 64
}

// toLine turns what Spec.Pack wrote from start on into the scheme's form, in
// place: it never grows.
func (w *Wire) toLine(out []byte, start int, m *iso8583.Message) ([]byte, error) {
	if !w.EBCDIC && !w.ByteLengths {
		return out, nil
	}
	at := start
	if w.Spec.MTI == iso8583.ASCII {
		w.translate(out[at:at+4], &toEBCDIC)
		at += 4
	} else {
		at += 2
	}
	at += 8 * (1 + int(out[at]>>7))
	to := at
	for f := 2; f <= iso8583.MaxField; f++ {
		if !m.Has(f) {
			continue
		}
		field, n := &w.Spec.Fields[f], len(m.Bytes(f))
		prefix := prefixSize(field.Length)
		head, body := out[at:at+prefix], out[at+prefix:at+prefix+bodySize(field, n)]
		at += prefix + len(body)
		if w.ByteLengths && prefix > 0 {
			out[to] = byte(n)
			to++
		} else {
			w.translate(head, &toEBCDIC)
			to += copy(out[to:], head)
		}
		if field.Enc == iso8583.ASCII && !w.translate(body, &toEBCDIC) {
			return nil, wrong("pack", f, "want text without letters beyond A to Z")
		}
		to += copy(out[to:], body)
	}
	clear(out[to:])
	return out[:to], nil
}

// translate changes b in place; false where a byte has no counterpart.
func (w *Wire) translate(b []byte, table *[256]byte) bool {
	if !w.EBCDIC {
		return true
	}
	ok := true
	for i, c := range b {
		b[i] = table[c]
		ok = ok && b[i] != 0
	}
	return ok
}

func prefixSize(l iso8583.Length) int {
	switch l {
	case iso8583.LLBCD:
		return 1
	case iso8583.LLLBCD, iso8583.LLASCII:
		return 2
	case iso8583.LLLASCII:
		return 3
	}
	return 0
}

// bodySize is the bytes that n characters of a field take.
func bodySize(f *iso8583.Field, n int) int {
	if f.Enc == iso8583.BCD || f.Enc == iso8583.BCDRight {
		return (n + 1) / 2
	}
	return n
}

// Decode unpacks b and gives it to read, which must keep nothing of it.
func (w *Wire) Decode(b []byte, m *Message, read func(*In, *Message) error) error {
	r := raws.Get().(*raw)
	defer r.free()
	*m = Message{}
	if err := w.unpack(b, r); err != nil {
		return err
	}
	r.load(w.Spec)
	if err := read(&r.In, m); err != nil {
		m.Wipe()
		return err
	}
	return nil
}

// Dump is the fields of b as iso8583 shows them.
func (w *Wire) Dump(b []byte) (string, error) {
	r := raws.Get().(*raw)
	defer r.free()
	if err := w.unpack(b, r); err != nil {
		return "", err
	}
	return w.Spec.Dump(&r.msg), nil
}

func (w *Wire) unpack(b []byte, r *raw) error {
	if w.EBCDIC || w.ByteLengths {
		if len(b) > iso8583.MaxMessage {
			return &iso8583.Error{Op: "unpack", Field: "message", Why: "longer than " + strconv.Itoa(iso8583.MaxMessage) + " bytes"}
		}
		r.line = w.fromLine(r.line[:0], b)
		b = r.line
	}
	return w.Spec.Unpack(b, &r.msg)
}

// badLength is no digit in any form: the codec refuses a length that has it.
const badLength = 0xFF

// fromLine appends to dst what Spec.Unpack reads. It reports nothing: what it
// can't follow it leaves as it is, or writes so that Unpack refuses it.
func (w *Wire) fromLine(dst, b []byte) []byte {
	from, mti := len(dst), w.mtiSize()
	dst = append(dst, b...)
	if len(b) < mti+8 {
		return dst
	}
	if mti == 4 {
		w.translate(dst[from:from+mti], &fromEBCDIC)
	}
	bitmap := 8 * (1 + int(b[mti]>>7))
	if len(b) < mti+bitmap {
		return dst
	}
	dst = dst[:from+mti+bitmap]
	maps, b := b[mti:mti+bitmap], b[mti+bitmap:]
	for half := 0; half < bitmap; half += 8 {
		word := binary.BigEndian.Uint64(maps[half:])
		if half == 0 {
			word &^= 1 << 63
		}
		for word != 0 {
			lead := bits.LeadingZeros64(word)
			word &^= 1 << (63 - lead)
			var ok bool
			if dst, b, ok = w.fieldFromLine(dst, b, &w.Spec.Fields[8*half+lead+1]); !ok {
				return append(dst, b...)
			}
		}
	}
	return append(dst, b...)
}

// fieldFromLine appends one field and gives the rest of b; false where it can't go on.
func (w *Wire) fieldFromLine(dst, b []byte, f *iso8583.Field) (out, rest []byte, ok bool) {
	if f.Type == 0 {
		return dst, b, false
	}
	n, prefix := f.Max, prefixSize(f.Length)
	switch {
	case prefix == 0:
	case w.ByteLengths:
		if len(b) == 0 {
			return dst, b, false
		}
		n, b = int(b[0]), b[1:]
		switch {
		case n > f.Max:
			return append(dst, badLength, badLength), b, false
		case prefix == 2:
			dst = append(dst, byte(n/100), byte(n/10%10<<4|n%10))
		default:
			dst = append(dst, byte(n/10<<4|n%10))
		}
	default:
		if len(b) < prefix {
			return dst, b, false
		}
		head := len(dst)
		dst = append(dst, b[:prefix]...)
		w.translate(dst[head:], &fromEBCDIC)
		n = 0
		for i, c := range dst[head:] {
			if c < '0' || c > '9' {
				dst[head+i] = badLength
				return dst, b[prefix:], false
			}
			n = 10*n + int(c-'0')
		}
		b = b[prefix:]
	}
	size := bodySize(f, n)
	if len(b) < size {
		return dst, b, false
	}
	head := len(dst)
	dst = append(dst, b[:size]...)
	if f.Enc == iso8583.ASCII {
		w.translate(dst[head:], &fromEBCDIC)
	}
	return dst, b[size:], true
}

func (w *Wire) mtiSize() int {
	if w.Spec.MTI == iso8583.ASCII {
		return 4
	}
	return 2
}

// CheckMAC compares the MAC of an encoded message that Decode has accepted, in
// constant time: nil, ErrMAC, ErrNoMAC, or an error that wraps iso8583.ErrFormat.
func (w *Wire) CheckMAC(b []byte, mac iso8583.MAC) error {
	maps := w.mtiSize()
	if len(b) < maps+8 {
		return &iso8583.Error{Op: "check", Field: "bitmap", Why: "missing"}
	}
	last := maps + 8 - 1
	if b[maps]&0x80 != 0 {
		last += 8
	}
	switch {
	case len(b) <= last:
		return &iso8583.Error{Op: "check", Field: "bitmap", Why: "second half missing"}
	case b[last]&1 == 0, w.Always128 && b[maps]&0x80 == 0:
		return ErrNoMAC
	case len(b) < last+1+macSize:
		return &iso8583.Error{Op: "check", Field: "MAC", Why: "missing"}
	}
	sum := mac.Sum(b[:len(b)-macSize])
	if subtle.ConstantTimeCompare(sum[:], b[len(b)-macSize:]) != 1 {
		return ErrMAC
	}
	return nil
}

// wrong is an error about field f.
func wrong(op string, f int, why string) error {
	return &iso8583.Error{Op: op, Field: "F" + strconv.Itoa(f), Why: why}
}
