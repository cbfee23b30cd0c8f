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

// DiscoverRID is Discover's registered application provider identifier.
var DiscoverRID = [5]byte{0xA0, 0x00, 0x00, 0x01, 0x52}

// Card numbers of the Discover cards and of the tokens of devices: two ranges under 601100.
const (
	rangeDiscoverCards  = "6011009"
	rangeDiscoverTokens = "6011005"
)

var discoverScheme = &chipScheme{
	name: "discover", rid: DiscoverRID, aid: []byte{0xA0, 0x00, 0x00, 0x01, 0x52, 0x30, 0x10}, kernel: []byte{0x06}, issuerID: "601100", serial: 0x61,
	profiles: []chipProfile{
		{Profile{Name: "discover", TitleZH: "Discover 卡", TitleEN: "Discover card", HintZH: "小额免密，大额输密码", HintEN: "no PIN for small amounts, online PIN above",
			Form: FormCard, Account: "discover"},
			&chipSpec{spec: spec{body: rangeDiscoverCards + "31415926", psn: 0x00, label: "DISCOVER", name: "Discover", fen: plenty}, keyOf: "unionpay-credit"}},
		{Profile{Name: "discover-phone", TitleZH: "手机 Discover", TitleEN: "Discover phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
			Form: FormPhone, Account: "discover-phone"},
			&chipSpec{spec: spec{body: rangeDiscoverTokens + "27182818", psn: 0x01, label: "DISCOVER", fen: plenty, device: true}, keyOf: "unionpay-phone"}},
		{Profile{Name: "discover-watch", TitleZH: "手表 Discover", TitleEN: "Discover watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
			Form: FormWatch, Account: "discover-watch"},
			&chipSpec{spec: spec{body: rangeDiscoverTokens + "16180339", psn: 0x02, label: "DISCOVER", noKernel: true, fen: plenty, device: true}, keyOf: "unionpay-watch"}},
		{Profile{Name: "discover-phone-locked", TitleZH: "未解锁的手机 Discover", TitleEN: "Discover phone, locked", HintZH: "请先看手机", HintEN: "asks its holder to unlock it",
			Form: FormPhone, Account: "discover-phone"},
			&chipSpec{keyOf: "unionpay-phone", locked: true}},
		{Profile{Name: "discover-cloned", TitleZH: "克隆 Discover 卡（发卡行识破）", TitleEN: "Discover clone, caught by the issuer", HintZH: "密文不对，发卡行拒绝", HintEN: "wrong cryptogram: refused by the issuer",
			Form: FormCard, Account: "discover"},
			&chipSpec{spec: spec{wrongICC: true, wrongUDK: true}, keyOf: "unionpay-cloned"}},
	},
}

// A clone of a card that goes online shows at the issuer only: D-PAS signs nothing but what it approves offline.

// DiscoverProfiles are the Discover cards, phones and watches, in the order in which a desk shows them.
func DiscoverProfiles() []Profile { return discoverScheme.list() }

// DiscoverCAKeys are the CA keys that a terminal needs for these cards. The CA is the
// one of the UnionPay cards under Discover's RID.
func (i *Issuer) DiscoverCAKeys() []oda.CAKey { return i.chipCAKeys(discoverScheme) }

// DiscoverIMK is the issuer's master key of the cryptograms of these cards: 16 bytes, its first four "DEMO".
func (i *Issuer) DiscoverIMK() pay.Secret { return i.chipIMK(discoverScheme) }

// DiscoverAccounts are the accounts behind these cards, as Accounts are behind the others.
func (i *Issuer) DiscoverAccounts(pin func(profile string) string) []Account {
	return i.chipAccounts(discoverScheme, pin)
}

// DiscoverCard makes the card of that name; it is Card's counterpart, and takes
// random numbers as that does, though these cards need none. An unknown name is an error.
func (i *Issuer) DiscoverCard(name string, state card.State, _ io.Reader) (Contactless, error) {
	data, err := i.DiscoverData(name)
	if err != nil {
		return nil, err
	}
	return card.NewDiscover(data, state)
}

// DiscoverData is what DiscoverCard personalises a card with, for tests that misbehave.
func (i *Issuer) DiscoverData(name string) (card.DiscoverData, error) {
	p, err := discoverScheme.byName(name)
	if err != nil {
		return card.DiscoverData{}, err
	}
	data, err := i.discover(p)
	if err != nil {
		return card.DiscoverData{}, fmt.Errorf("card %s: %w", name, err)
	}
	return data, nil
}

var (
	discoverAIP     = [2]byte{0x01, 0x00} // CDA
	discoverVersion = []byte{0x00, 0x01}  // 9F08
)

// discover makes a card's data. It gives its cryptogram in the answer of GET
// PROCESSING OPTIONS; what a reader must know without records stands there too.
func (i *Issuer) discover(p chipProfile) (card.DiscoverData, error) {
	owner := discoverScheme.owner(p)
	pan, err := owner.pan()
	if err != nil {
		return card.DiscoverData{}, err
	}
	end := i.expiry(&owner.spec)
	online := tlv.Append(nil, tag.AUC, allUsage)
	online = tlv.Append(online, tag.EffectiveDate, packDigits(i.effective.Format("060102")))
	online = tlv.Append(online, tag.ApplicationVersion, discoverVersion)
	online = tlv.Append(online, tag.IssuerCountry, china)
	// 57 and 5F34 stand in the answer and nowhere else: no object may come twice.
	signed := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range []tlv.TLV{
		{Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))}, {Tag: tag.EffectiveDate, Value: packDigits(i.effective.Format("060102"))},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.ApplicationVersion, Value: discoverVersion},
		{Tag: tag.SDATagList, Value: aipList},
	} {
		signed = tlv.Append(signed, o.Tag, o.Value)
	}
	if owner.device {
		online = tlv.Append(online, tag.PAR, par("D001", pan))
		signed = tlv.Append(signed, tag.PAR, par("D001", pan))
	}
	chip, err := i.chip(discoverScheme, p, discoverAIP, card.PDOL, signed)
	if err != nil {
		return card.DiscoverData{}, err
	}
	return card.DiscoverData{ChipData: chip, Track2: chipTrack2(pan, end), PSN: owner.psn, Country: [2]byte(china), Online: online,
		Policy: card.DiscoverPolicy{CDCVM: owner.device, Locked: p.chip.locked, Signature: !owner.device, OfflineCurrency: [2]byte(china)}}, nil
}
