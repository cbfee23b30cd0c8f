package c2

import (
	"fmt"

	"huika/emv"
)

// errorIndication is DF8115: L1 ‖ L2 ‖ L3 ‖ SW12(2) ‖ message on error.
type errorIndication struct {
	l1      bool
	l2      byte
	l3      byte
	sw      uint16
	message emv.MessageID // 0: none
}

// Level 2 errors (Annex A, error indication).
const (
	cardDataMissing       = 0x01
	camFailed             = 0x02
	statusBytes           = 0x03
	parsingError          = 0x04
	maxLimitExceeded      = 0x05
	cardDataError         = 0x06
	magStripeNotSupported = 0x07
	idsReadError          = 0x0B
	idsWriteError         = 0x0C
	idsDataError          = 0x0D
	idsNoMatchingAC       = 0x0E
)

// Level 3 errors.
const timeOut = 0x01

var l2Names = map[byte]string{
	cardDataMissing: "card data missing", camFailed: "CAM failed", statusBytes: "status bytes", parsingError: "parsing error",
	maxLimitExceeded: "max limit exceeded", cardDataError: "card data error", magStripeNotSupported: "mag-stripe not supported",
	idsReadError: "IDS read error", idsWriteError: "IDS write error", idsDataError: "IDS data error", idsNoMatchingAC: "IDS no matching AC",
}

// l1TransmissionError is what L1 says: a Transceiver does not tell a time-out from a broken frame.
const l1TransmissionError = 0x02

func (e errorIndication) bytes() []byte {
	b := []byte{0, e.l2, e.l3, byte(e.sw >> 8), byte(e.sw), 0xFF}
	if e.l1 {
		b[0] = l1TransmissionError
	}
	if e.message != 0 {
		b[5] = byte(e.message)
	}
	return b
}

// noOutcome is an outcome whose parameters are all "not applicable".
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
	if t.oda == emv.ODANone && t.term.tvr[0]&tvr1CDAFailed != 0 {
		o.ODA = emv.ODAFailed
	}
	o.Error.L1, o.Error.L2, o.Error.SW = t.errors.l1, l2Names[t.errors.l2], t.errors.sw
	if t.errors.l3 == timeOut {
		o.Error.L2 = "time out"
	}
	o.Discretionary = t.discretionary()
	if t.fieldOff && o.FieldOff < 0 && o.Kind != emv.SelectNext {
		o.FieldOff = t.k.HoldTime // S1.7
	}
	return &result{o: o}
}

// selectNext asks Entry Point for the next application.
func (t *tap) selectNext(step, detail string) *result {
	o := noOutcome(emv.SelectNext, detail)
	o.Start = emv.StartC
	o.Error.Step, o.Error.Detail = step, detail
	return t.end(o)
}

// invalid is an invalid response: End Application, message 1C (S3.90, S4.10, S910.50 …).
func (t *tap) invalid(l2 byte, step, detail string) *result {
	t.errors.l2, t.errors.message = l2, emv.MsgInsertSwipeOrOther
	o := noOutcome(emv.EndApplication, detail)
	o.UIOutcome = t.ui(emv.MsgInsertSwipeOrOther, emv.StatusNotReady)
	o.Error.Step, o.Error.Detail = step, detail
	return t.end(o)
}

// silent is End Application without a message (L3 errors).
func (t *tap) silent(reason string) emv.Outcome { return noOutcome(emv.EndApplication, reason) }

// tryAgain is a card lost before it answered GET PROCESSING OPTIONS (S3.5).
func (t *tap) tryAgain(step string) emv.Outcome {
	o := noOutcome(emv.TryAgain, "the card was lost")
	o.Start = emv.StartB
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
	o.Error.Step = step
	return o
}

// lostCard is a card lost later: End Application that starts again at B, message 21 (S4.6 …).
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

func (t *tap) language() []byte { return t.card.value(0x5F2D) }

// show sends a message before the outcome (MSG signal).
func (t *tap) show(r emv.UIRequest) {
	if d, ok := t.to.(emv.Display); ok {
		r.Language = t.language()
		d.Show(r)
	}
}

// cardRead is the message of S9.27 and S13.12: the card may leave.
func (t *tap) cardRead() {
	t.show(emv.UIRequest{Message: emv.MsgClearDisplay, Status: emv.StatusCardReadOK})
}

// pciiAsks reports POS cardholder interaction information that asks for another presentation (S910.71).
func (t *tap) pciiAsks() bool {
	v := t.card.value(tagPCII)
	return len(v) == 3 && (v[0]&pciiMask[0] != 0 || v[1]&pciiMask[1] != 0 || v[2]&pciiMask[2] != 0)
}

// phoneMessage is the row of the phone message table that fits (S910.73).
func (t *tap) phoneMessage() emv.UIRequest {
	v := t.card.value(tagPCII)
rows:
	for _, row := range t.k.Phone {
		for i := range row.Mask {
			if v[i]&row.Mask[i] != row.Value[i] {
				continue rows
			}
		}
		return *t.ui(emv.MessageID(row.Message), emv.Status(row.Status))
	}
	return *t.ui(emv.MsgSeePhone, emv.StatusNotReady) // a table without a last row is ours to fill
}

// seePhone ends a tap whose holder must do something with the phone first (S910.72 to S910.80).
// The field goes off for the hold time, so that the same presentation is not read again at once (ours).
func (t *tap) seePhone() *result {
	message := t.phoneMessage()
	t.show(message)
	o := noOutcome(emv.EndApplication, "the phone wants its holder")
	o.Start = emv.StartB
	restart := message
	restart.Status, restart.Hold = emv.StatusReadyToRead, 0
	o.UIRestart = &restart
	o.FieldOff = t.k.HoldTime
	o.Error.Step, o.Error.Detail = "pcii", fmt.Sprintf("PCII %X", t.card.value(tagPCII))
	if t.magStripe {
		o.DataRecord = t.magRecord()
	} else {
		o.DataRecord = t.emvRecord()
	}
	return t.end(o)
}

// afterOnline is a second start with the issuer's answer; kernel 2 needs no card for it.
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
