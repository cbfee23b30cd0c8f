package c5

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"huika/emv"
	"huika/emv/book3/book3test"
	"huika/emv/tag"
	"huika/emv/tlv"
)

const (
	hisAuth   = "0102030480800000"
	command71 = "841E000008" + "1122334455667788"
	command72 = "8418000008" + "1122334455667788"
	secondTC  = "77" + "1C" + "9F270140" + "9F36020240" + "9F2608AAAAAAAAAAAAAAAA" + "9F10050102030409" + "9000"
	secondAAC = "77" + "1C" + "9F270100" + "9F36020240" + "9F2608AAAAAAAAAAAAAAAA" + "9F10050102030409" + "9000"
)

// second is the second GENERATE AC for P1, response code and TVR.
func second(p1, arc, tvr string) string {
	return "80AE" + p1 + "0019" + arc + "000000100001" + tvr + hisAuth + "11223344" + "00"
}

// script is one issuer script template of one command.
func script(t tlv.Tag, command string) []byte {
	body := tlv.Append(nil, tag.ScriptID, unhex("11111111"))
	return tlv.Append(nil, t, tlv.Append(body, tag.ScriptCommand, unhex(command)))
}

// updating is a card that asks for the issuer's answer in a second presentation.
func updating(c *book3test.Card) {
	answer(tag.UpdateParameter, "02")(c)
	rec1(tag.CDOL2, usualCDO2)(c)
}

func TestUpdate(t *testing.T) {
	first, asked := runCase(t, kernelCase{amount: at, card: updating})
	if first.Memory == nil {
		t.Fatalf("%+v", first)
	}
	noCDOL2, _ := runCase(t, kernelCase{amount: at, card: answer(tag.UpdateParameter, "02")})
	signs, _ := runCase(t, kernelCase{amount: at, card: both(updating, cvm("10"))})
	tc, aac := book3test.Step{Command: second("40", "3030", "0000008000"), Response: secondTC}, book3test.Step{Command: second("00", "3035", "0000008000"), Response: secondAAC}
	step := func(c, r string) book3test.Step { return book3test.Step{Command: c, Response: r} }
	yes := emv.OnlineResponse{Approved: true, ResponseCode: "00", AuthData: unhex(hisAuth)}
	no := emv.OnlineResponse{ResponseCode: "05", AuthData: unhex(hisAuth)}
	with := func(o emv.OnlineResponse, scripts ...[]byte) emv.OnlineResponse {
		o.Scripts = bytes.Join(scripts, nil)
		return o
	}
	bare := func(o emv.OnlineResponse, scripts ...[]byte) emv.OnlineResponse {
		o.AuthData = nil
		return with(o, scripts...)
	}
	s71, s72 := script(tag.Script1, command71), script(tag.Script2, command72)
	for _, c := range []struct {
		name    string
		memory  any
		online  emv.OnlineResponse
		steps   []book3test.Step
		lostAt  int // after so many commands; 0: never
		otherID bool
		kind    emv.Kind
		reason  string
		tvr     string
		results string
		message emv.MessageID
	}{
		{name: "issuer and card approve", memory: first.Memory, online: yes, steps: []book3test.Step{tc}, kind: emv.Approved, reason: "issuer and card", message: emv.MsgApproved},
		{name: "the card does not approve", memory: first.Memory, online: yes, steps: []book3test.Step{step(tc.Command, secondAAC)}, kind: emv.Declined, reason: "the card declined", message: emv.MsgNotAuthorised},
		{name: "the issuer declines", memory: first.Memory, online: no, steps: []book3test.Step{aac}, kind: emv.Declined, reason: "the card declined", message: emv.MsgNotAuthorised},
		{name: "a TC that nobody asked for", memory: first.Memory, online: no, steps: []book3test.Step{step(aac.Command, secondTC)}, kind: emv.Declined, reason: "the card declined", message: emv.MsgNotAuthorised},
		{name: "signature", memory: signs.Memory, online: yes, steps: []book3test.Step{tc}, kind: emv.Approved, reason: "issuer and card", message: emv.MsgApprovedSign},
		{name: "critical script", memory: first.Memory, online: with(yes, s71), steps: []book3test.Step{step(command71, "9000"), tc}, kind: emv.Approved, results: "2011111111", message: emv.MsgApproved},
		{name: "critical script with a warning", memory: first.Memory, online: with(yes, s71), steps: []book3test.Step{step(command71, "6283"), tc}, kind: emv.Approved, results: "2011111111", message: emv.MsgApproved},
		{name: "critical script fails", memory: first.Memory, online: with(yes, s71), steps: []book3test.Step{step(command71, "6985"), step(second("40", "3030", "0000008020"), secondTC)},
			kind: emv.Approved, tvr: "0000008020", results: "1111111111", message: emv.MsgApproved},
		{name: "script afterwards", memory: first.Memory, online: with(yes, s72), steps: []book3test.Step{tc, step(command72, "9000")}, kind: emv.Approved, results: "2011111111", message: emv.MsgApproved},
		{name: "script afterwards fails", memory: first.Memory, online: with(yes, s72), steps: []book3test.Step{tc, step(command72, "6985")}, kind: emv.Approved, tvr: "0000008010", results: "1111111111", message: emv.MsgApproved},
		{name: "script afterwards, card lost", memory: first.Memory, online: with(yes, s72), steps: []book3test.Step{tc, step(command72, "9000")}, lostAt: 1, kind: emv.Approved, tvr: "0000008010", results: "1111111111", message: emv.MsgApproved},
		{name: "both scripts", memory: first.Memory, online: with(yes, s72, s71), steps: []book3test.Step{step(command71, "9000"), tc, step(command72, "9000")}, kind: emv.Approved, results: "2011111111" + "2011111111", message: emv.MsgApproved},
		{name: "critical script only: no second cryptogram", memory: first.Memory, online: bare(yes, s71), steps: []book3test.Step{step(command71, "9000")}, kind: emv.Approved, reason: "the issuer approved", results: "2011111111", message: emv.MsgApproved},
		{name: "script afterwards only", memory: first.Memory, online: bare(yes, s72), steps: []book3test.Step{step(strings.Replace(tc.Command, hisAuth, "0000000000000000", 1), secondTC), step(command72, "9000")}, kind: emv.Approved, results: "2011111111", message: emv.MsgApproved},
		{name: "nothing for the card", memory: first.Memory, online: emv.OnlineResponse{Approved: true, ResponseCode: "00"}, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "nothing for the card, signature", memory: signs.Memory, online: emv.OnlineResponse{Approved: true, ResponseCode: "00"}, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApprovedSign},
		{name: "nothing for the card, declined", memory: first.Memory, online: emv.OnlineResponse{ResponseCode: "05"}, kind: emv.Declined, reason: "the issuer declined", message: emv.MsgNotAuthorised},
		{name: "lost at the critical script", memory: first.Memory, online: with(yes, s71), steps: []book3test.Step{step(command71, "9000")}, lostAt: -1, kind: emv.Approved, reason: "the issuer approved", tvr: "0000008020", results: "1111111111", message: emv.MsgApproved},
		{name: "lost at the second cryptogram", memory: first.Memory, online: yes, steps: []book3test.Step{tc}, lostAt: -1, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "second cryptogram refused", memory: first.Memory, online: yes, steps: []book3test.Step{step(tc.Command, "6985")}, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "second answer without 9F26", memory: first.Memory, online: yes, steps: []book3test.Step{step(tc.Command, "77099F2701409F360202409000")}, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "second answer in format 80", memory: first.Memory, online: yes, steps: []book3test.Step{step(tc.Command, "800B400240AAAAAAAAAAAAAAAA9000")}, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "card without CDOL2", memory: noCDOL2.Memory, online: yes, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "another card", memory: first.Memory, online: yes, otherID: true, kind: emv.Approved, reason: "the issuer approved", message: emv.MsgApproved},
		{name: "no memory", online: no, kind: emv.Declined, reason: "the issuer declined", message: emv.MsgNotAuthorised},
	} {
		card := newCard(t)
		card.First = c.steps
		switch {
		case c.lostAt > 0:
			card.LostAt = c.lostAt
		case c.lostAt < 0:
			card.LostAt = 0
		}
		in := usualInput(asked, at)
		in.Previous, in.Online = c.memory, &c.online
		if c.otherID {
			in.FCI = append(bytes.Clone(in.FCI), 0)
		}
		o, err := (&Kernel{Config: usualConfig(t)}).Process(context.Background(), in, card)
		if err != nil || o.Kind != c.kind || !strings.Contains(o.Reason, c.reason) || o.UIOutcome.Message != c.message || len(card.Commands) != len(c.steps) || o.Start != emv.StartNone {
			t.Errorf("%s: %v after %d commands: %s %+v %+v %v", c.name, o.Kind, len(card.Commands), o.Reason, o.Error, o.UIOutcome, err)
		}
		tvr, _ := tlv.Find(o.Discretionary, tag.TVR)
		if want := c.tvr; want != "" && !bytes.Equal(tvr, unhex(want)) {
			t.Errorf("%s: TVR %X, want %s", c.name, tvr, want)
		}
		if sent, _ := tlv.Find(o.DataRecord, tag.TVR); len(sent) == 5 && sent[4]&0x10 != 0 {
			t.Errorf("%s: the record has a TVR that no cryptogram covers: %X", c.name, sent)
		}
		if v, _ := tlv.Find(o.Discretionary, tag.ScriptResults); !bytes.Equal(v, unhex(c.results)) {
			t.Errorf("%s: 9F5B %X, want %s", c.name, v, c.results)
		}
		if cid, _ := tlv.Find(o.DataRecord, tag.CID); strings.Contains(c.reason, "and card") && !bytes.Equal(cid, unhex("40")) {
			t.Errorf("%s: the record has 9F27 %X", c.name, cid)
		}
	}
	card := newCard(t)
	card.Broken = 0
	in := usualInput(asked, at)
	in.Previous, in.Online = first.Memory, &yes
	if _, err := (&Kernel{}).Process(context.Background(), in, card); !errors.Is(err, book3test.ErrReader) {
		t.Errorf("reader failure: %v", err)
	}
}

// A card that was lost at GENERATE AC is asked for its last cryptogram, which belongs to the number that was sent then.
func TestRecovery(t *testing.T) {
	const echoes = "80DF000000"
	made := func(change ...func(*book3test.Card)) *book3test.Card {
		c := newCard(t)
		both(change...)(c)
		c.Personalise()
		return c
	}
	kernel := &Kernel{Config: usualConfig(t)}
	process := func(card *book3test.Card, amount int64, previous any, un string) emv.Outcome {
		t.Helper()
		in := usualInput(card, amount)
		in.Previous, in.Rand = previous, bytes.NewReader(unhex(un))
		o, err := kernel.Process(context.Background(), in, card)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	recorder := &book3test.Recorder{Card: made()}
	if _, err := kernel.Process(context.Background(), usualInput(recorder.Card, at), recorder); err != nil {
		t.Fatal(err)
	}
	answered := hex.EncodeToString(recorder.All[5])
	torn := process(made(lost(5)), at, nil, "11223344")
	if torn.Memory == nil || torn.Kind != emv.EndApplication || torn.Start != emv.StartB {
		t.Fatalf("%+v", torn)
	}
	echo := func(response string) func(*book3test.Card) {
		return func(c *book3test.Card) { c.First = []book3test.Step{{Command: echoes, Response: response}} }
	}
	warned := func(c *book3test.Card) {
		c.Raw = func(n int, r []byte) []byte {
			if n == 1 {
				copy(r[len(r)-2:], unhex("6200"))
			}
			return r
		}
	}
	for _, c := range []struct {
		name     string
		card     []func(*book3test.Card)
		amount   int64
		kind     emv.Kind
		reason   string
		oda      emv.ODA
		un       string // in the record
		commands int
		memory   bool
	}{
		{"recovered", []func(*book3test.Card){echo(answered)}, at, emv.OnlineRequest, "", emv.ODACDA, "11223344", all, false},
		{"recovered, GPO warns", []func(*book3test.Card){echo(answered), warned}, at, emv.OnlineRequest, "", emv.ODACDA, "11223344", all, false},
		{"the card has none", []func(*book3test.Card){echo("6985")}, at, emv.OnlineRequest, "", emv.ODACDA, "55667788", all + 1, false},
		{"the card does not know ECHO", []func(*book3test.Card){echo("6D00")}, at, emv.OnlineRequest, "", emv.ODACDA, "55667788", all + 1, false},
		{"lost again at ECHO", []func(*book3test.Card){echo(answered), lost(0)}, at, emv.EndApplication, "lost", emv.ODANone, "", 1, false},
		{"lost at a record", []func(*book3test.Card){echo(answered), lost(3)}, at, emv.EndApplication, "lost", emv.ODANone, "", 4, false},
		{"lost at GPO", []func(*book3test.Card){echo(answered), lost(1)}, at, emv.EndApplication, "lost", emv.ODANone, "", 2, false},
		{"GPO refused", []func(*book3test.Card){echo(answered), status(1, "6985")}, at, emv.EndApplication, "refused", emv.ODANone, "", 2, false},
		{"record refused", []func(*book3test.Card){echo(answered), status(2, "6A83")}, at, emv.EndApplication, "refused READ RECORD", emv.ODANone, "", 3, false},
		{"another card", []func(*book3test.Card){echo(answered), rec1(tag.Track2, "3566002020360513D30122010000000000"), rec1(tag.PAN, "3566002020360513")}, at, emv.EndApplication, "another card", emv.ODANone, "", all, false},
		{"another amount", []func(*book3test.Card){echo(answered)}, above, emv.EndApplication, "another card", emv.ODANone, "", all, false},
		{"card without 5F24", []func(*book3test.Card){echo(answered), without(tag.ExpirationDate)}, at, emv.EndApplication, "5F24", emv.ODANone, "", all, false},
		{"another answer", []func(*book3test.Card){echo(strings.Replace(answered, "9f360202", "9f360203", 1))}, at, emv.Declined, "could not be authenticated", emv.ODAFailed, "11223344", all, false},
		{"answer that is none", []func(*book3test.Card){echo("9000")}, at, emv.Declined, "no template 77", emv.ODANone, "11223344", all, false},
		{"legacy card", []func(*book3test.Card){legacy}, at, emv.EndApplication, "legacy", emv.ODANone, "", 0, false},
		{"FCI without 84", []func(*book3test.Card){func(c *book3test.Card) { c.Nameless = true }}, at, emv.EndApplication, "84", emv.ODANone, "", 0, false},
		{"torn a second time", []func(*book3test.Card){echo("6985"), lost(6)}, at, emv.EndApplication, "lost", emv.ODANone, "", all + 1, true},
	} {
		card := made(c.card...)
		o := process(card, c.amount, torn.Memory, "55667788")
		if o.Kind != c.kind || !strings.Contains(o.Reason, c.reason) || o.ODA != c.oda || len(card.Commands) != c.commands || (o.Memory != nil) != c.memory {
			t.Errorf("%s: %v %v after %d commands, memory %v: %s %+v", c.name, o.Kind, o.ODA, len(card.Commands), o.Memory != nil, o.Reason, o.Error)
		}
		if un, _ := tlv.Find(o.DataRecord, tag.UN); !bytes.Equal(un, unhex(c.un)) {
			t.Errorf("%s: 9F37 %X, want %s", c.name, un, c.un)
		}
	}
	card := made(echo(answered))
	card.Broken = 0
	in := usualInput(card, at)
	in.Previous = torn.Memory
	if _, err := kernel.Process(context.Background(), in, card); !errors.Is(err, book3test.ErrReader) {
		t.Errorf("reader failure: %v", err)
	}
}

// FuzzUpdate: whatever the issuer sends and the card answers, the kernel sends a
// bounded number of commands, and never approves what the issuer declined.
func FuzzUpdate(f *testing.F) {
	first, asked := runCase(f, kernelCase{amount: at, card: updating})
	f.Add(append(script(tag.Script1, command71), script(tag.Script2, command72)...), unhex(hisAuth), []byte{2, 0x90, 0x00}, true)
	f.Add([]byte{}, unhex(hisAuth), append([]byte{byte(len(secondTC) / 2)}, unhex(secondTC)...), false)
	f.Fuzz(func(t *testing.T, scripts, auth, responses []byte, yes bool) {
		card := &book3test.Random{Data: responses}
		in := usualInput(asked, at)
		in.Previous = first.Memory
		in.Online = &emv.OnlineResponse{Approved: yes, ResponseCode: "00", AuthData: auth, Scripts: scripts}
		o, err := (&Kernel{Config: Defaults()}).Process(context.Background(), in, card)
		if err != nil || card.Commands > 64 || (o.Kind != emv.Approved && o.Kind != emv.Declined) || (o.Kind == emv.Approved && !yes) {
			t.Fatalf("%v after %d commands, %v", o.Kind, card.Commands, err)
		}
	})
}
