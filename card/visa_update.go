package card

import (
	"crypto/subtle"

	"huika/emv/apdu"
	"huika/emv/tlv"
)

// externalAuthenticate holds 91 against the last ARQC: the card recomputes the
// ARPC over the status bytes that came with it. One try for each ARQC.
func (c *Visa) externalAuthenticate(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseSelected || !c.request.pending {
		return nil, apdu.SWConditions
	}
	if len(cmd.Data) < 8 || len(cmd.Data) > 16 {
		return nil, apdu.SWWrongLength
	}
	c.request.pending = false
	// Method 1 puts two bytes of status behind eight of ARPC, method 2 four behind four.
	for _, n := range [...]int{2, 4} {
		if len(cmd.Data) < n {
			continue
		}
		want, err := c.data.Version.ARPC(c.data.UDK, c.request.atc, c.request.ac, cmd.Data[len(cmd.Data)-n:])
		if err == nil && subtle.ConstantTimeCompare(want, cmd.Data) == 1 {
			return nil, apdu.SWOK
		}
	}
	c.authFailed = true
	return nil, apdu.SWAuthFailed
}

// swSMData is the status word of secure messaging data that do not hold (ISO/IEC 7816-4).
const swSMData = 0x6988

// Lengths of a script's MAC.
const (
	minScriptMAC = 4
	maxScriptMAC = 8
)

// tagOfflineLimit is what PUT DATA changes: VIS's cumulative total transaction
// amount limit stands in for this card's one offline limit.
const tagOfflineLimit tlv.Tag = 0x9F54

// limitLen is the length of its value, n12.
const limitLen = 6

// script carries out one command of an issuer script: APPLICATION BLOCK and
// UNBLOCK, and PUT DATA of the offline limit. Each has a MAC over the last
// cryptogram; none is taken before the card made one.
func (c *Visa) script(cmd apdu.Command) ([]byte, uint16) {
	if c.phase != phaseSelected || !c.request.made || c.data.ScriptK.Len() == 0 {
		return nil, apdu.SWConditions
	}
	data, ok := c.checkMAC(cmd)
	sw := apdu.SWOK
	switch put := tlv.Tag(cmd.P1)<<8 | tlv.Tag(cmd.P2); {
	case !ok:
		sw = swSMData
	case cmd.INS == apdu.InsPutData && put == tagOfflineLimit:
		c.data.Policy.OfflineLimit = 0
		for _, b := range data {
			c.data.Policy.OfflineLimit = c.data.Policy.OfflineLimit*100 + int64(b>>4)*10 + int64(b&15)
		}
	case cmd.INS == apdu.InsPutData:
		sw = apdu.SWDataNotFound
	case cmd.P1 != 0 || cmd.P2 != 0:
		sw = apdu.SWWrongP1P2
	default:
		c.blocked = cmd.INS == insAppBlock
	}
	if sw != apdu.SWOK {
		c.scriptFailed = true
	}
	return nil, sw
}

// checkMAC splits the MAC off the data and checks it. PUT DATA carries an amount
// before its MAC, the others nothing.
func (c *Visa) checkMAC(cmd apdu.Command) ([]byte, bool) {
	n := 0
	if cmd.INS == apdu.InsPutData {
		n = min(len(cmd.Data), limitLen)
	}
	data, mac := cmd.Data[:n], cmd.Data[n:]
	if len(mac) < minScriptMAC || len(mac) > maxScriptMAC {
		return nil, false
	}
	key, err := c.data.Version.ScriptKey(c.data.ScriptK, c.request.atc)
	if err != nil {
		return nil, false
	}
	defer key.Wipe()
	header := []byte{cmd.CLA, cmd.INS, cmd.P1, cmd.P2, byte(len(cmd.Data))}
	want, err := c.data.Version.ScriptMAC(key, header, c.request.atc, c.request.ac, data)
	return data, err == nil && subtle.ConstantTimeCompare(want[:len(mac)], mac) == 1
}
