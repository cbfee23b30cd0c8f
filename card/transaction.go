package card

import (
	"io"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// request is what the terminal told in the PDOL data.
type request struct {
	ttq    [4]byte
	values tlv.List
}

// Bits of the TTQ that a card looks at.
const (
	ttq1QPBOC       = 0x20
	ttq1OfflineOnly = 0x08
	ttq1OnlinePIN   = 0x04
	ttq1Signature   = 0x02
	ttq2CVMRequired = 0x40
)

// Bits of the CTQ that a card sets.
const (
	ctq1OnlinePIN       = 0x80
	ctq1Signature       = 0x40
	ctq1OnlineIfODAFail = 0x20
	ctq2CDCVM           = 0x80
)

// Policy is how a card answers the terminal's wish for cardholder verification,
// and what it asks for when offline data authentication fails. These are the
// choices of its issuer; a real card holds them as data.
type Policy struct {
	CDCVM            bool // a phone or watch that its holder unlocked
	PINAlways        bool // asks for the online PIN at any amount
	Signature        bool // takes a signature where the terminal has no online PIN
	OnlineIfODAFails bool // CTQ B1b6
}

// CTQ is the card's answer to a TTQ: what the terminal shall do about the cardholder.
func (p Policy) CTQ(ttq [4]byte) (ctq [2]byte) {
	if p.OnlineIfODAFails {
		ctq[0] |= ctq1OnlineIfODAFail
	}
	switch required := ttq[1]&ttq2CVMRequired != 0; {
	case p.CDCVM:
		ctq[1] |= ctq2CDCVM
	case !required && !p.PINAlways:
	case ttq[0]&ttq1OnlinePIN != 0:
		ctq[0] |= ctq1OnlinePIN
	case required && p.Signature && ttq[0]&ttq1Signature != 0:
		ctq[0] |= ctq1Signature
	}
	return ctq
}

// gpo answers GET PROCESSING OPTIONS with everything that the transaction
// needs: the cryptogram comes here, not from GENERATE AC. The counter is
// durable before the cryptogram leaves, so that no counter signs twice.
func (c *Card) gpo(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseSelected {
		return nil, apdu.SWConditions
	}
	q, sw := pdolData(c.data.pdol(), cmd.Data)
	if sw != apdu.SWOK {
		return nil, sw
	}
	if c.blocked || q.ttq[0]&ttq1QPBOC == 0 {
		return nil, apdu.SWConditions // blocked, or a reader of mag-stripe mode only: not for this card
	}
	atc, ok := c.nextATC()
	if !ok {
		return nil, apdu.SWConditions
	}
	ctq := c.data.Policy.CTQ(q.ttq)
	if c.data.IssuerUpdate {
		ctq[1] |= ctq2IssuerUpdate
	}
	kind := cryptogram.ARQC
	if q.ttq[0]&ttq1OfflineOnly != 0 {
		kind = cryptogram.AAC // this card never approves offline
	}
	cvr := cryptogram.NewCVR(kind)
	if kind == cryptogram.ARQC {
		cvr = cvr.WithDDA()
	}
	if ctq[0]&ctq1OnlinePIN != 0 {
		cvr = cvr.WithOnlinePIN()
	}
	if ctq[1]&ctq2CDCVM != 0 {
		cvr = cvr.WithCDCVM()
	}
	if c.authFailed {
		cvr = cvr.WithIssuerAuthFailed()
	}
	if c.scriptFailed {
		cvr = cvr.WithScriptFailed()
	}
	c.authFailed, c.scriptFailed = false, false // said once
	body, ok := c.respond(q, atc, ctq, cvr)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// nextATC takes the next counter value and makes it durable. False at its end and when
// it could not be made durable.
func (c *Card) nextATC() (uint16, bool) {
	n, err := c.state.Load()
	if err != nil || n.ATC == 0xFFFF {
		return 0, false
	}
	n.ATC++
	if err := c.state.Save(n); err != nil {
		return 0, false
	}
	return n.ATC, true
}

// respond makes the contents of the GPO response and the record of this transaction.
func (c *Card) respond(q request, atc uint16, ctq [2]byte, cvr cryptogram.CVR) ([]byte, bool) {
	d := &c.data
	use := d.choose(q)
	version := d.Version
	if version == 0 {
		version = cryptogram.VersionPBOC01
	}
	iad := cryptogram.IAD{KeyIndex: d.KeyIndex, Version: version, CVR: cvr, Algorithm: use.algorithm}.Append(nil)
	counter := []byte{byte(atc >> 8), byte(atc)}
	ac, ok := c.cryptogram(use, q, atc, counter, iad)
	if !ok {
		return nil, false
	}
	body := tlv.Append(nil, tag.AIP, d.AIP[:])
	if cvr.Type() != cryptogram.AAC {
		signed, ok := c.sign(use, q, counter, ctq)
		if !ok {
			return nil, false
		}
		body = tlv.Append(body, tag.AFL, c.afl(use.records))
		body = tlv.Append(body, tag.SDAD, signed)
		c.phase = phaseReady
	} else {
		c.phase = phaseEnded
	}
	if d.SendCID {
		body = tlv.Append(body, tag.CID, []byte{cvr.Type().CID()})
	}
	body = tlv.Append(body, tag.ATC, counter)
	body = tlv.Append(body, tag.ApplicationCryptogram, ac[:])
	body = tlv.Append(body, tag.IAD, iad)
	body = tlv.Append(body, tag.Track2, d.Track2)
	body = tlv.Append(body, tag.PSN, []byte{d.PSN})
	c.asked = asked{use: use, atc: atc, ac: ac, made: true, pending: cvr.Type() == cryptogram.ARQC}
	return tlv.Append(body, tag.CTQ, ctq[:]), true
}

func (c *Card) cryptogram(use choice, q request, atc uint16, counter, iad []byte) ([8]byte, bool) {
	data, err := cryptogram.PBOCData(func(t tlv.Tag) ([]byte, bool) {
		switch t {
		case tag.AIP:
			return c.data.AIP[:], true
		case tag.ATC:
			return counter, true
		case tag.IAD:
			return iad, true
		}
		return q.values.Find(t)
	})
	if err != nil {
		return [8]byte{}, false
	}
	key, err := use.cipher.SessionKey(use.udk, atc)
	if err != nil {
		return [8]byte{}, false
	}
	defer key.Wipe()
	ac, err := use.cipher.MAC(key, data)
	return ac, err == nil
}

// sign makes the fDDA signature of version 01 and keeps the record with 9F69 (version ‖
// card unpredictable number ‖ CTQ) that the terminal needs to check it. The
// ICC dynamic number is the ATC, as in recorded exchanges.
func (c *Card) sign(use choice, q request, counter []byte, ctq [2]byte) ([]byte, bool) {
	auth := [7]byte{0x01}
	if _, err := io.ReadFull(c.rand, auth[1:5]); err != nil {
		return nil, false
	}
	copy(auth[5:], ctq[:])
	un, _ := q.values.Find(tag.UN)
	amount, _ := q.values.Find(tag.AmountAuthorised)
	currency, _ := q.values.Find(tag.TransactionCurrency)
	dynamic := append([]byte{byte(len(counter))}, counter...)
	data := oda.FDDAData(nil, un, amount, currency, auth[:])
	var signed []byte
	var err error
	if use.algorithm == cryptogram.AlgorithmSM4 {
		signed, err = oda.SignSM2Dynamic(c.data.SM.Key, dynamic, data)
	} else {
		signed, err = oda.SignDynamic(c.data.Key, oda.FormatDDA, dynamic, data)
	}
	if err != nil {
		return nil, false
	}
	c.last = tlv.Append(nil, tag.RecordTemplate, append(tlv.Append(nil, tag.CardAuthData, auth[:]), c.data.LastBody...))
	return signed, true
}

// afl names the records: the personalised ones file by file, then the one of this transaction.
func (c *Card) afl(records []Record) []byte {
	var afl []byte
	for _, r := range records {
		n := len(afl)
		signed := byte(0)
		if r.Signed {
			signed = 1
		}
		// An entry's signed records come first in it: extend only while that holds.
		if n > 0 && afl[n-4] == r.SFI<<3 && afl[n-2]+1 == r.Number && (signed == 0 || afl[n-1] == afl[n-2]-afl[n-3]+1) {
			afl[n-2] = r.Number
			afl[n-1] += signed
			continue
		}
		afl = append(afl, r.SFI<<3, r.Number, r.Number, signed)
	}
	return append(afl, c.data.LastSFI<<3, 1, 1, 0)
}
