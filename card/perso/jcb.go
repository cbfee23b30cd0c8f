package perso

import (
	"fmt"
	"io"

	"huika/card"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// JCBRID is JCB's registered application provider identifier.
var JCBRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x65}

// Card numbers of the JCB cards and of the tokens of devices: two ranges under 356600.
const (
	rangeJCBCards  = "3566009"
	rangeJCBTokens = "3566005"
)

var jcbScheme = &chipScheme{
	name: "jcb", rid: JCBRID, aid: []byte{0xA0, 0x00, 0x00, 0x00, 0x65, 0x10, 0x10}, kernel: []byte{0x05}, issuerID: "356600", serial: 0x51,
	profiles: []chipProfile{
		{Profile{Name: "jcb", TitleZH: "JCB 卡", TitleEN: "JCB card", HintZH: "小额免密，大额输密码", HintEN: "no PIN for small amounts, online PIN above",
			Form: FormCard, Account: "jcb"},
			&chipSpec{spec: spec{body: rangeJCBCards + "31415926", psn: 0x00, label: "JCB CREDIT", name: "JCB", fen: plenty}, keyOf: "unionpay-credit"}},
		{Profile{Name: "jcb-phone", TitleZH: "手机 JCB", TitleEN: "JCB phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
			Form: FormPhone, Account: "jcb-phone"},
			&chipSpec{spec: spec{body: rangeJCBTokens + "27182818", psn: 0x01, label: "JCB CREDIT", fen: plenty, device: true}, keyOf: "unionpay-phone"}},
		{Profile{Name: "jcb-watch", TitleZH: "手表 JCB", TitleEN: "JCB watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
			Form: FormWatch, Account: "jcb-watch"},
			&chipSpec{spec: spec{body: rangeJCBTokens + "16180339", psn: 0x02, label: "JCB CREDIT", noKernel: true, fen: plenty, device: true}, keyOf: "unionpay-watch"}},
		{Profile{Name: "jcb-phone-locked", TitleZH: "未解锁的手机 JCB", TitleEN: "JCB phone, locked", HintZH: "请先看手机", HintEN: "asks its holder to unlock it",
			Form: FormPhone, Account: "jcb-phone"},
			&chipSpec{keyOf: "unionpay-phone", locked: true}},
		{Profile{Name: "jcb-cloned", TitleZH: "克隆 JCB 卡（终端识破）", TitleEN: "JCB clone, caught by the terminal", HintZH: "芯片密钥不对，终端拒绝", HintEN: "wrong chip key: refused at the terminal",
			Form: FormCard, Account: "jcb"},
			&chipSpec{spec: spec{wrongICC: true}, keyOf: "unionpay-cloned"}},
	},
}

// JCBProfiles are the JCB cards, phones and watches, in the order in which a desk shows them.
func JCBProfiles() []Profile { return jcbScheme.list() }

// JCBCAKeys are the CA keys that a terminal needs for these cards. The CA is the
// one of the UnionPay cards under JCB's RID.
func (i *Issuer) JCBCAKeys() []oda.CAKey { return i.chipCAKeys(jcbScheme) }

// JCBIMK is the issuer's master key of the cryptograms of these cards: 16 bytes, its first four "DEMO".
func (i *Issuer) JCBIMK() pay.Secret { return i.chipIMK(jcbScheme) }

// JCBAccounts are the accounts behind these cards, as Accounts are behind the others.
func (i *Issuer) JCBAccounts(pin func(profile string) string) []Account {
	return i.chipAccounts(jcbScheme, pin)
}

// JCBCard makes the card of that name; it is Card's counterpart, and takes
// random numbers as that does, though these cards need none. An unknown name is an error.
func (i *Issuer) JCBCard(name string, state card.State, _ io.Reader) (Contactless, error) {
	data, err := i.JCBData(name)
	if err != nil {
		return nil, err
	}
	return card.NewJCB(data, state)
}

// JCBData is what JCBCard personalises a card with, for tests that misbehave.
func (i *Issuer) JCBData(name string) (card.JCBData, error) {
	p, err := jcbScheme.byName(name)
	if err != nil {
		return card.JCBData{}, err
	}
	data, err := i.jcb(p)
	if err != nil {
		return card.JCBData{}, fmt.Errorf("card %s: %w", name, err)
	}
	return data, nil
}

var (
	jcbPDOL  = []byte{0x9F, 0x52, 1}                                    // a card that knows EMV mode asks for it
	jcbAIP   = [2]byte{0x01, 0x80}                                      // CDA; EMV mode
	jcbCDOL1 = append(append([]byte(nil), chipCDOL1...), 0x9F, 0x53, 3) // with the terminal interchange profile
	jcbCDOL2 = append([]byte{0x8A, 2, 0x91, 8}, chipCDOL1...)
)

// jcb makes a card's data.
func (i *Issuer) jcb(p chipProfile) (card.JCBData, error) {
	owner := jcbScheme.owner(p)
	pan, err := owner.pan()
	if err != nil {
		return card.JCBData{}, err
	}
	more := append(chipActionCodes(), tlv.TLV{Tag: tag.CDOL1, Value: jcbCDOL1}, tlv.TLV{Tag: tag.CDOL2, Value: jcbCDOL2})
	if owner.device {
		more = append(more, tlv.TLV{Tag: tag.PAR, Value: par("J001", pan)})
	}
	chip, err := i.chip(jcbScheme, p, jcbAIP, jcbPDOL, i.chipRecord(owner, pan, more))
	if err != nil {
		return card.JCBData{}, err
	}
	return card.JCBData{ChipData: chip, CDOL1: jcbCDOL1, CDOL2: jcbCDOL2,
		Policy: card.JCBPolicy{Device: owner.device, Verified: owner.device && !p.chip.locked, Signature: !owner.device}}, nil
}
