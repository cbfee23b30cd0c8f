package card

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"io"
	"slices"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Reference control parameter: P1 of GENERATE AC.
const (
	rcpType = 0xC0
	rcpCDA  = 0x10
)

// generateAC answers GENERATE AC: one cryptogram a transaction, of the type that was
// asked for or one that says less, signed where that was asked for.
func (c *MChip) generateAC(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P2 != 0 || cmd.P1&^(rcpType|rcpCDA) != 0 || cmd.P1&rcpType == rcpType {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseReady || c.done {
		return nil, apdu.SWConditions
	}
	size, err := dol.Size(c.data.CDOL1)
	if err != nil || len(cmd.Data) < size {
		return nil, apdu.SWWrongLength
	}
	data, extra := slices.Clone(cmd.Data[:size]), cmd.Data[size:]
	values := tlv.List{}
	err = dol.Split(c.data.CDOL1, data, func(g tlv.Tag, v []byte) error {
		values = append(values, tlv.TLV{Tag: g, Value: v})
		return nil
	})
	if err != nil {
		return nil, apdu.SWWrongLength
	}
	if len(extra) > 0 && !c.writeSlot(extra) {
		return nil, apdu.SWWrongLength
	}
	kind := c.decide(cryptogram.Type(cmd.P1&rcpType>>2), values)
	body, ok := c.respond(kind, cmd.P1, data, values)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	c.done, c.phase = true, phaseEnded
	response := tlv.Append(nil, tag.ResponseFormat2, body)
	c.keepTorn(values, response)
	return response, apdu.SWOK
}

// decide is card risk management: a device that nobody unlocked declines, a card approves offline
// up to its limit and else wants the issuer.
func (c *MChip) decide(asked cryptogram.Type, values tlv.List) cryptogram.Type {
	p := c.data.Policy
	if asked == cryptogram.AAC || (p.Device && !p.Verified) {
		return cryptogram.AAC
	}
	if asked != cryptogram.TC {
		return cryptogram.ARQC
	}
	amount, _ := values.Find(tag.AmountAuthorised)
	var minor int64
	for _, b := range amount {
		minor = minor*100 + int64(b>>4)*10 + int64(b&15)
	}
	if minor > p.OfflineLimit || len(amount) != 6 {
		return cryptogram.ARQC
	}
	return cryptogram.TC
}

// respond makes the contents of the GENERATE AC response.
func (c *MChip) respond(kind cryptogram.Type, rcp byte, data []byte, values tlv.List) ([]byte, bool) {
	d := &c.data
	// A device or card signs an AAC only where it was asked to sign an AAC.
	sign := rcp&rcpCDA != 0 && (kind != cryptogram.AAC || rcp&rcpType == 0)
	cvr := cryptogram.NewMChipCVR(kind)
	if sign {
		cvr = cvr.WithCDA()
	}
	if d.Policy.Device && d.Policy.Verified {
		cvr = cvr.WithCDCVM()
	}
	atc := []byte{byte(c.atc >> 8), byte(c.atc)}
	iad := cryptogram.MChipIAD{KeyIndex: d.KeyIndex, Version: d.Version, CVR: cvr, DAC: [2]byte(atc), Counters: counters(d.Counters)}.Append(nil)
	ac, ok := c.cryptogram(values, atc, iad)
	if !ok {
		return nil, false
	}
	body := tlv.Append(nil, tag.CID, []byte{kind.CID()})
	body = tlv.Append(body, tag.ATC, atc)
	if !sign {
		body = tlv.Append(body, tag.ApplicationCryptogram, ac[:])
	}
	body = tlv.Append(body, tag.IAD, iad)
	if p := c.pcii(); p != nil {
		body = tlv.Append(body, tagPCII, p)
	}
	if !sign {
		return body, true
	}
	hash := sha1.Sum(slices.Concat(c.pdol, data, body))
	dynamic := slices.Concat([]byte{byte(len(atc))}, atc, []byte{kind.CID()}, ac[:], hash[:], c.summaries())
	if c.relayed > 0 {
		dynamic = append(dynamic, c.relay[:]...)
	}
	un, _ := values.Find(tag.UN)
	signed, err := oda.SignDynamic(d.Key, oda.FormatDDA, dynamic, un)
	if err != nil {
		return nil, false
	}
	return tlv.Append(body, tag.SDAD, signed), true
}

// counters are the offline counters of 9F10, all zero, with M/Chip's trailing FF: the cards of the demo count nothing offline.
func counters(n int) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	b[n-1] = 0xFF
	return b
}

func (c *MChip) cryptogram(values tlv.List, atc, iad []byte) ([8]byte, bool) {
	data, err := cryptogram.MChipData(func(g tlv.Tag) ([]byte, bool) {
		switch g {
		case tag.AIP:
			return c.data.AIP[:], true
		case tag.ATC:
			return atc, true
		case tag.IAD:
			return iad, true
		}
		return values.Find(g)
	})
	un, there := values.Find(tag.UN)
	if err != nil || !there || len(un) != 4 {
		return [8]byte{}, false
	}
	key, err := c.data.Version.SessionKey(c.data.UDK, c.atc, [4]byte(un))
	if err != nil {
		return [8]byte{}, false
	}
	defer key.Wipe()
	ac, err := c.data.Version.MAC(key, data)
	return ac, err == nil
}

// keepTorn keeps the response for RECOVER AC, and what the terminal must know to get it.
func (c *MChip) keepTorn(values tlv.List, response []byte) {
	c.torn, c.tornData = nil, nil
	if len(c.data.DRDOL) == 0 {
		return
	}
	data, err := dol.Build(nil, c.data.DRDOL, func(g tlv.Tag) ([]byte, bool) { return values.Find(g) })
	if err != nil {
		return
	}
	c.torn, c.tornData = response, data
}

// recoverAC gives the last cryptogram again to a terminal that knows its transaction.
func (c *MChip) recoverAC(cmd apdu.Command) ([]byte, uint16) {
	switch {
	case len(c.data.DRDOL) == 0:
		return nil, apdu.SWUnknownINS
	case cmd.P1 != 0 || cmd.P2 != 0:
		return nil, apdu.SWWrongP1P2
	case c.phase != phaseReady:
		return nil, apdu.SWConditions
	case c.torn == nil || !bytes.Equal(cmd.Data, c.tornData):
		return nil, apdu.SWDataNotFound
	}
	c.done, c.phase = true, phaseEnded
	return c.torn, apdu.SWOK
}

// checksum answers COMPUTE CRYPTOGRAPHIC CHECKSUM (mag-stripe mode; UDOL is the default, 9F6A04).
func (c *MChip) checksum(cmd apdu.Command) ([]byte, uint16) {
	switch {
	case c.data.CVC3Key.Len() == 0:
		return nil, apdu.SWUnknownINS
	case cmd.P1 != 0x8E || cmd.P2 != 0x80:
		return nil, apdu.SWWrongP1P2
	case len(cmd.Data) != 4:
		return nil, apdu.SWWrongLength
	case c.phase != phaseReady || c.done:
		return nil, apdu.SWConditions
	}
	un := [4]byte(cmd.Data)
	var body []byte
	pcii := c.pcii()
	if pcii == nil || c.data.Policy.Verified {
		track2, err := cryptogram.CVC3(c.data.CVC3Key, c.data.IV2, un, c.atc)
		if err != nil {
			return nil, apdu.SWNoDiagnosis
		}
		body = tlv.Append(body, tagCVC3Track2, track2[:])
		if c.data.Track1 {
			track1, err := cryptogram.CVC3(c.data.CVC3Key, c.data.IV1, un, c.atc)
			if err != nil {
				return nil, apdu.SWNoDiagnosis
			}
			body = tlv.Append(body, tagCVC3Track1, track1[:])
		}
	}
	body = tlv.Append(body, tag.ATC, []byte{byte(c.atc >> 8), byte(c.atc)})
	if pcii != nil {
		body = tlv.Append(body, tagPCII, pcii)
	}
	c.done, c.phase = true, phaseEnded
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// storedSlot is the one slot of integrated data storage. How a real card makes
// its summaries and checks an operator's digest is not public; here a summary
// is a hash of what is stored, and whoever reads may write. (Stand-in.)
type storedSlot struct {
	ods    []byte // operator data set
	un     [4]byte
	before [8]byte // summary when it was read, and after
	after  [8]byte
}

func (s *storedSlot) summary() [8]byte {
	h := sha256.Sum256(append([]byte("slot"), s.ods...))
	return [8]byte(h[:8])
}

// slotObjects adds the slot to the GPO response where the PDOL data name an operator. nil: no random numbers.
func (c *MChip) slotObjects(body []byte) []byte {
	operator := false
	err := dol.Split(c.data.PDOL, c.pdol, func(g tlv.Tag, v []byte) error {
		operator = operator || (g == tagOperator && !bytes.Equal(v, make([]byte, len(v))))
		return nil
	})
	if c.data.Storage == nil || err != nil || !operator {
		return body
	}
	if _, err := io.ReadFull(c.rand, c.slot.un[:]); err != nil {
		return nil
	}
	c.using = true
	c.slot.before = c.slot.summary()
	c.slot.after = c.slot.before
	body = tlv.Append(body, tagSlots, []byte{0x80})
	body = tlv.Append(body, tagSlotControl, []byte{0x40})
	body = tlv.Append(body, tagSummary1, c.slot.before[:])
	body = tlv.Append(body, tagDSUN, c.slot.un[:])
	if len(c.slot.ods) > 0 {
		body = tlv.Append(body, tagODS, c.slot.ods)
	}
	return body
}

// storageHead is what stands before DS ODS Term in the DSDOL of our cards: DS Input (Card), DS Digest H, DS ODS Info.
const storageHead = 8 + 8 + 1

// writeSlot takes the DSDOL data behind CDOL1's. False where there is no slot to write.
func (c *MChip) writeSlot(data []byte) bool {
	if !c.using || len(data) < storageHead {
		return false
	}
	c.slot.ods = slices.Clone(data[storageHead:])
	c.slot.after = c.slot.summary()
	return true
}

// summaries are DS Summary 2 and 3 in the signature.
func (c *MChip) summaries() []byte {
	if !c.using {
		return nil
	}
	return slices.Concat(c.slot.before[:], c.slot.after[:])
}
