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

// Checksum is SM3(RID ‖ index ‖ x ‖ y): EMV Book 2, 11.2.2 with SM3, and without
// the exponent that SM2 does not have (by public description, unverified).
func (k SM2CAKey) Checksum() [sm3.Size]byte {
	return sm3.Sum(append(append(append(make([]byte, 0, 6+SM2KeySize), k.RID[:]...), k.Index), k.Key[:]...))
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
