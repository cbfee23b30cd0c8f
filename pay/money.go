package pay

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Currency is an ISO 4217 numeric code, e.g. 156 for CNY.
type Currency uint16

// The currencies Huika knows by name. Others still work by number, with an
// exponent of 2.
const (
	CNY Currency = 156
	USD Currency = 840
	EUR Currency = 978
	HKD Currency = 344
	JPY Currency = 392
	GBP Currency = 826
	KRW Currency = 410
	MOP Currency = 446
	TWD Currency = 901
	SGD Currency = 702
	THB Currency = 764
)

var currencies = map[Currency]struct {
	alpha    string
	exponent int
}{
	CNY: {"CNY", 2}, USD: {"USD", 2}, EUR: {"EUR", 2}, HKD: {"HKD", 2}, JPY: {"JPY", 0}, GBP: {"GBP", 2},
	KRW: {"KRW", 0}, MOP: {"MOP", 2}, TWD: {"TWD", 2}, SGD: {"SGD", 2}, THB: {"THB", 2},
}

// Alpha is the three-letter code, or the three digits where the code is not known.
func (c Currency) Alpha() string {
	if e, ok := currencies[c]; ok {
		return e.alpha
	}
	return c.Numeric()
}

// Numeric is the three-digit ISO 4217 code as ISO 8583 field 49 carries it.
func (c Currency) Numeric() string { return fmt.Sprintf("%03d", uint16(c)) }

// Exponent is the number of decimal places of the minor unit.
func (c Currency) Exponent() int {
	if e, ok := currencies[c]; ok {
		return e.exponent
	}
	return 2
}

func (c Currency) String() string { return c.Alpha() }

// ParseCurrency reads "CNY" or "156".
func ParseCurrency(s string) (Currency, error) {
	for c, e := range currencies {
		if e.alpha == s {
			return c, nil
		}
	}
	if len(s) == 3 {
		if n, err := strconv.ParseUint(s, 10, 16); err == nil && n > 0 {
			return Currency(n), nil
		}
	}
	return 0, fmt.Errorf("currency %q: want an ISO 4217 code such as CNY or 156", s)
}

// Money is an amount in minor units (fen for CNY) of one currency. It is
// signed: books need both directions; messages and screens only carry amounts
// that are zero or more.
type Money struct {
	Minor    int64
	Currency Currency
}

// Fen is an amount in the minor unit of the Chinese yuan.
func Fen(n int64) Money { return Money{n, CNY} }

// ErrAmount is wrapped by every error of ParseMoney.
var ErrAmount = errors.New("amount")

// MaxMinor is the largest amount that the 12 digits of ISO 8583 field 4 and EMV 9F02 carry.
const MaxMinor = 999_999_999_999

// ParseMoney reads a decimal amount such as "88.80" or "88". It refuses signs,
// more decimals than the currency has, and amounts beyond MaxMinor.
func ParseMoney(s string, c Currency) (Money, error) {
	bad := func(why string) (Money, error) {
		return Money{}, fmt.Errorf("%w %q: %s; write it like 88.80", ErrAmount, s, why)
	}
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || (dot && frac == "") {
		return bad("digits are missing")
	}
	exp := c.Exponent()
	if len(frac) > exp {
		return bad(fmt.Sprintf("%s has %d decimals", c, exp))
	}
	digits := whole + frac + strings.Repeat("0", exp-len(frac))
	var n int64
	for _, r := range digits {
		if r < '0' || r > '9' {
			return bad("only digits and one point are allowed")
		}
		if n > MaxMinor {
			return bad("too large")
		}
		n = n*10 + int64(r-'0')
	}
	if n > MaxMinor {
		return bad("too large")
	}
	return Money{n, c}, nil
}

// Decimal is the amount with a point and the currency's decimals: "88.80".
func (m Money) Decimal() string {
	exp := m.Currency.Exponent()
	n, sign := m.Minor, ""
	u := uint64(n)
	if n < 0 {
		sign, u = "-", uint64(-(n+1))+1
	}
	s := strconv.FormatUint(u, 10)
	if exp == 0 {
		return sign + s
	}
	for len(s) <= exp {
		s = "0" + s
	}
	return sign + s[:len(s)-exp] + "." + s[len(s)-exp:]
}

// String is the amount with its currency: "88.80 CNY".
func (m Money) String() string { return m.Decimal() + " " + m.Currency.Alpha() }

// ErrMoney is wrapped by Add and Neg when currencies differ or the sum leaves int64.
var ErrMoney = errors.New("money")

// Add adds two amounts of the same currency; it fails on overflow instead of wrapping.
func (m Money) Add(o Money) (Money, error) {
	if m.Currency != o.Currency {
		return Money{}, fmt.Errorf("%w: %s + %s", ErrMoney, m.Currency, o.Currency)
	}
	if (o.Minor > 0 && m.Minor > math.MaxInt64-o.Minor) || (o.Minor < 0 && m.Minor < math.MinInt64-o.Minor) {
		return Money{}, fmt.Errorf("%w: %d + %d overflows", ErrMoney, m.Minor, o.Minor)
	}
	return Money{m.Minor + o.Minor, m.Currency}, nil
}
