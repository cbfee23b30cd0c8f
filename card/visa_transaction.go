package card

import (
	"bytes"
	"io"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// options answers GET PROCESSING OPTIONS: the cryptogram comes here. The counter
// is durable before the cryptogram leaves, so that no counter signs twice. A
// device that wants its holder answers before it counts.
func (c *Visa) options(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseSelected {
		return nil, apdu.SWConditions
	}
	q, sw := pdolData(PDOL, cmd.Data)
	switch {
	case sw != apdu.SWOK:
		return nil, sw
	case c.blocked || q.ttq[0]&ttq1QPBOC == 0: // TTQ byte 1 bit 6 is EMV mode for Visa too
		return nil, apdu.SWConditions
	case c.data.Policy.Locked:
		return nil, apdu.SWSeePhone
	}
	n, err := c.state.Load()
	if err != nil || n.ATC == 0xFFFF {
		return nil, apdu.SWConditions
	}
	n.ATC++
	if err := c.state.Save(n); err != nil {
		return nil, apdu.SWConditions
	}
	body, ok := c.respond(q, n.ATC)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// decide picks the cryptogram: a TC up to the card's own limit where the reader
// does not want to go online, an AAC where an offline-only reader asks for more, else an ARQC.
func (c *Visa) decide(q request) cryptogram.Type {
	p := &c.data.Policy
	amount, _ := q.values.Find(tag.AmountAuthorised)
	currency, _ := q.values.Find(tag.TransactionCurrency)
	n := int64(0)
	for _, b := range amount {
		n = n*100 + int64(b>>4)*10 + int64(b&15)
	}
	switch {
	case p.OfflineLimit > 0 && n <= p.OfflineLimit && bytes.Equal(currency, p.OfflineCurrency[:]) && q.ttq[1]&ttq2OnlineRequired == 0:
		return cryptogram.TC
	case q.ttq[0]&ttq1OfflineOnly != 0:
		return cryptogram.AAC
	}
	return cryptogram.ARQC
}

// respond makes the contents of the GPO response and the record of this transaction.
func (c *Visa) respond(q request, atc uint16) ([]byte, bool) {
	d := &c.data
	ctq := d.Policy.CTQ(q.ttq)
	kind := c.decide(q)
	// Signature and certificates are for a reader that will look at them.
	signs := kind == cryptogram.TC || (kind == cryptogram.ARQC && q.ttq[0]&ttq1ODAForOnline != 0)
	cvr := c.cvr(kind, ctq, signs)
	iad := cryptogram.VisaIAD{Version: d.Version, KeyIndex: d.KeyIndex, CVR: cvr}.Append(nil)
	counter := []byte{byte(atc >> 8), byte(atc)}
	ac, ok := c.cryptogram(q, atc, counter, iad)
	if !ok {
		return nil, false
	}
	body := tlv.Append(nil, tag.AIP, d.AIP[:])
	c.phase = phaseEnded
	if kind != cryptogram.AAC {
		var auth [7]byte
		if auth, ok = c.cardAuth(ctq); !ok {
			return nil, false
		}
		body = tlv.Append(body, tag.AFL, c.afl(signs))
		if signs {
			signed, ok := c.sign(q, counter, auth[:])
			if !ok {
				return nil, false
			}
			body = tlv.Append(body, tag.SDAD, signed)
		}
		c.last = tlv.Append(nil, tag.RecordTemplate, append(tlv.Append(nil, tag.CardAuthData, auth[:]), d.LastBody...))
		c.phase = phaseReady
	}
	if d.SendCID {
		body = tlv.Append(body, tag.CID, []byte{kind.CID()})
	}
	body = tlv.Append(body, tag.ATC, counter)
	body = tlv.Append(body, tag.ApplicationCryptogram, ac[:])
	body = tlv.Append(body, tag.IAD, iad)
	body = tlv.Append(body, tag.Track2, d.Track2)
	body = tlv.Append(body, tag.PSN, []byte{d.PSN})
	if d.FormFactor != nil {
		body = tlv.Append(body, tag.FormFactor, d.FormFactor)
	}
	c.request.atc, c.request.ac, c.request.made, c.request.pending = atc, ac, true, kind == cryptogram.ARQC
	return tlv.Append(body, tag.CTQ, ctq[:]), true
}

// cvr is what the card states under its cryptogram. What it says of the last
// issuer authentication and scripts it says once.
func (c *Visa) cvr(kind cryptogram.Type, ctq [2]byte, signs bool) cryptogram.VisaCVR {
	v := cryptogram.NewVisaCVR(kind)
	if signs {
		v = v.WithDDA()
	}
	if ctq[0]&ctq1OnlinePIN != 0 {
		v = v.WithOnlinePIN()
	}
	if ctq[1]&ctq2CDCVM != 0 {
		v = v.WithCDCVM()
	}
	if c.authFailed {
		v = v.WithIssuerAuthFailed()
	}
	if c.scriptFailed {
		v = v.WithScriptFailed()
	}
	c.authFailed, c.scriptFailed = false, false
	return v
}

func (c *Visa) cryptogram(q request, atc uint16, counter, iad []byte) ([8]byte, bool) {
	data, err := cryptogram.VisaData(func(t tlv.Tag) ([]byte, bool) {
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
	key, err := c.data.Version.SessionKey(c.data.UDK, atc)
	if err != nil {
		return [8]byte{}, false
	}
	defer key.Wipe()
	ac, err := c.data.Version.MAC(key, data)
	return ac, err == nil
}

// cardAuth is 9F69: version 01 ‖ card unpredictable number ‖ CTQ.
func (c *Visa) cardAuth(ctq [2]byte) ([7]byte, bool) {
	auth := [7]byte{0x01}
	if _, err := io.ReadFull(c.rand, auth[1:5]); err != nil {
		return auth, false
	}
	copy(auth[5:], ctq[:])
	return auth, true
}

// sign makes the fDDA signature of version 01. The ICC dynamic number is the ATC, as in recorded exchanges.
func (c *Visa) sign(q request, counter, auth []byte) ([]byte, bool) {
	un, _ := q.values.Find(tag.UN)
	amount, _ := q.values.Find(tag.AmountAuthorised)
	currency, _ := q.values.Find(tag.TransactionCurrency)
	dynamic := append([]byte{byte(len(counter))}, counter...)
	signed, err := oda.SignDynamic(c.data.Key, oda.FormatDDA, dynamic, oda.FDDAData(nil, un, amount, currency, auth))
	return signed, err == nil
}

// afl names the personalised records one by one where the card signs, and the record of this transaction.
func (c *Visa) afl(signs bool) []byte {
	var afl []byte
	if signs {
		for _, r := range c.data.Records {
			signed := byte(0)
			if r.Signed {
				signed = 1
			}
			afl = append(afl, r.SFI<<3, r.Number, r.Number, signed)
		}
	}
	return append(afl, c.data.LastSFI<<3, 1, 1, 0)
}
