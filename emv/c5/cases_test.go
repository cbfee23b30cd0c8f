package c5

import (
	"huika/emv"
	"huika/emv/book3"
	"huika/emv/book3/book3test"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

func both(fs ...func(*book3test.Card)) func(*book3test.Card) {
	return func(c *book3test.Card) {
		for _, f := range fs {
			f(c)
		}
	}
}

func configs(fs ...func(*Config)) func(*Config) {
	return func(c *Config) {
		for _, f := range fs {
			f(c)
		}
	}
}

func answer(g tlv.Tag, v string) func(*book3test.Card) {
	return func(c *book3test.Card) { book3test.Set(&c.Answer, g, v) }
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

func cvm(v string) func(*book3test.Card)            { return answer(tag.CVMStatus, v) }
func aip(v string) func(*book3test.Card)            { return gpo(tag.AIP, v) }
func afl(v string) func(*book3test.Card)            { return func(c *book3test.Card) { c.AFL = unhex(v) } }
func status(n int, sw string) func(*book3test.Card) { return func(c *book3test.Card) { c.SW[n] = sw } }
func lost(n int) func(*book3test.Card)              { return func(c *book3test.Card) { c.LostAt = n } }
func clone(c *book3test.Card)                       { c.Key = book3test.Keys().Other }
func asTC(c *book3test.Card)                        { answer(tag.CID, "40")(c); cvm("00")(c) }
func asAAC(c *book3test.Card) {
	answer(tag.CID, "00")(c)
	c.CDA = false
	answer(tag.ApplicationCryptogram, "5D016C91005E7CC2")(c)
}

// legacy is a card that does not ask for 9F52 and answers in format 1.
func legacy(c *book3test.Card) {
	c.PDOL, c.Format1, c.CDA = "9F0206", true, false
	answer(tag.ApplicationCryptogram, "5D016C91005E7CC2")(c)
}

func list(v string) func(*book3test.Card) { return rec1(tag.CVMList, "0000000000000000"+v) }

// unsigned is a card that can't sign.
func unsigned(c *book3test.Card) {
	aip("0080")(c)
	c.CDA = false
}

func offline(c *Config)  { c.FloorLimit = limit(10_000) }
func noODA(c *Config)    { c.Options &^= ODASupported }
func noLegacy(c *Config) { c.Options &^= LegacyMode }
func noEMV(c *Config)    { c.Options &^= EMVMode }
func profile(b byte) func(*Config) {
	return func(c *Config) { c.Profile[0] = b }
}
func txType(v byte) func(*emv.Input)   { return func(in *emv.Input) { in.Transaction.Type = v } }
func termType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Terminal.Type = v } }
func listed(pan string) func(*Config) {
	return func(c *Config) {
		c.ExceptionFile = func(p pay.PAN, psn string) bool { return p.Reveal() == pan && psn == "01" }
	}
}
func random(target, maximum byte) func(*Config) {
	return func(c *Config) {
		c.Options |= RandomSelection
		c.Random = book3.Random{Threshold: 5_000, Target: target, MaximumPercent: maximum}
	}
}

// ours is a decline before a signature was looked at.
func ours(k kernelCase) kernelCase { return k.expect(emv.ODANone) }

var kernelCases = []kernelCase{
	// 5.8.3: the card's choice, below, at and above the CVM limit.
	online("online PIN, at the limit", emv.CVMOnlinePIN).of(at).ending("0000008000"), online("online PIN, below the limit", emv.CVMOnlinePIN).of(justBelow),
	online("no CVM, below the limit", emv.CVMNone).on(cvm("00")).of(justBelow), refused("no CVM, at the limit", "wants none").on(cvm("00")).of(at),
	refused("no CVM, above the limit", "wants none").on(cvm("00")).of(above),
	online("signature, at the limit", emv.CVMSignature).on(cvm("10")).of(at), online("signature, below the limit", emv.CVMSignature).on(cvm("10")).of(justBelow),
	online("on the device, at the limit", emv.CVMConfirmed).on(cvm("30")).of(at), online("on the device, another form, far above", emv.CVMConfirmed).on(cvm("31")).of(most - 1),
	online("on the device, below the limit", emv.CVMConfirmed).on(cvm("30")),
	refused("online PIN, reader has none", "can't do").with(nil, nil, profile(0x50)), refused("signature, reader takes none", "can't do").with(cvm("10"), nil, profile(0x30)),
	refused("on the device, reader does not know it", "can't do").with(cvm("30"), nil, profile(0x60)),
	online("no preference, below the limit", emv.CVMNone).on(cvm("F0")), online("no preference, at the limit: online PIN", emv.CVMOnlinePIN).on(cvm("F0")).of(at),
	online("no preference, no PIN: signature", emv.CVMSignature).with(cvm("F0"), nil, profile(0x50)).of(at),
	refused("no preference, reader has nothing", "can do none").with(cvm("F0"), nil, profile(0x00)).of(at),
	online("unknown status counts as no preference", emv.CVMOnlinePIN).on(cvm("41")).of(at),
	refused("CVM limit of pre-processing", "wants none").with(cvm("00"), func(in *emv.Input) { in.Indicators.CVMRequiredLimitExceeded = true }, nil),

	// 5.5: limits, at, below and above.
	online("below the transaction limit", emv.CVMOnlinePIN).of(most - 1), next("at the transaction limit", "above the reader's limit", 5).of(most),
	next("above the transaction limit", "above the reader's limit", 5).of(most + 1),
	online("no limits at all: ODA decides", emv.CVMOnlinePIN).on(unsigned).at(func(c *Config) { c.TransactionLimit, c.FloorLimit, c.CVMLimit = nil, nil, nil }).of(most).
		expect(emv.ODANone).asking(0x80).ending("8000000000"),
	approved("TC below the floor limit", emv.CVMNone).of(9_999).ending("0000000000"),
	refused("TC at the floor limit", "more than it was asked for").on(asTC).at(offline).of(10_000).expect(emv.ODANone).ending("0000008000"),
	online("ARQC at the floor limit", emv.CVMOnlinePIN).at(offline).of(10_000).ending("0000008000"), online("ARQC above the floor limit", emv.CVMOnlinePIN).at(offline).of(10_001),
	online("ARQC where a TC was asked for", emv.CVMOnlinePIN).at(offline).asking(0x50).ending("0000000000"),
	online("floor limit of pre-processing", emv.CVMOnlinePIN).with(nil, func(in *emv.Input) { in.Indicators.FloorLimitExceeded = true }, offline).ending("0000008000"),
	online("status check", emv.CVMOnlinePIN).at(configs(offline, func(c *Config) { c.Options |= StatusCheck })).of(100).ending("0000008000"),
	approved("one fen more than the status check", emv.CVMNone).at(configs(offline, func(c *Config) { c.Options |= StatusCheck })).of(101),
	online("online-only terminal", emv.CVMOnlinePIN).with(nil, termType(0x21), offline).ending("0000008000"),
	online("random selection, all", emv.CVMOnlinePIN).at(configs(offline, random(99, 99))).of(4_999).ending("0000001000"),
	approved("random selection, none", emv.CVMNone).at(configs(offline, random(0, 0))).of(4_999),
	online("biased selection, near the floor limit", emv.CVMOnlinePIN).at(configs(offline, random(0, 99))).of(9_999).ending("0000001000"),
	approved("biased selection, at the threshold", emv.CVMNone).at(configs(offline, random(0, 99))).of(5_000),
	online("random selection is not drawn at the floor limit", emv.CVMOnlinePIN).at(configs(offline, random(99, 99))).of(10_000).ending("0000008000"),
	online("on the exception file", emv.CVMOnlinePIN).at(configs(offline, listed(testPAN))).ending("1000000000"),
	approved("another card is on the exception file", emv.CVMNone).at(configs(offline, listed("3566002020360513"))),
	approved("exception file that is not looked at", emv.CVMNone).at(configs(offline, listed(testPAN), func(c *Config) { c.Options &^= ExceptionCheck })),

	// 5.6: restrictions, each a day or a bit apart.
	approved("expires today", emv.CVMNone).on(asTC, rec1(tag.ExpirationDate, "260315")), online("expired yesterday", emv.CVMOnlinePIN).on(rec1(tag.ExpirationDate, "260314")).at(offline).ending("0040000000"),
	approved("valid from today", emv.CVMNone).on(asTC, rec1(tag.EffectiveDate, "260315")), online("valid from tomorrow", emv.CVMOnlinePIN).on(rec1(tag.EffectiveDate, "260316")).at(offline).ending("0020000000"),
	denied("not at other terminals than ATMs", "denies").on(rec1(tag.AUC, "FEC0")).ending("0010008000"), denied("no goods at home", "denies").on(rec1(tag.AUC, "D7C0")),
	online("services at home", emv.CVMOnlinePIN).on(rec1(tag.AUC, "0900")), denied("no goods abroad", "denies").on(rec1(tag.AUC, "EBC0"), rec1(tag.IssuerCountry, "0392")),
	online("9F57 goes before 5F28", emv.CVMOnlinePIN).on(rec1(tag.AUC, "1100"), rec1(tag.JCBCountry, "0392")),
	denied("no cash at home", "denies").with(rec1(tag.AUC, "7FC0"), txType(book3.Cash), nil), denied("no cashback at home", "denies").with(rec1(tag.AUC, "FF40"), txType(book3.Cashback), nil),
	online("no usage control", emv.CVMOnlinePIN).on(without(tag.AUC)),

	// 5.7: terminal action analysis.
	denied("refund", "refund").with(nil, txType(book3.Refund), nil),
	online("the card's codes send it online", emv.CVMOnlinePIN).with(both(unsigned, rec1(tag.IACOnline, "8000000000")), nil, configs(offline, noTAC)).expect(emv.ODANone).asking(0x80),
	approved("codes that name nothing", emv.CVMNone).on(asTC, unsigned, rec1(tag.IACOnline, "0000000000"), answer(tag.ApplicationCryptogram, "5D016C91005E7CC2")).at(configs(offline, noTAC)).
		expect(emv.ODANone).asking(0x40).ending("8000000000"),
	online("no online code: anything goes online", emv.CVMOnlinePIN).with(both(unsigned, without(tag.IACOnline)), nil, configs(offline, noTAC)).expect(emv.ODANone).asking(0x80),
	denied("the card's denial code", "denies").with(both(unsigned, rec1(tag.IACDenial, "8000000000")), nil, offline),
	approved("no denial code: nothing is denied", emv.CVMNone).on(asTC, without(tag.IACDenial)),
	approved("offline-only terminal", emv.CVMNone).with(asTC, termType(0x23), offline),
	ours(refused("offline-only terminal, floor limit", "the card declined").with(asAAC, termType(0x23), nil).asking(0x10)),
	ours(refused("offline-only terminal, no default code", "the card declined").with(both(asAAC, aip("0080"), without(tag.IACDefault)), termType(0x23), configs(offline, noTAC)).asking(0x00)),
	ours(refused("AAC was asked for and the card gives more", "more than it was asked for").with(nil, termType(0x23), nil).asking(0x10)),

	// 5.2, 5.3: the FCI and GET PROCESSING OPTIONS.
	next("FCI without 84", "84", 0).on(func(c *book3test.Card) { c.Nameless = true }), next("PDOL can't be read", "PDOL", 0).on(func(c *book3test.Card) { c.PDOL = "9F52" }),
	next("legacy card, reader has no legacy mode", "legacy", 0).on(legacy).at(noLegacy), next("GPO 6985", "refused", 1).on(status(0, "6985")), next("GPO 6984", "refused", 1).on(status(0, "6984")),
	next("GPO 6200 without recovery", "refused", 1).on(status(0, "6200")),
	again("lost at GPO", "lost", emv.MsgPresentAgain, 1).on(lost(0)), again("answer of one byte", "lost", emv.MsgPresentAgain, 1).on(status(0, "90")),
	next("GPO in format 80", "no template 77", 1).on(func(c *book3test.Card) { c.Format1 = true }), next("no 82", "82", 1).on(without(tag.AIP)), next("82 of 3 bytes", "82", 1).on(aip("018000")),
	next("mag-stripe card", "mag-stripe mode", 1).on(aip("0100")), next("EMV card, reader has no EMV mode", "EMV mode", 1).at(noEMV), next("no 94", "94", 1).on(func(c *book3test.Card) { c.AFL = nil }),
	next("AFL of 3 bytes", "entries of 4", 1).on(afl("080102")), next("AFL with SFI 31", "can't be", 1).on(afl("F8010101")), next("object twice", "twice", 1).on(func(c *book3test.Card) { c.GPO = append(c.GPO, c.GPO[0]) }),

	// 5.4: records.
	next("record not found", "refused READ RECORD", 2).on(status(1, "6A83")), again("lost at a record", "lost", emv.MsgPresentAgain, 4).on(lost(3)),
	next("record without template", "no template 70", 2).on(func(c *book3test.Card) { c.Records[0].Bare = true }), next("no 8C", "8C", 5).on(func(c *book3test.Card) { c.Drop(tag.CDOL1) }),
	next("8C can't be read", "8C", 5).on(rec1(tag.CDOL1, "9F02")), next("no 57", "57", 5).on(without(tag.Track2)), next("57 malformed", "57", 5).on(rec1(tag.Track2, "3566002020360505C3012201")),
	next("5A of another card", "different card numbers", 5).on(rec1(tag.PAN, "3566002020360513")), online("no 5A", emv.CVMOnlinePIN).on(without(tag.PAN)),
	next("no 5F24", "5F24", 5).on(without(tag.ExpirationDate)), next("5F24 with month 13", "5F24", 5).on(rec1(tag.ExpirationDate, "301301")), next("5F25 with day 32", "5F25", 5).on(rec1(tag.EffectiveDate, "200132")),
	next("9F07 of 1 byte", "9F07", 5).on(rec1(tag.AUC, "FF")), next("9F0E of 4 bytes", "9F0E", 5).on(rec1(tag.IACDenial, "00000000")),

	// 5.4.1.3, 5.4.1.4, 5.8.2: authentication.
	denied("unknown CA key", "denies").at(func(c *Config) { c.CAKeys = nil }).ending("0400008000"), denied("no 8F", "denies").on(later(tag.CAIndex)).ending("2400008000"),
	denied("no 9F46", "denies").on(later(tag.ICCCertificate)).ending("2400008000"),
	refused("clone", "could not be authenticated").on(clone).expect(emv.ODAFailed).ending("0400008000"), refused("TC of a clone", "could not be authenticated").on(asTC, clone).at(offline).expect(emv.ODAFailed).asking(0x50),
	refused("certificate of another card", "could not be authenticated").on(func(c *book3test.Card) { c.Number = "3566002020360513" }).expect(emv.ODAFailed),
	refused("certificate ended last month", "could not be authenticated").on(func(c *book3test.Card) { c.Expires = [2]int{2, 2026} }).expect(emv.ODAFailed),
	refused("signature over another number", "could not be authenticated").on(func(c *book3test.Card) { c.SignUN = unhex("00000000") }).expect(emv.ODAFailed),
	refused("9F26 beside the signature is another", "could not be authenticated").on(answer(tag.ApplicationCryptogram, "0000000000000000")).expect(emv.ODAFailed),
	refused("9F4A names more than 82", "could not be authenticated").on(rec1(tag.SDATagList, "8257")).expect(emv.ODAFailed),
	online("card that can't sign", emv.CVMOnlinePIN).on(unsigned).expect(emv.ODANone).asking(0x80).ending("8000008000"),
	online("reader without authentication", emv.CVMOnlinePIN).with(func(c *book3test.Card) { c.CDA = false }, nil, noODA).expect(emv.ODANone).asking(0x80).ending("8000008000"),

	// 5.8.1: GENERATE AC.
	again("GENERATE AC 6986", "holder", emv.MsgSeePhone, all).on(status(5, "6986")).asking(0x90),
	{name: "GENERATE AC 6984", kind: emv.TryAnother, cvm: emv.CVMNotGiven, reason: "another interface", message: emv.MsgInsertCard, commands: all, p1: 0x90, card: status(5, "6984")},
	next("GENERATE AC 6985", "refused to make", all).on(status(5, "6985")).asking(0x90), again("lost at GENERATE AC", "lost", emv.MsgPresentAgain, all).on(lost(5)),
	ours(refused("AAC", "the card declined").on(asAAC)), ours(refused("TC where an ARQC was asked for", "more than it was asked for").on(asTC)), ours(refused("reserved type", "more than it was asked for").on(answer(tag.CID, "C0"))),
	ours(refused("no 9F27", "9F27").on(func(c *book3test.Card) { c.CDA = false; c.Drop(tag.CID) })), ours(refused("no 9F36", "9F36").on(without(tag.ATC))),
	ours(refused("no 9F50", "9F50").on(without(tag.CVMStatus))), ours(refused("9F50 of 2 bytes", "9F50").on(cvm("2000"))),
	ours(refused("no signature", "9F4B").on(func(c *book3test.Card) { c.CDA = false })), ours(refused("no 9F26", "9F26").on(unsigned, func(c *book3test.Card) { c.AC = nil }).asking(0x80)),
	ours(refused("9F60 of 2 bytes", "9F60").on(answer(tag.UpdateParameter, "0100"))), ours(refused("9F5F that is none", "9F5F").on(answer(tag.JCBBalance, "00000000000A"))),
	ours(refused("object twice in the answer", "twice").on(answer(tag.PAN, testPAN))),

	// 5.10: legacy mode.
	online("legacy, below the CVM limit", emv.CVMNone).on(legacy, list("1E0302031F03")).expect(emv.ODANone).asking(0x80).ending("8000008000"),
	online("legacy, signature first", emv.CVMSignature).on(legacy, list("5E034203")).of(at).expect(emv.ODANone).asking(0x80), online("legacy, online PIN first", emv.CVMOnlinePIN).on(legacy, list("42035E03")).of(at).expect(emv.ODANone).asking(0x80),
	online("legacy, no PIN pad", emv.CVMSignature).with(both(legacy, list("42035E03")), nil, profile(0x40)).of(at).expect(emv.ODANone).asking(0x80),
	ours(refused("legacy, list ends in no CVM", "offers no").on(legacy, list("1F00")).of(at).asking(0x80)), ours(refused("legacy, enciphered offline PIN", "offers no").on(legacy, list("44034203")).of(at).asking(0x80)),
	ours(refused("legacy, nothing that fits", "offers no").on(legacy, list("4103")).of(at).asking(0x80)),
	online("legacy, no list: own policy", emv.CVMOnlinePIN).on(legacy).of(at).expect(emv.ODANone).asking(0x80),
	ours(refused("legacy, TC", "more than it was asked for").on(legacy, answer(tag.CID, "40")).asking(0x80)), ours(refused("legacy, AAC", "the card declined").on(legacy, answer(tag.CID, "00")).asking(0x80)),
	ours(refused("legacy, format 77", "no template 80").on(legacy, func(c *book3test.Card) {
		c.Raw = func(n int, r []byte) []byte {
			if n == 5 {
				r[0] = 0x77
			}
			return r
		}
	}).asking(0x80)), next("legacy, GENERATE AC 6986", "refused to make", all).on(legacy, status(5, "6986")).asking(0x80),
	again("legacy, lost at GENERATE AC", "lost", emv.MsgPresentAgain, all).on(legacy, lost(5)), denied("legacy, expired with a denial code", "denies").with(both(legacy, rec1(tag.ExpirationDate, "260314")), nil, func(c *Config) { c.TACDenial[1] = 0x40 }).ending("8040008000"),
	online("legacy, valid from tomorrow", emv.CVMNone).on(legacy, rec1(tag.EffectiveDate, "260316")).expect(emv.ODANone).asking(0x80),
}

func noTAC(c *Config) { c.TACDefault, c.TACDenial, c.TACOnline = [5]byte{}, [5]byte{}, [5]byte{} }
