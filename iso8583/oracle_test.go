package iso8583_test

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
	"pgregory.net/rapid"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
)

// moovSpec says the same as ours in the words of moov-io/iso8583, the oracle of these tests.
func moovSpec(s *iso8583.Spec) *moov.MessageSpec {
	spec := &moov.MessageSpec{Name: s.Name, Fields: map[int]field.Field{
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Hex.Fixed}),
	}}
	mti := &field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}
	if s.MTI == iso8583.ASCII {
		mti = &field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}
	}
	spec.Fields[0] = field.NewString(mti)
	for n, f := range s.Fields {
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
			fs.Enc = encoding.Binary // ASCII as it is: moov's own ASCII refuses bytes above 7F
		}
		switch f.Length {
		case iso8583.Fixed:
			fs.Pref = prefix.ASCII.Fixed
			if f.Type == iso8583.B {
				fs.Pref = prefix.Binary.Fixed
			}
		case iso8583.LLBCD:
			fs.Pref = prefix.BCD.LL
		case iso8583.LLLBCD:
			fs.Pref = prefix.BCD.LLL
		case iso8583.LLASCII:
			fs.Pref = prefix.ASCII.LL
		case iso8583.LLLASCII:
			fs.Pref = prefix.ASCII.LLL
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

// failer is *testing.T, *testing.B or *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// toMoov copies our values into moov's message.
func toMoov(t failer, spec *moov.MessageSpec, m *iso8583.Message) *moov.Message {
	t.Helper()
	out := moov.NewMessage(spec)
	out.MTI(m.MTI())
	for _, n := range m.Fields() {
		if err := out.BinaryField(n, m.Bytes(n)); err != nil {
			t.Fatalf("moov F%d: %v", n, err)
		}
	}
	return out
}

// compare asserts: moov packs the same bytes, each unpacks the other's, and the values are equal.
func compare(t failer, s *iso8583.Spec, spec *moov.MessageSpec, m *iso8583.Message) {
	t.Helper()
	ours, err := s.Pack(nil, m)
	if err != nil {
		t.Fatalf("pack: %v", err)
	}
	theirs, err := toMoov(t, spec, m).Pack()
	if err != nil {
		t.Fatalf("moov pack: %v", err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Fatalf("packed differently\nours   %x\ntheirs %x", ours, theirs)
	}
	back := iso8583.NewMessage()
	if err := s.Unpack(theirs, back); err != nil {
		t.Fatalf("unpack: %v", err)
	}
	read := moov.NewMessage(spec)
	if err := read.Unpack(ours); err != nil {
		t.Fatalf("moov unpack: %v", err)
	}
	mti, err := read.GetMTI()
	if err != nil || back.MTI() != m.MTI() || mti != m.MTI() {
		t.Fatalf("MTI: sent %s, read %s, moov read %s, %v", m.MTI(), back.MTI(), mti, err)
	}
	if got, want := fmt.Sprint(back.Fields()), fmt.Sprint(m.Fields()); got != want {
		t.Fatalf("fields %s, want %s", got, want)
	}
	for _, n := range m.Fields() {
		if !bytes.Equal(back.Bytes(n), m.Bytes(n)) {
			t.Fatalf("F%d: read %q, sent %q", n, back.Bytes(n), m.Bytes(n))
		}
		v, err := read.GetBytes(n)
		if err != nil || !bytes.Equal(v, m.Bytes(n)) {
			t.Fatalf("F%d: moov read %q, sent %q, %v", n, v, m.Bytes(n), err)
		}
	}
}

// each is a message of a dialect in a table of all of them.
type each struct {
	name   string
	mti    string
	fields map[int]string
}

func (e each) message() *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(e.mti)
	for n, v := range e.fields {
		m.Set(n, v)
	}
	return m
}

const f55 = "9f2608a1b2c3d4e5f60718" + "9f270180" + "9f101307010103a00000010a010000000000a1b2c3d4" + "9f370411223344" + "9f36020017" +
	"95050000000000" + "9a03260730" + "9c0100" + "9f0206000000008880" + "5f2a020156" + "82027c00" + "9f1a020156" + "9f0306000000000000" +
	"9f3303e0e9c8" + "9f34031f0302" + "9f350122" + "9f1e083132333435363738" + "8408a000000333010101" + "9f09020020" + "9f410400000017" + "9f6310" + "30313032303330343035303630373038"

func fromHex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// posMessages has every message of the POS dialect, requests and answers.
func posMessages() []each {
	const terminal, merchant = "12345678", "898310000000001"
	eight := string([]byte{0, 1, 2, 0xFD, 0xFE, 0xFF, 0x80, 0x7F})
	sale := map[int]string{
		2: "6228480000000001117", 3: "000000", 4: "000000008880", 11: "000017", 14: "3012", 22: "072", 23: "001", 25: "00",
		35: "6228480000000001117=30122011234567890", 41: terminal, 42: merchant, 46: "0123456789abcdefghjkmnpqrs",
		49: "156", 53: "2600000000000000", 55: fromHex(f55), 60: "2200000100060", 64: eight,
	}
	with := func(base map[int]string, more map[int]string) map[int]string {
		out := map[int]string{}
		for n, v := range base {
			out[n] = v
		}
		for n, v := range more {
			if v == "-" {
				delete(out, n)
				continue
			}
			out[n] = v
		}
		return out
	}
	answer := map[int]string{
		2: "6228480000000001117", 3: "000000", 4: "000000008880", 11: "000017", 12: "142501", 13: "0730", 14: "3012", 15: "0730",
		25: "00", 32: "48021000", 37: "073014250117", 38: "A1B2C3", 39: "00", 41: terminal, 42: merchant, 44: "01020000   48021000   ",
		46: "0123456789abcdefghjkmnpqrs", 49: "156", 55: fromHex("910aa1b2c3d4e5f607183030"), 60: "22000001", 62: "", 63: "CUP", 64: eight,
	}
	out := []each{
		{"sale", "0200", sale},
		{"sale with PIN", "0200", with(sale, map[int]string{22: "071", 26: "12", 52: eight})},
		{"sale answer", "0210", answer},
		{"sale declined", "0210", with(answer, map[int]string{38: "-", 39: "55", 55: "-", 62: "-"})},
		{"reversal", "0400", with(sale, map[int]string{35: "-", 39: "98", 53: "-", 55: fromHex("95050000000000" + "9f1e083132333435363738" + "9f100407010103" + "9f36020017" + "df310500000000ff"), 61: "0000010000170730"})},
		{"reversal answer", "0410", with(answer, map[int]string{38: "-", 55: "-", 61: "0000010000170730"})},
		{"sign-in", "0800", map[int]string{11: "000001", 41: terminal, 42: merchant, 60: "00000001004", 63: "01 "}},
		{"sign-in answer", "0810", map[int]string{11: "000001", 12: "080000", 13: "0730", 32: "48021000", 37: "073008000001", 39: "00",
			41: terminal, 42: merchant, 60: "00000001004", 62: strings.Repeat(eight, 10) + "abcd"}},
		{"echo answer", "0830", map[int]string{11: "000002", 12: "080000", 13: "0730", 39: "00", 41: terminal, 42: merchant, 60: "00000001301"}},
		{"sign-in refused", "0810", map[int]string{11: "000001", 39: "A0", 41: terminal, 42: merchant}},
		{"settlement", "0500", map[int]string{11: "000099", 41: terminal, 42: merchant, 48: strings.Repeat("0", 62), 49: "156", 60: "00000001201", 63: "01 "}},
		{"settlement answer", "0510", map[int]string{11: "000099", 12: "230000", 13: "0730", 15: "0730", 32: "48021000", 37: "073023000099", 39: "00",
			41: terminal, 42: merchant, 48: strings.Repeat("1", 61), 49: "156", 60: "00000001201"}},
		{"balance answer", "0210", with(answer, map[int]string{3: "310000", 54: "0002156C000010000000"})},
		{"scanned code", "0200", with(sale, map[int]string{2: "-", 22: "032", 35: "-", 55: "-", 62: "\xDF\x01\x12" + "280000000000000001", 63: "01 收款"})},
		{"stripe", "0200", with(sale, map[int]string{22: "021", 36: "996228480000000001117=1561560500050001", 59: "\xDF\x01\x02ab", 55: "-", 58: "x"})},
	}
	for _, k := range pos.Kinds {
		f60 := k.Type
		if f60 == "" {
			f60 = "22"
		}
		f := with(sale, map[int]string{60: f60 + "000001" + k.Network})
		for n, v := range map[int]string{3: k.Processing, 25: k.Condition} {
			if v == "" {
				delete(f, n)
			} else {
				f[n] = v
			}
		}
		out = append(out, each{"kind " + k.Name, k.MTI, f})
	}
	return out
}

func cupMessages() []each {
	eight := string([]byte{0xFF, 1, 2, 0xFD, 0xFE, 0, 0x80, 0x7F})
	sale := map[int]string{
		2: "6228480000000001117", 3: "000000", 4: "000000008880", 7: "0730142501", 11: "123456", 12: "142501", 13: "0730", 14: "3012",
		18: "5411", 22: "071", 23: "001", 25: "00", 26: "12", 32: "48021000", 33: "48020000", 35: "6228480000000001117=30122011234567890",
		37: "073014250117", 41: "12345678", 42: "898310000000001", 43: fmt.Sprintf("%-40s", "HUIKA TEST SHOP SHANGHAI CN"), 48: "AS01",
		49: "156", 52: eight, 53: "2600000000000000", 55: fromHex(f55), 60: "000005000", 61: "x", 100: "00000001", 128: eight,
	}
	without := func(base map[int]string, more map[int]string, gone ...int) map[int]string {
		out := map[int]string{}
		for n, v := range base {
			out[n] = v
		}
		for _, n := range gone {
			delete(out, n)
		}
		for n, v := range more {
			out[n] = v
		}
		return out
	}
	network := map[int]string{7: "0730080000", 11: "000001", 33: "48021000", 70: "001", 100: "00000001", 128: eight}
	original := cup.Original{MTI: "0200", STAN: "123456", Transmission: "0730142501", Acquirer: "48021000", Forwarder: "48020000"}.String()
	return []each{
		{"sale", "0200", sale},
		{"sale answer", "0210", without(sale, map[int]string{15: "0730", 38: "A1B2C3", 39: "00", 55: fromHex("910aa1b2c3d4e5f607183030")}, 26, 35, 43, 48, 52, 53, 61)},
		{"reversal", "0420", without(sale, map[int]string{11: "123457", 90: original}, 26, 35, 52, 53)},
		{"reversal answer", "0430", without(sale, map[int]string{11: "123457", 39: "25", 90: original}, 26, 35, 52, 53, 55)},
		{"pre-authorisation", "0100", without(sale, map[int]string{3: "030000", 25: "06"})},
		{"refund", "0220", without(sale, map[int]string{3: "200000", 38: "A1B2C3", 90: original}, 26, 35, 52, 53, 55)},
		{"balance answer", "0210", without(sale, map[int]string{3: "310000", 39: "00", 54: "0002156C000010000000"}, 26, 35, 43, 48, 52, 53, 61)},
		{"sign-on", "0800", network},
		{"sign-on answer", "0810", without(network, map[int]string{39: "00"})},
		{"echo", "0800", without(network, map[int]string{70: "301"})},
		{"echo answer, one bitmap", "0810", map[int]string{7: "0730080000", 11: "000001", 39: "00"}},
	}
}

func TestOracleMessages(t *testing.T) {
	for _, d := range []struct {
		spec     *iso8583.Spec
		messages []each
	}{{pos.Spec, posMessages()}, {cup.Spec, cupMessages()}} {
		if err := d.spec.Check(); err != nil {
			t.Error(err)
		}
		spec := moovSpec(d.spec)
		seen := map[int]bool{}
		for _, e := range d.messages {
			t.Run(d.spec.Name+" "+e.name, func(t *testing.T) { compare(t, d.spec, spec, e.message()) })
			for n := range e.fields {
				seen[n] = true
			}
		}
		for n, f := range d.spec.Fields {
			if f.Type != 0 && !seen[n] {
				t.Errorf("%s: no message of the table has F%d", d.spec.Name, n)
			}
		}
	}
}

// drawMessage makes any message that the dialect can carry.
func drawMessage(t *rapid.T, s *iso8583.Spec) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(rapid.StringMatching(`[0-9]{4}`).Draw(t, "mti"))
	for n, f := range s.Fields {
		if f.Type == 0 || !rapid.Bool().Draw(t, "has"+strconv.Itoa(n)) {
			continue
		}
		alphabet := map[iso8583.Type]string{
			iso8583.N: "0123456789", iso8583.Z: "0123456789=", iso8583.AN: "09azAZ ", iso8583.ANS: "09azAZ =~!*\x80\xFF",
		}[f.Type]
		low := 0
		if f.Length == iso8583.Fixed {
			low = f.Max
		}
		v := rapid.SliceOfN(rapid.Byte(), low, f.Max).Draw(t, "F"+strconv.Itoa(n))
		if f.Type != iso8583.B {
			for i := range v {
				v[i] = alphabet[int(v[i])%len(alphabet)]
			}
		}
		m.SetBytes(n, v)
	}
	return m
}

func TestOracleAnyMessage(t *testing.T) {
	for _, s := range []*iso8583.Spec{pos.Spec, cup.Spec} {
		spec := moovSpec(s)
		t.Run(s.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := drawMessage(rt, s)
				if len(m.Fields()) == 0 {
					return
				}
				compare(rt, s, spec, m)
			})
		})
	}
}
