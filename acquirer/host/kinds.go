package host

import (
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/iso8583/scheme"
)

// transaction is how one kind of payment stands in the two dialects.
type transaction struct {
	pos  string // name in pos.Kinds
	kind payment.Kind
	asks scheme.Transaction // of the scheme
}

var transactions = []transaction{
	{"sale", payment.Sale, scheme.Sale},
	{"void", payment.Void, scheme.Void},
	{"refund", payment.Refund, scheme.Refund},
	{"pre-authorisation", payment.PreAuth, scheme.PreAuth},
	{"pre-authorisation cancel", payment.PreAuthCancel, scheme.PreAuthCancel},
	{"completion", payment.Completion, scheme.Completion},
	{"completion void", payment.CompletionVoid, scheme.CompletionVoid},
	{"completion advice", payment.CompletionAdvice, scheme.CompletionAdvice},
	{"balance", payment.Balance, scheme.Balance},
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

// entryModes are the first two digits of a terminal's F22.
var entryModes = map[string]scheme.Entry{
	pos.EntryManual: scheme.Manual, pos.EntryStripe: scheme.Stripe, pos.EntryQR: scheme.Scan, pos.EntryContact: scheme.Chip,
	pos.EntryContactless: scheme.Contactless, "90": scheme.Stripe, "91": scheme.ContactlessStripe,
}

// entryOf reads F22 as a terminal writes it.
func entryOf(f22 string) (scheme.Entry, scheme.PINEntry) {
	if len(f22) != 3 {
		return 0, 0
	}
	pin := scheme.PINUnspecified
	switch f22[2:] {
	case pos.PINEntered:
		pin = scheme.PINYes
	case pos.PINNotEntered:
		pin = scheme.PINNo
	}
	return entryModes[f22[:2]], pin
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
