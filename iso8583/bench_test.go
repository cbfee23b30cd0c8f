package iso8583_test

import (
	"testing"

	moov "github.com/moov-io/iso8583"

	"huika/iso8583"
	"huika/iso8583/pos"
)

// The message of all four is the same: a contactless sale with F55.

func BenchmarkPack(b *testing.B) {
	values := posMessages()[0]
	m, buf := iso8583.NewMessage(), make([]byte, 0, iso8583.MaxMessage)
	f := values.message()
	fields := f.Fields()
	b.ReportAllocs()
	for b.Loop() {
		m.Reset()
		m.SetMTI(values.mti)
		for _, n := range fields {
			m.Set(n, values.fields[n])
		}
		if _, err := pos.Spec.Pack(buf, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	packed, err := pos.Spec.Pack(nil, posMessages()[0].message())
	if err != nil {
		b.Fatal(err)
	}
	m := iso8583.NewMessage()
	b.ReportAllocs()
	for b.Loop() {
		if err := pos.Spec.Unpack(packed, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMoovPack(b *testing.B) {
	values := posMessages()[0]
	spec, fields := moovSpec(pos.Spec), values.message().Fields()
	b.ReportAllocs()
	for b.Loop() {
		m := moov.NewMessage(spec)
		m.MTI(values.mti)
		for _, n := range fields {
			if err := m.Field(n, values.fields[n]); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := m.Pack(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMoovUnpack(b *testing.B) {
	packed, err := pos.Spec.Pack(nil, posMessages()[0].message())
	if err != nil {
		b.Fatal(err)
	}
	spec := moovSpec(pos.Spec)
	b.ReportAllocs()
	for b.Loop() {
		m := moov.NewMessage(spec)
		if err := m.Unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}
