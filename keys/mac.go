package keys

import (
	"crypto/aes"
	"crypto/cipher"

	"huika/pay"
)

// AESCMAC is the default message authentication code of the wire: AES-CMAC
// (RFC 4493), the leftmost 8 of its 16 bytes. It is safe for concurrent use.
type AESCMAC struct {
	block  cipher.Block
	k1, k2 [16]byte
}

// CMAC prepares AES-CMAC under a key of 16, 24 or 32 bytes.
func CMAC(key pay.Secret) (*AESCMAC, error) {
	block, err := aesBlock(key)
	if err != nil {
		return nil, err
	}
	c := &AESCMAC{block: block}
	var l [16]byte
	block.Encrypt(l[:], l[:])
	c.k1 = double(l)
	c.k2 = double(c.k1)
	return c, nil
}

// double multiplies by x in GF(2^128), constant time (RFC 4493 2.3).
func double(in [16]byte) (out [16]byte) {
	var carry byte
	for i := 15; i >= 0; i-- {
		out[i] = in[i]<<1 | carry
		carry = in[i] >> 7
	}
	out[15] ^= 0x87 & -carry
	return out
}

// Full is the whole 16-byte code of RFC 4493 2.4.
func (c *AESCMAC) Full(data []byte) [16]byte {
	var x [16]byte
	for len(data) > aes.BlockSize {
		xor(&x, data[:aes.BlockSize])
		c.block.Encrypt(x[:], x[:])
		data = data[aes.BlockSize:]
	}
	xor(&x, data)
	if len(data) == aes.BlockSize {
		xor(&x, c.k1[:])
	} else {
		x[len(data)] ^= 0x80
		xor(&x, c.k2[:])
	}
	c.block.Encrypt(x[:], x[:])
	return x
}

// Sum is the 8 bytes that F64 or F128 carries.
func (c *AESCMAC) Sum(data []byte) [8]byte {
	full := c.Full(data)
	return [8]byte(full[:8])
}

func xor(x *[16]byte, with []byte) {
	for i, b := range with {
		x[i] ^= b
	}
}

// ClassicECB is the classic ECB algorithm of POS networks: for peers that know
// no other, never a default. Its first step folds all blocks into one by
// exclusive or, so messages whose 8-byte blocks are exchanged, or changed in
// pairs, have the same code (docs/threat-model.md). Safe for concurrent use.
type ClassicECB struct{ block cipher.Block }

// Classic prepares the classic algorithm under a 16-byte TDES key.
func Classic(key pay.Secret) (*ClassicECB, error) {
	block, err := tdes(key)
	if err != nil {
		return nil, err
	}
	return &ClassicECB{block}, nil
}

// Sum folds the zero-padded 8-byte blocks by exclusive or, writes the result as
// 16 upper-case hex characters, enciphers the first 8, adds the last 8, enciphers
// again, writes that as hex and keeps the first 8 characters.
func (c *ClassicECB) Sum(data []byte) [8]byte {
	var fold [8]byte
	for i, b := range data {
		fold[i%8] ^= b
	}
	text := hexUpper(fold)
	var b [8]byte
	c.block.Encrypt(b[:], text[:8])
	for i := range b {
		b[i] ^= text[8+i]
	}
	c.block.Encrypt(b[:], b[:])
	text = hexUpper(b)
	return [8]byte(text[:8])
}

func hexUpper(b [8]byte) (text [16]byte) {
	const digits = "0123456789ABCDEF"
	for i, v := range b {
		text[2*i], text[2*i+1] = digits[v>>4], digits[v&15]
	}
	return text
}
