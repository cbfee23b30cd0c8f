package c5

import (
	"bytes"
	"slices"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// requested is what an Online Request keeps for the issuer's answer: the online transaction context.
type requested struct {
	fci     []byte // of the card that asked
	term    book3.Terminal
	tip     [3]byte
	cdol2   []byte
	card    book3.Objects
	outcome emv.Outcome
}

func (t *tap) remember(o emv.Outcome) *requested {
	o.Memory = nil
	return &requested{fci: bytes.Clone(t.in.FCI), term: t.term, tip: t.tip, cdol2: t.card.Value(tag.CDOL2), card: t.card.Objects, outcome: o}
}

// approvals are the response codes after which a TC is asked for (5.11.3.4).
var approvals = []string{"00", "10", "11", "01", "02"}

// update is issuer update processing (5.11): scripts 71, the second GENERATE AC, scripts 72.
// Where it can't be done the outcome is the issuer's word; where the card
// answers, it is the card's: a card that does not approve declines.
func (t *tap) update() *result {
	online := t.in.Online
	was, ok := t.in.Previous.(*requested)
	if !ok {
		return t.issuersWord(&requested{outcome: noOutcome(emv.OnlineRequest, "")}) // nothing was asked of a card
	}
	t.term, t.tip, t.card.Objects = was.term, was.tip, was.card
	copy(t.arc[:], online.ResponseCode)
	if len(online.AuthData) == 0 && len(online.Scripts) == 0 { // 5.2.1.3
		return t.issuersWord(was)
	}
	if !bytes.Equal(t.in.FCI, was.fci) { // ours
		r := t.issuersWord(was)
		r.o.Error = emv.ErrorIndication{Step: "update", Detail: "another card was presented"}
		return r
	}
	scripts := book3.ParseScripts(online.Scripts)
	r := t.runScripts(scripts, tag.Script1, book3.ScriptBefore, was) // 5.11.2
	if r == nil {
		r = t.secondAC(scripts, was)
	}
	if r.err == nil && len(scripts) > 0 {
		r.o.Discretionary = tlv.Append(r.o.Discretionary, tag.ScriptResults, book3.Results(scripts))
	}
	return r
}

// runScripts runs those of one tag. A card that is lost ends the update.
func (t *tap) runScripts(scripts []book3.Script, which tlv.Tag, bit book3.Bit, was *requested) *result {
	for i := range scripts {
		s := &scripts[i]
		if s.Tag != which {
			continue
		}
		_, lost, err := t.card.Run(s)
		if err != nil {
			return &result{err: err}
		}
		if s.Failed() && which == tag.Script2 {
			t.after.Set(bit)
		} else if s.Failed() {
			t.term.TVR.Set(bit)
		}
		if lost {
			r := t.issuersWord(was)
			r.o.Error = emv.ErrorIndication{L1: true, Step: "issuer script"}
			return r
		}
	}
	return nil
}

// secondAC is 5.11.3 to 5.11.5.
func (t *tap) secondAC(scripts []book3.Script, was *requested) *result {
	after := slices.ContainsFunc(scripts, func(s book3.Script) bool { return s.Tag == tag.Script2 })
	if len(t.in.Online.AuthData) == 0 && !after { // 5.11.2.3: critical scripts only
		return t.issuersWord(was)
	}
	data, err := dol.Build(nil, was.cdol2, t.value)
	if err != nil || len(was.cdol2) == 0 { // 5.11.3.1
		return t.issuersWord(was)
	}
	asked := book3.AAC
	if t.in.Online.Approved && slices.Contains(approvals, t.in.Online.ResponseCode) {
		asked = book3.TC
	}
	r, lost, err := t.card.Send(generateAC(byte(asked), data))
	if err != nil {
		return &result{err: err}
	}
	if lost || !r.OK() { // 5.11.3.6
		res := t.issuersWord(was)
		res.o.Error = emv.ErrorIndication{L1: lost, SW: r.SW, Step: "second generate ac"}
		return res
	}
	var answer book3.Objects // the first answer's objects stay until the second is known to be whole
	why := answer.Template(r.Data, tag.ResponseFormat2)
	cid := answer.Value(tag.CID)
	if why != "" || len(cid) != 1 || len(answer.Value(tag.ATC)) != 2 || len(answer.Value(tag.ApplicationCryptogram)) != 8 { // 5.11.3.7
		res := t.issuersWord(was)
		res.o.Error = emv.ErrorIndication{L2: "card data missing", Step: "second generate ac", Detail: why}
		return res
	}
	for _, g := range [...]tlv.Tag{tag.CID, tag.ATC, tag.ApplicationCryptogram, tag.IAD, tag.JCBBalance} {
		if v, ok := answer.Get(g); ok {
			t.card.Replace(g, v)
		}
	}
	if res := t.runScripts(scripts, tag.Script2, book3.ScriptAfter, was); res != nil && res.err != nil { // 5.11.5
		return res
	}
	t.card.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK, Language: t.language})
	track, _ := book3.ParseTrack2(t.card.Value(tag.Track2))
	t.number, t.oda, t.cid = track.Number, was.outcome.ODA, cid[0]
	if book3.Type(t.cid) != book3.TC || asked != book3.TC { // 5.11.4.1; that a TC which nobody asked for is none is ours
		return t.declined("the card declined after the issuer's answer")
	}
	o := noOutcome(emv.Approved, "issuer and card approved") // 5.11.4.2
	o.UIOutcome = t.ask(emv.MsgApproved, emv.StatusCardReadOK)
	if was.outcome.CVM == emv.CVMSignature {
		o.UIOutcome.Message = emv.MsgApprovedSign
	}
	o.CVM, o.Receipt = was.outcome.CVM, true
	if o.CVM == emv.CVMOnlinePIN { // 5.11.4.3: it was asked for
		o.CVM = emv.CVMNotGiven
	}
	return t.withData(o)
}

// issuersWord is the outcome where the card has no say.
func (t *tap) issuersWord(was *requested) *result {
	o := noOutcome(emv.Declined, "the issuer declined")
	o.UIOutcome = t.ask(emv.MsgNotAuthorised, emv.StatusIdle)
	if t.in.Online.Approved {
		o.Kind, o.Reason = emv.Approved, "the issuer approved"
		o.UIOutcome.Message = emv.MsgApproved
		if was.outcome.CVM == emv.CVMSignature {
			o.UIOutcome.Message, o.Receipt = emv.MsgApprovedSign, true
		}
	}
	o.CVM, o.ODA, o.DataRecord = was.outcome.CVM, was.outcome.ODA, was.outcome.DataRecord
	o.Discretionary = tlv.Append(nil, tag.TVR, t.term.TVR[:])
	return &result{o: o}
}
