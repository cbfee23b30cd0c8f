package iso8583

import "fmt"

// Type is what a field's characters may be.
type Type uint8

// The field types of ISO 8583.
const (
	N   Type = iota + 1 // digits
	AN                  // digits, letters, space
	ANS                 // text: no control characters; bytes from 80 on are allowed for GBK and UTF-8
	B                   // raw bytes
	Z                   // track 2: digits and one separator, '='
)

// Encoding is how a field's characters are written.
type Encoding uint8

// Encodings. An odd number of BCD digits leaves half a byte, which must be 0:
// the last half for BCD (left-aligned), the first for BCDRight.
const (
	ASCII    Encoding = iota + 1 // one byte a character
	BCD                          // two digits a byte, left-aligned
	BCDRight                     // two digits a byte, right-aligned
	Binary                       // as it is
)

// Length is how a field says how long it is.
type Length uint8

// Length kinds. A prefix counts digits or characters, and bytes for B.
const (
	Fixed    Length = iota + 1 // always Max
	LLBCD                      // LLVAR, one byte
	LLLBCD                     // LLLVAR, two bytes
	LLASCII                    // LLVAR, two characters
	LLLASCII                   // LLLVAR, three characters
)

// Show is what Dump may print of a field. What a spec does not say is hidden.
type Show uint8

// Levels of showing.
const (
	Hidden   Show = iota // its length only
	Clear                // the value
	FirstSix             // a PAN: first six and last four digits
	EMVData              // the tags of F55 that hold no cardholder data; of others the length
)

// Field describes one field: one axis per part.
type Field struct {
	Name   string
	Type   Type
	Enc    Encoding
	Length Length
	Max    int // digits, characters or bytes (B)
	Show   Show
}

// Fields is indexed by field number; an entry without a type is a field that the dialect does not have.
type Fields [MaxField + 1]Field

// Spec is a dialect: how the message type is written (BCD or ASCII) and each
// field. The bitmap is binary; fields above 64 bring the second one.
type Spec struct {
	Name   string
	MTI    Encoding
	Fields Fields
}

// Check reports the first entry that makes no sense; a dialect's test calls it.
func (s *Spec) Check() error {
	if s.MTI != BCD && s.MTI != ASCII {
		return fmt.Errorf("spec %s: MTI is written in BCD or ASCII", s.Name)
	}
	for n, f := range s.Fields {
		if f == (Field{}) {
			continue
		}
		ok := n >= 2 && n != 65 && f.Name != "" && f.Max > 0 && f.Length >= Fixed && f.Length <= LLLASCII
		switch f.Type {
		case N:
			ok = ok && (f.Enc == BCD || f.Enc == BCDRight || f.Enc == ASCII)
		case Z:
			ok = ok && (f.Enc == BCD || f.Enc == ASCII)
		case AN, ANS:
			ok = ok && f.Enc == ASCII
		case B:
			ok = ok && f.Enc == Binary
		default:
			ok = false
		}
		switch f.Length {
		case LLBCD, LLASCII:
			ok = ok && f.Max <= 99
		default:
			ok = ok && f.Max <= 999
		}
		if !ok {
			return fmt.Errorf("spec %s: F%d is not a possible field", s.Name, n)
		}
	}
	return nil
}
