package c3

import (
	"time"

	"huika/emv"
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

// declined ends the transaction after the card was read. That it carries a data
// record is ours: the till and the journal need one.
func (t *tap) declined(reason string) emv.Outcome {
	o := noOutcome(emv.Declined, reason)
	o.ODA = t.oda
	o.UIOutcome = t.ask(emv.MsgNotAuthorised, emv.StatusIdle)
	return t.withData(o)
}

// endApplication ends the transaction where the card's data can't be used.
func endApplication(step, l2, detail string) emv.Outcome {
	o := noOutcome(emv.EndApplication, detail)
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgInsertSwipeOrOther, Status: emv.StatusProcessingError}
	o.Error = emv.ErrorIndication{L2: l2, Step: step, Detail: detail}
	return o
}

// statusError is endApplication for a status word that no rule names.
func statusError(step string, sw uint16) emv.Outcome {
	o := endApplication(step, "status bytes", "the card refused a command")
	o.Error.SW = sw
	return o
}

// selectNext asks Entry Point for the next application.
func selectNext(reason string, sw uint16) emv.Outcome {
	o := noOutcome(emv.SelectNext, reason)
	o.Start = emv.StartC
	o.Error = emv.ErrorIndication{SW: sw, Step: "gpo"}
	if sw != 0 {
		o.Error.L2 = "status bytes"
	}
	return o
}

// tryAnother asks for the contact chip.
func tryAnother(reason string, sw uint16) emv.Outcome {
	o := noOutcome(emv.TryAnother, reason)
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgInsertCard, Status: emv.StatusProcessingError}
	o.Alternate = emv.AlternateChip
	o.Error.SW = sw
	return o
}

// seePhone asks the holder to unlock the phone and to present it again.
func seePhone(language []byte) emv.Outcome {
	o := noOutcome(emv.TryAgain, "the phone wants its holder")
	o.Start = emv.StartB
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgSeePhone, Status: emv.StatusProcessingError, Hold: phoneHold, Language: language}
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead, Language: language}
	o.FieldOff = phoneHold
	o.Error = emv.ErrorIndication{SW: 0x6986, Step: "gpo", L2: "status bytes"}
	return o
}

// tryAgain: the card left before it was read whole.
func tryAgain(step string, language []byte) emv.Outcome {
	o := noOutcome(emv.TryAgain, "the card was lost")
	o.Start = emv.StartB
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusProcessingError, Language: language}
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead, Language: language}
	o.Error = emv.ErrorIndication{L1: true, Step: step}
	return o
}
