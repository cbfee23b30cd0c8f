package book

import (
	"context"
	"time"

	"huika/acquirer/payment"
	"huika/pay"
)

// Move is a transfer that follows from no payment's state: a payout to the
// merchant's bank, a reserve kept or released. It names the place in its
// merchant's chain that it is made for, and so is applied once however often
// it is sent, without a key of its own to look up.
type Move struct {
	Merchant pay.MerchantID
	After    uint64 // Seq of the row that it goes behind, as its maker has seen the chain; 0: the first row
	At       time.Time
	Posting
}

// What a move is for.
const (
	WhatPayout   = "payout"           // merchant → transit: on its way to the merchant's bank
	WhatPaidOut  = "paid out"         // transit → bank: the bank has it
	WhatReturned = "payout returned"  // transit → merchant: the bank sent it back
	WhatReserve  = "reserve kept"     // merchant → reserve
	WhatRelease  = "reserve released" // reserve → merchant
)

// BankAccount is what has left the acquirer for merchants' banks.
const BankAccount Account = "bank"

// moveTable says which accounts each move may touch.
var moveTable = map[string]struct{ debit, credit func(pay.MerchantID) Account }{
	WhatPayout:   {MerchantAccount, TransitAccount},
	WhatPaidOut:  {TransitAccount, bank},
	WhatReturned: {TransitAccount, MerchantAccount},
	WhatReserve:  {MerchantAccount, ReserveAccount},
	WhatRelease:  {ReserveAccount, MerchantAccount},
}

func bank(pay.MerchantID) Account { return BankAccount }

// MoveOf is a move by the table.
func MoveOf(m pay.MerchantID, what string, amount pay.Money, after uint64, at time.Time) Move {
	row := moveTable[what]
	mv := Move{Merchant: m, After: after, At: at, Posting: Posting{Amount: amount, What: what}}
	if row.debit != nil {
		mv.Debit, mv.Credit = row.debit(m), row.credit(m)
	}
	return mv
}

// Key is what a move's row carries in place of a payment's key.
func (m Move) Key() payment.Key { return payment.Key{Merchant: m.Merchant} }

// Sound reports whether the table has such a move.
func (m Move) Sound() bool { return m.Amount.Minor > 0 && soundMove(m.Merchant, m.Posting) }

func soundMove(m pay.MerchantID, p Posting) bool {
	row, ok := moveTable[p.What]
	return ok && p.Debit == row.debit(m) && p.Credit == row.credit(m)
}

// LaneMoves is what one lane is asked to post, in order.
type LaneMoves struct {
	Lane  Lane
	Epoch uint64
	Moves []Move
}

// Poster books moves. Durable when it returns without error.
type Poster interface {
	// Post books each lane's moves in order, in one transaction per group. A
	// move's Result says Applied; Duplicate where the row behind After is this
	// very move; Stale where the chain has gone another way: read it and decide
	// anew; Refused where the table has no such move. Errors: as of Apply.
	Post(ctx context.Context, batches []LaneMoves) ([]LaneResult, error)
	// ChainEnd is where a merchant's chain ends, as a move's After needs it. Errors: ErrNotApplied, ctx's.
	ChainEnd(ctx context.Context, lane Lane, merchant pay.MerchantID) (uint64, error)
}

// DecideMove is the one rule by which every store posts a move: at is the row
// behind After where there is one.
func DecideMove(m Move, head Head, at func(seq uint64) (Transfer, error)) (Result, error) {
	switch {
	case !m.Sound():
		return Result{Status: Refused, Refusal: payment.Refusal{Code: "12", Why: "no such move between these accounts"}}, nil
	case m.After == head.Seq:
		return Result{Status: Applied}, nil
	case m.After > head.Seq:
		return Result{Status: Stale}, nil
	}
	t, err := at(m.After + 1)
	if err != nil {
		return Result{}, err
	}
	if t.Payment == m.Key() && t.Posting == m.Posting && t.At.Equal(m.At) {
		return Result{Status: Duplicate}, nil
	}
	return Result{Status: Stale}, nil
}
