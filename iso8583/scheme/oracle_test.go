package scheme_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"

	"huika/iso8583"
	"huika/iso8583/scheme"
)

// moovSpec says the same as a wire in the words of moov-io/iso8583.
func moovSpec(w *scheme.Wire) *moov.MessageSpec {
	var text encoding.Encoder = encoding.Binary // moov's own ASCII refuses bytes above 7F
	lengths, fixed := prefix.ASCII, prefix.ASCII.Fixed
	if w.EBCDIC {
		text, lengths, fixed = encoding.EBCDIC1047, prefix.EBCDIC1047, prefix.EBCDIC1047.Fixed
	}
	spec := &moov.MessageSpec{Name: w.Spec.Name, Fields: map[int]field.Field{
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Hex.Fixed}),
	}}
	mti := &field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}
	if w.Spec.MTI == iso8583.ASCII {
		mti = &field.Spec{Length: 4, Enc: text, Pref: fixed}
	}
	spec.Fields[0] = field.NewString(mti)
	for n, f := range w.Spec.Fields {
		if f.Type == 0 {
			continue
		}
		fs := &field.Spec{Length: f.Max, Description: f.Name}
		switch {
		case f.Type == iso8583.B:
			fs.Enc = encoding.Binary
		case f.Type == iso8583.Z && f.Enc == iso8583.BCD:
			fs.Enc = trackBCD{}
		case f.Enc == iso8583.BCD:
			fs.Enc = encoding.LBCD
		case f.Enc == iso8583.BCDRight:
			fs.Enc = encoding.BCD
		default:
			fs.Enc = text
		}
		switch {
		case f.Length == iso8583.Fixed && f.Type == iso8583.B:
			fs.Pref = prefix.Binary.Fixed
		case f.Length == iso8583.Fixed:
			fs.Pref = prefix.ASCII.Fixed
		case w.ByteLengths:
			fs.Pref = prefix.Binary.L
		case f.Length == iso8583.LLASCII:
			fs.Pref = lengths.LL
		default:
			fs.Pref = lengths.LLL
		}
		if f.Type == iso8583.B {
			spec.Fields[n] = field.NewBinary(fs)
		} else {
			spec.Fields[n] = field.NewString(fs)
		}
	}
	return spec
}

// trackBCD is what moov has no encoder for: track 2 with D as separator, left-aligned.
type trackBCD struct{}

func (trackBCD) Encode(src []byte) ([]byte, error) {
	s := strings.ReplaceAll(string(src), "=", "D")
	if len(s)%2 == 1 {
		s += "0"
	}
	return hex.DecodeString(s)
}

func (trackBCD) Decode(src []byte, length int) ([]byte, int, error) {
	read := (length + 1) / 2
	if len(src) < read {
		return nil, 0, fmt.Errorf("not enough data")
	}
	s := strings.ToUpper(hex.EncodeToString(src[:read]))
	return []byte(strings.ReplaceAll(s, "D", "=")[:length]), read, nil
}

// drawRaw makes any message that the spec can carry.
func drawRaw(t *rapid.T, w *scheme.Wire) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(rapid.StringMatching(`[0-9]{4}`).Draw(t, "mti"))
	alphabet := map[iso8583.Type]string{
		iso8583.N: "0123456789", iso8583.Z: "0123456789=", iso8583.AN: "09azAZ ", iso8583.ANS: "09azAZ =~!*[]^\\{}",
	}
	for n, f := range w.Spec.Fields {
		if f.Type == 0 || !rapid.Bool().Draw(t, "has"+strconv.Itoa(n)) {
			continue
		}
		low := 0
		if f.Length == iso8583.Fixed {
			low = f.Max
		}
		v := rapid.SliceOfN(rapid.Byte(), low, f.Max).Draw(t, "F"+strconv.Itoa(n))
		if f.Type != iso8583.B {
			for i := range v {
				v[i] = alphabet[f.Type][int(v[i])%len(alphabet[f.Type])]
			}
		}
		m.SetBytes(n, v)
	}
	return m
}

// TestOracle: moov packs the same bytes, each reads the other's, field by field.
func TestOracle(t *testing.T) {
	for i, d := range dialects(t) {
		spec := moovSpec(d.wire)
		t.Run(fmt.Sprint(i, " ", d.Name()), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := drawRaw(rt, d.wire)
				if len(m.Fields()) == 0 {
					return
				}
				ours, err := scheme.PackRaw(d.wire, m)
				if err != nil {
					rt.Fatalf("pack: %v", err)
				}
				out := moov.NewMessage(spec)
				out.MTI(m.MTI())
				for _, n := range m.Fields() {
					if err := out.BinaryField(n, m.Bytes(n)); err != nil {
						rt.Fatalf("moov F%d: %v", n, err)
					}
				}
				theirs, err := out.Pack()
				if err != nil {
					rt.Fatalf("moov pack: %v", err)
				}
				if !bytes.Equal(ours, theirs) {
					rt.Fatalf("packed differently\nours   %x\ntheirs %x", ours, theirs)
				}
				back, read := iso8583.NewMessage(), moov.NewMessage(spec)
				if err := scheme.UnpackRaw(d.wire, theirs, back); err != nil {
					rt.Fatalf("unpack: %v", err)
				}
				if err := read.Unpack(ours); err != nil {
					rt.Fatalf("moov unpack: %v", err)
				}
				if mti, err := read.GetMTI(); err != nil || mti != m.MTI() || back.MTI() != m.MTI() {
					rt.Fatalf("MTI: sent %s, read %s, moov read %s, %v", m.MTI(), back.MTI(), mti, err)
				}
				if got, want := fmt.Sprint(back.Fields()), fmt.Sprint(m.Fields()); got != want {
					rt.Fatalf("fields %s, want %s", got, want)
				}
				for _, n := range m.Fields() {
					v, err := read.GetBytes(n)
					if err != nil || !bytes.Equal(v, m.Bytes(n)) || !bytes.Equal(back.Bytes(n), m.Bytes(n)) {
						rt.Fatalf("F%d: sent %q, read %q, moov read %q, %v", n, m.Bytes(n), back.Bytes(n), v, err)
					}
				}
			})
		})
	}
}

// TestOracleReadsEach: moov reads every message of every dialect.
func TestOracleReadsEach(t *testing.T) {
	for _, d := range dialects(t) {
		seen := map[int]bool{}
		for name, m := range d.each(t) {
			b, err := d.Encode(nil, &m, cmac(t, "0123456789abcdef"))
			if err != nil {
				t.Fatal(err)
			}
			if d.Name() == "visa" {
				b = b[22:]
			}
			read := moov.NewMessage(moovSpec(d.wire))
			if err := read.Unpack(b); err != nil {
				t.Fatalf("%s %s: %v", d.Name(), name, err)
			}
			if stan, err := read.GetString(11); err != nil || stan != m.STAN.String() {
				t.Errorf("%s %s: moov reads F11 %q %v", d.Name(), name, stan, err)
			}
			for n := range read.GetFields() {
				seen[n] = true
			}
		}
		for n, f := range d.wire.Spec.Fields {
			if f.Type != 0 && !seen[n] && n != 54 && d.Name() != "cup" { // F54 is in the property; cup has fields for others
				t.Errorf("%s: no message of the table has F%d", d.Name(), n)
			}
		}
	}
}

// TestEBCDIC: the table is code page 1047, the way another implementation has it.
func TestEBCDIC(t *testing.T) {
	var printable string
	for c := ' '; c <= '~'; c++ {
		printable += string(c)
	}
	want, err := charmap.CodePage1047.NewEncoder().String(printable)
	if err != nil {
		t.Fatal(err)
	}
	if got := scheme.PrintableEBCDIC; got != want {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}
