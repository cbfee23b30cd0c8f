package oda

import (
	"bytes"
	"crypto/sha1"
	"fmt"

	"huika/emv/tlv"
)

// Signed data formats of the dynamic signature. DDA, CDA and the fDDA of a
// recorded exchange of kernel 3 sign format 05; public descriptions of fDDA
// also name 95, so kernels 3 and 7 may take either.
const (
	FormatDDA  byte = 0x05
	FormatFDDA byte = 0x95
)

// Dynamic is what a dynamic signature says.
type Dynamic struct {
	Format byte
	Data   []byte // ICC dynamic data: for DDA and fDDA the ICC dynamic number with its length byte before it
}

// Number is the ICC dynamic number (9F4C): 2 to 8 bytes after a length byte.
func (d Dynamic) Number() ([]byte, bool) {
	if len(d.Data) == 0 || int(d.Data[0]) > len(d.Data)-1 || d.Data[0] < 2 || d.Data[0] > 8 {
		return nil, false
	}
	return d.Data[1 : 1+d.Data[0]], true
}

// dynamicOverhead is header, format, hash algorithm, length of the dynamic data, hash and trailer.
const dynamicOverhead = 4 + hashSize + 1

// VerifyDynamic is EMV Book 2, 6.5.2: it opens 9F4B under the card's key and
// checks format, hash and padding. terminalData is what the terminal
// contributes: DDOL data, or FDDAData. formats are the signed data formats to
// be taken; none given means 05 only. Errors: ErrKey, ErrSignature, ErrHash.
func VerifyDynamic(icc PublicKey, sdad9F4B, terminalData []byte, formats ...byte) (Dynamic, error) {
	if err := icc.check(); err != nil {
		return Dynamic{}, err
	}
	if len(sdad9F4B) != len(icc.Modulus) {
		return Dynamic{}, fmt.Errorf("%w: %d bytes under a key of %d", ErrSignature, len(sdad9F4B), len(icc.Modulus))
	}
	rec, ok := icc.recover(sdad9F4B)
	if !ok {
		return Dynamic{}, fmt.Errorf("%w: not below the modulus", ErrSignature)
	}
	if len(formats) == 0 {
		formats = []byte{FormatDDA}
	}
	n := len(rec)
	if rec[0] != recoveredHeader || rec[n-1] != recoveredTrailer || bytes.IndexByte(formats, rec[1]) < 0 || rec[2] != hashSHA1 {
		return Dynamic{}, fmt.Errorf("%w: header, format, algorithm or trailer", ErrSignature)
	}
	length := int(rec[3])
	if length > n-dynamicOverhead {
		return Dynamic{}, fmt.Errorf("%w: length of the dynamic data", ErrSignature)
	}
	h := sha1.New()
	h.Write(rec[1 : n-1-hashSize])
	h.Write(terminalData)
	if !bytes.Equal(h.Sum(nil), rec[n-1-hashSize:n-1]) {
		return Dynamic{}, ErrHash
	}
	for _, b := range rec[4+length : n-1-hashSize] {
		if b != padding {
			return Dynamic{}, fmt.Errorf("%w: padding", ErrSignature)
		}
	}
	return Dynamic{rec[1], rec[4 : 4+length]}, nil
}

// FDDAData appends what the terminal contributes to an fDDA signature of
// version 01: 9F37 ‖ 9F02 ‖ 5F2A ‖ 9F69 (value, whole). Public description,
// checked against a recorded exchange of kernel 3.
func FDDAData(dst, un, amount, currency, cardAuth []byte) []byte {
	return append(append(append(append(dst, un...), amount...), currency...), cardAuth...)
}

// MaxStaticData bounds the records that one AFL may name for authentication.
const MaxStaticData = 8192

// AppendRecord appends to static what one record of SFI sfi gives to offline
// data authentication (EMV Book 3, 10.3): for SFI 1 to 10 the value of its 70
// template, else the record as it stands. record is the response of READ
// RECORD without status word. Errors: ErrCertificate.
func AppendRecord(static []byte, sfi byte, record []byte) ([]byte, error) {
	r := tlv.NewReader(record)
	if !r.Next() || r.TLV().Tag != 0x70 {
		return nil, fmt.Errorf("%w: record is no template 70", ErrCertificate)
	}
	data := record
	if sfi <= 10 {
		data = r.TLV().Value
	}
	if r.Next() || r.Err() != nil {
		return nil, fmt.Errorf("%w: bytes after the record template", ErrCertificate)
	}
	if len(static)+len(data) > MaxStaticData {
		return nil, fmt.Errorf("%w: more than %d bytes of static data", ErrCertificate, MaxStaticData)
	}
	return append(static, data...), nil
}

// StaticData is the static data to be authenticated (EMV Book 2, 5.1.1 and 6.1.1):
// records (AppendRecord of each) and, where the card has an SDA tag list 9F4A, the
// AIP. A list of anything but 82 is ErrSDATagList; nil means that there is none.
func StaticData(records, sdaTagList, aip []byte) ([]byte, error) {
	if sdaTagList == nil {
		return records, nil
	}
	if len(sdaTagList) != 1 || sdaTagList[0] != 0x82 {
		return nil, ErrSDATagList
	}
	return append(records[:len(records):len(records)], aip...), nil
}
