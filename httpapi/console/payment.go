package console

import (
	"net/http"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/httpapi/guard"
	"huika/httpapi/wire"
)

// Money is an amount on the wire.
type Money = wire.Money

var money = wire.Amount

// Payment is one payment of the books. It never holds more of the card number
// than the first six and last four digits.
type Payment struct {
	Ref      string    `json:"ref" doc:"names the payment in this API; opaque" maxLength:"128"`
	ID       string    `json:"id,omitempty" doc:"the id that the terminal, or the asker, gave it"`
	Merchant string    `json:"merchant" doc:"F42"`
	Terminal string    `json:"terminal" doc:"F41"`
	Batch    string    `json:"batch" doc:"F60.2; of a payment made at the acquirer, a batch of its own that begins with A"`
	STAN     string    `json:"stan" doc:"F11"`
	Kind     string    `json:"kind" enum:"sale,void,refund,preauth,preauth_cancel,completion,completion_void,completion_advice,balance,settlement"`
	State    string    `json:"state" enum:"admitted,approved,declined,reversing,reversed,tombstone,undone,used,forwarding,abandoned"`
	Open     bool      `json:"open" doc:"somebody still has to finish it; the host does so by itself"`
	Amount   Money     `json:"amount"`
	Card     string    `json:"card,omitempty" doc:"first six and last four digits" example:"622848******1234"`
	RRN      string    `json:"rrn,omitempty" doc:"F37"`
	Scheme   string    `json:"scheme,omitempty"`
	Entry    string    `json:"entry,omitempty" doc:"F22"`
	CVM      string    `json:"cvm,omitempty" doc:"as the terminal claims it: none, online_pin, cdcvm, signature"`
	Response string    `json:"response,omitempty" doc:"F39"`
	AuthCode string    `json:"auth_code,omitempty" doc:"F38"`
	Reversal string    `json:"reversal_reason,omitempty" doc:"F39 of its reversal: 98, 96, A0 or 06"`
	Admitted time.Time `json:"admitted"`
	Updated  time.Time `json:"updated"`
	Original string    `json:"original,omitempty" doc:"ref of the payment that this one follows"`
	Given    Money     `json:"given_back" doc:"what approved follow-ups have taken of it"`
	Pending  Money     `json:"pending_back" doc:"what open follow-ups claim of it"`
	Fee      Money     `json:"fee" doc:"what the merchant pays for it, or gets back by it"`
	FeeRule  string    `json:"fee_rule,omitempty"`
	Hold     Money     `json:"hold" doc:"what it puts on hold, or frees"`
}

func show(p payment.Payment) Payment {
	c := p.Amount.Currency
	out := Payment{
		Ref: wire.Ref(p.Key), ID: string(p.ID), Merchant: string(p.Key.Merchant), Terminal: string(p.Key.Terminal), Batch: p.Key.Batch, STAN: p.Key.STAN.String(),
		Kind: wire.Kind(p.Key.Kind), State: p.State.String(), Open: p.Open(), Amount: money(p.Amount.Minor, c), Card: p.MaskedPAN, RRN: string(p.RRN),
		Scheme: p.Scheme, Entry: p.Entry, CVM: p.CVM, Response: p.Response, AuthCode: p.AuthCode, Reversal: p.ReversalReason,
		Admitted: p.Admitted, Updated: p.Updated, Given: money(p.Taken, c), Pending: money(p.Held, c), Fee: money(p.Fee, c), FeeRule: p.FeeRule, Hold: money(p.Hold, c),
	}
	if p.Original != (payment.Key{}) {
		out.Original = wire.Ref(p.Original)
	}
	return out
}

func showAll(found []book.Found) []Payment {
	out := make([]Payment, len(found))
	for i, f := range found {
		out[i] = show(f.Payment)
	}
	return out
}

// keyOf reads a ref.
func keyOf(ref string) (payment.Key, error) {
	k, err := wire.ParseRef(ref)
	if err != nil {
		return k, guard.NewProblem(http.StatusUnprocessableEntity, "payment_ref", "this is not a payment's ref", "use the ref that a search gave")
	}
	return k, nil
}
