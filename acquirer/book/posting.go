package book

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"huika/acquirer/payment"
	"huika/pay"
)

// Account names one account: "merchant:…", "clearing:…". Balances are credits
// less debits: a merchant's balance is what the acquirer owes it, a clearing
// account's is negative by what the scheme owes the acquirer.
type Account string

// MerchantAccount is what the acquirer owes the merchant.
func MerchantAccount(m pay.MerchantID) Account { return Account("merchant:" + string(m)) }

// ClearingAccount is what passes between the acquirer and a scheme.
func ClearingAccount(scheme string) Account { return Account("clearing:" + scheme) }

// FeeAccount is what merchants have paid the acquirer for its service.
const FeeAccount Account = "fees"

// ReserveAccount is what is kept back from a merchant for a while.
func ReserveAccount(m pay.MerchantID) Account { return Account("reserve:" + string(m)) }

// TransitAccount is what has left a merchant's account and not arrived yet:
// a payout under way, a share on its way to another lane.
func TransitAccount(m pay.MerchantID) Account { return Account("transit:" + string(m)) }

// HoldAccount and HeldAccount are a pair of memo accounts: what
// pre-authorisations hold for a merchant, and on a scheme's cards. No money
// stands behind them yet.
func HoldAccount(m pay.MerchantID) Account { return Account("hold:" + string(m)) }

// HeldAccount is HoldAccount's other side.
func HeldAccount(scheme string) Account { return Account("held:" + scheme) }

// Posting is one transfer before it has its place in the chain.
type Posting struct {
	Debit, Credit Account
	Amount        pay.Money
	What          string // one of the What names
}

// What a transfer is for.
const (
	WhatSale       = "sale"
	WhatFee        = "fee"
	WhatRefund     = "refund"
	WhatFeeBack    = "fee returned"
	WhatHold       = "hold"
	WhatHoldBack   = "hold released"
	whatUndoPrefix = "reversal of "
)

// line is one row of the posting table: which accounts, how much, what for.
type line struct {
	debit, credit func(payment.Payment) Account
	amount        func(payment.Payment) int64
	what          string
}

// postingTable is what each kind's approval moves.
var postingTable = map[payment.Moves][]line{
	payment.MovesSale:     {{clearing, merchant, amount, WhatSale}, {merchant, fees, fee, WhatFee}},
	payment.MovesSaleBack: {{merchant, clearing, amount, WhatRefund}, {fees, merchant, fee, WhatFeeBack}},
	payment.MovesHold:     {{held, holds, hold, WhatHold}},
	payment.MovesHoldBack: {{holds, held, hold, WhatHoldBack}},
	payment.MovesComplete: {{holds, held, hold, WhatHoldBack}, {clearing, merchant, amount, WhatSale}, {merchant, fees, fee, WhatFee}},
}

func clearing(p payment.Payment) Account { return ClearingAccount(p.Scheme) }
func merchant(p payment.Payment) Account { return MerchantAccount(p.Key.Merchant) }
func fees(payment.Payment) Account       { return FeeAccount }
func holds(p payment.Payment) Account    { return HoldAccount(p.Key.Merchant) }
func held(p payment.Payment) Account     { return HeldAccount(p.Scheme) }
func amount(p payment.Payment) int64     { return p.Amount.Minor }
func fee(p payment.Payment) int64        { return p.Fee }
func hold(p payment.Payment) int64       { return p.Hold }

// moves is what the payment's approval books.
func moves(p payment.Payment) []Posting {
	lines := postingTable[p.Key.Kind.Rule().Moves]
	out := make([]Posting, 0, len(lines))
	for _, l := range lines {
		if n := l.amount(p); n != 0 {
			out = append(out, Posting{l.debit(p), l.credit(p), pay.Money{Minor: n, Currency: p.Amount.Currency}, l.what})
		}
	}
	return out
}

// inverse is what undoes them: each line the other way round, the last first.
func inverse(ps []Posting) []Posting {
	out := make([]Posting, 0, len(ps))
	for i := len(ps) - 1; i >= 0; i-- {
		p := ps[i]
		out = append(out, Posting{p.Credit, p.Debit, p.Amount, whatUndoPrefix + p.What})
	}
	return out
}

// booked is what a transition of p books.
func booked(t payment.Transition, p payment.Payment) []Posting {
	switch t.Books {
	case payment.BooksMoves:
		return moves(p)
	case payment.BooksInverse:
		return inverse(moves(p))
	}
	return nil
}

// Hash is SHA-256.
type Hash [32]byte

// Transfer is one immutable row of the ledger: both legs in one, at its place
// in its merchant's chain.
type Transfer struct {
	Lane     Lane
	Merchant pay.MerchantID
	Seq      uint64 // 1, 2, 3 … within the merchant
	Payment  payment.Key
	Posting
	At   time.Time // UTC, milliseconds
	Prev Hash      // hash of Seq-1, zero for the first
	Hash Hash
}

// Head is the end of a merchant's chain.
type Head struct {
	Seq  uint64
	Hash Hash
}

// Chain gives a posting its place behind head.
func Chain(lane Lane, key payment.Key, p Posting, at time.Time, head Head) Transfer {
	t := Transfer{Lane: lane, Merchant: key.Merchant, Seq: head.Seq + 1, Payment: key, Posting: p, At: at, Prev: head.Hash}
	t.Hash = t.Sum()
	return t
}

// Sum is the row's hash: SHA-256 over the previous hash and every field, each
// string with its length before it, so that no two rows share an image.
func (t Transfer) Sum() Hash {
	b := make([]byte, 0, 256)
	b = append(b, "huika transfer 1\x00"...)
	b = append(b, t.Prev[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(t.Lane))
	b = binary.BigEndian.AppendUint64(b, t.Seq)
	for _, s := range [...]string{string(t.Merchant), string(t.Payment.Terminal), t.Payment.Batch, string(t.Debit), string(t.Credit), t.What} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(t.Payment.STAN))
	b = append(b, byte(t.Payment.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(t.Amount.Minor))
	b = binary.BigEndian.AppendUint16(b, uint16(t.Amount.Currency))
	b = binary.BigEndian.AppendUint64(b, uint64(t.At.UnixMilli()))
	return sha256.Sum256(b)
}

// IsMerchant reports whether the account is a merchant's.
func (a Account) IsMerchant() bool { return strings.HasPrefix(string(a), "merchant:") }
