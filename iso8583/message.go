package iso8583

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// MaxField is the highest field number: two bitmaps.
const MaxField = 128

// Message holds the values of one message, independent of how a dialect writes
// them: digits of n and z fields as ASCII ('=' separates track 2), an and ans as
// text, b as raw bytes. All values share one buffer, so that a Message that is
// used again allocates nothing. It is not safe for concurrent use.
//
// The zero Message is ready to use.
type Message struct {
	mti  [4]byte
	bad  bool      // a set that no spec can carry; Pack reports it
	has  [2]uint64 // as on the wire: the highest bit of has[0] is field 1
	at   [MaxField + 1]span
	buf  []byte
	full bool // mti is set
}

type span struct{ off, len uint32 }

// NewMessage makes an empty message.
func NewMessage() *Message { return &Message{buf: make([]byte, 0, 512)} }

// Reset empties the message, wipes what it held and keeps its buffer.
func (m *Message) Reset() {
	clear(m.buf)
	m.buf = m.buf[:0]
	m.has = [2]uint64{}
	m.full, m.bad = false, false
}

// SetMTI sets the message type: four digits, which Pack checks.
func (m *Message) SetMTI(mti string) {
	m.full = copy(m.mti[:], mti) == 4 && len(mti) == 4
}

// MTI is the message type, or "" where none is set.
func (m *Message) MTI() string {
	if !m.full {
		return ""
	}
	return string(m.mti[:])
}

// Set gives field f a text value. A field number outside 2 to 128 is kept in
// mind and reported by Pack.
func (m *Message) Set(f int, v string) { copy(m.place(f, len(v)), v) }

// SetBytes gives field f a value; v is copied.
func (m *Message) SetBytes(f int, v []byte) { copy(m.place(f, len(v)), v) }

// Get is the value of field f as text, or "".
func (m *Message) Get(f int) string { return string(m.Bytes(f)) }

// Bytes is the value of field f, or nil. It aliases the message's buffer until
// the next call that changes the message.
func (m *Message) Bytes(f int) []byte {
	if !m.Has(f) {
		return nil
	}
	s := m.at[f]
	return m.buf[s.off : s.off+s.len : s.off+s.len]
}

// Has reports whether field f is present; an empty value counts.
func (m *Message) Has(f int) bool {
	return f >= 2 && f <= MaxField && m.has[(f-1)>>6]&bit(f) != 0
}

// Unset takes field f out and wipes its value.
func (m *Message) Unset(f int) {
	if m.Has(f) {
		clear(m.Bytes(f))
		m.has[(f-1)>>6] &^= bit(f)
	}
}

// Clone is an independent copy.
func (m *Message) Clone() *Message {
	c := *m
	c.buf = append(make([]byte, 0, max(len(m.buf), 512)), m.buf...)
	return &c
}

// Copy takes over the named fields that src has: how a response repeats its request.
func (m *Message) Copy(src *Message, fields ...int) {
	for _, f := range fields {
		if src.Has(f) {
			m.SetBytes(f, src.Bytes(f))
		}
	}
}

// Fields lists the field numbers that are present, ascending.
func (m *Message) Fields() []int {
	out := make([]int, 0, bits.OnesCount64(m.has[0])+bits.OnesCount64(m.has[1]))
	for half, word := range m.has {
		for ; word != 0; word &= ^uint64(0) >> (bits.LeadingZeros64(word) + 1) {
			out = append(out, half<<6+bits.LeadingZeros64(word)+1)
		}
	}
	return out
}

// ResponseTo starts the answer to request: its MTI with the response bit (0200 →
// 0210, 0820 → 0830) and the named fields of it.
func (m *Message) ResponseTo(request *Message, fields ...int) {
	m.Reset()
	m.mti, m.full = request.mti, request.full
	m.mti[2] |= 1
	m.Copy(request, fields...)
}

// IsResponse reports whether the MTI is that of an answer (odd third digit).
func (m *Message) IsResponse() bool { return m.full && m.mti[2]&1 == 1 }

// place makes room for n bytes of field f and marks it present.
func (m *Message) place(f, n int) []byte {
	if f < 2 || f > MaxField || n > MaxMessage {
		m.bad = true
		return nil
	}
	if m.Has(f) {
		old := m.Bytes(f)
		clear(old)
		if n <= len(old) {
			m.at[f].len = uint32(n)
			return old[:n]
		}
	}
	off := len(m.buf)
	if off+n > cap(m.buf) {
		grown := make([]byte, off, 2*cap(m.buf)+n)
		copy(grown, m.buf)
		clear(m.buf) // no stray copy of a PIN block or track stays behind
		m.buf = grown
	}
	m.buf = m.buf[:off+n]
	m.at[f] = span{uint32(off), uint32(n)}
	m.has[(f-1)>>6] |= bit(f)
	return m.buf[off : off+n : off+n]
}

// bit is field f's bit in its half of the bitmap.
func bit(f int) uint64 { return 1 << (63 - uint(f-1)&63) }

func fieldName(f int) string { return "F" + strconv.Itoa(f) }

func appendBitmap(dst []byte, has [2]uint64) []byte {
	if has[1] != 0 {
		dst = binary.BigEndian.AppendUint64(dst, has[0]|1<<63)
		return binary.BigEndian.AppendUint64(dst, has[1])
	}
	return binary.BigEndian.AppendUint64(dst, has[0])
}
