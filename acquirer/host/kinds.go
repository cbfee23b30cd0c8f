package host

import (
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
)

// transaction is how one kind of payment stands in the two dialects.
type transaction struct {
	pos  string // name in pos.Kinds
	kind payment.Kind
	mti  string // towards the scheme
}

var transactions = []transaction{
	{"sale", payment.Sale, cup.MTIFinancial},
	{"void", payment.Void, cup.MTIFinancial},
	{"refund", payment.Refund, cup.MTIAdvice},
	{"pre-authorisation", payment.PreAuth, cup.MTIAuthorisation},
	{"pre-authorisation cancel", payment.PreAuthCancel, cup.MTIAuthorisation},
	{"completion", payment.Completion, cup.MTIFinancial},
	{"completion void", payment.CompletionVoid, cup.MTIFinancial},
	{"completion advice", payment.CompletionAdvice, cup.MTIAdvice},
	{"balance", payment.Balance, cup.MTIFinancial},
}

// shape is the request that a terminal makes of this kind: its processing code and condition.
func (t transaction) shape() pos.Kind {
	for _, k := range pos.Kinds {
		if k.Name == t.pos {
			return k
		}
	}
	return pos.Kind{}
}

// transactionOf is what a terminal's request asks for, or false.
func transactionOf(m *iso8583.Message) (transaction, bool) {
	k, ok := pos.KindOf(m)
	if !ok {
		return transaction{}, false
	}
	for _, t := range transactions {
		if t.pos == k.Name {
			return t, true
		}
	}
	return transaction{}, false
}

// reversedBy is the kind that a reversal means: it repeats the original's F3 and F60.1.
func reversedBy(m *iso8583.Message, f60 pos.F60) (transaction, bool) {
	for _, t := range transactions {
		if s := t.shape(); s.Type == f60.Type && s.Processing == m.Get(3) && t.kind.Rule().Reversible {
			return t, true
		}
	}
	return transaction{}, false
}

// ofKind is a kind's row.
func ofKind(k payment.Kind) transaction {
	for _, t := range transactions {
		if t.kind == k {
			return t
		}
	}
	return transaction{}
}
