package tlv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

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

func TestTag(t *testing.T) {
	for _, c := range []struct {
		tag         tlv.Tag
		text        string
		n           int
		constructed bool
	}{
		{0x5A, "5A", 1, false}, {0x70, "70", 1, true}, {0x9F26, "9F26", 2, false}, {0xBF0C, "BF0C", 2, true},
		{0xDF8104, "DF8104", 3, false}, {0xFF8105, "FF8105", 3, true}, {0x06, "06", 1, false},
	} {
		if c.tag.String() != c.text || c.tag.Len() != c.n || c.tag.Constructed() != c.constructed {
			t.Errorf("%s: %s %d %v", c.text, c.tag, c.tag.Len(), c.tag.Constructed())
		}
		if got, n, err := tlv.ParseTag(append(unhex(t, c.text), 0xFF)); got != c.tag || n != c.n || err != nil {
			t.Errorf("%s: parsed %s, %d, %v", c.text, got, n, err)
		}
	}
}

// EMV Book 3, Annex B: what is BER-TLV and what is not.
func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"one", "5A0112", "5A=12"},
		{"zero length", "5A00", "5A="},
		{"two", "5A0112 9F360200FF", "5A=12 9F36=00FF"},
		{"three-byte tag", "DF81040105", "DF8104=05"},
		{"padding before, between, after", "00005A0112000000 9F360200FF0000", "5A=12 9F36=00FF"},
		{"only padding", "000000", ""},
		{"long form", "70" + "8180" + strings.Repeat("AA", 128), "70=" + strings.Repeat("AA", 128)},
		{"long form of a short length", "5A810112", "5A=12"},
		{"two length bytes", "5A82000112", "5A=12"},
	} {
		list, err := tlv.Parse(unhex(t, c.in))
		var got []string
		for _, o := range list {
			got = append(got, fmt.Sprintf("%s=%X", o.Tag, o.Value))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v %v", c.name, got, err)
		}
	}
	for _, c := range []struct {
		name, in string
		offset   int
	}{
		{"tag only", "5A", 1},
		{"tag cut off", "5A0112 9F", 4},
		{"three-byte tag cut off", "DF81", 2},
		{"tag of four bytes", "DF81818101", 3},
		{"overlong tag", "9F800101", 1},
		{"length cut off", "5A81", 2},
		{"two-byte length cut off", "5A8201", 3},
		{"indefinite length", "7080 5A0112 0000", 1},
		{"three length bytes", "5A83000001FF", 1},
		{"reserved length byte", "5AFF", 1},
		{"value cut off", "5A0112 5F340201", 5},
		{"value far beyond the end", "5A82FFFF00", 1},
	} {
		_, err := tlv.Parse(unhex(t, c.in))
		var e *tlv.Error
		if !errors.Is(err, tlv.ErrMalformed) || !errors.As(err, &e) {
			t.Errorf("%s: error %v", c.name, err)
			continue
		}
		if e.Offset != c.offset {
			t.Errorf("%s: %v, want offset %d", c.name, e, c.offset)
		}
	}
}

func TestBounds(t *testing.T) {
	many := bytes.Repeat([]byte{0x5A, 0x00}, tlv.MaxObjects)
	if l, err := tlv.Parse(many); err != nil || len(l) != tlv.MaxObjects {
		t.Errorf("%d objects: %v", len(l), err)
	}
	if _, err := tlv.Parse(append(many, 0x5A, 0x00)); !errors.Is(err, tlv.ErrMalformed) {
		t.Errorf("one more: %v", err)
	}
	deep := []byte{}
	for range tlv.MaxDepth {
		deep = tlv.Append(nil, 0x70, deep)
	}
	none := func(int, tlv.TLV) error { return nil }
	if err := tlv.Walk(deep[2:], none); err != nil {
		t.Errorf("%d levels: %v", tlv.MaxDepth, err)
	}
	if err := tlv.Walk(tlv.Append(nil, 0x70, deep), none); !errors.Is(err, tlv.ErrMalformed) {
		t.Errorf("one level more: %v", err)
	}
	if err := tlv.Walk(tlv.Append(many, 0x5A, nil), none); !errors.Is(err, tlv.ErrMalformed) {
		t.Errorf("walk over one object more: %v", err)
	}
	// Many small templates: each level is within bounds, the whole is not.
	inner := bytes.Repeat([]byte{0x5A, 0x00}, 100)
	three := bytes.Repeat(tlv.Append(nil, 0x70, inner), 3)
	if err := tlv.Walk(three, none); !errors.Is(err, tlv.ErrMalformed) {
		t.Errorf("walk over many templates: %v", err)
	}
}

func TestFindAndWalk(t *testing.T) {
	fci := unhex(t, "6F1B 8407A0000003330101 A510 5008554E494F4E504159 9F38039F6604")
	if v, ok := tlv.Find(fci, 0x6F, 0xA5, 0x9F38); !ok || !bytes.Equal(v, unhex(t, "9F6604")) {
		t.Errorf("PDOL = %X %v", v, ok)
	}
	if _, ok := tlv.Find(fci, 0x6F, 0x9F38); ok {
		t.Error("found at the wrong level")
	}
	if _, ok := tlv.Find(fci); ok {
		t.Error("found without a path")
	}
	var seen []string
	err := tlv.Walk(fci, func(depth int, o tlv.TLV) error {
		seen = append(seen, fmt.Sprintf("%d:%s", depth, o.Tag))
		return nil
	})
	if got := strings.Join(seen, " "); err != nil || got != "0:6F 1:84 1:A5 2:50 2:9F38" {
		t.Errorf("walked %s, %v", got, err)
	}
	stop := errors.New("stop")
	if err := tlv.Walk(fci, func(int, tlv.TLV) error { return stop }); err != stop {
		t.Errorf("error of the callback became %v", err)
	}
	// Offsets count from the start of the outermost input.
	var e *tlv.Error
	if err := tlv.Walk(unhex(t, "5A0112 7004 A502 5A05"), func(int, tlv.TLV) error { return nil }); !errors.As(err, &e) || e.Offset != 8 {
		t.Errorf("error %v, want offset 8", err)
	}
}

func TestReaderRaw(t *testing.T) {
	r := tlv.NewReader(unhex(t, "00 5A810112 00 9F360200FF"))
	var raw []string
	for r.Next() {
		raw = append(raw, fmt.Sprintf("%X", r.Raw()))
	}
	if got := strings.Join(raw, " "); got != "5A810112 9F360200FF" || r.Err() != nil {
		t.Errorf("raw %s, %v", got, r.Err())
	}
}

// A value can't be written beyond through append.
func TestValueIsClipped(t *testing.T) {
	in := unhex(t, "5A0112 5F340101")
	l, err := tlv.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(l[0].Value, 0xEE) // must copy
	if in[3] != 0x5F {
		t.Error("append to a value wrote into the input")
	}
}

func TestAppend(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535} {
		v := bytes.Repeat([]byte{7}, n)
		b := tlv.Append(nil, 0x9F4B, v)
		if got, ok := tlv.Find(b, 0x9F4B); !ok || !bytes.Equal(got, v) {
			t.Errorf("%d bytes do not come back", n)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a length out of range was written")
		}
	}()
	tlv.AppendLength(nil, 65536)
}

// What Append writes, Parse reads back: tags of every length, any values.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SampledFrom([]tlv.Tag{0x5A, 0x57, 0x70, 0x9F02, 0x5F2A, 0xBF0C, 0xDF8104, 0xFF8106, 0xDF7F})
		n := rapid.IntRange(0, 20).Draw(t, "n")
		var b []byte
		var want tlv.List
		for range n {
			o := tlv.TLV{Tag: tags.Draw(t, "tag"), Value: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value")}
			if rapid.Bool().Draw(t, "pad") {
				b = append(b, 0)
			}
			b, want = tlv.Append(b, o.Tag, o.Value), append(want, o)
		}
		got, err := tlv.Parse(b)
		if err != nil || len(got) != len(want) {
			t.Fatal(err, len(got))
		}
		for i := range got {
			if got[i].Tag != want[i].Tag || !bytes.Equal(got[i].Value, want[i].Value) {
				t.Fatalf("object %d: %s", i, got[i].Tag)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(record(f))
	f.Add(unhex(f, "6F1B8407A0000003330101A5105008554E494F4E5041599F38039F6604"))
	f.Add(unhex(f, "5A82FFFF00"))
	f.Add(unhex(f, "7080"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := tlv.Parse(b)
		if err != nil {
			if !errors.Is(err, tlv.ErrMalformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			var e *tlv.Error
			if errors.As(err, &e) && (e.Offset < 0 || e.Offset > len(b)) {
				t.Fatalf("offset %d of %d", e.Offset, len(b))
			}
		}
		var again []byte
		for _, o := range list {
			again = tlv.Append(again, o.Tag, o.Value)
		}
		if err == nil && len(again) > len(b) {
			t.Fatal("shortest form is longer than the input")
		}
		if second, err := tlv.Parse(again); err != nil || len(second) != len(list) {
			t.Fatalf("%X does not parse again: %v", again, err)
		}
		count := 0
		if err := tlv.Walk(b, func(int, tlv.TLV) error { count++; return nil }); err != nil && !errors.Is(err, tlv.ErrMalformed) {
			t.Fatalf("walk: %v", err)
		}
		if count > tlv.MaxObjects {
			t.Fatalf("walked over %d objects", count)
		}
	})
}

// record is of the size of a record with a certificate.
func record(t testing.TB) []byte {
	b := tlv.Append(nil, 0x8F, []byte{0xE1})
	b = tlv.Append(b, 0x9F32, []byte{3})
	b = tlv.Append(b, 0x92, make([]byte, 4))
	b = tlv.Append(b, 0x90, make([]byte, 176))
	return tlv.Append(nil, 0x70, b)
}

// Reading a record allocates nothing: the kernel's budget is 100 allocations a tap.
func TestReaderDoesNotAllocate(t *testing.T) {
	b := record(t)
	n := testing.AllocsPerRun(100, func() {
		r := tlv.NewReader(b)
		for r.Next() {
			inner := tlv.NewReader(r.TLV().Value)
			for inner.Next() {
				if inner.TLV().Tag == 0 {
					panic("no tag")
				}
			}
		}
		if _, ok := tlv.Find(b, 0x70, 0x90); !ok || r.Err() != nil {
			panic("not found")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReader(b *testing.B) {
	rec := record(b)
	b.ReportAllocs()
	for b.Loop() {
		r := tlv.NewReader(rec)
		for r.Next() {
			inner := tlv.NewReader(r.TLV().Value)
			for inner.Next() {
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	rec := record(b)
	body, _ := tlv.Find(rec, 0x70)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tlv.Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	rec := record(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := tlv.Find(rec, 0x70, 0x90); !ok {
			b.Fatal("not found")
		}
	}
}
