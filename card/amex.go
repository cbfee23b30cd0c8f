package card

import (
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// AmexData is what an American Express card, phone or watch is personalised with
// (Expresspay, from public descriptions of Book C-4). It prints as "[secret]".
type AmexData struct {
	ChipData
	CDOL1  []byte // as it stands in a record
	Policy AmexPolicy
}

// AmexPolicy are choices of the issuer, and for a device what its holder did.
type AmexPolicy struct {
	Device       bool  // a phone or watch: it states its mobile CVM results (9F71)
	Verified     bool  // its holder unlocked it
	OfflineLimit int64 // the largest amount (minor units) that the card approves offline; 0: none
}

// Amex is a software American Express card. It is used by one task at a time;
// its counter is in the State.
type Amex struct {
	application
	cdol1  []byte
	policy AmexPolicy
}

// NewAmex makes a card. Errors: ErrData.
func NewAmex(data AmexData, state State) (*Amex, error) {
	if err := data.check(state, data.CDOL1); err != nil {
		return nil, err
	}
	return &Amex{application: application{chip: data.ChipData, state: state}, cdol1: data.CDOL1, policy: data.Policy}, nil
}

// Transmit answers one command. The answer always has a status word.
func (c *Amex) Transmit(command []byte) []byte {
	return transmit(command, func(cmd apdu.Command) ([]byte, uint16) {
		return c.dispatch(cmd, map[byte]instruction{apdu.InsGPO: {0x80, c.options}, apdu.InsGenerateAC: {0x80, c.generateAC}})
	})
}

// enhancedCVMRequired is 9F6E byte 3, bit 7: the terminal wants the holder verified.
const enhancedCVMRequired = 0x40

// Mobile CVM results, 9F71: performed or not ‖ what the terminal wanted ‖ result.
var (
	mobileVerified    = []byte{0x01, 0x03, 0x02}
	mobileNotNeeded   = []byte{0x3F, 0x00, 0x00}
	mobileNotVerified = []byte{0x3F, 0x03, 0x00}
)

// options answers GET PROCESSING OPTIONS.
func (c *Amex) options(cmd apdu.Command) ([]byte, uint16) {
	if sw := c.takePDOL(cmd); sw != apdu.SWOK {
		return nil, sw
	}
	if !c.count() {
		return nil, apdu.SWConditions
	}
	c.phase = phaseReady
	body := tlv.Append(nil, tag.AIP, c.chip.AIP[:])
	body = tlv.Append(body, tag.AFL, c.afl())
	if c.policy.Device {
		results := mobileNotNeeded
		switch {
		case c.policy.Verified:
			results = mobileVerified
		case c.told(tag.EnhancedCapabilities, 4)[2]&enhancedCVMRequired != 0:
			results = mobileNotVerified
		}
		body = tlv.Append(body, tag.MobileCVM, results)
	}
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// generateAC answers GENERATE AC, once a transaction. A locked device wants its
// holder first; its counter has counted by then, as with a card that was taken away.
func (c *Amex) generateAC(cmd apdu.Command) ([]byte, uint16) {
	asked, sign, sw := c.firstAC(cmd, c.cdol1)
	switch {
	case sw != apdu.SWOK:
		return nil, sw
	case c.policy.Device && !c.policy.Verified:
		return nil, apdu.SWReferenceInvalidated
	}
	kind := c.decide(asked, c.policy.OfflineLimit)
	cvr := cryptogram.NewCCDCVR(kind)
	if c.policy.Device {
		cvr = cvr.WithCDCVM()
	}
	body, _, ok := c.generated(kind, cvr, nil, sign, cmd.Data)
	if !ok {
		return nil, apdu.SWNoDiagnosis
	}
	c.phase = phaseEnded
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}
