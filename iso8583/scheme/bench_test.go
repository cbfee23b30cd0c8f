package scheme_test

import (
	"fmt"
	"testing"

	"huika/iso8583"
	"huika/iso8583/scheme"
)

// The message of all is the same: a contactless sale with PIN and F55.

func BenchmarkEncode(b *testing.B) {
	for i, d := range dialects(b) {
		b.Run(fmt.Sprint(i, d.Name()), func(b *testing.B) {
			m, buf := d.sale(b), make([]byte, 0, iso8583.MaxMessage)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Encode(buf, &m, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for i, d := range dialects(b) {
		b.Run(fmt.Sprint(i, d.Name()), func(b *testing.B) {
			m := d.sale(b)
			packed, err := d.Encode(nil, &m, nil)
			if err != nil {
				b.Fatal(err)
			}
			var back scheme.Message
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(packed, &back); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClassify(b *testing.B) {
	for i, d := range dialects(b) {
		b.Run(fmt.Sprint(i, d.Name()), func(b *testing.B) {
			m := d.answer(b, d.sale(b), "00")
			packed, err := d.Encode(nil, &m, nil)
			if err != nil {
				b.Fatal(err)
			}
			classify := scheme.Classify(d)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := classify(packed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
