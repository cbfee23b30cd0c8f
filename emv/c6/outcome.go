package c6

import (
	"time"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// phoneHold is how long "see phone" stays and the field is off before the phone
// is asked for again: 13 units of 100 ms.
const phoneHold = 1300 * time.Millisecond

// noOutcome is an outcome whose parameters are all "not applicable".
func noOutcome(k emv.Kind, reason string) emv.Outcome {
	return emv.Outcome{
		Kind: k, Reason: reason,
		Start: emv.StartNone, CVM: emv.CVMNotGiven, OnlineResponseData: emv.OnlineNotApplicable,
		Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone,
	}
}

// ask is a user interface request in the card's language.
func (t *tap) ask(m emv.MessageID, s emv.Status) *emv.UIRequest {
	return &emv.UIRequest{Message: m, Status: s, Language: t.language}
}

// declined ends the transaction after the card was read.
func (t *tap) declined(reason string) *result {
	o := noOutcome(emv.Declined, reason)
	o.UIOutcome = t.ask(emv.MsgNotAuthorised, emv.StatusIdle)
	r := t.withData(o)
	if t.oda == emv.ODAFailed {
		r.o.Error.L2, r.o.Error.Step = "CAM failed", "oda"
	}
	return r
}

// end is End Application where the card's data can't be used. The message is
// ours (public implementations show none).
func (t *tap) end(step, l2, detail string, sw uint16) *result {
	o := noOutcome(emv.EndApplication, detail)
	o.UIOutcome = t.ask(emv.MsgInsertSwipeOrOther, emv.StatusProcessingError)
	o.Error = emv.ErrorIndication{L2: l2, Step: step, Detail: detail, SW: sw}
	o.Discretionary = t.tvr()
	return &result{o: o}
}

// selectNext asks Entry Point for the next application.
func (t *tap) selectNext(reason string, sw uint16) *result {
	o := noOutcome(emv.SelectNext, reason)
	o.Start = emv.StartC
	o.Error = emv.ErrorIndication{SW: sw, Step: "gpo", Detail: reason}
	if sw != 0 {
		o.Error.L2 = "status bytes"
	}
	return &result{o: o}
}

// tryAnother asks for the contact chip.
func (t *tap) tryAnother(reason string, sw uint16) *result {
	o := noOutcome(emv.TryAnother, reason)
	o.UIOutcome = t.ask(emv.MsgInsertOrSwipe, emv.StatusProcessingError)
	o.Alternate = emv.AlternateChip
	o.Error.SW = sw
	o.Discretionary = t.tvr()
	return &result{o: o}
}

// seePhone asks the holder to unlock the phone and to present it again.
func (t *tap) seePhone() *result {
	o := noOutcome(emv.TryAgain, "the phone wants its holder")
	o.Start = emv.StartB
	o.UIOutcome = t.ask(emv.MsgSeePhone, emv.StatusProcessingError)
	o.UIOutcome.Hold = phoneHold
	o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	o.FieldOff = phoneHold
	o.Error = emv.ErrorIndication{SW: 0x6986, Step: "gpo", L2: "status bytes"}
	return &result{o: o}
}

// tryAgain: the card left before it was read whole.
func (t *tap) tryAgain(step string) *result {
	o := noOutcome(emv.TryAgain, "the card was lost")
	o.Start = emv.StartB
	o.UIOutcome = t.ask(emv.MsgPresentAgain, emv.StatusProcessingError)
	o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	o.Error = emv.ErrorIndication{L1: true, Step: step}
	return &result{o: o}
}

// tvr is the discretionary data: the TVR as terminal action analysis saw it.
func (t *tap) tvr() []byte { return tlv.Append(nil, tag.TVR, t.term.TVR[:]) }

// The objects of the data record (table 4-8; without the cardholder's name and track 1
// discretionary data), and what the till and a receipt need beside them (5A, 5F24, 9F24,
// 9F71; 9F1E, 9F41, 9F39, 9F34, 9F66, 50, 9F12). Each tag has one source, so that
// a card can't put its own amount into the record. 95 is the TVR that the card was
// sent, which its cryptogram covers; that of the end is discretionary data. (Ours.)
var (
	cardTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.IAD, tag.ATC, tag.AIP, tag.Track2, tag.PSN, tag.AUC, tag.CID, tag.PAR, tag.CPR,
	}
	terminalTags = [...]tlv.Tag{
		tag.UN, tag.TransactionDate, tag.TransactionType, tag.AmountAuthorised, tag.TransactionCurrency, tag.TerminalCountry, tag.AmountOther,
		tag.TerminalCapabilities, tag.TerminalType, tag.IFDSerial, tag.TerminalVersion, tag.SequenceCounter, tag.POSEntryMode, tag.TSI, tag.TerminalAID,
	}
	fciTags = [...]tlv.Tag{tag.ApplicationLabel, tag.PreferredName}
)

const recordSize = 512

// withData adds data record and discretionary data, and shows the offline balance where the card gave one.
func (t *tap) withData(o emv.Outcome) *result {
	o.ODA = t.oda
	b := t.card.Append(make([]byte, 0, recordSize), cardTags[:])
	b = tlv.Append(b, tag.PAN, book3.Compressed(t.number))
	b = tlv.Append(b, tag.ExpirationDate, t.expiry[:])
	b = t.term.Append(b, terminalTags[:])
	b = tlv.Append(b, tag.TVR, t.sentTVR[:])
	b = tlv.Append(b, tag.TTQ, t.ttq[:])
	results := cvmResults(t.cvm)
	b = tlv.Append(b, tag.CVMResults, results[:])
	name, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName)
	if !ok {
		name = t.in.AID
	}
	b = tlv.Append(b, tag.DFName, name)
	if a5, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary); ok {
		for _, g := range fciTags {
			if v, ok := tlv.Find(a5, g); ok && len(v) > 0 {
				b = tlv.Append(b, g, v)
			}
		}
	}
	o.DataRecord, o.Discretionary = b, t.tvr()
	if v, ok := t.card.Get(tag.OfflineBalance); ok {
		o.Discretionary = tlv.Append(o.Discretionary, tag.OfflineBalance, v)
		o.UIOutcome.ValueQualifier, o.UIOutcome.Value, o.UIOutcome.Currency = valueBalance, amount(v), uint16(t.in.Transaction.Amount.Currency)
	}
	return &result{o: o}
}

// valueBalance says that the value of a user interface request is a balance (Book A 6.2.4).
const valueBalance = 0x20

// amount is a numeric value; checkBalance saw that it is one.
func amount(v []byte) (n int64) {
	for _, c := range v {
		n = n*100 + int64(c>>4)*10 + int64(c&15)
	}
	return n
}
