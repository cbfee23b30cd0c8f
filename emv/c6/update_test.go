package c6

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"huika/emv"
	"huika/emv/book3/book3test"
	"huika/emv/tag"
	"huika/emv/tlv"
)

const command71 = "841E000008" + "1122334455667788"

// script is one issuer script template of commands.
func script(t tlv.Tag, commands ...string) []byte {
	body := tlv.Append(nil, tag.ScriptID, unhex("11111111"))
	for _, c := range commands {
		body = tlv.Append(body, tag.ScriptCommand, unhex(c))
	}
	return tlv.Append(nil, t, body)
}

// updates is a terminal that takes issuer updates.
func updates(in *emv.Input) { in.Indicators.TTQ[2] |= ttq3IssuerUpdate }

// Both sides must take issuer updates (3.8).
func TestUpdateAgreed(t *testing.T) {
	for _, c := range []struct {
		card  func(*book3test.Card)
		input func(*emv.Input)
		want  bool
	}{
		{cpr("8010"), updates, true}, {cpr("8000"), updates, false}, {cpr("8010"), func(*emv.Input) {}, false},
	} {
		o, _ := runCase(t, kernelCase{amount: at, card: c.card, input: c.input})
		if o.Kind != emv.OnlineRequest || (o.Memory != nil) != c.want || (o.Start == emv.StartB) != c.want || (o.OnlineResponseData == emv.OnlineEMVData) != c.want || (o.UIRestart != nil) != c.want {
			t.Errorf("%+v", o)
		}
	}
}

func TestUpdate(t *testing.T) {
	first, asked := runCase(t, kernelCase{amount: at, card: cpr("8010"), input: updates})
	signs, _ := runCase(t, kernelCase{amount: at, card: cpr("4010"), input: updates})
	one := script(tag.Script2, command71)
	two := script(tag.Script1, command71, command71)
	for _, c := range []struct {
		name    string
		memory  any
		online  emv.OnlineResponse
		answers []string // to command71, once each; "" lost
		other   bool
		kind    emv.Kind
		message emv.MessageID
		tvr     string
		results string
		shown   int
	}{
		{"no script", first.Memory, emv.OnlineResponse{Approved: true}, nil, false, emv.Approved, emv.MsgApproved, "", "", 0},
		{"no script, signature", signs.Memory, emv.OnlineResponse{Approved: true}, nil, false, emv.Approved, emv.MsgApprovedSign, "", "", 0},
		{"declined", first.Memory, emv.OnlineResponse{}, nil, false, emv.Declined, emv.MsgNotAuthorised, "", "", 0},
		{"script", first.Memory, emv.OnlineResponse{Approved: true, Scripts: one}, []string{"9000"}, false, emv.Approved, emv.MsgApproved, "8000048000", "2011111111", 1},
		{"script with two commands", first.Memory, emv.OnlineResponse{Approved: true, Scripts: two}, []string{"9000", "6200"}, false, emv.Approved, emv.MsgApproved, "8000048000", "2011111111", 1},
		{"the card does not believe the issuer", first.Memory, emv.OnlineResponse{Approved: true, Scripts: two}, []string{"6982"}, false, emv.Approved, emv.MsgApproved, "8000048060", "1111111111", 1},
		{"the second command is refused", first.Memory, emv.OnlineResponse{Scripts: two}, []string{"9000", "6985"}, false, emv.Declined, emv.MsgNotAuthorised, "8000048020", "1211111111", 1},
		{"lost", first.Memory, emv.OnlineResponse{Approved: true, Scripts: one}, []string{""}, false, emv.Approved, emv.MsgApproved, "8000048020", "1111111111", 0},
		{"two scripts", first.Memory, emv.OnlineResponse{Approved: true, Scripts: append(bytes.Clone(one), two...)}, nil, false, emv.Approved, emv.MsgApproved, "8000048000", "00111111110011111111", 0},
		{"another card", first.Memory, emv.OnlineResponse{Approved: true, Scripts: one}, nil, true, emv.Approved, emv.MsgApproved, "8000048000", "0011111111", 0},
		{"no memory", nil, emv.OnlineResponse{Approved: true, Scripts: one}, nil, false, emv.Approved, emv.MsgApproved, "", "", 0},
	} {
		card := newCard(t)
		for i, a := range c.answers {
			card.First = append(card.First, book3test.Step{Command: command71, Response: a})
			if a == "" {
				card.LostAt = i
			}
		}
		in := usualInput(asked, at)
		in.Previous, in.Online = c.memory, &c.online
		if c.other {
			in.FCI = append(bytes.Clone(in.FCI), 0)
		}
		o, err := (&Kernel{}).Process(context.Background(), in, card)
		if err != nil || o.Kind != c.kind || o.UIOutcome.Message != c.message || len(card.Commands) != len(c.answers) || o.Start != emv.StartNone || len(card.Shown) != c.shown {
			t.Errorf("%s: %v after %d commands: %+v %v", c.name, o.Kind, len(card.Commands), o, err)
		}
		tvr, _ := tlv.Find(o.Discretionary, tag.TVR)
		results, _ := tlv.Find(o.Discretionary, tag.ScriptResults)
		if !bytes.Equal(tvr, unhex(c.tvr)) || !bytes.Equal(results, unhex(c.results)) {
			t.Errorf("%s: TVR %X, want %s; 9F5B %X, want %s", c.name, tvr, c.tvr, results, c.results)
		}
	}
	card := newCard(t)
	card.Broken = 0
	in := usualInput(asked, at)
	in.Previous, in.Online = first.Memory, &emv.OnlineResponse{Scripts: one}
	if _, err := (&Kernel{}).Process(context.Background(), in, card); !errors.Is(err, book3test.ErrReader) {
		t.Errorf("reader failure: %v", err)
	}
}
