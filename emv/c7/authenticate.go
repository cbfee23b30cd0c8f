package c7

import (
	"bytes"
	"errors"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/oda"
	"huika/emv/tag"
)

// fddaVersion is the only version of fDDA that kernel 7 takes: byte 1 of 9F69.
const fddaVersion = 0x01

// authenticate does offline data authentication where the cryptogram or the
// reader asks for it: always for a TC, for an ARQC where TTQ byte 1 bit 1 is
// set. A card that lacks the data for it has failed it.
func (t *tap) authenticate(k *Kernel) (emv.Outcome, bool) {
	if t.crypto != tc && t.term.ttq[0]&ttq1ODAForOnline == 0 {
		return emv.Outcome{}, false
	}
	verify := k.verify
	if verify == nil {
		verify = verifyFDDA
	}
	if verify(&k.Config, t) == nil {
		t.oda = emv.ODAfDDA
		return t.checkCTQ()
	}
	t.oda = emv.ODAFailed
	switch {
	case t.ctq[0]&ctq1OnlineIfODAFail != 0 && t.mayGoOnline():
		t.goOnline = true
		return emv.Outcome{}, false
	case t.ctq[0]&ctq1SwitchIfODAFail != 0 && t.term.ttq[0]&ttq1Chip != 0:
		o := tryAnother("the card could not be authenticated", 0)
		o.ODA, o.Error.L2, o.Error.Step = emv.ODAFailed, "CAM failed", "oda"
		return o, true
	}
	o := t.declined("the card could not be authenticated")
	o.Error.L2, o.Error.Step = "CAM failed", "oda"
	return o, true
}

// checkCTQ compares 9F6C with its copy in the 9F69 that was just verified. The
// CTQ stands outside the cryptogram and comes unsigned: where the copy
// differs, or the CTQ was taken out, somebody stands between card and reader.
// Kernel 3 declines where the CTQ claims a CDCVM; declining at any difference is ours.
func (t *tap) checkCTQ() (emv.Outcome, bool) {
	copied, ok := t.signedCTQ()
	if !ok || (t.hasCTQ && copied == t.ctq) {
		return emv.Outcome{}, false
	}
	t.oda = emv.ODAFailed // what was authenticated is not what came
	o := t.declined("9F6C is not what the card signed")
	o.Error.L2, o.Error.Step = "CAM failed", "oda"
	return o, true
}

// signedCTQ is the copy of the CTQ in 9F69: version(1) ‖ card unpredictable number(4) ‖ CTQ(2).
func (t *tap) signedCTQ() ([2]byte, bool) {
	v := t.card.value(tag.CardAuthData)
	if len(v) < 7 {
		return [2]byte{}, false
	}
	return [2]byte(v[5:7]), true
}

var (
	errNoData  = errors.New("kernel 7: data for authentication is missing")
	errVersion = errors.New("kernel 7: fDDA version")
	errNoCAKey = errors.New("kernel 7: no such CA key")
	errNoSM    = errors.New("kernel 7: SM2 certificates at a terminal that has no SM2")
)

// verifyFDDA checks the chain CA, issuer, card and the signature over the
// transaction (fDDA version 01 by public description): RSA's (EMV Book 2, 5.3,
// 6.4, 6.5) or SM2's (JR/T 0025.17). The card has chosen one of them; its issuer
// certificate shows which, and that it has no exponent.
func verifyFDDA(c *Config, t *tap) error {
	get := t.card.value
	auth, index := get(tag.CardAuthData), get(tag.CAIndex)
	if t.staticBad || len(auth) == 0 || len(index) != 1 || c.CAKeys == nil || len(t.in.AID) < 5 || len(get(tag.SDAD)) == 0 {
		return errNoData
	}
	if auth[0] != fddaVersion {
		return errVersion
	}
	static, err := oda.StaticData(t.static, get(tag.SDATagList), get(tag.AIP))
	if err != nil {
		return err
	}
	pan := get(tag.PAN)
	if pan == nil {
		pan = book3.Compressed(t.track2.Number)
	}
	var buf [64]byte
	x := signed{
		rid: [5]byte(t.in.AID[:5]), index: index[0], pan: pan, static: static,
		terminal: oda.FDDAData(buf[:0], t.term.UN[:], t.term.value(tag.AmountAuthorised), t.term.value(tag.TransactionCurrency), auth),
	}
	verify := t.verifyRSA
	if _, exponent := t.card.get(tag.IssuerExponent); !exponent && oda.IsSM2Issuer(get(tag.IssuerCertificate)) {
		verify = t.verifySM2
	}
	d, err := verify(c, &x)
	if err != nil {
		return err
	}
	if n, ok := d.Number(); ok && bytes.Equal(n, get(tag.ICCDynamicNumber)) {
		return nil
	}
	if _, given := t.card.get(tag.ICCDynamicNumber); given {
		return oda.ErrSignature // 9F4C in clear is not the one that was signed
	}
	return nil
}

// signed is what the chain of certificates leads from and to.
type signed struct {
	rid              [5]byte
	index            byte
	pan              []byte // as 5A codes it
	static, terminal []byte
}

func (t *tap) verifyRSA(c *Config, x *signed) (oda.Dynamic, error) {
	get, now := t.card.value, t.in.Transaction.Time
	ca, ok := c.CAKeys.Lookup(x.rid, x.index)
	if !ok {
		return oda.Dynamic{}, errNoCAKey
	}
	issuer, info, err := oda.RecoverIssuer(ca, get(tag.IssuerCertificate), get(tag.IssuerRemainder), get(tag.IssuerExponent),
		t.track2.Number, now)
	if err != nil {
		return oda.Dynamic{}, err
	}
	if c.CAKeys.Revoked(x.rid, x.index, info.Serial) {
		return oda.Dynamic{}, oda.ErrRevoked
	}
	icc, err := oda.RecoverICC(issuer, get(tag.ICCCertificate), get(tag.ICCRemainder), get(tag.ICCExponent), x.pan, x.static, now)
	if err != nil {
		return oda.Dynamic{}, err
	}
	return oda.VerifyDynamic(icc, get(tag.SDAD), x.terminal, oda.FormatFDDA, oda.FormatDDA)
}

func (t *tap) verifySM2(c *Config, x *signed) (oda.Dynamic, error) {
	get, now := t.card.value, t.in.Transaction.Time
	if !c.SM {
		return oda.Dynamic{}, errNoSM
	}
	ca, ok := c.CAKeys.LookupSM2(x.rid, x.index)
	if !ok {
		return oda.Dynamic{}, errNoCAKey
	}
	issuer, info, err := oda.VerifySM2Issuer(ca, get(tag.IssuerCertificate), x.pan, now)
	if err != nil {
		return oda.Dynamic{}, err
	}
	if c.CAKeys.Revoked(x.rid, x.index, info.Serial) {
		return oda.Dynamic{}, oda.ErrRevoked
	}
	icc, err := oda.VerifySM2ICC(issuer, get(tag.ICCCertificate), x.pan, x.static, now)
	if err != nil {
		return oda.Dynamic{}, err
	}
	return oda.VerifySM2Dynamic(icc, get(tag.SDAD), x.terminal)
}
