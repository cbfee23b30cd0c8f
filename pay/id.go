package pay

import (
	"encoding/base32"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// MerchantID is ISO 8583 field 42: 15 characters.
type MerchantID string

// TerminalID is ISO 8583 field 41: 8 characters.
type TerminalID string

// STAN is the system trace audit number of field 11: 000001 to 999999.
type STAN uint32

func (s STAN) String() string {
	b := [6]byte{'0', '0', '0', '0', '0', '0'}
	n := s
	for i := len(b) - 1; i >= 0 && n > 0; i-- {
		b[i], n = '0'+byte(n%10), n/10
	}
	if n > 0 { // no STAN has more than six digits; show what it is
		return strconv.FormatUint(uint64(s), 10)
	}
	return string(b[:])
}

// Next is the number after s; 999999 is followed by 000001.
func (s STAN) Next() STAN {
	if s >= 999_999 {
		return 1
	}
	return s + 1
}

// RRN is the retrieval reference number of field 37: 12 characters.
type RRN string

// PaymentID names one payment from the key that starts it to the books:
// 26 lower-case base-32 characters from 128 random bits.
type PaymentID string

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewPaymentID draws an id from rand.
func NewPaymentID(rand io.Reader) (PaymentID, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("payment id: %w", err)
	}
	return PaymentID(idEncoding.EncodeToString(b[:])), nil
}

// ParsePaymentID accepts what NewPaymentID made.
func ParsePaymentID(s string) (PaymentID, error) {
	if len(s) != 26 || strings.Trim(s, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
		return "", fmt.Errorf("payment id %q: want 26 characters of 0-9 a-z", s)
	}
	return PaymentID(s), nil
}
