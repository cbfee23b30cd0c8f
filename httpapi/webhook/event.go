package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/httpapi/wire"
	"huika/pay"
)

// Types are the events: what a row of the chain can be for.
var Types = []string{
	"sale", "fee", "refund", "fee_returned", "hold", "hold_released", "reversal",
	"payout", "paid_out", "payout_returned", "reserve_kept", "reserve_released", // of no payment
}

// Event is one row of a merchant's chain as a receiver sees it. Every field
// comes from what never changes, so that each try sends the same.
type Event struct {
	ID       string       `json:"id"` // of the row: the same event twice has the same one
	Type     string       `json:"type"`
	At       time.Time    `json:"at"`
	Merchant string       `json:"merchant"`
	Sequence uint64       `json:"sequence"` // its place in the merchant's chain
	Amount   wire.Money   `json:"amount"`   // what this row moved
	Debit    string       `json:"debit"`
	Credit   string       `json:"credit"`
	Payment  *PaymentFact `json:"payment,omitempty"` // none for payouts and reserves
}

// PaymentFact is what an event says of its payment.
type PaymentFact struct {
	Ref      string     `json:"ref"`
	ID       string     `json:"id,omitempty"`
	Kind     string     `json:"kind"`
	Terminal string     `json:"terminal"`
	Batch    string     `json:"batch"`
	STAN     string     `json:"stan"`
	RRN      string     `json:"rrn,omitempty"`
	Card     string     `json:"card,omitempty"` // first six and last four digits
	Amount   wire.Money `json:"amount"`
	Original string     `json:"original,omitempty"` // ref
}

func typeOf(t book.Transfer) string {
	if strings.HasPrefix(t.What, "reversal of ") {
		return "reversal"
	}
	return strings.ReplaceAll(t.What, " ", "_")
}

func eventOf(t book.Transfer, p payment.Payment) Event {
	e := Event{
		ID: "ev_" + encoding.EncodeToString(t.Hash[:16]), Type: typeOf(t), At: t.At, Merchant: string(t.Merchant), Sequence: t.Seq,
		Amount: wire.Amount(t.Amount.Minor, t.Amount.Currency), Debit: string(t.Debit), Credit: string(t.Credit),
	}
	if t.Payment.Kind == 0 {
		return e
	}
	e.Payment = &PaymentFact{
		Ref: wire.Ref(t.Payment), ID: string(p.ID), Kind: wire.Kind(t.Payment.Kind), Terminal: string(t.Payment.Terminal), Batch: t.Payment.Batch,
		STAN: t.Payment.STAN.String(), RRN: string(p.RRN), Card: p.MaskedPAN, Amount: wire.Amount(p.Amount.Minor, p.Amount.Currency),
	}
	if p.Original != (payment.Key{}) {
		e.Payment.Original = wire.Ref(p.Original)
	}
	return e
}

func (e Event) body() ([]byte, error) { return json.Marshal(e) }

// Headers of a delivery.
const (
	HeaderEvent     = "Huika-Event"     // the event's id
	HeaderSignature = "Huika-Signature" // t=SECONDS,v1=HEX
)

// Sign is the signature header of a body sent at a time: HMAC-SHA256 under the
// whole secret, as it was shown ("whs_…"), of the seconds since 1970, a dot,
// and the body.
func Sign(secret pay.Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, secret.Reveal())
	m.Write([]byte(t + "."))
	m.Write(body)
	return fmt.Sprintf("t=%s,v1=%s", t, hex.EncodeToString(m.Sum(nil)))
}

// Verify is what a receiver does: the signature fits, and is not older than
// tolerance (a replay).
func Verify(secret pay.Secret, header string, body []byte, now time.Time, tolerance time.Duration) bool {
	t, _, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",")
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return false
	}
	at := time.Unix(n, 0)
	return hmac.Equal([]byte(header), []byte(Sign(secret, at, body))) && now.Sub(at).Abs() <= tolerance
}
