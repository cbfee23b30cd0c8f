package scheme_test

import (
	"errors"
	"testing"

	"huika/iso8583"
	"huika/iso8583/scheme"
)

func FuzzDecodeCUP(f *testing.F)             { fuzzDecode(f, 0) }
func FuzzDecodeVisa(f *testing.F)            { fuzzDecode(f, 1) }
func FuzzDecodeMastercard(f *testing.F)      { fuzzDecode(f, 2) }
func FuzzDecodeMastercardASCII(f *testing.F) { fuzzDecode(f, 3) }
func FuzzDecodeAmex(f *testing.F)            { fuzzDecode(f, 4) }
func FuzzDecodeJCB(f *testing.F)             { fuzzDecode(f, 5) }
func FuzzDecodeDiscover(f *testing.F)        { fuzzDecode(f, 6) }

// fuzzDecode: nothing panics, a refusal is typed and leaves nothing behind, and
// what is read and can be written again reads the same.
func fuzzDecode(f *testing.F, which int) {
	d, mac := dialects(f)[which], cmac(f, "0123456789abcdef")
	for _, m := range d.each(f) {
		b, err := d.Encode(nil, &m, mac)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m scheme.Message
		if err := d.Decode(b, &m); err != nil {
			var e *iso8583.Error
			if !errors.Is(err, iso8583.ErrFormat) || !errors.As(err, &e) || e.Field == "" {
				t.Fatalf("untyped error %v", err)
			}
			if diff := same(m, scheme.Message{}); diff != "" {
				t.Fatalf("left behind: %s", diff)
			}
			return
		}
		if _, err := d.Dump(b); err != nil {
			t.Fatalf("decodes but does not dump: %v", err)
		}
		if err := d.CheckMAC(b, mac); err != nil && !errors.Is(err, scheme.ErrMAC) && !errors.Is(err, scheme.ErrNoMAC) && !errors.Is(err, iso8583.ErrFormat) {
			t.Fatalf("untyped error %v", err)
		}
		again, err := d.Encode(nil, &m, nil)
		if err != nil {
			if !errors.Is(err, iso8583.ErrFormat) {
				t.Fatalf("untyped error %v", err)
			}
			return // what another side may say, and we would not
		}
		var back scheme.Message
		if err := d.Decode(again, &back); err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if diff := same(back, m); diff != "" {
			t.Fatalf("read again: %s", diff)
		}
		if d.Key(&back) != d.Key(&m) {
			t.Fatalf("key %q, again %q", d.Key(&m), d.Key(&back))
		}
	})
}
