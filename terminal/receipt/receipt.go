// Package receipt sets a payment's receipt: as text for a screen, as ESC/POS
// bytes for a printer, in Chinese and English. It stands after the end of a tap.
//
// It decides nothing and knows no payment flow: what it prints is in Data, and
// that holds no more of the card number than a receipt may show.
package receipt

import (
	"strings"
	"time"

	"golang.org/x/text/width"

	"huika/pay"
)

// Data is what a receipt prints. Empty values leave their line out.
type Data struct {
	Simulation   bool           `json:"simulation"`
	MerchantName string         `json:"merchant_name"`
	MerchantID   pay.MerchantID `json:"merchant_id"`
	TerminalID   pay.TerminalID `json:"terminal_id"`
	Approved     bool           `json:"approved"`
	Amount       pay.Money      `json:"amount"`
	Time         time.Time      `json:"time"` // in the shop's zone
	CardLabel    string         `json:"card_label"`
	MaskedPAN    string         `json:"masked_pan"`
	PSN          string         `json:"psn"`
	AID          string         `json:"aid"`  // hex
	ARQC         string         `json:"arqc"` // hex of 9F26
	TVR          string         `json:"tvr"`
	ATC          string         `json:"atc"`
	Batch        string         `json:"batch"`
	STAN         string         `json:"stan"`
	RRN          string         `json:"rrn"`
	AuthCode     string         `json:"auth_code"`
	Response     string         `json:"response"`
	CVM          string         `json:"cvm"`       // none, online_pin, cdcvm, signature
	FreeUpTo     pay.Money      `json:"free_upto"` // up to and including it no PIN and no signature are asked for
	// What happened and what to do, where the payment was not approved.
	SaysZH string `json:"says_zh"`
	SaysEN string `json:"says_en"`
}

// Columns of the two usual paper widths: 58 mm and 80 mm.
const (
	Narrow = 32
	Wide   = 48
)

type align byte

const (
	left align = iota
	centre
	right
)

// line is one line of the form, before it is set for a medium. A pair has a
// name at the left and a value at the right margin.
type line struct {
	text, value string
	pair        bool
	at          align
	big         bool // double width and height
	rule        bool
}

func form(d Data, lang string) []line {
	t := func(zh, en string) string {
		if lang == "zh" {
			return zh
		}
		return en
	}
	var ls []line
	say := func(text string, at align) {
		if text != "" {
			ls = append(ls, line{text: text, at: at})
		}
	}
	pair := func(name, value string) {
		if value != "" {
			ls = append(ls, line{text: name, value: value, pair: true})
		}
	}
	rule := func() { ls = append(ls, line{rule: true}) }

	if d.Simulation {
		say(t("*** 模拟交易 SIMULATION ***", "*** SIMULATION ***"), centre)
	}
	ls = append(ls, line{text: t("签购单", "SALES RECEIPT"), at: centre, big: true})
	rule()
	pair(t("商户", "Merchant"), d.MerchantName)
	pair(t("商户号", "Merchant ID"), string(d.MerchantID))
	pair(t("终端号", "Terminal ID"), string(d.TerminalID))
	rule()
	pair(t("交易类型", "Transaction"), t("消费", "SALE"))
	pair(t("日期时间", "Date/time"), d.Time.Format("2006-01-02 15:04:05"))
	pair(t("卡种", "Card"), d.CardLabel)
	pair(t("卡号", "Card number"), d.MaskedPAN)
	pair(t("卡序号", "Card seq."), d.PSN)
	pair(t("批次号", "Batch"), d.Batch)
	pair(t("凭证号", "Trace"), d.STAN)
	pair(t("参考号", "RRN"), d.RRN)
	pair(t("授权码", "Auth code"), d.AuthCode)
	rule()
	say(t("金额", "AMOUNT"), left)
	ls = append(ls, line{text: amount(d.Amount), at: right, big: true})
	if d.Approved {
		say(t("交易成功", "APPROVED"), centre)
		verification(d, t, say)
	} else {
		say(t("交易未成功", "NOT PAID"), centre)
		say(t(d.SaysZH, d.SaysEN), left)
		pair(t("应答码", "Response"), d.Response)
	}
	rule()
	pair("AID", d.AID)
	pair("ARQC", d.ARQC)
	pair("ATC", d.ATC)
	pair("TVR", d.TVR)
	if d.Simulation {
		say(t("*** 模拟交易,非真实扣款 ***", "** SIMULATION: no money moved **"), centre)
	}
	return ls
}

func verification(d Data, t func(zh, en string) string, say func(string, align)) {
	switch d.CVM {
	case "none":
		if d.FreeUpTo.Minor > 0 && d.Amount.Currency == d.FreeUpTo.Currency && d.Amount.Minor <= d.FreeUpTo.Minor {
			say(t("交易金额未超过"+d.FreeUpTo.Decimal()+"元,免密免签", "Not above "+d.FreeUpTo.String()+": no PIN, no signature required"), left)
		}
	case "online_pin":
		say(t("已验证密码,无需签名", "PIN verified, no signature required"), left)
	case "cdcvm":
		say(t("持卡人已在设备上验证,免密免签", "Cardholder verified on device, no signature required"), left)
	case "signature":
		say(t("持卡人签名:", "Cardholder signature:"), left)
		say("", left)
		say("______________________", left)
		say(t("本人确认以上交易,同意将其计入本卡账户", "I agree to pay the above amount"), left)
	}
}

func amount(m pay.Money) string {
	if m.Currency == pay.CNY {
		return "RMB " + m.Decimal()
	}
	return m.Currency.Alpha() + " " + m.Decimal()
}

// Text is the receipt as lines of at most columns cells; a Chinese character
// takes two. lang is "zh" or "en". columns below 16 count as 16.
func Text(d Data, lang string, columns int) string {
	columns = max(columns, 16)
	var b strings.Builder
	for _, l := range form(d, lang) {
		for _, s := range set(l, columns) {
			b.WriteString(strings.TrimRight(s, " "))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// set fits one line of the form into lines of columns cells.
func set(l line, columns int) []string {
	switch {
	case l.rule:
		return []string{strings.Repeat("-", columns)}
	case !l.pair:
		var out []string
		for _, s := range wrap(l.text, columns) {
			out = append(out, pad(s, columns, l.at))
		}
		return out
	case cells(l.text)+1+cells(l.value) <= columns:
		return []string{l.text + strings.Repeat(" ", columns-cells(l.text)-cells(l.value)) + l.value}
	}
	out := []string{l.text}
	for _, s := range wrap(l.value, columns) {
		out = append(out, pad(s, columns, right))
	}
	return out
}

func pad(s string, columns int, at align) string {
	free := max(columns-cells(s), 0)
	switch at {
	case centre:
		return strings.Repeat(" ", free/2) + s
	case right:
		return strings.Repeat(" ", free) + s
	}
	return s
}

// wrap breaks at spaces where it can, between any two cells otherwise.
func wrap(s string, columns int) []string {
	var out []string
	for cells(s) > columns {
		at, space, n := 0, 0, 0
		for i, r := range s {
			if n += runeCells(r); n > columns {
				break
			}
			if at = i + len(string(r)); r == ' ' {
				space = at
			}
		}
		if space > 0 {
			at = space
		}
		out = append(out, strings.TrimRight(s[:at], " "))
		s = s[at:]
	}
	return append(out, s)
}

func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
