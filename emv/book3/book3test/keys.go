package book3test

import (
	"bytes"
	"crypto/sha1"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"

	"huika/emv/oda"
)

// Index is the CA key index of the test scheme.
const Index = 0xE1

// KeyRing are the keys of the test scheme; Other belongs to no certificate.
type KeyRing struct{ CA, Issuer, ICC, Other *oda.PrivateKey }

// Keys are the same in every run.
var Keys = sync.OnceValue(func() (k KeyRing) {
	src := rand.NewChaCha8([32]byte{7})
	for _, p := range []struct {
		key  **oda.PrivateKey
		bits int
	}{{&k.CA, 1152}, {&k.Issuer, 1024}, {&k.ICC, 768}, {&k.Other, 768}} {
		var err error
		if *p.key, err = oda.GenerateKey(src, p.bits, 3); err != nil {
			panic(err)
		}
	}
	return k
})

// Store is a terminal's store with the test scheme's key under rid.
func Store(t testing.TB, rid [5]byte) *oda.CAStore {
	s := oda.NewCAStore()
	k := oda.CAKey{RID: rid, Index: Index, Modulus: Keys().CA.Public().Modulus, Exponent: Keys().CA.Public().Exponent}
	if err := s.Add(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	return s
}

// signStatic makes 93 (EMV Book 2, table 7).
func signStatic(k *oda.PrivateKey, static []byte) []byte {
	size := len(k.Public().Modulus)
	block := append([]byte{0x6A, 0x03, 0x01, 0xDA, 0xC0}, bytes.Repeat([]byte{0xBB}, size-26)...)
	h := sha1.New()
	h.Write(block[1:])
	h.Write(static)
	block = append(h.Sum(block), 0xBC)
	p, q := k.Primes()
	bp, bq, one := new(big.Int).SetBytes(p), new(big.Int).SetBytes(q), big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(bp, one), new(big.Int).Sub(bq, one))
	d := new(big.Int).ModInverse(big.NewInt(3), phi)
	return new(big.Int).Exp(new(big.Int).SetBytes(block), d, new(big.Int).Mul(bp, bq)).FillBytes(make([]byte, size))
}
