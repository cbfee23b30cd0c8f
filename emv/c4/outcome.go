package c4

import (
	"time"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// hold is how long "see phone" stays, and the field is off for the phone: 10 units of 100 ms.
const hold = 1000 * time.Millisecond

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
	return t.withData(o)
}

// refused is declined for what the card gave.
func (t *tap) refused(l2, reason string) *result {
	r := t.declined(reason)
	r.o.Error.L2, r.o.Error.Step = l2, "generate ac"
	return r
}

// otherInterface asks for the contact chip where card and terminal have one, else it is the end.
func (t *tap) otherInterface(step, reason string, sw uint16) *result {
	if !t.alternative() {
		return t.end(step, reason, sw)
	}
	o := noOutcome(emv.TryAnother, reason)
	o.UIOutcome = t.ask(emv.MsgInsertCard, emv.StatusReadyToRead)
	o.Alternate = emv.AlternateChip
	o.Error = emv.ErrorIndication{SW: sw, Step: step, Detail: reason}
	return &result{o: o}
}

// end is End Application: another card or another payment.
func (t *tap) end(step, reason string, sw uint16) *result {
	o := noOutcome(emv.EndApplication, reason)
	o.UIOutcome = t.ask(emv.MsgInsertSwipeOrOther, emv.StatusProcessingError)
	o.Error = emv.ErrorIndication{SW: sw, Step: step, Detail: reason}
	return &result{o: o}
}

// lost is Try Again: the card was lost.
func (t *tap) lost(step string) *result {
	o := noOutcome(emv.TryAgain, "the card was lost")
	o.Start = emv.StartB
	o.UIOutcome = t.ask(emv.MsgPresentAgain, emv.StatusProcessingError)
	o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	o.Error = emv.ErrorIndication{L1: true, Step: step}
	if t.again {
		o.Memory = shown{}
	}
	return &result{o: o}
}

// seePhone is Try Again: the phone wants its holder. It is asked for once.
func (t *tap) seePhone(step string, sw uint16) *result {
	o := noOutcome(emv.TryAgain, "the phone wants its holder")
	o.Start, o.Memory, o.FieldOff = emv.StartB, shown{}, hold
	o.UIOutcome = t.ask(emv.MsgSeePhone, emv.StatusProcessingError)
	o.UIOutcome.Hold = hold
	o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	o.Error = emv.ErrorIndication{SW: sw, Step: step}
	return &result{o: o}
}

// The objects of the data record: what an acquirer's field 55 has, and what the
// till and a receipt need beside them. Each tag has one source, so that a card
// can't put its own amount into the record.
var (
	cardTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.CID, tag.IAD, tag.ATC, tag.AIP, tag.Track2, tag.PSN, tag.ExpirationDate, tag.IssuerCountry,
		tag.MobileCVM, tag.PAR,
	}
	terminalTags = [...]tlv.Tag{
		tag.UN, tag.TVR, tag.TransactionDate, tag.TransactionTime, tag.TransactionType, tag.AmountAuthorised, tag.TransactionCurrency,
		tag.TerminalCountry, tag.AmountOther, tag.CVMResults, tag.TerminalCapabilities, tag.TerminalType, tag.IFDSerial, tag.TerminalVersion,
		tag.SequenceCounter, tag.POSEntryMode, tag.TerminalAID,
	}
	fciTags = [...]tlv.Tag{tag.ApplicationLabel, tag.PreferredName}
)

const recordSize = 512

// withData adds the data record, and the TVR as discretionary data: a refused transaction's may be another than the one sent.
func (t *tap) withData(o emv.Outcome) *result {
	o.ODA = t.oda
	b := t.card.Append(make([]byte, 0, recordSize), cardTags[:])
	b = tlv.Append(b, tag.PAN, book3.Compressed(t.number))
	b = t.term.Append(b, terminalTags[:])
	if name, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName); ok {
		b = tlv.Append(b, tag.DFName, name)
	}
	if a5, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary); ok {
		for _, g := range fciTags {
			if v, ok := tlv.Find(a5, g); ok && len(v) > 0 {
				b = tlv.Append(b, g, v)
			}
		}
	}
	o.DataRecord, o.Discretionary = b, tlv.Append(nil, tag.TVR, t.term.TVR[:])
	return &result{o: o}
}
