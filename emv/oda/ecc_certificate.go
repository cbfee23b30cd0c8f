package oda

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// ECC certificates are not recovered from a signature as RSA ones are: their
// fields stand in clear, and an EC-SDSA signature follows them (Book E, 5).
const (
	formatECCA     = 0x20 // a CA's own certificate
	formatECIssuer = 0x12
	formatECICC    = 0x14

	ecCABody     = 1 + 1 + 5 + 1 + 1 + ECSize
	ecIssuerBody = 1 + 1 + 5 + 1 + 4 + 3 + 5 + 1 + ECSize
	ecICCBody    = 1 + 1 + 1 + 4 + 2 + 6 + 1 + 1 + ECSize + ECSize
)

// ECIssuer is what an ECC issuer certificate says (Book E, table 5.1):
// 12 ‖ 00 ‖ issuer identifier(5) ‖ 10 ‖ expiry YYYYMMDD(4) ‖ serial(3) ‖ RID(5) ‖ CA index ‖ x(32) ‖ signature(64).
type ECIssuer struct {
	IssuerID string    // leftmost 3 to 10 digits of the PAN
	Expiry   time.Time // the first moment at which it is expired, UTC
	Serial   [3]byte
	RID      [5]byte
	CAIndex  byte
	Key      ECPublicKey
}

// ECICC is what an ECC card certificate says (Book E, table 5.2): 14 ‖ 00 ‖ 00 ‖ expiry
// YYYYMMDD(4) HHMM(2) ‖ serial(6) ‖ 01 ‖ 02 ‖ hash(32) ‖ x(32) ‖ signature(64). It names no
// card number: what ties it to the card is the hash over the static data.
type ECICC struct {
	Expiry time.Time // the first moment at which it is expired, UTC
	Serial [6]byte
	Hash   [ECSize]byte // ICCD hash, see ICCDHash
	Key    ECPublicKey
}

// ICCDHash is SHA-256 over the static data to be authenticated: the signed
// records, the TLV objects that the extended SDA tag list names, and the AIP's
// value (Book E, 5.3; EMV Contactless Book C-8, 2627.8).
func ICCDHash(records, extended, aip []byte) [ECSize]byte {
	h := sha256.New()
	h.Write(records)
	h.Write(extended)
	h.Write(aip)
	return [ECSize]byte(h.Sum(nil))
}

// VerifyECIssuer checks an issuer certificate (90) under the CA key (Book E, 5.2):
// format, PAN, expiry, RID, CA index, signature. pan is the value of 5A; now
// decides expiry. Revocation is asked of CAStore.Revoked with Serial.
// Errors: ErrCertificate, ErrPAN, ErrExpired, ErrKey, ErrSignatureEC.
func VerifyECIssuer(ca ECCAKey, cert, pan []byte, now time.Time) (ECIssuer, error) {
	fail := func(err error) (ECIssuer, error) { return ECIssuer{}, err }
	if !ca.Expiry.IsZero() && !now.Before(ca.Expiry) {
		return fail(fmt.Errorf("%w: CA key", ErrExpired))
	}
	if len(cert) != ecIssuerBody+ECSignatureSize || cert[0] != formatECIssuer || cert[1] != 0 || cert[7] != suiteECSDSA {
		return fail(fmt.Errorf("%w: ECC issuer certificate: length, format or algorithm suite", ErrCertificate))
	}
	digits, ok1 := unpackCN(cert[2:7])
	number, ok2 := unpackCN(pan)
	if !ok1 || !ok2 || len(digits) < 3 || !strings.HasPrefix(number, digits) {
		return fail(fmt.Errorf("%w: issuer identifier", ErrPAN))
	}
	c := ECIssuer{IssuerID: digits, Serial: [3]byte(cert[12:15]), RID: [5]byte(cert[15:20]), CAIndex: cert[20]}
	if c.RID != ca.RID || c.CAIndex != ca.Index {
		return fail(fmt.Errorf("%w: of another CA key", ErrCertificate))
	}
	day, err := dateYYYYMMDD(cert[8:12])
	if err != nil {
		return fail(err)
	}
	if c.Expiry = day.AddDate(0, 0, 1); !now.Before(c.Expiry) {
		return fail(ErrExpired)
	}
	caKey, err := NewECPublicKey(ca.X[:])
	if err != nil {
		return fail(err)
	}
	if err := VerifyEC(caKey, cert[:ecIssuerBody], cert[ecIssuerBody:]); err != nil {
		return fail(err)
	}
	if c.Key, err = NewECPublicKey(cert[21:ecIssuerBody]); err != nil {
		return fail(err)
	}
	return c, nil
}

// VerifyECICC checks a card certificate (9F46) under the issuer's key (Book E,
// 5.4): format, expiry, the hash over the static data, signature. Errors:
// ErrCertificate, ErrExpired, ErrHash, ErrKey, ErrSignatureEC.
func VerifyECICC(issuer ECPublicKey, cert []byte, hash [ECSize]byte, now time.Time) (ECICC, error) {
	fail := func(err error) (ECICC, error) { return ECICC{}, err }
	if len(cert) != ecICCBody+ECSignatureSize || cert[0] != formatECICC || cert[1] != 0 || cert[2] != suiteChannel ||
		cert[15] != hashTLV || cert[16] != hashSHA256 {
		return fail(fmt.Errorf("%w: ECC card certificate: length, format, algorithm suite or hash", ErrCertificate))
	}
	c := ECICC{Serial: [6]byte(cert[9:15]), Hash: [ECSize]byte(cert[17 : 17+ECSize])}
	day, err := dateYYYYMMDD(cert[3:7])
	if err != nil {
		return fail(err)
	}
	hour, ok1 := bcd(cert[7])
	minute, ok2 := bcd(cert[8])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return fail(fmt.Errorf("%w: expiry time", ErrCertificate))
	}
	if c.Expiry = day.Add(time.Duration(hour)*time.Hour + time.Duration(minute+1)*time.Minute); !now.Before(c.Expiry) {
		return fail(ErrExpired)
	}
	if c.Hash != hash {
		return fail(ErrHash)
	}
	if err := VerifyEC(issuer, cert[:ecICCBody], cert[ecICCBody:]); err != nil {
		return fail(err)
	}
	if c.Key, err = NewECPublicKey(cert[17+ECSize : ecICCBody]); err != nil {
		return fail(err)
	}
	return c, nil
}

// dateYYYYMMDD is a day in BCD, UTC.
func dateYYYYMMDD(b []byte) (time.Time, error) {
	var n [4]int
	for i := range n {
		v, ok := bcd(b[i])
		if !ok {
			return time.Time{}, fmt.Errorf("%w: expiry date", ErrCertificate)
		}
		n[i] = v
	}
	t := time.Date(n[0]*100+n[1], time.Month(n[2]), n[3], 0, 0, 0, 0, time.UTC)
	if n[2] < 1 || n[2] > 12 || t.Day() != n[3] {
		return time.Time{}, fmt.Errorf("%w: expiry date", ErrCertificate)
	}
	return t, nil
}

// ECSubject is what an ECC certificate is made of.
type ECSubject struct {
	IssuerID string    // issuer: leftmost 3 to 10 digits of the PAN
	Expiry   time.Time // last valid day; for cards to the minute
	Serial   uint64    // issuer: 3 bytes, card: 6
	Key      ECPublicKey
}

// SignECIssuer makes an issuer certificate (90) for a CA key. Errors: ErrCertificate, ErrKey.
func SignECIssuer(ca *ECPrivateKey, rid [5]byte, index byte, s ECSubject) ([]byte, error) {
	id, err := packCN(s.IssuerID, 5)
	if err != nil || len(s.IssuerID) < 3 {
		return nil, fmt.Errorf("%w: issuer identifier", ErrCertificate)
	}
	b := append([]byte{formatECIssuer, 0}, id...)
	b = append(b, suiteECSDSA)
	b = appendDate(b, s.Expiry)
	b = append(appendSerial(b, s.Serial, 3), rid[:]...)
	x := s.Key.X()
	return seal(ca, append(append(b, index), x[:]...))
}

// SignECICC makes a card certificate (9F46) over the hash of its static data. Errors: ErrKey.
func SignECICC(issuer *ECPrivateKey, s ECSubject, hash [ECSize]byte) ([]byte, error) {
	b := appendDate([]byte{formatECICC, 0, suiteChannel}, s.Expiry)
	e := s.Expiry.UTC()
	b = append(b, toBCD(e.Hour()), toBCD(e.Minute()))
	b = append(appendSerial(b, s.Serial, 6), hashTLV, hashSHA256)
	x := s.Key.X()
	return seal(issuer, append(append(b, hash[:]...), x[:]...))
}

func seal(key *ECPrivateKey, body []byte) ([]byte, error) {
	signature, err := SignEC(key, body)
	if err != nil {
		return nil, err
	}
	return append(body, signature...), nil
}

func appendDate(b []byte, t time.Time) []byte {
	y, m, d := t.UTC().Date()
	return append(b, toBCD(y/100), toBCD(y%100), toBCD(int(m)), toBCD(d))
}

func appendSerial(b []byte, serial uint64, n int) []byte {
	var s [8]byte
	binary.BigEndian.PutUint64(s[:], serial)
	return append(b, s[8-n:]...)
}
