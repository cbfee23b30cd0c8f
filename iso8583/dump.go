package iso8583

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"strconv"
	"strings"

	"huika/pay"
)

// Dump is the message in one line for logs. It shows what the spec lets it
// show, PANs as first six and last four digits; of every other field it gives
// the length. It holds no PAN, track, PIN block or key.
func (s *Spec) Dump(m *Message) string {
	var b strings.Builder
	if mti := m.MTI(); all([]byte(mti), isN) {
		b.WriteString(mti)
	}
	for half, word := range m.has {
		for word != 0 {
			lead := bits.LeadingZeros64(word)
			word &^= 1 << (63 - lead)
			n := half<<6 + lead + 1
			b.WriteString(" F" + strconv.Itoa(n) + "=")
			s.Fields[n].dump(&b, m.Bytes(n))
		}
	}
	return b.String()
}

// Format keeps the values out of whatever prints a Message without a Spec.
func (m *Message) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, m.redacted()) // fmt.State's Write reports to fmt itself
}

// LogValue does the same for log/slog.
func (m *Message) LogValue() slog.Value { return slog.StringValue(m.redacted()) }

func (m *Message) redacted() string { return fmt.Sprintf("[message of %d fields]", len(m.Fields())) }

func (f *Field) dump(b *strings.Builder, v []byte) {
	switch {
	case f.Show == FirstSix:
		pan, err := pay.ParsePAN(string(v))
		if err != nil { // not a number: show nothing of it
			hidden(b, len(v))
			return
		}
		b.WriteString(pan.Masked())
	case f.Show == EMVData:
		dumpEMV(b, v)
	case f.Show == Clear && f.Type == B:
		b.WriteString(hex.EncodeToString(v))
	case f.Show == Clear && (f.Type == ANS || f.wrong(v) != ""):
		b.WriteString(strconv.Quote(string(v)))
	case f.Show == Clear:
		b.Write(v)
	default:
		hidden(b, len(v))
	}
}

func hidden(b *strings.Builder, n int) { b.WriteString("[" + strconv.Itoa(n) + "]") }

// shownTags are the EMV data objects (Book 3 annex A) that name no cardholder.
var shownTags = map[uint32]bool{
	0x9F26: true, 0x9F27: true, 0x9F10: true, 0x9F37: true, 0x9F36: true, 0x95: true, 0x9A: true, 0x9C: true,
	0x9F02: true, 0x9F03: true, 0x5F2A: true, 0x82: true, 0x9F1A: true, 0x9F33: true, 0x9F34: true, 0x9F35: true,
	0x9F1E: true, 0x84: true, 0x9F09: true, 0x9F41: true, 0x91: true, 0x8A: true, 0xDF31: true,
}

// dumpEMV walks one level of BER-TLV with tags of at most two bytes and lengths
// of at most two, all that F55 uses; whatever does not parse is hidden.
func dumpEMV(b *strings.Builder, v []byte) {
	b.WriteByte('{')
	defer b.WriteByte('}')
	for sep := ""; len(v) > 0; sep = " " {
		b.WriteString(sep)
		tag, n := uint32(v[0]), 1
		if tag&0x1F == 0x1F {
			if len(v) < 2 || v[1]&0x80 != 0 {
				hidden(b, len(v))
				return
			}
			tag, n = tag<<8|uint32(v[1]), 2
		}
		length, used := berLength(v[n:])
		if used == 0 || length > len(v)-n-used {
			hidden(b, len(v))
			return
		}
		n += used
		b.WriteString(strings.ToUpper(strconv.FormatUint(uint64(tag), 16)) + ":")
		if shownTags[tag] {
			b.WriteString(hex.EncodeToString(v[n : n+length]))
		} else {
			hidden(b, length)
		}
		v = v[n+length:]
	}
}

func berLength(v []byte) (length, used int) {
	switch {
	case len(v) >= 1 && v[0] < 0x80:
		return int(v[0]), 1
	case len(v) >= 2 && v[0] == 0x81:
		return int(v[1]), 2
	case len(v) >= 3 && v[0] == 0x82:
		return int(v[1])<<8 | int(v[2]), 3
	}
	return 0, 0
}
