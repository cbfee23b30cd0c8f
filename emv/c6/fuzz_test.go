package c6

import (
	"bytes"
	"context"
	"testing"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/book3/book3test"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// FuzzKernelResponses: whatever a card answers, the kernel does not panic, sends a
// bounded number of commands, approves only a TC with a verified signature that
// nobody wanted online, and asks no less of the cardholder than the limit does.
func FuzzKernelResponses(f *testing.F) {
	genuine := newCard(f)
	genuine.Personalise()
	fci := genuine.FCI()
	seed := func(change ...func(*book3test.Card)) {
		c := newCard(f)
		both(change...)(c)
		c.Personalise()
		recorder := &book3test.Recorder{Card: c}
		in := usualInput(c, at)
		offline(&in)
		kernel := &Kernel{Config: usualConfig(f)}
		if _, err := kernel.Process(context.Background(), in, recorder); err != nil {
			f.Fatal(err)
		}
		f.Add(recorder.Out, c.FCI(), int64(at))
	}
	seed()
	seed(asTC)
	seed(asTC, clone)
	seed(asAAC)
	seed(cpr("1000"), gpo(tag.IAD, verifiedIAD))
	seed(afl(""))
	f.Add([]byte{2, 0x69, 0x86}, fci, int64(1))
	f.Add([]byte{}, []byte{}, int64(0))
	f.Fuzz(func(t *testing.T, responses, fci []byte, amount int64) {
		if amount < 0 {
			amount = -(amount + 1)
		}
		amount %= 1_000_000_000_000
		for _, wantsOnline := range []bool{true, false} {
			in := usualInput(genuine, amount)
			in.FCI = fci
			config := usualConfig(t)
			if !wantsOnline {
				offline(&in)
			}
			card := &book3test.Random{Data: responses}
			o, err := (&Kernel{Config: config}).Process(context.Background(), in, card)
			if err != nil {
				t.Fatalf("error %v", err)
			}
			if card.Commands > 2+book3.MaxRecords {
				t.Fatalf("%d commands", card.Commands)
			}
			if o.Kind == emv.NoOutcome || o.Kind == 0 {
				t.Fatalf("no outcome")
			}
			cid, _ := tlv.Find(o.DataRecord, tag.CID)
			if o.Kind == emv.Approved && (o.ODA != emv.ODACDA || len(cid) != 1 || book3.Type(cid[0]) != book3.TC || (wantsOnline && amount > 0)) {
				t.Fatalf("approved: %+v", o)
			}
			if o.Kind == emv.OnlineRequest && (len(cid) != 1 || book3.Type(cid[0]) == book3.AAC || book3.Type(cid[0]) == book3.Reserved) {
				t.Fatalf("online with %X", cid)
			}
			if amount < at || (o.Kind != emv.Approved && o.Kind != emv.OnlineRequest) {
				continue
			}
			tvr, _ := tlv.Find(o.DataRecord, tag.TVR)
			noted := len(tvr) == 5 && tvr[2]&0x80 != 0 && o.Kind == emv.OnlineRequest // the issuer reads that nobody was verified
			if o.CVM == emv.CVMNone || (o.CVM == emv.CVMNotGiven && !noted) {
				t.Fatalf("no CVM above the limit: %+v", o)
			}
		}
	})
}

// A bit flipped in any response of a genuine card that approves leads to no
// approval, unless it is in what nobody uses: then the data record is the same.
func TestEveryFlip(t *testing.T) {
	card := newCard(t)
	asTC(card)
	card.Personalise()
	recorder := &book3test.Recorder{Card: card}
	in := usualInput(card, 8880)
	offline(&in)
	kernel := &Kernel{Config: usualConfig(t)}
	want, err := kernel.Process(context.Background(), in, recorder)
	if err != nil || want.Kind != emv.Approved {
		t.Fatal(want.Kind, want.Reason, err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	approvals := 0
	for i, r := range recorder.All {
		for bit := 0; bit < 8*len(r); bit += step {
			responses := append([][]byte(nil), recorder.All...)
			responses[i] = bytes.Clone(r)
			responses[i][bit/8] ^= 1 << (bit % 8)
			o, err := kernel.Process(context.Background(), in, &book3test.Replayed{Responses: responses})
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind != emv.Approved {
				continue
			}
			if approvals++; !bytes.Equal(o.DataRecord, want.DataRecord) || o.CVM != want.CVM {
				t.Errorf("response %d, bit %d: approved with other data", i, bit)
			}
		}
	}
	t.Logf("%d flips that change nothing", approvals)
}
