package oda

import "fmt"

// formatXDA marks what an XDA signature covers. XDA (extended data
// authentication, EMV 4.4 Book 2) is the elliptic curve sibling of CDA on
// contact cards; kernel 8 authenticates with the secure channel instead. How
// the book orders the signed data was not to be found in public material: the
// order here (format ‖ PDOL data ‖ CDOL1 data ‖ response without 9F4B ‖ 9F37)
// follows CDA and is a stand-in of ours, unverified.
const formatXDA byte = 0x15

// XDA is what an XDA signature covers.
type XDA struct {
	PDOL, CDOL1 []byte // data of GET PROCESSING OPTIONS and GENERATE AC
	Response    []byte // TLV objects of the GENERATE AC response without 9F4B
	UN          [4]byte
}

func (x XDA) message() []byte {
	b := append([]byte{formatXDA}, x.PDOL...)
	b = append(append(b, x.CDOL1...), x.Response...)
	return append(b, x.UN[:]...)
}

// VerifyXDA checks 9F4B of an ECC card: 64 bytes, R ‖ S. Errors: ErrSignature (length), ErrSignatureEC, ErrKey.
func VerifyXDA(icc ECPublicKey, sdad9F4B []byte, x XDA) error {
	if len(sdad9F4B) != ECSignatureSize {
		return fmt.Errorf("%w: XDA signature of %d bytes", ErrSignature, len(sdad9F4B))
	}
	return VerifyEC(icc, x.message(), sdad9F4B)
}

// SignXDA makes 9F4B.
func SignXDA(icc *ECPrivateKey, x XDA) ([]byte, error) { return SignEC(icc, x.message()) }
