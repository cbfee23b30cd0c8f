package c3

import (
	"huika/emv"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

func setTTQ(v string) func(*emv.Input) {
	return func(in *emv.Input) {
		b2 := in.Indicators.TTQ[1]
		in.Indicators.TTQ = [4]byte(unhex(v))
		in.Indicators.TTQ[1] |= b2
	}
}

func asTC(c *scripted)  { c.cryptogram("40", "06011203900000") }
func asAAC(c *scripted) { c.cryptogram("00", "06011203800000") }

func ctq(v string) func(*scripted) { return func(c *scripted) { c.ctq(v) } }

func expire(c *scripted) { c.set(&c.records[0].objects, tag.ExpirationDate, "260314") }

func clone(c *scripted) { c.icc = keys().other }

func rec1(x tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { c.set(&c.records[0].objects, x, v) }
}

func inGPO(x tlv.Tag, v string) func(*scripted) { return func(c *scripted) { c.set(&c.gpo, x, v) } }

func without(tags ...tlv.Tag) func(*scripted) {
	return func(c *scripted) {
		for _, x := range tags {
			drop(&c.gpo, x)
			drop(&c.records[0].objects, x)
		}
	}
}

func both(fs ...func(*scripted)) func(*scripted) {
	return func(c *scripted) {
		for _, f := range fs {
			f(c)
		}
	}
}

func inputs(fs ...func(*emv.Input)) func(*emv.Input) {
	return func(in *emv.Input) {
		for _, f := range fs {
			f(in)
		}
	}
}

func afl(v string) func(*scripted) { return func(c *scripted) { c.afl = unhex(v) } }

func status(n int, sw string) func(*scripted) { return func(c *scripted) { c.sw[n] = sw } }

func txType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Transaction.Type = v } }

// auth sets 9F69 whole; "" leaves it out.
func auth(v string) func(*scripted) { return func(c *scripted) { c.auth = unhex(v) } }

// noCTQ takes the CTQ out, and its copy.
func noCTQ(c *scripted) { without(tag.CTQ)(c); c.auth = c.auth[:5] }

// static makes a card that can SDA only.
func static(c *scripted) { c.set(&c.gpo, tag.AIP, "4000"); c.sdad, c.ssad = false, true }

func strict(c *Config)    { c.StrictCDCVM = true }
func version00(c *Config) { c.AllowVersion00 = true }
func cash(c *Config)      { c.CashCheck = true }
func cashback(c *Config)  { c.CashbackCheck = true }
func floor(n int64) func(*Config) {
	return func(c *Config) { c.FloorLimit = &n }
}
func limit(n int64) *int64 { return &n }

func listed(pans ...string) func(*Config) {
	return func(c *Config) {
		c.ExceptionFile = func(pan pay.PAN, psn string) bool {
			for _, p := range pans {
				if pan.Reveal() == p && psn == "01" {
					return true
				}
			}
			return false
		}
	}
}

const (
	noODA = "26004000" // TTQ without ODA for online authorisations
	chip  = "37004000" // TTQ with a contact chip
	// The limits stand at 1000.01 for the cardholder; see usualInput.
	justBelow = 100_000
	at        = 100_001
	above     = 100_002
	fiveGrand = 500_000
)

// plain is an online request of a card whose authentication nobody asked for.
func plain(name string, cvm emv.CVM) kernelCase { return online(name, cvm).expectODA(emv.ODANone) }

func approved(name string, cvm emv.CVM) kernelCase {
	c := kernelCase{name: name, kind: emv.Approved, cvm: cvm, oda: emv.ODAfDDA, message: emv.MsgApproved, records: all, input: offline}
	if cvm == emv.CVMSignature {
		c.message = emv.MsgApprovedSign
	}
	return c
}

func another(name, reason string, m emv.MessageID) kernelCase {
	return kernelCase{name: name, kind: emv.TryAnother, cvm: emv.CVMNotGiven, message: m, reason: reason, records: all}
}

var kernelCases = []kernelCase{
	// 5.7.1.2: the order of verification methods, below, at and above the limit.
	online("no CVM bit, below the CVM limit", emv.CVMNone).with(ctq("0000"), nil, nil).of(justBelow),
	refused("no CVM bit, at the CVM limit", "offers none").with(ctq("0000"), nil, nil).of(at).expectODA(emv.ODAfDDA),
	refused("no CVM bit, above the CVM limit", "offers none").with(ctq("0000"), nil, nil).of(above).expectODA(emv.ODAfDDA),
	online("online PIN, at the limit", emv.CVMOnlinePIN).of(at),
	online("online PIN at any amount", emv.CVMOnlinePIN).of(1),
	online("signature, at the limit", emv.CVMSignature).with(ctq("4000"), nil, nil).of(at),
	online("signature, below the limit", emv.CVMSignature).with(ctq("4000"), nil, nil).of(justBelow),
	refused("signature, reader takes none, at the limit", "offers none").with(ctq("4000"), setTTQ("25004000"), nil).of(at).expectODA(emv.ODAfDDA),
	online("signature, reader takes none, below the limit", emv.CVMNone).with(ctq("4000"), setTTQ("25004000"), nil).of(justBelow),
	refused("online PIN, reader takes none", "offers none").with(nil, setTTQ("23004000"), nil).of(at).expectODA(emv.ODAfDDA),
	online("online PIN and signature, reader takes no PIN", emv.CVMSignature).with(ctq("C000"), setTTQ("23004000"), nil).of(at),
	online("online PIN before CDCVM", emv.CVMOnlinePIN).with(ctq("8080"), nil, nil).of(fiveGrand),
	online("CDCVM before signature", emv.CVMConfirmed).with(ctq("4080"), nil, nil).of(at),
	online("CDCVM, signed, far above the limit", emv.CVMConfirmed).with(ctq("0080"), nil, nil).of(fiveGrand),
	online("CDCVM, signed, below the limit", emv.CVMConfirmed).with(ctq("0080"), nil, nil).of(justBelow),
	plain("CDCVM, copy agrees, not authenticated", emv.CVMConfirmed).with(ctq("0080"), setTTQ(noODA), nil).of(fiveGrand),
	refused("CDCVM, copy differs, not authenticated", "does not hold").with(both(ctq("0000"), inGPO(tag.CTQ, "0080")), setTTQ(noODA), nil).of(fiveGrand),
	refused("CDCVM, 9F69 too short for a copy", "does not hold").with(both(ctq("0080"), auth("01AABBCCDD")), setTTQ(noODA), nil).of(fiveGrand),
	plain("CDCVM, no 9F69, ARQC", emv.CVMConfirmed).with(both(ctq("0080"), auth("")), setTTQ(noODA), nil).of(fiveGrand),
	refused("CDCVM, no 9F69, TC", "does not hold").expectODA(emv.ODAfDDA).with(both(asTC, inGPO(tag.CTQ, "0080"), auth("")), offline, version00),
	refused("strict: CDCVM not authenticated", "offers none").with(ctq("0080"), setTTQ(noODA), strict).of(at),
	plain("strict: CDCVM not authenticated, signature left", emv.CVMSignature).with(ctq("4080"), setTTQ(noODA), strict).of(at),
	plain("strict: CDCVM not authenticated, below the limit", emv.CVMNone).with(ctq("0080"), setTTQ(noODA), strict).of(justBelow),
	online("strict: CDCVM authenticated", emv.CVMConfirmed).with(ctq("0080"), nil, strict).of(at),
	online("kernel's own CVM limit, at", emv.CVMOnlinePIN).with(nil, nil, func(c *Config) { c.CVMLimit = limit(8880) }),
	refused("kernel's own CVM limit, at, card offers none", "offers none").with(ctq("0000"), nil, func(c *Config) { c.CVMLimit = limit(8880) }).expectODA(emv.ODAfDDA),
	online("kernel's own CVM limit, below", emv.CVMNone).with(ctq("0000"), nil, func(c *Config) { c.CVMLimit = limit(8881) }),
	// 5.7.1.1: no CTQ.
	approved("PIN asked for at an offline-only reader with a PIN pad: signature", emv.CVMSignature).with(both(asTC, ctq("C000")), inputs(offline, setTTQ("2E004000")), nil).of(at),
	online("no CTQ, no CVM needed", emv.CVMNone).with(noCTQ, nil, nil),
	online("no CTQ, CVM needed: signature", emv.CVMSignature).with(noCTQ, nil, nil).of(at),
	online("no CTQ, CVM needed, no signature: PIN", emv.CVMOnlinePIN).with(noCTQ, setTTQ("25004000"), nil).of(at),
	refused("no CTQ, CVM needed, reader has CDCVM only", "offers none").with(noCTQ, setTTQ("21004000"), nil).of(at).expectODA(emv.ODAfDDA),
	refused("no CTQ, CVM needed, reader has none", "offers none").with(noCTQ, setTTQ("21000000"), nil).of(at).expectODA(emv.ODAfDDA),

	// A man in the middle.
	refused("CTQ edited: CDCVM claimed", "not what the card signed").with(inGPO(tag.CTQ, "0080"), nil, nil).of(fiveGrand).expectODA(emv.ODAFailed),
	refused("CTQ edited: nothing asked", "not what the card signed").with(inGPO(tag.CTQ, "0000"), nil, nil).of(fiveGrand).expectODA(emv.ODAFailed),
	refused("CTQ taken out", "not what the card signed").with(without(tag.CTQ), nil, nil).of(fiveGrand).expectODA(emv.ODAFailed),
	refused("CTQ of zeros taken out", "not what the card signed").with(both(ctq("0000"), without(tag.CTQ)), nil, nil).expectODA(emv.ODAFailed),
	refused("TTQ edited on its way: the limit still binds", "offers none").with(ctq("0000"), func(in *emv.Input) { in.Indicators.TTQ[1] = 0 }, nil).of(at).expectODA(emv.ODAfDDA),
	ends("9F27 edited", "different cryptogram types", all).with(inGPO(tag.CID, "40"), nil, nil),
	ends("57 edited", "different card numbers", all).with(inGPO(tag.Track2, "4000001234567800D30122010000000000"), nil, nil),
	odaRefused("replayed signature").with(func(c *scripted) { c.signUN = unhex("99887766") }, nil, nil),
	odaRefused("signed record changed").with(func(c *scripted) {
		c.raw = func(n int, r []byte) []byte {
			if n == 1 {
				r[len(r)-7] ^= 1
			}
			return r
		}
	}, nil, nil),

	// 5.4.3: cryptogram types.
	refused("the card declines", "the card declined").with(asAAC, nil, nil),
	refused("the card declines, no 9F27", "the card declined").with(both(asAAC, without(tag.CID)), nil, nil),
	refused("reserved cryptogram type", "no cryptogram type").with(func(c *scripted) { c.cryptogram("C0", "06011203B00000") }, nil, nil),
	online("ARQC without 9F27", emv.CVMOnlinePIN).with(without(tag.CID), nil, nil),
	online("IAD format 2", emv.CVMOnlinePIN).with(inGPO(tag.IAD, "1F220103A000000000000000000000000000000000000000000000000000000000"[:64]), nil, nil),
	refused("ARQC at an offline-only reader", "offline-only").with(ctq("0000"), setTTQ("28004000"), nil),
	approved("TC, nothing against it", emv.CVMNone).with(both(asTC, ctq("0000")), offline, nil),
	approved("TC without 9F27", emv.CVMNone).with(both(asTC, ctq("0000"), without(tag.CID)), offline, nil),
	approved("TC at an offline-only reader", emv.CVMNone).with(both(asTC, ctq("0000")), inputs(offline, setTTQ("2A004000")), nil),
	approved("TC with signature", emv.CVMSignature).with(both(asTC, ctq("4000")), offline, nil),
	approved("TC with CDCVM", emv.CVMConfirmed).with(both(asTC, ctq("0080")), offline, nil),
	online("TC with online PIN goes online", emv.CVMOnlinePIN).with(asTC, offline, nil),
	plain("TC against the online request goes online", emv.CVMNone).with(both(asTC, ctq("0000")), setTTQ(noODA), nil),
	online("TC against the online request, authenticated", emv.CVMNone).with(both(asTC, ctq("0000")), nil, nil),
	plain("TC above the floor limit, TTQ says nothing of it", emv.CVMNone).with(both(asTC, ctq("0000")), inputs(setTTQ(noODA), func(in *emv.Input) { in.Indicators.TTQ[1] = 0 }), nil),
	refused("TC against the online request, offline-only reader", "offline-only").with(both(asTC, ctq("0000")), setTTQ("2A004000"), nil),
	approved("TC at the kernel's floor limit", emv.CVMNone).with(both(asTC, ctq("0000")), offline, floor(8880)),
	approved("TC below the kernel's floor limit", emv.CVMNone).with(both(asTC, ctq("0000")), offline, floor(8881)),
	plain("TC above the kernel's floor limit", emv.CVMNone).with(both(asTC, ctq("0000")), inputs(offline, setTTQ(noODA)), floor(8879)),

	// 5.5.1.1: expiry binds where the card approves.
	online("expired, ARQC: the issuer's matter", emv.CVMOnlinePIN).with(expire, nil, nil),
	refused("expired yesterday, TC", "expired").with(both(asTC, ctq("0000"), expire), offline, nil),
	approved("expires today, TC", emv.CVMNone).with(both(asTC, ctq("0000"), rec1(tag.ExpirationDate, "260315")), offline, nil),
	approved("expires tomorrow, TC", emv.CVMNone).with(both(asTC, ctq("0000"), rec1(tag.ExpirationDate, "260316")), offline, nil),
	refused("expired in 1999, TC", "expired").with(both(asTC, ctq("0000"), rec1(tag.ExpirationDate, "991231")), offline, nil),
	refused("no expiry date, TC", "expired").with(both(asTC, ctq("0000"), without(tag.ExpirationDate)), offline, nil),
	plain("expired, TC, CTQ asks to go online", emv.CVMNone).with(both(asTC, ctq("0800"), expire), inputs(offline, setTTQ(noODA)), nil),
	refused("expired, TC, CTQ asks to go online, offline-only reader", "offline-only").with(both(asTC, ctq("0800"), expire), inputs(offline, setTTQ("2A004000")), nil),
	// 5.5.1.2: exception file.
	refused("TC of a card on the exception file", "exception file").with(both(asTC, ctq("0000")), offline, listed(testPAN)),
	approved("TC of a card not on the exception file", emv.CVMNone).with(both(asTC, ctq("0000")), offline, listed("4000001234567800")),
	refused("TC of a card on the exception file, PSN differs not", "exception file").with(both(asTC, ctq("0800"), expire), offline, listed(testPAN)),
	online("ARQC of a card on the exception file", emv.CVMOnlinePIN).with(nil, nil, listed(testPAN)),
	// 5.5.1.3, 5.5.1.4: cash and cashback.
	online("domestic cash allowed", emv.CVMOnlinePIN).with(rec1(tag.AUC, "8000"), txType(typeCash), cash),
	refused("domestic cash not allowed", "not allow cash").with(rec1(tag.AUC, "7FC0"), txType(typeCash), cash),
	online("cash abroad allowed", emv.CVMOnlinePIN).with(both(rec1(tag.AUC, "4000"), rec1(tag.IssuerCountry, "0840")), txType(typeCash), cash),
	refused("cash abroad not allowed", "not allow cash").with(both(rec1(tag.AUC, "BFC0"), rec1(tag.IssuerCountry, "0840")), txType(typeDisbursement), cash),
	refused("cash without usage control", "not allow cash").with(without(tag.AUC), txType(typeCash), cash),
	refused("cash without issuer country", "not allow cash").with(without(tag.IssuerCountry), txType(typeCash), cash),
	another("cash not allowed: another interface", "another interface for cash", emv.MsgInsertOrSwipe).with(both(ctq("0400"), rec1(tag.AUC, "0000")), txType(typeCash), cash),
	online("cash not allowed, not checked", emv.CVMOnlinePIN).with(rec1(tag.AUC, "0000"), txType(typeCash), nil),
	online("domestic cashback allowed", emv.CVMOnlinePIN).with(rec1(tag.AUC, "0080"), txType(typeCashback), cashback),
	refused("domestic cashback not allowed", "not allow cashback").with(rec1(tag.AUC, "FF40"), txType(typeCashback), cashback),
	online("cashback abroad allowed", emv.CVMOnlinePIN).with(both(rec1(tag.AUC, "0040"), rec1(tag.IssuerCountry, "0840")), txType(typeCashback), cashback),
	another("cashback not allowed: another interface", "another interface for cashback", emv.MsgInsertOrSwipe).with(both(ctq("0200"), rec1(tag.AUC, "0000")), txType(typeCashback), cashback),
	refused("cash not allowed, CTQ for cashback only", "not allow cash").with(both(ctq("0200"), rec1(tag.AUC, "0000")), txType(typeCash), cash),

	// 5.6: offline data authentication.
	odaRefused("clone, ARQC").with(clone, nil, nil),
	plain("clone, ARQC, no authentication asked for", emv.CVMOnlinePIN).with(clone, setTTQ(noODA), nil),
	plain("card that can't authenticate, ARQC", emv.CVMOnlinePIN).with(inGPO(tag.AIP, "0000"), nil, nil),
	odaRefused("card that can't authenticate, TC").with(both(asTC, inGPO(tag.AIP, "0000")), offline, nil),
	online("clone: CTQ asks to go online", emv.CVMNone).with(both(clone, ctq("2000")), nil, nil).expectODA(emv.ODAFailed),
	another("clone: CTQ asks for another interface", "authenticated", emv.MsgInsertCard).with(both(clone, ctq("1000")), setTTQ(chip), nil).expectODA(emv.ODAFailed),
	online("clone: online before another interface", emv.CVMNone).with(both(clone, ctq("3000")), setTTQ(chip), nil).expectODA(emv.ODAFailed),
	odaRefused("clone: CTQ asks for another interface, reader has none").with(both(clone, ctq("1000")), nil, nil),
	odaRefused("TC of a clone").with(both(asTC, clone), offline, nil),
	online("TC of a clone: CTQ asks to go online", emv.CVMNone).with(both(asTC, clone, ctq("2000")), offline, nil).expectODA(emv.ODAFailed),
	odaRefused("TC of a clone, CTQ asks to go online, offline-only reader").with(both(asTC, clone, ctq("2000")), inputs(offline, setTTQ("2A004000")), nil),
	another("TC of a clone, offline-only reader with a chip slot", "authenticated", emv.MsgInsertCard).with(both(asTC, clone, ctq("3000")), inputs(offline, setTTQ("3A004000")), nil).expectODA(emv.ODAFailed),
	online("signed data format 95", emv.CVMOnlinePIN).with(func(c *scripted) { c.format = oda.FormatFDDA }, nil, nil),
	odaRefused("signed data format 06").with(func(c *scripted) { c.format = 6 }, nil, nil),
	odaRefused("9F69 version 02").with(auth("02AABBCCDD8000"), nil, nil),
	odaRefused("9F69 version 00, not taken").with(auth("00AABBCCDD8000"), nil, nil),
	online("9F69 version 00, taken", emv.CVMOnlinePIN).with(auth("00AABBCCDD8000"), nil, version00),
	online("version 00: 9F69 is not signed, its copy proves nothing", emv.CVMOnlinePIN).with(auth("00AABBCCDD0000"), nil, version00),
	odaRefused("no 9F69, not taken").with(auth(""), nil, nil),
	online("no 9F69, taken as version 00", emv.CVMOnlinePIN).with(auth(""), nil, version00),
	approved("TC, version 00 taken", emv.CVMNone).with(both(asTC, ctq("0000"), auth("")), offline, version00),
	odaRefused("version 00, replayed").with(both(auth(""), func(c *scripted) { c.signUN = unhex("99887766") }), nil, version00),
	odaRefused("no signature").with(func(c *scripted) { c.sdad = false }, nil, nil),
	odaRefused("unknown CA key").with(nil, func(in *emv.Input) { in.AID = unhex("A0000003331010") }, nil),
	odaRefused("terminal without CA keys").with(nil, nil, func(c *Config) { c.CAKeys = nil }),
	odaRefused("issuer certificate revoked").with(nil, nil, func(c *Config) {
		if err := c.CAKeys.Revoke(testRID, testIndex, [3]byte{0, 0, 9}); err != nil {
			panic(err)
		}
	}),
	odaRefused("card certificate expired").with(func(c *scripted) { c.expires = [2]int{2, 2026} }, nil, nil),
	online("card certificate in its last month", emv.CVMOnlinePIN).with(func(c *scripted) { c.expires = [2]int{3, 2026} }, nil, nil),
	odaRefused("certificate of another card").with(func(c *scripted) { c.iccPAN = "4000001234567800" }, nil, nil),
	odaRefused("static data tag list is not 82").with(rec1(tag.SDATagList, "8294"), nil, nil),
	odaRefused("signed record of file 11 is no template 70").with(func(c *scripted) {
		c.records = append(c.records, record{sfi: 11, n: 1, bare: true, objects: tlv.List{{Tag: 0xDF01, Value: []byte{1}}}})
		c.afl = append(c.afl, 0x58, 1, 1, 1)
	}, nil, nil).reads(5),
	odaRefused("9F4C is not the signed one").with(inGPO(tag.ICCDynamicNumber, "01020305"), nil, nil),
	online("9F4C is the signed one", emv.CVMOnlinePIN).with(inGPO(tag.ICCDynamicNumber, "01020304"), nil, nil),
	online("SDA, ARQC", emv.CVMOnlinePIN).with(static, nil, nil).expectODA(emv.ODASDA),
	odaRefused("SDA, TC: static data approves nothing").with(both(static, asTC), offline, nil),
	odaRefused("SDA, signed by another issuer").with(both(static, func(c *scripted) { c.signer = keys().other }), nil, nil),
	odaRefused("SDA, record changed").with(both(static, func(c *scripted) {
		c.raw = func(n int, r []byte) []byte {
			if n == 1 {
				r[len(r)-7] ^= 1
			}
			return r
		}
	}), nil, nil),
	online("card that can SDA and DDA", emv.CVMOnlinePIN).with(both(inGPO(tag.AIP, "6000"), func(c *scripted) { c.ssad = true }), nil, nil),

	// PDOL and GPO.
	{name: "no PDOL", kind: emv.SelectNext, cvm: emv.CVMNotGiven, reason: "PDOL", records: -1, card: func(c *scripted) { c.pdol = "" }},
	{name: "PDOL without 9F66", kind: emv.SelectNext, cvm: emv.CVMNotGiven, reason: "PDOL", records: -1, card: func(c *scripted) { c.pdol = "9F37049F0206" }},
	{name: "GPO 6985", kind: emv.SelectNext, cvm: emv.CVMNotGiven, records: 0, card: status(0, "6985")},
	{name: "GPO 6984", kind: emv.TryAnother, cvm: emv.CVMNotGiven, message: emv.MsgInsertCard, records: 0, card: status(0, "6984")},
	{name: "GPO 6986", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgSeePhone, records: 0, card: status(0, "6986")},
	ends("GPO 6A81", "refused a command", 0).with(status(0, "6A81"), nil, nil),
	ends("GPO 6283 with data", "refused a command", 0).with(status(0, "6283"), nil, nil),
	ends("GPO in format 80: no cryptogram", "9F36", all).with(func(c *scripted) {
		c.raw = func(n int, r []byte) []byte {
			if n == 0 {
				return unhex("800A200008010201100102009000")
			}
			return r
		}
	}, nil, nil),
	ends("GPO in format 80 of one byte", "no AIP", 0).with(func(c *scripted) {
		c.raw = func(n int, _ []byte) []byte { return unhex("8001209000") }
	}, nil, nil),
	ends("GPO in format 80 with an AIP only", "9F36", 0).with(func(c *scripted) {
		c.raw = func(n int, _ []byte) []byte { return unhex("800220009000") }
	}, nil, nil),
	ends("bytes after format 80", "after the template", 0).with(func(c *scripted) {
		c.raw = func(n int, _ []byte) []byte { return unhex("8002200082009000") }
	}, nil, nil),
	ends("GPO in another template", "no template 77", 0).with(func(c *scripted) {
		c.raw = func(n int, _ []byte) []byte { return unhex("7004820220009000") }
	}, nil, nil),
	ends("bytes after the GPO template", "after the template", 0).with(func(c *scripted) {
		c.raw = func(n int, r []byte) []byte { return append(r[:len(r)-2:len(r)-2], 0x82, 0x00, 0x90, 0x00) }
	}, nil, nil),
	ends("GPO data is cut off", "no template 77", 0).with(func(c *scripted) {
		c.raw = func(n int, r []byte) []byte { return append(r[:40:40], 0x90, 0x00) }
	}, nil, nil),

	// AFL and records.
	ends("AFL of 5 bytes", "entries of 4 bytes", 0).with(afl("0801020110"), nil, nil),
	ends("AFL names SFI 0", "file that can't be", 0).with(afl("00010100"), nil, nil),
	ends("AFL names SFI 31", "file that can't be", 0).with(afl("F8010100"), nil, nil),
	ends("AFL names record 0", "records that can't be", 0).with(afl("08000100"), nil, nil),
	ends("AFL counts backwards", "records that can't be", 0).with(afl("08020100"), nil, nil),
	ends("AFL signs too many", "signs more", 0).with(afl("08010103"), nil, nil),
	ends("AFL names too many records", "too many records", 0).with(afl("08012100"), nil, nil),
	ends("record not found", "refused a command", 2).with(status(2, "6A83"), nil, nil),
	ends("record without template 70", "no template 70", 2).with(func(c *scripted) { c.records[1].bare = true }, nil, nil),
	ends("data object twice with two values", "comes twice", 1).with(rec1(tag.AIP, "2001"), nil, nil),
	ends("data object twice with one value", "comes twice", 1).with(rec1(tag.PSN, "01"), nil, nil),
	ends("data object twice in one template", "comes twice", 0).with(func(c *scripted) {
		c.gpo = append(c.gpo, tlv.TLV{Tag: tag.ATC, Value: unhex("0241")})
	}, nil, nil),
	ends("FCI without 84", "84", all).with(func(c *scripted) { c.nameless = true }, nil, nil),
	ends("no 9F26", "9F26", all).with(without(tag.ApplicationCryptogram), nil, nil),
	ends("9F26 of 7 bytes", "9F26", all).with(inGPO(tag.ApplicationCryptogram, "5D016C91005E7C"), nil, nil),
	ends("no 9F36", "9F36", all).with(without(tag.ATC), nil, nil),
	ends("no 82", "82", all).with(without(tag.AIP), nil, nil),
	ends("no 9F10", "9F10", all).with(without(tag.IAD), nil, nil),
	ends("9F10 too short", "9F10", all).with(inGPO(tag.IAD, "06010A03"), nil, nil),
	ends("no 57", "57", all).with(without(tag.Track2), nil, nil),
	ends("57 without separator", "57", all).with(inGPO(tag.Track2, "4000001234567899F30122010000000000"), nil, nil),
	ends("57 with month 13", "57", all).with(inGPO(tag.Track2, "4000001234567899D30132010000000000"), nil, nil),
	ends("5F24 is no date", "5F24", all).with(rec1(tag.ExpirationDate, "301331"), nil, nil),
	ends("9F6C of 1 byte", "9F6C", all).with(inGPO(tag.CTQ, "80"), nil, nil),
	ends("9F6E of 3 bytes", "9F6E", all).with(inGPO(tag.FormFactor, "238800"), nil, nil),
	ends("9F5D is no amount", "9F5D", all).with(inGPO(tag.AvailableOffline, "0000000000AA"), nil, nil),
	ends("9F07 of 1 byte", "9F07", all).with(rec1(tag.AUC, "FF"), nil, nil),

	// The card leaves.
	{name: "lost at GPO", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 0, card: func(c *scripted) { c.lostAt = 0 }},
	{name: "lost at the first record", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 1, card: func(c *scripted) { c.lostAt = 1 }},
	{name: "lost at the last record", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 4, card: func(c *scripted) { c.lostAt = 4 }},
	{name: "an answer of one byte", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 0, card: status(0, "90")},
}
