package scheme

import (
	"bytes"

	"huika/iso8583"
	"huika/pay"
)

// maxMinor is the largest amount of F4: twelve digits.
const maxMinor = 999_999_999_999

// Put sets the fields that all dialects write alike: F2, F4, F7, F11, F14, F15,
// F18, F23, F32, F33, F35, F37, F38, F41, F42, F49, F52, F54, F55 and, in
// answers, F44. The rest is the dialect's own. Whether a value fits its field is
// for Spec.Pack to say.
func Put(to *iso8583.Message, m *Message) error {
	if m.Kind < Payment || m.Kind > Management {
		return wrong("pack", 0, "no kind of message")
	}
	if !m.PAN.IsZero() {
		to.Set(2, m.PAN.Reveal())
	}
	if m.Amount.Currency != 0 {
		if m.Amount.Minor < 0 || m.Amount.Minor > maxMinor || m.Amount.Currency > 999 {
			return wrong("pack", 4, "want an amount of at most twelve digits")
		}
		putNumber(to, 4, uint64(m.Amount.Minor), 12)
		putNumber(to, 49, uint64(m.Amount.Currency), 3)
	}
	if m.STAN != 0 {
		if m.STAN > 999_999 {
			return wrong("pack", 11, "want at most six digits")
		}
		putNumber(to, 11, uint64(m.STAN), 6)
	}
	for _, f := range [...]struct {
		n int
		v string
	}{
		{7, m.Transmission}, {14, m.Expiry}, {15, m.Settlement}, {18, m.MCC}, {23, m.Sequence}, {32, m.Acquirer}, {33, m.Forwarder},
		{37, string(m.RRN)}, {38, m.AuthCode}, {44, m.Additional}, {54, m.Balances},
	} {
		if f.v != "" {
			to.Set(f.n, f.v)
		}
	}
	for _, f := range [...]struct {
		n int
		v []byte
	}{{35, m.Track2.Reveal()}, {52, m.PINBlock}, {55, m.ICC}} {
		if len(f.v) > 0 {
			to.SetBytes(f.n, f.v)
		}
	}
	if len(m.ICC) > MaxICC {
		return wrong("pack", 55, "too long")
	}
	if err := PutPadded(to, 41, string(m.Terminal), 8); err != nil {
		return err
	}
	return PutPadded(to, 42, string(m.Merchant), 15)
}

// Get reads what Put writes.
func Get(from *In, m *Message) error {
	var err error
	if from.Has(2) {
		if m.PAN, err = pay.ParsePAN(from.Get(2)); err != nil {
			return wrong("unpack", 2, "no card number")
		}
	}
	if from.Has(4) != from.Has(49) {
		return wrong("unpack", 4, "an amount needs a currency, and a currency an amount")
	}
	if from.Has(49) {
		minor, ok := Number(from.Bytes(4))
		currency, ok2 := Number(from.Bytes(49))
		if !ok || !ok2 || currency == 0 {
			return wrong("unpack", 49, "want an ISO 4217 number")
		}
		m.Amount = pay.Money{Minor: int64(minor), Currency: pay.Currency(currency)}
	}
	stan, ok := Number(from.Bytes(11))
	if !ok {
		return wrong("unpack", 11, "want digits")
	}
	m.STAN = pay.STAN(stan)
	m.Transmission, m.Expiry, m.Settlement, m.MCC, m.Sequence = from.Get(7), from.Get(14), from.Get(15), from.Get(18), from.Get(23)
	m.Acquirer, m.Forwarder = from.Get(32), from.Get(33)
	m.RRN, m.AuthCode = pay.RRN(from.Get(37)), from.Get(38)
	m.Terminal, m.Merchant = pay.TerminalID(from.Padded(41)), pay.MerchantID(from.Padded(42))
	m.Additional, m.Balances = from.Get(44), from.Get(54)
	if v := from.Bytes(35); len(v) > 0 {
		m.Track2 = pay.NewSecret(bytes.Clone(v))
	}
	if v := from.Bytes(52); len(v) > 0 {
		m.PINBlock = bytes.Clone(v)
	}
	if v := from.Bytes(55); len(v) > 0 {
		m.ICC = bytes.Clone(v)
	}
	return nil
}

// PutPadded sets a text field that is filled with spaces to size; "" leaves it out.
func PutPadded(to *iso8583.Message, f int, v string, size int) error {
	if v == "" {
		return nil
	}
	var room [99]byte
	if len(v) > size || size > len(room) || v[len(v)-1] == ' ' {
		return wrong("pack", f, "too long, or ends in a space")
	}
	for i := copy(room[:], v); i < size; i++ {
		room[i] = ' '
	}
	to.SetBytes(f, room[:size])
	return nil
}

// PutLocal sets F12 and F13 of the 1987 version; the year has no place.
func PutLocal(to *iso8583.Message, m *Message) error {
	local := m.Local
	if len(local) == 12 {
		local = local[2:]
	}
	switch len(local) {
	case 0:
	case 10:
		to.Set(13, local[:4])
		to.Set(12, local[4:])
	default:
		return wrong("pack", 12, "want YYMMDDhhmmss or MMDDhhmmss")
	}
	return nil
}

// Entry modes: the first two digits of F22 in the 1987 version. F22 has a third,
// PINEntry; Visa adds a fourth that is 0.
var entryModes = [...]string{"00", "01", "02", "03", "05", "07", "91"}

// PutEntry sets F22 with size digits; an Entry that is not said leaves it out.
func PutEntry(to *iso8583.Message, m *Message, size int) error {
	if m.Entry == 0 && m.PINEntry == 0 {
		return nil
	}
	if int(m.Entry) >= len(entryModes) || m.PINEntry > PINNo {
		return wrong("pack", 22, "no such entry")
	}
	v := [4]byte{entryModes[m.Entry][0], entryModes[m.Entry][1], '0' + byte(m.PINEntry), '0'}
	to.SetBytes(22, v[:size])
	return nil
}

// GetEntry reads what PutEntry writes; 90 is a stripe too, any other mode is not said.
func GetEntry(from *In, m *Message) {
	v := from.Bytes(22)
	if len(v) < 3 {
		return
	}
	for e := range entryModes {
		if entryModes[e] == string(v[:2]) {
			m.Entry = Entry(e)
		}
	}
	if string(v[:2]) == "90" {
		m.Entry = Stripe
	}
	if pin := PINEntry(v[2] - '0'); pin <= PINNo {
		m.PINEntry = pin
	}
}

// putNumber sets digits digits, with zeros in front.
func putNumber(to *iso8583.Message, f int, v uint64, digits int) {
	var room [20]byte
	to.SetBytes(f, AppendNumber(room[:0], v, digits))
}

// AppendNumber appends v with as many digits, zeros in front; a longer v loses its first.
func AppendNumber(dst []byte, v uint64, digits int) []byte {
	for range digits {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; digits > 0; i, digits = i-1, digits-1 {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// Number reads up to 18 digits; false for anything else. No digits are 0.
func Number(b []byte) (v uint64, ok bool) {
	if len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + uint64(c-'0')
	}
	return v, true
}

// Key is the correlation key of every dialect: the kind, F7, F11, F32, F41 and
// F42, which an answer repeats. No part can run into the next, as no field but
// the last holds a separator.
func Key(m *Message) string {
	var room [72]byte
	key := append(room[:0], '0'+byte(m.Kind))
	key = append(append(key, m.Transmission...), '|')
	key = AppendNumber(key, uint64(m.STAN), 6)
	key = append(append(key, m.Acquirer...), '|')
	key = append(append(key, m.Terminal...), "        "[:max(0, 8-len(m.Terminal))]...)
	return string(append(key, m.Merchant...))
}
