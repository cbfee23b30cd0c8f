package terminal

import (
	"huika/emv"
	"huika/emv/c7"
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
}

// Kernels registers every kernel that the terminal has.
func Kernels(cfg KernelConfig) (*entry.Kernels, error) {
	k7 := &c7.Kernel{Config: c7.Config{CAKeys: cfg.CAKeys, ExceptionFile: cfg.ExceptionFile}}
	if cfg.CVMLimit > 0 {
		k7.CVMLimit = &cfg.CVMLimit
	}
	ks := &entry.Kernels{}
	if err := ks.Register(c7.ID, 0, k7); err != nil {
		return nil, err
	}
	return ks, nil
}

// ReplayKernels are the terminal's kernels for a recorded tap (trace.Replay).
// The exception file of that day is not part of a trace.
var ReplayKernels trace.Kernels = func(ca *oda.CAStore) (*entry.Kernels, error) {
	return Kernels(KernelConfig{CAKeys: ca})
}

// unionPayAIDs are debit, credit, quasi-credit and US debit. E-cash (06) is not offered: it pays offline.
var unionPayAIDs = [...][]byte{
	{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x01},
	{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x02},
	{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x03},
	{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x08},
}

// ttq is 9F66 before pre-processing: qPBOC, online PIN, signature, ODA for
// online authorisations; CDCVM supported; fDDA version 01. There is no contact reader.
var ttq = [4]byte{0x20 | 0x04 | 0x02 | 0x01, 0, 0x40, 0x80}

// combinations are the AIDs of kernel 7 under the terminal's limits. The floor
// limit is 0: every approval comes from the issuer.
// A balance inquiry has no amount, and always goes online.
func (c *Config) combinations(inquiry bool) []entry.Combination {
	zero := entry.ZeroAmountNotAllowed
	if inquiry {
		zero = entry.ZeroAmountAllowed
	}
	var out []entry.Combination
	for _, aid := range unionPayAIDs {
		x := entry.Combination{
			AID: aid, Kernel: c7.ID, TTQ: &ttq,
			FloorLimit: entry.Limit(0), CVMLimit: entry.Limit(c.Limits.CVM), ZeroAmount: zero,
		}
		if c.Limits.Transaction > 0 {
			x.TransactionLimit = entry.Limit(c.Limits.Transaction)
		}
		out = append(out, x)
	}
	return out
}

// emvTerminal is the terminal's own data for kernels.
func (c *Config) emvTerminal() emv.Terminal {
	return emv.Terminal{
		Country: c.Country, Type: 0x22, // attended, offline with online capability, at the merchant's
		Capabilities: [3]byte{0x20, 0x68, 0xC8}, // IC; online PIN, signature, no CVM; SDA, DDA, CDA
		MerchantID:   string(c.MerchantID), TerminalID: string(c.TerminalID), IFDSerial: c.IFDSerial,
		MerchantCategory: c.MerchantCategory, MerchantName: c.MerchantName,
		AdditionalTerminal: [5]byte{0x60, 0x00, 0xF0, 0xA0, 0x01},
	}
}
