package c3

import (
	"errors"
	"fmt"

	"huika/emv"
	"huika/emv/book3"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// terminalData is the terminal's half of the data objects, coded once per tap.
// Its TVR stays as it was sent in the PDOL, and so as the issuer must see it: zeros.
type terminalData struct {
	book3.Terminal
	ttq [4]byte // 9F66
}

// fill codes the terminal data and draws the unpredictable number.
func (d *terminalData) fill(c *Config, in *emv.Input) error {
	if !in.Indicators.HasTTQ {
		return errors.New("kernel 3: the combination has no TTQ")
	}
	version := c.Version
	if version == 0 {
		version = Version
	}
	var floor int64
	if c.FloorLimit != nil {
		floor = *c.FloorLimit
	}
	if err := d.Fill(in, version, floor); err != nil {
		return fmt.Errorf("kernel 3: %w", err)
	}
	d.ttq = in.Indicators.TTQ
	return nil
}

// get answers a PDOL's tags. What it does not know becomes zeros.
func (d *terminalData) get(t tlv.Tag) ([]byte, bool) {
	if t == tag.TTQ {
		return d.ttq[:], true
	}
	return d.Get(t)
}

// value is get of an object that the terminal always has.
func (d *terminalData) value(t tlv.Tag) []byte {
	v, _ := d.get(t)
	return v
}
