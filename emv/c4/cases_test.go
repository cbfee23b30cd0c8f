package c4

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

func orNothing(f func(*book3test.Card)) func(*book3test.Card) {
	if f == nil {
		return func(*book3test.Card) {}
	}
	return f
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

func aip(v string) func(*book3test.Card)            { return gpo(tag.AIP, v) }
func afl(v string) func(*book3test.Card)            { return func(c *book3test.Card) { c.AFL = unhex(v) } }
func status(n int, sw string) func(*book3test.Card) { return func(c *book3test.Card) { c.SW[n] = sw } }
func lost(n int) func(*book3test.Card)              { return func(c *book3test.Card) { c.LostAt = n } }
func list(v string) func(*book3test.Card)           { return rec1(tag.CVMList, "0000000000000000"+v) }
func clone(c *book3test.Card)                       { c.Key = book3test.Keys().Other }
func asTC(c *book3test.Card)                        { answer(tag.CID, "40")(c) }
func asAAC(c *book3test.Card)                       { answer(tag.CID, "00")(c); plain(c) }

// plain is a card that does not sign its answer.
func plain(c *book3test.Card) {
	c.CDA = false
	answer(tag.ApplicationCryptogram, "5D016C91005E7CC2")(c)
}

// unsigned is a card that can't sign at all, static one with SDA.
func unsigned(c *book3test.Card) { aip("1080")(c); plain(c) }
func static(c *book3test.Card) {
	aip("5080")(c)
	plain(c)
	c.SSAD, c.IssuerKey = true, book3test.Keys().Issuer
}

// phone is a phone's card with these mobile CVM results.
func phone(results string) func(*book3test.Card) {
	return func(c *book3test.Card) {
		aip("11C0")(c)
		gpo(tag.CardInterface, "1800")(c)
		if results != "" {
			gpo(tag.MobileCVM, results)(c)
		}
		list("410342031F03")(c)
	}
}

// chipless is a card without a contact chip.
func chipless(c *book3test.Card) { gpo(tag.CardInterface, "1000")(c) }

func offline(c *Config) { c.Limits.Floor = limit(10_000) }
func down(c *Config)    { c.CannotGoOnline = true }
func noTAC(c *Config)   { c.TACDefault, c.TACDenial, c.TACOnline = [5]byte{}, [5]byte{}, [5]byte{} }
func enhanced(b byte) func(*Config) {
	return func(c *Config) { c.Enhanced[1] = b }
}

// dynamic has a default set and set 3, as given: transaction, CVM and floor limit.
func dynamic(byDefault, three [3]int64) func(*Config) {
	set := func(l [3]int64) Limits { return Limits{limit(l[0]), limit(l[1]), limit(l[2])} }
	return func(c *Config) {
		third := set(three)
		c.Dynamic = &Dynamic{Default: set(byDefault)}
		c.Dynamic.Sets[3] = &third
	}
}

// inSet is a card of a dynamic reader limit set.
func inSet(v string) func(*book3test.Card) { return gpo(tag.CardInterface, "30"+v) }

func txType(v byte) func(*emv.Input)   { return func(in *emv.Input) { in.Transaction.Type = v } }
func termType(v byte) func(*emv.Input) { return func(in *emv.Input) { in.Terminal.Type = v } }
func caps(v string) func(*emv.Input) {
	return func(in *emv.Input) { in.Terminal.Capabilities = [3]byte(unhex(v)) }
}
func listed(pan string) func(*Config) {
	return func(c *Config) {
		c.ExceptionFile = func(p pay.PAN, psn string) bool { return p.Reveal() == pan && psn == "00" }
	}
}

// ours is a decline before a signature was looked at.
func ours(k kernelCase) kernelCase { return k.expect(emv.ODANone) }

var (
	usual = [3]int64{most, at, 0}
	small = [3]int64{5_000, 1_000, 500}
)

var kernelCases = []kernelCase{
	// CVM: below, at and above the limit.
	online("no CVM, below the limit", emv.CVMNone).of(justBelow).ending("0000008000"), online("online PIN, at the limit", emv.CVMOnlinePIN).of(at).ending("0000048000"),
	online("online PIN, above the limit", emv.CVMOnlinePIN).of(above), online("signature, at the limit", emv.CVMSignature).on(list("1E034203")).of(at),
	online("no CVM in the list, below the limit: the first rule", emv.CVMOnlinePIN).on(list("42031E03")).of(justBelow),
	online("no CVM under a condition that fails: the first rule", emv.CVMSignature).on(list("1E031F01")).of(justBelow),
	online("no PIN pad", emv.CVMSignature).at(enhanced(0x20)).of(at).ending("0000008000"),
	online("PIN always and no PIN pad", emv.CVMSignature).with(list("42005E00"), nil, enhanced(0x20)).of(at).ending("0000108000"),
	online("rule without bit 7 that the reader can't do", emv.CVMSignature).with(list("02001E00"), nil, enhanced(0x20)).of(at).ending("0000108000"),
	online("method that the book does not have", emv.CVMOnlinePIN).on(list("47004203")).of(at).ending("0000448000"),
	online("enciphered offline PIN is passed over", emv.CVMOnlinePIN).on(list("44004203")).of(at),
	online("plaintext PIN of a plastic card", emv.CVMOnlinePIN).on(list("41004203")).of(at).ending("0000148000"),
	online("plaintext PIN of a card with a mobile interface", emv.CVMOnlinePIN).on(list("41004203"), gpo(tag.CardInterface, "3800")).of(at).ending("0000048000"),
	online("condition: amount above X", emv.CVMSignature).on(rec1(tag.CVMList, "000186A000000000"+"5E070203"), rec1(tag.ApplicationCurrency, "0156")).of(at),
	online("condition: amount at X", emv.CVMOnlinePIN).on(rec1(tag.CVMList, "000186A100000000"+"5E070203"), rec1(tag.ApplicationCurrency, "0156")).of(at),
	online("condition: another currency", emv.CVMOnlinePIN).on(rec1(tag.CVMList, "0000000100000000"+"5E070203"), rec1(tag.ApplicationCurrency, "0840")).of(at),
	other("the card's list fails", "could not be verified", 5).on(list("00004203")).of(at), other("no rule fits", "could not be verified", 5).on(list("1F03")).of(at),
	denied("no rule fits, no chip, denied by code").on(asAAC, chipless, list("1F03")).at(func(c *Config) { c.TACDenial[2] = 0x80 }).of(at).ending("0000808000"),
	online("no rule fits, no chip: the codes decide", emv.CVMNotGiven).on(chipless, list("1F03")).of(at).ending("0000808000"),
	online("the list fails, no chip: the codes decide", emv.CVMNotGiven).on(chipless, list("00004203")).of(at).ending("0000808000"),
	other("card without cardholder verification, at the limit", "could not be verified", 5).on(aip("0180")).of(at),
	online("card without cardholder verification, below the limit", emv.CVMNotGiven).on(aip("0180")).of(justBelow),
	other("card without list, at the limit", "could not be verified", 5).on(without(tag.CVMList)).of(at),
	online("card without list, below the limit", emv.CVMNotGiven).on(without(tag.CVMList)).of(justBelow).ending("2000008000"),
	online("list without rules, below the limit", emv.CVMNotGiven).on(list("")).ending("2000008000"),
	online("CVM limit of pre-processing", emv.CVMOnlinePIN).with(nil, func(in *emv.Input) { in.Indicators.CVMRequiredLimitExceeded = true }, nil),

	// Mobile CVM.
	online("phone, verified, at the limit", emv.CVMConfirmed).on(phone("010302")).of(at), online("phone, verified, above the limit", emv.CVMConfirmed).on(phone("010302")).of(above),
	online("phone, none needed below the limit", emv.CVMNone).on(phone("3F0000")).of(justBelow), again("phone, not verified, at the limit", "holder", emv.MsgSeePhone, 5).on(phone("3F0000")).of(at),
	again("phone, wrong PIN, at the limit", "holder", emv.MsgSeePhone, 5).on(phone("010301")).of(at), again("phone, wrong PIN, below the limit", "holder", emv.MsgSeePhone, 5).on(phone("010301")).of(justBelow),
	online("phone, blocked: online PIN", emv.CVMOnlinePIN).on(phone("010303")).of(at).ending("0000248000"), online("phone without results: online PIN", emv.CVMOnlinePIN).on(phone("")).of(at),
	online("phone, result without performing it", emv.CVMNone).on(phone("3F0302")).of(justBelow), again("phone, result without performing it, at the limit", "holder", emv.MsgSeePhone, 5).on(phone("3F0302")).of(at),
	online("phone, reader without mobile CVM", emv.CVMOnlinePIN).with(phone("010302"), nil, enhanced(0x40)).of(at),
	end("9F71 of 2 bytes", "9F71", 5).on(phone("0103")), end("9F70 of 1 byte", "9F70", 5).on(gpo(tag.CardInterface, "30")),

	// Limits, at, below and above.
	online("at the transaction limit", emv.CVMOnlinePIN).of(most), other("above the transaction limit", "above the reader's limit", 5).of(most + 1),
	end("above the transaction limit, no chip", "above the reader's limit", 5).on(chipless).of(most + 1), end("above the transaction limit, terminal without chip", "above the reader's limit", 5).with(nil, caps("00E8C8"), nil).of(most + 1),
	approved("TC at the floor limit", emv.CVMNone).of(10_000).ending("0000000000"), approved("TC below the floor limit", emv.CVMNone).of(9_999),
	refused("TC above the floor limit", "more than it was asked for").on(asTC).at(offline).of(10_001).expect(emv.ODANone).ending("0000008000"),
	online("ARQC above the floor limit", emv.CVMNone).at(offline).of(10_001).ending("0000008000"), online("ARQC where a TC was asked for", emv.CVMNone).at(offline).asking(0x50),
	online("floor limit of pre-processing", emv.CVMNone).with(nil, func(in *emv.Input) { in.Indicators.FloorLimitExceeded = true }, offline).ending("0000008000"),
	approved("no limits at all", emv.CVMNone).at(func(c *Config) { c.Limits = Limits{} }).of(most + 1).ending("0000000000"),
	online("dynamic limits: card without a set", emv.CVMOnlinePIN).at(dynamic(usual, small)).of(at), online("dynamic limits: set that is not there", emv.CVMOnlinePIN).on(inSet("02")).at(dynamic(usual, small)).of(at),
	other("dynamic limits: set 3, above its limit", "above the reader's limit", 5).on(inSet("03")).at(dynamic(usual, small)).of(5_001),
	online("dynamic limits: set 3, at its limit", emv.CVMOnlinePIN).on(inSet("03")).at(dynamic(usual, small)).of(5_000),
	online("dynamic limits: set 3, at its CVM limit", emv.CVMOnlinePIN).on(inSet("13")).at(dynamic(usual, small)).of(1_000), online("dynamic limits: set 3, below its CVM limit", emv.CVMNone).on(inSet("03")).at(dynamic(usual, small)).of(999),
	approved("dynamic limits: set 3, at its floor limit", emv.CVMNone).on(asTC, inSet("03")).at(dynamic(usual, small)).of(500), online("dynamic limits: set 3, above its floor limit", emv.CVMNone).on(inSet("03")).at(dynamic(usual, small)).of(501).ending("0000008000"),
	other("dynamic limits: the default set's limit", "above the reader's limit", 5).at(dynamic(small, usual)).of(5_001),

	// Restrictions, each a day or a bit apart.
	approved("expires today", emv.CVMNone).on(asTC, rec1(tag.ExpirationDate, "260315")), online("expired yesterday", emv.CVMNone).on(rec1(tag.ExpirationDate, "260314")).at(offline).ending("0040000000"),
	approved("valid from today", emv.CVMNone).on(asTC, rec1(tag.EffectiveDate, "260315")), online("valid from tomorrow", emv.CVMNone).on(rec1(tag.EffectiveDate, "260316")).at(offline).ending("0020000000"),
	online("other version", emv.CVMNone).on(rec1(tag.ApplicationVersion, "0002")).at(offline).asking(0x50).ending("0080000000"), approved("no version", emv.CVMNone).on(asTC, without(tag.ApplicationVersion)),
	denied("not at other terminals than ATMs").on(asAAC, rec1(tag.AUC, "FEC0")).ending("0010008000"), denied("no goods at home").on(asAAC, rec1(tag.AUC, "D7C0")), denied("no goods abroad").on(asAAC, rec1(tag.AUC, "EBC0"), rec1(tag.IssuerCountry, "0840")),
	denied("no cash at home").with(both(asAAC, rec1(tag.AUC, "7FC0")), txType(book3.Cash), nil), denied("no cashback at home").with(both(asAAC, rec1(tag.AUC, "FF40")), txType(book3.Cashback), nil),
	online("no usage control", emv.CVMNone).on(without(tag.AUC)), online("on the exception file", emv.CVMNone).at(configs(offline, listed(testPAN))).ending("1000000000"),
	approved("another card is on the exception file", emv.CVMNone).at(configs(offline, listed("374245001741014"))),

	// Terminal action analysis.
	online("online-only terminal", emv.CVMNone).with(nil, termType(0x21), configs(offline, noTAC)), ours(refused("online-only terminal that can't", "the card declined").with(asAAC, termType(0x21), configs(offline, down)).asking(0x00)),
	approved("offline-only terminal", emv.CVMNone).with(asTC, termType(0x23), offline),
	ours(refused("offline-only terminal, floor limit", "the card declined").with(asAAC, termType(0x23), nil).asking(0x00)),
	ours(refused("offline-only terminal, ARQC", "the terminal can't").with(nil, termType(0x23), offline).asking(0x50)),
	approved("terminal that can't go online", emv.CVMNone).at(configs(offline, down)), ours(refused("terminal that can't go online, floor limit", "the card declined").on(asAAC).at(down).asking(0x00)),
	ours(refused("terminal that can't go online, ARQC", "the terminal can't").at(configs(offline, down)).asking(0x50)),
	online("the card's codes send it online", emv.CVMNone).on(unsigned, rec1(tag.IACOnline, "8000000000")).at(configs(offline, noTAC)).expect(emv.ODANone).asking(0x80),
	approved("codes that name nothing", emv.CVMNone).on(asTC, unsigned, rec1(tag.IACOnline, "0000000000")).at(configs(offline, noTAC)).expect(emv.ODANone).asking(0x40).ending("8000000000"),
	online("no online code: anything goes online", emv.CVMNone).on(unsigned, without(tag.IACOnline)).at(configs(offline, noTAC)).expect(emv.ODANone).asking(0x80),
	denied("the card's denial code").on(asAAC, aip("1080"), rec1(tag.IACDenial, "8000000000")).at(offline), ours(refused("a denial was asked for and the card gives more", "more than it was asked for").on(plain, rec1(tag.AUC, "FEC0")).asking(0x00)),

	// The FCI and GET PROCESSING OPTIONS.
	end("PDOL can't be read", "PDOL", 0).on(func(c *book3test.Card) { c.PDOL = "9F35" }), end("GPO 6985", "refused", 1).on(status(0, "6985")), end("GPO 6984", "refused", 1).on(status(0, "6984")),
	again("lost at GPO", "lost", emv.MsgPresentAgain, 1).on(lost(0)), again("answer of one byte", "lost", emv.MsgPresentAgain, 1).on(status(0, "90")),
	online("answers in format 80", emv.CVMNone).on(unsigned, func(c *book3test.Card) { c.Format1 = true }).expect(emv.ODANone).asking(0x80),
	end("no 82", "82", 1).on(without(tag.AIP)), end("82 of 3 bytes", "82", 1).on(aip("118000")), end("no 94", "94", 1).on(func(c *book3test.Card) { c.AFL = nil }), end("94 is empty", "94", 1).on(afl("")),
	end("mag-stripe card", "mag-stripe mode", 1).on(aip("1100")), end("mag-stripe reader", "mag-stripe mode", 1).at(func(c *Config) { c.Reader = 0x40 }),
	end("AFL of 3 bytes", "entries of 4", 1).on(afl("080102")), end("AFL with SFI 31", "can't be", 1).on(afl("F8010101")), end("object twice", "twice", 1).on(func(c *book3test.Card) { c.GPO = append(c.GPO, c.GPO[0]) }),

	// Records.
	end("record not found", "refused READ RECORD", 2).on(status(1, "6A83")), again("lost at a record", "lost", emv.MsgPresentAgain, 4).on(lost(3)), end("record without template", "no template 70", 2).on(func(c *book3test.Card) { c.Records[0].Bare = true }),
	end("no 5A", "5A", 5).on(without(tag.PAN)), end("57 of another card", "another card number", 5).on(rec1(tag.Track2, "374245001741014D301220100000")), online("no 57", emv.CVMNone).on(without(tag.Track2)),
	end("no 5F24", "5F24", 5).on(without(tag.ExpirationDate)), end("5F24 with month 13", "5F24", 5).on(rec1(tag.ExpirationDate, "301301")), end("5F25 with day 32", "5F25", 5).on(rec1(tag.EffectiveDate, "200132")),
	end("no 8C", "8C", 5).on(func(c *book3test.Card) { c.Drop(tag.CDOL1) }), end("8C can't be read", "8C", 5).on(rec1(tag.CDOL1, "9F02")), end("8E of 7 bytes", "8E", 5).on(rec1(tag.CVMList, "00000000000000")),
	end("8E with half a rule", "8E", 5).on(list("42")), end("9F07 of 1 byte", "9F07", 5).on(rec1(tag.AUC, "FF")), end("9F0D of 4 bytes", "9F0D", 5).on(rec1(tag.IACDefault, "00000000")),

	// Authentication.
	online("unknown CA key", emv.CVMNone).on(plain).at(configs(offline, func(c *Config) { c.CAKeys = nil })).expect(emv.ODAFailed).asking(0x80).ending("0400000000"),
	online("no 8F", emv.CVMNone).on(later(tag.CAIndex), plain).at(offline).expect(emv.ODAFailed).asking(0x80).ending("2400000000"),
	refused("no 9F46", "could not be authenticated").on(later(tag.ICCCertificate)).at(offline).expect(emv.ODAFailed).asking(0x50).ending("2400000000"),
	online("9F4A names more than 82", emv.CVMNone).on(plain, rec1(tag.SDATagList, "8257")).at(offline).expect(emv.ODAFailed).asking(0x80).ending("0400000000"),
	refused("clone", "could not be authenticated").on(clone).expect(emv.ODAFailed).ending("0400008000"), refused("TC of a clone", "could not be authenticated").on(asTC, clone).at(offline).expect(emv.ODAFailed).asking(0x50),
	refused("certificate of another card", "could not be authenticated").on(func(c *book3test.Card) { c.Number = "374245001741014" }).expect(emv.ODAFailed),
	refused("certificate ended last month", "could not be authenticated").on(func(c *book3test.Card) { c.Expires = [2]int{2, 2026} }).expect(emv.ODAFailed),
	refused("signature over another number", "could not be authenticated").on(func(c *book3test.Card) { c.SignUN = unhex("00000000") }).expect(emv.ODAFailed),
	refused("9F26 beside the signature is another", "could not be authenticated").on(answer(tag.ApplicationCryptogram, "0000000000000000")).expect(emv.ODAFailed),
	online("card that can't sign", emv.CVMNone).on(unsigned).expect(emv.ODANone).asking(0x80).ending("8000008000"),
	online("terminal without CDA", emv.CVMNone).with(plain, caps("E0E8C0"), nil).expect(emv.ODANone).asking(0x80).ending("8000008000"),
	approved("SDA", emv.CVMNone).on(asTC, static).at(configs(offline, noTAC)).expect(emv.ODASDA).asking(0x40).ending("0200000000"),
	online("SDA by another issuer", emv.CVMNone).on(static, func(c *book3test.Card) { c.IssuerKey = book3test.Keys().CA }).at(offline).expect(emv.ODAFailed).asking(0x80).ending("4200000000"),
	online("SDA without 93", emv.CVMNone).on(static, func(c *book3test.Card) { c.SSAD = false }).at(offline).expect(emv.ODAFailed).asking(0x80).ending("4200000000"),
	online("SDA, terminal without it", emv.CVMNone).with(static, caps("E0E848"), offline).expect(emv.ODANone).asking(0x80).ending("8000000000"),

	// GENERATE AC.
	again("phone, GENERATE AC 6984", "holder", emv.MsgSeePhone, all).on(phone("010302"), status(5, "6984")).asking(0x90), end("card, GENERATE AC 6984", "refused to make", all).on(status(5, "6984")).asking(0x90),
	end("GENERATE AC 6985", "refused to make", all).on(status(5, "6985")).asking(0x90), again("lost at GENERATE AC", "lost", emv.MsgPresentAgain, all).on(lost(5)),
	ours(refused("AAC", "the card declined").on(asAAC)), ours(refused("AAC in format 80", "the card declined").on(asAAC, answerOnly80)), other("ARQC in format 80 where a signature is asked for", "no format 1", all).on(plain, answerOnly80).asking(0x90),
	ours(refused("TC where an ARQC was asked for", "more than it was asked for").on(asTC)), ours(refused("reserved type", "more than it was asked for").on(answer(tag.CID, "C0"))),
	other("no 9F27", "9F27", all).on(func(c *book3test.Card) { plain(c); c.Drop(tag.CID) }).asking(0x90), other("no 9F36", "9F36", all).on(without(tag.ATC)).asking(0x90), end("no signature, no chip", "9F4B", all).on(chipless, func(c *book3test.Card) { c.CDA = false }).asking(0x90),
	other("no 9F26", "9F26", all).on(aip("1080"), func(c *book3test.Card) { c.CDA, c.AC = false, nil }).asking(0x80), other("object twice in the answer", "twice", all).on(answer(tag.PAN, "00")).asking(0x90),
}

// answerOnly80 gives the answer of GENERATE AC, not that of GPO, in format 1.
func answerOnly80(c *book3test.Card) {
	c.Raw = func(n int, r []byte) []byte {
		if n != all-1 {
			return r
		}
		var v []byte
		for _, g := range [...]tlv.Tag{tag.CID, tag.ATC, tag.ApplicationCryptogram, tag.IAD} {
			o, _ := c.Answer.Find(g)
			v = append(v, o...)
		}
		return append(tlv.Append(nil, tag.ResponseFormat1, v), 0x90, 0x00)
	}
}
