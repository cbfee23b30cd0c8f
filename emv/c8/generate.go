package c8

import (
	"bytes"
	"crypto/subtle"
	"slices"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// generate sends GENERATE AC and checks what must be in its answer (26.14, 2627.1).
func (t *tap) generate() *result {
	var err error
	if t.cdolData, err = dol.Build(make([]byte, 0, 128), t.cdol1(), t.value); err != nil {
		return t.invalid(parsingError, "generate ac", "CDOL1 can't be read")
	}
	t.rcp = t.decision
	c := apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: byte(t.rcp), Data: t.cdolData, Le: 256}
	if len(t.k.Write) > 0 {
		c.P2 = moreCommands
	}
	r, lost, err := t.send(c.Append(make([]byte, 0, 6+len(t.cdolData))))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lostCard("generate ac")
	case !r.OK():
		t.errors.sw = r.SW
		return t.invalid(statusBytes, "generate ac", "the card refused to make a cryptogram")
	}
	var why string
	if t.response, why = contents(r.Data, tag.ResponseFormat2); why == "" {
		why = t.addLevel(t.response, 0)
	}
	if why != "" {
		return t.invalid(parsingError, "generate ac", why)
	}
	for _, g := range [...]tlv.Tag{tag.ATC, tag.CID, tag.ApplicationCryptogram, tag.CVDecision, tag.EDAMAC, tag.IAD, tag.PAN} {
		if len(t.card.value(g)) == 0 {
			return t.invalid(cardDataMissing, "generate ac", g.String()+" is missing") // 26.15
		}
	}
	if v := t.card.value(tag.Track2); len(v) > 0 && !sameCard(t.card.value(tag.PAN), v) {
		return t.invalid(cardDataError, "generate ac", "5A and 57 are of different card numbers")
	}
	if why := t.listExtended(); why != "" {
		return t.invalid(parsingError, "generate ac", why)
	}
	return t.codes()
}

// listExtended collects what the extended SDA tag list names, as TLV; an object that the
// card has not given is there without a value (2627.8).
func (t *tap) listExtended() string {
	list := t.card.value(tag.ExtendedSDATagList)
	for len(list) > 0 {
		g, n, err := tlv.ParseTag(list)
		if err != nil || len(t.extended) > MaxStaticData {
			return "the extended SDA tag list can't be read"
		}
		list = list[n:]
		t.cdolOwned = t.cdolOwned || g == tag.CDOL1
		t.extended = tlv.Append(t.extended, g, t.card.value(g))
	}
	return ""
}

func (t *tap) sdaHash() [oda.ECSize]byte { return oda.ICCDHash(t.static, t.extended, t.aip[:]) }

// codes makes the IAD-MAC, puts it into 9F10 where the AIP asks for that, and
// checks the EDA-MAC (2627.11, 2627.12, 28.1).
func (t *tap) codes() *result {
	objects := make([]byte, 0, len(t.response))
	r := tlv.NewReader(t.response)
	for r.Next() {
		if g := r.TLV().Tag; g != tag.ApplicationCryptogram && g != tag.EDAMAC {
			objects = append(objects, r.Raw()...)
		}
	}
	hash := t.sdaHash()
	var entropy []byte
	if t.relayed {
		entropy = t.entropy[:]
	}
	t.iadMAC, t.hasIADMAC = t.channel.IADMAC(t.pdolData, t.cdolData, entropy, t.lastRelay, objects, hash[:]), true
	offset := -1
	switch t.aip[1] & aip2CopyMAC {
	case aip2CopyByUs:
		offset = int(t.k.IADMACOffset)
	case aip2CopyByCard:
		if v := t.card.value(tag.IADMACOffset); len(v) == 1 {
			offset = int(v[0])
		} else {
			return t.invalid(cardDataError, "generate ac", "9F8107 is missing")
		}
	}
	t.iad = t.card.value(tag.IAD)
	if offset >= 0 {
		if offset+len(t.iadMAC) > len(t.iad) {
			return t.invalid(cardDataError, "generate ac", "9F10 has no place for the IAD-MAC")
		}
		t.iad = slices.Clone(t.iad)
		copy(t.iad[offset:], t.iadMAC[:])
	}
	eda := t.channel.EDAMAC(t.card.value(tag.ApplicationCryptogram), t.iadMAC)
	if subtle.ConstantTimeCompare(eda[:], t.card.value(tag.EDAMAC)) != 1 {
		return t.invalid(edaMACFailed, "generate ac", "the EDA-MAC does not match")
	}
	return nil
}

// authenticate is local authentication: certificates under the CA key, static
// data, and that the key behind the channel is the certified one (RPC, 28-C).
// A failure sets the TVR; missing objects end the application.
func (t *tap) authenticate() *result {
	if !t.wantLocal() {
		return nil
	}
	for _, g := range [...]tlv.Tag{tag.CAIndex, tag.IssuerCertificate, tag.ICCCertificate} {
		if len(t.card.value(g)) == 0 {
			return t.invalid(cardDataError, "local authentication", g.String()+" is missing")
		}
	}
	verify := verifyLocal
	if t.k.verify != nil {
		verify = t.k.verify
	}
	t.oda = emv.ODALocal
	if err := verify(t); err != nil {
		t.oda = emv.ODAFailed
		t.term.tvr[0] |= tvr1LocalFailed
		t.errors.detail = err.Error()
	}
	return nil
}

// verifyLocal is the chain (Book E, 5.2, 5.4, 7.3).
func verifyLocal(t *tap) error {
	name := t.card.value(tag.DFName) // 5 to 16 bytes
	rid := [5]byte(name)
	if t.k.CAKeys == nil || t.staticBad {
		return oda.ErrCertificate
	}
	ca, ok := t.k.CAKeys.LookupEC(rid, t.card.value(tag.CAIndex)[0])
	if !ok {
		return oda.ErrKey
	}
	now := t.in.Transaction.Time
	issuer, err := oda.VerifyECIssuer(ca, t.card.value(tag.IssuerCertificate), t.card.value(tag.PAN), now)
	if err != nil {
		return err
	}
	if t.k.CAKeys.Revoked(rid, ca.Index, issuer.Serial) {
		return oda.ErrRevoked
	}
	card, err := oda.VerifyECICC(issuer.Key, t.card.value(tag.ICCCertificate), t.sdaHash(), now)
	if err != nil {
		return err
	}
	return t.blinded.Verify(card.Key)
}

// judge is what follows the cryptogram (29.20 to 29.42): its type, the card's TVR,
// the cardholder, and the second terminal action analysis.
func (t *tap) judge() *result {
	t.acType = cryptogram(t.card.value(tag.CID)[0] & 0xC0)
	if !(t.acType == aac || (t.acType == arqc && t.rcp != aac) || (t.acType == tc && t.rcp == tc)) {
		return t.invalid(cardDataError, "generate ac", "the card gives more than it was asked for") // 29.20
	}
	if len(t.k.Write) == 0 {
		t.cardRead()
	}
	if v := t.card.value(tag.CardTVR); len(v) > 0 {
		for i, reserved := range t.k.ReservedTVR {
			t.term.tvr[i] = t.term.tvr[i]&reserved | v[i]&^reserved // 29.23
		}
	}
	t.verifyCardholder()
	t.decision = t.analyse(t.oda == emv.ODALocal && t.cdolOwned)
	return nil
}

// sameCard reports that 57, where there is one, begins with the number in 5A. (Ours.)
func sameCard(pan, track2 []byte) bool {
	nibbles := func(b []byte) []byte {
		n := make([]byte, 0, 2*len(b))
		for _, c := range b {
			n = append(n, c>>4, c&15)
		}
		return n
	}
	digits := bytes.TrimRight(nibbles(pan), "\x0F")
	rest, ok := bytes.CutPrefix(nibbles(track2), digits)
	return ok && len(rest) > 0 && rest[0] == 0xD
}
