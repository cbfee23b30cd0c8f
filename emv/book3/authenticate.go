package book3

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Errors of authentication, beside those of emv/oda.
var (
	ErrNoData  = errors.New("data for authentication is missing")
	ErrNoCAKey = errors.New("no such CA key")
)

// CAKey is the CA key that the card names (8F) under its RID; false where the
// terminal has no such key.
func (c *Card) CAKey(keys *oda.CAStore, aid []byte) (oda.CAKey, bool) {
	index := c.Value(tag.CAIndex)
	if keys == nil || len(index) != 1 || len(aid) < 5 {
		return oda.CAKey{}, false
	}
	return keys.Lookup([5]byte(aid[:5]), index[0])
}

// IssuerKey recovers the issuer's key under the CA's (EMV Book 2, 5.3 and 6.3), and gives the static
// data to be authenticated with it. number is the card number.
func (c *Card) IssuerKey(keys *oda.CAStore, aid []byte, number string, now time.Time) (oda.PublicKey, []byte, error) {
	fail := func(err error) (oda.PublicKey, []byte, error) { return oda.PublicKey{}, nil, err }
	if c.staticBad {
		return fail(ErrNoData)
	}
	ca, ok := c.CAKey(keys, aid)
	if !ok {
		return fail(ErrNoCAKey)
	}
	issuer, info, err := oda.RecoverIssuer(ca, c.Value(tag.IssuerCertificate), c.Value(tag.IssuerRemainder), c.Value(tag.IssuerExponent), number, now)
	if err != nil {
		return fail(err)
	}
	if keys.Revoked(ca.RID, ca.Index, info.Serial) {
		return fail(oda.ErrRevoked)
	}
	static, err := oda.StaticData(c.static, c.Value(tag.SDATagList), c.Value(tag.AIP))
	if err != nil {
		return fail(err)
	}
	return issuer, static, nil
}

// VerifyCombined checks a combined signature, CDA (EMV Book 2, 6.6.2): the chain
// of certificates, the signature over un, and the hash over terminal (PDOL data,
// then the data of GENERATE AC where that made the cryptogram) and the objects of
// response without 9F4B. It keeps the cryptogram that was signed as 9F26; one
// that stands beside the signature must be the same. (The last is ours.)
func (c *Card) VerifyCombined(keys *oda.CAStore, aid []byte, number string, now time.Time, un [4]byte, terminal, response []byte) error {
	issuer, static, err := c.IssuerKey(keys, aid, number, now)
	if err != nil {
		return err
	}
	icc, err := oda.RecoverICC(issuer, c.Value(tag.ICCCertificate), c.Value(tag.ICCRemainder), c.Value(tag.ICCExponent), Compressed(number), static, now)
	if err != nil {
		return err
	}
	cid := c.Value(tag.CID)
	if len(cid) != 1 {
		return ErrNoData
	}
	signed, err := oda.VerifyCombined(icc, c.Value(tag.SDAD), un[:], appendUnsigned(terminal, response), cid[0])
	if err != nil {
		return err
	}
	if clear, given := c.Get(tag.ApplicationCryptogram); given && !bytes.Equal(clear, signed.Cryptogram[:]) {
		return fmt.Errorf("%w: signed 9F26 is another one", oda.ErrSignature)
	}
	c.Replace(tag.ApplicationCryptogram, signed.Cryptogram[:])
	return nil
}

// appendUnsigned appends the objects of a response template without 9F4B, as they came.
func appendUnsigned(terminal, response []byte) []byte {
	b := terminal[:len(terminal):len(terminal)]
	body, _ := tlv.Find(response, tag.ResponseFormat2)
	for r := tlv.NewReader(body); r.Next(); {
		if r.TLV().Tag != tag.SDAD {
			b = append(b, r.Raw()...)
		}
	}
	return b
}

// Signed static application data (EMV Book 2, table 7): header 6A, format 03,
// hash algorithm, data authentication code(2), padding BB, hash, trailer BC.
const (
	ssadOverhead = 5 // header to data authentication code
	ssadPadding  = 0xBB
)

// VerifyStatic checks signed static application data, SDA (EMV Book 2, 5.4).
func (c *Card) VerifyStatic(keys *oda.CAStore, aid []byte, number string, now time.Time) error {
	issuer, static, err := c.IssuerKey(keys, aid, number, now)
	if err != nil {
		return err
	}
	ssad := c.Value(tag.SSAD)
	n, x := new(big.Int).SetBytes(issuer.Modulus), new(big.Int).SetBytes(ssad)
	if len(ssad) != len(issuer.Modulus) || x.Cmp(n) >= 0 {
		return fmt.Errorf("%w: signed static application data", oda.ErrSignature)
	}
	rec := x.Exp(x, new(big.Int).SetBytes(issuer.Exponent), n).FillBytes(make([]byte, len(ssad)))
	end := len(rec) - 1 - sha1.Size
	good := rec[0] == 0x6A && rec[1] == 0x03 && rec[2] == 0x01 && rec[len(rec)-1] == 0xBC
	for _, b := range rec[ssadOverhead:end] {
		good = good && b == ssadPadding
	}
	if !good {
		return fmt.Errorf("%w: signed static application data", oda.ErrSignature)
	}
	h := sha1.New()
	h.Write(rec[1:end])
	h.Write(static)
	if !bytes.Equal(h.Sum(nil), rec[end:len(rec)-1]) {
		return oda.ErrHash
	}
	return nil
}
