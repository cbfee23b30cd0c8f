package c3

import (
	"bytes"
	"errors"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/oda"
	"huika/emv/tag"
)

// Versions of fDDA: byte 1 of 9F69. A card without 9F69 signs as version 00.
const (
	fddaVersion00 = 0x00
	fddaVersion01 = 0x01
)

// authenticate does offline data authentication (5.6): for a TC that is about to
// be approved offline, and before going online where reader (TTQ byte 1 bit 1) and
// card (AIP) both can. What follows from a failure is the card's wish where it
// has one (CTQ), else a decline. A card that lacks the data for it has failed it.
func (t *tap) authenticate(k *Kernel) (emv.Outcome, bool) {
	if t.goOnline && (t.term.ttq[0]&ttq1ODAForOnline == 0 || t.aip()&(aipDDA|aipSDA) == 0) {
		return emv.Outcome{}, false
	}
	verify := k.verify
	if verify == nil {
		verify = verifyCard
	}
	if verify(&k.Config, t) == nil {
		t.oda = emv.ODAfDDA
		if t.staticOnly() {
			t.oda = emv.ODASDA
		}
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
	return t.notGenuine("the card could not be authenticated"), true
}

// aip is byte 1 of 82.
func (t *tap) aip() byte { return t.card.value(tag.AIP)[0] }

// staticOnly reports that the card can only be authenticated by its static data,
// which is taken for online authorisations alone: static data can be copied.
func (t *tap) staticOnly() bool { return t.goOnline && t.aip()&aipDDA == 0 }

func (t *tap) notGenuine(reason string) emv.Outcome {
	o := t.declined(reason)
	o.Error.L2, o.Error.Step = "CAM failed", "oda"
	return o
}

// checkCTQ compares 9F6C with its copy in the 9F69 that was just verified.
// The CTQ stands outside the cryptogram and comes unsigned: where the copy
// differs, or the CTQ was taken out, somebody stands between card and reader.
// The book looks at the copy only where a CDCVM is claimed; declining at any difference is ours.
func (t *tap) checkCTQ() (emv.Outcome, bool) {
	auth := t.card.value(tag.CardAuthData)
	copied, ok := t.copiedCTQ()
	if t.oda != emv.ODAfDDA || !ok || auth[0] != fddaVersion01 || (t.hasCTQ && copied == t.ctq) {
		return emv.Outcome{}, false
	}
	t.oda = emv.ODAFailed // what was authenticated is not what came
	return t.notGenuine("9F6C is not what the card signed"), true
}

// copiedCTQ is the copy of the CTQ in 9F69: version(1) ‖ card unpredictable number(4) ‖ CTQ(2).
func (t *tap) copiedCTQ() ([2]byte, bool) {
	v := t.card.value(tag.CardAuthData)
	if len(v) < 7 {
		return [2]byte{}, false
	}
	return [2]byte(v[5:7]), true
}

var (
	errNoData  = errors.New("kernel 3: data for authentication is missing")
	errVersion = errors.New("kernel 3: fDDA version")
	errNoCAKey = errors.New("kernel 3: no such CA key")
)

// verifyCard authenticates the card by fDDA, or by SDA where staticOnly says so
// (EMV Book 2, 5 and 6; fDDA by public description, version 01 checked against a recorded exchange).
func verifyCard(c *Config, t *tap) error {
	issuer, static, err := t.recoverIssuer(c)
	if err != nil {
		return err
	}
	if t.staticOnly() {
		return verifyStatic(issuer, t.card.value(tag.SSAD), static)
	}
	get := t.card.value
	if t.aip()&aipDDA == 0 || len(get(tag.SDAD)) == 0 {
		return errNoData
	}
	pan := get(tag.PAN)
	if pan == nil {
		pan = book3.Compressed(t.track2.Number)
	}
	icc, err := oda.RecoverICC(issuer, get(tag.ICCCertificate), get(tag.ICCRemainder), get(tag.ICCExponent), pan, static, t.in.Transaction.Time)
	if err != nil {
		return err
	}
	var buf [64]byte
	signed, err := t.signedData(c, buf[:0])
	if err != nil {
		return err
	}
	d, err := oda.VerifyDynamic(icc, get(tag.SDAD), signed, oda.FormatFDDA, oda.FormatDDA)
	if err != nil {
		return err
	}
	if clear, given := t.card.get(tag.ICCDynamicNumber); given {
		if n, ok := d.Number(); !ok || !bytes.Equal(n, clear) {
			return oda.ErrSignature // 9F4C in clear is not the one that was signed
		}
	}
	return nil
}

// signedData appends what the terminal contributes to the card's signature:
// version 01 9F37 ‖ 9F02 ‖ 5F2A ‖ 9F69, version 00 9F37 alone.
func (t *tap) signedData(c *Config, dst []byte) ([]byte, error) {
	auth := t.card.value(tag.CardAuthData)
	version := byte(fddaVersion00)
	if len(auth) > 0 {
		version = auth[0]
	}
	switch {
	case version == fddaVersion01:
		return oda.FDDAData(dst, t.term.UN[:], t.term.value(tag.AmountAuthorised), t.term.value(tag.TransactionCurrency), auth), nil
	case version == fddaVersion00 && c.AllowVersion00:
		return append(dst, t.term.UN[:]...), nil
	}
	return nil, errVersion
}

// recoverIssuer recovers the issuer's key under the CA's, and gives the static
// data to be authenticated with it.
func (t *tap) recoverIssuer(c *Config) (oda.PublicKey, []byte, error) {
	fail := func(err error) (oda.PublicKey, []byte, error) { return oda.PublicKey{}, nil, err }
	get := t.card.value
	index := get(tag.CAIndex)
	if t.staticBad || len(index) != 1 || c.CAKeys == nil || len(t.in.AID) < 5 {
		return fail(errNoData)
	}
	rid := [5]byte(t.in.AID[:5])
	ca, ok := c.CAKeys.Lookup(rid, index[0])
	if !ok {
		return fail(errNoCAKey)
	}
	issuer, info, err := oda.RecoverIssuer(ca, get(tag.IssuerCertificate), get(tag.IssuerRemainder), get(tag.IssuerExponent),
		t.track2.Number, t.in.Transaction.Time)
	if err != nil {
		return fail(err)
	}
	if c.CAKeys.Revoked(rid, index[0], info.Serial) {
		return fail(oda.ErrRevoked)
	}
	static, err := oda.StaticData(t.static, get(tag.SDATagList), get(tag.AIP))
	if err != nil {
		return fail(err)
	}
	return issuer, static, nil
}
