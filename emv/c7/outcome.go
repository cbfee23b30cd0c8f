package c7

import (
	"time"

	"huika/emv"
)

// phoneHold is how long "see phone" stays and the field is off before the
// phone is asked for again (kernel 3: 13 units of 100 ms, unverified for kernel 7).
const phoneHold = 1300 * time.Millisecond

// noOutcome is an outcome whose parameters are all "not applicable".
func noOutcome(k emv.Kind, reason string) emv.Outcome {
	return emv.Outcome{
		Kind: k, Reason: reason,
		Start: emv.StartNone, CVM: emv.CVMNotGiven, OnlineResponseData: emv.OnlineNotApplicable,
		Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone,
	}
}

// declined ends the transaction after the card was read.
func (t *tap) declined(reason string) emv.Outcome {
	o := noOutcome(emv.Declined, reason)
	o.ODA = t.oda
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgNotAuthorised, Status: emv.StatusIdle}
	o.DataRecord = t.record55(make([]byte, 0, recordSize))
	return o
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
	o.Error = emv.ErrorIndication{SW: sw, Step: "gpo", L2: "status bytes"}
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
func seePhone() emv.Outcome {
	o := noOutcome(emv.TryAgain, "the phone wants its holder")
	o.Start = emv.StartB
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgSeePhone, Status: emv.StatusProcessingError, Hold: phoneHold}
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
	o.FieldOff = phoneHold
	o.Error = emv.ErrorIndication{SW: 0x6986, Step: "gpo", L2: "status bytes"}
	return o
}

// tryAgain: the card left before it was read whole.
func tryAgain(step string) emv.Outcome {
	o := noOutcome(emv.TryAgain, "the card was lost")
	o.Start = emv.StartB
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusProcessingError}
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
	o.Error = emv.ErrorIndication{L1: true, Step: step}
	return o
}
