package c5

import (
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
)

func generateAC(p1 byte, data []byte) []byte {
	return apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: p1, Data: data, Le: 256}.Append(make([]byte, 0, 6+len(data)))
}

// generate sends GENERATE AC (5.8.1, 5.10.1). A card that is lost now may have
// made its cryptogram: what is needed to ask for it again goes into the memory.
func (t *tap) generate() *result {
	var err error
	if t.cdolData, err = dol.Build(make([]byte, 0, 128), t.card.Value(tag.CDOL1), t.value); err != nil {
		return t.selectNext("generate ac", "CDOL1 can't be read", 0) // check saw that it can
	}
	t.p1 = byte(t.asked)
	if t.signs() {
		t.p1 |= book3.CDARequested // 5.8.1.4
	}
	r, lost, err := t.card.Send(generateAC(t.p1, t.cdolData))
	switch {
	case err != nil:
		return &result{err: err}
	case lost && !t.legacy:
		return t.lost("generate ac", t.tear())
	case lost:
		return t.lost("generate ac", nil)
	case r.SW == apdu.SWSeePhone && !t.legacy: // 5.8.1.5
		return t.seePhone()
	case r.SW == apdu.SWReferenceInvalidated && !t.legacy: // 5.8.1.6
		return t.tryAnother(r.SW)
	case !r.OK(): // 5.8.1.7
		return t.selectNext("generate ac", "the card refused to make a cryptogram", r.SW)
	}
	return t.answered(r.Data)
}

// answered takes the answer of GENERATE AC, or of ECHO (5.8.1.8 to 5.8.4).
func (t *tap) answered(response []byte) *result {
	format := tag.ResponseFormat2
	if t.legacy {
		format = tag.ResponseFormat1
	}
	why := "the response is no template " + format.String()
	if len(response) > 0 && response[0] == byte(format) {
		why = t.card.Generated(response)
	}
	if why == "" {
		why = t.mandatory()
	}
	if why != "" {
		return t.refused("card data missing", why)
	}
	t.card.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK, Language: t.language})
	switch kind := book3.Type(t.cid); {
	case kind == book3.AAC: // 5.8.1.9
		return t.declined("the card declined")
	case kind == book3.Reserved, kind == book3.TC && t.asked != book3.TC, t.asked == book3.AAC: // 5.8.1.10
		return t.refused("card data error", "the card gives more than it was asked for")
	}
	if t.p1&book3.CDARequested != 0 { // 5.8.1.11, 5.8.2
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
	if why := t.verifyCardholder(); why != "" {
		return t.refused("cardholder verification", why)
	}
	return t.decide()
}

func verifyCombined(t *tap, response []byte) error {
	terminal := append(t.pdolData[:len(t.pdolData):len(t.pdolData)], t.cdolData...)
	return t.card.VerifyCombined(t.k.CAKeys, t.in.AID, t.number, t.in.Transaction.Time, t.term.UN, terminal, response)
}

// mandatory looks for what the answer must have (5.8.1.8, 5.10.1.5). It says what is missing, or "".
func (t *tap) mandatory() string {
	get := t.card.Value
	if len(get(tag.CID)) != 1 || len(get(tag.ATC)) != 2 {
		return "9F27 or 9F36 is missing"
	}
	t.cid = get(tag.CID)[0]
	declines := book3.Type(t.cid) == book3.AAC
	switch {
	case !declines && t.p1&book3.CDARequested != 0:
		if len(get(tag.SDAD)) == 0 {
			return "9F4B is missing"
		}
	case len(get(tag.ApplicationCryptogram)) != 8:
		return "9F26 is missing"
	}
	if !declines && !t.legacy && len(get(tag.CVMStatus)) != 1 {
		return "9F50 is missing"
	}
	if len(get(tag.IAD)) > 32 {
		return "9F10 is too long"
	}
	if v, ok := t.card.Get(tag.UpdateParameter); ok && len(v) != 1 {
		return "9F60 has a wrong length"
	}
	if v, ok := t.card.Get(tag.JCBBalance); ok && (len(v) != 6 || !book3.Digits(v)) {
		return "9F5F is no amount"
	}
	return ""
}

// decide is the outcome (5.8.4, 5.10.3).
func (t *tap) decide() *result {
	if book3.Type(t.cid) == book3.TC { // 5.8.4.1
		o := noOutcome(emv.Approved, "the card approved offline")
		o.UIOutcome = t.ask(emv.MsgApproved, emv.StatusCardReadOK)
		if t.cvm == emv.CVMSignature {
			o.UIOutcome.Message = emv.MsgApprovedSign
		}
		o.CVM, o.Receipt = t.cvm, true // 5.13.1
		return t.withData(o)
	}
	o := noOutcome(emv.OnlineRequest, "the issuer decides")
	o.UIOutcome = t.ask(emv.MsgAuthorising, emv.StatusProcessing)
	if t.cvm == emv.CVMOnlinePIN {
		o.UIOutcome.Message, o.UIOutcome.Status = emv.MsgEnterPIN, emv.StatusNotReady
	}
	o.CVM, o.Receipt = t.cvm, t.cvm == emv.CVMSignature
	r := t.withData(o)
	parameter := t.card.Value(tag.UpdateParameter)
	if t.legacy || t.tip[1]&TIP2Update == 0 || len(parameter) == 0 { // 5.8.4.2
		return r
	}
	switch parameter[0] {
	case updateHold: // 5.8.4.3
		r.o.Start, r.o.RemovalTimeout = emv.StartD, t.k.RemovalTimeout
		r.o.UIRestart = t.ask(emv.MsgProcessing, emv.StatusProcessing)
	case updateTwo: // 5.8.4.4
		r.o.Start, r.o.FieldOff = emv.StartB, 0
		r.o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	default:
		return r
	}
	r.o.OnlineResponseData = emv.OnlineEMVData
	r.o.Memory = t.remember(r.o)
	return r
}
