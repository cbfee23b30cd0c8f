// Package bin knows card number ranges: which scheme a card belongs to, what
// kind it is, where it was issued. The host routes and prices by it; nothing
// here is asked of a network, and no card number is kept.
package bin

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"huika/pay"
)

// Product is the kind of a card.
type Product string

// Products.
const (
	Debit   Product = "debit"
	Credit  Product = "credit"
	Prepaid Product = "prepaid"
)

// Range is one range of card numbers, both ends included.
type Range struct {
	From, To string   // digits, of one length, at most 19
	Brand    string   // as receipts and screens name it
	Routes   []string // schemes that take it, the preferred one first
	Product  Product
	Country  uint16 // ISO 3166 numeric, of the issuer
}

// Table finds the range of a card number. It is immutable.
type Table struct{ rows []row }

// row is a Range whose ends are numbers of 19 digits.
type row struct {
	Range
	from, to uint64
	parent   int // the narrowest range around it; -1: none
}

const digits = 19

// MaxRanges bounds a table.
const MaxRanges = 1_000_000

// ErrTable is wrapped by every error about a table; its text names the line.
var ErrTable = errors.New("BIN table")

// New makes a table. Ranges may lie inside each other, and the narrower one
// wins; they may not overlap otherwise. Errors: ErrTable.
func New(ranges []Range) (*Table, error) {
	t := &Table{rows: make([]row, 0, len(ranges))}
	for i, r := range ranges {
		n, err := check(r)
		if err != nil {
			return nil, fmt.Errorf("%w: range %d: %w", ErrTable, i+1, err)
		}
		t.rows = append(t.rows, n)
	}
	slices.SortStableFunc(t.rows, func(a, b row) int {
		switch {
		case a.from != b.from:
			return cmpU(a.from, b.from)
		default:
			return cmpU(b.to, a.to) // the wider one first: it is the parent
		}
	})
	open := []int{}
	for i := range t.rows {
		r := &t.rows[i]
		for len(open) > 0 && t.rows[open[len(open)-1]].to < r.from {
			open = open[:len(open)-1]
		}
		r.parent = -1
		if len(open) > 0 {
			r.parent = open[len(open)-1]
			p := t.rows[r.parent]
			switch {
			case p.to < r.to:
				return nil, fmt.Errorf("%w: %s-%s overlaps %s-%s, and neither lies inside the other", ErrTable, p.From, p.To, r.From, r.To)
			case p.from == r.from && p.to == r.to:
				return nil, fmt.Errorf("%w: %s-%s stands twice", ErrTable, r.From, r.To)
			}
		}
		open = append(open, i)
	}
	return t, nil
}

func cmpU(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func check(r Range) (row, error) {
	out := row{Range: r}
	n := len(r.From)
	if n == 0 || n > digits || n != len(r.To) || strings.Trim(r.From+r.To, "0123456789") != "" {
		return out, fmt.Errorf("from %q to %q: want digits, as many in both, at most %d", r.From, r.To, digits)
	}
	var err error
	if out.from, err = strconv.ParseUint(r.From+strings.Repeat("0", digits-n), 10, 64); err != nil {
		return out, err
	}
	if out.to, err = strconv.ParseUint(r.To+strings.Repeat("9", digits-n), 10, 64); err != nil {
		return out, err
	}
	switch {
	case out.to < out.from:
		return out, fmt.Errorf("from %s is above to %s", r.From, r.To)
	case len(r.Routes) == 0 || slices.Contains(r.Routes, ""):
		return out, errors.New("no route: name a scheme")
	case r.Product != Debit && r.Product != Credit && r.Product != Prepaid:
		return out, fmt.Errorf("product %q: want debit, credit or prepaid", r.Product)
	case r.Country == 0 || r.Country > 999:
		return out, fmt.Errorf("country %d: want ISO 3166 numeric", r.Country)
	}
	return out, nil
}

// Lookup is the narrowest range that holds the card number, or false.
func (t *Table) Lookup(pan pay.PAN) (Range, bool) {
	s := pan.Reveal()
	if len(s) > digits || s == "" {
		return Range{}, false
	}
	var n uint64
	for i := range digits {
		n *= 10
		if i < len(s) {
			n += uint64(s[i] - '0')
		}
	}
	// The last range that begins at or before the number; outwards from there.
	i, _ := slices.BinarySearchFunc(t.rows, n, func(r row, n uint64) int {
		if r.from <= n {
			return -1
		}
		return 1
	})
	for i--; i >= 0; i = t.rows[i].parent {
		if t.rows[i].to >= n {
			return t.rows[i].Range, true
		}
	}
	return Range{}, false
}

// Len is the number of ranges.
func (t *Table) Len() int { return len(t.rows) }

// header is the first line of a table's file.
var header = []string{"from", "to", "brand", "routes", "product", "country"}

// Read reads a table as CSV: header, then one range a line; routes are
// separated by spaces. Errors: ErrTable with the line, or the reader's.
func Read(r io.Reader) (*Table, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(header)
	in.ReuseRecord = true
	first, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTable, err)
	}
	if !slices.Equal(first, header) {
		return nil, fmt.Errorf("%w: the first line is %q; want %q", ErrTable, strings.Join(first, ","), strings.Join(header, ","))
	}
	var ranges []Range
	for {
		f, err := in.Read()
		if errors.Is(err, io.EOF) {
			return New(ranges)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTable, err)
		}
		line, _ := in.FieldPos(0)
		country, err := strconv.ParseUint(f[5], 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: country %q: want ISO 3166 numeric", ErrTable, line, f[5])
		}
		one := Range{From: f[0], To: f[1], Brand: f[2], Routes: strings.Fields(f[3]), Product: Product(f[4]), Country: uint16(country)}
		if _, err := check(one); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTable, line, err)
		}
		if ranges = append(ranges, one); len(ranges) > MaxRanges {
			return nil, fmt.Errorf("%w: more than %d ranges", ErrTable, MaxRanges)
		}
	}
}
