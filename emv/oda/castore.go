package oda

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// CAKey is a certification authority's public key as a terminal holds it.
type CAKey struct {
	RID      [5]byte
	Index    byte // 8F
	Modulus  []byte
	Exponent []byte
	Expiry   time.Time // the first moment at which it may not be used; zero: none
}

// PublicKey is the key itself.
func (k CAKey) PublicKey() PublicKey { return PublicKey{k.Modulus, k.Exponent} }

// Checksum is SHA-1(RID ‖ index ‖ modulus ‖ exponent) (EMV Book 2, 11.2.2).
func (k CAKey) Checksum() [sha1.Size]byte {
	h := sha1.New()
	h.Write(k.RID[:])
	h.Write([]byte{k.Index})
	h.Write(k.Modulus)
	h.Write(k.Exponent)
	return [sha1.Size]byte(h.Sum(nil))
}

// Bounds of a CAStore. A scheme has at most six live keys; revocation lists
// hold at least 30 entries a scheme (EMV Book 2, 5.1.2).
const (
	MaxCAKeys  = 256
	MaxRevoked = 4096
)

type caID struct {
	rid   [5]byte
	index byte
}

type revocation struct {
	ca     caID
	serial [3]byte
}

// CAStore is a terminal's CA keys (RSA, ECC and SM2) and revocation list. Any number
// of tasks may read it, also while it is filled, or replaced as a whole
// (Replace: a reload while taps go on).
type CAStore struct {
	mu      sync.RWMutex // held for a look into the maps, never longer
	keys    map[caID]CAKey
	ec      map[caID]ECCAKey
	sm2     map[caID]SM2CAKey
	revoked map[revocation]struct{}
}

// NewCAStore makes an empty store.
func NewCAStore() *CAStore {
	return &CAStore{keys: map[caID]CAKey{}, ec: map[caID]ECCAKey{}, sm2: map[caID]SM2CAKey{}, revoked: map[revocation]struct{}{}}
}

// size is the number of keys of all kinds; the caller holds the lock.
func (s *CAStore) size() int { return len(s.keys) + len(s.ec) + len(s.sm2) }

// ordered are the keys of one kind by RID and index.
func ordered[K any](m map[caID]K) []K {
	ids := slices.SortedFunc(maps.Keys(m), func(a, b caID) int {
		return cmp.Or(bytes.Compare(a.rid[:], b.rid[:]), cmp.Compare(a.index, b.index))
	})
	keys := make([]K, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, m[id])
	}
	return keys
}

// Replace takes over what next holds, at once: a tap sees the old keys or the
// new ones. next must not be used afterwards.
func (s *CAStore) Replace(next *CAStore) {
	next.mu.Lock()
	keys, ec, sm2, revoked := next.keys, next.ec, next.sm2, next.revoked
	next.keys, next.ec, next.sm2, next.revoked = nil, nil, nil, nil // a write to next would reach us: let it panic
	next.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.ec, s.sm2, s.revoked = keys, ec, sm2, revoked
}

// Add stores a key whose Checksum is checksum. It refuses (ErrChecksum, ErrKey)
// a wrong checksum, an unusable key, another key under the same RID and index,
// and more than MaxCAKeys.
func (s *CAStore) Add(key CAKey, checksum [sha1.Size]byte) error {
	if key.Checksum() != checksum {
		return fmt.Errorf("%w: RID %X index %02X", ErrChecksum, key.RID, key.Index)
	}
	if err := key.PublicKey().check(); err != nil {
		return fmt.Errorf("RID %X index %02X: %w", key.RID, key.Index, err)
	}
	id := caID{key.RID, key.Index}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.keys[id]; ok && (!bytes.Equal(old.Modulus, key.Modulus) || !bytes.Equal(old.Exponent, key.Exponent)) {
		return fmt.Errorf("%w: RID %X index %02X is another key already", ErrKey, key.RID, key.Index)
	}
	if s.size() >= MaxCAKeys {
		return fmt.Errorf("%w: more than %d CA keys", ErrKey, MaxCAKeys)
	}
	key.Modulus, key.Exponent = bytes.Clone(key.Modulus), bytes.Clone(key.Exponent)
	s.keys[id] = key
	return nil
}

// Lookup finds the key that 8F names; false where there is none.
func (s *CAStore) Lookup(rid [5]byte, index byte) (CAKey, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.keys[caID{rid, index}]
	return k, ok
}

// Keys are all RSA keys, ordered by RID and index.
func (s *CAStore) Keys() []CAKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ordered(s.keys)
}

// Revoke puts an issuer certificate on the revocation list. A full list is an error.
func (s *CAStore) Revoke(rid [5]byte, index byte, serial [3]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.revoked) >= MaxRevoked {
		return fmt.Errorf("revocation list: more than %d entries", MaxRevoked)
	}
	s.revoked[revocation{caID{rid, index}, serial}] = struct{}{}
	return nil
}

// Revoked reports whether an issuer certificate is on the revocation list (EMV Book 2, 5.1.2).
func (s *CAStore) Revoked(rid [5]byte, index byte, serial [3]byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.revoked[revocation{caID{rid, index}, serial}]
	return ok
}
