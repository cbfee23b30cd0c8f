package cryptogram

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"huika/pay"
)

// CMAC is AES-CMAC (NIST SP 800-38B, RFC 4493) under a prepared key. The
// cryptograms of AES cards and the secure channel of kernel 8 are made with it.
type CMAC struct {
	block  cipher.Block
	k1, k2 [aes.BlockSize]byte
}

// NewCMAC prepares a key of 16, 24 or 32 bytes. Errors: ErrKey.
func NewCMAC(key []byte) (*CMAC, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: AES key of %d bytes", ErrKey, len(key))
	}
	c := &CMAC{block: block}
	block.Encrypt(c.k1[:], c.k1[:])
	c.k1 = doubled(c.k1)
	c.k2 = doubled(c.k1)
	return c, nil
}

// doubled multiplies by x in GF(2^128) without a branch on the key (RFC 4493, 2.3).
func doubled(in [aes.BlockSize]byte) (out [aes.BlockSize]byte) {
	carry := byte(0)
	for i := len(in) - 1; i >= 0; i-- {
		out[i] = in[i]<<1 | carry
		carry = in[i] >> 7
	}
	out[len(out)-1] ^= 0x87 & -carry
	return out
}

// Block is the cipher under the same key.
func (c *CMAC) Block() cipher.Block { return c.block }

// Sum is the whole code of 16 bytes over the parts, one after another.
func (c *CMAC) Sum(parts ...[]byte) [aes.BlockSize]byte {
	var x [aes.BlockSize]byte
	n := 0 // bytes that are in x since the last encryption
	for _, p := range parts {
		for _, b := range p {
			if n == aes.BlockSize {
				c.block.Encrypt(x[:], x[:])
				n = 0
			}
			x[n] ^= b
			n++
		}
	}
	last := &c.k1
	if n < aes.BlockSize {
		x[n] ^= 0x80
		last = &c.k2
	}
	for i := range x {
		x[i] ^= last[i]
	}
	c.block.Encrypt(x[:], x[:])
	return x
}

// cmacOf prepares a secret key.
func cmacOf(key pay.Secret) (*CMAC, error) { return NewCMAC(key.Reveal()) }
