package card

import (
	"bytes"
	"fmt"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// DiscoverData is what a Discover card, phone or watch is personalised with (D-PAS,
// from public descriptions of Book C-6). It prints as "[secret]". The records are
// for a reader that checks a TC; an ARQC needs none.
type DiscoverData struct {
	ChipData
	Track2  []byte // 57
	PSN     byte   // 5F34, BCD
	Country [2]byte
	Online  []byte // further objects of an answer without records: 9F07 5F25 9F08, for devices 9F24
	Policy  DiscoverPolicy
}

// DiscoverPolicy are choices of the issuer, and for a device what its holder did.
type DiscoverPolicy struct {
	CDCVM           bool  // a phone or watch that its holder unlocked
	Locked          bool  // a device that wants its holder: it answers 6986
	Signature       bool  // takes a signature where the terminal has no online PIN
	OfflineLimit    int64 // the largest amount (minor units, in OfflineCurrency) that the card approves offline; 0: none
	OfflineCurrency [2]byte
}

// Discover is a software Discover card. It is used by one task at a time; its
// counter is in the State.
type Discover struct {
	application
	data DiscoverData
}

// NewDiscover makes a card. Errors: ErrData.
func NewDiscover(data DiscoverData, state State) (*Discover, error) {
	if err := data.check(state); err != nil {
		return nil, err
	}
	if len(data.Track2) == 0 || len(data.Track2) > maxTrack2 || len(data.Online) > maxRecordBody/2 {
		return nil, fmt.Errorf("%w: track 2 or objects without records", ErrData)
	}
	if len(data.Records) > maxVisaRecords {
		return nil, fmt.Errorf("%w: number of records", ErrData)
	}
	return &Discover{application: application{chip: data.ChipData, state: state}, data: data}, nil
}

// Format keeps card data out of every verb.
func (c *Discover) Format(f fmt.State, verb rune) { c.data.Format(f, verb) }

// Transmit answers one command. The answer always has a status word.
func (c *Discover) Transmit(command []byte) []byte {
	return transmit(command, func(cmd apdu.Command) ([]byte, uint16) {
		return c.dispatch(cmd, map[byte]instruction{apdu.InsGPO: {0x80, c.options}})
	})
}

// Card processing requirements, 9F71.
const (
	cpr1OnlinePIN    = 0x80
	cpr1Signature    = 0x40
	cpr1CDCVM        = 0x10
	cpr2FallbackSign = 0x02
)

// CPR is the card's answer to a TTQ.
func (p DiscoverPolicy) CPR(ttq [4]byte) (cpr [2]byte) {
	if p.Signature {
		cpr[1] |= cpr2FallbackSign
	}
	switch required := ttq[1]&ttq2CVMRequired != 0; {
	case p.CDCVM:
		cpr[0] |= cpr1CDCVM
	case !required:
	case ttq[0]&ttq1OnlinePIN != 0 || !p.Signature:
		cpr[0] |= cpr1OnlinePIN
	default:
		cpr[0] |= cpr1Signature
	}
	return cpr
}

// options answers GET PROCESSING OPTIONS: the cryptogram comes here. A device that
// wants its holder answers before it counts.
func (c *Discover) options(cmd apdu.Command) ([]byte, uint16) {
	if sw := c.takePDOL(cmd); sw != apdu.SWOK {
		return nil, sw
	}
	ttq := [4]byte(c.told(tag.TTQ, 4))
	switch {
	case ttq[0]&ttq1QPBOC == 0: // byte 1 bit 6 is EMV mode for D-PAS too
		return nil, apdu.SWConditions
	case c.data.Policy.Locked:
		return nil, apdu.SWSeePhone
	case !c.count():
		return nil, apdu.SWConditions
	}
	body, ok := c.respond(ttq)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// kind picks the cryptogram: a TC up to the card's own limit where the reader does
// not want to go online, an AAC where an offline-only reader asks for more, else an ARQC.
func (c *Discover) kind(ttq [4]byte) cryptogram.Type {
	p := &c.data.Policy
	switch {
	case p.OfflineLimit > 0 && c.amount() <= p.OfflineLimit && ttq[1]&ttq2OnlineRequired == 0 &&
		bytes.Equal(c.told(tag.TransactionCurrency, 2), p.OfflineCurrency[:]):
		return cryptogram.TC
	case ttq[0]&ttq1OfflineOnly != 0:
		return cryptogram.AAC
	}
	return cryptogram.ARQC
}

// respond makes the contents of the answer: a TC comes signed, with records and
// without 9F26; an ARQC or AAC with everything in the answer itself.
func (c *Discover) respond(ttq [4]byte) ([]byte, bool) {
	kind, cpr := c.kind(ttq), c.data.Policy.CPR(ttq)
	cvr := cryptogram.NewDiscoverCVR(kind, bytes.Equal(c.told(tag.TerminalCountry, 2), c.data.Country[:]))
	if c.data.Policy.CDCVM {
		cvr = cvr.WithCDCVM()
	}
	iad := cryptogram.DiscoverIAD{KeyIndex: c.chip.KeyIndex, CVR: cvr}.Append(nil)
	ac, ok := c.cryptogram(iad)
	if !ok {
		return nil, false
	}
	body := tlv.Append(nil, tag.AIP, c.chip.AIP[:])
	body = tlv.Append(body, tag.CID, []byte{kind.CID()})
	body = tlv.Append(body, tag.ATC, c.counter())
	body = tlv.Append(body, tag.IAD, iad)
	body = tlv.Append(body, tag.CPR, cpr[:])
	body = tlv.Append(body, tag.Track2, c.data.Track2)
	body = tlv.Append(body, tag.PSN, []byte{c.data.PSN})
	if kind != cryptogram.TC {
		c.phase = phaseEnded
		body = append(body, c.data.Online...)
		return tlv.Append(body, tag.ApplicationCryptogram, ac[:]), true
	}
	c.phase = phaseReady
	body = tlv.Append(body, tag.AFL, c.afl())
	return c.sign(body, kind, ac, nil)
}
