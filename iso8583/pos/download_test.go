package pos_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"huika/iso8583"
	"huika/iso8583/pos"
)

func TestParameters(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := pos.Parameters{Free: rapid.Bool().Draw(r, "free"), CDCVM: rapid.Bool().Draw(r, "cdcvm"), NoPINLimit: rapid.Int64Range(0, 999_999_999_999).Draw(r, "limit")}
		b := append([]byte{0xFF, 0x80, 0x3A, 1, 10}, p.Append(nil)...) // a tag of no meaning to us comes first
		got, err := pos.ParseParameters(b, pos.Parameters{})
		if err != nil || got != p {
			r.Fatalf("%+v %v, want %+v", got, err, p)
		}
		cut := rapid.IntRange(6, len(b)-1).Draw(r, "cut")
		if got, err := pos.ParseParameters(b[:cut], p); err != nil && (!errors.Is(err, iso8583.ErrFormat) || got != p) {
			r.Fatalf("cut to %d: %+v %v", cut, got, err)
		}
	})
	base := pos.Parameters{Free: true, CDCVM: true, NoPINLimit: 7}
	if got, err := pos.ParseParameters(nil, base); err != nil || got != base {
		t.Errorf("nothing said: %+v %v", got, err)
	}
	for name, b := range map[string][]byte{
		"flag of 2": {0xFF, 0x80, 0x57, 1, 2}, "flag of two bytes": {0xFF, 0x80, 0x54, 2, 0, 1}, "no digits": {0xFF, 0x80, 0x58, 6, 0, 0, 0, 0, 0, 0x0A},
		"short amount": {0xFF, 0x80, 0x58, 1, 0x10}, "cut": {0xFF, 0x80, 0x58, 6, 0}, "no length": {0xFF, 0x80, 0x58},
	} {
		if got, err := pos.ParseParameters(b, base); !errors.Is(err, iso8583.ErrFormat) || got != base {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestPages(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		list := rapid.SliceOfN(rapid.StringMatching(`[0-9]{1,19}`), 0, 3*pos.PageEntries).Draw(r, "list")
		var got []string
		for page := 0; ; page++ {
			n, ok := pos.RequestedPage(pos.PageRequest(page))
			if !ok || n != page {
				r.Fatalf("page %d is read as %d", page, n)
			}
			b, err := pos.AppendPage(nil, list, n)
			if err != nil || len(b) > 512 {
				r.Fatalf("%d bytes, %v", len(b), err)
			}
			entries, more, err := pos.ParsePage(b)
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, entries...)
			if !more {
				break
			}
		}
		if !slices.Equal(got, list) {
			r.Fatalf("%v, want %v", got, list)
		}
	})
	for _, bad := range []string{"12a", "", "12345678901234567890"} {
		b, err := pos.AppendPage(nil, []string{bad}, 0)
		if err == nil {
			_, _, err = pos.ParsePage(b)
		}
		if !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("entry %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"1", "0001", "abc"} {
		if n, ok := pos.RequestedPage([]byte(bad)); ok {
			t.Errorf("page %q is read as %d", bad, n)
		}
	}
}

func FuzzDownloads(f *testing.F) {
	f.Add(pos.Parameters{NoPINLimit: 100_000}.Append(nil))
	page, err := pos.AppendPage(nil, []string{"6228480000000000001", "62"}, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := pos.ParseParameters(b, pos.Parameters{}); err == nil {
			if back, err := pos.ParseParameters(p.Append(nil), pos.Parameters{}); err != nil || back != p {
				t.Fatalf("%+v comes back as %+v, %v", p, back, err)
			}
		}
		if list, more, err := pos.ParsePage(b); err == nil {
			again, err := pos.AppendPage(nil, list, 0)
			if err != nil || len(list) <= pos.PageEntries && !more && string(again) != string(b) {
				t.Fatalf("%x comes back as %x, %v", b, again, err)
			}
		}
	})
}
