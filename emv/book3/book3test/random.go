package book3test

import (
	"context"

	"huika/emv"
)

// Random answers whatever a fuzzer gives: Data is cut into responses by a
// length byte each; after its end the card is lost.
type Random struct {
	Data     []byte
	Commands int
}

// Transmit answers.
func (c *Random) Transmit(context.Context, []byte) ([]byte, error) {
	c.Commands++
	if len(c.Data) == 0 {
		return nil, emv.ErrCardLost
	}
	n := min(int(c.Data[0]), len(c.Data)-1)
	r := c.Data[1 : 1+n]
	c.Data = c.Data[1+n:]
	return r, nil
}

// Recorder writes down what a card answers, in the form that Random reads.
type Recorder struct {
	Card *Card
	Out  []byte
	All  [][]byte
}

// Transmit passes on.
func (r *Recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	b, err := r.Card.Transmit(ctx, command)
	if err == nil {
		r.All = append(r.All, b)
		if len(b) < 256 {
			r.Out = append(append(r.Out, byte(len(b))), b...)
		}
	}
	return b, err
}

// Replayed is a card that answers recorded responses, whatever it is sent.
type Replayed struct {
	Responses [][]byte
	N         int
}

// Transmit answers.
func (r *Replayed) Transmit(context.Context, []byte) ([]byte, error) {
	if r.N == len(r.Responses) {
		return nil, emv.ErrCardLost
	}
	r.N++
	return r.Responses[r.N-1], nil
}

// UN is the unpredictable number that Same gives at every tap.
var UN = Unhex("11223344")

// Same is a source of the same unpredictable number, so that one recorded card serves all.
type Same struct{}

// Read gives UN, and more of it where more is asked for.
func (Same) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = UN[i%len(UN)]
	}
	return len(b), nil
}
