package terminal

import (
	"time"

	"huika/emv"
	"huika/emv/c2"
	"huika/emv/c3"
	"huika/emv/c4"
	"huika/emv/c5"
	"huika/emv/c6"
	"huika/emv/c7"
	"huika/emv/c8"
	"huika/emv/entry"
	"huika/emv/oda"
	"huika/pay"
	"huika/terminal/trace"
)

// KernelConfig is what the terminal's kernels are made from.
type KernelConfig struct {
	CAKeys        *oda.CAStore
	ExceptionFile func(pan pay.PAN, psn string) bool
	CVMLimit      int64 // smallest amount that needs the cardholder; 0: only pre-processing decides
	Limit         int64 // smallest amount that is not taken; 0: none
	MagStripe     bool  // mag-stripe mode of cards without EMV mode is taken
	// Foreign is what a recorded exchange shows of another terminal's kernel; nil: this terminal's own policy.
	Foreign *trace.Foreign
}

// kernelRow is one scheme's kernel at this terminal. A new kernel is a row of
// kernelRows and a constructor: docs/recipes/add-a-kernel.md.
type kernelRow struct {
	scheme string
	id     emv.KernelID
	aids   [][]byte
	ttq    *[4]byte // 9F66 before pre-processing; nil: the kernel has none
	make   func(KernelConfig) emv.Kernel
}

// kernelRows is the table, in the order in which Entry Point looks for a match.
// The TTQ of kernels 7 and 3: EMV mode, online PIN, signature, ODA for online
// authorisations; CDCVM supported; fDDA version 01. Kernel 6 knows the last not.
// There is no contact reader. Kernel 3 also takes issuer updates at a second tap.
var kernelRows = [...]kernelRow{
	{"unionpay", c7.ID, unionPayAIDs, &[4]byte{0x20 | 0x04 | 0x02 | 0x01, 0, 0x40, 0x80}, unionPayKernel},
	{"visa", c3.ID, visaAIDs, &[4]byte{0x20 | 0x04 | 0x02 | 0x01, 0, 0x80 | 0x40, 0x80}, visaKernel},
	{"mastercard", c2.ID, mastercardAIDs, nil, mastercardKernel},
	{"c8", c8.ID, mastercardAIDs[:1], nil, kernel8}, // of no scheme: a card names it in its directory entry
	{"amex", c4.ID, amexAIDs, nil, amexKernel},
	{"jcb", c5.ID, jcbAIDs, nil, jcbKernel},
	{"discover", c6.ID, discoverAIDs, &[4]byte{0x20 | 0x04 | 0x02, 0, 0x40, 0}, discoverKernel},
}

var (
	// unionPayAIDs are debit, credit, quasi-credit and US debit. E-cash (06) is not offered: it pays offline.
	unionPayAIDs = [][]byte{
		{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x01},
		{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x02},
		{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x03},
		{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x08},
	}
	// visaAIDs are credit and debit, Electron, V PAY.
	visaAIDs = [][]byte{
		{0xA0, 0, 0, 0, 0x03, 0x10, 0x10},
		{0xA0, 0, 0, 0, 0x03, 0x20, 0x10},
		{0xA0, 0, 0, 0, 0x03, 0x20, 0x20},
	}
	// mastercardAIDs are credit and debit, Maestro.
	mastercardAIDs = [][]byte{
		{0xA0, 0, 0, 0, 0x04, 0x10, 0x10},
		{0xA0, 0, 0, 0, 0x04, 0x30, 0x60},
	}
	// amexAIDs is the beginning of every American Express application's AID.
	amexAIDs     = [][]byte{{0xA0, 0, 0, 0, 0x25, 0x01}}
	jcbAIDs      = [][]byte{{0xA0, 0, 0, 0, 0x65, 0x10, 0x10}}
	discoverAIDs = [][]byte{{0xA0, 0, 0, 0x01, 0x52, 0x30, 0x10}}
)

func unionPayKernel(cfg KernelConfig) emv.Kernel {
	k := &c7.Kernel{Config: c7.Config{CAKeys: cfg.CAKeys, ExceptionFile: cfg.ExceptionFile, SM: true}}
	if cfg.CVMLimit > 0 {
		k.CVMLimit = &cfg.CVMLimit
	}
	if f := cfg.Foreign; f != nil {
		if k.FloorLimit = pay.MaxMinor; f.FloorLimit != nil {
			k.FloorLimit = *f.FloorLimit
		}
		k.CVMLimit = f.CVMLimit
	}
	return k
}

// visaKernel believes a CDCVM only where an authenticated 9F69 says the same.
func visaKernel(cfg KernelConfig) emv.Kernel {
	k := &c3.Kernel{Config: c3.Config{
		CAKeys: cfg.CAKeys, ExceptionFile: cfg.ExceptionFile, FloorLimit: entry.Limit(0), CashCheck: true, CashbackCheck: true, StrictCDCVM: true,
	}}
	if cfg.CVMLimit > 0 {
		k.CVMLimit = &cfg.CVMLimit
	}
	if f := cfg.Foreign; f != nil {
		k.Config = c3.Config{CAKeys: cfg.CAKeys, FloorLimit: f.FloorLimit, CVMLimit: f.CVMLimit, AllowVersion00: f.FDDA00}
	}
	return k
}

// Terminal action codes of kernels 2, 4 and 5. A failed CDA and a relayed card are declined here;
// whatever else is odd, and every amount (the floor limit is 0), goes to the
// issuer. (Ours: an acquirer's own come from its scheme.)
var (
	tacDenial = [5]byte{0x04, 0x00, 0x00, 0x00, 0x0C}
	tacOnline = [5]byte{0xF4, 0x50, 0x84, 0x80, 0x0C}
)

// mastercardKernel counts limits the other way: an amount above one exceeds it.
// Relay resistance is off: the readers of nfc do not measure an exchange.
func mastercardKernel(cfg KernelConfig) emv.Kernel {
	c := c2.Defaults()
	c.CAKeys, c.ExceptionFile = cfg.CAKeys, cfg.ExceptionFile
	c.DataInput = 0 // neither contacts nor a magnetic stripe reader
	c.TACDenial, c.TACOnline, c.TACDefault = tacDenial, tacOnline, tacOnline
	c.Limit, c.LimitOnCDCVM, c.CVMLimit = pay.MaxMinor, pay.MaxMinor, pay.MaxMinor
	if cfg.Limit > 0 {
		c.Limit, c.LimitOnCDCVM = cfg.Limit-1, cfg.Limit-1
	}
	if cfg.CVMLimit > 0 {
		c.CVMLimit = cfg.CVMLimit - 1
	}
	if !cfg.MagStripe {
		c.Kernel |= c2.NoMagStripe
	}
	if cfg.Foreign != nil {
		foreignMastercard(&c, cfg.Foreign)
	}
	return &c2.Kernel{Config: c}
}

// foreignMastercard is a kernel 2 that does what another one was seen to do.
// The times of relay resistance are not part of an exchange: they hold nothing against the card.
func foreignMastercard(c *c2.Config, f *trace.Foreign) {
	own := *c
	*c = c2.Defaults()
	c.CAKeys, c.Data = own.CAKeys, f.Data
	limit := func(to *int64, shown *int64, less int64) {
		if *to = pay.MaxMinor; shown != nil {
			*to = *shown - less
		}
	}
	limit(&c.FloorLimit, f.FloorLimit, 0)
	limit(&c.CVMLimit, f.CVMLimit, 1)
	limit(&c.Limit, f.Limit, 1)
	c.LimitOnCDCVM = c.Limit
	foreignCodes(&c.TACDenial, &c.TACOnline, &c.TACDefault, f)
	if v := f.Capabilities; len(v) == 3 {
		c.DataInput, c.CVMRequired, c.CVMNone, c.Security = v[0], v[1], v[1], v[2]
	}
	if f.MagStripe {
		c.Kernel |= c2.NoEMV
	}
	if f.ReadsAll {
		c.Kernel |= c2.NoMagStripe
	}
	if f.Relay {
		c.Kernel |= c2.RelayResistance
		c.Clock = func() time.Duration { return 0 }
		c.Relay.MinGrace, c.Relay.ExpectedReply, c.Relay.Mismatch = 0xFFFF, 0, 0
	}
}

// kernel8 counts limits as kernel 2 does. Foreign exchanges with it can't be run
// again: the key of their channel is not part of them.
func kernel8(cfg KernelConfig) emv.Kernel {
	c := c8.Defaults()
	c.CAKeys, c.DataInput = cfg.CAKeys, 0
	if c.CVMLimit = pay.MaxMinor; cfg.CVMLimit > 0 {
		c.CVMLimit = cfg.CVMLimit - 1
	}
	return &c8.Kernel{Config: c}
}

// Kernels registers every kernel that the terminal has.
func Kernels(cfg KernelConfig) (*entry.Kernels, error) {
	ks := &entry.Kernels{}
	for _, r := range kernelRows {
		if err := ks.Register(r.id, 0, r.make(cfg)); err != nil {
			return nil, err
		}
	}
	return ks, nil
}

// ReplayKernels are the terminal's kernels for a recorded tap (trace.Replay),
// under the limits of its combinations. The exception file of that day is not part of a trace.
var ReplayKernels trace.Kernels = func(t trace.Trace, ca *oda.CAStore) (*entry.Kernels, error) {
	cfg := KernelConfig{CAKeys: ca, MagStripe: t.MagStripe, Foreign: t.Foreign}
	for _, c := range t.Combinations { // all rows of a terminal have the same
		if c.CVMLimit != nil {
			cfg.CVMLimit = *c.CVMLimit
		}
		if c.TransactionLimit != nil {
			cfg.Limit = *c.TransactionLimit
		}
	}
	return Kernels(cfg)
}

// combinations are the AIDs of every kernel under the terminal's limits. The floor
// limit is 0: every approval comes from the issuer.
// A balance inquiry has no amount, and always goes online.
func (c *Config) combinations(inquiry bool) []entry.Combination {
	zero := entry.ZeroAmountNotAllowed
	if inquiry {
		zero = entry.ZeroAmountAllowed
	}
	var out []entry.Combination
	for _, r := range kernelRows {
		for _, aid := range r.aids {
			x := entry.Combination{
				AID: aid, Kernel: r.id, TTQ: r.ttq,
				FloorLimit: entry.Limit(0), CVMLimit: entry.Limit(c.Limits.CVM), ZeroAmount: zero,
			}
			if c.Limits.Transaction > 0 {
				x.TransactionLimit = entry.Limit(c.Limits.Transaction)
			}
			out = append(out, x)
		}
	}
	return out
}

// entryModeContactless is 9F39 of a tap in EMV mode.
const entryModeContactless = 0x07

// emvTerminal is the terminal's own data for kernels.
func (c *Config) emvTerminal() emv.Terminal {
	return emv.Terminal{
		Country: c.Country, Type: 0x22, // attended, offline with online capability, at the merchant's
		Capabilities: [3]byte{0x20, 0x68, 0xC8}, // IC; online PIN, signature, no CVM; SDA, DDA, CDA
		MerchantID:   string(c.MerchantID), TerminalID: string(c.TerminalID), IFDSerial: c.IFDSerial,
		MerchantCategory: c.MerchantCategory, MerchantName: c.MerchantName, EntryMode: entryModeContactless,
		AdditionalTerminal: [5]byte{0x60, 0x00, 0xF0, 0xA0, 0x01},
	}
}
