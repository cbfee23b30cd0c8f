// Package cup is the interchange dialect between acquirer, scheme and issuer:
// ASCII fields with two bitmaps and a MAC in field 128, in the manner of
// UnionPay's interchange as public descriptions give it.
//
// It is a stand-in's dialect, not a certified interface, and decides nothing.
// In a tap it carries the host's question to the scheme and on to the issuer.
// What the POS dialect adds for itself (F46, F60 to F63) is not forwarded.
package cup

import (
	"crypto/subtle"
	"errors"

	"huika/iso8583"
)

// Message types of requests; the answer's third digit is one higher.
const (
	MTIAuthorisation = "0100" // pre-authorisation and its cancel
	MTIFinancial     = "0200" // sale, void, completion, balance
	MTIAdvice        = "0220" // refund, completion advice
	MTIReversal      = "0420"
	MTINetwork       = "0800"
)

// Network management codes (F70).
const (
	NetworkSignOn  = "001"
	NetworkSignOff = "002"
	NetworkEcho    = "301"
)

// FieldMAC is the field of the MAC.
const FieldMAC = 128

// ErrMAC says that F128 is not the MAC of the message: changed bytes, or another key.
var ErrMAC = errors.New("MAC of the message does not fit")

// ErrNoMAC says that a message that needs a MAC has none.
var ErrNoMAC = errors.New("message without MAC")

// Spec is the interchange dialect: ASCII message type, binary bitmaps.
var Spec = &iso8583.Spec{
	Name: "cup",
	MTI:  iso8583.ASCII,
	Fields: iso8583.Fields{
		2:   {Name: "primary account number", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 19, Show: iso8583.FirstSix},
		3:   {Name: "processing code", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		4:   {Name: "amount", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		7:   {Name: "transmission date and time", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 10, Show: iso8583.Clear},
		11:  {Name: "STAN", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		12:  {Name: "local time", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		13:  {Name: "local date", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		14:  {Name: "expiry date", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4},
		15:  {Name: "settlement date", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		18:  {Name: "merchant category", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 4, Show: iso8583.Clear},
		22:  {Name: "point of service entry mode", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		23:  {Name: "card sequence number", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		25:  {Name: "point of service condition", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		26:  {Name: "PIN capture code", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		32:  {Name: "acquiring institution", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 11, Show: iso8583.Clear},
		33:  {Name: "forwarding institution", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 11, Show: iso8583.Clear},
		35:  {Name: "track 2", Type: iso8583.Z, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 37},
		37:  {Name: "RRN", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 12, Show: iso8583.Clear},
		38:  {Name: "authorisation code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 6, Show: iso8583.Clear},
		39:  {Name: "response code", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 2, Show: iso8583.Clear},
		41:  {Name: "terminal", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
		42:  {Name: "merchant", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 15, Show: iso8583.Clear},
		43:  {Name: "merchant name and place", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 40, Show: iso8583.Clear},
		48:  {Name: "additional data", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 512},
		49:  {Name: "currency", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		52:  {Name: "PIN block", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8},
		53:  {Name: "security control", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 16, Show: iso8583.Clear},
		54:  {Name: "additional amounts", Type: iso8583.AN, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 120},
		55:  {Name: "IC card data", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.LLLASCII, Max: 255, Show: iso8583.EMVData},
		60:  {Name: "reason and capability", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 100, Show: iso8583.Clear},
		61:  {Name: "cardholder authentication", Type: iso8583.ANS, Enc: iso8583.ASCII, Length: iso8583.LLLASCII, Max: 200},
		70:  {Name: "network management code", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 3, Show: iso8583.Clear},
		90:  {Name: "original data elements", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.Fixed, Max: 42, Show: iso8583.Clear},
		100: {Name: "receiving institution", Type: iso8583.N, Enc: iso8583.ASCII, Length: iso8583.LLASCII, Max: 11, Show: iso8583.Clear},
		128: {Name: "MAC", Type: iso8583.B, Enc: iso8583.Binary, Length: iso8583.Fixed, Max: 8, Show: iso8583.Clear},
	},
}

// Encode appends the message to dst, without the length prefix of the frame.
// With a MAC it also sets F128 of m, computed over everything before it;
// without one it takes F128 out.
func Encode(dst []byte, m *iso8583.Message, mac iso8583.MAC) ([]byte, error) {
	if mac == nil {
		m.Unset(FieldMAC)
		return Spec.Pack(dst, m)
	}
	m.SetBytes(FieldMAC, make([]byte, 8))
	start := len(dst)
	out, err := Spec.Pack(dst, m)
	if err != nil {
		return out, err
	}
	sum := mac.Sum(out[start : len(out)-8])
	copy(out[len(out)-8:], sum[:])
	m.SetBytes(FieldMAC, sum[:])
	return out, nil
}

// Decode reads what Encode wrote into m. It does not check the MAC.
func Decode(b []byte, m *iso8583.Message) error { return Spec.Unpack(b, m) }

// CheckMAC compares F128 of an encoded message that Decode has accepted, in
// constant time: nil, ErrMAC, ErrNoMAC, or an error that wraps iso8583.ErrFormat.
func CheckMAC(b []byte, mac iso8583.MAC) error {
	const bitmaps = 4 + 16
	switch {
	case len(b) < 4+8:
		return &iso8583.Error{Op: "check", Field: "bitmap", Why: "missing"}
	case b[4]&0x80 == 0:
		return ErrNoMAC
	case len(b) < bitmaps:
		return &iso8583.Error{Op: "check", Field: "bitmap", Why: "second half missing"}
	case b[bitmaps-1]&1 == 0:
		return ErrNoMAC
	case len(b) < bitmaps+8:
		return &iso8583.Error{Op: "check", Field: "F128", Why: "missing"}
	}
	sum := mac.Sum(b[:len(b)-8])
	if subtle.ConstantTimeCompare(sum[:], b[len(b)-8:]) != 1 {
		return ErrMAC
	}
	return nil
}

// Key is the correlation key between a request and its answer, with F7, F11,
// F32, F41 and F42, separated. A reversal has an F11 of its own.
func Key(m *iso8583.Message) string {
	key := make([]byte, 0, 64)
	for _, f := range [...]int{7, 11, 32, 41, 42} {
		key = append(append(key, m.Bytes(f)...), '|')
	}
	return string(key)
}

// Classify tells a connection (iso8583/link) which call a frame belongs to.
func Classify(frame []byte) (key string, response bool, err error) {
	var m iso8583.Message
	if err := Decode(frame, &m); err != nil {
		return "", false, err
	}
	defer m.Reset()
	return Key(&m), m.IsResponse(), nil
}

// Original is F90: which message a reversal means.
type Original struct {
	MTI          string // n4
	STAN         string // n6, F11 of the original
	Transmission string // n10, F7 of the original
	Acquirer     string // up to n11, F32 of the original
	Forwarder    string // up to n11, F33 of the original, may be empty
}

// String is the field's value: 42 digits, institutions filled with zeros on the left.
func (o Original) String() string {
	return o.MTI + o.STAN + o.Transmission + eleven(o.Acquirer) + eleven(o.Forwarder)
}

func eleven(s string) string {
	if len(s) > 11 {
		return s // Pack refuses the field: 42 digits exactly
	}
	return "00000000000"[len(s):] + s
}

// ParseOriginal splits F90. Institutions come back without leading zeros.
func ParseOriginal(s string) (Original, error) {
	if len(s) != 42 {
		return Original{}, &iso8583.Error{Op: "parse", Field: "F90", Why: "want 42 digits"}
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return Original{}, &iso8583.Error{Op: "parse", Field: "F90", Why: "want 42 digits"}
		}
	}
	return Original{s[:4], s[4:10], s[10:20], trimZeros(s[20:31]), trimZeros(s[31:])}, nil
}

func trimZeros(s string) string {
	for len(s) > 0 && s[0] == '0' {
		s = s[1:]
	}
	return s
}
