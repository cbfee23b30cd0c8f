package book

import (
	"cmp"

	"huika/acquirer/payment"
)

// UnresolvedPage is the most payments that one call of Unresolved returns.
const UnresolvedPage = 256

// Less is key order: merchant, terminal, batch, STAN, kind, as every store sorts.
func Less(a, b payment.Key) bool {
	return cmp.Or(
		cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Terminal, b.Terminal), cmp.Compare(a.Batch, b.Batch),
		cmp.Compare(a.STAN, b.STAN), cmp.Compare(a.Kind, b.Kind),
	) < 0
}
