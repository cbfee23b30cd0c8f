package oda

import (
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// SM2CAKey is a certification authority's SM2 key as a terminal holds it.
type SM2CAKey struct {
	RID    [5]byte
	Index  byte // 8F
	Key    SM2PublicKey
	Expiry time.Time // the first moment at which it may not be used; zero: none
}

// Checksum is SM3(RID ‖ index ‖ x ‖ y): EMV Book 2, 11.2.2 with SM3, and without the
// exponent that SM2 does not have. (Ours: UnionPay gives its keys out with their own
// signature instead, see ParseSM2CA.)
func (k SM2CAKey) Checksum() [sm3.Size]byte {
	return sm3.Sum(append(append(append(make([]byte, 0, 6+SM2KeySize), k.RID[:]...), k.Index), k.Key[:]...))
}

// sm2CA is what stands before the key in a CA's certificate of itself: 31 ‖ service
// identifier(4) ‖ RID(5) ‖ index ‖ expiry MMYY(2) ‖ 04 ‖ curve ‖ 40.
const (
	formatSM2CA = 0x31
	sm2CAHead   = 1 + 4 + 5 + 1 + 2 + 3
)

// serviceSM2 is the service identifier of debit and credit.
var serviceSM2 = [4]byte{0x01, 0x01, 0x00, 0x00}

// ParseSM2CA reads a CA's self-signed certificate and checks its signature
// (checked against UnionPay's own). Errors: ErrCertificate, ErrKey, ErrSignatureSM2.
func ParseSM2CA(cert []byte) (SM2CAKey, error) {
	n := sm2CAHead + SM2KeySize
	if len(cert) != n+SM2SignatureSize || cert[0] != formatSM2CA || cert[13] != algorithmSM2 || cert[14] != parametersSM2 || cert[15] != SM2KeySize {
		return SM2CAKey{}, fmt.Errorf("%w: SM2 CA certificate: length, format, algorithm or curve", ErrCertificate)
	}
	expiry, err := expiryMMYY(cert[11], cert[12], time.UTC)
	if err != nil {
		return SM2CAKey{}, err
	}
	k := SM2CAKey{RID: [5]byte(cert[5:10]), Index: cert[10], Key: SM2PublicKey(cert[sm2CAHead:n]), Expiry: expiry}
	return k, VerifySM2(k.Key, cert[:n], cert[n:])
}

// SignSM2CA makes a CA's self-signed certificate; month and year are its last valid month. Errors: ErrCertificate, ErrKey.
func SignSM2CA(ca *SM2PrivateKey, rid [5]byte, index byte, month, year int) ([]byte, error) {
	if month < 1 || month > 12 || year < 2000 || year > 2049 {
		return nil, fmt.Errorf("%w: expiry", ErrCertificate)
	}
	b := append(append([]byte{formatSM2CA}, serviceSM2[:]...), rid[:]...)
	b = append(b, index, toBCD(month), toBCD(year%100), algorithmSM2, parametersSM2, SM2KeySize)
	key := ca.Public()
	b = append(b, key[:]...)
	signature, err := SignSM2(ca, b)
	if err != nil {
		return nil, err
	}
	return append(b, signature...), nil
}

// AddSM2 stores an SM2 key whose Checksum is checksum. It refuses (ErrChecksum,
// ErrKey) a wrong checksum, a key that is no point, another SM2 key under the
// same RID and index, and more than MaxCAKeys keys of all kinds. A key of
// another kind may have the same index: a card's certificates say which kind they need.
func (s *CAStore) AddSM2(key SM2CAKey, checksum [sm3.Size]byte) error {
	if key.Checksum() != checksum {
		return fmt.Errorf("%w: SM2, RID %X index %02X", ErrChecksum, key.RID, key.Index)
	}
	if _, err := key.Key.point(); err != nil {
		return fmt.Errorf("RID %X index %02X: %w", key.RID, key.Index, err)
	}
	id := caID{key.RID, key.Index}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.sm2[id]; ok && old.Key != key.Key {
		return fmt.Errorf("%w: RID %X index %02X is another SM2 key already", ErrKey, key.RID, key.Index)
	}
	if s.size() >= MaxCAKeys {
		return fmt.Errorf("%w: more than %d CA keys", ErrKey, MaxCAKeys)
	}
	s.sm2[id] = key
	return nil
}

// LookupSM2 finds the SM2 key that 8F names; false where there is none.
func (s *CAStore) LookupSM2(rid [5]byte, index byte) (SM2CAKey, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.sm2[caID{rid, index}]
	return k, ok
}

// SM2Keys are all SM2 keys, ordered by RID and index.
func (s *CAStore) SM2Keys() []SM2CAKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ordered(s.sm2)
}
