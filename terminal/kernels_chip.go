package terminal

import (
	"huika/emv"
	"huika/emv/c4"
	"huika/emv/c5"
	"huika/emv/c6"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/terminal/trace"
)

// amexKernel counts an amount at the CVM limit and one above the others; the floor
// limit is 0, so that every amount goes to the issuer. There is no contact reader.
func amexKernel(cfg KernelConfig) emv.Kernel {
	c := c4.Defaults()
	c.CAKeys, c.ExceptionFile = cfg.CAKeys, cfg.ExceptionFile
	c.Enhanced[0] &^= c4.Enhanced1Contact
	c.TACDenial, c.TACOnline, c.TACDefault = tacDenial, tacOnline, tacOnline
	c.Limits = c4.Limits{Transaction: above(cfg.Limit), CVM: at(cfg.CVMLimit), Floor: entry.Limit(0)}
	if f := cfg.Foreign; f != nil {
		c.ExceptionFile = nil
		foreignCodes(&c.TACDenial, &c.TACOnline, &c.TACDefault, f)
		c.Limits = c4.Limits{CVM: f.CVMLimit, Floor: f.FloorLimit}
		if f.Limit != nil {
			c.Limits.Transaction = above(*f.Limit)
		}
		if v, ok := tlv.Find(f.Data, tag.EnhancedCapabilities); ok && len(v) == len(c.Enhanced) {
			c.Enhanced = [4]byte(v)
			c.Enhanced[2] = 0 // the kernel says itself what this transaction needs
		}
	}
	return &c4.Kernel{Config: c}
}

// jcbKernel counts an amount at any limit.
func jcbKernel(cfg KernelConfig) emv.Kernel {
	c := c5.Defaults()
	c.CAKeys, c.ExceptionFile = cfg.CAKeys, cfg.ExceptionFile
	c.TACDenial, c.TACOnline, c.TACDefault = tacDenial, tacOnline, tacOnline
	c.TransactionLimit, c.CVMLimit, c.FloorLimit = at(cfg.Limit), at(cfg.CVMLimit), entry.Limit(0)
	if f := cfg.Foreign; f != nil {
		c.ExceptionFile = nil
		foreignCodes(&c.TACDenial, &c.TACOnline, &c.TACDefault, f)
		c.TransactionLimit, c.CVMLimit, c.FloorLimit = f.Limit, f.CVMLimit, f.FloorLimit
		if v, ok := tlv.Find(f.Data, tag.Interchange); ok && len(v) == len(c.Profile) {
			c.Profile = [3]byte(v) // without the bit that the kernel sets itself
		}
	}
	return &c5.Kernel{Config: c}
}

// discoverKernel approves nothing offline: the floor limit is 0.
func discoverKernel(cfg KernelConfig) emv.Kernel {
	c := c6.Config{CAKeys: cfg.CAKeys, ExceptionFile: cfg.ExceptionFile, FloorLimit: entry.Limit(0), CVMLimit: at(cfg.CVMLimit)}
	if f := cfg.Foreign; f != nil {
		c = c6.Config{CAKeys: cfg.CAKeys, FloorLimit: f.FloorLimit, CVMLimit: f.CVMLimit}
	}
	return &c6.Kernel{Config: c}
}

// at is KernelConfig's limit, whose smallest amount it is, for kernels that count an
// amount at it; above for those that count one above it. 0 is no limit.
func at(limit int64) *int64 {
	if limit <= 0 {
		return nil
	}
	return &limit
}

func above(limit int64) *int64 {
	if limit <= 0 {
		return nil
	}
	return entry.Limit(limit - 1)
}

// foreignCodes are the action codes that a recorded exchange shows.
func foreignCodes(denial, online, other *[5]byte, f *trace.Foreign) {
	for _, t := range [...]struct {
		to    *[5]byte
		shown []byte
	}{{denial, f.TACDenial}, {online, f.TACOnline}, {other, f.TACDefault}} {
		if len(t.shown) == len(t.to) {
			*t.to = [5]byte(t.shown)
		}
	}
}
