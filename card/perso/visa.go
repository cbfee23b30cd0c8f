package perso

import (
	"fmt"
	"io"
	"slices"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/pay"
)

// VisaRID is Visa's registered application provider identifier.
var VisaRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x03}

// Card numbers of the Visa cards and of the tokens of devices: two ranges under
// 476173, which test cards of many suppliers use.
const (
	rangeVisaCards  = "4761739"
	rangeVisaTokens = "4761735"
	issuerVisa      = "476173"
)

// visaSpec is what personalisation of a Visa card needs beyond the words of its profile.
type visaSpec struct {
	spec
	version cryptogram.Visa
	keyOf   string  // the profile whose chip key it uses: the demo has one key a form, for all schemes
	form    [4]byte // 9F6E
	policy  card.VisaPolicy
}

type visaProfile struct {
	Profile
	visa *visaSpec
}

// Form factors, 9F6E: version 001 and form; features; technology 0 (proximity).
var (
	visaCardForm  = [4]byte{0x20, 0x70, 0x00, 0x00} // signature panel, hologram, CVV2
	visaPhoneForm = [4]byte{0x23, 0x8A, 0x00, 0x00} // passcode, two-way messaging, biometric
	visaWatchForm = [4]byte{0x24, 0x88, 0x00, 0x00} // passcode, two-way messaging
)

// visas has a cryptogram version a profile: CVN 18 for the card, 22 for the phone, 17 for the watch.
var visas = []visaProfile{
	{Profile{Name: "visa", TitleZH: "Visa 卡", TitleEN: "Visa card", HintZH: "小额免密，大额输密码", HintEN: "no PIN for small amounts, online PIN above",
		Form: FormCard, Account: "visa"},
		&visaSpec{spec: spec{body: rangeVisaCards + "31415926", psn: 0x01, label: "VISA CREDIT", name: "Visa", sendCID: true, fen: plenty}, version: cryptogram.VisaCVN18,
			keyOf: "unionpay-credit", form: visaCardForm, policy: card.VisaPolicy{Policy: card.Policy{Signature: true}, IssuerUpdate: true}}},
	{Profile{Name: "visa-phone", TitleZH: "手机 Visa", TitleEN: "Visa phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
		Form: FormPhone, Account: "visa-phone"},
		&visaSpec{spec: spec{body: rangeVisaTokens + "27182818", psn: 0x01, label: "VISA", fen: plenty, device: true}, version: cryptogram.VisaCVN22,
			keyOf: "unionpay-phone", form: visaPhoneForm, policy: card.VisaPolicy{Policy: card.Policy{CDCVM: true}}}},
	{Profile{Name: "visa-watch", TitleZH: "手表 Visa", TitleEN: "Visa watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
		Form: FormWatch, Account: "visa-watch"},
		&visaSpec{spec: spec{body: rangeVisaTokens + "16180339", psn: 0x02, label: "VISA", noKernel: true, fen: plenty, device: true}, version: cryptogram.VisaCVN17,
			keyOf: "unionpay-watch", form: visaWatchForm, policy: card.VisaPolicy{Policy: card.Policy{CDCVM: true}}}},
	{Profile{Name: "visa-phone-locked", TitleZH: "未解锁的手机 Visa", TitleEN: "Visa phone, locked", HintZH: "请先看手机", HintEN: "asks its holder to unlock it",
		Form: FormPhone, Account: "visa-phone"},
		&visaSpec{keyOf: "unionpay-phone", policy: card.VisaPolicy{Locked: true}}},
	{Profile{Name: "visa-cloned", TitleZH: "克隆 Visa 卡（终端识破）", TitleEN: "Visa clone, caught by the terminal", HintZH: "芯片密钥不对，终端拒绝", HintEN: "wrong chip key: refused at the terminal",
		Form: FormCard, Account: "visa"},
		&visaSpec{spec: spec{wrongICC: true}, keyOf: "unionpay-cloned"}},
}

// VisaProfiles are the Visa cards, phones and watches, in the order in which a desk shows them.
func VisaProfiles() []Profile {
	list := make([]Profile, 0, len(visas))
	for _, p := range visas {
		q := p.Profile
		q.spec = &p.visa.spec
		list = append(list, q)
	}
	return list
}

func visaByName(name string) (visaProfile, bool) {
	i := slices.IndexFunc(visas, func(p visaProfile) bool { return p.Name == name })
	if i < 0 {
		return visaProfile{}, false
	}
	return visas[i], true
}

// owner is the profile whose public data p carries: its own, except for clones and the locked phone.
func (p visaProfile) owner() visaProfile {
	o, _ := visaByName(p.Account) // a test checks that it is there
	return o
}

// VisaCAKeys are the CA keys that a terminal needs for these cards. The CA is the
// one of the UnionPay cards under Visa's RID.
func (i *Issuer) VisaCAKeys() []oda.CAKey {
	keys := i.CAKeys()
	for n := range keys {
		keys[n].RID = VisaRID
	}
	return keys
}

// VisaIMK is the issuer's master key of the cryptograms of these cards: 16 bytes, its first four "DEMO".
func (i *Issuer) VisaIMK() pay.Secret { return i.derivedIMK("visa cryptogram") }

// VisaScriptKey is the issuer's master key of script integrity.
func (i *Issuer) VisaScriptKey() pay.Secret { return i.derivedIMK("visa script integrity") }

// VisaAccounts are the accounts behind these cards, as Accounts are behind the others.
func (i *Issuer) VisaAccounts(pin func(profile string) string) []Account {
	var accounts []Account
	for _, p := range visas {
		if p.Account != p.Name {
			continue
		}
		pan, err := p.visa.pan()
		if err != nil {
			panic(fmt.Sprintf("perso: %s: %v", p.Name, err)) // a fault of the table above; a test checks it
		}
		accounts = append(accounts, Account{
			Profile: p.Name, PAN: pan, PSN: p.visa.sequence(), Expiry: i.expiry(&p.visa.spec).Format("0601"), Status: StatusOK,
			Balance: p.visa.fen, Currency: pay.CNY, PIN: pay.NewSecret([]byte(pin(p.Name))), PINTries: MaxPINTries, CDCVMDevice: p.visa.device,
		})
	}
	return accounts
}

// VisaCard makes the card of that name; it is Card's counterpart. An unknown name is an error.
func (i *Issuer) VisaCard(name string, state card.State, rand io.Reader) (Contactless, error) {
	data, err := i.VisaData(name)
	if err != nil {
		return nil, err
	}
	return card.NewVisa(data, state, rand)
}

// VisaData is what VisaCard personalises a card with, for tests that misbehave.
func (i *Issuer) VisaData(name string) (card.VisaData, error) {
	p, ok := visaByName(name)
	if !ok {
		return card.VisaData{}, fmt.Errorf("no Visa card is named %q", name)
	}
	data, err := i.visa(p)
	if err != nil {
		return card.VisaData{}, fmt.Errorf("card %s: %w", name, err)
	}
	return data, nil
}
