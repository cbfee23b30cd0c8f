package issuer

import (
	"time"

	"huika/pay"
)

// Direction is which way an approval moves money: +1 into the customer's
// account, -1 out of it, 0 neither (a hold, or its end).
type Direction int8

// Directions.
const (
	Debit  Direction = -1
	Aside  Direction = 0
	Credit Direction = 1
)

// Entry is one approval. Balance inquiries leave none.
type Entry struct {
	Key       string // of the payment: see Key
	Kind      Transaction
	Direction Direction
	Original  string // key of what it follows; "" where it stands alone
	PAN       pay.PAN
	RRN       string
	AuthCode  string
	Amount    pay.Money // never negative
	Reversed  bool      // a 0420 undid it
	At        time.Time

	// Moved is what the entry does to the balance as things stand, in fen:
	// negative for a debit, zero once reversed, and for a credit also once its
	// original was reversed, which gave back what was left. Over all entries of
	// a card it makes the difference between its balance and the first one.
	Moved int64
	// Held is what the entry holds of the balance as things stand, in fen.
	Held int64
}

// Ledger lists every approval ever given, oldest first, reversed or not.
func (i *Issuer) Ledger() []Entry {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []Entry
	for _, key := range i.state.order {
		p := i.state.payments[key]
		r := p.decision.Transaction.rule()
		if p.decision.Kind != Decision || p.decision.Code != approved || r.effect == asks {
			continue
		}
		e := Entry{
			Key: key, Kind: r.transaction, Original: p.decision.Original, RRN: p.decision.RRN, AuthCode: i.state.authCode(key),
			Amount:   pay.Money{Minor: p.decision.Amount, Currency: i.config.Currency},
			Reversed: p.reversed, At: time.UnixMilli(p.decision.AtMS).UTC(), Held: p.hold(),
		}
		switch r.effect {
		case debits:
			e.Direction = Debit
		case credits:
			e.Direction = Credit
		}
		if p.stands() && (e.Direction == Debit || p.original != nil && p.original.stands()) {
			e.Moved = int64(e.Direction) * p.decision.Amount
		}
		if p.accountOf != nil {
			e.PAN = p.accountOf.PAN
		}
		out = append(out, e)
	}
	return out
}

// Balance is what the account of a card holds, holds included; ok is false where there is none.
func (i *Issuer) Balance(pan pay.PAN) (balance pay.Money, ok bool) {
	return i.amountOf(pan, func(a *account) int64 { return a.balance })
}

// Held is how much of a card's balance pre-authorisations hold: balance less
// that is available. ok is false where there is no such card.
func (i *Issuer) Held(pan pay.PAN) (held pay.Money, ok bool) {
	return i.amountOf(pan, func(a *account) int64 { return a.held })
}

func (i *Issuer) amountOf(pan pay.PAN, of func(*account) int64) (pay.Money, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	a := i.state.byPAN[pan.Reveal()]
	if a == nil {
		return pay.Money{}, false
	}
	return pay.Money{Minor: of(a), Currency: i.config.Currency}, true
}
