package c2

import (
	"context"
	"testing"

	"huika/emv"
)

// constRand gives the same unpredictable number at every tap, so that one recorded card serves all.
type constRand struct{}

func (constRand) Read(b []byte) (int, error) { return copy(b, testUN), nil }

// replayed is a card that answers recorded responses, whatever it is sent.
type replayed struct {
	responses [][]byte
	n         int
}

func (r *replayed) Transmit(context.Context, []byte) ([]byte, error) {
	if r.n == len(r.responses) {
		return nil, emv.ErrCardLost
	}
	r.n++
	return r.responses[r.n-1], nil
}

// BenchmarkTap measures the kernel over recorded responses: "kernel" with the
// public-key operations taken out, "whole" with them, "magstripe" without any.
func BenchmarkTap(b *testing.B) {
	for _, bench := range []struct {
		name string
		stub bool
		card func(*scripted)
	}{{"kernel", true, nil}, {"whole", false, nil}, {"magstripe", false, magCard}} {
		b.Run(bench.name, func(b *testing.B) {
			card := newCard(b)
			if bench.card != nil {
				bench.card(card)
			}
			card.personalise()
			var responses [][]byte
			card.raw = func(_ byte, r []byte) []byte { responses = append(responses, r); return r }
			in := usualInput(card, 8880)
			in.Rand = constRand{}
			kernel := &Kernel{Config: usualConfig(b, card)}
			var dynamic []byte
			kernel.verify = func(t *tap, response []byte) ([]byte, error) {
				var err error
				dynamic, err = verifyCDA(t, response)
				return dynamic, err
			}
			first, err := kernel.Process(context.Background(), in, card)
			if err != nil {
				b.Fatal(err)
			}
			kernel.verify = nil
			if bench.stub {
				kernel.verify = func(*tap, []byte) ([]byte, error) { return dynamic, nil }
			}
			replay := &replayed{responses: responses}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				replay.n = 0
				o, err := kernel.Process(ctx, in, replay)
				if err != nil || o.Kind != first.Kind || o.ODA != first.ODA {
					b.Fatal(o.Kind, o.Reason, err)
				}
			}
		})
	}
}
