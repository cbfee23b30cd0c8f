package c2

import (
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// rcpCDA asks for a combined signature; bits 8-7 of the reference control parameter (DF8114) are the type.
const rcpCDA = 0x10

// generate gets the cryptogram: from a torn transaction of this card, or with GENERATE AC (S456.43 to S456.49).
func (t *tap) generate() *result {
	key, record, found := t.findTorn()
	if !found {
		return t.firstAC()
	}
	return t.recover(key, record)
}

// prepare is the procedure GAC: reference control parameter and the command's data.
func (t *tap) prepare() (data []byte, r *result) {
	plan, wrong := t.planStorage()
	if wrong != 0 {
		return nil, t.invalid(wrong, "generate ac", "the terminal's data storage does not fit the transaction") // GAC.12
	}
	cda := false
	switch plan {
	case planWrite, planRead:
		cda = true // GAC.27, GAC.45
	case planNone, planCDAFailed:
		if plan == planCDAFailed || !t.wantCDA || t.term.tvr[0]&tvr1CDAFailed != 0 {
			// The AIP's word about the cardholder is worth nothing without a signature over it.
			if t.onDevice {
				t.acType = aac // GAC.23
			}
			break
		}
		cda = t.acType != aac || t.supports(capCDAOverAAC) // GAC.24, GAC.25
	}
	t.rcp = byte(t.acType)
	if cda {
		t.rcp |= rcpCDA
	}
	var err error
	if t.cdolData, err = dol.Build(make([]byte, 0, 128), t.card.value(tag.CDOL1), t.value); err != nil {
		return nil, t.invalid(parsingError, "generate ac", "CDOL1 can't be read")
	}
	data = t.cdolData
	if plan == planWrite {
		if data, err = t.storageData(data[:len(data):len(data)]); err != nil {
			return nil, t.invalid(idsDataError, "generate ac", "DSDOL or the terminal's data storage can't be read")
		}
		t.idsWrite = true // GAC.48
	}
	if len(data) > apdu.MaxData {
		return nil, t.invalid(cardDataError, "generate ac", "CDOL1 and DSDOL ask for more than a command holds")
	}
	return data, nil
}

func generateAC(rcp byte, data []byte) []byte {
	return apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: rcp, Data: data, Le: 256}.Append(make([]byte, 0, 6+len(data)))
}

// firstAC sends GENERATE AC (S9). A card that is lost now may have made its
// cryptogram: what is needed to ask for it again goes into the torn log.
func (t *tap) firstAC() *result {
	data, res := t.prepare()
	if res != nil {
		return res
	}
	r, lost, err := t.send(generateAC(t.rcp, data))
	switch {
	case err != nil:
		return &result{err: err}
	case lost && t.keepTorn():
		return t.lostCard("generate ac") // S9.15
	case lost && t.idsWrite: // S9.7
		t.errors.l1 = true
		return t.refuse(0, "generate ac", "the card was lost while it wrote")
	case lost:
		return t.lostCard("generate ac") // S9.10
	}
	return t.answered(r, true)
}

// answered takes the response of GENERATE AC or RECOVER AC (S9.16 to S9.28, S10.12 to S10.22).
func (t *tap) answered(r apdu.Response, format1 bool) *result {
	if !r.OK() {
		t.errors.sw = r.SW
		return t.refuse(statusBytes, "generate ac", "the card refused to make a cryptogram")
	}
	if why := t.keepCryptogram(r.Data, format1); why != "" {
		return t.refuse(parsingError, "generate ac", why)
	}
	cid := t.card.value(tag.CID)
	if len(cid) == 0 || len(t.card.value(tag.ATC)) == 0 {
		return t.refuse(cardDataMissing, "generate ac", "9F27 or 9F36 is missing") // S9.22
	}
	t.cid = cid[0]
	got, asked := cryptogram(t.cid&0xC0), cryptogram(t.rcp&0xC0)
	if !(got == aac || got == asked || (got == arqc && asked == tc)) {
		return t.refuse(cardDataError, "generate ac", "the card gives more than it was asked for") // S9.24
	}
	if res := t.balanceAfter(); res != nil { // S9.25
		return res
	}
	if len(t.writeAfter) == 0 {
		t.cardRead() // S9.27
	}
	var res *result
	if signature := t.card.value(tag.SDAD); len(signature) > 0 {
		res = t.signed(r.Data)
	} else {
		res = t.unsigned(got)
	}
	if res != nil {
		return res
	}
	return t.decide(got)
}

// keepCryptogram takes template 77, or format 1: CID ‖ ATC ‖ AC ‖ IAD (S9.18).
func (t *tap) keepCryptogram(data []byte, format1 bool) string {
	if !format1 || len(data) == 0 || data[0] != byte(tag.ResponseFormat1) {
		return t.template(data, tag.ResponseFormat2)
	}
	r := tlv.NewReader(data)
	if !r.Next() {
		return "the response is not TLV"
	}
	body := r.TLV().Value
	if r.Next() || r.Err() != nil || len(body) < 11 || len(body) > 11+32 {
		return "format 1 has a wrong length"
	}
	for _, o := range [...]tlv.TLV{
		{Tag: tag.CID, Value: body[:1]}, {Tag: tag.ATC, Value: body[1:3]}, {Tag: tag.ApplicationCryptogram, Value: body[3:11]},
		{Tag: tag.IAD, Value: body[11:]},
	} {
		if _, there := t.card.get(o.Tag); there && len(o.Value) > 0 {
			return o.Tag.String() + " comes twice"
		}
		if len(o.Value) > 0 && !t.card.set(o.Tag, o.Value) {
			return "the card gives too many data objects"
		}
	}
	return ""
}

// balanceAfter reads the offline balance after the cryptogram (BR2, S17). A card that has left keeps its outcome.
func (t *tap) balanceAfter() *result {
	if _, wanted := t.given.get(tagBalanceAfter); !wanted || !t.supports(capBalance) {
		return nil
	}
	v, _, err := t.readBalance()
	if err != nil {
		return &result{err: err}
	}
	if v != nil {
		t.note(tagBalanceAfter, v)
		t.balance, t.hasBalance = fromBCD(v)
	}
	return nil
}

// unsigned is a response without a combined signature (S910.30 to S910.39).
func (t *tap) unsigned(got cryptogram) *result {
	if len(t.card.value(tag.ApplicationCryptogram)) == 0 {
		return t.refuse(cardDataMissing, "generate ac", "9F26 is missing") // S910.31
	}
	wanted := t.rcp&rcpCDA != 0
	if got == aac {
		// A card that declines need not sign, except where it was asked to sign an AAC, or for data storage.
		if t.idsRead || (cryptogram(t.rcp&0xC0) == aac && wanted) {
			return t.refuse(cardDataError, "generate ac", "the signature that was asked for is missing") // S910.37
		}
		return nil
	}
	if wanted {
		return t.refuse(cardDataError, "generate ac", "the signature that was asked for is missing")
	}
	if t.term.tvr[4]&tvr5RelayDone != 0 {
		t.relayInTrack2() // S910.39
	}
	return nil
}

// refuse is an invalid response after GENERATE AC (S910.50 to S910.53, S11.90).
func (t *tap) refuse(l2 byte, step, detail string) *result {
	lost := t.errors.l1
	r := t.invalid(l2, step, detail)
	r.o.Error.L1 = lost
	if t.idsWrite {
		r.o.DataRecord = t.emvRecord()
	}
	return r
}

// decide is the outcome (S910.70 to S910.81, S15).
func (t *tap) decide(got cryptogram) *result {
	if t.pciiAsks() {
		if res := t.writeRest(); res != nil {
			return res
		}
		return t.seePhone()
	}
	if res := t.writeRest(); res != nil {
		return res
	}
	var o emv.Outcome
	switch got {
	case tc:
		o = noOutcome(emv.Approved, "the card approved offline")
		o.UIOutcome = t.ui(emv.MsgApproved, emv.StatusNotReady)
		if t.cvm == emv.CVMSignature {
			o.UIOutcome.Message = emv.MsgApprovedSign
		}
		if t.hasBalance {
			o.UIOutcome.ValueQualifier, o.UIOutcome.Value = 0x20, t.balance
			if c := t.card.value(tag.ApplicationCurrency); len(c) == 2 {
				n, _ := fromBCD(c)
				o.UIOutcome.Currency = uint16(n)
			}
		}
	case arqc:
		o = noOutcome(emv.OnlineRequest, "the issuer decides")
		o.UIOutcome = t.ui(emv.MsgAuthorising, emv.StatusNotReady)
		o.UIOutcome.Hold = 0
	default:
		o = t.declined()
	}
	o.CVM, o.Receipt = t.cvm, t.receipt
	o.DataRecord = t.emvRecord()
	return t.end(o)
}

// declined is what follows an AAC: another interface for a plain card where the
// reader has contacts, the end for other types of transaction.
func (t *tap) declined() emv.Outcome {
	switch t.term.txType[0] {
	case typePurchase, typeCash, typeCashback, typeDisbursement:
	default:
		o := noOutcome(emv.EndApplication, "the card declined")
		o.UIOutcome = &emv.UIRequest{Message: emv.MsgClearDisplay, Status: emv.StatusNotReady}
		return o
	}
	if t.isDevice() || t.term.capabilities[0]&0x20 == 0 {
		o := noOutcome(emv.Declined, "the card declined")
		o.UIOutcome = t.ui(emv.MsgNotAuthorised, emv.StatusNotReady)
		return o
	}
	o := noOutcome(emv.TryAnother, "the card declined without contacts")
	o.UIOutcome = t.ui(emv.MsgInsertCard, emv.StatusNotReady)
	o.Alternate = emv.AlternateChip
	return o
}

// isDevice: third party data (9F6E) with a device type other than "card". The
// type is there where bit 8 of the unique identifier is clear.
func (t *tap) isDevice() bool {
	v := t.card.value(tagThirdParty)
	return len(v) >= 6 && v[2]&0x80 == 0 && string(v[4:6]) != "00"
}

// writeRest writes the tags to write after GENERATE AC; a card that has left keeps its outcome (S15).
func (t *tap) writeRest() *result {
	if len(t.writeAfter) == 0 {
		return nil
	}
	done, _, err := t.putData(t.writeAfter)
	if err != nil {
		return &result{err: err}
	}
	t.note(tagPutAfter, status(done))
	t.cardRead() // S15.12
	return nil
}
