// Package tag holds the dictionaries of EMV data objects: names, formats, what
// is sensitive, and what the bits of the important ones say in words. There is
// one dictionary per kernel, because some tags (9F66, 9F69, 9F6B, 9F6E …) mean
// different things in different kernels.
//
// In a tap the DOL builder asks it for formats, the masked trace for what it
// must leave out, and screens and `huika emv decode` for words. It holds no
// rule of any kernel.
package tag

import (
	"fmt"

	"huika/emv/tlv"
)

// Format is the data format of a primitive object (EMV Book 3, 4.3).
type Format byte

// Formats.
const (
	B   Format = iota // binary, also for what is not known
	N                 // numeric: BCD, padded with zeros on the left
	CN                // compressed numeric: BCD, padded with F on the right
	A                 // letters
	AN                // letters and digits
	ANS               // letters, digits, special characters
)

func (f Format) String() string { return [...]string{"b", "n", "cn", "a", "an", "ans"}[min(int(f), 5)] }

// Info is what a dictionary says of one tag.
type Info struct {
	Name   string // as in EMV Book 3, Annex A, or the kernel book
	Format Format
	// Sensitive says that the value holds, or leads to, a card number, a name
	// or track data: it never appears in a masked view.
	Sensitive bool
	// Explain says in plain English which bits are set; nil where there is nothing to say.
	Explain func(value []byte) []string
}

// Dictionary is one kernel's view of the tags: its own meanings over a base.
type Dictionary struct {
	own  map[tlv.Tag]Info
	base *Dictionary
}

// Lookup finds t; false where the dictionary does not know it.
func (d *Dictionary) Lookup(t tlv.Tag) (Info, bool) {
	for ; d != nil; d = d.base {
		if info, ok := d.own[t]; ok {
			return info, true
		}
	}
	return Info{}, false
}

// Text is a value for a reader: digits of n and cn, characters of an and ans,
// hex of the rest. It does not mask: ask Info.Sensitive first.
func (i Info) Text(value []byte) string {
	switch i.Format {
	case A, AN, ANS:
		for _, c := range value {
			if c < 0x20 || c > 0x7E {
				return fmt.Sprintf("%X", value)
			}
		}
		return string(value)
	}
	return fmt.Sprintf("%X", value)
}
