package c6

import (
	"huika/emv"
	"huika/emv/book3"
)

// analyse is terminal action analysis by the CPR (figure 23), then by the
// cryptogram (figure 24).
func (t *tap) analyse() *result {
	switch t.kind {
	case book3.AAC: // 23.1; 23.2, loyalty, is not here
		return t.declined("the card declined")
	case book3.Reserved:
		return t.declined("the card names no cryptogram type") // ours
	}
	tvr := t.term.TVR
	if tvr.Has(book3.CDAFailed) { // 23.3
		switch {
		case t.cpr[1]&cpr2SwitchIfCDAFail != 0: // 23.4
			return t.switchOrDecline("the card could not be authenticated")
		case t.cpr[1]&cpr2OnlineIfCDAFail != 0: // 23.6
			return t.goOnline("the card could not be authenticated")
		}
	}
	switch {
	case tvr.Has(book3.NotAllowed): // 23.8a
		return t.declined("the card's usage control does not allow this")
	case tvr.Has(book3.ExceptionFile): // 23.8b
		return t.declined("the card is on the exception file")
	case tvr.Has(book3.ICCDataMissing): // 23.8c
		return t.declined("data for authentication is missing")
	case tvr.Has(book3.Expired) && t.cpr[1]&cpr2DeclineExpired != 0: // 23.9, 23.10
		return t.declined("the card has expired")
	case tvr.Has(book3.Expired) && t.cpr[1]&cpr2OnlineExpired != 0: // 23.11
		return t.goOnline("the card has expired")
	case tvr.Has(book3.NotYetEffective): // 23.12
		return t.goOnline("the card is not yet valid")
	case t.kind == book3.ARQC: // 24.2, 24.3
		return t.goOnline("the issuer decides")
	case t.onlineRequired(): // 24.1: the card did not do as it was told
		return t.declined("the card approved where the issuer was to be asked")
	case tvr.Has(book3.CDAFailed): // 24.4
		return t.declined("the card could not be authenticated")
	case tvr.Has(book3.Expired): // ours: an expired card that says nothing of it is not approved offline
		return t.declined("the card has expired")
	}
	return t.approved()
}

// onlineRequired: the reader wants the issuer. The floor limit counts even where the TTQ does not show it. (Ours.)
func (t *tap) onlineRequired() bool {
	return t.ttq[1]&ttq2OnlineRequired != 0 || t.term.TVR.Has(book3.FloorLimit)
}

// goOnline is 23.7 and 23.8: where the reader can't, the card may want another
// interface. That an ARQC at an offline-only reader ends here too is ours: figure 24 does not look.
func (t *tap) goOnline(reason string) *result {
	switch {
	case t.mayGoOnline():
		return t.onlineRequest(reason)
	case t.cpr[1]&cpr2SwitchIfOffline != 0:
		return t.switchOrDecline("the transaction must go online and the reader is offline-only")
	}
	return t.declined("the transaction must go online and the reader is offline-only")
}

// switchOrDecline is 23.5.
func (t *tap) switchOrDecline(reason string) *result {
	if t.ttq[0]&ttq1Chip == 0 {
		return t.declined(reason)
	}
	r := t.tryAnother(reason, 0)
	r.o.ODA = t.oda
	return r
}

func (t *tap) approved() *result {
	o := noOutcome(emv.Approved, "the card approved offline")
	o.UIOutcome = t.ask(emv.MsgApproved, emv.StatusIdle)
	if t.cvm == emv.CVMSignature {
		o.UIOutcome.Message = emv.MsgApprovedSign
	}
	return t.complete(o)
}

func (t *tap) onlineRequest(reason string) *result {
	o := noOutcome(emv.OnlineRequest, reason)
	o.UIOutcome = t.ask(emv.MsgAuthorising, emv.StatusProcessing)
	if t.cvm == emv.CVMOnlinePIN {
		o.UIOutcome.Message, o.UIOutcome.Status = emv.MsgEnterPIN, emv.StatusNotReady
	}
	r := t.complete(o)
	// 3.8: both sides take issuer updates, so that the card may be asked for once more.
	if t.ttq[2]&ttq3IssuerUpdate != 0 && t.cpr[1]&cpr2IssuerUpdate != 0 {
		r.o.Start, r.o.OnlineResponseData, r.o.FieldOff = emv.StartB, emv.OnlineEMVData, 0
		r.o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead, Language: t.language}
		r.o.Memory = &requested{fci: append([]byte(nil), t.in.FCI...), outcome: r.o, tvr: t.term.TVR, language: t.language}
	}
	return r
}

// complete adds what an approved or online outcome carries.
func (t *tap) complete(o emv.Outcome) *result {
	o.CVM, o.Receipt = t.cvm, t.cvm == emv.CVMSignature
	return t.withData(o)
}
