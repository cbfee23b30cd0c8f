package c2

import (
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
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
func lostIns(i byte) func(*scripted)           { return func(c *scripted) { c.lostIns = i } }
func inFCI(g tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { c.fci = append(c.fci, tlv.TLV{Tag: g, Value: unhex(v)}) }
}
func inBF0C(g tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { c.bf0c = append(c.bf0c, tlv.TLV{Tag: g, Value: unhex(v)}) }
}
func inGPO(g tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { c.gpo = append(c.gpo, tlv.TLV{Tag: g, Value: unhex(v)}) }
}
func inAC(g tlv.Tag, v string) func(*scripted) {
	return func(c *scripted) { c.ac = append(c.ac, tlv.TLV{Tag: g, Value: unhex(v)}) }
}

func clone(c *scripted) { c.icc = keys().other }

func noCertificates(c *scripted) { c.records = c.records[:2] }

func termType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Terminal.Type = v } }
func txType(v byte) func(*emv.Input)   { return func(in *emv.Input) { in.Transaction.Type = v } }
func cash(v byte, other int64) func(*emv.Input) {
	return func(in *emv.Input) { in.Transaction.Type, in.Transaction.AmountOther = v, other }
}

func denies(i int, bit byte) func(*Config) { return func(c *Config) { c.TACDenial[i] |= bit } }

func bookTACs(c *Config) { c.TACDenial = Defaults().TACDenial }

func withRelay(c *Config) { c.Kernel |= RelayResistance }

// relay answers: entropy, min, max, estimated transmission time in 0.1 ms; took is the whole exchange each time.
func relay(least, most, reply uint16, took ...int64) func(*scripted) {
	return func(c *scripted) {
		c.aip, c.took = relayAIP, took
		for i := range took {
			c.relay = append(c.relay, [10]byte{0xA0, 0xA1, 0xA2, byte(i), byte(least >> 8), byte(least), byte(most >> 8), byte(most), byte(reply >> 8), byte(reply)})
		}
	}
}

func magCard(c *scripted) {
	c.aip = "1900"
	c.ccc = tlv.List{{Tag: tagCVC3Track2, Value: unhex("77DF")}, {Tag: tag.ATC, Value: unhex("005E")}}
}

func magPhone(pcii string) func(*scripted) {
	return func(c *scripted) {
		magCard(c)
		c.aip = "1B00"
		c.ccc = append(c.ccc, tlv.TLV{Tag: tagPCII, Value: unhex(pcii)})
	}
}

func dropCCC(g tlv.Tag) func(*scripted) { return func(c *scripted) { drop(&c.ccc, g) } }

func magOnline(name string, cvm emv.CVM) kernelCase {
	return kernelCase{name: name, kind: emv.OnlineRequest, cvm: cvm, amount: 8880}
}

const phone9F6E = "01560000303100"

var kernelCases = []kernelCase{
	// Which cryptogram: terminal action analysis.
	approved("at the floor limit the card may approve offline").sees("0000000001"),
	online("above the floor limit the issuer decides", emv.CVMNone).sees("0000008001"),
	online("online-only terminal", emv.CVMNone).of(100).in(termType(0x21)),
	approved("offline-only terminal at the floor limit").in(termType(0x26)),
	declined("offline-only terminal above the floor limit: IAC default", emv.TryAnother, "80").asks("00").of(floorLimit + 1).in(termType(0x23)).sees("0000008001"),
	approved("offline-only terminal, no IAC default, TVR not zero").with(without(tag.IACDefault)).in(termType(0x26)).asks("00").auth(emv.ODANone).declinedBy(),
	online("no IAC online, TVR not zero", emv.CVMNone).of(100).with(without(tag.IACOnline)),
	online("TAC online names a bit that the card's codes don't", emv.CVMNone).of(100).with(body(tag.ApplicationVersion, "0003"), body(tag.IACOnline, "0000000000")).terminal(func(c *Config) { c.TACOnline[1] = 0x80 }).sees("0080000001"),
	declined("TAC denial", emv.TryAnother, "00").with(body(tag.ExpirationDate, "260314")).terminal(denies(1, 0x40)).sees("0040000001"),
	declined("IAC denial", emv.TryAnother, "00").with(body(tag.ExpirationDate, "260314"), body(tag.IACDenial, "0040000000")),
	declined("no IAC denial: TAC denial alone", emv.TryAnother, "00").with(body(tag.ExpirationDate, "260314"), without(tag.IACDenial)).terminal(denies(1, 0x40)),
	online("the card asks for the issuer where it may approve", emv.CVMNone).of(floorLimit).with(cid(0x80)).asks("50"),
	declined("the card declines a TC", emv.TryAnother, "50").of(floorLimit).with(cid(0x00)),
	declined("the card declines an ARQC", emv.TryAnother, "90").of(floorLimit + 1).with(cid(0x00)),
	ends("a TC where an ARQC was asked for", "card data error", "90").of(floorLimit + 1).with(cid(0x40)),
	ends("a TC where an AAC was asked for", "card data error", "00").with(cid(0x40), body(tag.ExpirationDate, "260314")).terminal(denies(1, 0x40)),
	ends("an ARQC where an AAC was asked for", "card data error", "00").with(cid(0x80), body(tag.ExpirationDate, "260314")).terminal(denies(1, 0x40)),
	ends("a cryptogram type that is none", "card data error", "50").with(cid(0xC0)),
	declined("an AAC on a phone is a decline", emv.Declined, "50").with(cid(0x00), body(tagThirdParty, phone9F6E)),
	declined("an AAC on a card of device type card", emv.TryAnother, "50").with(cid(0x00), body(tagThirdParty, "01560000303000")),
	declined("an AAC, third party data without device type", emv.TryAnother, "50").with(cid(0x00), body(tagThirdParty, "015680003031")),
	declined("an AAC, the reader has no contacts", emv.Declined, "50").with(cid(0x00)).terminal(func(c *Config) { c.DataInput = 0x40 }),
	{name: "an AAC for a refund is the end", kind: emv.EndApplication, cvm: emv.CVMNone, message: emv.MsgClearDisplay, rcp: "50", card: cid(0x00), input: txType(0x20), record: true},

	// Limits.
	nextOne("above the transaction limit", "max limit exceeded").of(txLimit + 1),
	online("at the transaction limit", emv.CVMOnlinePIN).of(txLimit),
	online("on-device CVM has its own limit", emv.CVMConfirmed).of(txLimit + 1).with(aip(phoneAIP)),
	online("at the limit for on-device CVM", emv.CVMConfirmed).of(odLimit).with(aip(phoneAIP)),
	nextOne("above the limit for on-device CVM", "max limit exceeded").of(odLimit + 1).with(aip(phoneAIP)),
	nextOne("on-device CVM that the kernel does not know", "max limit exceeded").of(txLimit + 1).with(aip(phoneAIP)).terminal(func(c *Config) { c.Kernel = 0 }),

	// Cardholder verification.
	online("at the CVM limit none is needed", emv.CVMNone).of(cvmLimit).sees("0000008001"),
	online("above the CVM limit: online PIN", emv.CVMOnlinePIN).of(cvmLimit + 1).sees("0000048001"),
	online("above the CVM limit: signature", emv.CVMSignature).of(cvmLimit + 1).terminal(func(c *Config) { c.CVMRequired = 0x20 }).sees("0000008001"),
	online("above the CVM limit: nothing fits", emv.CVMNone).of(cvmLimit + 1).terminal(func(c *Config) { c.CVMRequired = 0x00 }).sees("0000808001"),
	online("Entry Point's own CVM limit counts too", emv.CVMOnlinePIN).in(func(in *emv.Input) { in.Indicators.CVMRequiredLimitExceeded = true }),
	online("Entry Point's own floor limit counts too", emv.CVMNone).of(100).in(func(in *emv.Input) { in.Indicators.FloorLimitExceeded = true }),
	online("on-device CVM above the limit", emv.CVMConfirmed).of(cvmLimit + 1).with(aip(phoneAIP)).sees("0000008001"),
	online("on-device CVM at the limit", emv.CVMNone).of(cvmLimit).with(aip(phoneAIP)),
	online("card without cardholder verification", emv.CVMNone).of(cvmLimit + 1).with(aip("0980")),
	online("CVM list missing", emv.CVMNone).of(cvmLimit + 1).with(without(tag.CVMList)).sees("2000008001"),
	online("fail CVM", emv.CVMNone).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000000000")).sees("0000808001"),
	online("fail CVM with a rule behind it", emv.CVMOnlinePIN).of(cvmLimit + 1).with(body(tag.CVMList, "000000000000000040000200")).sees("0000048001"),
	online("unknown CVM, then online PIN", emv.CVMOnlinePIN).of(cvmLimit + 1).with(body(tag.CVMList, "000000000000000060000200")).sees("0000448001"),
	online("unknown CVM, last", emv.CVMNone).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000002000")).sees("0000C08001"),
	online("unknown CVM without a next", emv.CVMNone).of(cvmLimit + 1).with(body(tag.CVMList, "000000000000000020000200")).sees("0000C08001"),
	online("CVM that the terminal lacks, no next", emv.CVMNone).of(cvmLimit + 1).with(body(tag.CVMList, "000000000000000004000200")).sees("0000808001"),
	online("offline PIN that only a contact chip can do", emv.CVMNone).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000000100")).terminal(func(c *Config) { c.CVMRequired = 0x80 }).sees("0000808001"),
	online("condition that nobody knows", emv.CVMNone).of(cvmLimit + 1).with(body(tag.CVMList, "0000000000000000020A")).sees("0000808001"),
	online("condition cash, a purchase", emv.CVMOnlinePIN).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000001E040202")),
	online("condition unattended cash", emv.CVMOnlinePIN).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000001E040201")).in(func(in *emv.Input) { in.Transaction.Type, in.Terminal.Type = 0x01, 0x25 }),
	online("condition manual cash", emv.CVMSignature).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000001E040200")).in(cash(0x01, 0)),
	online("condition cashback", emv.CVMSignature).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000000001E050200")).in(cash(0x09, 0)),
	online("condition under X: at X", emv.CVMSignature).of(cvmLimit + 1).with(body(tag.CVMList, "000186A100000000"+"1E060200")),
	online("condition under X: above X", emv.CVMOnlinePIN).of(cvmLimit + 2).with(body(tag.CVMList, "000186A100000000"+"1E060200")),
	online("condition over X: at X", emv.CVMOnlinePIN).of(cvmLimit + 1).with(body(tag.CVMList, "000186A100000000"+"1E070200")),
	online("condition over X: above X", emv.CVMSignature).of(cvmLimit + 2).with(body(tag.CVMList, "000186A100000000"+"1E070200")),
	online("condition under Y: at Y", emv.CVMSignature).of(cvmLimit + 1).with(body(tag.CVMList, "00000000000186A1"+"1E080200")),
	online("condition over Y: above Y", emv.CVMSignature).of(cvmLimit + 2).with(body(tag.CVMList, "00000000000186A1"+"1E090200")),
	online("condition in another currency", emv.CVMOnlinePIN).of(cvmLimit+1).with(body(tag.ApplicationCurrency, "0978"), body(tag.CVMList, "000186A100000000"+"1E060200")),
	approved("offline with a signature").with(body(tag.CVMList, "00000000000000001E00")).signs(),

	// Processing restrictions: bits of the TVR.
	approved("another application version").with(body(tag.ApplicationVersion, "0003"), body(tag.IACOnline, "0000000000")).terminal(func(c *Config) { c.TACOnline = [5]byte{} }).sees("0080000001"),
	approved("no application version").with(without(tag.ApplicationVersion)).sees("0000000001"),
	approved("expires today").with(body(tag.ExpirationDate, "260315")).sees("0000000001"),
	online("expired yesterday", emv.CVMNone).of(100).with(body(tag.ExpirationDate, "260314")).sees("0040000001"),
	online("expired in the last century", emv.CVMNone).of(100).with(body(tag.ExpirationDate, "991231")).sees("0040000001"),
	approved("valid from today").with(body(tag.EffectiveDate, "260315")).sees("0000000001"),
	online("valid from tomorrow", emv.CVMNone).of(100).with(body(tag.EffectiveDate, "260316")).sees("0020000001"),
	approved("valid from the last century").with(body(tag.EffectiveDate, "990101")).sees("0000000001"),
	online("abroad, domestic goods only", emv.CVMNone).of(100).with(body(tag.AUC, "2900"), body(tag.IssuerCountry, "0840")).sees("0010000001"),
	approved("at home, domestic goods only").with(body(tag.AUC, "2900")).sees("0000000001"),
	online("not at terminals other than ATMs", emv.CVMNone).of(100).with(body(tag.AUC, "FE00")).sees("0010000001"),
	online("ATM only, at an ATM", emv.CVMNone).of(100).with(body(tag.AUC, "8200")).in(func(in *emv.Input) {
		in.Terminal.Type, in.Terminal.AdditionalTerminal[0], in.Transaction.Type = 0x14, 0xE0, 0x01
	}).sees("0000000001"),
	online("cash abroad that the card does not allow", emv.CVMNone).of(100).with(body(tag.AUC, "8100"), body(tag.IssuerCountry, "0840")).in(cash(0x01, 0)).sees("0010000001"),
	online("disbursement at home that the card does not allow", emv.CVMNone).of(100).with(body(tag.AUC, "7D00")).in(cash(0x17, 0)).sees("0010000001"),
	online("cashback that the card does not allow", emv.CVMNone).of(100).with(body(tag.AUC, "FF40")).in(cash(0x09, 50)).sees("0010000001"),
	approved("cashback that the card allows").with(body(tag.AUC, "FF80")).in(cash(0x09, 50)).sees("0000000001"),
	approved("no usage control").with(without(tag.AUC)).sees("0000000001"),
	approved("no issuer country").with(body(tag.AUC, "0100"), without(tag.IssuerCountry)).sees("0000000001"),
	online("on the exception file", emv.CVMNone).of(100).with(body(tag.IACOnline, "1000000000")).terminal(func(c *Config) {
		c.ExceptionFile = func(pan pay.PAN, psn string) bool { return pan.Reveal() == testPAN && psn == "01" }
	}).sees("1000000001"),

	// Offline data authentication.
	online("no CDA on the card", emv.CVMNone).of(100).with(aip("1880")).auth(emv.ODANone).asks("80").sees("8000000001"),
	declined("no CDA on the card, book's action codes", emv.TryAnother, "00").with(aip("1880")).terminal(bookTACs).sees("8000000001"),
	online("no CDA in the terminal", emv.CVMNone).of(100).terminal(func(c *Config) { c.Security = 0 }).auth(emv.ODANone).asks("80").sees("8000000001"),
	online("certificates missing", emv.CVMNone).of(100).with(noCertificates).auth(emv.ODAFailed).asks("80").sees("2400000001"),
	declined("certificates missing, book's action codes", emv.TryAnother, "00").with(noCertificates).terminal(bookTACs).auth(emv.ODAFailed),
	declined("certificates missing on a phone: its word about the holder is nothing worth", emv.TryAnother, "00").with(noCertificates, aip(phoneAIP)).auth(emv.ODAFailed),
	online("unknown CA key", emv.CVMNone).of(100).terminal(func(c *Config) { c.CAKeys = oda.NewCAStore() }).auth(emv.ODAFailed).asks("80").sees("0400000001"),
	online("no CA keys at all", emv.CVMNone).of(100).terminal(func(c *Config) { c.CAKeys = nil }).auth(emv.ODAFailed).asks("80"),
	ends("no SDA tag list", "card data error", "").with(without(tag.SDATagList)).auth(emv.ODAFailed),
	ends("SDA tag list of another object", "card data error", "").with(body(tag.SDATagList, "95")),
	ends("clone: the wrong chip key", "CAM failed", "50").with(clone).auth(emv.ODAFailed),
	ends("clone, going online", "CAM failed", "90").of(cvmLimit + 1).with(clone).auth(emv.ODAFailed),
	ends("clone of a phone", "CAM failed", "90").of(cvmLimit+1).with(clone, aip(phoneAIP)).auth(emv.ODAFailed),
	ends("revoked issuer certificate", "CAM failed", "50").with(func(c *scripted) { c.serial = [3]byte{0, 0, 66} }).terminal(func(c *Config) {
		if err := c.CAKeys.Revoke(testRID, testIndex, [3]byte{0, 0, 66}); err != nil {
			panic(err)
		}
	}).auth(emv.ODAFailed),
	ends("expired card certificate", "CAM failed", "50").with(func(c *scripted) { c.expires = 2025 }).auth(emv.ODAFailed),
	ends("certificate of another card number", "CAM failed", "50").with(func(c *scripted) { c.iccPAN = "5413330089010442" }).auth(emv.ODAFailed),
	ends("signature over another unpredictable number", "CAM failed", "50").with(func(c *scripted) { c.signUN = testUN }).auth(emv.ODAFailed),
	ends("cryptogram of another signature beside it", "CAM failed", "50").with(inAC(tag.ApplicationCryptogram, "0000000000000000")).auth(emv.ODAFailed),
	ends("the signature is missing", "card data error", "50").with(func(c *scripted) { c.sign = false }),
	ends("the signature is missing, going online", "card data error", "90").of(cvmLimit + 1).with(func(c *scripted) { c.sign = false }),
	declined("an AAC need not be signed", emv.TryAnother, "90").of(cvmLimit+1).with(cid(0), func(c *scripted) { c.sign = false }).holder(emv.CVMOnlinePIN),
	declined("signed AAC where the card offers it", emv.TryAnother, "10").with(inBF0C(tagCapabilities, "000100"), body(tag.ExpirationDate, "260314")).terminal(denies(1, 0x40)).auth(emv.ODACDA),
	ends("unsigned AAC where the card offers to sign", "card data error", "10").with(inBF0C(tagCapabilities, "000100"), body(tag.ExpirationDate, "260314"), func(c *scripted) { c.sign = false }).terminal(denies(1, 0x40)),
	ends("CDOL1 without the unpredictable number", "CAM failed", "50").with(body(tag.CDOL1, "9F02069F03069F1A0295055F2A029A039C01"), func(c *scripted) { c.signUN = testUN }).auth(emv.ODAFailed),
	online("signed records beyond 2048 bytes", emv.CVMNone).of(100).with(func(c *scripted) {
		for n := byte(3); n < 13; n++ {
			c.records = append(c.records, record{sfi: 5, n: n, signed: true, objects: tlv.List{{Tag: 0xDF10 + tlv.Tag(n), Value: make([]byte, 200)}}})
		}
	}).auth(emv.ODAFailed).asks("80").sees("0400000001"),
	ends("no signature asked for, card signs nevertheless", "CAM failed", "80").of(floorLimit+1).with(aip("1880"), func(c *scripted) { c.always, c.cid = true, 0x80 }).auth(emv.ODAFailed),

	// Card data.
	nextOne("the FCI is no TLV", "parsing error").in(func(in *emv.Input) { in.FCI = unhex("6F05A5") }),
	nextOne("the FCI has no name", "card data missing").in(func(in *emv.Input) { in.FCI = unhex("6F07A5055F2D027A68") }),
	nextOne("PDOL can't be read", "parsing error").with(inFCI(tag.PDOL, "9F0280")),
	nextOne("GPO 6985", "status bytes").with(status9(apdu.InsGPO, "6985")),
	nextOne("GPO 6A81", "status bytes").with(status9(apdu.InsGPO, "6A81")),
	ends("no AIP", "card data missing", "").with(aip("")),
	ends("no AFL", "card data missing", "").with(afl("none")),
	ends("GPO in a template that is none", "parsing error", "").with(func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsGPO {
				r[0] = 0x70
			}
			return r
		}
	}),
	ends("AFL of 5 bytes", "card data error", "").with(afl("1001010108")),
	ends("AFL names file 0", "card data error", "").with(afl("00010100")),
	ends("AFL names record 0", "card data error", "").with(afl("10000100")),
	ends("AFL backwards", "card data error", "").with(afl("10020100")),
	ends("AFL signs too many", "card data error", "").with(afl("10010102")),
	ends("AFL names 33 records", "card data error", "").with(afl("10012100")),
	ends("AFL with the mag-stripe record only", "card data error", "").with(afl("08010100")),
	approved("format 1 of GPO").with(func(c *scripted) { c.format1 = true }),
	ends("READ RECORD refused", "status bytes", "").with(status9(apdu.InsReadRecord, "6A83")),
	ends("record without template 70", "parsing error", "").with(func(c *scripted) { c.records[1].bare = true }),
	ends("an object twice", "parsing error", "").with(func(c *scripted) { set(&c.records[2].objects, tag.PAN, testPAN) }),
	ends("an object of a wrong length", "parsing error", "").with(body(tag.ExpirationDate, "3012")),
	ends("CVM list of odd length", "card data error", "").with(body(tag.CVMList, "000000000000000042031E")),
	ends("no card number", "card data missing", "").with(without(tag.PAN)),
	ends("no expiry", "card data missing", "").with(without(tag.ExpirationDate)),
	ends("no CDOL1", "card data missing", "").with(without(tag.CDOL1)),
	ends("CDOL1 can't be read", "parsing error", "").with(body(tag.CDOL1, "9F0280"), func(c *scripted) {}),
	ends("5A is no number", "card data error", "").with(body(tag.PAN, "54133300890104AF")),
	ends("57 of another number", "card data error", "").with(body(tag.Track2, "5413330089010442D30122010000000000000F")),
	ends("GENERATE AC refused", "status bytes", "50").with(status9(apdu.InsGenerateAC, "6985")),
	ends("no cryptogram information", "card data missing", "50").with(func(c *scripted) { c.dropAC = []tlv.Tag{tag.CID} }),
	ends("no transaction counter", "card data missing", "50").with(func(c *scripted) { c.dropAC = []tlv.Tag{tag.ATC} }),
	ends("no cryptogram", "card data missing", "80").of(floorLimit+1).with(aip("1880"), func(c *scripted) { c.dropAC = []tlv.Tag{tag.ApplicationCryptogram} }),
	ends("GENERATE AC repeats an object of the records", "parsing error", "50").with(inAC(tag.PSN, "01")),
	online("format 1 of GENERATE AC", emv.CVMNone).of(floorLimit+1).with(aip("1880"), func(c *scripted) { c.format1 = true }).auth(emv.ODANone).asks("80"),

	// Lost.
	{name: "lost at GPO", kind: emv.TryAgain, cvm: emv.CVMNotGiven, card: lostAt(0), start: emv.StartB},
	lost("lost at the first record", "").with(lostAt(1)),
	lost("lost at the last record", "").with(lostAt(3)),
	lost("lost at GENERATE AC", "50").with(lostIns(apdu.InsGenerateAC)),
	lost("lost at EXCHANGE RELAY RESISTANCE DATA", "").with(relay(100, 200, 24, 150), lostIns(apdu.InsExchangeRRD)).terminal(withRelay),

	// Relay resistance: 1.8 ms for the command and 2.4 ms for the answer come off.
	approved("relay: in time").with(relay(100, 200, 24, 150+42)).terminal(withRelay).sees("0000000002"),
	approved("relay: at max and grace").with(relay(100, 200, 24, 250+42)).terminal(withRelay).sees("0000000002"),
	online("relay: three times 0.1 ms above max and grace", emv.CVMNone).of(100).with(relay(100, 200, 24, 251+42, 251+42, 251+42), body(tag.IACOnline, "FC70808804")).terminal(withRelay).sees("0000000006"),
	declined("relay: three times above, book's action codes", emv.TryAnother, "00").with(relay(100, 200, 24, 251+42, 251+42, 251+42)).terminal(func(c *Config) { withRelay(c); bookTACs(c) }).sees("0000000006"),
	approved("relay: the second try is in time").with(relay(100, 200, 24, 251+42, 250+42)).terminal(withRelay).sees("0000000002"),
	approved("relay: the third try is in time").with(relay(100, 200, 24, 999, 999, 150+42)).terminal(withRelay).sees("0000000002"),
	approved("relay: at min and grace").with(relay(100, 200, 24, 80+42)).terminal(withRelay).sees("0000000002"),
	ends("relay: 0.1 ms below min and grace", "card data error", "").with(relay(100, 200, 24, 79+42)).terminal(withRelay),
	approved("relay: min smaller than its grace").with(relay(10, 200, 24, 0)).terminal(withRelay).sees("0000000002"),
	approved("relay: at the accuracy threshold").with(relay(100, 600, 24, 400+42)).terminal(withRelay).sees("0000000002"),
	approved("relay: 0.1 ms above the accuracy threshold").with(relay(100, 600, 24, 401+42)).terminal(func(c *Config) { withRelay(c); c.TACOnline = [5]byte{} }).with2(body(tag.IACOnline, "0000000000")).sees("000000000A"),
	approved("relay: the card's estimate at half of ours").with(relay(100, 200, 12, 150+30)).terminal(withRelay).sees("0000000002"),
	online("relay: the card's estimate below half of ours", emv.CVMNone).of(100).with(relay(100, 200, 11, 150+29)).terminal(withRelay).sees("000000000A"),
	approved("relay: the card's estimate at double ours").with(relay(100, 200, 48, 150+42)).terminal(withRelay).sees("0000000002"),
	online("relay: the card's estimate above double ours", emv.CVMNone).of(100).with(relay(100, 200, 49, 150+42)).terminal(withRelay).sees("000000000A"),
	online("relay: an estimate of nothing", emv.CVMNone).of(100).with(relay(100, 200, 0, 150+18)).terminal(withRelay).sees("000000000A"),
	ends("relay: another exchange in the signature", "CAM failed", "50").with(relay(100, 200, 24, 192), func(c *scripted) { c.noRelay = true }).terminal(withRelay).auth(emv.ODAFailed),
	ends("relay: refused", "status bytes", "").with(relay(100, 200, 24, 192), status9(apdu.InsExchangeRRD, "6985")).terminal(withRelay),
	ends("relay: answer of 9 bytes", "parsing error", "").with(relay(100, 200, 24, 192), func(c *scripted) {
		c.raw = func(ins byte, r []byte) []byte {
			if ins == apdu.InsExchangeRRD {
				return append([]byte{0x80, 9}, r[3:]...)
			}
			return r
		}
	}).terminal(withRelay),
	approved("relay: the reader does not do it").with(aip(relayAIP)).sees("0000000001"),
	approved("relay: no clock").with(aip(relayAIP)).terminal(func(c *Config) { withRelay(c); c.Clock = nil }).sees("0000000001"),

	// A phone that wants its holder.
	{name: "PCII asks for another presentation", kind: emv.EndApplication, cvm: emv.CVMNotGiven, card: func(c *scripted) { inAC(tagPCII, "000100")(c); c.cid = 0 }, rcp: "50", start: emv.StartB},
	{name: "PCII of a signed cryptogram", kind: emv.EndApplication, cvm: emv.CVMNotGiven, oda: emv.ODACDA, card: inAC(tagPCII, "000008"), rcp: "50", start: emv.StartB},
	approved("PCII that asks for nothing").with(inAC(tagPCII, "001000")),

	// Mag-stripe mode.
	magOnline("mag-stripe", emv.CVMNone).with(magCard),
	magOnline("mag-stripe at the CVM limit", emv.CVMNone).with(magCard).of(cvmLimit),
	magOnline("mag-stripe above the CVM limit", emv.CVMSignature).with(magCard).of(cvmLimit + 1),
	magOnline("mag-stripe because the kernel has no EMV mode", emv.CVMNone).with(magCard, aip(usualAIP)).terminal(func(c *Config) { c.Kernel |= NoEMV }),
	ends("mag-stripe card at a reader without", "mag-stripe not supported", "").with(magCard).terminal(func(c *Config) { c.Kernel |= NoMagStripe }),
	ends("neither mode", "mag-stripe not supported", "").terminal(func(c *Config) { c.Kernel |= NoMagStripe | NoEMV }),
	nextOne("mag-stripe above the transaction limit", "max limit exceeded").with(magCard).of(txLimit + 1),
	magOnline("mag-stripe phone, verified", emv.CVMConfirmed).with(magPhone("001000")).of(cvmLimit + 1),
	magOnline("mag-stripe phone, not needed", emv.CVMNone).with(magPhone("000000")).of(cvmLimit),
	ends("mag-stripe phone, not verified above the limit", "card data error", "").with(magPhone("000000")).of(cvmLimit + 1),
	{name: "mag-stripe phone wants its holder", kind: emv.EndApplication, cvm: emv.CVMNotGiven, card: func(c *scripted) { magPhone("000100")(c); drop(&c.ccc, tagCVC3Track2) }, start: emv.StartB},
	{name: "mag-stripe phone declines", kind: emv.Declined, cvm: emv.CVMNotGiven, message: emv.MsgNotAuthorised, card: func(c *scripted) { magPhone("000000")(c); drop(&c.ccc, tagCVC3Track2) }},
	ends("mag-stripe, no PCII from a phone", "card data missing", "").with(magPhone("000000"), dropCCC(tagPCII)),
	ends("mag-stripe, no counter", "card data missing", "").with(magCard, dropCCC(tag.ATC)),
	ends("mag-stripe, no checksum", "card data missing", "").with(magCard, dropCCC(tagCVC3Track2)),
	ends("mag-stripe, checksum refused", "status bytes", "").with(magCard, status9(apdu.InsChecksum, "6985")),
	ends("mag-stripe, no track 2", "card data missing", "").with(magCard, func(c *scripted) { drop(c.mag(), tagTrack2Data) }),
	ends("mag-stripe, no bitmap", "card data missing", "").with(magCard, func(c *scripted) { drop(c.mag(), tagPCVC3Track2) }),
	ends("mag-stripe, more counter than room", "card data error", "").with(magCard, func(c *scripted) { set(c.mag(), tagNATCTrack2, "05") }),
	ends("mag-stripe, nine digits of unpredictable number", "card data error", "").with(magCard, func(c *scripted) { set(c.mag(), tagPUNATCTrack2, "03FF") }),
	ends("mag-stripe, bitmap beyond the track", "card data error", "").with(magCard, func(c *scripted) { set(c.mag(), tagPUNATCTrack2, "E010") }),
	ends("mag-stripe, track 2 without separator", "card data error", "").with(magCard, func(c *scripted) { set(c.mag(), tagTrack2Data, "54133300890104343012") }),
	ends("mag-stripe, track 1 asks for another number", "card data error", "").with(magCard, func(c *scripted) {
		set(c.mag(), tag.Track1, hexText("B5413330089010434^DEMO/CARD^3012201000000000000000"))
		set(c.mag(), tagPCVC3Track1, "00000000000E")
		set(c.mag(), tagPUNATCTrack1, "000000000070")
		set(c.mag(), tagNATCTrack1, "01")
	}),
	lost("mag-stripe, lost at the checksum", "").with(magCard, lostIns(apdu.InsChecksum)),

	// Balance.
	approved("balance before and after").with(inBF0C(tagCapabilities, "000200"), func(c *scripted) { c.data[tagBalance] = "000000001234" }).terminal(balances),
	approved("balance that the card does not have").with(inBF0C(tagCapabilities, "000200")).terminal(balances),
	approved("balance that nobody asks for").with(inBF0C(tagCapabilities, "000200")),
	lost("lost at the balance", "").with(inBF0C(tagCapabilities, "000200"), lostIns(apdu.InsGetData)).terminal(balances),

	// Writing.
	approved("tags to write before and after").terminal(writes),
	approved("writing refused changes no outcome").with(func(c *scripted) { c.putSW = 0x6985 }).terminal(writes),
	lost("lost while writing before the cryptogram", "").with(lostIns(apdu.InsPutData)).terminal(writes),
}

func balances(c *Config) {
	c.Data = tlv.Append(tlv.Append(nil, tagBalanceBefore, nil), tagBalanceAfter, nil)
}

func writes(c *Config) {
	b := tlv.Append(nil, tagWriteBefore, tlv.Append(tlv.Append(nil, 0x9F75, []byte("one")), 0x9F76, []byte("two")))
	c.Data = tlv.Append(b, tagWriteAfter, tlv.Append(nil, 0x9F77, []byte("three")))
}

func hexText(s string) string {
	const digits = "0123456789ABCDEF"
	var b []byte
	for i := range len(s) {
		b = append(b, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(b)
}

// declinedBy: the card is asked for an AAC and the reader points at its contacts.
func (k kernelCase) declinedBy() kernelCase {
	k.kind, k.message = emv.TryAnother, emv.MsgInsertCard
	return k
}

func (k kernelCase) signs() kernelCase {
	k.cvm, k.message = emv.CVMSignature, emv.MsgApprovedSign
	old := k.config
	k.config = func(c *Config) {
		if old != nil {
			old(c)
		}
		c.CVMNone = 0x20
	}
	return k
}

func (k kernelCase) holder(c emv.CVM) kernelCase { k.cvm = c; return k }

func (k kernelCase) with2(f func(*scripted)) kernelCase {
	old := k.card
	k.card = func(c *scripted) { old(c); f(c) }
	return k
}
