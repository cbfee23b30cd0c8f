package webhook

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
)

type (
	paymentKey = payment.Key
	paymentRow = payment.Payment
)

// Types are the events: what a row of the chain can be for.
var Types = []string{"sale", "fee", "refund", "fee_returned", "hold", "hold_released", "reversal"}

var _ = hex.EncodeToString
var _ = json.Marshal
var _ time.Time
var _ book.Hash
