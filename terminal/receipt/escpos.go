package receipt

import (
	"bytes"
	"fmt"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// ESC/POS commands (public command reference of Epson; Chinese printers follow
// it and take GB18030 in Kanji mode).
var (
	escInit      = []byte{0x1B, '@'}
	escSmall     = []byte{0x1D, '!', 0x00}
	escBig       = []byte{0x1D, '!', 0x11} // double width, double height
	escKanjiOn   = []byte{0x1C, '&'}
	escKanjiBig  = []byte{0x1C, '!', 0x0C} // Chinese characters have a size of their own
	escKanjiNorm = []byte{0x1C, '!', 0x00}
	escCut       = []byte{0x1D, 'V', 66, 0} // feed and cut
)

// feedLines bring the last line past the cutter.
const feedLines = 4

// ESCPOS is the receipt as printer bytes for paper of columns cells: GB18030
// for "zh", the same code (ASCII in practice) for "en". A character that
// GB18030 has not is printed as a substitute.
func ESCPOS(d Data, lang string, columns int) ([]byte, error) {
	columns = max(columns, 16)
	enc := encoding.ReplaceUnsupported(simplifiedchinese.GB18030.NewEncoder())
	var b bytes.Buffer
	b.Write(escInit)
	b.Write(escKanjiOn)
	for _, l := range form(d, lang) {
		n := columns
		if l.big {
			n /= 2
			b.Write(escBig)
			b.Write(escKanjiBig)
		}
		for _, s := range set(l, n) {
			raw, err := enc.Bytes([]byte(printable(s)))
			if err != nil {
				return nil, fmt.Errorf("receipt: GB18030: %w", err)
			}
			b.Write(raw)
			b.WriteByte('\n')
		}
		if l.big {
			b.Write(escSmall)
			b.Write(escKanjiNorm)
		}
	}
	b.Write(bytes.Repeat([]byte{'\n'}, feedLines))
	b.Write(escCut)
	return b.Bytes(), nil
}

// printable takes control characters out: a card's label must not drive the printer.
func printable(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' || r == 0x7F {
			out[i] = '?'
		}
	}
	return string(out)
}
