package c4

import (
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
)

// generate sends the only GENERATE AC. A combined signature is asked for where
// it has not failed already and a denial is not asked for (EMV Book 2, 6.6).
func (t *tap) generate() *result {
	var err error
	if t.cdolData, err = dol.Build(make([]byte, 0, 128), t.card.Value(tag.CDOL1), t.value); err != nil {
		return t.end("generate ac", "CDOL1 can't be read", 0) // check saw that it can
	}
	t.p1 = byte(t.asked)
	if t.signs == authCDA && !t.term.TVR.Has(book3.CDAFailed) && t.asked != book3.AAC {
		t.p1 |= book3.CDARequested
	}
	command := apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: t.p1, Data: t.cdolData, Le: 256}
	r, lost, err := t.card.Send(command.Append(make([]byte, 0, 6+len(t.cdolData))))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lost("generate ac")
	case r.SW == apdu.SWReferenceInvalidated && t.mobile() && !t.again:
		return t.seePhone("generate ac", r.SW)
	case !r.OK():
		return t.end("generate ac", "the card refused to make a cryptogram", r.SW)
	}
	return t.answered(r.Data)
}

func (t *tap) answered(response []byte) *result {
	why := "a combined signature is no format 1"
	if t.p1&book3.CDARequested == 0 || len(response) == 0 || response[0] != byte(tag.ResponseFormat1) || aac(response) {
		why = t.card.Generated(response)
	}
	if why == "" {
		why = t.mandatory()
	}
	if why != "" {
		return t.otherInterface("generate ac", why, apdu.SWOK)
	}
	t.card.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK, Language: t.language})
	switch kind := book3.Type(t.cid); {
	case kind == book3.AAC:
		return t.declined("the card declined")
	case kind == book3.Reserved, kind == book3.TC && t.asked != book3.TC, t.asked == book3.AAC:
		return t.refused("card data error", "the card gives more than it was asked for")
	case kind == book3.ARQC && (t.k.CannotGoOnline || t.term.Kind() == book3.OfflineOnly):
		return t.declined("the card wants to go online and the terminal can't")
	}
	if t.p1&book3.CDARequested != 0 {
		verify := t.k.verify
		if verify == nil {
			verify = verifyCombined
		}
		if err := verify(t, response); err != nil {
			t.term.TVR.Set(book3.CDAFailed)
			t.oda = emv.ODAFailed
			return t.refused("CAM failed", "the card could not be authenticated")
		}
		t.oda = emv.ODACDA
	}
	return t.decide()
}

// aac reports an answer in format 1 that declines.
func aac(response []byte) bool {
	return len(response) > 2 && book3.Type(response[2]) == book3.AAC
}

func verifyCombined(t *tap, response []byte) error {
	terminal := append(t.pdolData[:len(t.pdolData):len(t.pdolData)], t.cdolData...)
	return t.card.VerifyCombined(t.k.CAKeys, t.in.AID, t.number, t.in.Transaction.Time, t.term.UN, terminal, response)
}

// mandatory looks for what the answer must have (EMV Book 3, table 13; Book 2, table 18). It says what is missing, or "".
func (t *tap) mandatory() string {
	get := t.card.Value
	if len(get(tag.CID)) != 1 || len(get(tag.ATC)) != 2 {
		return "9F27 or 9F36 is missing"
	}
	t.cid = get(tag.CID)[0]
	signed := book3.Type(t.cid) != book3.AAC && t.p1&book3.CDARequested != 0
	switch {
	case signed && len(get(tag.SDAD)) == 0:
		return "9F4B is missing"
	case !signed && len(get(tag.ApplicationCryptogram)) != 8:
		return "9F26 is missing"
	case len(get(tag.IAD)) > 32:
		return "9F10 is too long"
	}
	return ""
}

// decide is the outcome where the card gave what it was asked for, or less.
func (t *tap) decide() *result {
	if book3.Type(t.cid) == book3.TC {
		o := noOutcome(emv.Approved, "the card approved offline")
		o.UIOutcome = t.ask(emv.MsgApproved, emv.StatusCardReadOK)
		if t.cvm == emv.CVMSignature {
			o.UIOutcome.Message = emv.MsgApprovedSign
		}
		o.CVM, o.Receipt = t.cvm, true
		return t.withData(o)
	}
	o := noOutcome(emv.OnlineRequest, "the issuer decides")
	o.UIOutcome = t.ask(emv.MsgAuthorising, emv.StatusProcessing)
	if t.cvm == emv.CVMOnlinePIN {
		o.UIOutcome.Message, o.UIOutcome.Status = emv.MsgEnterPIN, emv.StatusNotReady
	}
	o.CVM, o.Receipt = t.cvm, t.cvm == emv.CVMSignature
	return t.withData(o)
}
