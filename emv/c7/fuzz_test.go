package c7

import (
	"bytes"
	"context"
	"testing"

	"huika/emv"
)

// randomCard answers whatever the fuzzer gives: the input is cut into
// responses by a length byte each; after its end the card is lost.
type randomCard struct {
	data     []byte
	commands int
}

func (c *randomCard) Transmit(context.Context, []byte) ([]byte, error) {
	c.commands++
	if len(c.data) == 0 {
		return nil, emv.ErrCardLost
	}
	n := min(int(c.data[0]), len(c.data)-1)
	r := c.data[1 : 1+n]
	c.data = c.data[1+n:]
	return r, nil
}

// FuzzKernelResponses: whatever a card answers, the kernel does not panic,
// sends a bounded number of commands and never approves (floor limit 0; and
// above it only with a verified signature).
func FuzzKernelResponses(f *testing.F) {
	genuine := newCard(f)
	genuine.personalise()
	in := usualInput(genuine, at)
	pdolData := in.FCI
	seed := func(c *scripted) {
		c.personalise()
		kernel := &Kernel{Config: Config{CAKeys: caStore(f), SM: true}}
		var all []byte
		rec := recorder{card: c, out: &all}
		if _, err := kernel.Process(context.Background(), usualInput(c, at), &rec); err != nil {
			f.Fatal(err)
		}
		f.Add(all, pdolData, int64(at))
	}
	seed(newCard(f))
	tcCard := newCard(f)
	asTC(tcCard)
	seed(tcCard)
	smCard := newCard(f)
	onSM2(smCard)
	seed(smCard)
	f.Add([]byte{2, 0x69, 0x86}, pdolData, int64(1))
	f.Add([]byte{}, []byte{}, int64(0))
	store := caStore(f)
	f.Fuzz(func(t *testing.T, responses, fci []byte, amount int64) {
		if amount < 0 {
			amount = -(amount + 1)
		}
		in := usualInput(genuine, amount%1_000_000_000_000)
		in.FCI = fci
		for _, limit := range []int64{0, 1 << 40} {
			in.Rand = bytes.NewReader(testUN)
			card := &randomCard{data: responses}
			o, err := (&Kernel{Config: Config{CAKeys: store, FloorLimit: limit, SM: true}}).Process(context.Background(), in, card)
			if err != nil {
				t.Fatalf("error %v", err)
			}
			if card.commands > 1+MaxRecords {
				t.Fatalf("%d commands", card.commands)
			}
			if o.Kind == emv.Approved && (limit == 0 || o.ODA != emv.ODAfDDA) {
				t.Fatalf("approved: %+v", o)
			}
			if o.CVM == emv.CVMConfirmed && o.ODA != emv.ODAfDDA {
				t.Fatalf("CDCVM was believed without authentication: %+v", o)
			}
			if amount%1_000_000_000_000 >= at && o.Kind == emv.OnlineRequest && o.CVM == emv.CVMNone {
				t.Fatalf("no CVM above the limit: %+v", o)
			}
			if o.Kind == emv.NoOutcome || o.Kind == 0 {
				t.Fatalf("no outcome")
			}
		}
	})
}

// recorder writes down what a card answers, in the form that randomCard reads.
type recorder struct {
	card *scripted
	out  *[]byte
}

func (r *recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	b, err := r.card.Transmit(ctx, command)
	if err == nil && len(b) < 256 {
		*r.out = append(append(*r.out, byte(len(b))), b...)
	}
	return b, err
}

// A bit that is flipped in any certified or signed part makes authentication
// fail; one flipped anywhere never leads to more than the genuine card gets.
func TestEveryFlip(t *testing.T) {
	t.Run("RSA", func(t *testing.T) { everyFlip(t, func(*scripted) {}) })
	t.Run("SM2", func(t *testing.T) { everyFlip(t, onSM2) })
}

func everyFlip(t *testing.T, change func(*scripted)) {
	card := newCard(t)
	change(card)
	card.personalise()
	var responses [][]byte
	keep := func(n int, r []byte) []byte { responses = append(responses, bytes.Clone(r)); return r }
	card.raw = keep
	kernel := &Kernel{Config: Config{CAKeys: caStore(t), SM: true}}
	in := usualInput(card, at)
	if o, err := kernel.Process(context.Background(), in, card); err != nil || o.Kind != emv.OnlineRequest || o.ODA != emv.ODAfDDA {
		t.Fatal(o, err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	verified := 0
	for n, r := range responses {
		for i := 0; i < 8*(len(r)-2); i += step {
			flipped := bytes.Clone(r)
			flipped[i/8] ^= 1 << (i % 8)
			replay := &replayed{responses: append(append([][]byte{}, responses[:n]...), append([][]byte{flipped}, responses[n+1:]...)...)}
			in.Rand = bytes.NewReader(testUN)
			o, err := kernel.Process(context.Background(), in, replay)
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind == emv.Approved || (o.Kind == emv.OnlineRequest && o.CVM != emv.CVMOnlinePIN) {
				t.Fatalf("response %d bit %d: %v %v", n, i, o.Kind, o.CVM)
			}
			if o.ODA == emv.ODAfDDA {
				verified++
				if n > 0 { // every record of this card is signed or part of the chain
					t.Errorf("record %d byte %d: authentication still passes", n, i/8)
				}
			}
		}
	}
	t.Logf("%d flips left the signature valid (unsigned objects of the GPO response)", verified)
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
