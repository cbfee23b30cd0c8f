package iso8583_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
)

// Written by hand from the field table, not by Pack.
func TestGoldenBytes(t *testing.T) {
	for _, c := range []struct {
		name string
		spec *iso8583.Spec
		m    each
		want []string
	}{
		{"pos sign-in", pos.Spec, each{mti: "0800", fields: map[int]string{11: "000001", 41: "12345678", 42: "898310000000001", 60: "00000001004", 63: "01 "}},
			[]string{"0800", "0020000000c00012", "000001", "3132333435363738", "383938333130303030303030303031", "0011" + "000000010040", "0003303120"}},
		{"pos sale, odd lengths", pos.Spec, each{mti: "0200", fields: map[int]string{2: "6228480000000001117", 22: "072", 23: "001", 35: "6228480000000001117=3012201", 49: "156"}},
			[]string{"0200", "4000060020008000", "19" + "62284800000000011170", "0720", "0001", "27" + "6228480000000001117d30122010", "313536"}},
		{"cup echo", cup.Spec, each{mti: "0800", fields: map[int]string{7: "0730080000", 11: "000001", 33: "48021000", 70: "301", 128: "\x01\x02\x03\x04\x05\x06\x07\x08"}},
			[]string{"30383030", "8220000080000000" + "0400000000000001", "30373330303830303030", "303030303031", "3038" + "3438303231303030", "333031", "0102030405060708"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.spec.Pack(nil, c.m.message())
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Join(c.want, ""); hex.EncodeToString(got) != want {
				t.Fatalf("packed %x\nwant   %s", got, want)
			}
		})
	}
}

func TestPackRefuses(t *testing.T) {
	for _, c := range []struct {
		name, field string
		change      func(m *iso8583.Message)
	}{
		{"no MTI", "MTI", func(m *iso8583.Message) { m.Reset(); m.Set(11, "000001") }},
		{"short MTI", "MTI", func(m *iso8583.Message) { m.SetMTI("020") }},
		{"long MTI", "MTI", func(m *iso8583.Message) { m.SetMTI("02000") }},
		{"letters in MTI", "MTI", func(m *iso8583.Message) { m.SetMTI("02A0") }},
		{"field 1", "message", func(m *iso8583.Message) { m.Set(1, "x") }},
		{"field 129", "message", func(m *iso8583.Message) { m.Set(129, "x") }},
		{"field of no dialect", "F5", func(m *iso8583.Message) { m.Set(5, "1") }},
		{"field above 64", "F70", func(m *iso8583.Message) { m.Set(70, "301") }},
		{"short fixed", "F4", func(m *iso8583.Message) { m.Set(4, "8880") }},
		{"long fixed", "F11", func(m *iso8583.Message) { m.Set(11, "1000000") }},
		{"long variable", "F2", func(m *iso8583.Message) { m.Set(2, strings.Repeat("1", 20)) }},
		{"huge", "message", func(m *iso8583.Message) { m.SetBytes(55, make([]byte, iso8583.MaxMessage+1)) }},
		{"letter among digits", "F4", func(m *iso8583.Message) { m.Set(4, "00000000888A") }},
		{"separator among digits", "F2", func(m *iso8583.Message) { m.Set(2, "622848=000") }},
		{"letter in odd track 2", "F35", func(m *iso8583.Message) { m.Set(35, "622848D301A") }},
		{"letter first, right-aligned", "F23", func(m *iso8583.Message) { m.Set(23, "A01") }},
		{"punctuation in an", "F37", func(m *iso8583.Message) { m.Set(37, "07301425011-") }},
		{"control character in ans", "F41", func(m *iso8583.Message) { m.Set(41, "1234567\n") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := posMessages()[0].message()
			c.change(m)
			dst := []byte("kept")
			out, err := pos.Spec.Pack(dst, m)
			var e *iso8583.Error
			if !errors.Is(err, iso8583.ErrFormat) || !errors.As(err, &e) || e.Field != c.field || e.Op != "pack" {
				t.Fatalf("got %v, want a format error in %s", err, c.field)
			}
			if string(out) != "kept" {
				t.Fatalf("dst came back as %q", out)
			}
			if strings.Contains(err.Error(), "622848") || strings.Contains(err.Error(), "8880") {
				t.Fatalf("the error carries a value: %v", err)
			}
		})
	}
}

func TestUnpackRefuses(t *testing.T) {
	for _, c := range []struct {
		name, field, hex string
		spec             *iso8583.Spec
	}{
		{"empty", "MTI", "", pos.Spec},
		{"half an MTI", "MTI", "02", pos.Spec},
		{"MTI not BCD", "MTI", "02a0", pos.Spec},
		{"MTI not ASCII digits", "MTI", "30323a30", cup.Spec},
		{"no bitmap", "bitmap", "020000000000", pos.Spec},
		{"second bitmap cut", "bitmap", "02008000000000000000" + "00", pos.Spec},
		{"second bitmap empty", "bitmap", "02008000000000000000" + "0000000000000000", pos.Spec},
		{"third bitmap", "bitmap", "02008000000000000000" + "8000000000000000", pos.Spec},
		{"F70 not in pos", "F70", "02008000000000000000" + "0400000000000000" + "0301", pos.Spec},
		{"F5 not in pos", "F5", "02000800000000000000" + "000000000000", pos.Spec},
		{"fixed cut", "F11", "02000020000000000000" + "0000", pos.Spec},
		{"digit A", "F11", "02000020000000000000" + "00000a", pos.Spec},
		{"separator in n", "F11", "02000020000000000000" + "0000d1", pos.Spec},
		{"length cut", "F55", "02000000000000000200" + "01", pos.Spec},
		{"length not BCD", "F55", "02000000000000000200" + "00a1", pos.Spec},
		{"length beyond the field", "F55", "02000000000000000200" + "0256" + strings.Repeat("00", 256), pos.Spec},
		{"length beyond the message", "F55", "02000000000000000200" + "0004" + "000000", pos.Spec},
		{"padding behind", "F22", "02000000040000000000" + "0721", pos.Spec},
		{"padding before", "F23", "02000000020000000000" + "1001", pos.Spec},
		{"odd last digit", "F22", "02000000040000000000" + "07b0", pos.Spec},
		{"odd first digit", "F23", "02000000020000000000" + "0f01", pos.Spec},
		{"left over", "message", "02000020000000000000" + "00000100", pos.Spec},
		{"ASCII length letters", "F32", "30323030" + "0000000100000000" + "3041", cup.Spec},
		{"ASCII length minus", "F32", "30323030" + "0000000100000000" + "2d31", cup.Spec},
		{"ASCII n", "F11", "30323030" + "0020000000000000" + "30303030302b", cup.Spec},
		{"too long", "message", strings.Repeat("00", iso8583.MaxMessage+1), cup.Spec},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := posMessages()[0].message()
			err := c.spec.Unpack([]byte(fromHex(c.hex)), m)
			var e *iso8583.Error
			if !errors.Is(err, iso8583.ErrFormat) || !errors.As(err, &e) || e.Field != c.field || e.Op != "unpack" {
				t.Fatalf("got %v, want a format error in %s", err, c.field)
			}
			if m.MTI() != "" || len(m.Fields()) != 0 {
				t.Fatal("after an error the message is not empty")
			}
		})
	}
}

// Every cut of a good message is refused, and none panics.
func TestUnpackCut(t *testing.T) {
	for _, s := range []*iso8583.Spec{pos.Spec, cup.Spec} {
		e := posMessages()[0]
		if s == cup.Spec {
			e = cupMessages()[0]
		}
		whole, err := s.Pack(nil, e.message())
		if err != nil {
			t.Fatal(err)
		}
		m := iso8583.NewMessage()
		for n := range whole {
			if err := s.Unpack(whole[:n], m); !errors.Is(err, iso8583.ErrFormat) {
				t.Fatalf("%s cut to %d bytes: %v", s.Name, n, err)
			}
		}
	}
}

func TestTrackSeparator(t *testing.T) {
	for _, s := range []*iso8583.Spec{pos.Spec, cup.Spec} {
		var packed [2][]byte
		for i, track := range []string{"6228480000000001117=3012", "6228480000000001117D3012"} {
			m := each{mti: "0200", fields: map[int]string{35: track}}.message()
			var err error
			if packed[i], err = s.Pack(nil, m); err != nil {
				t.Fatal(err)
			}
			if m.Get(35) != track {
				t.Errorf("pack changed the message to %s", m.Get(35))
			}
		}
		if !bytes.Equal(packed[0], packed[1]) {
			t.Errorf("%s: '=' and 'D' are written differently", s.Name)
		}
		m := iso8583.NewMessage()
		if err := s.Unpack(packed[1], m); err != nil || m.Get(35) != "6228480000000001117=3012" {
			t.Errorf("%s: read %q, %v", s.Name, m.Get(35), err)
		}
	}
}

// A Message behaves as a map of values, whatever is done to it in what order.
func TestMessageIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m iso8583.Message
		want := map[int]string{}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				f, v := rapid.IntRange(2, 128).Draw(t, "f"), rapid.StringN(0, 40, 80).Draw(t, "v")
				m.Set(f, v)
				want[f] = v
			},
			"unset": func(t *rapid.T) {
				f := rapid.IntRange(-1, 200).Draw(t, "f")
				m.Unset(f)
				delete(want, f)
			},
			"clone": func(t *rapid.T) {
				c := m.Clone()
				m.Set(3, "changed after the clone")
				m = *c
			},
			"reset": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "seldom") == 0 {
					m.Reset()
					clear(want)
				}
			},
			"": func(t *rapid.T) {
				if len(m.Fields()) != len(want) {
					t.Fatalf("fields %v, want %d", m.Fields(), len(want))
				}
				for f, v := range want {
					if !m.Has(f) || m.Get(f) != v {
						t.Fatalf("F%d is %q, want %q", f, m.Get(f), v)
					}
				}
			},
		})
	})
}

func TestMessageWipes(t *testing.T) {
	m := iso8583.NewMessage()
	m.SetBytes(52, bytes.Repeat([]byte{0xEE}, 8))
	pin := m.Bytes(52)
	m.Unset(52)
	if !bytes.Equal(pin, make([]byte, 8)) {
		t.Error("Unset leaves the PIN block in the buffer")
	}
	m.Set(35, "6228480000000001117=3012")
	track := m.Bytes(35)
	m.Reset()
	if !bytes.Equal(track, make([]byte, len(track))) {
		t.Error("Reset leaves the track in the buffer")
	}
	m.Set(35, "6228480000000001117=3012")
	track = m.Bytes(35)
	m.Set(35, "6228")
	if !bytes.Equal(track[4:], make([]byte, len(track)-4)) {
		t.Error("a shorter value leaves the rest of the longer one")
	}
	m.Set(35, "6228480000000001117=3012")
	track = m.Bytes(35)
	m.SetBytes(62, make([]byte, 4096)) // the buffer moves
	if !bytes.Equal(track, make([]byte, len(track))) {
		t.Error("growing leaves the old buffer")
	}
}

func TestResponseTo(t *testing.T) {
	request := posMessages()[0].message()
	m := iso8583.NewMessage()
	m.ResponseTo(request, 11, 38, 41)
	if m.MTI() != "0210" || fmt.Sprint(m.Fields()) != "[11 41]" || m.Get(41) != request.Get(41) || !m.IsResponse() || request.IsResponse() {
		t.Errorf("answer %s %v", m.MTI(), m.Fields())
	}
}

func TestDumpHidesCardData(t *testing.T) {
	m := posMessages()[1].message()
	m.Set(36, "996228480000000001117=156")
	m.SetBytes(55, []byte(fromHex("5a0a62284800000000011170"+"57136228480000000001117d30122011234567890f"+"5f24033012319f2608a1b2c3d4e5f607189f36020017")))
	m.Set(62, "secret keys 6228480000000001117")
	m.Set(63, "6228480000000001117")
	got := pos.Spec.Dump(m)
	want := "0200 F2=622848*********1117 F3=000000 F4=000000008880 F11=000017 F14=[4] F22=071 F23=001 F25=00 F26=12 F35=[37] F36=[25] " +
		`F41="12345678" F42="898310000000001" F46="0123456789abcdefghjkmnpqrs" F49=156 F52=[8] F53=2600000000000000 ` +
		"F55={5A:[10] 57:[19] 5F24:[3] 9F26:a1b2c3d4e5f60718 9F36:0017} F60=2200000100060 F62=[31] F63=[19] F64=000102fdfeff807f"
	if got != want {
		t.Errorf("dump\n%s\nwant\n%s", got, want)
	}
	// Whatever a peer sends as F2 or F55, no run of digits comes through.
	m.Set(2, "not 6228480000000001117")
	m.SetBytes(55, []byte("\x5f6228480000000001117"))
	m.Set(60, "line\nbreak")
	if got := pos.Spec.Dump(m); strings.Contains(got, "0001117") || strings.Contains(got, "\n") {
		t.Error(got)
	}
}

func TestMessagePrintsNoValues(t *testing.T) {
	m := posMessages()[1].message()
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "m", m)
	for _, s := range []string{fmt.Sprint(m), fmt.Sprintf("%+v %#v %x %q", m, m, m, m), fmt.Sprintf("%v", struct{ M *iso8583.Message }{m}), b.String()} {
		if strings.Contains(s, "0001117") || strings.Contains(s, "54 50 50") || strings.Contains(s, hex.EncodeToString([]byte("0001117"))) {
			t.Error(s)
		}
	}
}

func TestResponses(t *testing.T) {
	codes := "00 03 05 12 13 14 25 30 38 41 43 51 54 55 57 58 61 62 64 65 68 75 90 91 94 96 A0"
	var got []string
	for _, r := range iso8583.Responses() {
		got = append(got, r.Code)
		if r.ZH == "" || r.EN == "" || r.NextZH == "" || r.NextEN == "" || r.Class.String() == "unknown" {
			t.Errorf("%s is incomplete", r.Code)
		}
		if (r.Class == iso8583.Approved) != (r.Code == "00") {
			t.Errorf("%s has class %s", r.Code, r.Class)
		}
	}
	if strings.Join(got, " ") != codes {
		t.Errorf("codes %v", got)
	}
	for code, class := range map[string]iso8583.Class{"55": iso8583.Retry, "A0": iso8583.SignIn, "90": iso8583.CutOver, "41": iso8583.PickUp, "91": iso8583.Technical} {
		if r, known := iso8583.ResponseFor(code); !known || r.Class != class {
			t.Errorf("%s: %s, known %v", code, r.Class, known)
		}
	}
	if r, known := iso8583.ResponseFor("ZZ"); known || r.Class != iso8583.Declined || r.EN == "" {
		t.Error("an unknown code must be a decline in words")
	}
}

func TestSpecCheck(t *testing.T) {
	good := iso8583.Field{Name: "x", Type: iso8583.N, Enc: iso8583.BCD, Length: iso8583.LLBCD, Max: 19}
	for name, change := range map[string]func(n *int, f *iso8583.Field){
		"no name":       func(_ *int, f *iso8583.Field) { f.Name = "" },
		"no type":       func(_ *int, f *iso8583.Field) { f.Type = 0 },
		"no bound":      func(_ *int, f *iso8583.Field) { f.Max = 0 },
		"LL beyond 99":  func(_ *int, f *iso8583.Field) { f.Max = 100 },
		"text in BCD":   func(_ *int, f *iso8583.Field) { f.Type = iso8583.ANS },
		"binary digits": func(_ *int, f *iso8583.Field) { f.Enc = iso8583.Binary },
		"no length":     func(_ *int, f *iso8583.Field) { f.Length = 0 },
		"bitmap":        func(n *int, _ *iso8583.Field) { *n = 65 },
		"LLL over 999":  func(_ *int, f *iso8583.Field) { f.Length, f.Max = iso8583.LLLBCD, 1000 },
	} {
		n, f := 3, good
		change(&n, &f)
		s := &iso8583.Spec{Name: "test", MTI: iso8583.BCD}
		s.Fields[n] = f
		if s.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if (&iso8583.Spec{}).Check() == nil {
		t.Error("a spec without MTI encoding is accepted")
	}
}

func TestPackAllocatesNothing(t *testing.T) {
	m, back := posMessages()[0].message(), iso8583.NewMessage()
	buf, err := pos.Spec.Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		out, err := pos.Spec.Pack(buf[:0], m)
		if err != nil {
			t.Fatal(err)
		}
		if err := pos.Spec.Unpack(out, back); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a pack and an unpack", n)
	}
}
