package issuer

import (
	"fmt"

	"huika/iso8583"
	"huika/iso8583/cup"
)

// Transaction is what a request asks for.
type Transaction byte

// Transactions. A record keeps the number: it never changes its meaning.
const (
	Sale             Transaction = 1 + iota // 消费
	Void                                    // 消费撤销
	Refund                                  // 退货
	PreAuth                                 // 预授权
	PreAuthCancel                           // 预授权撤销
	Completion                              // 预授权完成
	CompletionVoid                          // 预授权完成撤销
	CompletionAdvice                        // 预授权完成通知
	Balance                                 // 余额查询
)

// CompletionPercent bounds a completion by what was held: so much the issuer
// has promised to pay, even beyond the balance.
const CompletionPercent = 115

// claim is how much of its original a follow-up takes.
type claim byte

const (
	noClaim  claim = iota // stands alone, with the card's data
	whole                 // all of it, once
	part                  // any part of what is left
	complete              // once, up to CompletionPercent
)

// effect is what an approval does to the account, or to its original's effect.
type effect byte

const (
	asks    effect = iota // nothing
	debits                // the balance shrinks
	credits               // part of the original's debit is given back
	holds                 // the available balance shrinks
	frees                 // the original's hold ends
)

// rule is one transaction: how its request looks, and what it does.
type rule struct {
	transaction Transaction
	name        string
	mti         string
	processing  string // F3
	held        bool   // F25 is 06: about a pre-authorisation
	on          []Transaction
	claim       claim
	effect      effect
	wantsCode   bool   // needs the original's F38
	types       []byte // 9C that the card may have signed
}

// conditionHeld is F25 of everything about a pre-authorisation. Any other
// value, or none, is the ordinary condition.
const conditionHeld = "06"

var rules = [...]rule{
	{Sale, "sale", cup.MTIFinancial, "000000", false, nil, noClaim, debits, false, []byte{0x00}},
	{Void, "void", cup.MTIFinancial, "200000", false, []Transaction{Sale}, whole, credits, true, nil},
	{Refund, "refund", cup.MTIAdvice, "200000", false, []Transaction{Sale, Completion, CompletionAdvice}, part, credits, true, nil},
	{PreAuth, "pre-authorisation", cup.MTIAuthorisation, "030000", true, nil, noClaim, holds, false, []byte{0x00, 0x03}},
	{PreAuthCancel, "pre-authorisation cancel", cup.MTIAuthorisation, "200000", true, []Transaction{PreAuth}, whole, frees, false, nil},
	{Completion, "completion", cup.MTIFinancial, "000000", true, []Transaction{PreAuth}, complete, debits, true, nil},
	{CompletionVoid, "completion void", cup.MTIFinancial, "200000", true, []Transaction{Completion}, whole, credits, false, nil},
	{CompletionAdvice, "completion advice", cup.MTIAdvice, "000000", true, []Transaction{PreAuth}, complete, debits, false, nil},
	{Balance, "balance inquiry", cup.MTIFinancial, "310000", false, nil, noClaim, asks, false, []byte{0x31}},
}

// ruleOf is what a request asks for, or false.
func ruleOf(m *iso8583.Message) (rule, bool) {
	held := m.Get(25) == conditionHeld
	for _, r := range rules {
		if r.mti == m.MTI() && r.processing == m.Get(3) && r.held == held {
			return r, true
		}
	}
	return rule{}, false
}

// rule is the transaction's row; an unknown one has the zero rule.
func (x Transaction) rule() rule {
	if n := int(x) - 1; n >= 0 && n < len(rules) {
		return rules[n]
	}
	return rule{}
}

func (x Transaction) String() string {
	if r := x.rule(); r.name != "" {
		return r.name
	}
	return fmt.Sprintf("transaction %d", byte(x))
}

func (r rule) follows(x Transaction) bool {
	for _, on := range r.on {
		if on == x {
			return true
		}
	}
	return false
}
