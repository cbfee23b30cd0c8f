package c7

import (
	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// decide is the last step: offline approval or the issuer.
func (t *tap) decide(c *Config) emv.Outcome {
	if t.crypto == arqc || t.goOnline {
		if !t.mayGoOnline() {
			return t.declined("the card wants the issuer and the reader is offline-only")
		}
		o := noOutcome(emv.OnlineRequest, "the issuer decides")
		o.UIOutcome = &emv.UIRequest{Message: emv.MsgAuthorising, Status: emv.StatusProcessing}
		if t.cvm == emv.CVMOnlinePIN {
			o.UIOutcome.Message, o.UIOutcome.Status = emv.MsgEnterPIN, emv.StatusNotReady
		}
		o = t.complete(o)
		// Both sides take issuer updates, so that the card may be asked for once more (kernel 3: 5.8.1.2).
		if t.term.ttq[2]&ttq3IssuerUpdate != 0 && t.ctq[1]&ctq2IssuerUpdate != 0 {
			o.Start, o.OnlineResponseData, o.FieldOff = emv.StartB, emv.OnlineEMVData, 0
			o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
			o.Memory = &requested{fci: append([]byte(nil), t.in.FCI...), cvm: t.cvm, oda: t.oda, record: o.DataRecord}
		}
		return o
	}
	// A TC where the terminal asked for an online cryptogram, or above its
	// floor limit, approves nothing.
	if t.term.ttq[1]&ttq2OnlineRequired != 0 || t.in.Indicators.FloorLimitExceeded || t.in.Transaction.Amount.Minor > c.FloorLimit {
		return t.declined("the card approved offline where the terminal does not allow it")
	}
	o := noOutcome(emv.Approved, "the card approved offline")
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgApproved, Status: emv.StatusIdle}
	if t.cvm == emv.CVMSignature {
		o.UIOutcome.Message = emv.MsgApprovedSign
	}
	return t.complete(o)
}

// complete adds what an approved or online outcome carries.
func (t *tap) complete(o emv.Outcome) emv.Outcome {
	o.CVM, o.ODA = t.cvm, t.oda
	o.Receipt = t.cvm == emv.CVMSignature
	o.DataRecord = t.record55(make([]byte, 0, recordSize))
	return o
}

// cardTags are the card's objects of the data record, terminalTags the
// terminal's: field 55, track 2 and what a receipt prints. Each tag has one
// source, so that a card can't put its own amount or qualifiers into the record.
var (
	cardTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.IAD, tag.ATC, tag.AIP, tag.ProductID, tag.Track2, tag.PAN, tag.PSN,
		tag.ExpirationDate, tag.CTQ, tag.PAR, tag.FormFactor,
	}
	terminalTags = [...]tlv.Tag{
		tag.UN, tag.TVR, tag.TransactionDate, tag.TransactionType, tag.AmountAuthorised, tag.TransactionCurrency,
		tag.TerminalCountry, tag.AmountOther, tag.TerminalCapabilities, tag.TerminalType, tag.IFDSerial,
		tag.TerminalVersion, tag.SequenceCounter, tag.TTQ,
	}
	fciTags = [...]tlv.Tag{tag.ApplicationLabel, tag.PreferredName}
)

// record55 appends the data record.
func (t *tap) record55(b []byte) []byte {
	for _, x := range cardTags {
		if v, ok := t.card.get(x); ok {
			b = tlv.Append(b, x, v)
		}
	}
	b = tlv.Append(b, tag.CID, []byte{byte(t.crypto)})
	for _, x := range terminalTags {
		v, _ := t.term.get(x)
		b = tlv.Append(b, x, v)
	}
	results := cvmResults(t.cvm)
	b = tlv.Append(b, tag.CVMResults, results[:])
	name, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName)
	if !ok || len(name) == 0 {
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
