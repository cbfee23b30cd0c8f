package c4

import (
	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
)

// verifyCardholder chooses the cardholder verification: from the card's list
// (8E), in which "plaintext PIN" is the phone's own verification (9F71).
func (t *tap) verifyCardholder() *result {
	t.term.SetCVM(book3.CVMNotDone, 0, book3.CVMUnknown)
	list, has := book3.ParseCVMList(t.card.Value(tag.CVMList))
	supports := t.aip()[0]&aip1CVM != 0
	if supports && !has {
		t.term.TVR.Set(book3.ICCDataMissing) // EMV Book 3, 10.5
	}
	if t.cvmRequired {
		if !supports || !has { // without a list: ours, the public implementation goes on
			return t.unable()
		}
		return t.byList(list)
	}
	if v := t.card.Value(tag.MobileCVM); t.mobile() && len(v) == 3 && v[0] == mobileDone && v[2] == mobileFailed && !t.again {
		return t.seePhone("cardholder verification", 0)
	}
	if !supports || !has {
		return nil
	}
	for i := range list.Len() {
		if r := list.Rule(i); r.Method() == book3.CVMNone && t.term.Holds(list, r, t.card, true) {
			t.succeed(r, emv.CVMNone, book3.CVMSuccessful)
			return nil
		}
	}
	return t.byList(list)
}

// byList goes through the card's list (EMV Book 3, 10.5). A rule that the
// terminal can't do is passed over whatever its bit 7 says (public implementation).
func (t *tap) byList(list book3.CVMList) *result {
	for i := range list.Len() {
		r := list.Rule(i)
		supported := t.can(r.Method())
		if !t.term.Holds(list, r, t.card, supported) {
			continue
		}
		if !book3.Recognised(r.Method()) {
			t.term.TVR.Set(book3.UnrecognisedCVM)
		}
		switch r.Method() {
		case book3.CVMFail:
			t.term.TVR.Set(book3.CVMFailed)
			t.term.SetCVM(r.Code, r.Condition, book3.CVMFailure)
			return t.failed()
		case book3.CVMPlainPIN:
			done, res := t.onPhone(r)
			if done {
				return res
			}
			continue
		case book3.CVMOnlinePIN:
			if !supported {
				t.term.TVR.Set(book3.NoPINPad)
				continue
			}
			t.term.TVR.Set(book3.OnlinePINEntered)
			t.succeed(r, emv.CVMOnlinePIN, book3.CVMUnknown)
			return nil
		case book3.CVMSignature:
			if supported {
				t.succeed(r, emv.CVMSignature, book3.CVMUnknown)
				return nil
			}
		case book3.CVMNone:
			if supported {
				t.succeed(r, emv.CVMNone, book3.CVMSuccessful)
				return nil
			}
		}
	}
	return t.unable()
}

// can reports that the reader has a method.
func (t *tap) can(method byte) bool {
	b := t.enhanced[1]
	switch method {
	case book3.CVMFail:
		return true
	case book3.CVMPlainPIN:
		return t.mobile() && b&Enhanced2MobileCVM != 0
	case book3.CVMOnlinePIN:
		return b&Enhanced2OnlinePIN != 0
	case book3.CVMSignature:
		return b&Enhanced2Signature != 0
	case book3.CVMNone:
		return !t.cvmRequired
	}
	return false
}

// onPhone is the rule "plaintext PIN": on a phone what 9F71 says, on a card never.
// done is false where the next rule applies.
func (t *tap) onPhone(r book3.Rule) (done bool, res *result) {
	if !t.mobile() {
		if v := t.card.Value(tag.CardInterface); len(v) == 0 || v[0]&card1Mobile == 0 {
			t.term.TVR.Set(book3.NoPINPad)
		}
		return false, nil
	}
	v := t.card.Value(tag.MobileCVM)
	switch {
	case t.enhanced[1]&Enhanced2MobileCVM == 0, len(v) != 3, v[2] == mobileBlocked:
		return false, nil
	case v[0] == mobileDone && v[2] == mobileSuccessful:
		t.succeed(r, emv.CVMConfirmed, book3.CVMSuccessful)
		return true, nil
	case !t.again:
		return true, t.seePhone("cardholder verification", 0)
	}
	return false, nil
}

func (t *tap) succeed(r book3.Rule, c emv.CVM, result byte) {
	t.cvm = c
	t.term.SetCVM(r.Code, r.Condition, result)
}

// unable is cardholder verification without a rule that fits.
func (t *tap) unable() *result {
	t.term.TVR.Set(book3.CVMFailed)
	t.term.SetCVM(book3.CVMNotDone, 0, book3.CVMFailure)
	return t.failed()
}

// failed sends a holder to the contact chip where there is one; else the action codes decide.
func (t *tap) failed() *result {
	if t.alternative() {
		return t.otherInterface("cardholder verification", "the cardholder could not be verified", 0)
	}
	return nil
}
