package c7

import (
	"bytes"
	"context"

	"huika/emv"
	"huika/emv/book3"
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
func update(ctx context.Context, in *emv.Input, to emv.Transceiver) (emv.Outcome, error) {
	was, ok := in.Previous.(*requested)
	if !ok {
		return final(in, &requested{cvm: emv.CVMNotGiven}), nil // nothing was asked of a card
	}
	o := final(in, was)
	if len(in.Online.AuthData) == 0 && len(in.Online.Scripts) == 0 {
		return o, nil
	}
	card := book3.NewCard(ctx, to)
	var results []byte
	if !bytes.Equal(in.FCI, was.fci) {
		o.Error = emv.ErrorIndication{Step: "update", Detail: "another card was presented"}
		if scripts := book3.ParseScripts(in.Online.Scripts); len(scripts) > 0 {
			results = book3.Results(scripts) // none was sent
		}
	} else {
		var err error
		if results, o.Error, err = card.Update(in.Online); err != nil {
			return emv.Outcome{}, err
		}
	}
	if results != nil {
		o.Discretionary = tlv.Append(nil, tag.ScriptResultsPBOC, results)
	}
	if !o.Error.L1 {
		card.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK})
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
