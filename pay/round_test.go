package pay_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"huika/pay"
)

func TestRoundHalfUp(t *testing.T) {
	for _, c := range []struct{ n, num, den, want int64 }{
		{100, 60, 10_000, 1}, {83, 60, 10_000, 0}, {84, 60, 10_000, 1}, // 0.498 and 0.504
		{250, 1, 100, 3}, {249, 1, 100, 2}, {0, 5, 3, 0}, {7, 3, 3, 7}, {pay.MaxMinor, pay.MaxMinor, pay.MaxMinor, pay.MaxMinor},
		{math.MaxInt64, math.MaxInt64, 1, math.MaxInt64},
	} {
		if got := pay.RoundHalfUp(c.n, c.num, c.den); got != c.want {
			t.Errorf("%d*%d/%d: got %d, want %d", c.n, c.num, c.den, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, num, den := rapid.Int64Range(0, pay.MaxMinor).Draw(t, "n"), rapid.Int64Range(0, pay.MaxMinor).Draw(t, "num"), rapid.Int64Range(1, pay.MaxMinor).Draw(t, "den")
		want := new(big.Int).Mul(big.NewInt(n), big.NewInt(num))
		want.Add(want, big.NewInt(den/2)).Quo(want, big.NewInt(den))
		if got := pay.RoundHalfUp(n, num, den); want.IsInt64() && got != want.Int64() {
			t.Fatalf("got %d, want %v", got, want)
		}
	})
}
