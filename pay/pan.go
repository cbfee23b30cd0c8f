package pay

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// PAN is a primary account number (ISO/IEC 7812), 8 to 19 digits. Printing,
// logging or marshalling one shows the first six and last four digits only;
// Reveal is the single way to the rest, so that a reader can grep for it.
//
// The digits stand behind a pointer: fmt does not call Format on an unexported
// field of a struct that is printed, and would show the digits themselves.
// So that nobody compares pointers, == does not compile: use Equal.
type PAN struct {
	digits *string
	_      [0]func()
}

// ErrPAN says that something is not a card number. It never carries the digits.
var ErrPAN = errors.New("card number: want 8 to 19 digits")

// ParsePAN takes the digits as they stand, without spaces. The Luhn digit is
// not required: tokens and test cards may lack it (see Luhn).
func ParsePAN(digits string) (PAN, error) {
	if len(digits) < 8 || len(digits) > 19 {
		return PAN{}, ErrPAN
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return PAN{}, ErrPAN
		}
	}
	return PAN{digits: &digits}, nil
}

// Reveal is the whole number in clear.
func (p PAN) Reveal() string {
	if p.digits == nil {
		return ""
	}
	return *p.digits
}

// Equal reports whether two numbers are the same.
func (p PAN) Equal(o PAN) bool { return p.Reveal() == o.Reveal() }

// IsZero reports whether p holds no number.
func (p PAN) IsZero() bool { return p.digits == nil }

// Masked is the first six digits, stars and the last four: "622848******1234".
// Numbers of fewer than 14 digits keep only their last four.
func (p PAN) Masked() string {
	digits := p.Reveal()
	n := len(digits)
	switch {
	case n == 0:
		return ""
	case n < 14:
		return strings.Repeat("*", n-4) + digits[n-4:]
	}
	return digits[:6] + strings.Repeat("*", n-10) + digits[n-4:]
}

func (p PAN) String() string               { return p.Masked() }
func (p PAN) GoString() string             { return p.Masked() }
func (p PAN) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(p.Masked())) } // fmt.State's Write reports to fmt itself
func (p PAN) MarshalText() ([]byte, error) { return []byte(p.Masked()), nil }
func (p PAN) LogValue() slog.Value         { return slog.StringValue(p.Masked()) }

// Luhn reports whether the last digit is the ISO/IEC 7812-1 check digit.
func (p PAN) Luhn() bool {
	d := p.Reveal()
	return d != "" && LuhnDigit(d[:len(d)-1]) == d[len(d)-1]
}

// LuhnDigit is the ISO/IEC 7812-1 check digit that completes body.
func LuhnDigit(body string) byte {
	sum, double := 0, true
	for i := len(body) - 1; i >= 0; i-- {
		d := int(body[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return byte('0' + (10-sum%10)%10)
}
