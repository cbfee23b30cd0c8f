package oda

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// PrivateKey is an RSA key of a test issuer or software card. It prints as "[secret]".
type PrivateKey struct {
	public     PublicKey
	p, q       *big.Int
	dp, dq, qi *big.Int // CRT
}

// Public is the public half.
func (k *PrivateKey) Public() PublicKey { return k.public }

// Primes are the two primes, big-endian: what must be stored to load the key again.
func (k *PrivateKey) Primes() (p, q []byte) { return k.p.Bytes(), k.q.Bytes() }

func (k *PrivateKey) String() string   { return "[secret]" }
func (k *PrivateKey) GoString() string { return "[secret]" }

// Format keeps the primes out of every verb.
func (k *PrivateKey) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// NewPrivateKey builds a key from its primes (big-endian) and the exponent 3 or
// 65537. Errors: ErrKey.
func NewPrivateKey(p, q []byte, exponent int) (*PrivateKey, error) {
	k := &PrivateKey{p: new(big.Int).SetBytes(p), q: new(big.Int).SetBytes(q)}
	e := big.NewInt(int64(exponent))
	k.public.Exponent = e.Bytes()
	k.public.Modulus = new(big.Int).Mul(k.p, k.q).Bytes()
	if err := k.public.check(); err != nil {
		return nil, err
	}
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(k.p, one), new(big.Int).Sub(k.q, one)
	k.dp, k.dq = new(big.Int).ModInverse(e, p1), new(big.Int).ModInverse(e, q1)
	k.qi = new(big.Int).ModInverse(k.q, k.p)
	if k.dp == nil || k.dq == nil || k.qi == nil {
		return nil, fmt.Errorf("%w: exponent and primes do not fit", ErrKey)
	}
	return k, nil
}

// sign is x^d mod n; x is as long as the modulus.
func (k *PrivateKey) sign(x []byte) []byte {
	v := new(big.Int).SetBytes(x)
	a := new(big.Int).Exp(v, k.dp, k.p)
	b := new(big.Int).Exp(v, k.dq, k.q)
	a.Sub(a, b).Mul(a, k.qi).Mod(a, k.p) // Garner: b + q·((a−b)·q⁻¹ mod p)
	return b.Add(b, a.Mul(a, k.q)).FillBytes(make([]byte, len(k.public.Modulus)))
}

// maxCandidates bounds the prime search; for 1024-bit primes one in about 350 odd numbers is prime.
const maxCandidates = 100_000

var errNoPrime = errors.New("oda: no prime found; is the random source stuck?")

// GenerateKey makes an RSA key of bits (a multiple of 16) with exponent 3 or
// 65537. It depends on nothing but the bytes of rand, so that a seeded reader
// gives the same key on every run (crypto/rsa no longer does that).
func GenerateKey(rand io.Reader, bits, exponent int) (*PrivateKey, error) {
	if bits%16 != 0 || bits < 8*MinModulus || bits > 8*MaxModulus {
		return nil, fmt.Errorf("%w: %d bits", ErrKey, bits)
	}
	if err := checkExponent(big.NewInt(int64(exponent)).Bytes()); err != nil {
		return nil, err
	}
	p, err := prime(rand, bits/2, exponent)
	if err != nil {
		return nil, err
	}
	for range 8 {
		q, err := prime(rand, bits/2, exponent)
		if err != nil {
			return nil, err
		}
		if p.Cmp(q) != 0 {
			return NewPrivateKey(p.Bytes(), q.Bytes(), exponent)
		}
	}
	return nil, errNoPrime
}

// smallPrimes sieve candidates before the costly test.
var smallPrimes = func() []int64 {
	var primes []int64
next:
	for n := int64(3); n < 2000; n += 2 {
		for _, p := range primes {
			if n%p == 0 {
				continue next
			}
		}
		primes = append(primes, n)
	}
	return primes
}()

// prime searches upwards from a random odd start with its two top bits set (so
// that two of them make a modulus of full length) for a prime p where
// exponent does not divide p−1.
func prime(rand io.Reader, bits, exponent int) (*big.Int, error) {
	b := make([]byte, bits/8)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("oda: prime: %w", err)
	}
	b[0] |= 0xC0
	b[len(b)-1] |= 1
	p := new(big.Int).SetBytes(b)
	residues := make([]int64, len(smallPrimes))
	m := new(big.Int)
	for i, s := range smallPrimes {
		residues[i] = m.Mod(p, big.NewInt(s)).Int64()
	}
	eResidue := m.Mod(p, big.NewInt(int64(exponent))).Int64()
	candidate := new(big.Int)
search:
	for step := int64(0); step < 2*maxCandidates; step += 2 {
		if (eResidue+step)%int64(exponent) == 1 {
			continue
		}
		for i, s := range smallPrimes {
			if (residues[i]+step)%s == 0 {
				continue search
			}
		}
		candidate.Add(p, big.NewInt(step))
		if candidate.BitLen() == bits && candidate.ProbablyPrime(20) {
			return candidate, nil
		}
	}
	return nil, errNoPrime
}

// Subject is what a certificate is made of.
type Subject struct {
	ID     string // issuer: leftmost 3 to 8 digits of the PAN; card: the whole PAN
	Month  int    // expiry, last valid month
	Year   int    // 2000 to 2049
	Serial [3]byte
	Key    PublicKey
}

// SignIssuerCertificate makes 90 and 92 (remainder, nil where the key fits).
func SignIssuerCertificate(ca *PrivateKey, s Subject) (cert, remainder []byte, err error) {
	if len(s.ID) < 3 || len(s.ID) > 8 {
		return nil, nil, fmt.Errorf("%w: issuer identifier of %d digits", ErrCertificate, len(s.ID))
	}
	return issuerCertificate.seal(ca, s, nil)
}

// SignICCCertificate makes 9F46 and 9F48 (nil where the key fits); static is StaticData's answer.
func SignICCCertificate(issuer *PrivateKey, s Subject, static []byte) (cert, remainder []byte, err error) {
	return iccCertificate.seal(issuer, s, static)
}

func (c certificate) seal(key *PrivateKey, s Subject, extra []byte) (cert, remainder []byte, err error) {
	if err := s.Key.check(); err != nil {
		return nil, nil, err
	}
	n := len(key.public.Modulus)
	if len(s.Key.Modulus) > n || s.Month < 1 || s.Month > 12 || s.Year < 2000 || s.Year > 2049 {
		return nil, nil, fmt.Errorf("%w: key length or expiry", ErrCertificate)
	}
	id, err := packCN(s.ID, c.idLen)
	if err != nil {
		return nil, nil, err
	}
	rec := make([]byte, 0, n)
	rec = append(append(rec, recoveredHeader, c.format), id...)
	rec = append(rec, toBCD(s.Month), toBCD(s.Year%100))
	rec = append(append(rec, s.Serial[:]...), hashSHA1, algorithmRSA, byte(len(s.Key.Modulus)), byte(len(s.Key.Exponent)))
	space := n - c.overhead()
	inside := min(space, len(s.Key.Modulus))
	rec = append(rec, s.Key.Modulus[:inside]...)
	rec = append(rec, bytes.Repeat([]byte{padding}, space-inside)...)
	if inside < len(s.Key.Modulus) {
		remainder = bytes.Clone(s.Key.Modulus[inside:])
	}
	h := sha1.New()
	for _, part := range [][]byte{rec[1:], remainder, s.Key.Exponent, extra} {
		h.Write(part)
	}
	return key.sign(append(h.Sum(rec), recoveredTrailer)), remainder, nil
}

func toBCD(n int) byte { return byte(n/10<<4 | n%10) }

// SignDynamic makes 9F4B: format is FormatDDA or FormatFDDA, dynamic the ICC
// dynamic data, terminalData what VerifyDynamic is given. Errors: ErrSignature.
func SignDynamic(icc *PrivateKey, format byte, dynamic, terminalData []byte) ([]byte, error) {
	n := len(icc.public.Modulus)
	if len(dynamic) > n-dynamicOverhead {
		return nil, fmt.Errorf("%w: dynamic data of %d bytes", ErrSignature, len(dynamic))
	}
	rec := make([]byte, 0, n)
	rec = append(append(rec, recoveredHeader, format, hashSHA1, byte(len(dynamic))), dynamic...)
	rec = append(rec, bytes.Repeat([]byte{padding}, n-dynamicOverhead-len(dynamic))...)
	h := sha1.New()
	h.Write(rec[1:])
	h.Write(terminalData)
	return icc.sign(append(h.Sum(rec), recoveredTrailer)), nil
}
