// Package wire is how payments are written in our APIs: amounts, the words for
// kinds and states, and the ref that names a payment in a URL.
//
// It shows and reads; it decides nothing.
package wire

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"huika/acquirer/payment"
	"huika/pay"
)

// Money is an amount on the wire: never a float.
type Money struct {
	Amount   string `json:"amount" doc:"decimal with the currency's places" example:"88.80"`
	Currency string `json:"currency" doc:"ISO 4217, three letters" example:"CNY"`
}

// Amount writes minor units of a currency.
func Amount(minor int64, c pay.Currency) Money {
	m := pay.Money{Minor: minor, Currency: c}
	return Money{m.Decimal(), c.Alpha()}
}

// kinds are the stable words for kinds of payment, in the order of payment.Rules.
var kinds = [...]string{
	"sale", "void", "refund", "preauth", "preauth_cancel", "completion", "completion_void", "completion_advice", "balance", "settlement",
}

// Kind is the word for a kind, "" for none.
func Kind(k payment.Kind) string {
	if i := int(k) - 1; i >= 0 && i < len(kinds) {
		return kinds[i]
	}
	return ""
}

// ParseKind reads the word.
func ParseKind(word string) (payment.Kind, bool) {
	for i, w := range kinds {
		if w == word {
			return payment.Kind(i + 1), true
		}
	}
	return 0, false
}

// ParseState reads the word for a state, which is its own name.
func ParseState(word string) (payment.State, bool) {
	for s := payment.Admitted; s <= payment.Abandoned; s++ {
		if s.String() == word {
			return s, true
		}
	}
	return payment.None, false
}

// Mark separates the parts of refs and cursors: no field of a message holds it.
const Mark = "\x1f"

// Ref names a payment in URLs: its key, so that it is found without a search.
func Ref(k payment.Key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join([]string{
		string(k.Merchant), string(k.Terminal), k.Batch, strconv.FormatUint(uint64(k.STAN), 10), strconv.Itoa(int(k.Kind)),
	}, Mark)))
}

// ErrRef says that something is not a ref.
var ErrRef = errors.New("not a payment's ref")

// ParseRef reads what Ref wrote.
func ParseRef(ref string) (payment.Key, error) {
	b, err := base64.RawURLEncoding.DecodeString(ref)
	parts := strings.Split(string(b), Mark)
	if err != nil || len(parts) != 5 {
		return payment.Key{}, ErrRef
	}
	stan, serr := strconv.ParseUint(parts[3], 10, 20)
	kind, kerr := strconv.ParseUint(parts[4], 10, 8)
	if serr != nil || kerr != nil {
		return payment.Key{}, ErrRef
	}
	return payment.Key{
		Merchant: pay.MerchantID(parts[0]), Terminal: pay.TerminalID(parts[1]), Batch: parts[2], STAN: pay.STAN(stan), Kind: payment.Kind(kind),
	}, nil
}
