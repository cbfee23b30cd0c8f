// Package oda is offline data authentication: RSA (EMV Book 2, 5 and 6), where it
// recovers the issuer's and the card's public key from their certificates and
// checks the card's dynamic signature; elliptic curves (EMV Contactless
// Book E), where it checks certificates and signatures of EC-SDSA on P-256; and
// SM2 with SM3 (PBOC 3.0). It also has the issuing side, which software cards
// and their test issuer use.
//
// In a tap it stands behind READ RECORD: a kernel collects the records and asks
// whether the card is genuine. What follows from a failure (decline, go online)
// is the kernel's rule, not decided here.
//
// Signing is done with math/big and is not constant-time: it serves software
// test cards, never a real issuer. (Key agreement in emv/bdh is: it goes
// through crypto/ecdh.)
package oda

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Bounds of EMV Book 2: moduli are at most 248 bytes; below 64 bytes (512 bits) nothing is accepted.
const (
	MaxModulus = 248
	MinModulus = 64
)

const hashSize = sha1.Size

// Errors that callers tell apart with errors.Is. They never carry card data.
var (
	ErrKey         = errors.New("oda: key is not usable")                                   // length, exponent
	ErrCertificate = errors.New("oda: certificate is malformed")                            // length, header, trailer, format, algorithm
	ErrHash        = errors.New("oda: hash of the certificate or signature does not match") // also: wrong key
	ErrExpired     = errors.New("oda: certificate has expired")
	ErrRevoked     = errors.New("oda: certificate is revoked")
	ErrPAN         = errors.New("oda: certificate is of another card number")
	ErrSDATagList  = errors.New("oda: static data authentication tag list is not 82")
	ErrSignature   = errors.New("oda: dynamic signature is malformed") // length, header, trailer, format, algorithm
	ErrChecksum    = errors.New("oda: CA key does not have this checksum")
)

// PublicKey is an RSA public key as EMV carries it: big-endian bytes.
type PublicKey struct {
	Modulus  []byte
	Exponent []byte // 03 or 010001
}

// check is EMV Book 2, 5.1: exponents 3 and 2^16+1 only; and the length bounds.
func (k PublicKey) check() error {
	if len(k.Modulus) < MinModulus || len(k.Modulus) > MaxModulus || k.Modulus[0]&0x80 == 0 {
		return fmt.Errorf("%w: modulus of %d bytes", ErrKey, len(k.Modulus))
	}
	return checkExponent(k.Exponent)
}

func checkExponent(e []byte) error {
	if !bytes.Equal(e, []byte{3}) && !bytes.Equal(e, []byte{1, 0, 1}) {
		return fmt.Errorf("%w: exponent is neither 3 nor 65537", ErrKey)
	}
	return nil
}

// recover is the recovery function of EMV Book 2, B2.1: x^e mod n, as many bytes as n.
func (k PublicKey) recover(x []byte) ([]byte, bool) {
	n, v := new(big.Int).SetBytes(k.Modulus), new(big.Int).SetBytes(x)
	if v.Cmp(n) >= 0 {
		return nil, false
	}
	e := new(big.Int).SetBytes(k.Exponent)
	return v.Exp(v, e, n).FillBytes(make([]byte, len(k.Modulus))), true
}

// Info is what a certificate says beside its key.
type Info struct {
	IssuerID string    // leftmost 3 to 8 digits of the PAN (issuer certificates)
	Expiry   time.Time // the first moment at which it is expired, in the zone of now
	Serial   [3]byte
}

// certificate is the common shape of tables 6 and 14 of EMV Book 2: header,
// format, an identifier of idLen bytes, expiry(2), serial(3), hash algorithm,
// key algorithm, key length, exponent length, key, hash, trailer.
type certificate struct {
	format byte
	idLen  int
}

var (
	issuerCertificate = certificate{format: 0x02, idLen: 4}
	iccCertificate    = certificate{format: 0x04, idLen: 10}
)

const (
	recoveredHeader  = 0x6A
	recoveredTrailer = 0xBC
	hashSHA1         = 0x01
	algorithmRSA     = 0x01
	padding          = 0xBB
)

// overhead is what a certificate holds beside the key: 36 bytes for issuers, 42 for cards.
func (c certificate) overhead() int { return 2 + c.idLen + 2 + 3 + 4 + hashSize + 1 }

// open recovers cert under key and checks it: lengths, header, format, hash,
// trailer, algorithms, key with remainder and exponent, expiry. id aliases the
// recovered bytes.
func (c certificate) open(key PublicKey, cert, remainder, exponent, extra []byte, now time.Time) (pub PublicKey, id []byte, info Info, err error) {
	fail := func(err error) (PublicKey, []byte, Info, error) { return PublicKey{}, nil, Info{}, err }
	if err := key.check(); err != nil {
		return fail(err)
	}
	if len(cert) != len(key.Modulus) {
		return fail(fmt.Errorf("%w: %d bytes under a key of %d", ErrCertificate, len(cert), len(key.Modulus)))
	}
	if err := checkExponent(exponent); err != nil {
		return fail(err)
	}
	rec, ok := key.recover(cert)
	if !ok {
		return fail(fmt.Errorf("%w: not below the modulus", ErrCertificate))
	}
	n := len(rec)
	if rec[n-1] != recoveredTrailer || rec[0] != recoveredHeader || rec[1] != c.format {
		return fail(fmt.Errorf("%w: header, format or trailer", ErrCertificate))
	}
	body := rec[1 : n-1-hashSize]
	h := sha1.New()
	for _, part := range [][]byte{body, remainder, exponent, extra} {
		h.Write(part)
	}
	if !bytes.Equal(h.Sum(nil), rec[n-1-hashSize:n-1]) {
		return fail(ErrHash)
	}
	id, rest := body[1:1+c.idLen], body[1+c.idLen:]
	if info.Expiry, err = expiryMMYY(rest[0], rest[1], now.Location()); err != nil {
		return fail(err)
	}
	info.Serial = [3]byte(rest[2:5])
	if rest[5] != hashSHA1 || rest[6] != algorithmRSA {
		return fail(fmt.Errorf("%w: algorithm", ErrCertificate))
	}
	keyLen, expLen, field := int(rest[7]), int(rest[8]), rest[9:]
	if expLen != len(exponent) || keyLen > len(key.Modulus) {
		return fail(fmt.Errorf("%w: length of key or exponent", ErrCertificate))
	}
	// The key stands in field, padded with BB; what does not fit is the remainder.
	inside := min(keyLen, len(field))
	if len(remainder) != keyLen-inside {
		return fail(fmt.Errorf("%w: length of the remainder", ErrCertificate))
	}
	for _, b := range field[inside:] {
		if b != padding {
			return fail(fmt.Errorf("%w: padding", ErrCertificate))
		}
	}
	pub = PublicKey{append(append(make([]byte, 0, keyLen), field[:inside]...), remainder...), bytes.Clone(exponent)}
	if err := pub.check(); err != nil {
		return fail(err)
	}
	if !now.Before(info.Expiry) {
		return fail(ErrExpired)
	}
	return pub, id, info, nil
}

// expiryMMYY is the first moment after the month MMYY (EMV Book 2: a certificate
// is valid through the last day of it). Years 50 to 99 are of the last century
// (EMV Book 4, 6.7.3).
func expiryMMYY(mm, yy byte, zone *time.Location) (time.Time, error) {
	month, ok1 := bcd(mm)
	year, ok2 := bcd(yy)
	if !ok1 || !ok2 || month < 1 || month > 12 {
		return time.Time{}, fmt.Errorf("%w: expiry date", ErrCertificate)
	}
	if year += 2000; year >= 2050 {
		year -= 100
	}
	return time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, zone), nil
}

func bcd(b byte) (int, bool) { return int(b>>4)*10 + int(b&15), b>>4 < 10 && b&15 < 10 }

// RecoverIssuer is EMV Book 2, 5.3 and 6.3: the issuer's public key from 90,
// 92 and 9F32 under the CA key. pan is the card number (digits), of which the
// certificate names the first 3 to 8; now decides expiry. Revocation is asked
// of CAStore.Revoked with Info.Serial. Errors: ErrKey, ErrCertificate, ErrHash,
// ErrExpired, ErrPAN.
func RecoverIssuer(ca CAKey, cert90, remainder92, exponent9F32 []byte, pan string, now time.Time) (PublicKey, Info, error) {
	if !ca.Expiry.IsZero() && !now.Before(ca.Expiry) {
		return PublicKey{}, Info{}, fmt.Errorf("%w: CA key", ErrExpired)
	}
	key, id, info, err := issuerCertificate.open(ca.PublicKey(), cert90, remainder92, exponent9F32, nil, now)
	if err != nil {
		return PublicKey{}, Info{}, err
	}
	digits, ok := unpackCN(id)
	if !ok || len(digits) < 3 || len(digits) > len(pan) || pan[:len(digits)] != digits {
		return PublicKey{}, Info{}, fmt.Errorf("%w: issuer identifier", ErrPAN)
	}
	info.IssuerID = digits
	return key, info, nil
}

// RecoverICC is EMV Book 2, 6.4: the card's public key from 9F46, 9F48 and 9F47
// under the issuer's. pan is the value of 5A (compressed numeric, with or without
// its F padding); static is StaticData's answer. Errors: as RecoverIssuer.
func RecoverICC(issuer PublicKey, cert9F46, remainder9F48, exponent9F47, pan, static []byte, now time.Time) (PublicKey, error) {
	key, id, _, err := iccCertificate.open(issuer, cert9F46, remainder9F48, exponent9F47, static, now)
	if err != nil {
		return PublicKey{}, err
	}
	inCert, ok1 := unpackCN(id)
	onCard, ok2 := unpackCN(pan)
	if !ok1 || !ok2 || inCert == "" || inCert != onCard {
		return PublicKey{}, ErrPAN
	}
	return key, nil
}

// unpackCN is the digits of a compressed numeric value; F may only follow the last digit.
func unpackCN(b []byte) (string, bool) {
	digits := make([]byte, 0, 2*len(b))
	ended := false
	for i := range 2 * len(b) {
		d := b[i/2] >> 4
		if i%2 == 1 {
			d = b[i/2] & 15
		}
		switch {
		case d == 0xF:
			ended = true
		case ended || d > 9:
			return "", false
		default:
			digits = append(digits, '0'+d)
		}
	}
	return string(digits), true
}

// packCN is digits as compressed numeric of n bytes, padded with F.
func packCN(digits string, n int) ([]byte, error) {
	if len(digits) > 2*n {
		return nil, fmt.Errorf("%w: more than %d digits", ErrCertificate, 2*n)
	}
	b := bytes.Repeat([]byte{0xFF}, n)
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return nil, fmt.Errorf("%w: not digits", ErrCertificate)
		}
		if i%2 == 0 {
			b[i/2] = d<<4 | 0x0F
		} else {
			b[i/2] = b[i/2]&0xF0 | d
		}
	}
	return b, nil
}
