package oda

import (
	"fmt"
	"strings"
	"time"
)

// SM2 certificates of PBOC 3.0 (JR/T 0025.17) stand in clear, with a signature
// behind the fields, and take the places of RSA's: 90, 9F46 and 9F4B. There is
// neither remainder nor exponent. Layouts and what the signatures cover were seen
// in public code of terminals and of a card tester; certificates were checked
// against a real chain. That fDDA signs RSA's terminal data under SM2 too is
// taken over from RSA, without a vector.
const (
	formatSM2Issuer  = 0x12
	formatSM2ICC     = 0x14
	formatSM2Dynamic = 0x15
	algorithmSM2     = 0x04 // signature algorithm indicator
	encryptionNone   = 0x00 // encryption algorithm indicator: not in use
	parametersSM2    = 0x11 // curve parameter indicator
)

// IsSM2Issuer reports that an issuer certificate (90) has the form of SM2. An
// RSA certificate of the same length can look so, one in 256: callers ask
// whether the card gave an issuer exponent (9F32), which SM2 cards have not.
func IsSM2Issuer(cert []byte) bool {
	return len(cert) == sm2Issuer.body()+SM2SignatureSize && cert[0] == formatSM2Issuer
}

// sm2Certificate is the common shape: format ‖ identifier(idLen) ‖ expiry MMYY(2)
// ‖ serial(3) ‖ 04 ‖ 00 ‖ curve ‖ 40 ‖ key(64), then the signature.
type sm2Certificate struct {
	format byte
	idLen  int
}

var (
	sm2Issuer = sm2Certificate{formatSM2Issuer, 4}
	sm2ICC    = sm2Certificate{formatSM2ICC, 10}
)

func (c sm2Certificate) body() int { return 1 + c.idLen + 2 + 3 + 4 + SM2KeySize }

// open checks a certificate: form, expiry, the signature over fields and extra, and that the key is a point.
func (c sm2Certificate) open(key SM2PublicKey, cert, extra []byte, now time.Time) (pub SM2PublicKey, id []byte, info Info, err error) {
	fail := func(err error) (SM2PublicKey, []byte, Info, error) { return SM2PublicKey{}, nil, Info{}, err }
	n := c.body()
	if len(cert) != n+SM2SignatureSize || cert[0] != c.format {
		return fail(fmt.Errorf("%w: SM2 certificate: length or format", ErrCertificate))
	}
	id, rest := cert[1:1+c.idLen], cert[1+c.idLen:n]
	if rest[5] != algorithmSM2 || rest[6] != encryptionNone || rest[7] != parametersSM2 || rest[8] != SM2KeySize {
		return fail(fmt.Errorf("%w: SM2 certificate: algorithm, curve or length of the key", ErrCertificate))
	}
	if info.Expiry, err = expiryMMYY(rest[0], rest[1], now.Location()); err != nil {
		return fail(err)
	}
	if !now.Before(info.Expiry) {
		return fail(ErrExpired)
	}
	info.Serial = [3]byte(rest[2:5])
	if err := VerifySM2(key, append(append(make([]byte, 0, n+len(extra)), cert[:n]...), extra...), cert[n:]); err != nil {
		return fail(err)
	}
	pub = SM2PublicKey(rest[9:])
	if _, err := pub.point(); err != nil {
		return fail(err)
	}
	return pub, id, info, nil
}

// VerifySM2Issuer checks an issuer certificate (90) under the CA key. pan is the
// value of 5A; now decides expiry. Revocation is asked of CAStore.Revoked with
// Info.Serial. Errors: ErrCertificate, ErrExpired, ErrPAN, ErrKey, ErrSignatureSM2.
func VerifySM2Issuer(ca SM2CAKey, cert90, pan []byte, now time.Time) (SM2PublicKey, Info, error) {
	if !ca.Expiry.IsZero() && !now.Before(ca.Expiry) {
		return SM2PublicKey{}, Info{}, fmt.Errorf("%w: CA key", ErrExpired)
	}
	key, id, info, err := sm2Issuer.open(ca.Key, cert90, nil, now)
	if err != nil {
		return SM2PublicKey{}, Info{}, err
	}
	digits, ok1 := unpackCN(id)
	number, ok2 := unpackCN(pan)
	if !ok1 || !ok2 || len(digits) < 3 || !strings.HasPrefix(number, digits) {
		return SM2PublicKey{}, Info{}, fmt.Errorf("%w: issuer identifier", ErrPAN)
	}
	info.IssuerID = digits
	return key, info, nil
}

// VerifySM2ICC checks a card certificate (9F46) under the issuer's key. pan is
// the value of 5A, static StaticData's answer. Errors: as VerifySM2Issuer.
func VerifySM2ICC(issuer SM2PublicKey, cert9F46, pan, static []byte, now time.Time) (SM2PublicKey, error) {
	key, id, _, err := sm2ICC.open(issuer, cert9F46, static, now)
	if err != nil {
		return SM2PublicKey{}, err
	}
	inCert, ok1 := unpackCN(id)
	onCard, ok2 := unpackCN(pan)
	if !ok1 || !ok2 || inCert == "" || inCert != onCard {
		return SM2PublicKey{}, ErrPAN
	}
	return key, nil
}

// VerifySM2Dynamic checks 9F4B of an SM2 card: 15 ‖ length ‖ ICC dynamic data ‖
// signature(64) over all before it and terminalData (DDOL data, or FDDAData).
// Errors: ErrSignature (form), ErrSignatureSM2, ErrKey.
func VerifySM2Dynamic(icc SM2PublicKey, sdad9F4B, terminalData []byte) (Dynamic, error) {
	n := len(sdad9F4B) - SM2SignatureSize
	if n < 2 || sdad9F4B[0] != formatSM2Dynamic || int(sdad9F4B[1]) != n-2 {
		return Dynamic{}, fmt.Errorf("%w: length or format", ErrSignature)
	}
	message := append(append(make([]byte, 0, n+len(terminalData)), sdad9F4B[:n]...), terminalData...)
	if err := VerifySM2(icc, message, sdad9F4B[n:]); err != nil {
		return Dynamic{}, err
	}
	return Dynamic{formatSM2Dynamic, sdad9F4B[2:n]}, nil
}

// SM2Subject is what an SM2 certificate is made of.
type SM2Subject struct {
	ID          string // issuer: leftmost 3 to 8 digits of the PAN; card: the whole PAN
	Month, Year int    // expiry, last valid month; 2000 to 2049
	Serial      [3]byte
	Key         SM2PublicKey
}

// SignSM2Issuer makes an issuer certificate (90). Errors: ErrCertificate, ErrKey.
func SignSM2Issuer(ca *SM2PrivateKey, s SM2Subject) ([]byte, error) {
	if len(s.ID) < 3 || len(s.ID) > 8 {
		return nil, fmt.Errorf("%w: issuer identifier of %d digits", ErrCertificate, len(s.ID))
	}
	return sm2Issuer.seal(ca, s, nil)
}

// SignSM2ICC makes a card certificate (9F46); static is StaticData's answer. Errors: ErrCertificate, ErrKey.
func SignSM2ICC(issuer *SM2PrivateKey, s SM2Subject, static []byte) ([]byte, error) {
	return sm2ICC.seal(issuer, s, static)
}

func (c sm2Certificate) seal(key *SM2PrivateKey, s SM2Subject, extra []byte) ([]byte, error) {
	if s.Month < 1 || s.Month > 12 || s.Year < 2000 || s.Year > 2049 {
		return nil, fmt.Errorf("%w: expiry", ErrCertificate)
	}
	id, err := packCN(s.ID, c.idLen)
	if err != nil {
		return nil, err
	}
	b := append(append(make([]byte, 0, c.body()+SM2SignatureSize), c.format), id...)
	b = append(append(b, toBCD(s.Month), toBCD(s.Year%100)), s.Serial[:]...)
	b = append(append(b, algorithmSM2, encryptionNone, parametersSM2, SM2KeySize), s.Key[:]...)
	signature, err := SignSM2(key, append(b[:len(b):len(b)], extra...))
	if err != nil {
		return nil, err
	}
	return append(b, signature...), nil
}

// SignSM2Dynamic makes 9F4B: dynamic is the ICC dynamic data, terminalData what
// VerifySM2Dynamic is given. Errors: ErrSignature, ErrKey.
func SignSM2Dynamic(icc *SM2PrivateKey, dynamic, terminalData []byte) ([]byte, error) {
	if len(dynamic) > 0xFF {
		return nil, fmt.Errorf("%w: dynamic data of %d bytes", ErrSignature, len(dynamic))
	}
	b := append([]byte{formatSM2Dynamic, byte(len(dynamic))}, dynamic...)
	signature, err := SignSM2(icc, append(b[:len(b):len(b)], terminalData...))
	if err != nil {
		return nil, err
	}
	return append(b, signature...), nil
}
