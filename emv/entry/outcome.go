package entry

import "huika/emv"

// noOutcome is an outcome whose parameters are all "not applicable".
func noOutcome(k emv.Kind, reason string) emv.Outcome {
	return emv.Outcome{
		Kind: k, Reason: reason,
		Start: emv.StartNone, CVM: emv.CVMNotGiven, OnlineResponseData: emv.OnlineNotApplicable,
		Alternate: emv.AlternateNone, FieldOff: emv.FieldOffNone,
	}
}

// tryAnotherInterface is the outcome of Book B 3.1.1.13: no combination is allowed.
func tryAnotherInterface() emv.Outcome {
	o := noOutcome(emv.TryAnother, "no contactless application is allowed for this amount and type")
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgInsertOrSwipe, Status: emv.StatusProcessingError}
	return o
}

// endApplication is the outcome of Book B 3.3.2.7 (and 3.3.3.5 after an online answer).
func endApplication(reason string) emv.Outcome {
	o := noOutcome(emv.EndApplication, reason)
	o.UIOutcome = &emv.UIRequest{Message: emv.MsgInsertSwipeOrOther, Status: emv.StatusReadyToRead}
	return o
}

// tryAgain stands in for a kernel that gave emv.ErrCardLost back as an error instead of an outcome.
func tryAgain() emv.Outcome {
	o := noOutcome(emv.TryAgain, "the card was lost while the kernel ran")
	o.Start = emv.StartB
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
	o.Error.L1 = true
	return o
}
