package pay

import "math/bits"

// RoundHalfUp is n × num / den in whole minor units, halves away from zero. It
// is exact: the product has 128 bits. n and num are not negative, den is
// positive; a result beyond int64 is MaxInt64, which no amount of 12 digits reaches.
func RoundHalfUp(n, num, den int64) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(num))
	lo, carry := bits.Add64(lo, uint64(den)/2, 0)
	hi += carry
	if hi >= uint64(den) {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	if q > 1<<63-1 {
		return 1<<63 - 1
	}
	return int64(q)
}
