package issuer

import (
	"strconv"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/pay"
)

// judgeFollow makes every check of a request that follows an earlier one
// without its card. It changes nothing. Neither the card's status nor the
// balance is asked: what was promised or taken is settled.
func (i *Issuer) judgeFollow(m *iso8583.Message, r rule) (v verdict) {
	f, bad := parseFollow(m, r)
	if bad != "" {
		return v.refuse(codeFormat, bad)
	}
	v.amount = f.amount
	key, o := i.state.find(f.original, m.Get(41), m.Get(42))
	switch {
	case o == nil:
		return v.refuse(codeUnknown, "original unknown")
	case o.decision.Kind != Decision || o.entombed:
		return v.refuse(codeTransaction, "the original was reversed before it came")
	case o.decision.Code != approved:
		return v.refuse(codeTransaction, "the original was declined")
	}
	v.original = key
	is := o.decision.Transaction.rule()
	switch {
	case i.state.byPAN[f.pan] != o.accountOf: // an approval has an account
		return v.refuse(codeCard, "another card than the original's")
	case is.mti != f.original.MTI || !r.follows(is.transaction):
		return v.refuse(codeTransaction, "the original is of another kind")
	case f.code != "" && f.code != i.state.authCode(key):
		return v.refuse(codeUnknown, "not the original's authorisation code")
	case f.currency != i.config.Currency:
		return v.refuse(codeTransaction, "another currency than the card's")
	case f.amount == 0:
		return v.refuse(codeAmount, "F4 is zero")
	}
	v.account = o.accountOf
	if code, reason := o.claimable(r.claim, f.amount); code != "" {
		return v.refuse(code, reason)
	}
	if i.forced != "" && r.transaction != CompletionAdvice { // an advice tells, it does not ask
		return v.refuse(i.forced, "forced by command")
	}
	v.code, v.reason = approved, "approved"
	return v
}

// claimable says why a follow-up can't take that much of o as it stands; "" if it can.
func (o *payment) claimable(c claim, amount int64) (code, reason string) {
	switch {
	case o.reversed:
		return codeTransaction, "the original was reversed"
	case o.closed:
		return codeTransaction, "the original was given back or completed"
	case c == whole && o.credited != 0:
		return codeTransaction, "the original was refunded in part"
	case c == whole && amount != o.decision.Amount:
		return codeOriginalAmount, "another amount than the original's"
	case c == part && amount > o.decision.Amount-o.credited:
		return codeOriginalAmount, "more than is left of the original"
	case c == complete && amount > o.decision.Amount*CompletionPercent/100: // at most twelve digits: can't overflow
		return codeOriginalAmount, "more than may be completed of the hold"
	}
	return "", ""
}

// follow is what the checks need of a follow-up.
type follow struct {
	pan      string
	amount   int64
	currency pay.Currency
	code     string // F38, may be ""
	original cup.Original
}

// parseFollow takes a follow-up apart. bad names the field that is missing or malformed.
func parseFollow(m *iso8583.Message, r rule) (f follow, bad string) {
	pan, err := pay.ParsePAN(m.Get(2))
	if err != nil {
		return f, "F2 is not a card number"
	}
	f.pan = pan.Reveal()
	if f.amount, err = strconv.ParseInt(m.Get(4), 10, 64); err != nil || f.amount < 0 || f.amount > pay.MaxMinor {
		return f, "F4 is not an amount"
	}
	if f.currency, err = pay.ParseCurrency(m.Get(49)); err != nil {
		return f, "F49 is not a currency"
	}
	if f.code = m.Get(38); f.code == "" && r.wantsCode {
		return f, "F38 is missing"
	}
	if f.original, err = cup.ParseOriginal(m.Get(90)); err != nil || !reversible(f.original.MTI) {
		return f, "F90 is missing or malformed"
	}
	return f, ""
}
