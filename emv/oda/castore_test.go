package oda

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"testing"
)

func TestCAStore(t *testing.T) {
	ca, issuer, _ := keys(t)
	s := NewCAStore()
	k := caKey(ca)
	if err := s.Add(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(k, k.Checksum()); err != nil {
		t.Errorf("the same key again: %v", err)
	}
	wrong := k.Checksum()
	wrong[0] ^= 1
	if err := s.Add(k, wrong); !errors.Is(err, ErrChecksum) {
		t.Errorf("wrong checksum: %v", err)
	}
	other := caKey(issuer)
	if err := s.Add(other, other.Checksum()); !errors.Is(err, ErrKey) {
		t.Errorf("another key under the same index: %v", err)
	}
	weak := CAKey{Modulus: make([]byte, 32), Exponent: []byte{3}}
	if err := s.Add(weak, weak.Checksum()); !errors.Is(err, ErrKey) {
		t.Errorf("weak key: %v", err)
	}
	other.Index = 0xE0
	if err := s.Add(other, other.Checksum()); err != nil {
		t.Fatal(err)
	}
	if all := s.Keys(); len(all) != 2 || all[0].Index != 0xE0 || all[1].Index != 0xE1 {
		t.Errorf("keys: %d", len(all))
	}
	if got, ok := s.Lookup(k.RID, k.Index); !ok || !bytes.Equal(got.Modulus, k.Modulus) {
		t.Error("key not found")
	}
	if _, ok := s.Lookup(k.RID, 0x01); ok {
		t.Error("unknown index found")
	}
	if _, ok := s.Lookup([5]byte{0xA0, 0, 0, 0, 3}, k.Index); ok {
		t.Error("unknown RID found")
	}
	if err := s.Revoke(k.RID, k.Index, [3]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if !s.Revoked(k.RID, k.Index, [3]byte{1, 2, 3}) || s.Revoked(k.RID, k.Index, [3]byte{1, 2, 4}) || s.Revoked(k.RID, 0xE0, [3]byte{1, 2, 3}) {
		t.Error("revocation list")
	}
	var err error
	for i := 0; i <= MaxRevoked && err == nil; i++ {
		err = s.Revoke(k.RID, 1, [3]byte{byte(i >> 16), byte(i >> 8), byte(i)})
	}
	if err == nil {
		t.Error("the revocation list has no end")
	}
}

// EMV Book 2, 11.2.2: the SHA-1 checksum is over RID, index, modulus and exponent in this order.
func TestChecksum(t *testing.T) {
	ca, _, _ := keys(t)
	k := caKey(ca)
	whole := append(append(append(k.RID[:], k.Index), k.Modulus...), k.Exponent...)
	if k.Checksum() != sha1.Sum(whole) {
		t.Error("checksum")
	}
}
