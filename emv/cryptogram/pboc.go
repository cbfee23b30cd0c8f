// Package cryptogram derives card and session keys and computes application
// cryptograms and authorisation response cryptograms: UnionPay/PBOC version 01
// over triple DES and SM4, Visa's and M/Chip's over triple DES, and those of AES cards.
//
// In a tap it stands at the two ends: the software card makes the ARQC, the
// issuer stand-in checks it and makes the ARPC. Terminals and acquirers never
// call it: they hold no such key.
package cryptogram

import (
	"crypto/cipher"
	"crypto/des"
	"errors"
	"fmt"

	"huika/pay"
)

// ErrKey is wrapped by errors about keys and the numbers they are derived from.
var ErrKey = errors.New("cryptogram: key")

const keyLen = 16 // double-length triple DES

// PBOC01 is the UnionPay/PBOC cryptogram, version 01 (public description, checked against a
// vector). EMV's option B for long card numbers and EMV's session keys are not used by it.
var PBOC01 pboc01

type pboc01 struct{}

// CardKey derives a card's key (UDK) from the issuer's: the 16 rightmost digits of
// PAN‖PSN, and their complement, enciphered under the issuer's key. psn has two
// digits. Errors: ErrKey.
func (pboc01) CardKey(issuerKey pay.Secret, pan pay.PAN, psn string) (pay.Secret, error) {
	block, err := tdes(issuerKey)
	if err != nil {
		return pay.Secret{}, err
	}
	x, err := rightmostDigits(pan, psn)
	if err != nil {
		return pay.Secret{}, err
	}
	return diversify(block, x), nil
}

// SessionKey derives the key of one transaction from the card's: the ATC, and its
// complement, behind six zero bytes. Errors: ErrKey.
func (pboc01) SessionKey(cardKey pay.Secret, atc uint16) (pay.Secret, error) {
	block, err := tdes(cardKey)
	if err != nil {
		return pay.Secret{}, err
	}
	key := make([]byte, keyLen)
	key[6], key[7] = byte(atc>>8), byte(atc)
	key[14], key[15] = ^key[6], ^key[7]
	block.Encrypt(key[:8], key[:8])
	block.Encrypt(key[8:], key[8:])
	return pay.NewSecret(key), nil
}

// MAC is ISO/IEC 9797-1 algorithm 3 with padding method 2 under a double-length
// key: the application cryptogram where data is PBOCData. Errors: ErrKey.
func (pboc01) MAC(key pay.Secret, data []byte) ([8]byte, error) {
	full, err := tdes(key)
	if err != nil {
		return [8]byte{}, err
	}
	left, err := des.NewCipher(key.Reveal()[:8])
	if err != nil {
		return [8]byte{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var chain [8]byte
	for {
		last := len(data) < 8
		var in [8]byte
		n := copy(in[:], data)
		if last {
			in[n] = 0x80
		}
		for i := range chain {
			chain[i] ^= in[i]
		}
		if last {
			break
		}
		left.Encrypt(chain[:], chain[:])
		data = data[8:]
	}
	// Algorithm 3: the last block goes through all three steps; with K3 = K1 that is triple DES.
	full.Encrypt(chain[:], chain[:])
	return chain, nil
}

// ARPC is method 1 (EMV Book 2, 8.2.1): the response code (2 characters of 8A)
// over the cryptogram, enciphered under the session key. Errors: ErrKey.
func (pboc01) ARPC(sessionKey pay.Secret, arqc [8]byte, arc [2]byte) ([8]byte, error) {
	block, err := tdes(sessionKey)
	if err != nil {
		return [8]byte{}, err
	}
	arqc[0] ^= arc[0]
	arqc[1] ^= arc[1]
	block.Encrypt(arqc[:], arqc[:])
	return arqc, nil
}

func tdes(key pay.Secret) (cipher.Block, error) {
	k := key.Reveal()
	if len(k) != keyLen {
		return nil, fmt.Errorf("%w: want %d bytes, have %d", ErrKey, keyLen, len(k))
	}
	var k3 [24]byte
	copy(k3[copy(k3[:], k):], k[:8])
	defer clear(k3[:])
	block, err := des.NewTripleDESCipher(k3[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return block, nil
}

func diversify(block cipher.Block, x [8]byte) pay.Secret {
	key := make([]byte, keyLen)
	copy(key, x[:])
	for i := range x {
		key[8+i] = ^x[i]
	}
	block.Encrypt(key[:8], key[:8])
	block.Encrypt(key[8:], key[8:])
	return pay.NewSecret(key)
}
