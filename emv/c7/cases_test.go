package c7

import (
	"bytes"

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

func floor(limit int64) func(*Config) { return func(c *Config) { c.FloorLimit = limit } }

func asTC(c *scripted)  { c.cryptogram("40", "07010103901000") }
func asAAC(c *scripted) { c.cryptogram("00", "07010103800000") }

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

func afl(v string) func(*scripted) { return func(c *scripted) { c.afl = unhex(v) } }

func status(n int, sw string) func(*scripted) { return func(c *scripted) { c.sw[n] = sw } }

func txType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Transaction.Type = v } }

// The limits stand at 1000.01 CNY for the cardholder; see usualInput.
const (
	justBelow = 100_000
	at        = 100_001
	above     = 100_002
	fiveGrand = 500_000
)

var kernelCases = []kernelCase{
	// CVM: what the CTQ offers, below, at and above the limit.
	online("no CVM bit, below the CVM limit", emv.CVMNone).with(ctq("0000"), nil, nil).of(justBelow),
	refused("no CVM bit, at the CVM limit", "offers none").with(ctq("0000"), nil, nil).of(at).expectODA(emv.ODAfDDA),
	refused("no CVM bit, above the CVM limit", "offers none").with(ctq("0000"), nil, nil).of(above).expectODA(emv.ODAfDDA),
	online("online PIN bit, at the limit", emv.CVMOnlinePIN).of(at),
	online("online PIN bit, above the limit", emv.CVMOnlinePIN).of(fiveGrand),
	online("online PIN bit at any amount", emv.CVMOnlinePIN).of(1),
	online("signature bit, at the limit", emv.CVMSignature).with(ctq("4000"), nil, nil).of(at),
	online("signature bit, below the limit", emv.CVMSignature).with(ctq("4000"), nil, nil).of(justBelow),
	refused("signature bit, reader takes none", "offers none").with(ctq("4000"), setTTQ("25004080"), nil).of(at).expectODA(emv.ODAfDDA),
	online("signature bit, reader takes none, below the limit", emv.CVMNone).with(ctq("4000"), setTTQ("25004080"), nil).of(justBelow),
	refused("online PIN bit, reader takes none", "offers none").with(nil, setTTQ("23004080"), nil).of(at).expectODA(emv.ODAfDDA),
	online("PIN and signature bits, reader takes no PIN", emv.CVMSignature).with(ctq("C000"), setTTQ("23004080"), nil).of(at),
	online("PIN before CDCVM", emv.CVMOnlinePIN).with(ctq("8080"), nil, nil).of(fiveGrand),
	online("CDCVM, signed, far above the limit", emv.CVMConfirmed).with(ctq("0080"), nil, nil).of(fiveGrand),
	online("CDCVM, signed, below the limit", emv.CVMConfirmed).with(ctq("0080"), nil, nil).of(justBelow),
	online("CDCVM before signature", emv.CVMConfirmed).with(ctq("4080"), nil, nil).of(at),
	refused("CDCVM, reader supports none", "offers none").with(ctq("0080"), setTTQ("27000080"), nil).of(at).expectODA(emv.ODAfDDA),
	online("CDCVM, reader supports none, signature", emv.CVMSignature).with(ctq("4080"), setTTQ("27000080"), nil).of(at),
	refused("CDCVM without authentication is not believed", "offers none").with(ctq("0080"), setTTQ("26004080"), nil).of(at),
	online("CDCVM without authentication, below the limit", emv.CVMNone).with(ctq("0080"), setTTQ("26004080"), nil).of(justBelow).expectODA(emv.ODANone),
	refused("CDCVM, 9F69 too short for a copy", "offers none").with(both(ctq("0080"), func(c *scripted) { c.auth = unhex("01AABBCCDD") }), nil, nil).of(at).expectODA(emv.ODAfDDA),
	online("kernel's own CVM limit, at", emv.CVMOnlinePIN).with(nil, func(in *emv.Input) { in.Indicators.CVMRequiredLimitExceeded = false }, func(c *Config) { c.CVMLimit = limit(8880) }),
	refused("kernel's own CVM limit, at, card offers none", "offers none").with(ctq("0000"), nil, func(c *Config) { c.CVMLimit = limit(8880) }).expectODA(emv.ODAfDDA),
	online("kernel's own CVM limit, below", emv.CVMNone).with(ctq("0000"), nil, func(c *Config) { c.CVMLimit = limit(8881) }),
	online("no CTQ, no CVM needed", emv.CVMNone).with(both(without(tag.CTQ), shortAuth), nil, nil),
	online("no CTQ, CVM needed: signature", emv.CVMSignature).with(both(without(tag.CTQ), shortAuth), nil, nil).of(at),
	online("no CTQ, CVM needed, no signature: PIN", emv.CVMOnlinePIN).with(both(without(tag.CTQ), shortAuth), setTTQ("25004080"), nil).of(at),
	refused("no CTQ, CVM needed, reader has none", "offers none").with(both(without(tag.CTQ), shortAuth), setTTQ("21004080"), nil).of(at).expectODA(emv.ODAfDDA),

	// A man in the middle.
	refused("CTQ edited: CDCVM claimed at 5000.00", "not what the card signed").with(inGPO(tag.CTQ, "0080"), nil, nil).of(fiveGrand).expectODA(emv.ODAFailed),
	refused("CTQ edited: signature instead of PIN", "not what the card signed").with(inGPO(tag.CTQ, "4000"), nil, nil).of(fiveGrand).expectODA(emv.ODAFailed),
	refused("CTQ edited: taken out", "not what the card signed").with(without(tag.CTQ), nil, nil).of(fiveGrand).expectODA(emv.ODAFailed),
	refused("CTQ edited below the limit too", "not what the card signed").with(inGPO(tag.CTQ, "8080"), nil, nil).expectODA(emv.ODAFailed),
	refused("TTQ edited on its way: the card offers nothing", "offers none").with(ctq("0000"), nil, nil).of(fiveGrand).expectODA(emv.ODAfDDA),
	odaRefused("9F69 edited with the CTQ").with(both(inGPO(tag.CTQ, "0080"), func(c *scripted) {
		c.raw = func(n int, r []byte) []byte {
			return bytes.Replace(r, unhex("01AABBCCDD8000"), unhex("01AABBCCDD0080"), 1)
		}
	}), nil, nil).of(fiveGrand),
	odaRefused("amount edited on its way to the card").with(func(c *scripted) { c.signUN = unhex("11223345") }, nil, nil),
	ends("57 edited: another card number than 5A", "different card numbers", all).with(inGPO(tag.Track2, "6228480000000009999D30122200000000000F"), nil, nil),
	ends("9F27 edited: TC for ARQC", "different cryptogram types", all).with(inGPO(tag.CID, "40"), nil, nil),

	// Offline data authentication.
	odaRefused("clone: wrong card key, CTQ B1b6 clear").with(clone, nil, nil),
	online("clone: CTQ B1b6 sends it online", emv.CVMNone).with(both(clone, ctq("2000")), nil, nil).expectODA(emv.ODAFailed),
	online("clone above the limit with B1b6: PIN, online", emv.CVMOnlinePIN).with(both(clone, ctq("A000")), nil, nil).of(at).expectODA(emv.ODAFailed),
	refused("clone claims CDCVM above the limit, B1b6", "offers none").with(both(clone, ctq("2080")), nil, nil).of(at).expectODA(emv.ODAFailed),
	{name: "clone: CTQ B1b5 switches interface", kind: emv.TryAnother, cvm: emv.CVMNotGiven, oda: emv.ODAFailed, message: emv.MsgInsertCard, records: all,
		card: both(clone, ctq("1000")), input: setTTQ("37004080")},
	odaRefused("clone: CTQ B1b5, reader has no chip slot").with(both(clone, ctq("1000")), nil, nil),
	online("clone: B1b6 goes before B1b5", emv.CVMNone).with(both(clone, ctq("3000")), setTTQ("37004080"), nil).expectODA(emv.ODAFailed),
	odaRefused("9F69 version 00").with(func(c *scripted) { c.auth[0] = 0 }, nil, nil),
	odaRefused("9F69 version 02").with(func(c *scripted) { c.auth[0] = 2 }, nil, nil),
	odaRefused("no 9F4B").with(func(c *scripted) { c.sdad = false }, nil, nil),
	online("signed data format 05", emv.CVMOnlinePIN).with(func(c *scripted) { c.format = oda.FormatDDA }, nil, nil),
	odaRefused("unknown CA key").with(nil, nil, func(c *Config) { c.CAKeys = oda.NewCAStore() }),
	odaRefused("no CA store").with(nil, nil, func(c *Config) { c.CAKeys = nil }),
	odaRefused("issuer certificate revoked").with(nil, nil, func(c *Config) {
		if err := c.CAKeys.Revoke(testRID, testIndex, [3]byte{0, 0, 9}); err != nil {
			panic(err)
		}
	}),
	odaRefused("ICC certificate expired").with(func(c *scripted) { c.expires = [2]int{2, 2026} }, nil, nil),
	online("ICC certificate in its last month", emv.CVMOnlinePIN).with(func(c *scripted) { c.expires = [2]int{3, 2026} }, nil, nil),
	odaRefused("ICC certificate of another card").with(func(c *scripted) { c.iccPAN = "6228480000000009999" }, nil, nil),
	odaRefused("SDA tag list is not 82").with(rec1(tag.SDATagList, "9F36"), nil, nil),
	odaRefused("AIP changed after signing").with(func(c *scripted) {
		c.raw = func(n int, r []byte) []byte { return bytes.Replace(r, unhex("82027C00"), unhex("82025C00"), 1) }
	}, nil, nil),
	odaRefused("signed record changed").with(func(c *scripted) {
		c.raw = func(n int, r []byte) []byte { return bytes.Replace(r, unhex("9F0702FF00"), unhex("9F0702FFC0"), 1) }
	}, nil, nil),
	odaRefused("static data signed in the wrong number of records").with(afl("08010200"+"10010200"), nil, nil),
	online("no authentication asked for (TTQ B1b1 clear)", emv.CVMNone).with(both(clone, ctq("0000")), setTTQ("26004080"), nil).expectODA(emv.ODANone),

	// Decision.
	refused("the card declines", "the card declined").with(asAAC, nil, nil),
	refused("the card declines, no 9F27", "the card declined").with(both(asAAC, without(tag.CID)), nil, nil),
	online("ARQC without 9F27", emv.CVMOnlinePIN).with(without(tag.CID), nil, nil),
	refused("TC against the online request", "does not allow it").with(both(asTC, ctq("0000")), nil, floor(8880)).expectODA(emv.ODAfDDA),
	{name: "TC at the floor limit", kind: emv.Approved, cvm: emv.CVMNone, oda: emv.ODAfDDA, message: emv.MsgApproved, records: all,
		card: both(asTC, ctq("0000")), input: offline, config: floor(8880)},
	{name: "TC below the floor limit, signature", kind: emv.Approved, cvm: emv.CVMSignature, oda: emv.ODAfDDA, message: emv.MsgApprovedSign, records: all,
		card: both(asTC, ctq("4000")), input: offline, config: floor(8881)},
	refused("TC above the floor limit", "does not allow it").with(both(asTC, ctq("0000")), offline, floor(8879)).expectODA(emv.ODAfDDA),
	refused("TC with a floor limit of 0", "does not allow it").with(both(asTC, ctq("0000")), offline, nil).expectODA(emv.ODAfDDA),
	odaRefused("TC of a clone, even without TTQ B1b1").with(both(asTC, clone, ctq("0000")), func(in *emv.Input) { offline(in); in.Indicators.TTQ[0] &^= 1 }, floor(8880)),
	online("TC of a clone goes online with B1b6", emv.CVMNone).with(both(asTC, clone, ctq("2000")), offline, floor(8880)).expectODA(emv.ODAFailed),
	online("TC with online PIN goes online", emv.CVMOnlinePIN).with(asTC, offline, floor(8880)),
	refused("ARQC at an offline-only reader", "offline-only").with(ctq("0000"), setTTQ("2F004080"), nil).expectODA(emv.ODAfDDA),
	odaRefused("clone with B1b6 at an offline-only reader").with(both(clone, ctq("2000")), setTTQ("2F004080"), nil),

	// Processing restrictions.
	refused("expired yesterday", "expired").with(expire, nil, nil),
	online("expires today", emv.CVMOnlinePIN).with(rec1(tag.ExpirationDate, "260315"), nil, nil),
	online("expired, CTQ B1b4 sends it online", emv.CVMNone).with(both(expire, ctq("0800")), nil, nil),
	refused("expired, B1b4, reader offline-only", "expired").with(both(expire, ctq("0800")), setTTQ("2F004080"), nil),
	online("expired TC with B1b4 goes online", emv.CVMNone).with(both(asTC, expire, ctq("0800")), offline, floor(8880)),
	refused("expired by track 2 where 5F24 is absent", "expired").with(both(without(tag.ExpirationDate), inGPO(tag.Track2, "6228480000000001234D26022200000000000F")), nil, nil),
	online("track 2 expires this month, 5F24 absent", emv.CVMOnlinePIN).with(both(without(tag.ExpirationDate), inGPO(tag.Track2, "6228480000000001234D26032200000000000F")), nil, nil),
	refused("expired in the last century", "expired").with(rec1(tag.ExpirationDate, "991231"), nil, nil),
	refused("valid from tomorrow", "not valid yet").with(rec1(tag.EffectiveDate, "260316"), nil, nil),
	online("valid from today", emv.CVMOnlinePIN).with(rec1(tag.EffectiveDate, "260315"), nil, nil),
	online("valid from the last century", emv.CVMOnlinePIN).with(rec1(tag.EffectiveDate, "990101"), nil, nil),
	online("domestic goods only, at home", emv.CVMOnlinePIN).with(rec1(tag.AUC, "2100"), nil, nil),
	online("domestic services only, at home", emv.CVMOnlinePIN).with(rec1(tag.AUC, "0900"), nil, nil),
	refused("international goods only, at home", "usage control").with(rec1(tag.AUC, "1100"), nil, nil),
	refused("domestic goods only, abroad", "usage control").with(both(rec1(tag.AUC, "2100"), rec1(tag.IssuerCountry, "0344")), nil, nil),
	online("international services, abroad", emv.CVMOnlinePIN).with(both(rec1(tag.AUC, "0500"), rec1(tag.IssuerCountry, "0344")), nil, nil),
	refused("valid at ATMs only", "usage control").with(rec1(tag.AUC, "FE00"), nil, nil),
	refused("domestic cash not allowed", "usage control").with(rec1(tag.AUC, "7F00"), txType(typeCash), nil),
	online("domestic cash allowed", emv.CVMOnlinePIN).with(rec1(tag.AUC, "8100"), txType(typeCash), nil),
	refused("cashback not allowed", "usage control").with(rec1(tag.AUC, "2140"), txType(typeCashback), nil),
	online("cashback allowed", emv.CVMOnlinePIN).with(rec1(tag.AUC, "2180"), txType(typeCashback), nil),
	online("usage control without a country", emv.CVMOnlinePIN).with(both(rec1(tag.AUC, "0100"), without(tag.IssuerCountry)), nil, nil),
	refused("usage control of a wrong length", "usage control").with(rec1(tag.AUC, "FF"), nil, nil),
	online("no usage control", emv.CVMOnlinePIN).with(without(tag.AUC), nil, nil),
	online("another application version", emv.CVMOnlinePIN).with(rec1(tag.ApplicationVersion, "0020"), nil, nil),
	refused("on the exception file", "exception file").with(nil, nil, func(c *Config) {
		c.ExceptionFile = func(pan pay.PAN, psn string) bool { return pan.Reveal() == testPAN && psn == "01" }
	}),
	online("not on the exception file", emv.CVMOnlinePIN).with(nil, nil, func(c *Config) { c.ExceptionFile = func(pay.PAN, string) bool { return false } }),
	{name: "cash: another interface", kind: emv.TryAnother, cvm: emv.CVMNotGiven, message: emv.MsgInsertCard, records: all,
		card: ctq("0400"), input: func(in *emv.Input) { setTTQ("37004080")(in); in.Transaction.Type = typeCash }},
	{name: "cashback: another interface", kind: emv.TryAnother, cvm: emv.CVMNotGiven, message: emv.MsgInsertCard, records: all,
		card: both(ctq("0200"), rec1(tag.AUC, "FFC0")), input: func(in *emv.Input) { setTTQ("37004080")(in); in.Transaction.Type = typeCashback }},
	online("cash: no other interface in the reader", emv.CVMNone).with(ctq("0400"), txType(typeCash), nil),

	// PDOL and GPO.
	{name: "no PDOL", kind: emv.SelectNext, cvm: emv.CVMNotGiven, reason: "PDOL", records: -1, card: func(c *scripted) { c.pdol = "" }},
	{name: "PDOL without 9F66", kind: emv.SelectNext, cvm: emv.CVMNotGiven, reason: "PDOL", records: -1, card: func(c *scripted) { c.pdol = "9F37049F0206" }},
	{name: "GPO 6985", kind: emv.SelectNext, cvm: emv.CVMNotGiven, records: 0, card: status(0, "6985")},
	{name: "GPO 6984", kind: emv.TryAnother, cvm: emv.CVMNotGiven, message: emv.MsgInsertCard, records: 0, card: status(0, "6984")},
	{name: "GPO 6986", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgSeePhone, records: 0, card: status(0, "6986")},
	ends("GPO 6A81", "refused a command", 0).with(status(0, "6A81"), nil, nil),
	ends("GPO in format 80", "no template 77", 0).with(func(c *scripted) {
		c.raw = func(n int, _ []byte) []byte { return unhex("800E7C0008010201100102009F360200019000") }
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
	ends("AFL with low bits set", "file that can't be", 0).with(afl("09010100"), nil, nil),
	ends("AFL names record 0", "records that can't be", 0).with(afl("08000100"), nil, nil),
	ends("AFL counts backwards", "records that can't be", 0).with(afl("08020100"), nil, nil),
	ends("AFL signs too many", "signs more", 0).with(afl("08010103"), nil, nil),
	ends("AFL names too many records", "too many records", 0).with(afl("08012100"), nil, nil),
	ends("record not found", "refused a command", 2).with(status(2, "6A83"), nil, nil),
	ends("record without template 70", "no template 70", 2).with(func(c *scripted) { c.records[1].bare = true }, nil, nil),
	ends("data object with two values", "two values", 1).with(rec1(tag.AIP, "7C01"), nil, nil),
	ends("data object with two values in one template", "two values", 0).with(func(c *scripted) {
		c.gpo = append(c.gpo, tlv.TLV{Tag: tag.ATC, Value: unhex("0241")})
	}, nil, nil),
	online("data object twice with one value", emv.CVMOnlinePIN).with(rec1(tag.PSN, "01"), nil, nil),
	ends("more data objects than a card has", "too many", 2).with(func(c *scripted) {
		c.records[0].objects = nil // 50 in each of the first two records
		for i := range 100 {
			r := &c.records[i/50]
			r.objects = append(r.objects, tlv.TLV{Tag: tlv.Tag(0xDF01 + i), Value: []byte{1}})
		}
		c.raw = func(n int, r []byte) []byte { // without the certificates that personalise adds
			if n == 2 {
				return append(tlv.Append(nil, tag.RecordTemplate, encode(c.records[1].objects[:50])), 0x90, 0x00)
			}
			return r
		}
	}, nil, nil),
	ends("no 9F26", "9F26", all).with(without(tag.ApplicationCryptogram), nil, nil),
	ends("9F26 of 7 bytes", "9F26", all).with(inGPO(tag.ApplicationCryptogram, "5D016C91005E7C"), nil, nil),
	ends("no 9F36", "9F36", all).with(without(tag.ATC), nil, nil),
	ends("no 82", "82", all).with(without(tag.AIP), nil, nil),
	ends("no 9F10", "9F10", all).with(without(tag.IAD), nil, nil),
	ends("9F10 too short", "9F10", all).with(inGPO(tag.IAD, "07010103"), nil, nil),
	ends("9F10 with reserved type", "9F10", all).with(inGPO(tag.IAD, "07010103B00000"), nil, nil),
	ends("no 57", "57", all).with(without(tag.Track2), nil, nil),
	ends("57 without separator", "57", all).with(inGPO(tag.Track2, "6228480000000001234F30122200000000000F"), nil, nil),
	ends("57 with month 13", "57", all).with(inGPO(tag.Track2, "6228480000000001234D30132200000000000F"), nil, nil),
	ends("5F24 is no date", "date", all).with(rec1(tag.ExpirationDate, "301331"), nil, nil),
	ends("9F6C of 1 byte", "9F6C", all).with(inGPO(tag.CTQ, "80"), nil, nil),

	// The card leaves.
	{name: "lost at GPO", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 0, card: func(c *scripted) { c.lostAt = 0 }},
	{name: "lost at the first record", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 1, card: func(c *scripted) { c.lostAt = 1 }},
	{name: "lost at the last record", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 4, card: func(c *scripted) { c.lostAt = 4 }},
	{name: "an answer of one byte", kind: emv.TryAgain, cvm: emv.CVMNotGiven, message: emv.MsgPresentAgain, records: 0, card: status(0, "90")},
}

func limit(n int64) *int64 { return &n }

// shortAuth is a 9F69 without a copy of the CTQ.
func shortAuth(c *scripted) { c.auth = c.auth[:5] }
