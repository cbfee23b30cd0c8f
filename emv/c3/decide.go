package c3

import (
	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// decide is the last step: offline approval or the issuer (5.8).
func (t *tap) decide() emv.Outcome {
	if !t.goOnline {
		o := noOutcome(emv.Approved, "the card approved offline")
		o.UIOutcome = t.ask(emv.MsgApproved, emv.StatusIdle)
		if t.cvm == emv.CVMSignature {
			o.UIOutcome.Message = emv.MsgApprovedSign
		}
		return t.complete(o)
	}
	if !t.mayGoOnline() {
		return t.declined("the transaction must go online and the reader is offline-only")
	}
	o := noOutcome(emv.OnlineRequest, "the issuer decides")
	o.UIOutcome = t.ask(emv.MsgAuthorising, emv.StatusProcessing)
	if t.cvm == emv.CVMOnlinePIN {
		o.UIOutcome.Message, o.UIOutcome.Status = emv.MsgEnterPIN, emv.StatusNotReady
	}
	o = t.complete(o)
	// 5.8.1.2: both sides take issuer updates, so that the card may be asked for once more.
	if t.term.ttq[2]&ttq3IssuerUpdate != 0 && t.ctq[1]&ctq2IssuerUpdate != 0 {
		o.Start, o.OnlineResponseData, o.FieldOff = emv.StartB, emv.OnlineEMVData, 0
		o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead, Language: t.language}
		o.Memory = &requested{fci: append([]byte(nil), t.in.FCI...), cvm: t.cvm, oda: t.oda, record: o.DataRecord, language: t.language}
	}
	return o
}

// complete adds what an approved or online outcome carries.
func (t *tap) complete(o emv.Outcome) emv.Outcome {
	o.CVM, o.ODA = t.cvm, t.oda
	o.Receipt = t.cvm == emv.CVMSignature
	return t.withData(o)
}

// withData adds the data record, and the available offline spending amount to
// discretionary data and message (4.3.1.1).
func (t *tap) withData(o emv.Outcome) emv.Outcome {
	o.DataRecord = t.dataRecord(make([]byte, 0, recordSize))
	if v, ok := t.card.get(tag.AvailableOffline); ok {
		o.Discretionary = tlv.Append(nil, tag.AvailableOffline, v)
		o.UIOutcome.ValueQualifier, o.UIOutcome.Value = valueBalance, number(v)
		o.UIOutcome.Currency = uint16(t.in.Transaction.Amount.Currency)
	}
	return o
}

// valueBalance says that the value of a user interface request is a balance (Book A 6.2.4).
const valueBalance = 0x20

// number is a numeric value; check saw that it is one.
func number(v []byte) (n int64) {
	for _, c := range v {
		n = n*100 + int64(c>>4)*10 + int64(c&15)
	}
	return n
}

// cardTags are the card's objects of the data record, terminalTags the
// terminal's: those that the book names, and what the till and a receipt need beside them
// (5A, 5F24, 9F24, 9F6C; 9F03, 9F35, 9F1E, 9F09, 9F41, 9F66, 84, 50, 9F12). Each
// tag has one source, so that a card can't put its own amount into the record.
var (
	cardTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.IAD, tag.ATC, tag.AIP, tag.Track2, tag.PAN, tag.PSN,
		tag.ExpirationDate, tag.CTQ, tag.PAR, tag.CustomerExclusive,
	}
	terminalTags = [...]tlv.Tag{
		tag.UN, tag.TVR, tag.TransactionDate, tag.TransactionType, tag.AmountAuthorised, tag.TransactionCurrency,
		tag.TerminalCountry, tag.AmountOther, tag.TerminalCapabilities, tag.TerminalType, tag.IFDSerial,
		tag.TerminalVersion, tag.SequenceCounter, tag.TTQ, tag.POSEntryMode,
	}
	fciTags = [...]tlv.Tag{tag.ApplicationLabel, tag.PreferredName}
)

// dataRecord appends the data record. The TVR is the one that the card was sent: zeros.
func (t *tap) dataRecord(b []byte) []byte {
	for _, x := range cardTags {
		if v, ok := t.card.get(x); ok {
			b = tlv.Append(b, x, v)
		}
	}
	if v, ok := t.card.get(tag.FormFactor); ok {
		b = tlv.Append(b, tag.FormFactor, []byte{v[0], v[1], v[2], v[3] & 0xF0}) // 4.1.1.1: proximity contactless
	}
	b = tlv.Append(b, tag.CID, []byte{byte(t.crypto)})
	for _, x := range terminalTags {
		v, _ := t.term.get(x)
		b = tlv.Append(b, x, v)
	}
	results := cvmResults(t.cvm)
	b = tlv.Append(b, tag.CVMResults, results[:])
	name, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName)
	if !ok {
		name = t.in.AID
	}
	b = tlv.Append(b, tag.DFName, name)
	if a5, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary); ok {
		for _, x := range fciTags {
			if v, ok := tlv.Find(a5, x); ok && len(v) > 0 {
				b = tlv.Append(b, x, v)
			}
		}
	}
	return b
}
