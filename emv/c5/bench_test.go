package c5

import (
	"context"
	"errors"
	"testing"

	"huika/emv"
	"huika/emv/book3/book3test"
)

// BenchmarkTap measures the kernel over recorded responses: "kernel" with the
// public-key operations taken out, "whole" with them, "decline" for a card
// that declines after it was read.
func BenchmarkTap(b *testing.B) {
	for _, bench := range []struct {
		name   string
		verify func(*tap, []byte) error
		card   func(*book3test.Card)
		want   emv.Kind
	}{
		{"kernel", func(*tap, []byte) error { return nil }, func(*book3test.Card) {}, emv.OnlineRequest},
		{"whole", nil, func(*book3test.Card) {}, emv.OnlineRequest},
		{"decline", func(*tap, []byte) error { return errors.New("not reached") }, asAAC, emv.Declined},
	} {
		b.Run(bench.name, func(b *testing.B) {
			card := newCard(b)
			bench.card(card)
			card.Personalise()
			recorder := &book3test.Recorder{Card: card}
			in := usualInput(card, at)
			kernel := &Kernel{Config: usualConfig(b)}
			if _, err := kernel.Process(context.Background(), in, recorder); err != nil {
				b.Fatal(err)
			}
			kernel.verify = bench.verify
			replay := &book3test.Replayed{Responses: recorder.All}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				replay.N = 0
				o, err := kernel.Process(ctx, in, replay)
				if err != nil || o.Kind != bench.want {
					b.Fatal(o.Kind, o.Reason, err)
				}
			}
		})
	}
}
