package perso

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/pay"
)

// MastercardRID is Mastercard's registered application provider identifier.
var MastercardRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x04}

// Card numbers of the Mastercard cards and of the tokens of devices: two ranges
// under 541333, which test cards of many suppliers use.
const (
	rangeMCCards  = "5413339"
	rangeMCTokens = "5413335"
	issuerMC      = "541333"
)

// mcSpec is what personalisation of a Mastercard card needs beyond the words of its profile.
type mcSpec struct {
	spec
	version  cryptogram.MChip
	counters int
	keyOf    string // the profile whose chip key it uses: the demo has one key a form, for both schemes
	third    string // device type of 9F6E: "00" card, "01" phone, "03" watch
	mchip    card.MChipPolicy
}

type mcProfile struct {
	Profile
	mc *mcSpec
}

// Device types of third party data (9F6E).
const (
	deviceCard  = "00"
	devicePhone = "01"
	deviceWatch = "03"
)

var mastercards = []mcProfile{
	{Profile{Name: "mastercard", TitleZH: "万事达卡", TitleEN: "Mastercard", HintZH: "小额免密，大额输密码", HintEN: "no PIN for small amounts, online PIN above",
		Form: FormCard, Account: "mastercard"},
		&mcSpec{spec: spec{body: rangeMCCards + "14159265", psn: 0x01, label: "MASTERCARD", fen: plenty}, version: cryptogram.MChip16, counters: 8,
			keyOf: "unionpay-credit", third: deviceCard}},
	{Profile{Name: "mastercard-phone", TitleZH: "手机万事达", TitleEN: "Mastercard phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
		Form: FormPhone, Account: "mastercard-phone"},
		&mcSpec{spec: spec{body: rangeMCTokens + "27182818", psn: 0x01, label: "MASTERCARD", fen: plenty, device: true}, version: cryptogram.MChip20, counters: 8,
			keyOf: "unionpay-phone", third: devicePhone, mchip: card.MChipPolicy{Device: true, Verified: true}}},
	{Profile{Name: "mastercard-watch", TitleZH: "手表万事达", TitleEN: "Mastercard watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
		Form: FormWatch, Account: "mastercard-watch"},
		&mcSpec{spec: spec{body: rangeMCTokens + "16180339", psn: 0x02, label: "MASTERCARD", noKernel: true, fen: plenty, device: true}, version: cryptogram.MChip21, counters: 16,
			keyOf: "unionpay-watch", third: deviceWatch, mchip: card.MChipPolicy{Device: true, Verified: true}}},
	{Profile{Name: "mastercard-phone-locked", TitleZH: "未解锁的手机万事达", TitleEN: "Mastercard phone, locked", HintZH: "请先看手机", HintEN: "asks its holder to unlock it",
		Form: FormPhone, Account: "mastercard-phone"},
		&mcSpec{keyOf: "unionpay-phone", mchip: card.MChipPolicy{Device: true}}},
	{Profile{Name: "mastercard-cloned", TitleZH: "克隆万事达卡（终端识破）", TitleEN: "Mastercard clone, caught by the terminal", HintZH: "芯片密钥不对，终端拒绝", HintEN: "wrong chip key: refused at the terminal",
		Form: FormCard, Account: "mastercard"},
		&mcSpec{spec: spec{wrongICC: true}, keyOf: "unionpay-cloned"}},
}

// MastercardProfiles are the Mastercard cards, phones and watches, in the order in which a desk shows them.
func MastercardProfiles() []Profile {
	list := make([]Profile, 0, len(mastercards))
	for _, p := range mastercards {
		q := p.Profile
		q.spec = &p.mc.spec
		list = append(list, q)
	}
	return list
}

func mastercardByName(name string) (mcProfile, bool) {
	i := slices.IndexFunc(mastercards, func(p mcProfile) bool { return p.Name == name })
	if i < 0 {
		return mcProfile{}, false
	}
	return mastercards[i], true
}

// owner is the profile whose public data p carries: its own, except for clones and the locked phone.
func (p mcProfile) owner() mcProfile {
	o, _ := mastercardByName(p.Account) // a test checks that it is there
	return o
}

// MastercardCAKeys are the CA keys that a terminal needs for these cards. The CA
// is the one of the UnionPay cards under Mastercard's RID.
func (i *Issuer) MastercardCAKeys() []oda.CAKey {
	keys := i.CAKeys()
	for n := range keys {
		keys[n].RID = MastercardRID
	}
	return keys
}

// MastercardIMK is the issuer's master key of the cryptograms of these cards: 16 bytes, its first four "DEMO".
func (i *Issuer) MastercardIMK() pay.Secret { return i.derivedIMK("mastercard cryptogram") }

// MastercardCVC3Key is the issuer's master key of mag-stripe mode's checksums.
func (i *Issuer) MastercardCVC3Key() pay.Secret { return i.derivedIMK("mastercard cvc3") }

// derivedIMK is a further master key of the demo, made from the first so that the file of keys stays as it is.
func (i *Issuer) derivedIMK(purpose string) pay.Secret {
	h := sha256.Sum256(append([]byte(purpose), i.imk.Reveal()...))
	key := slices.Clone(h[:imkLen])
	copy(key, demoKeyMark)
	return pay.NewSecret(key)
}

// MastercardAccounts are the accounts behind these cards, as Accounts are behind the others.
func (i *Issuer) MastercardAccounts(pin func(profile string) string) []Account {
	var accounts []Account
	for _, p := range mastercards {
		if p.Account != p.Name {
			continue
		}
		pan, err := p.mc.pan()
		if err != nil {
			panic(fmt.Sprintf("perso: %s: %v", p.Name, err)) // a fault of the table above; a test checks it
		}
		accounts = append(accounts, Account{
			Profile: p.Name, PAN: pan, PSN: p.mc.sequence(), Expiry: i.expiry(&p.mc.spec).Format("0601"), Status: StatusOK,
			Balance: p.mc.fen, Currency: pay.CNY, PIN: pay.NewSecret([]byte(pin(p.Name))), PINTries: MaxPINTries, CDCVMDevice: p.mc.device,
		})
	}
	return accounts
}

// MastercardCard makes the card of that name; it is Card's counterpart. An unknown name is an error.
func (i *Issuer) MastercardCard(name string, state card.State, rand io.Reader) (Contactless, error) {
	p, ok := mastercardByName(name)
	if !ok {
		return nil, fmt.Errorf("no Mastercard card is named %q", name)
	}
	data, err := i.mastercard(p)
	if err != nil {
		return nil, fmt.Errorf("card %s: %w", name, err)
	}
	return card.NewMChip(data, state, rand)
}

// MastercardData is what MastercardCard personalises a card with, for tests that misbehave.
func (i *Issuer) MastercardData(name string) (card.MChipData, error) {
	p, ok := mastercardByName(name)
	if !ok {
		return card.MChipData{}, fmt.Errorf("no Mastercard card is named %q", name)
	}
	return i.mastercard(p)
}

// mcTrack2 is 57 or 9F6B: number, D, expiry YYMM, service code 201, discretionary data of 13 zeros.
func mcTrack2(pan pay.PAN, end time.Time) []byte {
	return packDigits(pan.Reveal() + "D" + end.Format("0601") + "201" + "0000000000000")
}
