package book3

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Random are the parameters of random transaction selection (EMV Book 3,
// 10.6.2). The zero value selects nothing.
type Random struct {
	Threshold      int64 // minor units: below it Target percent are selected
	Target         byte  // percent
	MaximumPercent byte  // percent at the floor limit; biased selection rises to it
}

// Select draws whether a transaction of amount, below floor, goes online, and
// sets the TVR. At or above floor nothing is drawn. An error means that rand failed.
func (d *Terminal) Select(p Random, floor int64, rand io.Reader) error {
	if p == (Random{}) || d.Minor >= floor { // no zero division below: floor > Minor >= Threshold
		return nil
	}
	target := int64(p.Target)
	if d.Minor >= p.Threshold {
		target += (int64(p.MaximumPercent) - target) * (d.Minor - p.Threshold) / (floor - p.Threshold)
	}
	var b [4]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return fmt.Errorf("random selection: %w", err)
	}
	if int64(binary.BigEndian.Uint32(b[:])%99)+1 <= target { // 1 to 99
		d.TVR.Set(RandomSelection)
	}
	return nil
}
