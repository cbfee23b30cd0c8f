package oda

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
)

// Sizes of SM2 (GB/T 32918) and SM3.
const (
	SM2KeySize       = 64 // x ‖ y
	SM2SignatureSize = 64 // r ‖ s
	sm2Scalar        = 32
)

// sm2UserID is the standard user id that goes into the hash (GM/T 0009); real certificates verify with it.
var sm2UserID = []byte("1234567812345678")

// ErrSignatureSM2 says that an SM2 signature does not verify.
var ErrSignatureSM2 = errors.New("oda: SM2 signature does not verify")

// SM2PublicKey is a point of the SM2 curve as PBOC carries it: x ‖ y.
type SM2PublicKey [SM2KeySize]byte

// point is the key for the signature; ErrKey where it is no point of the curve.
func (k SM2PublicKey) point() (*ecdsa.PublicKey, error) {
	p, err := sm2.NewPublicKey(append([]byte{uncompressed}, k[:]...))
	if err != nil {
		return nil, fmt.Errorf("%w: not a point of the SM2 curve", ErrKey)
	}
	return p, nil
}

// SM2PrivateKey is a key of a test CA, issuer or software card. It prints as "[secret]".
type SM2PrivateKey struct{ key *sm2.PrivateKey }

// Format keeps the key out of every verb.
func (k *SM2PrivateKey) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// NewSM2PrivateKey makes a key of a scalar of 32 bytes, 1 to n − 2. Errors: ErrKey.
func NewSM2PrivateKey(scalar []byte) (*SM2PrivateKey, error) {
	if len(scalar) != sm2Scalar {
		return nil, fmt.Errorf("%w: scalar of %d bytes", ErrKey, len(scalar))
	}
	k, err := sm2.NewPrivateKey(scalar)
	if err != nil {
		return nil, fmt.Errorf("%w: scalar is out of range", ErrKey)
	}
	return &SM2PrivateKey{k}, nil
}

// GenerateSM2Key makes a key from the bytes of rand alone, so that a seeded
// reader gives the same key on every run.
func GenerateSM2Key(rand io.Reader) (*SM2PrivateKey, error) {
	b := make([]byte, sm2Scalar)
	for range maxDraws {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, fmt.Errorf("oda: scalar: %w", err)
		}
		if k, err := NewSM2PrivateKey(b); err == nil {
			return k, nil
		}
	}
	return nil, errors.New("oda: no scalar in range; is the random source stuck?")
}

// Public is the public half.
func (k *SM2PrivateKey) Public() (p SM2PublicKey) {
	k.key.X.FillBytes(p[:sm2Scalar])
	k.key.Y.FillBytes(p[sm2Scalar:])
	return p
}

// SignSM2 is the SM2 signature with SM3 and the standard user id: r ‖ s. Its
// nonce is made of key and message, so that no random source can leak the key.
func SignSM2(key *SM2PrivateKey, message []byte) ([]byte, error) {
	der, err := sm2.SignDeterministic(key.key, message, sm2.NewSM2SignerOption(true, sm2UserID))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	out := make([]byte, SM2SignatureSize)
	s.R.FillBytes(out[:sm2Scalar])
	s.S.FillBytes(out[sm2Scalar:])
	return out, nil
}

// VerifySM2 checks what SignSM2 made. Errors: ErrSignatureSM2, ErrKey.
func VerifySM2(key SM2PublicKey, message, signature []byte) error {
	if len(signature) != SM2SignatureSize || len(message) > maxECData {
		return fmt.Errorf("%w: length", ErrSignatureSM2)
	}
	p, err := key.point()
	if err != nil {
		return err
	}
	hash, err := sm2.CalculateSM2Hash(p, message, sm2UserID)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	// ASN.1 has one form for each pair of numbers, so nothing is lost on the way through it.
	der, err := asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(signature[:sm2Scalar]), new(big.Int).SetBytes(signature[sm2Scalar:]),
	})
	if err != nil || !sm2.VerifyASN1(p, hash, der) {
		return ErrSignatureSM2
	}
	return nil
}
