package card

import (
	"bytes"
	"slices"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Cardholder verification decisions (9F8102), and what 9F1D says that the terminal can do.
const (
	cvdNone      = 0x00
	cvdSignature = 0x01
	cvdOnlinePIN = 0x02
	cvdOnDevice  = 0x03
	cvdFailed    = 0xFF

	riskOnlinePIN = 0x40 // byte 1
	riskSignature = 0x20
	riskNone      = 0x08
	riskOnDevice  = 0x04
	riskCVMLimit  = 0x80 // byte 2: CVM limit exceeded
)

// Bits of the TVR that the card sets in its own (9F8104).
const (
	c8TVR2Expired   = 0x40
	c8TVR3CVMFailed = 0x80
	c8TVR3OnlineCVM = 0x04
)

// c8SeePhone is the restart indicator of a device whose holder must unlock it: restart at B, message 20.
var c8SeePhone = []byte{0x20, 0x20}

// generateAC answers GENERATE AC: one cryptogram a transaction, of the type that
// was asked for or one that says less, with the codes of the channel.
func (c *C8) generateAC(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P2&^moreCommands != 0 || cmd.P1&^0xC0 != 0 || cmd.P1 == 0xC0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseReady || c.done {
		return nil, apdu.SWConditions
	}
	values := tlv.List{}
	data := slices.Clone(cmd.Data)
	err := dol.Split(c.data.CDOL1, data, func(g tlv.Tag, v []byte) error {
		values = append(values, tlv.TLV{Tag: g, Value: v})
		return nil
	})
	if err != nil {
		return nil, apdu.SWWrongLength
	}
	body, ok := c.respond(cryptogram.Type(cmd.P1>>2), data, values)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	c.done, c.phase, c.writing = true, phaseEnded, cmd.P2 == moreCommands
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// decide is card risk management, which in kernel 8 is most of it: how the holder
// is verified, what of the card's use is restricted, and so which cryptogram. tvr is the terminal's.
func (c *C8) decide(asked cryptogram.Type, values tlv.List, tvr []byte) (kind cryptogram.Type, cvd byte, restart []byte) {
	p := &c.data.Policy
	risk, _ := values.Find(tag.RiskManagementData)
	can, needed := risk[0], len(risk) > 1 && risk[1]&riskCVMLimit != 0
	switch {
	case p.Device && p.Verified && can&riskOnDevice != 0:
		cvd = cvdOnDevice
	case !needed && !p.PINAlways && can&riskNone != 0:
		cvd = cvdNone
	case !p.Device && can&riskOnlinePIN != 0:
		cvd = cvdOnlinePIN
	case !p.Device && p.Signature && can&riskSignature != 0:
		cvd = cvdSignature
	default:
		cvd = cvdFailed
	}
	date, _ := values.Find(tag.TransactionDate)
	expired := bytes.Compare(date, p.Expiry[:]) > 0 // YYMMDD in BCD, both of this century
	if expired {
		tvr[1] |= c8TVR2Expired
	}
	switch cvd {
	case cvdFailed:
		tvr[2] |= c8TVR3CVMFailed
	case cvdOnlinePIN:
		tvr[2] |= c8TVR3OnlineCVM
	}
	switch {
	case p.Device && !p.Verified:
		return cryptogram.AAC, cvd, c8SeePhone
	case asked == cryptogram.AAC || expired:
		return cryptogram.AAC, cvd, nil
	case asked == cryptogram.TC && cvd != cvdFailed && cvd != cvdOnlinePIN && amountWithin(values, p.OfflineLimit):
		return cryptogram.TC, cvd, nil
	}
	return cryptogram.ARQC, cvd, nil
}

// amountWithin reports 9F02 up to limit.
func amountWithin(values tlv.List, limit int64) bool {
	amount, _ := values.Find(tag.AmountAuthorised)
	var minor int64
	for _, b := range amount {
		minor = minor*100 + int64(b>>4)*10 + int64(b&15)
	}
	return len(amount) == 6 && minor <= limit
}

// respond makes the contents of the GENERATE AC response. The cryptogram covers
// the card's TVR, which is what the terminal reports when it has taken it over,
// and 9F10 with the IAD-MAC in its place. (That the first is so is unverified.)
func (c *C8) respond(asked cryptogram.Type, data []byte, values tlv.List) ([]byte, bool) {
	sent, _ := values.Find(tag.TVR)
	tvr := slices.Clone(sent)
	if len(tvr) != 5 {
		return nil, false
	}
	kind, cvd, restart := c.decide(asked, values, tvr)
	cvr := cryptogram.NewMChipCVR(kind)
	if cvd == cvdOnDevice {
		cvr = cvr.WithCDCVM()
	}
	atc := []byte{byte(c.atc >> 8), byte(c.atc)}
	iad := cryptogram.AESIAD{KeyIndex: c.data.KeyIndex, Version: c.data.Version, CVR: cvr, DAC: [2]byte(atc), Rest: make([]byte, 22)}.Append(nil)
	body := tlv.Append(nil, tag.CID, []byte{kind.CID()})
	body = tlv.Append(body, tag.ATC, atc)
	body = tlv.Append(body, tag.IAD, iad)
	body = tlv.Append(body, tag.CVDecision, []byte{cvd})
	body = tlv.Append(body, tag.CardTVR, tvr)
	if restart != nil {
		body = tlv.Append(body, tag.RestartIndicator, restart)
	}
	var entropy, answered []byte
	if c.relayed > 0 {
		entropy, answered = c.relay[:4], c.relay[4:]
	}
	mac := c.channel.IADMAC(c.pdol, data, entropy, answered, body, c.data.SDAHash[:])
	covered := slices.Clone(iad)
	copy(covered[cryptogram.IADMACOffset:], mac[:])
	ac, ok := c.cryptogram(values, atc, tvr, covered)
	if !ok {
		return nil, false
	}
	eda := c.channel.EDAMAC(ac[:], mac)
	body = tlv.Append(body, tag.ApplicationCryptogram, ac[:])
	return tlv.Append(body, tag.EDAMAC, eda[:]), true
}

func (c *C8) cryptogram(values tlv.List, atc, tvr, iad []byte) ([8]byte, bool) {
	data, err := cryptogram.AESData(func(g tlv.Tag) ([]byte, bool) {
		switch g {
		case tag.AIP:
			return c.data.AIP[:], true
		case tag.ATC:
			return atc, true
		case tag.IAD:
			return iad, true
		case tag.TVR:
			return tvr, true
		}
		return values.Find(g)
	})
	if err != nil {
		return [8]byte{}, false
	}
	key, err := c.data.Version.SessionKey(c.data.CardKey, c.atc)
	if err != nil {
		return [8]byte{}, false
	}
	defer key.Wipe()
	ac, err := c.data.Version.MAC(key, data)
	return ac, err == nil
}
