package c3

import (
	"bytes"
	"context"
	"testing"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
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

// FuzzKernelResponses: whatever a card answers, the kernel does not panic, sends
// a bounded number of commands, approves only a TC that a verified fDDA signature
// stands behind and nobody wanted online, and asks no less of the cardholder
// than the terminal's limit does.
func FuzzKernelResponses(f *testing.F) {
	genuine := newCard(f)
	genuine.personalise()
	fci := genuine.fci()
	seed := func(change ...func(*scripted)) {
		c := newCard(f)
		for _, g := range change {
			g(c)
		}
		c.personalise()
		var all []byte
		in := usualInput(c, at)
		offline(&in)
		if _, err := (&Kernel{Config: Config{CAKeys: caStore(f)}}).Process(context.Background(), in, &recorder{card: c, out: &all}); err != nil {
			f.Fatal(err)
		}
		f.Add(all, c.fci(), int64(at))
	}
	seed()
	seed(asTC, ctq("0000"))
	seed(asTC, ctq("0080"))
	seed(static)
	seed(ctq("0080"), auth(""))
	f.Add([]byte{2, 0x69, 0x86}, fci, int64(1))
	f.Add([]byte{}, []byte{}, int64(0))
	config := Config{CAKeys: caStore(f), CashCheck: true, LimitSets: []LimitSet{{ProgramID: []byte{1}, CVMLimit: limit(10_000), TransactionLimit: limit(1 << 40)}}}
	f.Fuzz(func(t *testing.T, responses, fci []byte, amount int64) {
		if amount < 0 {
			amount = -(amount + 1)
		}
		amount %= 1_000_000_000_000
		for _, wantsOnline := range []bool{true, false} {
			in := usualInput(genuine, amount)
			if !wantsOnline {
				offline(&in)
			}
			in.FCI = fci
			card := &randomCard{data: responses}
			o, err := (&Kernel{Config: config}).Process(context.Background(), in, card)
			if err != nil {
				t.Fatalf("error %v", err)
			}
			if card.commands > 1+MaxRecords {
				t.Fatalf("%d commands", card.commands)
			}
			_, program := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary, tag.ApplicationProgramID)
			if o.Kind == emv.Approved && (o.ODA != emv.ODAfDDA || wantsOnline && amount > 0 && !program) {
				t.Fatalf("approved: %+v", o)
			}
			cid, _ := tlv.Find(o.DataRecord, tag.CID)
			if o.Kind == emv.Approved && (len(cid) != 1 || cid[0] != byte(tc)) {
				t.Fatalf("approved without a TC: %+v", o)
			}
			if amount >= at && !program && (o.Kind == emv.OnlineRequest || o.Kind == emv.Approved) && o.CVM == emv.CVMNone {
				t.Fatalf("no CVM above the limit: %+v", o)
			}
			if o.Kind == emv.NoOutcome || o.Kind == 0 {
				t.Fatalf("no outcome")
			}
		}
	})
}

// FuzzScripts: whatever the issuer sends, the kernel sends a bounded number of
// commands and ends in the issuer's word.
func FuzzScripts(f *testing.F) {
	f.Add(unhex(script71+script72), unhex(arpc10), []byte{2, 0x90, 0x00})
	f.Add(unhex(badScript), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, scripts, auth, responses []byte) {
		card := &randomCard{data: responses}
		in := emv.Input{FCI: []byte{1}, Previous: &requested{fci: []byte{1}}, Online: &emv.OnlineResponse{Approved: true, AuthData: auth, Scripts: scripts}}
		o, err := (&Kernel{}).Process(context.Background(), in, card)
		if err != nil || o.Kind != emv.Approved || card.commands > 1+book3.MaxScriptCommands {
			t.Fatalf("%v after %d commands, %v", o.Kind, card.commands, err)
		}
		results, _ := tlv.Find(o.Discretionary, tag.ScriptResults)
		if len(results) > book3.MaxScripts*5 || len(results)%5 != 0 {
			t.Fatalf("9F5B %X", results)
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
	card := newCard(t)
	card.personalise()
	var responses [][]byte
	keep := func(n int, r []byte) []byte { responses = append(responses, bytes.Clone(r)); return r }
	card.raw = keep
	kernel := &Kernel{Config: Config{CAKeys: caStore(t)}}
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
