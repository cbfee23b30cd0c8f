package perso

import (
	"fmt"
	"slices"

	"huika/card"
	"huika/pay"
)

// Form is what a card looks like on the desk.
type Form string

// Forms.
const (
	FormCard  Form = "card"
	FormPhone Form = "phone"
	FormWatch Form = "watch"
	FormThing Form = "thing" // no payment card
)

// Profile is one card by name, with the words that a screen shows for it.
type Profile struct {
	Name             string
	TitleZH, TitleEN string
	HintZH, HintEN   string // what it is for, in a few words
	Form             Form
	Account          string // the profile whose account it draws on; "" for things

	spec *spec // behind a pointer, so that printing a Profile shows no card number
}

// spec is what personalisation needs beyond the words.
type spec struct {
	body     string // card number without its check digit
	psn      byte   // BCD
	aid      byte   // last byte of the UnionPay AID: 01 debit, 02 credit
	label    string // 50
	name     string // 9F12
	noKernel bool   // directory entry without 9F2A
	sendCID  bool
	expired  bool
	blocked  bool
	fen      int64 // balance
	device   bool  // par and form factor
	policy   card.Policy
	// wrongICC signs with a key that its certificate does not hold. Where wrongUDK is clear the
	// cryptogram is good nevertheless: only the terminal's fDDA stands between that clone and
	// the money, so that a terminal that forgets it fails tests.
	wrongICC bool
	wrongUDK bool // makes cryptograms under a key that the issuer never made
}

// Balances in fen. Plenty serves long demonstrations at amounts above 1000.00.
const (
	plenty   = 100_000_00
	ordinary = 10_000_00
	poor     = 5_00
)

// Card numbers: two ranges of this project under 62999, one for cards and one for tokens
// of phones and watches. They belong to no issuer that we know of, and live
// mode refuses the CA above them.
const (
	rangeCards  = "6299990"
	rangeTokens = "6299995"
	issuerID    = "62999" // what the issuer certificate names of the PAN
)

const (
	debit  = 0x01
	credit = 0x02
)

var profiles = []Profile{
	{Name: "unionpay-debit", TitleZH: "银联借记卡", TitleEN: "UnionPay debit card", HintZH: "小额免密，大额输密码", HintEN: "no PIN for small amounts, online PIN above",
		Form: FormCard, Account: "unionpay-debit",
		spec: &spec{body: rangeCards + "13570246891", psn: 0x01, aid: debit, label: "PBOC DEBIT", fen: plenty}},
	{Name: "unionpay-credit", TitleZH: "银联信用卡", TitleEN: "UnionPay credit card", HintZH: "16 位卡号，可签名", HintEN: "16 digits, takes a signature where there is no PIN pad",
		Form: FormCard, Account: "unionpay-credit",
		spec: &spec{body: rangeCards + "24681357", psn: 0x00, aid: credit, label: "PBOC CREDIT", name: "UnionPay Credit", sendCID: true, fen: plenty, policy: card.Policy{Signature: true}}},
	{Name: "unionpay-phone", TitleZH: "手机闪付", TitleEN: "UnionPay phone", HintZH: "手机已验证持卡人，不输密码", HintEN: "the phone verified its holder: no PIN",
		Form: FormPhone, Account: "unionpay-phone",
		spec: &spec{body: rangeTokens + "30415926", psn: 0x01, aid: credit, label: "UNIONPAY", fen: plenty, device: true, policy: card.Policy{CDCVM: true}}},
	{Name: "unionpay-watch", TitleZH: "手表闪付", TitleEN: "UnionPay watch", HintZH: "戴在手上已解锁，不输密码", HintEN: "unlocked on the wrist: no PIN",
		Form: FormWatch, Account: "unionpay-watch",
		spec: &spec{body: rangeTokens + "27182818284", psn: 0x02, aid: debit, label: "UNIONPAY", noKernel: true, fen: plenty, device: true, policy: card.Policy{CDCVM: true}}},
	{Name: "unionpay-pin-always", TitleZH: "每笔输密码的卡", TitleEN: "Card that always asks for the PIN", HintZH: "任何金额都要联机密码", HintEN: "asks for the online PIN at any amount",
		Form: FormCard, Account: "unionpay-pin-always",
		spec: &spec{body: rangeCards + "3141592653", psn: 0x01, aid: debit, label: "PBOC DEBIT", fen: ordinary, policy: card.Policy{PINAlways: true}}},
	{Name: "unionpay-expired", TitleZH: "过期卡", TitleEN: "Expired card", HintZH: "有效期已过，终端拒绝", HintEN: "past its date: declined at the terminal",
		Form: FormCard, Account: "unionpay-expired",
		spec: &spec{body: rangeCards + "86420975318", psn: 0x01, aid: debit, label: "PBOC DEBIT", expired: true, fen: ordinary}},
	{Name: "unionpay-blocked", TitleZH: "受限卡", TitleEN: "Restricted card", HintZH: "发卡行答 62", HintEN: "the issuer answers 62",
		Form: FormCard, Account: "unionpay-blocked",
		spec: &spec{body: rangeCards + "161803398", psn: 0x01, aid: debit, label: "PBOC DEBIT", noKernel: true, blocked: true, fen: ordinary}},
	{Name: "unionpay-poor", TitleZH: "余额不足的卡", TitleEN: "Card with 5.00 left", HintZH: "余额 5.00，发卡行答 51", HintEN: "balance 5.00: the issuer answers 51",
		Form: FormCard, Account: "unionpay-poor",
		spec: &spec{body: rangeCards + "57721566490", psn: 0x01, aid: debit, label: "PBOC DEBIT", fen: poor}},
	{Name: "unionpay-cloned", TitleZH: "克隆卡（终端识破）", TitleEN: "Clone, caught by the terminal", HintZH: "数据是抄的，芯片密钥不对，终端拒绝", HintEN: "copied data, wrong chip key: declined at the terminal",
		Form: FormCard, Account: "unionpay-debit",
		spec: &spec{wrongICC: true}},
	{Name: "unionpay-cloned-online", TitleZH: "克隆卡（发卡行识破）", TitleEN: "Clone, caught by the issuer", HintZH: "要求联机，密文不对，发卡行拒绝", HintEN: "asks to go online, wrong cryptogram: refused by the issuer",
		Form: FormCard, Account: "unionpay-debit",
		spec: &spec{wrongICC: true, wrongUDK: true, policy: card.Policy{OnlineIfODAFails: true}}},
	{Name: "transit", TitleZH: "公交卡", TitleEN: "Transit card", HintZH: "不是支付卡", HintEN: "not a payment card", Form: FormThing, spec: &spec{}},
	{Name: "staff", TitleZH: "员工卡", TitleEN: "Staff card", HintZH: "不是支付卡", HintEN: "not a payment card", Form: FormThing, spec: &spec{}},
	{Name: "dead", TitleZH: "坏卡", TitleEN: "Dead chip", HintZH: "没有应答", HintEN: "does not answer", Form: FormThing, spec: &spec{}},
}

// Profiles are all cards and things, in the order in which a desk shows them.
func Profiles() []Profile { return slices.Clone(profiles) }

// ProfileByName finds one; false where there is none of that name.
func ProfileByName(name string) (Profile, bool) {
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return profiles[i], true
}

// victim is the specification of the card whose public data p carries: its own, except for clones.
func (p Profile) victim() *spec {
	if p.spec.body != "" {
		return p.spec
	}
	v, _ := ProfileByName(p.Account) // a test checks that it is there
	return v.spec
}

// pan is the card number with its check digit.
func (s *spec) pan() (pay.PAN, error) {
	return pay.ParsePAN(s.body + string(pay.LuhnDigit(s.body)))
}

func (s *spec) sequence() string { return fmt.Sprintf("%02X", s.psn) }
