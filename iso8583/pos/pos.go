package pos

import (
	"crypto/subtle"
	"errors"

	"huika/iso8583"
)

// ErrMAC says that F64 is not the MAC of the message: changed bytes, or another key.
var ErrMAC = errors.New("MAC of the message does not fit")

// ErrNoMAC says that a message that needs a MAC has none.
var ErrNoMAC = errors.New("message without MAC")

// HeaderSize is the TPDU and the application header.
const HeaderSize = 5 + 6

// Header is what stands before the message. TPDU: 60, destination, source. App:
// 60 application, 31 version, a byte of status and requirement nibbles, 000001.
type Header struct {
	TPDU [5]byte
	App  [6]byte
}

// Request is the header a terminal sends to destination address nii.
func Request(nii uint16) Header {
	return Header{
		TPDU: [5]byte{0x60, byte(nii >> 8), byte(nii), 0, 0},
		App:  [6]byte{0x60, 0x31, 0x00, 0x00, 0x00, 0x01},
	}
}

// Reply is the header of the answer: destination and source exchanged, nothing required.
func (h Header) Reply() Header {
	h.TPDU[1], h.TPDU[2], h.TPDU[3], h.TPDU[4] = h.TPDU[3], h.TPDU[4], h.TPDU[1], h.TPDU[2]
	return h.WithRequirement(RequireNothing)
}

// Requirement is the nibble with which the host orders a follow-up.
type Requirement uint8

// Follow-ups in one vendor's usage.
const (
	RequireNothing  Requirement = 0
	RequireDownload Requirement = 1 // parameters and lists are to be had; which nibble says so is our reading
	RequireSignIn   Requirement = 3
)

// Requirement is what the host orders.
func (h Header) Requirement() Requirement { return Requirement(h.App[2] & 0x0F) }

// WithRequirement is the header with another order.
func (h Header) WithRequirement(r Requirement) Header {
	h.App[2] = h.App[2]&0xF0 | byte(r)&0x0F
	return h
}

// Encode appends header and message to dst, without the length prefix of the
// frame. With a MAC it also sets F64 of m, computed over everything from the
// message type up to F63; without one it takes F64 out.
func Encode(dst []byte, h Header, m *iso8583.Message, mac iso8583.MAC) ([]byte, error) {
	if mac == nil {
		m.Unset(FieldMAC)
	} else {
		m.SetBytes(FieldMAC, make([]byte, 8))
	}
	start := len(dst)
	out := append(append(dst, h.TPDU[:]...), h.App[:]...)
	out, err := Spec.Pack(out, m)
	if err != nil {
		return dst[:start], err
	}
	if mac != nil {
		sum := mac.Sum(out[start+HeaderSize : len(out)-8])
		copy(out[len(out)-8:], sum[:])
		m.SetBytes(FieldMAC, sum[:])
	}
	return out, nil
}

// Decode reads what Encode wrote into m. It does not check the MAC: the host
// must know the terminal, and so its key, first.
func Decode(b []byte, m *iso8583.Message) (Header, error) {
	m.Reset()
	h, err := header(b)
	if err != nil {
		return h, err
	}
	return h, Spec.Unpack(b[HeaderSize:], m)
}

func header(b []byte) (h Header, err error) {
	if len(b) < HeaderSize {
		return h, &iso8583.Error{Op: "unpack", Field: "header", Why: "want 11 bytes of TPDU and header"}
	}
	copy(h.TPDU[:], b)
	copy(h.App[:], b[5:])
	if h.TPDU[0] != 0x60 {
		return h, &iso8583.Error{Op: "unpack", Field: "TPDU", Why: "does not begin with 60"}
	}
	if h.App[0] != 0x60 {
		return h, &iso8583.Error{Op: "unpack", Field: "header", Why: "application is not 60"}
	}
	return h, nil
}

// CheckMAC compares F64 of an encoded message that Decode has accepted, in
// constant time: nil, ErrMAC, ErrNoMAC, or an error that wraps iso8583.ErrFormat.
func CheckMAC(b []byte, mac iso8583.MAC) error {
	if _, err := header(b); err != nil {
		return err
	}
	b = b[HeaderSize:]
	if len(b) < 2+8 {
		return &iso8583.Error{Op: "check", Field: "bitmap", Why: "missing"}
	}
	if b[2+7]&1 == 0 {
		return ErrNoMAC
	}
	if len(b) < 2+8+8 {
		return &iso8583.Error{Op: "check", Field: "F64", Why: "missing"}
	}
	sum := mac.Sum(b[:len(b)-8])
	if subtle.ConstantTimeCompare(sum[:], b[len(b)-8:]) != 1 {
		return ErrMAC
	}
	return nil
}

// Key is the correlation key between a terminal's request and its answer: the
// kind of message (a reversal repeats the STAN of its sale), STAN, terminal and
// merchant. The fields are fixed in length, so the parts can't run into each other.
func Key(m *iso8583.Message) string {
	mti := m.MTI()
	if mti == "" {
		return ""
	}
	key := make([]byte, 0, 4+6+8+15)
	key = append(key, mti...)
	key[2] &^= 1 // request and response alike
	key = append(key, m.Bytes(11)...)
	key = append(key, m.Bytes(41)...)
	return string(append(key, m.Bytes(42)...))
}

// Classify tells a connection (iso8583/link) which call a frame belongs to.
func Classify(frame []byte) (key string, response bool, err error) {
	var m iso8583.Message
	if _, err := Decode(frame, &m); err != nil {
		return "", false, err
	}
	defer m.Reset()
	return Key(&m), m.IsResponse(), nil
}
