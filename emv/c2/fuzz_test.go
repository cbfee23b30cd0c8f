package c2

import (
	"bytes"
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"huika/emv"
	"huika/emv/tlv"
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

// FuzzKernelResponses: whatever a card answers, the kernel does not panic, sends a
// bounded number of commands, and under the book's action codes approves nothing
// without a verified signature, nor believes a device's word about its holder.
func FuzzKernelResponses(f *testing.F) {
	for _, change := range []func(*scripted){
		func(*scripted) {}, magCard, magPhone("001000"), relay(100, 200, 24, 192), func(c *scripted) { aip(phoneAIP)(c) },
		func(c *scripted) { c.cid = 0; inAC(tagPCII, "000100")(c) },
	} {
		c := newCard(f)
		change(c)
		c.personalise()
		var all []byte
		cfg := usualConfig(f, c)
		withRelay(&cfg)
		if _, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(c, 8880), &recorder{c, &all}); err != nil {
			f.Fatal(err)
		}
		f.Add(all, c.fciBytes(), int64(8880))
	}
	f.Add([]byte{}, []byte{}, int64(0))
	base := newCard(f)
	store := caStore(f)
	f.Fuzz(func(t *testing.T, responses, fci []byte, amount int64) {
		if amount < 0 {
			amount = -(amount + 1)
		}
		in := usualInput(base, amount%1_000_000_000_000)
		in.FCI = fci
		for _, kernelBits := range []byte{OnDeviceCVM | RelayResistance, OnDeviceCVM | NoEMV, NoMagStripe} {
			cfg := usualConfig(t, base)
			cfg.CAKeys, cfg.TACDenial, cfg.Kernel = store, Defaults().TACDenial, kernelBits
			cfg.FloorLimit, cfg.Limit, cfg.LimitOnCDCVM = 1<<40, 1<<40, 1<<40
			cfg.Torn = NewTornLog(2, time.Hour, func() time.Duration { return 0 })
			balances(&cfg)
			card := &randomCard{data: responses}
			o, err := (&Kernel{Config: cfg}).Process(context.Background(), in, card)
			if err != nil {
				t.Fatalf("error %v", err)
			}
			if card.commands > MaxCommands {
				t.Fatalf("%d commands", card.commands)
			}
			if o.Kind == emv.Approved && o.ODA != emv.ODACDA {
				t.Fatalf("approved: %+v", o)
			}
			if o.CVM == emv.CVMConfirmed && o.Kind == emv.OnlineRequest && o.ODA != emv.ODACDA && kernelBits&NoEMV == 0 {
				if _, mag := tlv.Find(o.DataRecord, tagTrack2Data); !mag {
					t.Fatalf("CDCVM was believed without authentication: %+v", o)
				}
			}
			if o.Kind == emv.NoOutcome || o.Kind == 0 || len(o.Discretionary) == 0 {
				t.Fatalf("no outcome")
			}
		}
	})
}

// A bit flipped in any response of a genuine card that approves leads to no approval,
// unless it is in what nobody signs and nobody uses.
func TestEveryFlip(t *testing.T) {
	card := newCard(t)
	card.personalise()
	var responses [][]byte
	card.raw = func(_ byte, r []byte) []byte { responses = append(responses, bytes.Clone(r)); return r }
	kernel := &Kernel{Config: usualConfig(t, card)}
	in := usualInput(card, 8880)
	in.Rand = constRand{}
	if o, err := kernel.Process(context.Background(), in, card); err != nil || o.Kind != emv.Approved {
		t.Fatal(o.Kind, o.Reason, err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for n, r := range responses {
		for i := 0; i < 8*(len(r)-2); i += step {
			flipped := bytes.Clone(r)
			flipped[i/8] ^= 1 << (i % 8)
			replay := &replayed{responses: append(append([][]byte{}, responses[:n]...), append([][]byte{flipped}, responses[n+1:]...)...)}
			o, err := kernel.Process(context.Background(), in, replay)
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind != emv.Approved {
				continue
			}
			if before, now := responses[n], flipped; n != 0 || !aflOnly(before, now) {
				t.Errorf("response %d bit %d: still approved", n, i)
			}
		}
	}
}

// aflOnly reports a change in an AFL entry's first record or file that the replay did not notice.
func aflOnly(before, now []byte) bool {
	i := bytes.Index(before, []byte{0x94})
	for at := range before {
		if before[at] != now[at] {
			return at > i
		}
	}
	return false
}

// Relay resistance: times only ever count against the card. A longer exchange never
// looks shorter, a longer claim about the way never helps beyond the reader's own.
func TestRelayMonotonic(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := Relay{
			ExpectedCommand: uint16(rapid.IntRange(0, 500).Draw(r, "command")), ExpectedReply: uint16(rapid.IntRange(0, 500).Draw(r, "reply")),
		}
		a := relayAnswer{reply: rapid.Uint16().Draw(r, "claim")}
		took := rapid.Int64Range(0, 1<<32).Draw(r, "took")
		m := a.measure(&c, took)
		if later := a.measure(&c, took+rapid.Int64Range(0, 1<<20).Draw(r, "more")); later < m {
			r.Fatalf("longer is %d, shorter %d", later, m)
		}
		if floor := took - int64(c.ExpectedCommand) - int64(c.ExpectedReply); m < min(floor, 0xFFFF) {
			r.Fatalf("measured %d below what the reader itself takes off, %d", m, floor)
		}
		if m < 0 || m > 0xFFFF {
			r.Fatalf("measured %d", m)
		}
	})
}

// Digits are placed where the bitmaps say, the rest stays, and nothing falls outside.
func TestPlace(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(r, "n")
		dd := bytes.Repeat([]byte{'x'}, n)
		bitmap := rapid.SliceOfN(rapid.Byte(), 2, 2).Draw(r, "bitmap")
		count := ones(bitmap)
		place(dd, bitmap, 0, count, []byte("98765432109876543210"))
		seen := 0
		for i := range n {
			set := i < 16 && bitmap[1-i/8]>>(i%8)&1 != 0
			if set != (dd[n-1-i] != 'x') {
				r.Fatalf("position %d of %s, bitmap %X", i, dd, bitmap)
			}
			if set {
				if want := byte('0' + seen%10); dd[n-1-i] != want {
					r.Fatalf("position %d is %c, want %c", i, dd[n-1-i], want)
				}
				seen++
			}
		}
	})
}
