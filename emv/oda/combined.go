package oda

import (
	"bytes"
	"crypto/sha1"
	"fmt"
)

// Combined is what a combined signature (CDA) says: EMV Book 2, table 19.
type Combined struct {
	Number     []byte // ICC dynamic number
	CID        byte   // 9F27
	Cryptogram [8]byte
}

// VerifyCombined is EMV Book 2, 6.6.2: VerifyDynamic over the unpredictable number 9F37, then the
// transaction data hash. transaction is the PDOL data ‖ the data of each
// GENERATE AC ‖ the objects of the response, tags and lengths included, in their
// order without 9F4B. cid is 9F27 as received. Errors: ErrKey, ErrSignature, ErrHash.
func VerifyCombined(icc PublicKey, sdad9F4B, un, transaction []byte, cid byte) (Combined, error) {
	d, err := VerifyDynamic(icc, sdad9F4B, un)
	if err != nil {
		return Combined{}, err
	}
	number, ok := d.Number()
	if !ok || len(d.Data) < 1+len(number)+1+8+hashSize {
		return Combined{}, fmt.Errorf("%w: ICC dynamic data", ErrSignature)
	}
	rest := d.Data[1+len(number):]
	if rest[0] != cid {
		return Combined{}, fmt.Errorf("%w: signed 9F27 is another one", ErrSignature)
	}
	hash := sha1.Sum(transaction)
	if !bytes.Equal(hash[:], rest[9:9+hashSize]) {
		return Combined{}, ErrHash
	}
	return Combined{number, rest[0], [8]byte(rest[1:9])}, nil
}
