package dol_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"huika/emv/dol"
	"huika/emv/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const usualPDOL = "9F6604 9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704"

// EMV Book 3, 5.4: padding and truncation by format, zeros for what is unknown.
func TestBuild(t *testing.T) {
	values := map[tlv.Tag]string{
		0x9F02: "000000008880", // n 12
		0x5F2A: "0156",         // n 3
		0x9F37: "01020304",     // b
		0x5A:   "6299990135702468",
		0x9F1C: "3132333435363738", // an 8
		0x70:   "5A0112",           // template
		0xDF01: "AABB",             // in no dictionary
	}
	get := func(g tlv.Tag) ([]byte, bool) { v, ok := values[g]; return unhex(t, v), ok }
	for _, c := range []struct{ name, dol, want string }{
		{"empty", "", ""},
		{"as it is", "9F0206 5F2A02", "000000008880 0156"},
		{"numeric longer: zeros left", "5F2A04", "00000156"},
		{"numeric shorter: cut left", "9F0203", "008880"},
		{"binary longer: zeros right", "9F3706", "010203040000"},
		{"binary shorter: cut right", "9F3702", "0102"},
		{"compressed numeric longer: F right", "5A0A", "6299990135702468FFFF"},
		{"compressed numeric shorter: cut right", "5A04", "62999901"},
		{"text longer: zeros right", "9F1C0A", "31323334353637380000"},
		{"text shorter: cut right", "9F1C02", "3132"},
		{"absent: zeros", "9F0306 9A03", "000000000000 000000"},
		{"template: zeros", "7003", "000000"},
		{"unknown tag with a value: as binary", "DF0103", "AABB00"},
		{"length 0", "9F0200 5F2A02", "0156"},
		{"same tag twice", "5F2A02 5F2A02", "0156 0156"},
	} {
		got, err := dol.Build([]byte{0x83}, unhex(t, c.dol), get)
		if want := append([]byte{0x83}, unhex(t, c.want)...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %X, want %X (%v)", c.name, got, want, err)
		}
	}
}

func TestParse(t *testing.T) {
	entries, err := dol.Parse(unhex(t, usualPDOL))
	if err != nil || len(entries) != 9 || entries[0] != (dol.Entry{Tag: 0x9F66, Length: 4}) || entries[8] != (dol.Entry{Tag: 0x9F37, Length: 4}) {
		t.Errorf("%v %v", entries, err)
	}
	if n, err := dol.Size(unhex(t, usualPDOL)); n != 33 || err != nil {
		t.Errorf("size %d, %v", n, err)
	}
	for name, in := range map[string]string{
		"tag cut off": "9F", "length missing": "9F02", "second length missing": "9F0206 5F2A", "tag 00": "0001",
		"tag of four bytes": "DF81818104", "long length": "9F028106", "too much data": "9F027F 9F037F",
		"too many entries": strings.Repeat("9C01", dol.MaxEntries+1),
	} {
		if _, err := dol.Parse(unhex(t, in)); !errors.Is(err, dol.ErrMalformed) {
			t.Errorf("%s: parse error %v", name, err)
		}
		if _, err := dol.Build(nil, unhex(t, in), func(tlv.Tag) ([]byte, bool) { return nil, false }); !errors.Is(err, dol.ErrMalformed) {
			t.Errorf("%s: build error %v", name, err)
		}
	}
	if n, err := dol.Size(unhex(t, strings.Repeat("9C01", dol.MaxEntries))); n != dol.MaxEntries || err != nil {
		t.Errorf("at the limit: %d, %v", n, err)
	}
	if n, err := dol.Size(unhex(t, "9F027E 9F037E")); n != dol.MaxData || err != nil {
		t.Errorf("at the limit: %d, %v", n, err)
	}
}

func TestSplit(t *testing.T) {
	var got []string
	f := func(g tlv.Tag, v []byte) error { got = append(got, g.String()+"="+hex.EncodeToString(v)); return nil }
	if err := dol.Split(unhex(t, "9F0203 9C01"), unhex(t, "00888020"), f); err != nil || strings.Join(got, " ") != "9F02=008880 9C=20" {
		t.Errorf("%v %v", got, err)
	}
	for _, data := range []string{"", "008880", "0088802000"} {
		if err := dol.Split(unhex(t, "9F0203 9C01"), unhex(t, data), f); !errors.Is(err, dol.ErrMalformed) {
			t.Errorf("data %s: %v", data, err)
		}
	}
	stop := errors.New("stop")
	if err := dol.Split(unhex(t, "9C01"), []byte{0}, func(tlv.Tag, []byte) error { return stop }); err != stop {
		t.Errorf("error of the callback became %v", err)
	}
}

// Whatever the list, what is built has the size that the list asks for, and comes apart again.
func FuzzBuild(f *testing.F) {
	f.Add(unhex(f, usualPDOL), []byte{1, 2, 3})
	f.Add(unhex(f, "5A0A7003"), []byte{})
	f.Add(unhex(f, "9F028106"), []byte{1})
	f.Fuzz(func(t *testing.T, list, value []byte) {
		entries, err := dol.Parse(list)
		data, err2 := dol.Build(nil, list, func(g tlv.Tag) ([]byte, bool) { return value, g%2 == 0 })
		if (err == nil) != (err2 == nil) {
			t.Fatalf("Parse says %v, Build says %v", err, err2)
		}
		if err != nil {
			if !errors.Is(err, dol.ErrMalformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		size := 0
		for _, e := range entries {
			size += e.Length
		}
		if len(data) != size || size > dol.MaxData {
			t.Fatalf("%d bytes built, %d asked for", len(data), size)
		}
		n := 0
		if err := dol.Split(list, data, func(tlv.Tag, []byte) error { n++; return nil }); err != nil || n != len(entries) {
			t.Fatalf("split: %d of %d, %v", n, len(entries), err)
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	list := unhex(b, usualPDOL)
	value := make([]byte, 6)
	get := func(tlv.Tag) ([]byte, bool) { return value, true }
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dol.Build(dst, list, get); err != nil {
			b.Fatal(err)
		}
	}
}
