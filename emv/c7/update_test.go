package c7

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// second is a card at its second presentation: it answers each command with the
// next status word and keeps what it was sent.
type second struct {
	answers  []string // "lost", "broken", or hex
	commands [][]byte
	shown    []emv.UIRequest
}

func (s *second) Transmit(_ context.Context, command []byte) ([]byte, error) {
	s.commands = append(s.commands, bytes.Clone(command))
	if len(s.commands) > len(s.answers) {
		return unhex("9000"), nil
	}
	switch a := s.answers[len(s.commands)-1]; a {
	case "lost":
		return nil, fmt.Errorf("transmit: %w", emv.ErrCardLost)
	case "broken":
		return nil, errReader
	default:
		return unhex(a), nil
	}
}

func (s *second) Show(r emv.UIRequest) { s.shown = append(s.shown, r) }

// withUpdate is a reader that takes issuer updates.
func withUpdate(in *emv.Input) { in.Indicators.TTQ[2] |= ttq3IssuerUpdate }

// firstTap is an Online Request that may lead back to the card.
func firstTap(t *testing.T, ctqValue string, cvm emv.CVM) (emv.Outcome, emv.Input) {
	t.Helper()
	card := newCard(t)
	card.ctq(ctqValue)
	card.personalise()
	in := usualInput(card, at)
	withUpdate(&in)
	o, err := (&Kernel{Config: Config{CAKeys: caStore(t)}}).Process(context.Background(), in, card)
	if err != nil || o.Kind != emv.OnlineRequest || o.CVM != cvm {
		t.Fatal(o.Kind, o.CVM, o.Reason, err)
	}
	return o, in
}

// The outcome leads back only where both sides take updates.
func TestUpdateIsAgreed(t *testing.T) {
	for _, c := range []struct {
		ctq    string
		reader bool
		want   bool
	}{{"8040", true, true}, {"8000", true, false}, {"8040", false, false}} {
		k := kernelCase{card: ctq(c.ctq), amount: at}
		if c.reader {
			k.input = withUpdate
		}
		o, _ := runCase(t, k)
		if o.Kind != emv.OnlineRequest {
			t.Fatal(o.Reason)
		}
		if !c.want {
			if o.Start != emv.StartNone || o.OnlineResponseData != emv.OnlineNotApplicable || o.UIRestart != nil || o.Memory != nil || o.FieldOff != emv.FieldOffNone {
				t.Errorf("CTQ %s, reader %v: %+v", c.ctq, c.reader, o)
			}
			continue
		}
		if o.Start != emv.StartB || o.OnlineResponseData != emv.OnlineEMVData || o.FieldOff != 0 || o.UIRestart == nil ||
			o.UIRestart.Message != emv.MsgPresentAgain || o.UIRestart.Status != emv.StatusReadyToRead || o.Memory == nil {
			t.Errorf("%+v", o)
		}
	}
}

const (
	arpc10    = "0102030405060708" + "3030"
	script71  = "711C" + "9F180400000071" + "8609841E000004AABBCCDD" + "860884180000" + "03112233"
	script72  = "720F" + "9F180400000072" + "8606841E00000199"
	badScript = "7204" + "8605841E"
)

// The steps are book3.Card.Update's, whose every case kernel 3's tests have; here that this kernel takes them.
func TestUpdate(t *testing.T) {
	for _, c := range []struct {
		name     string
		auth     string
		scripts  string
		answers  []string
		commands []string // hex of what the card must be sent
		results  string   // DF31; "" none
		fault    emv.ErrorIndication
	}{
		{name: "nothing to send"},
		{name: "authentication data", auth: arpc10, commands: []string{"008200000A" + arpc10}},
		{name: "two scripts", auth: arpc10, scripts: script71 + script72,
			commands: []string{"008200000A" + arpc10, "841E000004AABBCCDD", "84180000" + "03112233", "841E00000199"},
			results:  "20000000712000000072"},
		{name: "authentication refused, scripts go on", auth: arpc10, scripts: script72, answers: []string{"6300"},
			commands: []string{"008200000A" + arpc10, "841E00000199"}, results: "2000000072",
			fault: emv.ErrorIndication{L2: "status bytes", SW: 0x6300, Step: "external authenticate"}},
		{name: "lost in the first script", scripts: script71 + script72, answers: []string{"9000", "lost"},
			commands: []string{"841E000004AABBCCDD", "84180000" + "03112233"}, results: "12000000710000000072", fault: emv.ErrorIndication{L1: true, Step: "issuer script"}},
		{name: "a template that can't be read", scripts: badScript, results: "1000000000"},
	} {
		o1, in := firstTap(t, "8040", emv.CVMOnlinePIN)
		for _, approved := range []bool{true, false} {
			card := &second{answers: c.answers}
			in.Start, in.Restart, in.Previous = emv.StartB, true, o1.Memory
			in.Online = &emv.OnlineResponse{Approved: approved, AuthData: unhex(c.auth), Scripts: unhex(c.scripts)}
			o, err := (&Kernel{}).Process(context.Background(), in, card)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			kind, message := emv.Declined, emv.MsgNotAuthorised
			if approved {
				kind, message = emv.Approved, emv.MsgApproved
			}
			if o.Kind != kind || o.UIOutcome.Message != message || o.CVM != emv.CVMOnlinePIN || o.ODA != emv.ODAfDDA || !bytes.Equal(o.DataRecord, o1.DataRecord) || o.Start != emv.StartNone {
				t.Errorf("%s: %v %v %v", c.name, o.Kind, o.CVM, o.UIOutcome)
			}
			if o.Error != c.fault {
				t.Errorf("%s: error %+v, want %+v", c.name, o.Error, c.fault)
			}
			var sent []string
			for _, b := range card.commands {
				sent = append(sent, fmt.Sprintf("%X", b))
			}
			if fmt.Sprint(sent) != fmt.Sprint(c.commands) {
				t.Errorf("%s: sent %v, want %v", c.name, sent, c.commands)
			}
			results, ok := tlv.Find(o.Discretionary, tag.ScriptResultsPBOC)
			if ok != (c.results != "") || !bytes.Equal(results, unhex(c.results)) {
				t.Errorf("%s: DF31 %X, want %s", c.name, results, c.results)
			}
			tried := c.auth != "" || c.scripts != ""
			if beeped := len(card.shown) == 1; beeped != (tried && !c.fault.L1) {
				t.Errorf("%s: shown %v", c.name, card.shown)
			}
		}
	}
}

// Scripts go to the card that asked; without a first tap of this kernel nothing is sent.
func TestUpdateOfAnotherCard(t *testing.T) {
	o1, in := firstTap(t, "4040", emv.CVMSignature)
	in.Start, in.Restart, in.Previous = emv.StartB, true, o1.Memory
	in.Online = &emv.OnlineResponse{Approved: true, AuthData: unhex(arpc10), Scripts: unhex(script72)}
	in.FCI = append(bytes.Clone(in.FCI[:len(in.FCI)-1]), in.FCI[len(in.FCI)-1]^1)
	card := &second{}
	o, err := (&Kernel{}).Process(context.Background(), in, card)
	results, _ := tlv.Find(o.Discretionary, tag.ScriptResultsPBOC)
	if err != nil || len(card.commands) != 0 || o.Kind != emv.Approved || o.Error.Detail == "" || !bytes.Equal(results, unhex("0000000072")) || !o.Receipt || o.UIOutcome.Message != emv.MsgApprovedSign {
		t.Errorf("another card: %+v %v, %d commands", o, err, len(card.commands))
	}
	in.Previous = nil
	o, err = (&Kernel{}).Process(context.Background(), in, card)
	if err != nil || len(card.commands) != 0 || o.Kind != emv.Approved || o.CVM != emv.CVMNotGiven {
		t.Errorf("no first tap: %+v %v, %d commands", o, err, len(card.commands))
	}
}

// A reader that fails is an error at the second tap too.
func TestUpdateReaderFailure(t *testing.T) {
	o1, in := firstTap(t, "8040", emv.CVMOnlinePIN)
	in.Start, in.Restart, in.Previous = emv.StartB, true, o1.Memory
	in.Online = &emv.OnlineResponse{Approved: true, AuthData: unhex(arpc10), Scripts: unhex(script72)}
	for _, answers := range [][]string{{"broken"}, {"9000", "broken"}} {
		if _, err := (&Kernel{}).Process(context.Background(), in, &second{answers: answers}); !errors.Is(err, errReader) {
			t.Errorf("%v: %v", answers, err)
		}
	}
}
