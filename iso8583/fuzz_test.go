package iso8583_test

import (
	"errors"
	"testing"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
)

func FuzzUnpackPOS(f *testing.F) { fuzzUnpack(f, pos.Spec, posMessages()) }

func FuzzUnpackCUP(f *testing.F) { fuzzUnpack(f, cup.Spec, cupMessages()) }

// fuzzUnpack: nothing panics, a refusal is typed, and what is read packs to the
// same bytes again (apart from a track-2 separator that came as 'D' in ASCII).
func fuzzUnpack(f *testing.F, s *iso8583.Spec, seeds []each) {
	for _, e := range seeds {
		b, err := s.Pack(nil, e.message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := iso8583.NewMessage()
		if err := s.Unpack(b, m); err != nil {
			var e *iso8583.Error
			if !errors.Is(err, iso8583.ErrFormat) || !errors.As(err, &e) || e.Field == "" {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		s.Dump(m)
		again, err := s.Pack(nil, m)
		if err != nil {
			t.Fatalf("what was unpacked does not pack: %v", err)
		}
		same := len(again) == len(b)
		for i := 0; same && i < len(b); i++ {
			same = again[i] == b[i] || s.Fields[35].Enc == iso8583.ASCII && again[i] == '=' && b[i] == 'D'
		}
		if !same {
			t.Fatalf("read  %x\nwrote %x", b, again)
		}
	})
}
