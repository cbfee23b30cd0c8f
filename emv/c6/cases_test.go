package c6

import (
	"huika/emv"
	"huika/emv/book3"
	"huika/emv/book3/book3test"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

const (
	verifiedIAD = "0105" + "A002000000000000" // confirmation code verified
	failedIAD   = "0105" + "A003000000000000" // performed and failed
)

func both(fs ...func(*book3test.Card)) func(*book3test.Card) {
	return func(c *book3test.Card) {
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

func ttq(v string) func(*emv.Input) {
	return func(in *emv.Input) {
		b2 := in.Indicators.TTQ[1]
		in.Indicators.TTQ = [4]byte(unhex(v))
		in.Indicators.TTQ[1] |= b2
	}
}

// offline takes the floor limit away: the amount may be approved offline.
func offline(in *emv.Input) {
	in.Indicators.FloorLimitExceeded = false
	in.Indicators.TTQ[1] &^= ttq2OnlineRequired
}

func gpo(g tlv.Tag, v string) func(*book3test.Card) {
	return func(c *book3test.Card) { book3test.Set(&c.GPO, g, v) }
}

func rec1(g tlv.Tag, v string) func(*book3test.Card) {
	return func(c *book3test.Card) { book3test.Set(&c.Records[0].Objects, g, v) }
}

func without(tags ...tlv.Tag) func(*book3test.Card) {
	return func(c *book3test.Card) { c.Drop(tags...) }
}

// later drops tags after the certificates were made.
func later(tags ...tlv.Tag) func(*book3test.Card) {
	return func(c *book3test.Card) { c.Personalise(); c.Drop(tags...); c.NoCerts = true }
}

func cpr(v string) func(*book3test.Card)            { return gpo(tag.CPR, v) }
func afl(v string) func(*book3test.Card)            { return func(c *book3test.Card) { c.AFL = unhex(v) } }
func status(n int, sw string) func(*book3test.Card) { return func(c *book3test.Card) { c.SW[n] = sw } }
func lost(n int) func(*book3test.Card)              { return func(c *book3test.Card) { c.LostAt = n } }
func clone(c *book3test.Card)                       { c.Key = book3test.Keys().Other }
func asAAC(c *book3test.Card)                       { gpo(tag.CID, "00")(c) }

// asTC makes a card that approves offline: signed, without its cryptogram in clear, and without a wish for the PIN.
func asTC(c *book3test.Card) {
	c.CDA = true
	c.Drop(tag.ApplicationCryptogram)
	gpo(tag.CID, "40")(c)
	cpr("0000")(c)
}

// bare is a card without records.
func bare(c *book3test.Card) {
	c.AFL, c.NoCerts = nil, true
	for g, v := range map[tlv.Tag]string{tag.AUC: "FFC0", tag.EffectiveDate: "200101", tag.ApplicationVersion: "0001"} {
		gpo(g, v)(c)
	}
}

func txType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Transaction.Type = v } }

func limit(n int64) *int64 { return &n }

func listed(pan string) func(*Config) {
	return func(c *Config) {
		c.ExceptionFile = func(p pay.PAN, psn string) bool { return p.Reveal() == pan && psn == "01" }
	}
}

func floor(n int64) func(*Config) { return func(c *Config) { c.FloorLimit = &n } }
func noNoCVM(in *emv.Input)       { in.Terminal.Capabilities[1] &^= cap2NoCVM }

const offlineOnly = "2E004000"

var kernelCases = []kernelCase{
	// Figure 19: the order of verification methods, below, at and above the limit.
	online("no CVM bit, below the CVM limit", emv.CVMNone).on(cpr("0000")).of(justBelow).ending("8000008000"),
	ends("no CVM bit, at the CVM limit", "no cardholder verification", all).on(cpr("0000")).of(at),
	ends("no CVM bit, above the CVM limit", "no cardholder verification", all).on(cpr("0000")).of(above),
	another("no CVM bit, at the limit, chip reader", "no cardholder verification", all).with(cpr("0000"), ttq(chipTTQ), nil).of(at),
	online("online PIN, at the limit", emv.CVMOnlinePIN).of(at).ending("8000048000"),
	online("online PIN at any amount", emv.CVMOnlinePIN).of(1),
	online("signature, at the limit", emv.CVMSignature).on(cpr("4000")).of(at),
	online("signature, below the limit", emv.CVMSignature).on(cpr("4000")).of(justBelow),
	ends("signature, reader takes none", "no cardholder verification", all).with(cpr("4000"), ttq("24004000"), nil).of(at),
	ends("signature, reader takes none, below the limit", "no cardholder verification", all).with(cpr("4000"), ttq("24004000"), nil).of(justBelow),
	ends("online PIN, reader takes none", "no cardholder verification", all).with(nil, ttq("22004000"), nil).of(at),
	online("online PIN, reader takes none, fallback to signature", emv.CVMSignature).with(cpr("8002"), ttq("22004000"), nil).of(at),
	ends("fallback to signature, reader takes none", "no cardholder verification", all).with(cpr("8002"), ttq("20004000"), nil).of(at),
	online("online PIN and signature, reader takes no PIN: no fallback, device", emv.CVMConfirmed).with(both(cpr("D000"), gpo(tag.IAD, verifiedIAD)), ttq("22004000"), nil).of(at),
	online("online PIN before signature", emv.CVMOnlinePIN).on(cpr("C000")).of(at),
	online("online PIN before the device", emv.CVMOnlinePIN).on(cpr("9000"), gpo(tag.IAD, verifiedIAD)).of(at),
	online("device, at the limit", emv.CVMConfirmed).on(cpr("1000"), gpo(tag.IAD, verifiedIAD)).of(at),
	online("device, far above the limit", emv.CVMConfirmed).on(cpr("1000"), gpo(tag.IAD, verifiedIAD)).of(500_000),
	online("device, below the limit: not needed", emv.CVMNone).on(cpr("1000"), gpo(tag.IAD, verifiedIAD)).of(justBelow),
	ends("device, reader does not know it", "no cardholder verification", all).with(both(cpr("1000"), gpo(tag.IAD, verifiedIAD)), ttq("26000000"), nil).of(at),
	ends("device claimed in the CPR, not in the CVR", "did not verify", all).on(cpr("1000")).of(at).ending("8000808000"),
	ends("device failed", "did not verify", all).on(cpr("1000"), gpo(tag.IAD, failedIAD)).of(at).ending("8000808000"),
	ends("device claimed, 9F10 too short for a CVR", "did not verify", all).on(cpr("1000"), gpo(tag.IAD, "0105A002")).of(at),
	online("device failed, fallback to signature", emv.CVMSignature).on(cpr("1002"), gpo(tag.IAD, failedIAD)).of(at),
	online("device failed, fallback to none", emv.CVMNone).on(cpr("1001"), gpo(tag.IAD, failedIAD)).of(at),
	ends("device failed, fallback to none, terminal has none", "did not verify", all).with(both(cpr("1001"), gpo(tag.IAD, failedIAD)), noNoCVM, nil).of(at),
	online("fallback to none", emv.CVMNone).on(cpr("0001")).of(at),
	ends("fallback to none, terminal has none", "no cardholder verification", all).with(cpr("0001"), noNoCVM, nil).of(at),
	online("CVM limit of the configuration, below", emv.CVMNone).with(cpr("0000"), nil, func(c *Config) { c.CVMLimit = limit(8881) }),
	ends("CVM limit of the configuration, at", "no cardholder verification", all).with(cpr("0000"), nil, func(c *Config) { c.CVMLimit = limit(8880) }),
	ends("CVM limit of pre-processing that the TTQ does not show", "no cardholder verification", all).with(cpr("0000"), func(in *emv.Input) {
		in.Indicators.CVMRequiredLimitExceeded = true
	}, nil),

	// Figure 15: answers of GET PROCESSING OPTIONS.
	{name: "GPO 6984", kind: emv.TryAnother, cvm: emv.CVMNotGiven, reason: "another interface", message: emv.MsgInsertOrSwipe, card: status(0, "6984")},
	next("GPO 6985", "refused").on(status(0, "6985")),
	{name: "GPO 6986", kind: emv.TryAgain, cvm: emv.CVMNotGiven, reason: "holder", message: emv.MsgSeePhone, card: status(0, "6986")},
	next("GPO 6A81", "refused").on(status(0, "6A81")),
	{name: "lost at GPO", kind: emv.TryAgain, cvm: emv.CVMNotGiven, reason: "lost", message: emv.MsgPresentAgain, card: lost(0)},
	{name: "answer of one byte", kind: emv.TryAgain, cvm: emv.CVMNotGiven, reason: "lost", message: emv.MsgPresentAgain, card: status(0, "90")},
	next("GPO in format 80", "no template 77").on(func(c *book3test.Card) { c.Format1 = true }),
	next("no 82", "82").on(without(tag.AIP)), next("82 of 3 bytes", "82").on(gpo(tag.AIP, "010000")),
	next("no 9F36", "9F36").on(without(tag.ATC)), next("9F36 of 3 bytes", "9F36").on(gpo(tag.ATC, "000240")),
	next("no 9F10", "9F10").on(without(tag.IAD)), next("no 9F27", "9F27").on(without(tag.CID)), next("9F27 of 2 bytes", "9F27").on(gpo(tag.CID, "8000")),
	next("no 9F71", "9F71").on(without(tag.CPR)), next("9F71 of 3 bytes", "9F71").on(cpr("800000")),
	next("object twice", "twice").on(func(c *book3test.Card) { c.GPO = append(c.GPO, c.GPO[0]) }),
	next("AFL of 3 bytes", "entries of 4").on(afl("080102")), next("AFL with SFI 0", "can't be").on(afl("00010101")),
	next("AFL with SFI 31", "can't be").on(afl("F8010101")), next("AFL from 0", "can't be").on(afl("08000100")), next("AFL backwards", "can't be").on(afl("08020100")),
	next("AFL signs too many", "more records").on(afl("08010103")), next("AFL of 33 records", "too many").on(afl("08012100")),
	func() kernelCase {
		k := next("PDOL can't be read", "PDOL").on(func(c *book3test.Card) { c.PDOL = "9F66" })
		k.records = -1
		return k
	}(),

	// Figures 16 and 17: what a cryptogram must come with.
	ends("ARQC without 9F26", "9F26", 0).on(without(tag.ApplicationCryptogram)).ending("A000008000"),
	ends("9F26 of 7 bytes", "9F26", 0).on(gpo(tag.ApplicationCryptogram, "01020304050607")),
	ends("ARQC with a signature", "nobody asked", 0).on(gpo(tag.SDAD, "0102")),
	ends("balance of 5 bytes", "D1", 0).on(gpo(tag.OfflineBalance, "0000000001")), ends("balance that is none", "D1", 0).on(gpo(tag.OfflineBalance, "00000000000A")),
	{name: "no records", kind: emv.OnlineRequest, cvm: emv.CVMOnlinePIN, message: emv.MsgEnterPIN, card: bare},
	ends("no records, no 5F34", "5F34", 0).on(bare, without(tag.PSN)), ends("no records, no 9F07", "9F07", 0).on(bare, without(tag.AUC)),
	ends("no records, no 5F25", "5F25", 0).on(bare, without(tag.EffectiveDate)), ends("no records, no 9F08", "9F08", 0).on(bare, without(tag.ApplicationVersion)),
	ends("no records, no 57", "57", 0).on(bare, without(tag.Track2)).ending("A000008000"),
	ends("TC without records", "94", 0).on(asTC, func(c *book3test.Card) { c.AFL = nil }), ends("TC without a signature", "9F4B", 0).on(asTC, func(c *book3test.Card) { c.CDA = false }),
	ends("TC with 9F26 in clear", "beside", 0).on(asTC, gpo(tag.ApplicationCryptogram, "5D016C91005E7CC2")),
	ends("TC, balance of 5 bytes", "D1", 0).on(asTC, gpo(tag.OfflineBalance, "0000000001")),
	ends("loyalty without a signature", "9F4B", 0).on(asAAC, cpr("2000")),
	refused("loyalty is not taken", "the card declined").on(asAAC, cpr("2000"), func(c *book3test.Card) { c.CDA = true; c.Drop(tag.ApplicationCryptogram) }),

	// Figure 18: records.
	ends("record not found", "refused READ RECORD", 1).on(status(1, "6A83")), ends("record without template", "no template 70", 1).on(func(c *book3test.Card) { c.Records[0].Bare = true }),
	ends("object twice in records", "twice", 1).on(rec1(tag.ATC, "0001")),
	{name: "lost at the last record", kind: emv.TryAgain, cvm: emv.CVMNotGiven, reason: "lost", message: emv.MsgPresentAgain, card: lost(4), records: 4},
	ends("57 malformed", "57", all).on(gpo(tag.Track2, "6011000991300009C3012201")), ends("57 with month 13", "57", all).on(gpo(tag.Track2, testPAN+"D30132010000000000")),
	ends("5A of another card", "different card numbers", all).on(rec1(tag.PAN, "6011000991300017")), ends("5F24 of another month", "different months", all).on(rec1(tag.ExpirationDate, "301130")),
	ends("5F24 malformed", "malformed", all).on(rec1(tag.ExpirationDate, "301300")),
	online("no 5A, no 5F24: track 2 has them", emv.CVMOnlinePIN).on(without(tag.PAN, tag.ExpirationDate)),

	// Figures 23 and 24: offline approval, at, below and above the floor limit.
	approved("TC, offline", emv.CVMNone).ending("0000000000"), approved("TC, signature", emv.CVMSignature).on(asTC, cpr("4000")),
	approved("TC of a device", emv.CVMConfirmed).on(asTC, cpr("1000"), gpo(tag.IAD, verifiedIAD)).of(at),
	approved("TC below the floor limit", emv.CVMNone).with(asTC, offline, floor(8881)), approved("TC at the floor limit", emv.CVMNone).with(asTC, offline, floor(8880)),
	refused("TC above the floor limit", "issuer was to be asked").with(asTC, offline, floor(8879)).expect(emv.ODACDA).ending("0000008000"),
	refused("TC against the online request", "issuer was to be asked").on(asTC).expect(emv.ODACDA),
	refused("TC above the floor limit that the TTQ does not show", "issuer was to be asked").with(asTC, func(in *emv.Input) {
		offline(in)
		in.Indicators.FloorLimitExceeded = true
	}, nil).expect(emv.ODACDA),
	online("ARQC that nobody asked for", emv.CVMOnlinePIN).with(nil, offline, nil).ending("8000040000"),
	refused("AAC", "the card declined").on(asAAC), refused("reserved cryptogram type", "no cryptogram type").on(gpo(tag.CID, "C0")),
	refused("ARQC, offline-only reader", "offline-only").with(cpr("0000"), inputs(ttq(offlineOnly), offline), nil),
	another("ARQC, offline-only reader, card wants another interface", "offline-only", all).with(cpr("0080"), inputs(ttq("3E004000"), offline), nil),
	refused("the same without contacts", "offline-only").with(cpr("0080"), inputs(ttq(offlineOnly), offline), nil),
	ends("online PIN at an offline-only reader", "no cardholder verification", all).with(nil, inputs(ttq(offlineOnly), offline), nil),

	// Figure 21: a clone, and what the card wants then.
	refused("clone", "could not be authenticated").with(both(asTC, clone), offline, nil).expect(emv.ODAFailed).ending("0400000000"),
	online("clone, card wants to go online", emv.CVMNone).with(both(asTC, clone, cpr("0040")), offline, nil).expect(emv.ODAFailed),
	another("clone, card wants another interface", "could not be authenticated", all).with(both(asTC, clone, cpr("0020")), inputs(ttq(chipTTQ), offline), nil).expect(emv.ODAFailed),
	refused("the same without contacts", "could not be authenticated").with(both(asTC, clone, cpr("0020")), offline, nil).expect(emv.ODAFailed),
	refused("switch goes before online", "could not be authenticated").with(both(asTC, clone, cpr("0060")), offline, nil).expect(emv.ODAFailed),
	refused("clone, online, offline-only reader", "offline-only").with(both(asTC, clone, cpr("0040")), inputs(ttq(offlineOnly), offline), nil).expect(emv.ODAFailed),
	refused("unknown CA key", "data for authentication").with(asTC, offline, func(c *Config) { c.CAKeys = nil }).expect(emv.ODAFailed).ending("2400000000"),
	refused("no 8F", "data for authentication").with(both(asTC, later(tag.CAIndex)), offline, nil).expect(emv.ODAFailed),
	refused("no 9F46", "data for authentication").with(both(asTC, later(tag.ICCCertificate)), offline, nil).expect(emv.ODAFailed),
	refused("no 9F47", "data for authentication").with(both(asTC, later(tag.ICCExponent)), offline, nil).expect(emv.ODAFailed),
	refused("certificate of another card", "could not be authenticated").with(both(asTC, func(c *book3test.Card) { c.Number = "6011000991300017" }), offline, nil).expect(emv.ODAFailed),
	refused("certificate ended last month", "could not be authenticated").with(both(asTC, func(c *book3test.Card) { c.Expires = [2]int{2, 2026} }), offline, nil).expect(emv.ODAFailed),
	approved("certificate ends this month", emv.CVMNone).on(asTC, func(c *book3test.Card) { c.Expires = [2]int{3, 2026} }),
	refused("signature over another number", "could not be authenticated").with(both(asTC, func(c *book3test.Card) { c.SignUN = unhex("00000000") }), offline, nil).expect(emv.ODAFailed),
	refused("9F4A names more than 82", "could not be authenticated").with(both(asTC, rec1(tag.SDATagList, "8257")), offline, nil).expect(emv.ODAFailed),
	online("nothing of an ARQC is authenticated", emv.CVMOnlinePIN).on(clone),

	// Figure 22: restrictions, each a day or a bit apart.
	online("expires today", emv.CVMOnlinePIN).on(rec1(tag.ExpirationDate, "260315"), gpo(tag.Track2, testPAN+"D26032010000000000")).ending("8000048000"),
	online("expired yesterday", emv.CVMOnlinePIN).on(expired).ending("8040048000"),
	refused("expired, card wants a decline", "expired").on(expired, cpr("8004")), online("expired, card wants to go online", emv.CVMOnlinePIN).on(expired, cpr("8008")),
	refused("decline goes before online", "expired").on(expired, cpr("800C")),
	refused("expired TC that says nothing", "expired").with(both(asTC, expired), offline, nil).expect(emv.ODACDA),
	online("expired TC that wants to go online", emv.CVMNone).with(both(asTC, expired, cpr("0008")), offline, nil).expect(emv.ODACDA),
	approved("track 2 ends this month", emv.CVMNone).on(asTC, without(tag.ExpirationDate), gpo(tag.Track2, testPAN+"D26032010000000000")),
	refused("track 2 ended last month", "expired").with(both(asTC, without(tag.ExpirationDate), gpo(tag.Track2, testPAN+"D26022010000000000")), offline, nil).expect(emv.ODACDA),
	approved("valid from today", emv.CVMNone).on(asTC, rec1(tag.EffectiveDate, "260315")),
	online("TC valid from tomorrow goes online", emv.CVMNone).with(both(asTC, rec1(tag.EffectiveDate, "260316")), offline, nil).expect(emv.ODACDA).ending("0020000000"),
	refused("the same, offline-only reader", "offline-only").with(both(asTC, rec1(tag.EffectiveDate, "260316")), inputs(ttq(offlineOnly), offline), nil).expect(emv.ODACDA),
	online("other version", emv.CVMOnlinePIN).on(rec1(tag.ApplicationVersion, "0002")).ending("8080048000"),
	online("other version without 5F25 is not looked at", emv.CVMOnlinePIN).on(rec1(tag.ApplicationVersion, "0002"), without(tag.EffectiveDate)).ending("8000048000"),
	refused("on the exception file", "exception file").with(nil, nil, listed(testPAN)).ending("9000048000"),
	online("another card is on the exception file", emv.CVMOnlinePIN).with(nil, nil, listed("6011000991300017")),
	refused("not at other terminals than ATMs", "usage control").on(rec1(tag.AUC, "FEC0")).ending("8010048000"),
	refused("no goods at home", "usage control").on(rec1(tag.AUC, "D7C0")), online("services at home", emv.CVMOnlinePIN).on(rec1(tag.AUC, "0900")),
	refused("no goods abroad", "usage control").on(rec1(tag.AUC, "EBC0"), rec1(tag.IssuerCountry, "0840")), online("goods abroad", emv.CVMOnlinePIN).on(rec1(tag.AUC, "1100"), rec1(tag.IssuerCountry, "0840")),
	refused("no cash at home", "usage control").with(rec1(tag.AUC, "7FC0"), txType(book3.Cash), nil), online("cash at home", emv.CVMOnlinePIN).with(rec1(tag.AUC, "8100"), txType(book3.Cash), nil),
	refused("no cashback at home", "usage control").with(rec1(tag.AUC, "FF40"), txType(book3.Cashback), nil), online("cashback at home", emv.CVMOnlinePIN).with(rec1(tag.AUC, "FF80"), txType(book3.Cashback), nil),
	online("usage without a country is not looked at", emv.CVMOnlinePIN).on(rec1(tag.AUC, "0000"), without(tag.IssuerCountry)),
	ends("9F07 of 1 byte", "9F07", all).on(rec1(tag.AUC, "FF")).ending("A000048000"), ends("5F28 of 1 byte", "9F07 or 5F28", all).on(rec1(tag.IssuerCountry, "01")),
}

func expired(c *book3test.Card) {
	rec1(tag.ExpirationDate, "260314")(c)
	gpo(tag.Track2, testPAN+"D26032010000000000")(c)
}
