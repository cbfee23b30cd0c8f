package c3

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/big"

	"huika/emv/oda"
)

// Signed static application data (EMV Book 2, table 7): header 6A, format 03,
// hash algorithm, data authentication code(2), padding BB, hash, trailer BC.
const (
	ssadHeader   = 0x6A
	ssadFormat   = 0x03
	ssadSHA1     = 0x01
	ssadTrailer  = 0xBC
	ssadPadding  = 0xBB
	ssadOverhead = 5 // header to data authentication code
)

// verifyStatic is EMV Book 2, 5.4: it opens 93 under the issuer's key (whose
// form oda.RecoverIssuer has checked) and compares the hash over static.
func verifyStatic(issuer oda.PublicKey, ssad93, static []byte) error {
	n, x := new(big.Int).SetBytes(issuer.Modulus), new(big.Int).SetBytes(ssad93)
	if len(ssad93) != len(issuer.Modulus) || x.Cmp(n) >= 0 {
		return fmt.Errorf("%w: signed static application data", oda.ErrSignature)
	}
	rec := x.Exp(x, new(big.Int).SetBytes(issuer.Exponent), n).FillBytes(make([]byte, len(ssad93)))
	end := len(rec) - 1 - sha1.Size
	if rec[0] != ssadHeader || rec[1] != ssadFormat || rec[2] != ssadSHA1 || rec[len(rec)-1] != ssadTrailer {
		return fmt.Errorf("%w: signed static application data", oda.ErrSignature)
	}
	for _, b := range rec[ssadOverhead:end] {
		if b != ssadPadding {
			return fmt.Errorf("%w: signed static application data", oda.ErrSignature)
		}
	}
	h := sha1.New()
	h.Write(rec[1:end])
	h.Write(static)
	if !bytes.Equal(h.Sum(nil), rec[end:len(rec)-1]) {
		return oda.ErrHash
	}
	return nil
}
