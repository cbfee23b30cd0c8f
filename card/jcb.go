package card

import (
	"slices"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// JCBData is what a JCB card, phone or watch is personalised with (J/Speedy, from
// public descriptions of Book C-5). It prints as "[secret]".
type JCBData struct {
	ChipData
	CDOL1, CDOL2 []byte // as they stand in a record
	Policy       JCBPolicy
}

// JCBPolicy are choices of the issuer, and for a device what its holder did.
type JCBPolicy struct {
	Device       bool  // a phone or watch: it verifies its holder
	Verified     bool  // its holder unlocked it; a locked device answers 6986
	Signature    bool  // takes a signature where the terminal has no online PIN
	Update       bool  // asks for the issuer's answer in a second presentation
	OfflineLimit int64 // the largest amount (minor units) that the card approves offline; 0: none
}

// JCB is a software JCB card. It is used by one task at a time. The last answer
// and the last request live as long as the program; the counter is in the State.
type JCB struct {
	application
	cdol1, cdol2 []byte
	policy       JCBPolicy
	echo         bool   // the answer was asked for again in this session
	last         []byte // the last answer of GENERATE AC
	request      struct {
		ac      [8]byte
		cvr     cryptogram.CCDCVR
		values  tlv.List
		pending bool // an ARQC whose issuer has not answered yet
	}
}

// NewJCB makes a card. Errors: ErrData.
func NewJCB(data JCBData, state State) (*JCB, error) {
	if err := data.check(state, data.CDOL1, data.CDOL2); err != nil {
		return nil, err
	}
	return &JCB{application: application{chip: data.ChipData, state: state}, cdol1: data.CDOL1, cdol2: data.CDOL2, policy: data.Policy}, nil
}

// insEcho gives the last cryptogram again.
const insEcho = 0xDF

// Transmit answers one command. The answer always has a status word.
func (c *JCB) Transmit(command []byte) []byte {
	return transmit(command, func(cmd apdu.Command) ([]byte, uint16) {
		if cmd.INS == apdu.InsSelect {
			c.echo = false
		}
		return c.dispatch(cmd, map[byte]instruction{
			apdu.InsGPO: {0x80, c.options}, apdu.InsGenerateAC: {0x80, c.generateAC}, insEcho: {0x80, c.again},
		})
	})
}

// Reset ends the session: nothing is selected.
func (c *JCB) Reset() { c.application.Reset(); c.echo = false }

// again answers ECHO: the last answer of GENERATE AC, until the next transaction.
func (c *JCB) again(cmd apdu.Command) ([]byte, uint16) {
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return nil, apdu.SWWrongP1P2
	case c.phase != phaseSelected || c.last == nil:
		return nil, apdu.SWConditions
	}
	c.echo = true
	return c.last, apdu.SWOK
}

// options answers GET PROCESSING OPTIONS. After ECHO no new transaction begins: the answer is a warning, and counts nothing.
func (c *JCB) options(cmd apdu.Command) ([]byte, uint16) {
	echo := c.echo
	if sw := c.takePDOL(cmd); sw != apdu.SWOK {
		return nil, sw
	}
	sw := apdu.SWOK
	if echo {
		sw = apdu.SWWarning
	} else {
		if !c.count() {
			return nil, apdu.SWConditions
		}
		c.last, c.request.pending = nil, false
	}
	c.phase = phaseReady
	body := tlv.Append(nil, tag.AIP, c.chip.AIP[:])
	return tlv.Append(nil, tag.ResponseFormat2, tlv.Append(body, tag.AFL, c.afl())), sw
}

// Terminal interchange profile, 9F53 byte 1, and the card's verification status, 9F50.
const (
	tipCVMRequired  = 0x80
	tipSignature    = 0x40
	tipOnlinePIN    = 0x20
	statusNone      = 0x00
	statusSignature = 0x10
	statusOnlinePIN = 0x20
	statusOnDevice  = 0x30
)

// updateTwo is the issuer update parameter, 9F60: the issuer's answer in a second presentation.
const updateTwo = 0x02

// status is the card's choice of cardholder verification. Where it needs one and
// the terminal has none of the card's, it names none: the terminal refuses.
func (c *JCB) status() byte {
	tip := c.told(tag.Interchange, 3)[0]
	switch {
	case c.policy.Device:
		return statusOnDevice
	case tip&tipCVMRequired == 0:
		return statusNone
	case tip&tipOnlinePIN != 0:
		return statusOnlinePIN
	case tip&tipSignature != 0 && c.policy.Signature:
		return statusSignature
	}
	return statusNone
}

// generateAC answers the first GENERATE AC, once a transaction, and the second after the issuer's answer.
func (c *JCB) generateAC(cmd apdu.Command) ([]byte, uint16) {
	if c.phase == phaseSelected && c.request.pending {
		return c.secondAC(cmd)
	}
	if c.echo {
		return nil, apdu.SWConditions
	}
	asked, sign, sw := c.firstAC(cmd, c.cdol1)
	switch {
	case sw != apdu.SWOK:
		return nil, sw
	case c.policy.Device && !c.policy.Verified:
		return nil, apdu.SWSeePhone
	}
	kind := c.decide(asked, c.policy.OfflineLimit)
	cvr := cryptogram.NewCCDCVR(kind)
	if c.policy.Device {
		cvr = cvr.WithCDCVM()
	}
	more := tlv.List{{Tag: tag.CVMStatus, Value: []byte{c.status()}}}
	if c.policy.Update && kind == cryptogram.ARQC {
		more = append(more, tlv.TLV{Tag: tag.UpdateParameter, Value: []byte{updateTwo}})
	}
	body, ac, ok := c.generated(kind, cvr, more, sign, cmd.Data)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	c.phase, c.last = phaseEnded, tlv.Append(nil, tag.ResponseFormat2, body)
	c.request.ac, c.request.cvr, c.request.values = ac, cvr, slices.Clone(c.values)
	c.request.pending = c.policy.Update && kind == cryptogram.ARQC
	return c.last, apdu.SWOK
}

// secondAC holds 91 against the last ARQC and answers with a TC where the issuer
// approves and is the issuer, else with an AAC. One try for each ARQC.
func (c *JCB) secondAC(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P2 != 0 || cmd.P1&^rcpType != 0 || cmd.P1&rcpType == rcpType {
		return nil, apdu.SWWrongP1P2
	}
	c.values = c.request.values
	if !c.take(c.cdol2, slices.Clone(cmd.Data)) {
		return nil, apdu.SWWrongLength
	}
	c.request.pending, c.last = false, nil
	arpc, csu, _ := cryptogram.ParseAuthData(c.told(tag.IssuerAuthData, 8))
	genuine := c.issuerSaid(arpc, csu)
	kind := cryptogram.AAC
	if genuine && csu.Approves() && cmd.P1&rcpType == cryptogram.TC.CID() {
		kind = cryptogram.TC
	}
	cvr := c.request.cvr.WithSecond(kind)
	if !genuine {
		cvr = cvr.WithIssuerAuthFailed()
	}
	body, _, ok := c.generated(kind, cvr, nil, false, nil)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	c.phase = phaseEnded
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

func (c *JCB) issuerSaid(arpc [4]byte, csu cryptogram.CSU) bool {
	key, err := cryptogram.CCD.SessionKey(c.chip.UDK, c.atc)
	if err != nil {
		return false
	}
	defer key.Wipe()
	want, err := cryptogram.CCD.ARPC(key, c.request.ac, csu)
	return err == nil && want == arpc
}
