package c7

import (
	"context"
	"errors"
	"testing"

	"huika/emv"
)

// constRand gives the same unpredictable number at every tap, so that one recorded card serves all.
type constRand struct{}

func (constRand) Read(b []byte) (int, error) { return copy(b, testUN), nil }

// BenchmarkTap measures the kernel over recorded responses: "kernel" with the
// public-key operations taken out, "whole" with them (RSA, then SM2), "decline" for a card
// that declines after it was read.
func BenchmarkTap(b *testing.B) {
	for _, bench := range []struct {
		name   string
		verify func(*Config, *tap) error
		card   func(*scripted)
		want   emv.Kind
	}{
		{"kernel", func(*Config, *tap) error { return nil }, nil, emv.OnlineRequest},
		{"whole", nil, nil, emv.OnlineRequest},
		{"whole SM2", nil, onSM2, emv.OnlineRequest},
		{"decline", func(*Config, *tap) error { return errors.New("not reached") }, asAAC, emv.Declined},
	} {
		b.Run(bench.name, func(b *testing.B) {
			card := newCard(b)
			if bench.card != nil {
				bench.card(card)
			}
			card.personalise()
			var responses [][]byte
			card.raw = func(_ int, r []byte) []byte { responses = append(responses, r); return r }
			in := usualInput(card, at)
			in.Rand = constRand{}
			kernel := &Kernel{Config: Config{CAKeys: caStore(b), SM: true}}
			if _, err := kernel.Process(context.Background(), in, card); err != nil {
				b.Fatal(err)
			}
			kernel.verify = bench.verify
			replay := &replayed{responses: responses}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				replay.n = 0
				o, err := kernel.Process(ctx, in, replay)
				if err != nil || o.Kind != bench.want {
					b.Fatal(o.Kind, o.Reason, err)
				}
			}
		})
	}
}
