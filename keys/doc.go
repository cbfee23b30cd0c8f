// Package keys is what a PIN pad, a host and an issuer compute with keys: PIN
// blocks (ISO 9564-1 format 0) under double-length TDES, key check values, AES
// key wrap (RFC 3394) and the two message authentication codes of the wire.
//
// It is not a key store and makes no keys: it gets them as pay.Secret, keeps no
// copy beyond the cipher it prepares, and never prints one. In a tap it stands
// where the PIN leaves the pad (F52), where a message gets its MAC (F64, F128)
// and where sign-in brings the working keys (F62).
package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"errors"
	"fmt"

	"huika/pay"
)

// ErrKey says that a key has the wrong length or form for its algorithm. It never carries the key.
var ErrKey = errors.New("key")

// Algorithm is the cipher that a key is for.
type Algorithm uint8

// The algorithms of working keys.
const (
	TDES Algorithm = iota + 1 // double-length: 16 bytes, K1 ‖ K2, used as K1 K2 K1
	AES                       // 16, 24 or 32 bytes
)

// Equal compares two secrets in a time that depends on their lengths only.
func Equal(a, b pay.Secret) bool {
	return subtle.ConstantTimeCompare(a.Reveal(), b.Reveal()) == 1
}

// tdes prepares a double-length TDES key. Equal halves are refused: they would
// make it single DES (ISO 11568-2).
func tdes(key pay.Secret) (cipher.Block, error) {
	k := key.Reveal()
	if len(k) != 16 {
		return nil, fmt.Errorf("%w: TDES wants 16 bytes, have %d", ErrKey, len(k))
	}
	var same byte
	for i := range 8 {
		same |= (k[i] ^ k[8+i]) &^ 1 // the lowest bit of each byte is parity
	}
	if same == 0 {
		return nil, fmt.Errorf("%w: the two halves of a TDES key are equal", ErrKey)
	}
	var long [24]byte
	copy(long[:], k)
	copy(long[16:], k[:8])
	defer clear(long[:])
	return des.NewTripleDESCipher(long[:])
}

func aesBlock(key pay.Secret) (cipher.Block, error) {
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w: AES wants 16, 24 or 32 bytes, have %d", ErrKey, key.Len())
	}
	return block, nil
}

// KCV is the check value of a key, 4 bytes. TDES: the leftmost bytes of eight
// zero bytes enciphered (ANSI X9.24-1 annex A, legacy method). AES: the leftmost
// bytes of the CMAC of sixteen zero bytes (the same annex, CMAC method).
func KCV(key pay.Secret, alg Algorithm) ([4]byte, error) {
	switch alg {
	case TDES:
		block, err := tdes(key)
		if err != nil {
			return [4]byte{}, err
		}
		var b [8]byte
		block.Encrypt(b[:], b[:])
		return [4]byte(b[:4]), nil
	case AES:
		mac, err := CMAC(key)
		if err != nil {
			return [4]byte{}, err
		}
		full := mac.Full(make([]byte, aes.BlockSize))
		return [4]byte(full[:4]), nil
	}
	return [4]byte{}, fmt.Errorf("%w: unknown algorithm %d", ErrKey, alg)
}
