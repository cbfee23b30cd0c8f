package oda

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Sizes of elliptic curve cryptography on P-256 (Book E, 8.8).
const (
	ECSize          = 32          // a coordinate, a scalar, SHA-256
	ECSignatureSize = 2 * ECSize  // R ‖ S
	maxDraws        = 64          // tries for a scalar in range: one in 2^32 is out of it
	suiteECSDSA     = 0x10        // algorithm suite: EC-SDSA on P-256 with SHA-256 (Book E, table 8.3)
	suiteChannel    = 0x00        // algorithm suite of the secure channel: P-256 and AES-128 (table 8.4)
	compressed      = byte(0x02)  // SEC 1 point with even y
	uncompressed    = byte(0x04)  // SEC 1 point with both coordinates
	hashSHA256      = byte(0x02)  // ICCD hash algorithm indicator
	hashTLV         = byte(0x01)  // ICCD hash encoding: TLV, the AIP as its value
	maxECData       = 2048 + 1024 // bytes that one signature may cover
)

// ErrSignatureEC says that an EC-SDSA signature does not verify.
var ErrSignatureEC = errors.New("oda: EC-SDSA signature does not verify")

// Multiplications with secrets go through crypto/ecdh, which is constant-time.
// Verifying a signature needs s·G − r·Q, a sum that crypto/ecdh has not:
// combine is the one place that uses crypto/elliptic's point arithmetic, over
// public values only. P-256 alone is supported; P-521 (suite 11) is not.

// ECPublicKey is a point of P-256. EMV carries its x coordinate alone; y is the
// smaller of the two that fit (Book E, 8.8.4 and 8.8.5).
type ECPublicKey struct{ point [1 + 2*ECSize]byte } // SEC 1, uncompressed; zero: no key

// NewECPublicKey finds the point of an x coordinate. Errors: ErrKey.
func NewECPublicKey(x []byte) (ECPublicKey, error) {
	var k ECPublicKey
	if len(x) != ECSize {
		return k, fmt.Errorf("%w: x coordinate of %d bytes", ErrKey, len(x))
	}
	px, py := elliptic.UnmarshalCompressed(elliptic.P256(), append([]byte{compressed}, x...))
	if px == nil {
		return k, fmt.Errorf("%w: no point of the curve has this x coordinate", ErrKey)
	}
	if other := new(big.Int).Sub(elliptic.P256().Params().P, py); other.Cmp(py) < 0 {
		py = other
	}
	k.point[0] = uncompressed
	px.FillBytes(k.point[1 : 1+ECSize])
	py.FillBytes(k.point[1+ECSize:])
	return k, nil
}

// X is what certificates and the CA store carry.
func (k ECPublicKey) X() [ECSize]byte { return [ECSize]byte(k.point[1 : 1+ECSize]) }

// ECDH is the point for crypto/ecdh. Errors: ErrKey for the zero key.
func (k ECPublicKey) ECDH() (*ecdh.PublicKey, error) {
	p, err := ecdh.P256().NewPublicKey(k.point[:])
	if err != nil {
		return nil, fmt.Errorf("%w: not a point of the curve", ErrKey)
	}
	return p, nil
}

// ECPrivateKey is a P-256 key of a test CA, issuer or software card. It prints as "[secret]".
type ECPrivateKey struct {
	d      *big.Int
	public ECPublicKey
}

// Format keeps the key out of every verb.
func (k *ECPrivateKey) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// NewECPrivateKey makes a key of a scalar of 32 bytes. Where the point's y is
// not the smaller one the key is n − d, which has the same x (Book E, 8.8.5
// draws again instead; both give a key that NewECPublicKey finds). Errors: ErrKey.
func NewECPrivateKey(scalar []byte) (*ECPrivateKey, error) {
	p, err := ecdh.P256().NewPrivateKey(scalar)
	if err != nil {
		return nil, fmt.Errorf("%w: scalar is out of range", ErrKey)
	}
	point := p.PublicKey().Bytes()
	k := &ECPrivateKey{d: new(big.Int).SetBytes(scalar)}
	if k.public, err = NewECPublicKey(point[1 : 1+ECSize]); err != nil {
		return nil, err
	}
	if !bytes.Equal(k.public.point[:], point) {
		k.d.Sub(elliptic.P256().Params().N, k.d)
	}
	return k, nil
}

// GenerateECKey makes a key from the bytes of rand alone, so that a seeded
// reader gives the same key on every run.
func GenerateECKey(rand io.Reader) (*ECPrivateKey, error) {
	scalar, err := ECScalar(rand)
	if err != nil {
		return nil, err
	}
	return NewECPrivateKey(scalar.Bytes())
}

// ECScalar draws a scalar between 1 and n − 1. crypto/ecdh's own generator takes
// no random source any more; a kernel's must come from its caller.
func ECScalar(rand io.Reader) (*ecdh.PrivateKey, error) {
	b := make([]byte, ECSize)
	for range maxDraws {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, fmt.Errorf("oda: scalar: %w", err)
		}
		if k, err := ecdh.P256().NewPrivateKey(b); err == nil {
			return k, nil
		}
	}
	return nil, errors.New("oda: no scalar in range; is the random source stuck?")
}

// Public is the public half.
func (k *ECPrivateKey) Public() ECPublicKey { return k.public }

// ECDH is the key for crypto/ecdh.
func (k *ECPrivateKey) ECDH() (*ecdh.PrivateKey, error) {
	return ecdh.P256().NewPrivateKey(k.d.FillBytes(make([]byte, ECSize)))
}

// SignEC is EC-SDSA, the variant that hashes the x coordinate alone (Book E,
// 8.8.7; ISO/IEC 14888-3): R = SHA-256(x of k·G ‖ message), S = k + R·d mod n.
// The answer is R ‖ S. k is made of key and message, so that no random source
// can leak the key.
func SignEC(key *ECPrivateKey, message []byte) ([]byte, error) {
	d := key.d.FillBytes(make([]byte, ECSize))
	for i := range byte(maxDraws) {
		h := hmac.New(sha256.New, d)
		h.Write([]byte{i})
		h.Write(message)
		if k, err := ecdh.P256().NewPrivateKey(h.Sum(nil)); err == nil {
			return signWith(key, k, message), nil
		}
	}
	return nil, fmt.Errorf("%w: no nonce in range", ErrKey)
}

func signWith(key *ECPrivateKey, k *ecdh.PrivateKey, message []byte) []byte {
	h := sha256.New()
	h.Write(k.PublicKey().Bytes()[1 : 1+ECSize])
	h.Write(message)
	r := h.Sum(make([]byte, 0, ECSignatureSize))
	s := new(big.Int).SetBytes(r)
	s.Mul(s, key.d).Add(s, new(big.Int).SetBytes(k.Bytes())).Mod(s, elliptic.P256().Params().N)
	return append(r, s.FillBytes(make([]byte, ECSize))...)
}

// VerifyEC checks what SignEC made. Errors: ErrSignatureEC, ErrKey.
func VerifyEC(key ECPublicKey, message, signature []byte) error {
	if key == (ECPublicKey{}) {
		return fmt.Errorf("%w: there is none", ErrKey)
	}
	if len(signature) != ECSignatureSize || len(message) > maxECData {
		return fmt.Errorf("%w: length", ErrSignatureEC)
	}
	n := elliptic.P256().Params().N
	r, s := new(big.Int).SetBytes(signature[:ECSize]), new(big.Int).SetBytes(signature[ECSize:])
	// r is the hash as it stands, which may be above n: it is reduced for the
	// multiplication and compared whole. s has one form only.
	r.Mod(r, n)
	if r.Sign() == 0 || s.Sign() == 0 || s.Cmp(n) >= 0 {
		return fmt.Errorf("%w: out of range", ErrSignatureEC)
	}
	x, ok := combine(key, s, r.Sub(n, r))
	if !ok {
		return ErrSignatureEC
	}
	h := sha256.New()
	h.Write(x[:])
	h.Write(message)
	if subtle.ConstantTimeCompare(h.Sum(nil), signature[:ECSize]) != 1 {
		return ErrSignatureEC
	}
	return nil
}

// combine is the x coordinate of s·G + r·Q; false for the point at infinity. All of it is public.
func combine(q ECPublicKey, s, r *big.Int) (x [ECSize]byte, ok bool) {
	curve := elliptic.P256()
	qx, qy := new(big.Int).SetBytes(q.point[1:1+ECSize]), new(big.Int).SetBytes(q.point[1+ECSize:])
	//lint:ignore SA1019 crypto/ecdh adds no points; the point is on the curve (NewECPublicKey) and nothing here is secret
	ax, ay := curve.ScalarBaseMult(s.FillBytes(make([]byte, ECSize)))
	//lint:ignore SA1019 as above
	bx, by := curve.ScalarMult(qx, qy, r.FillBytes(make([]byte, ECSize)))
	//lint:ignore SA1019 as above
	tx, ty := curve.Add(ax, ay, bx, by)
	if tx.Sign() == 0 && ty.Sign() == 0 {
		return x, false
	}
	tx.FillBytes(x[:])
	return x, true
}
