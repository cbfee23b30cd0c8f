package terminal

import "huika/emv/entry"

// Combinations are those of a sale.
func Combinations(c Config) []entry.Combination { return c.combinations(false) }
