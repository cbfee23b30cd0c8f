package card

import (
	"crypto/subtle"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
)

// asked is what a card keeps of its last cryptogram for the issuer's answer.
type asked struct {
	use     choice
	atc     uint16
	ac      [8]byte
	made    bool
	pending bool // an ARQC whose issuer has not answered yet
}

// arpcLen is 91 of method 1: ARPC(8) and the two characters of 8A.
const arpcLen = 10

// externalAuthenticate holds 91 against the last ARQC: the card recomputes the
// ARPC over the response code that came with it. One try for each ARQC.
func (c *Card) externalAuthenticate(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseSelected || !c.asked.pending {
		return nil, apdu.SWConditions
	}
	if len(cmd.Data) != arpcLen {
		return nil, apdu.SWWrongLength
	}
	c.asked.pending = false
	key, err := c.asked.use.cipher.SessionKey(c.asked.use.udk, c.asked.atc)
	if err == nil {
		defer key.Wipe()
		arpc, err := c.asked.use.cipher.ARPC(key, c.asked.ac, [2]byte(cmd.Data[8:]))
		if err == nil && subtle.ConstantTimeCompare(arpc[:], cmd.Data[:8]) == 1 {
			return nil, apdu.SWOK
		}
	}
	c.authFailed = true
	return nil, apdu.SWAuthFailed
}

// script carries out one command of an issuer script: APPLICATION BLOCK and
// UNBLOCK. Each has a MAC over the last cryptogram; none is taken before the card made one.
func (c *Card) script(cmd apdu.Command) ([]byte, uint16) {
	if c.phase != phaseSelected || !c.asked.made || c.asked.use.scriptK.Len() == 0 {
		return nil, apdu.SWConditions
	}
	sw := apdu.SWOK
	switch {
	case !c.scriptMAC(cmd):
		sw = swSMData
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

// scriptMAC checks the MAC, which is all the data that these commands have.
func (c *Card) scriptMAC(cmd apdu.Command) bool {
	n := len(cmd.Data)
	if n < minScriptMAC || n > maxScriptMAC {
		return false
	}
	header := []byte{cmd.CLA, cmd.INS, cmd.P1, cmd.P2, byte(n)}
	want, err := cryptogram.PBOCScriptMAC(c.asked.use.cipher, c.asked.use.scriptK, header, c.asked.atc, c.asked.ac, nil)
	return err == nil && subtle.ConstantTimeCompare(want[:n], cmd.Data) == 1
}
