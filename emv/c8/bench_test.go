package c8

import (
	"context"
	"io"
	"testing"

	"huika/emv"
	"huika/emv/bdh"
)

// constRand gives the same unpredictable number and key at every tap, so that one recorded card serves all.
type constRand struct{}

func (constRand) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = testUN[i%len(testUN)]
	}
	return len(b), nil
}

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

// remembered is an agreement that was made before.
type remembered struct {
	public  [bdh.KernelKeySize]byte
	channel *bdh.Channel
	blinded bdh.Blinded
}

func (r *remembered) Public() [bdh.KernelKeySize]byte { return r.public }
func (r *remembered) Open([]byte) (*bdh.Channel, bdh.Blinded, error) {
	c := *r.channel // with its counters at their start
	return &c, r.blinded, nil
}

// BenchmarkTap measures the kernel over recorded responses: "kernel" with the
// public-key operations taken out (key, agreement, two signatures, blinding),
// "whole" with them, "online" without local authentication.
func BenchmarkTap(b *testing.B) {
	for _, bench := range []struct {
		name string
		stub bool
		card func(*scripted)
	}{{"kernel", true, nil}, {"whole", false, nil}, {"online", false, aip("000A")}} {
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
			made := &remembered{}
			kernel.agree = func(rand io.Reader) (agreement, error) {
				k, err := bdh.NewKernelKey(rand)
				return &observed{k, made}, err
			}
			first, err := kernel.Process(context.Background(), in, card)
			if err != nil {
				b.Fatal(err)
			}
			kernel.agree = nil
			if bench.stub {
				kernel.agree = func(io.Reader) (agreement, error) { return made, nil }
				kernel.verify = func(*tap) error { return nil }
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

// observed remembers an agreement while it is made.
type observed struct {
	key  bdh.KernelKey
	made *remembered
}

func (o *observed) Public() [bdh.KernelKeySize]byte {
	o.made.public = o.key.Public()
	return o.made.public
}

func (o *observed) Open(data []byte) (*bdh.Channel, bdh.Blinded, error) {
	c, blinded, err := o.key.Open(data)
	if err == nil {
		start := *c
		o.made.channel, o.made.blinded = &start, blinded
	}
	return c, blinded, err
}
