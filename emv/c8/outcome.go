package c8

import (
	"bytes"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// errorIndication is 9F8204: L1 ‖ L2 ‖ L3 ‖ SW12(2) ‖ message on error (A.1.55).
type errorIndication struct {
	l1      bool
	l2      byte
	sw      uint16
	message emv.MessageID // 0: none
	detail  string        // why local authentication failed: never values of card data
}

// Level 2 errors.
const (
	cardDataMissing  = 0x01
	statusBytes      = 0x03
	parsingError     = 0x04
	cardDataError    = 0x06
	decryptionFailed = 0x10
	edaMACFailed     = 0x13
)

var l2Names = map[byte]string{
	cardDataMissing: "card data missing", statusBytes: "status bytes", parsingError: "parsing error", cardDataError: "card data error",
	decryptionFailed: "decryption failed", edaMACFailed: "EDA MAC failed",
}

// l1TransmissionError is what L1 says: a Transceiver does not tell a time-out from a broken frame.
const l1TransmissionError = 0x02

func (e errorIndication) bytes() []byte {
	b := []byte{0, e.l2, 0, byte(e.sw >> 8), byte(e.sw), 0xFF}
	if e.l1 {
		b[0] = l1TransmissionError
	}
	if e.message != 0 {
		b[5] = byte(e.message)
	}
	return b
}

// noOutcome is an outcome whose parameters are all "not applicable" (KS.2).
func noOutcome(k emv.Kind, reason string) emv.Outcome {
	return emv.Outcome{
		Kind: k, Reason: reason,
		Start: emv.StartNone, CVM: emv.CVMNotGiven, OnlineResponseData: emv.OnlineNotApplicable,
		Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone,
	}
}

// end adds what every outcome carries: how authentication ended, the error
// indication, the discretionary data, and field off where the card notices it.
func (t *tap) end(o emv.Outcome) *result {
	o.ODA = t.oda
	o.Error.L1, o.Error.L2, o.Error.SW = t.errors.l1, l2Names[t.errors.l2], t.errors.sw
	if o.Error.Detail == "" {
		o.Error.Detail = t.errors.detail
	}
	o.Discretionary = t.discretionary()
	if t.fieldOff && o.Kind != emv.SelectNext {
		o.FieldOff = t.k.HoldTime // 1.11
	}
	return &result{o: o}
}

// selectNext asks Entry Point for the next application (1.14, 20.12).
func (t *tap) selectNext(step, detail string) *result {
	o := noOutcome(emv.SelectNext, detail)
	o.Start = emv.StartC
	o.Error.Step, o.Error.Detail = step, detail
	return t.end(o)
}

// invalid is an invalid response: End Application, message 1C (202122232425.24, 2627.13).
func (t *tap) invalid(l2 byte, step, detail string) *result {
	t.errors.l2, t.errors.message = l2, emv.MsgInsertSwipeOrOther
	o := noOutcome(emv.EndApplication, detail)
	o.UIOutcome = t.ui(emv.MsgInsertSwipeOrOther, emv.StatusNotReady)
	o.Error.Step, o.Error.Detail = step, detail
	return t.end(o)
}

// tryAgain is a card lost before it answered GET PROCESSING OPTIONS (kernel 2's rule).
func (t *tap) tryAgain(step string) emv.Outcome {
	o := noOutcome(emv.TryAgain, "the card was lost")
	o.Start = emv.StartB
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead, Language: t.language()}
	o.Error.Step = step
	return o
}

// lostCard is a card lost later: End Application that starts again at B, message 21 (kernel 2's rule).
func (t *tap) lostCard(step string) *result {
	t.errors.l1, t.errors.message = true, emv.MsgPresentAgain
	o := noOutcome(emv.EndApplication, "the card was lost")
	o.Start = emv.StartB
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead, Language: t.language()}
	o.Error.Step = step
	return t.end(o)
}

// ui is a user interface request with the message hold time and the card's languages.
func (t *tap) ui(m emv.MessageID, s emv.Status) *emv.UIRequest {
	return &emv.UIRequest{Message: m, Status: s, Hold: t.k.MessageHold, Language: t.language()}
}

// language is 5F2D: one to four languages of two letters; nil where there is none.
func (t *tap) language() []byte {
	v := t.card.value(tag.LanguagePreference)
	if len(v) < 2 || len(v) > 8 || len(v)%2 != 0 {
		return nil
	}
	return v
}

// cardRead is the message before the outcome: the card may leave.
func (t *tap) cardRead() {
	if d, ok := t.to.(emv.Display); ok {
		d.Show(emv.UIRequest{Message: emv.MsgClearDisplay, Status: emv.StatusCardReadOK, Language: t.language()})
	}
}

// Restart requested, high nibble of restart indicator byte 1 (A.1.113).
const (
	restartB          = 0x20
	restartOtherIface = 0x30
)

// decide is the outcome (2930.1 to 2930.41).
func (t *tap) decide() *result {
	restart := t.card.value(tag.RestartIndicator)
	failed := t.term.tvr[0] & tvr1LocalFailed
	if t.k.Kernel&ReportLocalFailure == 0 {
		t.term.tvr[0] &^= tvr1LocalFailed // 2930.1b: only what is reported goes to the issuer
	}
	var o emv.Outcome
	switch {
	case len(restart) > 0 && restart[0]&0xF0 == restartB:
		o = noOutcome(emv.EndApplication, "the card wants to be presented again")
		o.Start = emv.StartB
		o.UIOutcome = t.ui(t.cardMessage(restart, emv.MsgPresentAgain), emv.StatusNotReady)
		o.UIRestart = &emv.UIRequest{Message: o.UIOutcome.Message, Status: emv.StatusReadyToRead, Language: t.language()} // 2930.9
	case t.acType == tc && t.decision == tc:
		o = noOutcome(emv.Approved, "the card approved offline") // 2930.13
		o.UIOutcome = t.ui(emv.MsgApproved, emv.StatusNotReady)
		if t.cvm == emv.CVMSignature {
			o.UIOutcome.Message = emv.MsgApprovedSign
		}
	case t.mayGoOnline():
		o = noOutcome(emv.OnlineRequest, "the issuer decides") // 2930.19
		o.UIOutcome = t.ui(emv.MsgAuthorising, emv.StatusNotReady)
		o.UIOutcome.Hold = 0
	default:
		o = t.declined(restart)
	}
	if failed != 0 {
		o.Reason += "; local authentication failed"
	}
	o.CVM, o.Receipt = t.cvm, t.receipt
	o.DataRecord = t.dataRecord()
	return t.end(o)
}

// mayGoOnline is 2930.18. A terminal that has no line never does. (Ours.)
func (t *tap) mayGoOnline() bool {
	return !t.offlineOnly() && ((t.acType == arqc && t.decision != aac) || (t.decision == arqc && t.acType != aac))
}

// declined is 2930.21 to 2930.41: the end for other types of transaction, another
// interface where the card asks for one.
func (t *tap) declined(restart []byte) emv.Outcome {
	reason := "the card declined"
	if t.acType != aac {
		reason = "the terminal declined"
	}
	switch t.term.txType[0] {
	case typePurchase, typeCash, typeCashback, typeDisbursement:
	default:
		o := noOutcome(emv.EndApplication, reason)
		o.UIOutcome = &emv.UIRequest{Message: emv.MsgClearDisplay, Status: emv.StatusNotReady, Language: t.language()}
		return o
	}
	if len(restart) > 0 && restart[0]&0xF0 == restartOtherIface {
		o := noOutcome(emv.TryAnother, "the card asks for another interface")
		switch restart[0] & 0x0F {
		case 0x01:
			o.Alternate = emv.AlternateChip
		case 0x02:
			o.Alternate = emv.AlternateSwipe
		}
		o.UIOutcome = t.ui(t.cardMessage(restart, emv.MsgInsertOrSwipe), emv.StatusNotReady)
		return o
	}
	o := noOutcome(emv.Declined, reason)
	o.UIOutcome = t.ui(t.cardMessage(restart, emv.MsgNotAuthorised), emv.StatusNotReady)
	return o
}

// cardMessage is the message that the card asks for in its restart indicator where the terminal allows it.
func (t *tap) cardMessage(restart []byte, otherwise emv.MessageID) emv.MessageID {
	if len(restart) > 1 && restart[1] != 0 && bytes.IndexByte(t.k.RestartMessages, restart[1]) >= 0 {
		return emv.MessageID(restart[1])
	}
	return otherwise
}

// The data objects of the data record. Which ones the book's table A.11 lists was
// not to be found: what authorisation and clearing of kernel 2 need, and
// kernel 8's own. Each has one source, so that a card can't put its own amount into the record.
var (
	recordCard = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.CID, tag.ATC, tag.AIP, tag.AUC, tag.PAN, tag.PSN, tag.Track2, tag.ExpirationDate, tag.ApplicationLabel,
		tag.PreferredName, tag.IssuerCodeTable, tag.PAR, tag.TokenRequestor, tag.FormFactor, tag.DFName, tag.CVDecision, tag.AuthenticatedData,
	}
	recordTerminal = [...]tlv.Tag{
		tag.AmountAuthorised, tag.AmountOther, tag.TerminalVersion, tag.CVMResults, tag.IFDSerial, tag.TerminalCapabilities, tag.TerminalCountry,
		tag.TerminalType, tag.TVR, tag.TransactionCurrency, tag.TransactionDate, tag.TransactionType, tag.UN, tag.SequenceCounter, tag.RiskManagementData,
	}
	discretionaryCard = [...]tlv.Tag{tag.ApplicationCurrency, tag.CardCapabilities, tag.CardTVR, tag.RestartIndicator}
)

// dataRecord is what the host needs. 9F10 stands in it with the IAD-MAC.
func (t *tap) dataRecord() []byte {
	b := make([]byte, 0, recordSize)
	for _, g := range recordCard {
		if v := t.card.value(g); len(v) > 0 {
			b = tlv.Append(b, g, v)
		}
	}
	b = tlv.Append(b, tag.IAD, t.iad)
	for _, g := range recordTerminal {
		if v, ok := t.term.get(g); ok {
			b = tlv.Append(b, g, v)
		}
	}
	return b
}

// discretionary is the kernel's own data: error indication, statuses, relay times, and the envelopes that were read.
func (t *tap) discretionary() []byte {
	b := make([]byte, 0, 64+len(t.envelopes))
	for _, g := range discretionaryCard {
		if v := t.card.value(g); len(v) > 0 {
			b = tlv.Append(b, g, v)
		}
	}
	if t.hasIADMAC {
		b = tlv.Append(b, tag.IADMAC, t.iadMAC[:])
	}
	if t.lastRelay != nil {
		b = tlv.Append(b, tag.RelayTimeExcess, []byte{byte(t.relayExcess >> 8), byte(t.relayExcess)})
		b = tlv.Append(b, tag.MeasuredRelayTimeC8, []byte{byte(t.relayMeasured >> 8), byte(t.relayMeasured)})
	}
	b = tlv.Append(b, tag.ReadDataStatus, status(!t.unread))
	b = tlv.Append(b, tag.WriteDataStatus, status(len(t.k.Write) > 0 && !t.unwritten && t.hasIADMAC))
	b = tlv.Append(b, tag.ErrorIndicationC8, t.errors.bytes())
	return append(b, t.envelopes...)
}

// status is the one bit of a read or write data status: completed.
func status(done bool) []byte {
	if done {
		return []byte{0x80}
	}
	return []byte{0x00}
}

// afterOnline is a second start with the issuer's answer; kernel 8 needs no card for it.
func afterOnline(in *emv.Input) emv.Outcome {
	if in.Online.Approved {
		o := noOutcome(emv.Approved, "the issuer approved")
		o.UIOutcome = &emv.UIRequest{Message: emv.MsgApproved, Status: emv.StatusIdle}
		return o
	}
	o := noOutcome(emv.Declined, "the issuer declined")
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgNotAuthorised, Status: emv.StatusIdle}
	return o
}
