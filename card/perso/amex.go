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

// AmexRID is American Express's registered application provider identifier.
var AmexRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x25}

// Card numbers of the American Express cards and of the tokens of devices: two ranges under 374245.
const (
	rangeAmexCards  = "3742459"
	rangeAmexTokens = "3742455"
)

var amexScheme = &chipScheme{
	name: "amex", rid: AmexRID, aid: []byte{0xA0, 0x00, 0x00, 0x00, 0x25, 0x01}, kernel: []byte{0x04}, issuerID: "374245", serial: 0x41,
	profiles: []chipProfile{
		{Profile{Name: "amex", TitleZH: "运通卡", TitleEN: "American Express card", HintZH: "小额免密，大额输密码", HintEN: "no PIN for small amounts, online PIN above",
			Form: FormCard, Account: "amex"},
			&chipSpec{spec: spec{body: rangeAmexCards + "1415926", psn: 0x00, label: "AMERICAN EXPRESS", name: "American Express", fen: plenty}, keyOf: "unionpay-credit"}},
		{Profile{Name: "amex-phone", TitleZH: "手机运通", TitleEN: "American Express phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
			Form: FormPhone, Account: "amex-phone"},
			&chipSpec{spec: spec{body: rangeAmexTokens + "2718281", psn: 0x01, label: "AMERICAN EXPRESS", fen: plenty, device: true}, keyOf: "unionpay-phone"}},
		{Profile{Name: "amex-watch", TitleZH: "手表运通", TitleEN: "American Express watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
			Form: FormWatch, Account: "amex-watch"},
			&chipSpec{spec: spec{body: rangeAmexTokens + "1618033", psn: 0x02, label: "AMERICAN EXPRESS", noKernel: true, fen: plenty, device: true}, keyOf: "unionpay-watch"}},
		{Profile{Name: "amex-phone-locked", TitleZH: "未解锁的手机运通", TitleEN: "American Express phone, locked", HintZH: "请先看手机", HintEN: "asks its holder to unlock it",
			Form: FormPhone, Account: "amex-phone"},
			&chipSpec{keyOf: "unionpay-phone", locked: true}},
		{Profile{Name: "amex-cloned", TitleZH: "克隆运通卡（终端识破）", TitleEN: "American Express clone, caught by the terminal", HintZH: "芯片密钥不对，终端拒绝", HintEN: "wrong chip key: refused at the terminal",
			Form: FormCard, Account: "amex"},
			&chipSpec{spec: spec{wrongICC: true}, keyOf: "unionpay-cloned"}},
	},
}

// AmexProfiles are the American Express cards, phones and watches, in the order in which a desk shows them.
func AmexProfiles() []Profile { return amexScheme.list() }

// AmexCAKeys are the CA keys that a terminal needs for these cards. The CA is the
// one of the UnionPay cards under American Express's RID.
func (i *Issuer) AmexCAKeys() []oda.CAKey { return i.chipCAKeys(amexScheme) }

// AmexIMK is the issuer's master key of the cryptograms of these cards: 16 bytes, its first four "DEMO".
func (i *Issuer) AmexIMK() pay.Secret { return i.chipIMK(amexScheme) }

// AmexAccounts are the accounts behind these cards, as Accounts are behind the others.
func (i *Issuer) AmexAccounts(pin func(profile string) string) []Account {
	return i.chipAccounts(amexScheme, pin)
}

// AmexCard makes the card of that name; it is Card's counterpart, and takes
// random numbers as that does, though these cards need none. An unknown name is an error.
func (i *Issuer) AmexCard(name string, state card.State, _ io.Reader) (Contactless, error) {
	data, err := i.AmexData(name)
	if err != nil {
		return nil, err
	}
	return card.NewAmex(data, state)
}

// AmexData is what AmexCard personalises a card with, for tests that misbehave.
func (i *Issuer) AmexData(name string) (card.AmexData, error) {
	p, err := amexScheme.byName(name)
	if err != nil {
		return card.AmexData{}, err
	}
	data, err := i.amex(p)
	if err != nil {
		return card.AmexData{}, fmt.Errorf("card %s: %w", name, err)
	}
	return data, nil
}

var (
	amexVersion = []byte{0x00, 0x01}                   // 9F08
	amexPDOL    = []byte{0x9F, 0x35, 1}                // as a recorded card asks
	amexMobile  = []byte{0x9F, 0x6E, 4, 0x9F, 0x02, 6} // a device asks what the terminal wants of its holder
	amexAIP     = [2]byte{0x11, 0x80}                  // CVM list, CDA; EMV mode
	amexAIPTwo  = [2]byte{0x11, 0xC0}                  // and Expresspay Mobile
	// CVM lists: online PIN, signature, none; a device's own comes first.
	amexCardCVM   = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x03, 0x1E, 0x03, 0x1F, 0x03}
	amexDeviceCVM = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x03, 0x42, 0x03, 0x1F, 0x03}
	// Card interface and payment capabilities, 9F70: contact chip and contactless; contactless and mobile. Limit set 0.
	amexCardInterface   = []byte{0x30, 0x00}
	amexDeviceInterface = []byte{0x18, 0x00}
)

// amex makes a card's data.
func (i *Issuer) amex(p chipProfile) (card.AmexData, error) {
	owner := amexScheme.owner(p)
	pan, err := owner.pan()
	if err != nil {
		return card.AmexData{}, err
	}
	aip, pdol, cvm, face := amexAIP, amexPDOL, amexCardCVM, amexCardInterface
	if owner.device {
		aip, pdol, cvm, face = amexAIPTwo, amexMobile, amexDeviceCVM, amexDeviceInterface
	}
	more := append(chipActionCodes(), tlv.List{
		{Tag: tag.ApplicationVersion, Value: amexVersion}, {Tag: tag.ApplicationCurrency, Value: china}, {Tag: tag.CVMList, Value: cvm},
		{Tag: tag.CDOL1, Value: chipCDOL1}, {Tag: tag.CardInterface, Value: face},
	}...)
	if owner.device {
		more = append(more, tlv.TLV{Tag: tag.PAR, Value: par("X001", pan)})
	}
	chip, err := i.chip(amexScheme, p, aip, pdol, i.chipRecord(owner, pan, more))
	if err != nil {
		return card.AmexData{}, err
	}
	return card.AmexData{ChipData: chip, CDOL1: chipCDOL1, Policy: card.AmexPolicy{Device: owner.device, Verified: owner.device && !p.chip.locked}}, nil
}
