package c5

import (
	"time"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// hold is how long the messages of 5.13.8 and 5.13.9 stay, and the field is off
// for a phone: 13 units of 100 ms.
const hold = 1300 * time.Millisecond

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

// declined ends the transaction after the card was read (5.13.5). The message is
// ours: public implementations show none but "card read OK".
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

// selectNext asks Entry Point for the next application (5.13.10).
func (t *tap) selectNext(step, reason string, sw uint16) *result {
	o := noOutcome(emv.SelectNext, reason)
	o.Start = emv.StartC
	o.Error = emv.ErrorIndication{SW: sw, Step: step, Detail: reason}
	if sw != 0 {
		o.Error.L2 = "status bytes"
	}
	return &result{o: o}
}

// tryAnother asks for the contact chip (5.13.6).
func (t *tap) tryAnother(sw uint16) *result {
	o := noOutcome(emv.TryAnother, "the card wants another interface")
	o.UIOutcome = t.ask(emv.MsgInsertCard, emv.StatusReadyToRead)
	o.Alternate = emv.AlternateChip
	o.Error = emv.ErrorIndication{SW: sw, Step: "generate ac"}
	return &result{o: o}
}

// end is End Application (5.13.7). The message is ours.
func (t *tap) end(step, reason string, sw uint16) *result {
	o := noOutcome(emv.EndApplication, reason)
	o.UIOutcome = t.ask(emv.MsgInsertSwipeOrOther, emv.StatusProcessingError)
	o.Error = emv.ErrorIndication{SW: sw, Step: step, Detail: reason}
	return &result{o: o}
}

// lost is End Application that starts again at B because the card was lost
// (5.13.8). memory is what a torn transaction needs, or nil.
func (t *tap) lost(step string, memory *torn) *result {
	o := noOutcome(emv.EndApplication, "the card was lost")
	o.Start = emv.StartB
	o.UIOutcome = t.ask(emv.MsgPresentAgain, emv.StatusProcessingError)
	o.UIOutcome.Hold = hold
	o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	o.Error = emv.ErrorIndication{L1: true, Step: step}
	if memory != nil {
		o.Memory = memory
	}
	return &result{o: o}
}

// seePhone is End Application that starts again at B because the phone wants its holder (5.13.9).
func (t *tap) seePhone() *result {
	o := noOutcome(emv.EndApplication, "the phone wants its holder")
	o.Start = emv.StartB
	o.UIOutcome = t.ask(emv.MsgSeePhone, emv.StatusProcessingError)
	o.UIOutcome.Hold = hold
	o.UIRestart = t.ask(emv.MsgPresentAgain, emv.StatusReadyToRead)
	o.FieldOff = hold
	o.Error = emv.ErrorIndication{SW: 0x6986, Step: "generate ac", L2: "status bytes"}
	return &result{o: o}
}

// The objects of the data record (tables of Book C-5 as public implementations
// have them; without the cardholder's name and track 1 discretionary data), and
// what the till and a receipt need beside them. Each tag has one source, so that
// a card can't put its own amount into the record.
var (
	cardTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.CID, tag.IAD, tag.ATC, tag.AIP, tag.Track2, tag.PSN, tag.ExpirationDate, tag.IssuerCountry, tag.JCBCountry,
		tag.CVMStatus, tag.PAR, tag.FormFactor,
	}
	terminalTags = [...]tlv.Tag{
		tag.UN, tag.TVR, tag.TransactionDate, tag.TransactionTime, tag.TransactionType, tag.AmountAuthorised, tag.TransactionCurrency,
		tag.TerminalCountry, tag.AmountOther, tag.CVMResults, tag.TerminalCapabilities, tag.TerminalType, tag.IFDSerial, tag.TerminalVersion,
		tag.SequenceCounter, tag.POSEntryMode, tag.TerminalAID,
	}
	fciTags = [...]tlv.Tag{tag.ApplicationLabel, tag.PreferredName}
)

const recordSize = 512

// withData adds the data record, the TVR as discretionary data (ours: it may be
// another than the one that the cryptogram covers), and the offline balance.
func (t *tap) withData(o emv.Outcome) *result {
	o.ODA = t.oda
	b := t.card.Append(make([]byte, 0, recordSize), cardTags[:])
	b = tlv.Append(b, tag.PAN, book3.Compressed(t.number))
	b = t.term.Append(b, terminalTags[:])
	b = tlv.Append(b, tag.Interchange, t.tip[:])
	name, _ := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName)
	b = tlv.Append(b, tag.DFName, name)
	if a5, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary); ok {
		for _, g := range fciTags {
			if v, ok := tlv.Find(a5, g); ok && len(v) > 0 {
				b = tlv.Append(b, g, v)
			}
		}
	}
	tvr := t.term.TVR
	for i := range tvr {
		tvr[i] |= t.after[i]
	}
	o.DataRecord, o.Discretionary = b, tlv.Append(nil, tag.TVR, tvr[:])
	if v, ok := t.card.Get(tag.JCBBalance); ok && len(v) == 6 && book3.Digits(v) {
		o.Discretionary = tlv.Append(o.Discretionary, tag.JCBBalance, v)
		o.UIOutcome.ValueQualifier, o.UIOutcome.Value, o.UIOutcome.Currency = valueBalance, amount(v), uint16(t.in.Transaction.Amount.Currency)
	}
	return &result{o: o}
}

// valueBalance says that the value of a user interface request is a balance (Book A 6.2.4).
const valueBalance = 0x20

func amount(v []byte) (n int64) {
	for _, c := range v {
		n = n*100 + int64(c>>4)*10 + int64(c&15)
	}
	return n
}
