package book

import (
	"maps"

	"huika/acquirer/payment"
	"huika/pay"
)

// Balances are credits less debits, in minor units.
type Balances map[pay.Currency]map[Account]int64

// Move books a posting.
func (b Balances) Move(p Posting) {
	of := b[p.Amount.Currency]
	if of == nil {
		of = map[Account]int64{}
		b[p.Amount.Currency] = of
	}
	of[p.Debit] -= p.Amount.Minor
	of[p.Credit] += p.Amount.Minor
}

// BatchTotals are what a batch (F60.2) comes to, in one currency's minor
// units, as field 48 of a settlement counts: debits are what the customers
// paid, credits what they got back.
type BatchTotals struct {
	Debits, Credits         int64
	DebitCount, CreditCount int
	Open                    int // unresolved payments: the batch can't be closed yet
}

// Add counts a payment of the batch. What was given back in the same batch
// counts on both sides, as the two slips do.
func (t *BatchTotals) Add(p payment.Payment) {
	if p.Key.Kind.Rule().Local {
		return // the settlement itself
	}
	if p.State.Unresolved() && p.State != payment.Forwarding {
		t.Open++
		return
	}
	switch p.State {
	case payment.Approved, payment.Undone, payment.Forwarding:
	default:
		return
	}
	switch p.Key.Kind.Rule().Moves {
	case payment.MovesSale, payment.MovesComplete:
		t.Debits += p.Amount.Minor
		t.DebitCount++
	case payment.MovesSaleBack:
		t.Credits += p.Amount.Minor
		t.CreditCount++
	}
}

// Clone is a copy that shares nothing.
func (b Balances) Clone() Balances {
	out := make(Balances, len(b))
	for c, of := range b {
		out[c] = maps.Clone(of)
	}
	return out
}

// Equal reports whether both hold the same; an account at zero is as good as none.
func (b Balances) Equal(o Balances) bool {
	return maps.EqualFunc(b.clean(), o.clean(), maps.Equal[map[Account]int64, map[Account]int64])
}

func (b Balances) clean() Balances {
	out := Balances{}
	for c, of := range b {
		for a, n := range of {
			if n != 0 {
				if out[c] == nil {
					out[c] = map[Account]int64{}
				}
				out[c][a] = n
			}
		}
	}
	return out
}
