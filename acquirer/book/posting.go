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

// Posting is one transfer before it has its place in the chain.
type Posting struct {
	Debit, Credit Account
	Amount        pay.Money
	What          string // "sale", "reversal"
}

// postings is the table of bookings: what each kind of change moves.
func postings(t payment.Transition, p payment.Payment) []Posting {
	switch t.Postings {
	case payment.SalePostings:
		return []Posting{{ClearingAccount(p.Scheme), MerchantAccount(p.Key.Merchant), p.Amount, "sale"}}
	case payment.RefundOfSale:
		return []Posting{{MerchantAccount(p.Key.Merchant), ClearingAccount(p.Scheme), p.Amount, "reversal"}}
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
