package keys

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"huika/pay"
)

// ErrWrap says that a wrapped key does not open under this key: another key, or changed bytes.
var ErrWrap = errors.New("wrapped key: wrong key or changed bytes")

// MaxWrapped bounds what Wrap and Unwrap take: keys, not data.
const MaxWrapped = 512

// wrapIV is the initial value of RFC 3394 2.2.3.1.
const wrapIV = 0xA6A6A6A6A6A6A6A6

// Wrap enciphers key material of 16 bytes or more, in whole 8-byte blocks,
// under an AES key (RFC 3394 2.2.1). The result is 8 bytes longer.
func Wrap(kek, key pay.Secret) ([]byte, error) {
	block, err := aesBlock(kek)
	if err != nil {
		return nil, err
	}
	n := key.Len() / 8
	if key.Len()%8 != 0 || n < 2 || key.Len() > MaxWrapped {
		return nil, fmt.Errorf("%w: can't wrap %d bytes; want whole 8-byte blocks, 16 to %d bytes", ErrKey, key.Len(), MaxWrapped)
	}
	out := make([]byte, 8+key.Len())
	copy(out[8:], key.Reveal())
	var b [16]byte
	a := uint64(wrapIV)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			binary.BigEndian.PutUint64(b[:8], a)
			copy(b[8:], out[8*i:8*i+8])
			block.Encrypt(b[:], b[:])
			a = binary.BigEndian.Uint64(b[:8]) ^ uint64(n*j+i)
			copy(out[8*i:], b[8:])
		}
	}
	binary.BigEndian.PutUint64(out, a)
	return out, nil
}

// Unwrap is the inverse of Wrap (RFC 3394 2.2.2); it returns ErrWrap where the
// integrity value does not come out, and then no part of the key.
func Unwrap(kek pay.Secret, wrapped []byte) (pay.Secret, error) {
	block, err := aesBlock(kek)
	if err != nil {
		return pay.Secret{}, err
	}
	n := len(wrapped)/8 - 1
	if len(wrapped)%8 != 0 || n < 2 || len(wrapped) > MaxWrapped+8 {
		return pay.Secret{}, fmt.Errorf("%w: %d bytes", ErrWrap, len(wrapped))
	}
	key := make([]byte, 8*n)
	copy(key, wrapped[8:])
	var b [16]byte
	defer clear(b[:])
	a := binary.BigEndian.Uint64(wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(b[:8], a^uint64(n*j+i))
			copy(b[8:], key[8*(i-1):8*i])
			block.Decrypt(b[:], b[:])
			a = binary.BigEndian.Uint64(b[:8])
			copy(key[8*(i-1):], b[8:])
		}
	}
	var got, want [8]byte
	binary.BigEndian.PutUint64(got[:], a)
	binary.BigEndian.PutUint64(want[:], wrapIV)
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		clear(key)
		return pay.Secret{}, ErrWrap
	}
	return pay.NewSecret(key), nil
}
