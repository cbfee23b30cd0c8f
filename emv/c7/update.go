package c7

import (
	"bytes"
	"context"
	"errors"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// requested is what an Online Request keeps for the second presentation.
type requested struct {
	fci    []byte // of the card that asked
	cvm    emv.CVM
	oda    emv.ODA
	record []byte
}

// update is a second start with the issuer's answer. Where the card was asked for
// again it is issuer update processing, as kernel 3 has it (unverified for
// kernel 7): EXTERNAL AUTHENTICATE with the issuer's authentication data, then the
// scripts. The issuer has decided before; whatever the card answers, and even when
// it leaves, the outcome is the issuer's word, with the script results as
// discretionary data, in UnionPay's own tag (DF31, public description). Their
// coding is EMV's. (The form of that outcome is ours: no source was at hand.)
//
// Scripts go to the card that asked for the authorisation only: where Entry
// Point finds another one its SELECT answer differs and nothing is sent. (Ours;
// a card checks the MAC of each command anyway.)
func update(ctx context.Context, in *emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	was, ok := in.Previous.(*requested)
	if !ok {
		return final(in, &requested{cvm: emv.CVMNotGiven}), nil // nothing was asked of a card
	}
	o := final(in, was)
	scripts, commands := parseScripts(in.Online.Scripts)
	if len(in.Online.AuthData) == 0 && len(scripts) == 0 {
		return o, nil
	}
	if !bytes.Equal(in.FCI, was.fci) {
		o.Error = emv.ErrorIndication{Step: "update", Detail: "another card was presented"}
	} else if err := send(ctx, card, in.Online.AuthData, scripts, commands, &o); err != nil {
		return emv.Outcome{}, err
	}
	if len(scripts) > 0 {
		results := make([]byte, 0, MaxScripts*scriptResultLen)
		for _, s := range scripts {
			results = append(append(results, s.result), s.id[:]...)
		}
		o.Discretionary = tlv.Append(nil, tag.ScriptResultsPBOC, results)
	}
	if d, ok := card.(emv.Display); ok && !o.Error.L1 {
		d.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK})
	}
	return o, nil
}

// final is the issuer's word.
func final(in *emv.Input, was *requested) emv.Outcome {
	o := noOutcome(emv.Declined, "the issuer declined")
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgNotAuthorised, Status: emv.StatusIdle}
	if in.Online.Approved {
		o.Kind, o.Reason = emv.Approved, "the issuer approved"
		o.UIOutcome.Message = emv.MsgApproved
		if was.cvm == emv.CVMSignature {
			o.UIOutcome.Message, o.Receipt = emv.MsgApprovedSign, true
		}
	}
	o.CVM, o.ODA, o.DataRecord = was.cvm, was.oda, was.record
	return o
}

// script is one issuer script template. Its commands are commands[from:to].
type script struct {
	id       [4]byte
	result   byte // EMV Book 4, annex A5
	from, to int
}

// Results of a script (EMV Book 4, annex A5); a failed one names the command in its low half.
const (
	scriptNotSent   = 0x00
	scriptFailed    = 0x10
	scriptDone      = 0x20
	scriptResultLen = 5
)

// parseScripts takes 71 and 72 apart in the order in which the issuer sent them.
// A template that can't be read, and what is beyond MaxScripts or
// MaxScriptCommands, is not sent and reported so.
func parseScripts(b []byte) (scripts []script, commands [][]byte) {
	r := tlv.NewReader(b)
	for r.Next() && len(scripts) < MaxScripts {
		if x := r.TLV(); x.Tag != tag.Script1 && x.Tag != tag.Script2 {
			continue
		}
		s := script{from: len(commands), to: len(commands)}
		body := tlv.NewReader(r.TLV().Value)
		for body.Next() {
			switch x := body.TLV(); x.Tag {
			case tag.ScriptID:
				copy(s.id[:], x.Value)
			case tag.ScriptCommand:
				commands = append(commands, x.Value)
			}
		}
		if s.to = len(commands); body.Err() != nil || s.to > MaxScriptCommands {
			commands = commands[:s.from]
			s.to = s.from
		}
		scripts = append(scripts, s)
	}
	return scripts, commands
}

// send authenticates the issuer to the card and sends the scripts. It ends at
// the first exchange that fails on the air; a script ends at its first command
// that the card refuses (SW1 other than 90, 62 and 63), the next one goes on.
func send(ctx context.Context, card emv.Transceiver, auth []byte, scripts []script, commands [][]byte, o *emv.Outcome) error {
	if n := len(auth); n >= 8 && n <= 16 {
		c := apdu.Command{INS: apdu.InsExternalAuth, Data: auth, Le: -1}
		sw, lost, err := exchange(ctx, card, c.Append(make([]byte, 0, 32)))
		if err != nil {
			return err
		}
		if lost {
			o.Error = emv.ErrorIndication{L1: true, Step: "external authenticate"}
			return nil
		}
		if sw != apdu.SWOK {
			o.Error = emv.ErrorIndication{L2: "status bytes", SW: sw, Step: "external authenticate"}
		}
	}
	for i := range scripts {
		s := &scripts[i]
		for n, command := range commands[s.from:s.to] {
			s.result = scriptFailed | byte(min(n+1, 0x0F))
			if _, err := apdu.ParseCommand(command); err != nil {
				break // what is no command is not sent
			}
			sw, lost, err := exchange(ctx, card, command)
			if err != nil {
				return err
			}
			if lost {
				o.Error = emv.ErrorIndication{L1: true, Step: "issuer script"}
				return nil
			}
			if hi := sw >> 8; hi != 0x90 && hi != 0x62 && hi != 0x63 {
				o.Error = emv.ErrorIndication{L2: "status bytes", SW: sw, Step: "issuer script"}
				break
			}
			if s.from+n+1 == s.to {
				s.result = scriptDone
			}
		}
	}
	return nil
}

// exchange sends one command and gives its status word; lost: the card was lost, or answered what is no response.
func exchange(ctx context.Context, card emv.Transceiver, command []byte) (sw uint16, lost bool, err error) {
	b, err := card.Transmit(ctx, command)
	if errors.Is(err, emv.ErrCardLost) {
		return 0, true, nil
	}
	if err != nil {
		return 0, false, err
	}
	r, err := apdu.ParseResponse(b)
	return r.SW, err != nil, nil
}
