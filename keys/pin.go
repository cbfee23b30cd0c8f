package keys

import (
	"errors"
	"fmt"

	"huika/pay"
)

// PIN lengths of ISO 9564-1.
const (
	MinPIN = 4
	MaxPIN = 12
)

// ErrPIN says that something is not a PIN or not a PIN block. It never carries digits.
var ErrPIN = errors.New("PIN")

// minPAN is the shortest number that gives a format 0 block its twelve digits and the check digit.
const minPAN = 13

// panField is the second half of format 0: 0000 and the twelve rightmost
// digits of the PAN without its check digit (ISO 9564-1 8.3.3).
func panField(pan pay.PAN) ([8]byte, error) {
	digits := pan.Reveal()
	if len(digits) < minPAN {
		return [8]byte{}, fmt.Errorf("%w: format 0 wants a card number of at least %d digits", ErrPIN, minPAN)
	}
	var b [8]byte
	twelve := digits[len(digits)-13 : len(digits)-1]
	for i := range 6 {
		b[2+i] = (twelve[2*i]-'0')<<4 | (twelve[2*i+1] - '0')
	}
	return b, nil
}

// PINBlockISO0 forms the clear block of ISO 9564-1 format 0 from 4 to 12 ASCII
// digits. The caller enciphers it at once and wipes it.
func PINBlockISO0(pin []byte, pan pay.PAN) ([8]byte, error) {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return [8]byte{}, fmt.Errorf("%w: want %d to %d digits", ErrPIN, MinPIN, MaxPIN)
	}
	field, err := panField(pan)
	if err != nil {
		return [8]byte{}, err
	}
	b := [8]byte{byte(len(pin)), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	for i, c := range pin {
		if c < '0' || c > '9' {
			return [8]byte{}, fmt.Errorf("%w: want digits only", ErrPIN)
		}
		at := 1 + i/2
		if i%2 == 0 {
			b[at] = (c-'0')<<4 | b[at]&0x0F
		} else {
			b[at] = b[at]&0xF0 | (c - '0')
		}
	}
	for i := range b {
		b[i] ^= field[i]
	}
	return b, nil
}

// PINFromBlockISO0 takes the PIN, as ASCII digits, out of a clear format 0
// block. A block made for another PAN, or deciphered with another key, is
// nearly always refused; the error does not say at which digit.
func PINFromBlockISO0(block [8]byte, pan pay.PAN) (pay.Secret, error) {
	field, err := panField(pan)
	if err != nil {
		return pay.Secret{}, err
	}
	for i := range block {
		block[i] ^= field[i]
	}
	defer clear(block[:])
	n := int(block[0])
	pin, bad := make([]byte, 0, MaxPIN), n < MinPIN || n > MaxPIN
	for i := range 14 {
		nibble := block[1+i/2] >> 4
		if i%2 == 1 {
			nibble = block[1+i/2] & 0x0F
		}
		switch {
		case i < n && i < MaxPIN:
			bad = bad || nibble > 9
			pin = append(pin, '0'+nibble)
		default:
			bad = bad || nibble != 0x0F
		}
	}
	if bad {
		clear(pin)
		return pay.Secret{}, fmt.Errorf("%w: not a format 0 block for this card number and key", ErrPIN)
	}
	return pay.NewSecret(pin), nil
}

// EncryptPIN is F52: the format 0 block of pin and pan under a 16-byte TDES working key.
func EncryptPIN(pin []byte, pan pay.PAN, key pay.Secret) ([8]byte, error) {
	block, err := tdes(key)
	if err != nil {
		return [8]byte{}, err
	}
	b, err := PINBlockISO0(pin, pan)
	if err != nil {
		return [8]byte{}, err
	}
	block.Encrypt(b[:], b[:])
	return b, nil
}

// DecryptPIN opens F52 (8 bytes) and gives the PIN as ASCII digits.
func DecryptPIN(f52 []byte, pan pay.PAN, key pay.Secret) (pay.Secret, error) {
	block, err := tdes(key)
	if err != nil {
		return pay.Secret{}, err
	}
	if len(f52) != 8 {
		return pay.Secret{}, fmt.Errorf("%w: a block has 8 bytes, have %d", ErrPIN, len(f52))
	}
	var b [8]byte
	defer clear(b[:])
	block.Decrypt(b[:], f52)
	return PINFromBlockISO0(b, pan)
}

// TranslatePIN moves F52 from one zone's key to the next without forming the
// PIN: format 0 stays format 0 for the same PAN, so the PAN is not needed.
func TranslatePIN(f52 []byte, from, to pay.Secret) ([8]byte, error) {
	in, err := tdes(from)
	if err != nil {
		return [8]byte{}, err
	}
	out, err := tdes(to)
	if err != nil {
		return [8]byte{}, err
	}
	if len(f52) != 8 {
		return [8]byte{}, fmt.Errorf("%w: a block has 8 bytes, have %d", ErrPIN, len(f52))
	}
	var b [8]byte
	in.Decrypt(b[:], f52)
	out.Encrypt(b[:], b[:])
	return b, nil
}
