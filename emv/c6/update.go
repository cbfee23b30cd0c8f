package c6

import (
	"bytes"
	"context"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// requested is what an Online Request keeps for the second presentation.
type requested struct {
	fci      []byte // of the card that asked
	outcome  emv.Outcome
	tvr      book3.TVR
	language []byte
}

// update is issuer update processing at the second presentation (figure 27): the
// commands of one script template. The card authenticates the issuer by them: an
// answer of 6982 says that it does not believe. The issuer has decided before;
// whatever the card answers, and even when it leaves, the outcome is the
// issuer's word. (That is ours: the figure ends the application either way.)
//
// Scripts go to the card that asked for the authorisation only. (Ours.)
func update(ctx context.Context, in *emv.Input, to emv.Transceiver) (emv.Outcome, error) {
	was, ok := in.Previous.(*requested)
	if !ok {
		return final(in, &requested{outcome: noOutcome(emv.OnlineRequest, "")}), nil // nothing was asked of a card
	}
	o := final(in, was)
	scripts := book3.ParseScripts(in.Online.Scripts)
	tvr := was.tvr
	switch {
	case len(scripts) == 0:
		return o, nil
	case !bytes.Equal(in.FCI, was.fci):
		o.Error = emv.ErrorIndication{Step: "update", Detail: "another card was presented"}
	case len(scripts) > 1: // 27.1b
		o.Error = emv.ErrorIndication{Step: "update", Detail: "more than one issuer script"}
	default:
		card := book3.NewCard(ctx, to)
		sw, lost, err := card.Run(&scripts[0])
		switch {
		case err != nil:
			return emv.Outcome{}, err
		case lost:
			o.Error = emv.ErrorIndication{L1: true, Step: "issuer script"}
		case sw != 0:
			o.Error = emv.ErrorIndication{L2: "status bytes", SW: sw, Step: "issuer script"}
		}
		if sw == apdu.SWSecurityStatus { // 27.5a
			tvr.Set(book3.IssuerAuthFailed)
		}
		if scripts[0].Failed() { // 27.5b
			tvr.Set(book3.ScriptBefore)
		}
		if !lost {
			card.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK, Language: was.language})
		}
	}
	o.Discretionary = tlv.Append(tlv.Append(nil, tag.TVR, tvr[:]), tag.ScriptResults, book3.Results(scripts))
	return o, nil
}

// final is the issuer's word.
func final(in *emv.Input, was *requested) emv.Outcome {
	o := noOutcome(emv.Declined, "the issuer declined")
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgNotAuthorised, Status: emv.StatusIdle, Language: was.language}
	if in.Online.Approved {
		o.Kind, o.Reason = emv.Approved, "the issuer approved"
		o.UIOutcome.Message = emv.MsgApproved
		if was.outcome.CVM == emv.CVMSignature {
			o.UIOutcome.Message, o.Receipt = emv.MsgApprovedSign, true
		}
	}
	o.CVM, o.ODA, o.DataRecord = was.outcome.CVM, was.outcome.ODA, was.outcome.DataRecord
	return o
}
