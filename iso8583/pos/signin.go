package pos

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"huika/iso8583"
	"huika/keys"
	"huika/pay"
)

// ErrKeys says that the working keys of a sign-in do not open: another master
// key, changed bytes, or a check value that does not fit.
var ErrKeys = errors.New("working keys")

// WorkingKeys are what a sign-in gives a terminal until the next one.
type WorkingKeys struct {
	PIN   pay.Secret // double-length TDES, 16 bytes
	MAC   pay.Secret // AES-128, 16 bytes
	Track pay.Secret // AES-128, 16 bytes
}

// Wipe clears the three keys.
func (k WorkingKeys) Wipe() {
	k.PIN.Wipe()
	k.MAC.Wipe()
	k.Track.Wipe()
}

// Each key takes 24 bytes of RFC 3394 wrap and 4 bytes of check value.
const (
	keySize    = 16
	sealedSize = keySize + 8 + 4
)

// keyAlgorithms is the order of the keys in F62.
var keyAlgorithms = [3]keys.Algorithm{keys.TDES, keys.AES, keys.AES}

// SealKeys makes F62 of a sign-in reply (84 bytes) under the terminal master
// key, an AES key: PIN, MAC and track key, each wrapped and with its check
// value. The order is the classic dialect's, the wrapping our own AES profile.
func SealKeys(tmk pay.Secret, k WorkingKeys) ([]byte, error) {
	out := make([]byte, 0, 3*sealedSize)
	for i, key := range []pay.Secret{k.PIN, k.MAC, k.Track} {
		if key.Len() != keySize {
			return nil, fmt.Errorf("%w: want %d bytes each", ErrKeys, keySize)
		}
		box, err := keys.Wrap(tmk, key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeys, err)
		}
		kcv, err := keys.KCV(key, keyAlgorithms[i])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeys, err)
		}
		out = append(append(out, box...), kcv[:]...)
	}
	return out, nil
}

// OpenKeys is the inverse of SealKeys. Errors wrap ErrKeys, or
// iso8583.ErrFormat where F62 has another length.
func OpenKeys(tmk pay.Secret, f62 []byte) (WorkingKeys, error) {
	if len(f62) != 3*sealedSize {
		return WorkingKeys{}, &iso8583.Error{Op: "open", Field: "F62", Why: fmt.Sprintf("%d bytes; want %d", len(f62), 3*sealedSize)}
	}
	var k WorkingKeys
	for i, into := range []*pay.Secret{&k.PIN, &k.MAC, &k.Track} {
		part := f62[i*sealedSize : (i+1)*sealedSize]
		key, err := keys.Unwrap(tmk, part[:keySize+8])
		if err != nil {
			k.Wipe()
			return WorkingKeys{}, fmt.Errorf("%w: %w", ErrKeys, err)
		}
		*into = key
		kcv, err := keys.KCV(key, keyAlgorithms[i])
		if err != nil {
			k.Wipe()
			return WorkingKeys{}, fmt.Errorf("%w: %w", ErrKeys, err)
		}
		if subtle.ConstantTimeCompare(kcv[:], part[keySize+8:]) != 1 {
			k.Wipe()
			return WorkingKeys{}, fmt.Errorf("%w: check value of key %d of 3 does not fit", ErrKeys, i+1)
		}
	}
	return k, nil
}
