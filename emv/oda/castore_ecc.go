package oda

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// ECCAKey is a certification authority's P-256 key as a terminal holds it.
type ECCAKey struct {
	RID    [5]byte
	Index  byte         // 8F
	X      [ECSize]byte // x coordinate
	Expiry time.Time    // the first moment at which it may not be used; zero: none
}

// body is what a CA signs of itself: 20 ‖ 00 ‖ RID(5) ‖ index ‖ algorithm suite 10 ‖ x(32).
func (k ECCAKey) body() []byte {
	b := append(make([]byte, 0, ecCABody), formatECCA, 0)
	b = append(b, k.RID[:]...)
	return append(append(b, k.Index, suiteECSDSA), k.X[:]...)
}

// Checksum is SHA-256 over what the CA signs of itself (ours: the check value
// that schemes give out with ECC keys was not to be found).
func (k ECCAKey) Checksum() [sha256.Size]byte { return sha256.Sum256(k.body()) }

// ParseECCA reads a CA's self-signed certificate and checks its signature.
// Errors: ErrCertificate, ErrKey, ErrSignatureEC.
func ParseECCA(cert []byte) (ECCAKey, error) {
	if len(cert) != ecCABody+ECSignatureSize || cert[0] != formatECCA || cert[1] != 0 || cert[8] != suiteECSDSA {
		return ECCAKey{}, fmt.Errorf("%w: ECC CA certificate: length, format or algorithm suite", ErrCertificate)
	}
	k := ECCAKey{RID: [5]byte(cert[2:7]), Index: cert[7], X: [ECSize]byte(cert[9:ecCABody])}
	key, err := NewECPublicKey(k.X[:])
	if err != nil {
		return ECCAKey{}, err
	}
	return k, VerifyEC(key, cert[:ecCABody], cert[ecCABody:])
}

// SignECCA makes a CA's self-signed certificate.
func SignECCA(ca *ECPrivateKey, rid [5]byte, index byte) ([]byte, error) {
	return seal(ca, ECCAKey{RID: rid, Index: index, X: ca.public.X()}.body())
}

// AddEC stores an ECC key whose Checksum is checksum. It refuses (ErrChecksum,
// ErrKey) a wrong checksum, an x coordinate of no point, another ECC key under
// the same RID and index, and more than MaxCAKeys keys of all kinds. An RSA
// key may have the same index: a card's certificates say which kind they need.
func (s *CAStore) AddEC(key ECCAKey, checksum [sha256.Size]byte) error {
	if key.Checksum() != checksum {
		return fmt.Errorf("%w: ECC, RID %X index %02X", ErrChecksum, key.RID, key.Index)
	}
	if _, err := NewECPublicKey(key.X[:]); err != nil {
		return fmt.Errorf("RID %X index %02X: %w", key.RID, key.Index, err)
	}
	id := caID{key.RID, key.Index}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.ec[id]; ok && old.X != key.X {
		return fmt.Errorf("%w: RID %X index %02X is another ECC key already", ErrKey, key.RID, key.Index)
	}
	if s.size() >= MaxCAKeys {
		return fmt.Errorf("%w: more than %d CA keys", ErrKey, MaxCAKeys)
	}
	s.ec[id] = key
	return nil
}

// LookupEC finds the ECC key that 8F names; false where there is none.
func (s *CAStore) LookupEC(rid [5]byte, index byte) (ECCAKey, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.ec[caID{rid, index}]
	return k, ok
}

// ECKeys are all ECC keys, ordered by RID and index.
func (s *CAStore) ECKeys() []ECCAKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ordered(s.ec)
}
