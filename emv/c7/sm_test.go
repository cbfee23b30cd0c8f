package c7

import (
	"bytes"
	"context"
	"testing"

	"huika/emv"
	"huika/emv/oda"
	"huika/emv/tag"
)

// onSM2 is a card that was asked what it can do and chose SM2.
func onSM2(c *scripted) { c.sm, c.pdol = smKeys().icc, usualPDOL+"DF6901" }

func smClone(c *scripted) { onSM2(c); c.sm = smKeys().other }

func withSM(c *Config) { c.SM = true }

// replaced changes bytes of the card's answers.
func replaced(from, to string) func(*scripted) {
	return func(c *scripted) {
		c.raw = func(_ int, r []byte) []byte { return bytes.Replace(r, unhex(from), unhex(to), 1) }
	}
}

// smCases are kernel cases of cards that chose SM2.
var smCases = []kernelCase{
	online("SM2", emv.CVMNone).with(both(onSM2, ctq("0000")), nil, withSM),
	online("SM2, online PIN at the limit", emv.CVMOnlinePIN).with(onSM2, nil, withSM).of(at),
	online("SM2, CDCVM above the limit", emv.CVMConfirmed).with(both(onSM2, ctq("0080")), nil, withSM).of(fiveGrand),
	online("SM2 though the PDOL did not ask for DF69", emv.CVMOnlinePIN).with(func(c *scripted) { c.sm = smKeys().icc }, nil, withSM),
	online("RSA at a terminal that has SM2", emv.CVMOnlinePIN).with(func(c *scripted) { c.pdol = usualPDOL + "DF6901" }, nil, withSM),
	{name: "SM2, TC at the floor limit", kind: emv.Approved, cvm: emv.CVMNone, oda: emv.ODAfDDA, message: emv.MsgApproved, records: all,
		card: both(onSM2, asTC, ctq("0000")), input: offline, config: func(c *Config) { c.SM, c.FloorLimit = true, 8880 }},
	odaRefused("SM2 at a terminal that has RSA alone").with(onSM2, nil, nil),
	online("SM2 at a terminal that has RSA alone, CTQ B1b6", emv.CVMNone).with(both(onSM2, ctq("2000")), nil, nil).expectODA(emv.ODAFailed),
	odaRefused("SM2 clone").with(smClone, nil, withSM),
	online("SM2 clone, CTQ B1b6 sends it online", emv.CVMNone).with(both(smClone, ctq("2000")), nil, withSM).expectODA(emv.ODAFailed),
	odaRefused("SM2, TC of a clone").with(both(smClone, asTC, ctq("0000")), offline, func(c *Config) { c.SM, c.FloorLimit = true, 8880 }),
	refused("SM2, CTQ edited: CDCVM claimed", "not what the card signed").with(both(onSM2, inGPO(tag.CTQ, "0080")), nil, withSM).of(fiveGrand).expectODA(emv.ODAFailed),
	odaRefused("SM2, amount or number edited").with(both(onSM2, func(c *scripted) { c.signUN = unhex("11223345") }), nil, withSM),
	odaRefused("SM2, no SM2 CA key").with(onSM2, nil, func(c *Config) {
		c.SM, c.CAKeys = true, oda.NewCAStore()
		k := oda.CAKey{RID: testRID, Index: testIndex, Modulus: keys().ca.Public().Modulus, Exponent: keys().ca.Public().Exponent}
		if err := c.CAKeys.Add(k, k.Checksum()); err != nil {
			panic(err)
		}
	}),
	odaRefused("SM2, issuer certificate revoked").with(onSM2, nil, func(c *Config) {
		c.SM = true
		if err := c.CAKeys.Revoke(testRID, testIndex, [3]byte{0, 0, 9}); err != nil {
			panic(err)
		}
	}),
	odaRefused("SM2, card certificate expired").with(both(onSM2, func(c *scripted) { c.expires = [2]int{2, 2026} }), nil, withSM),
	online("SM2, card certificate in its last month", emv.CVMOnlinePIN).with(both(onSM2, func(c *scripted) { c.expires = [2]int{3, 2026} }), nil, withSM),
	odaRefused("SM2, certificate of another card").with(both(onSM2, func(c *scripted) { c.iccPAN = "6228480000000009999" }), nil, withSM),
	odaRefused("SM2, signed record changed").with(both(onSM2, replaced("9F0702FF00", "9F0702FFC0")), nil, withSM),
	odaRefused("SM2, AIP changed after signing").with(both(onSM2, replaced("82027C00", "82025C00")), nil, withSM),
	odaRefused("SM2, SDA tag list is not 82").with(both(onSM2, rec1(tag.SDATagList, "9F36")), nil, withSM),
	odaRefused("SM2, an exponent among its data makes it RSA").with(both(onSM2, inGPO(tag.IssuerExponent, "03")), nil, withSM),
	odaRefused("SM2, no 9F4B").with(both(onSM2, func(c *scripted) { c.sdad = false }), nil, withSM),
	odaRefused("SM2, 9F69 version 00").with(both(onSM2, func(c *scripted) { c.auth[0] = 0 }), nil, withSM),
	online("SM2, 9F4C as signed", emv.CVMOnlinePIN).with(both(onSM2, inGPO(tag.ICCDynamicNumber, "01020304")), nil, withSM),
	odaRefused("SM2, another 9F4C").with(both(onSM2, inGPO(tag.ICCDynamicNumber, "01020305")), nil, withSM),
	online("SM2, no authentication asked for", emv.CVMNone).with(both(smClone, ctq("0000")), setTTQ("26004080"), withSM).expectODA(emv.ODANone),
}

// DF69 tells the card what the terminal has.
func TestSMSupport(t *testing.T) {
	for _, sm := range []bool{false, true} {
		card := newCard(t)
		card.pdol = usualPDOL + "DF6901"
		card.personalise()
		if _, err := (&Kernel{Config: Config{CAKeys: caStore(t), SM: sm}}).Process(context.Background(), usualInput(card, at), card); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{false: "00", true: "01"}[sm]
		if got := card.pdolData[tag.SMSupport]; !bytes.Equal(got, unhex(want)) {
			t.Errorf("SM %v: DF69 %X", sm, got)
		}
	}
}
