// Package dol reads data object lists (PDOL, CDOL, DDOL, …) and builds the data
// that they ask for, with the padding and truncation of EMV Book 3, 5.4.
//
// In a tap it stands between SELECT and GET PROCESSING OPTIONS on both sides:
// the kernel builds the data, a software card takes it apart. It does not know
// where values come from.
package dol

import (
	"errors"
	"fmt"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// Bounds. 252 bytes of data fit a short command with the 83 template around them.
const (
	MaxEntries = 64
	MaxData    = 252
)

// ErrMalformed is wrapped by every error of this package.
var ErrMalformed = errors.New("malformed data object list")

// Entry is one tag and the number of bytes asked for.
type Entry struct {
	Tag    tlv.Tag
	Length int
}

// Next takes the first entry off list. It serves callers that must not allocate.
func Next(list []byte) (e Entry, rest []byte, err error) {
	t, n, err := tlv.ParseTag(list)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if t == 0 {
		return Entry{}, nil, fmt.Errorf("%w: tag 00", ErrMalformed)
	}
	if n == len(list) {
		return Entry{}, nil, fmt.Errorf("%w: length of %s is missing", ErrMalformed, t)
	}
	// One length byte, EMV Book 3, 5.4; 80 and above would be a longer form.
	if list[n] >= 0x80 {
		return Entry{}, nil, fmt.Errorf("%w: length of %s is not one byte below 128", ErrMalformed, t)
	}
	return Entry{t, int(list[n])}, list[n+1:], nil
}

// Parse reads a whole list.
func Parse(list []byte) ([]Entry, error) {
	if _, err := Size(list); err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(list)/2)
	for len(list) > 0 {
		e, rest, err := Next(list)
		if err != nil {
			return nil, err
		}
		entries, list = append(entries, e), rest
	}
	return entries, nil
}

// Size is the number of bytes that list asks for; it checks the whole list.
func Size(list []byte) (int, error) {
	sum, count := 0, 0
	for len(list) > 0 {
		e, rest, err := Next(list)
		if err != nil {
			return 0, err
		}
		if count++; count > MaxEntries {
			return 0, fmt.Errorf("%w: more than %d entries", ErrMalformed, MaxEntries)
		}
		if sum += e.Length; sum > MaxData {
			return 0, fmt.Errorf("%w: asks for more than %d bytes", ErrMalformed, MaxData)
		}
		list = rest
	}
	return sum, nil
}

// Build appends to dst the data that list asks for. get gives a value by tag;
// what it does not have, and templates, become zeros. It fails on a malformed
// list only.
func Build(dst, list []byte, get func(tlv.Tag) ([]byte, bool)) ([]byte, error) {
	if _, err := Size(list); err != nil {
		return nil, err
	}
	for len(list) > 0 {
		e, rest, err := Next(list)
		if err != nil {
			return nil, err
		}
		list = rest
		var value []byte
		found := false
		if !e.Tag.Constructed() {
			value, found = get(e.Tag)
		}
		if !found {
			dst = appendFill(dst, 0, e.Length)
			continue
		}
		dst = appendFitted(dst, value, e.Length, format(e.Tag))
	}
	return dst, nil
}

// format is the data format that decides on which side a value is padded and
// cut. Tags that no dictionary knows are treated as binary.
func format(t tlv.Tag) tag.Format {
	info, _ := tag.EMV.Lookup(t)
	return info.Format
}

// appendFitted fits value into n bytes: EMV Book 3, 5.4, steps 2 c and d.
func appendFitted(dst, value []byte, n int, f tag.Format) []byte {
	missing := n - len(value)
	switch {
	case missing < 0 && f == tag.N:
		return append(dst, value[-missing:]...)
	case missing < 0:
		return append(dst, value[:n]...)
	case f == tag.N:
		return append(appendFill(dst, 0, missing), value...)
	case f == tag.CN:
		return appendFill(append(dst, value...), 0xFF, missing)
	}
	return appendFill(append(dst, value...), 0, missing)
}

func appendFill(dst []byte, b byte, n int) []byte {
	for range n {
		dst = append(dst, b)
	}
	return dst
}

// Split takes data apart along list: f gets every entry with its bytes, which
// alias data. It fails when the lengths do not add up; f's error ends it.
func Split(list, data []byte, f func(t tlv.Tag, value []byte) error) error {
	size, err := Size(list)
	if err != nil {
		return err
	}
	if size != len(data) {
		return fmt.Errorf("%w: asks for %d bytes, has %d", ErrMalformed, size, len(data))
	}
	for len(list) > 0 {
		e, rest, err := Next(list)
		if err != nil {
			return err
		}
		if err := f(e.Tag, data[:e.Length:e.Length]); err != nil {
			return err
		}
		list, data = rest, data[e.Length:]
	}
	return nil
}
