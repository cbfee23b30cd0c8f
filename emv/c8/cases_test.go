package c8

import (
	"bytes"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

func body(g tlv.Tag, v string) func(*scripted) { return func(c *scripted) { set(c.body(), g, v) } }

func without(gs ...tlv.Tag) func(*scripted) {
	return func(c *scripted) {
		for _, g := range gs {
			drop(c.body(), g)
		}
	}
}

func aip(v string) func(*scripted)             { return func(c *scripted) { c.aip = v } }
func afl(v string) func(*scripted)             { return func(c *scripted) { c.afl = v } }
func cid(v int) func(*scripted)                { return func(c *scripted) { c.cid = v } }
func status9(i byte, v string) func(*scripted) { return func(c *scripted) { c.sw[i] = v } }
func lostAt(n int) func(*scripted)             { return func(c *scripted) { c.lostAt = n } }
func inFCI(g tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { set(&c.fci, g, v) }
}
func qualifier(v string) func(*scripted) {
	return func(c *scripted) { set(&c.bf0c, tag.CardQualifier, v) }
}
func inGPO(g tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { set(&c.gpo, g, v) }
}
func inAC(g tlv.Tag, v string) func(*scripted) { return func(c *scripted) { set(&c.ac, g, v) } }
func noAC(g tlv.Tag) func(*scripted)           { return func(c *scripted) { c.dropAC = append(c.dropAC, g) } }
func noGPO(g tlv.Tag) func(*scripted)          { return func(c *scripted) { c.dropGPO = append(c.dropGPO, g) } }
func decides(v string) func(*scripted)         { return inAC(tag.CVDecision, v) }
func cardTVR(v string) func(*scripted)         { return inAC(tag.CardTVR, v) }
func restart(v string) func(*scripted)         { return inAC(tag.RestartIndicator, v) }

// clone has the certificate of a card whose key it does not have.
func clone(c *scripted) { c.key = keys().other }

func noCDOL(c *scripted) { drop(&c.gpo, tag.CDOL1) }

func noCertificates(c *scripted) { c.records = c.records[:1] }

func termType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Terminal.Type = v } }
func txType(v byte) func(*emv.Input)   { return func(in *emv.Input) { in.Transaction.Type = v } }

func denies(i int, bit byte) func(*Config) { return func(c *Config) { c.TACDenial[i] |= bit } }
func askNobody(c *Config)                  { c.TACDenial, c.TACOnline = [5]byte{}, [5]byte{} }
func withRelay(c *Config)                  { c.Kernel |= RelayResistance }
func relayOnly(c *Config)                  { withRelay(c); askNobody(c) } // the TVR alone says what was found

// relay answers: min, max, estimated transmission time in 0.1 ms; took is the whole exchange each time.
func relay(least, most, reply uint16, took ...int64) func(*scripted) {
	return func(c *scripted) {
		c.aip, c.took = relayAIP, took
		for i := range took {
			c.relay = append(c.relay, [10]byte{0xA0, 0xA1, 0xA2, byte(i), byte(least >> 8), byte(least), byte(most >> 8), byte(most), byte(reply >> 8), byte(reply)})
		}
	}
}

// The transmission times that the usual terminal takes off: 1.8 ms and, of 2.4 ms each, the reply's.
const way = 18 + 24

func changed(f func(tlv.List) tlv.List, record int) func(*scripted) {
	return func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins != apdu.InsReadRecord || len(c.commands) != record+2 {
				return r
			}
			list, err := tlv.Parse(r[:len(r)-2])
			if err != nil {
				c.t.Fatal(err)
			}
			inner, err := tlv.Parse(list[0].Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return ok(tlv.Append(nil, list[0].Tag, encode(f(inner))))
		}
	}
}

// plain sends the records in clear, so that a man in the middle can change them.
func plain(c *scripted) {
	for i := range c.records {
		c.records[i].private = false
	}
}

func edited(g tlv.Tag, at int) func(tlv.List) tlv.List {
	return func(l tlv.List) tlv.List {
		for i := range l {
			if l[i].Tag == g {
				l[i].Value = bytes.Clone(l[i].Value)
				l[i].Value[at] ^= 1
			}
		}
		return l
	}
}

func dropped(g tlv.Tag) func(tlv.List) tlv.List {
	return func(l tlv.List) tlv.List { drop(&l, g); return l }
}

const offlineTerminal = 0x23

var kernelCases = []kernelCase{
	// Which cryptogram: terminal action analysis.
	approved("at the floor limit the card may approve offline").sees("0000000081").reports("0000000081"),
	approved("below the floor limit").of(1),
	online("above the floor limit the issuer decides", emv.CVMNone).sees("0000008081").reports("0000008081"),
	online("Entry Point's own floor limit counts too", emv.CVMNone).of(100).in(func(in *emv.Input) { in.Indicators.FloorLimitExceeded = true }).sees("0000008081"),
	online("online-only terminal", emv.CVMNone).of(100).in(termType(0x21)),
	approved("offline-only terminal").in(termType(offlineTerminal)),
	approved("offline-only terminal above the floor limit: action codes deny nothing").of(floorLimit + 1).in(termType(0x26)),
	declined("offline-only terminal, online-only card", "00").with(aip("0102")).in(termType(offlineTerminal)),
	online("online-only card", emv.CVMNone).of(100).with(aip("0102")),
	declined("TAC denial before GENERATE AC", "00").of(floorLimit + 1).terminal(denies(3, tvr4FloorLimit)).sees("0000008081"),
	online("the card asks for the issuer where it may approve", emv.CVMNone).of(floorLimit).with(cid(0x80)).asks("40"),
	declined("the card declines a TC", "40").of(floorLimit).with(cid(0x00)),
	declined("the card declines an ARQC", "80").of(floorLimit + 1).with(cid(0x00)),
	declined("an ARQC at an offline-only terminal", "40").of(floorLimit).with(cid(0x80)).in(termType(offlineTerminal)),
	ends("a TC where an ARQC was asked for", "card data error", "80").of(floorLimit + 1).with(cid(0x40)).auth(emv.ODALocal),
	ends("a TC where an AAC was asked for", "card data error", "00").of(floorLimit + 1).with(cid(0x40)).terminal(denies(3, tvr4FloorLimit)).auth(emv.ODALocal),
	ends("an ARQC where an AAC was asked for", "card data error", "00").of(floorLimit + 1).with(cid(0x80)).terminal(denies(3, tvr4FloorLimit)).auth(emv.ODALocal),
	ends("a cryptogram type that is none", "card data error", "40").of(floorLimit).with(cid(0xC0)).auth(emv.ODALocal),
	{name: "an AAC for a refund is the end", kind: emv.EndApplication, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgClearDisplay, rcp: "40", card: cid(0), input: txType(0x20), record: true},
	declined("an AAC for cash", "40").with(cid(0)).in(txType(0x01)),
	declined("an AAC for cashback", "40").with(cid(0)).in(txType(0x09)),
	declined("an AAC for a cash disbursement", "40").with(cid(0)).in(txType(0x17)),
	online("AID that is not the one that was asked for", emv.CVMNone).of(100).in(func(in *emv.Input) { in.AID = unhex("A0000000043060") }).terminal(func(c *Config) { c.TACOnline[4] |= tvr5AIDMismatch }).sees("00000000C1"),

	// The card's TVR.
	declined("the card says expired, TAC denial", "40").with(cardTVR("0040000081")).terminal(denies(1, 0x40)).reports("0040000081"),
	online("the card says expired, TAC online: a TC goes online", emv.CVMNone).of(100).with(cardTVR("0040000081")).asks("40").reports("0040000081"),
	approved("the card can't alter the kernel's bits").with(cardTVR("840084807E")).reports("0000000081"),
	approved("a card TVR of zeros clears nothing of the kernel's").with(cardTVR("0000000000")).reports("0000000081"),
	online("without a reserved mask the card's TVR stands, but local authentication is known", emv.CVMNone).of(100).with(cardTVR("8000000000")).asks("40").terminal(func(c *Config) { c.ReservedTVR = [5]byte{} }).reports("8000000000"),

	// Cardholder verification.
	online("at the CVM limit none is needed", emv.CVMNone).of(cvmLimit),
	online("below the CVM limit none is needed", emv.CVMNone).of(cvmLimit - 1),
	online("above the CVM limit: online PIN", emv.CVMOnlinePIN).of(cvmLimit + 1).with(decides("02")).sees("0000008081").reports("0000048081"),
	online("above the CVM limit: signature", emv.CVMSignature).of(cvmLimit + 1).with(decides("01")).reports("0000008081"),
	online("above the CVM limit: on-device CVM", emv.CVMConfirmed).of(cvmLimit + 1).with(decides("03")).reports("0000008081"),
	online("above the CVM limit the card decides for none", emv.CVMNotGiven).of(cvmLimit + 1).with(decides("00")).reports("0000808081"),
	online("above the CVM limit the card decides for nothing", emv.CVMNotGiven).of(cvmLimit + 1).with(decides("0F")).reports("0000808081"),
	online("Entry Point's own CVM limit counts too", emv.CVMNotGiven).of(100).in(func(in *emv.Input) { in.Indicators.CVMRequiredLimitExceeded = true }).asks("40").reports("0000800081"),
	approved("not applicable below the limit").with(decides("0F")).verified(emv.CVMNotGiven),
	online("the card says verification failed", emv.CVMNotGiven).of(100).with(decides("FF")).asks("40").reports("0000800081"),
	declined("the card says verification failed, TAC denial", "40").with(decides("FF")).terminal(denies(2, tvr3CVMFailed)).verified(emv.CVMNotGiven),
	online("a decision that nobody knows", emv.CVMNotGiven).of(100).with(decides("04")).asks("40").reports("0000800081"),
	online("online PIN that the terminal lacks", emv.CVMNotGiven).of(cvmLimit + 1).with(decides("02")).terminal(func(c *Config) { c.CVMRequired = CVMSignature }).reports("0000808081"),
	online("signature that the terminal lacks", emv.CVMNotGiven).of(cvmLimit + 1).with(decides("01")).terminal(func(c *Config) { c.CVMRequired = CVMOnlinePIN }).reports("0000808081"),
	online("on-device CVM that the terminal lacks", emv.CVMNotGiven).of(cvmLimit + 1).with(decides("03")).terminal(func(c *Config) { c.CVMRequired = CVMOnlinePIN }).reports("0000808081"),
	approved("on-device CVM below the limit").with(decides("03")).verified(emv.CVMConfirmed),
	online("online PIN below the limit", emv.CVMOnlinePIN).of(100).with(decides("02")).asks("40").reports("0000040081"),
	approved("signature on an offline approval").with(decides("01")).terminal(func(c *Config) { c.CVMNotRequired |= CVMSignature }).verified(emv.CVMSignature).says(emv.MsgApprovedSign),
	online("strict: on-device CVM with local authentication", emv.CVMConfirmed).of(cvmLimit + 1).with(decides("03")).terminal(func(c *Config) { c.StrictCDCVM = true }),
	online("strict: on-device CVM without local authentication", emv.CVMNotGiven).of(cvmLimit+1).with(decides("03"), aip("000A")).terminal(func(c *Config) { c.StrictCDCVM = true }).auth(emv.ODANone).reports("8000808081"),
	online("on-device CVM without local authentication", emv.CVMConfirmed).of(cvmLimit+1).with(decides("03"), aip("000A")).auth(emv.ODANone),

	// Local authentication.
	online("card without local authentication", emv.CVMNone).of(100).with(aip("000A")).auth(emv.ODANone).sees("8000000081").reports("8000000081"),
	online("terminal without local authentication", emv.CVMNone).of(100).terminal(func(c *Config) { c.Security = 0 }).auth(emv.ODANone).sees("8000000081"),
	online("no local authentication, action codes of zero: still no offline approval", emv.CVMNone).of(100).with(aip("000A")).terminal(askNobody).auth(emv.ODANone),
	declined("no local authentication at an offline-only terminal", "00").of(100).with(aip("000A")).in(termType(offlineTerminal)).terminal(askNobody).auth(emv.ODANone),
	declined("clone: the key of the channel is not the certified one", "40").with(clone).auth(emv.ODAFailed).sees("0000000081").reports("0000000081"),
	declined("clone that asks for the issuer", "80").of(floorLimit + 1).with(clone).auth(emv.ODAFailed),
	online("clone, action codes of zero: the issuer decides", emv.CVMNone).of(100).with(clone).terminal(askNobody).auth(emv.ODAFailed).asks("40").reports("0000000081"),
	declined("clone at an offline-only terminal, action codes of zero", "40").of(100).with(clone).in(termType(offlineTerminal)).terminal(askNobody).auth(emv.ODAFailed),
	declined("clone, failure reported", "40").with(clone).terminal(func(c *Config) { c.Kernel |= ReportLocalFailure }).auth(emv.ODAFailed).reports("0400000081"),
	declined("unknown CA key", "40").terminal(func(c *Config) { c.CAKeys = oda.NewCAStore() }).auth(emv.ODAFailed),
	declined("no CA keys at all", "40").terminal(func(c *Config) { c.CAKeys = nil }).auth(emv.ODAFailed),
	declined("issuer certificate revoked", "40").terminal(func(c *Config) {
		if err := c.CAKeys.Revoke(testRID, testIndex, [3]byte{0, 0, 9}); err != nil {
			panic(err)
		}
	}).auth(emv.ODAFailed),
	declined("CA key has expired", "40").terminal(func(c *Config) {
		next := oda.NewCAStore()
		k := oda.ECCAKey{RID: testRID, Index: testIndex, X: keys().ca.Public().X(), Expiry: testNow}
		if err := next.AddEC(k, k.Checksum()); err != nil {
			panic(err)
		}
		c.CAKeys = next
	}).auth(emv.ODAFailed),
	declined("card certificate has expired", "40").with(func(c *scripted) { c.expires = testNow.Add(-time.Minute) }).auth(emv.ODAFailed),
	approved("card certificate in its last minute").with(func(c *scripted) { c.expires = testNow.Truncate(time.Minute) }),
	declined("certificates of another card number", "40").with(plain, body(tag.PAN, "5412330089010434"), body(tag.Track2, "5412330089010434D30122010000000000000F")).auth(emv.ODAFailed),
	declined("card certificate over other static data", "40").with(func(c *scripted) { c.badHash = true }).auth(emv.ODAFailed),
	ends("an object of the extended SDA tag list changed on its way", "EDA MAC failed", "40").with(body(tag.ExtendedSDATagList, "8C5F2D")).in(func(in *emv.Input) {
		in.FCI = bytes.Replace(in.FCI, []byte("zhen"), []byte("enzh"), 1)
	}),
	approved("an object outside the extended SDA tag list changed on its way").in(func(in *emv.Input) { in.FCI = bytes.Replace(in.FCI, []byte("zhen"), []byte("enzh"), 1) }),
	approved("extended SDA tag list").with(body(tag.ExtendedSDATagList, "8C9F075F349F24")),
	online("CDOL1 that local authentication does not cover: no offline approval", emv.CVMNone).of(100).with(without(tag.ExtendedSDATagList)).asks("40"),
	approved("CDOL1 in a signed record once more").with(without(tag.ExtendedSDATagList), body(tag.CDOL1, usualCDOL)),
	ends("CDOL1 changed on its way", "EDA MAC failed", "40").with(func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsGPO { // the amounts change places
				return bytes.Replace(r, unhex("9F02069F0306"), unhex("9F03069F0206"), 1)
			}
			return r
		}
	}),
	ends("extended SDA tag list that can't be read", "parsing error", "40").with(plain, changed(func(l tlv.List) tlv.List {
		set(&l, tag.ExtendedSDATagList, "9F")
		return l
	}, 0)),
	approved("signed record in a file above 10").with(func(c *scripted) { c.records[0].sfi = 11 }),
	approved("signed record in clear").with(plain),
	ends("record changed on its way", "EDA MAC failed", "40").with(plain, changed(edited(tag.ExpirationDate, 2), 0)),
	ends("CA key index missing", "card data error", "40").with(plain, changed(dropped(tag.CAIndex), 1)),
	ends("issuer certificate missing", "card data error", "40").with(plain, changed(dropped(tag.IssuerCertificate), 1)),
	ends("card certificate missing", "card data error", "40").with(plain, changed(dropped(tag.ICCCertificate), 2)),
	declined("issuer certificate changed", "40").with(plain, changed(edited(tag.IssuerCertificate, 30), 1)).auth(emv.ODAFailed),
	declined("card certificate changed", "40").with(plain, changed(edited(tag.ICCCertificate, 60), 2)).auth(emv.ODAFailed),
	online("no certificates and no local authentication", emv.CVMNone).with(noCertificates, aip("000A")).auth(emv.ODANone),

	// The channel.
	nextOne("GPO refused", "status bytes").with(status9(apdu.InsGPO, "6985")),
	nextOne("GPO refused with 6A81", "status bytes").with(status9(apdu.InsGPO, "6A81")),
	ends("card key data too short", "parsing error", "").with(func(c *scripted) { c.keyData = func(b []byte) []byte { return b[:63] } }),
	ends("card key data of P-521", "decryption failed", "").with(func(c *scripted) { c.keyData = func(b []byte) []byte { return make([]byte, 132) } }),
	ends("card key data of no point", "decryption failed", "").with(func(c *scripted) {
		c.keyData = func([]byte) []byte {
			for b := make([]byte, 64); ; b[31]++ {
				if _, err := oda.NewECPublicKey(b[:32]); err != nil {
					return b
				}
			}
		}
	}),
	declined("blinding factor changed on its way", "40").with(func(c *scripted) {
		c.keyData = func(b []byte) []byte { b = bytes.Clone(b); b[40] ^= 1; return b }
	}).auth(emv.ODAFailed),
	ends("EDA-MAC does not match", "EDA MAC failed", "40").with(func(c *scripted) { c.badEDA = true }),
	ends("enciphered record changed on its way", "EDA MAC failed", "40").with(func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsReadRecord && r[0] == 0xDA && len(c.commands) == 2 {
				r = bytes.Clone(r)
				r[38] ^= 1 // behind 5A and 57: the last digit of 5F24; enciphering in counter mode does not hinder that
			}
			return r
		}
	}),
	approved("kernel qualifier of five bytes").with(inFCI(tag.PDOL, "9F2B059E40")),
	approved("kernel qualifier of two bytes").with(inFCI(tag.PDOL, "9F2B029E40")),
	approved("PDOL with amount and number").with(inFCI(tag.PDOL, "9F2B089E409F02069F3704")),
	nextOne("PDOL that can't be read", "parsing error").with(inFCI(tag.PDOL, "9F2B")),

	// SELECT.
	nextOne("no card qualifier", "card data missing").with(func(c *scripted) { drop(&c.bf0c, tag.CardQualifier) }),
	nextOne("card qualifier of version 0", "card data missing").with(qualifier("0000FFFF000000")),
	nextOne("card qualifier of six bytes", "parsing error").with(qualifier("0100FFFF0000")),
	nextOne("no DF name", "card data missing").with(func(c *scripted) { c.name = nil }),
	nextOne("FCI without its template", "parsing error").in(func(in *emv.Input) { in.FCI = in.FCI[2:] }),
	nextOne("no FCI", "parsing error").in(func(in *emv.Input) { in.FCI = nil }),
	ends("no algorithm suite in common", "card data error", "").with(qualifier("0101FFFF000000")),
	approved("the suite in common is the card's second").with(qualifier("010100FF000000")),
	approved("the suite in common is the card's third").with(qualifier("01010100000000")),
	nextOne("the terminal's object in the FCI", "parsing error").with(inFCI(tag.AmountAuthorised, "000000000001")),

	// GPO and records.
	ends("GPO without AIP", "card data missing", "").with(noGPO(tag.AIP)),
	ends("GPO without AFL", "card data missing", "").with(afl("none")),
	ends("GPO without card key data", "card data missing", "").with(noGPO(tag.CardKeyData)),
	ends("GPO in format 80", "parsing error", "").with(func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsGPO {
				return ok(tlv.Append(nil, tag.ResponseFormat1, r[2:len(r)-2]))
			}
			return r
		}
	}),
	ends("CDOL1 missing", "card data missing", "").with(noCDOL),
	ends("CDOL1 in a record is too late", "card data missing", "").with(noCDOL, body(tag.CDOL1, usualCDOL)),
	approved("CDOL1 in a record once more, and in the extended list").with(body(tag.CDOL1, usualCDOL)),
	ends("another CDOL1 in a record", "parsing error", "").with(body(tag.CDOL1, "9F0206")),
	approved("the terminal's default CDOL1").with(noCDOL).terminal(func(c *Config) { c.CDOL1 = unhex(usualCDOL) }),
	ends("AFL of five bytes", "parsing error", "").with(afl("1001010118")),
	ends("AFL of file 0", "parsing error", "").with(afl("00010100")),
	ends("AFL of file 31", "parsing error", "").with(afl("F8010100")),
	ends("AFL from record 0", "parsing error", "").with(afl("10000100")),
	ends("AFL backwards", "parsing error", "").with(afl("10020100")),
	ends("AFL signs more than it names", "parsing error", "").with(afl("10010102")),
	ends("AFL of 33 records", "parsing error", "").with(afl("10012100")),
	ends("record not found", "status bytes", "").with(status9(apdu.InsReadRecord, "6A83")),
	ends("record without a template", "parsing error", "").with(func(c *scripted) { c.records[1].bare = true }),
	ends("record with two values for one object", "parsing error", "").with(plain, body(tag.AUC, "FF00"), func(c *scripted) {
		c.records[1].objects = tlv.List{{Tag: tag.AUC, Value: unhex("FF01")}}
	}),
	approved("record with one value twice").with(func(c *scripted) { c.records[1].objects = tlv.List{{Tag: tag.AUC, Value: unhex("FF00")}} }),
	ends("record with a PAN of eleven bytes", "parsing error", "").with(body(tag.PAN, "5413330089010434000000")),
	ends("record with an object of the terminal's", "parsing error", "").with(body(tag.TVR, "0000000081")),
	ends("record that is not TLV", "parsing error", "").with(func(c *scripted) {
		c.records[1].objects = nil
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsReadRecord && len(c.commands) == 3 {
				return ok(unhex("70029F1A"))
			}
			return r
		}
	}),

	// GENERATE AC.
	ends("GENERATE AC refused", "status bytes", "40").with(status9(apdu.InsGenerateAC, "6985")),
	ends("GENERATE AC without 9F27", "card data missing", "40").with(noAC(tag.CID)),
	ends("GENERATE AC without 9F36", "card data missing", "40").with(noAC(tag.ATC)),
	ends("GENERATE AC without 9F26", "card data missing", "40").with(noAC(tag.ApplicationCryptogram)),
	ends("GENERATE AC without 9F10", "card data missing", "40").with(noAC(tag.IAD)),
	ends("GENERATE AC without 9F8102", "card data missing", "40").with(noAC(tag.CVDecision)),
	ends("GENERATE AC without 9F8105", "card data missing", "40").with(noAC(tag.EDAMAC)),
	ends("no PAN anywhere", "card data missing", "40").with(without(tag.PAN)),
	ends("GENERATE AC in format 80", "parsing error", "40").with(func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsGenerateAC {
				return ok(tlv.Append(nil, tag.ResponseFormat1, r[2:len(r)-2]))
			}
			return r
		}
	}),
	ends("57 of another card number than 5A", "card data error", "40").with(body(tag.Track2, "5413330089010435D30122010000000000000F")),
	approved("no 57").with(without(tag.Track2)),
	ends("CDOL1 that can't be read", "parsing error", "").with(inGPO(tag.CDOL1, "9F02")),
	approved("IAD-MAC at the card's own offset").with(aip("010C"), inGPO(tag.IADMACOffset, "0A")),
	ends("IAD-MAC at the card's own offset, which is missing", "card data error", "40").with(aip("010C")),
	ends("IAD-MAC beyond the end of 9F10", "card data error", "40").with(aip("010C"), inGPO(tag.IADMACOffset, "19")),
	approved("IAD-MAC at the last place of 9F10").with(aip("010C"), inGPO(tag.IADMACOffset, "18")),
	approved("IAD-MAC not copied").with(aip("0108")),
	ends("default offset beyond the end of 9F10", "card data error", "40").terminal(func(c *Config) { c.IADMACOffset = 25 }),

	// Restart indicator.
	{name: "the card wants another presentation", kind: emv.EndApplication, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgSeePhone, rcp: "40", start: emv.StartB,
		card: func(c *scripted) { cid(0)(c); restart("2020")(c) }, record: true},
	{name: "another presentation, a message that the terminal does not allow", kind: emv.EndApplication, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgPresentAgain, rcp: "40",
		start: emv.StartB, card: restart("2003"), record: true},
	{name: "the card asks for its chip", kind: emv.TryAnother, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgInsertOrSwipe, rcp: "40", alternate: emv.AlternateChip,
		card: func(c *scripted) { cid(0)(c); restart("3100")(c) }},
	{name: "the card asks for its stripe", kind: emv.TryAnother, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgInsertOrSwipe, rcp: "40", alternate: emv.AlternateSwipe,
		card: func(c *scripted) { cid(0)(c); restart("3200")(c) }},
	{name: "the card asks for any other interface", kind: emv.TryAnother, cvm: emv.CVMNone, oda: emv.ODALocal, message: emv.MsgInsertCard, rcp: "40",
		card: func(c *scripted) { cid(0)(c); restart("3F1D")(c) }},
	declined("a restart indicator that asks for nothing", "40").with(cid(0), restart("0000")),
	declined("a restart indicator with a message only", "40").with(cid(0), restart("0020")).says(emv.MsgSeePhone),
	approved("another interface is no question where the card approves").with(restart("3100")),
	ends("a restart indicator of one byte", "parsing error", "40").with(restart("20")),

	// Relay resistance, in 0.1 ms steps around the thresholds: window 100 to 200, grace 20 below and 50 above.
	approved("relay: in the window").with(relay(100, 200, 24, way+150)).terminal(withRelay).sees("0000000082"),
	approved("relay: at the upper grace limit").with(relay(100, 200, 24, way+250)).terminal(withRelay).sees("0000000082"),
	declined("relay: 0.1 ms above it, three times", "00").with(relay(100, 200, 24, way+251, way+251, way+251)).terminal(withRelay).sees("0000000086"),
	approved("relay: above it twice, then honest").with(relay(100, 200, 24, way+251, way+300, way+250)).terminal(withRelay).sees("0000000082"),
	approved("relay: at the lower grace limit").with(relay(100, 200, 24, way+80)).terminal(withRelay),
	ends("relay: 0.1 ms below it", "card data error", "").with(relay(100, 200, 24, way+79)).terminal(withRelay),
	approved("relay: a card without a lower limit, at once").with(relay(10, 200, 24, way)).terminal(withRelay),
	approved("relay: at the accuracy threshold").with(relay(100, 1000, 24, way+400)).terminal(relayOnly).sees("0000000082"),
	approved("relay: 0.1 ms above the accuracy threshold").with(relay(100, 1000, 24, way+401)).terminal(relayOnly).sees("000000008A"),
	declined("relay: above the accuracy threshold, action codes of ours", "00").with(relay(100, 1000, 24, way+401)).terminal(withRelay).sees("000000008A"),
	approved("relay: estimates half of each other").with(relay(100, 200, 12, 18+12+150)).terminal(relayOnly).sees("0000000082"),
	approved("relay: estimates less than half of each other").with(relay(100, 200, 11, 18+11+150)).terminal(relayOnly).sees("000000008A"),
	approved("relay: the card's estimate is twice ours").with(relay(100, 200, 48, way+150)).terminal(relayOnly).sees("0000000082"),
	approved("relay: the card's estimate is more than twice ours").with(relay(100, 200, 49, way+150)).terminal(relayOnly).sees("000000008A"),
	approved("relay: an estimate of zero").with(relay(100, 200, 0, 18+150)).terminal(relayOnly).sees("000000008A"),
	approved("relay: time limits exceeded, action codes of zero").with(relay(100, 200, 24, 999, 999, 999)).terminal(relayOnly).sees("000000008E"),
	approved("relay: the terminal does not do it").with(relay(100, 200, 24)).sees("0000000081"),
	approved("relay: the card does not do it").terminal(withRelay).sees("0000000081"),
	approved("relay: no clock").with(relay(100, 200, 24)).terminal(func(c *Config) { withRelay(c); c.Clock = nil }).sees("0000000081"),
	ends("relay: refused", "status bytes", "").with(relay(100, 200, 24, way+150), status9(apdu.InsExchangeRRD, "6985")).terminal(withRelay),
	ends("relay: nine bytes", "parsing error", "").with(relay(100, 200, 24, way+150), status9(apdu.InsExchangeRRD, "80091111111111111111119000")).terminal(withRelay),

	// The card leaves.
	{name: "lost at GPO", kind: emv.TryAgain, cvm: emv.CVMNotGiven, start: emv.StartB, card: lostAt(0)},
	lost("lost at the first record", "").with(lostAt(1)),
	lost("lost at the last record", "").with(lostAt(3)),
	lost("lost at GENERATE AC", "40").with(lostAt(4)),
	lost("lost at relay resistance", "").with(relay(100, 200, 24, way+150), lostAt(1)).terminal(withRelay),
	lost("a response without status word", "").with(func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsReadRecord {
				return []byte{0x90}
			}
			return r
		}
	}),
}
