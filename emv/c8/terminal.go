package c8

import (
	"errors"
	"fmt"
	"io"

	"huika/emv"
	"huika/emv/bdh"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// terminalData is the terminal's half of the data objects.
type terminalData struct {
	minor          int64   // the amount
	amount, other  [6]byte // 9F02, 9F03
	country        [2]byte // 9F1A
	currency       [2]byte // 5F2A
	exponent       [1]byte // 5F36
	tvr            [5]byte // 95
	date           [3]byte // 9A
	clock          [3]byte // 9F21
	txType         [1]byte // 9C
	un             [4]byte // 9F37
	termType       [1]byte // 9F35
	capabilities   [3]byte // 9F33
	additional     [5]byte // 9F40
	version        [2]byte // 9F09
	sequence       [4]byte // 9F41
	mcc            [2]byte // 9F15
	ifd            [8]byte // 9F1E
	acquirer       [6]byte // 9F01
	entryMode      [1]byte // 9F39
	cvmResults     [3]byte // 9F34
	risk           [8]byte // 9F1D
	qualifier      [8]byte // 9F2B
	keyData        [bdh.KernelKeySize]byte
	terminal       emv.Terminal
	merchantCustom []byte // 9F7C
	aid            []byte // 9F06
}

// fill codes the terminal data and draws the unpredictable number.
func (d *terminalData) fill(c *Config, in *emv.Input) error {
	tx, term := &in.Transaction, &in.Terminal
	if tx.Amount.Minor < 0 || tx.AmountOther < 0 {
		return errors.New("kernel 8: negative amount")
	}
	if in.Rand == nil {
		return errors.New("kernel 8: no source of unpredictable numbers")
	}
	d.minor = tx.Amount.Minor
	bcd(d.amount[:], uint64(tx.Amount.Minor))
	bcd(d.other[:], uint64(tx.AmountOther))
	bcd(d.country[:], uint64(term.Country))
	bcd(d.currency[:], uint64(tx.Amount.Currency))
	bcd(d.exponent[:], uint64(tx.Amount.Currency.Exponent()))
	year, month, day := tx.Time.Date()
	hour, minute, second := tx.Time.Clock()
	bcd(d.date[:], uint64(year%100*10000+int(month)*100+day))
	bcd(d.clock[:], uint64(hour*10000+minute*100+second))
	bcd(d.sequence[:], uint64(tx.Sequence))
	bcd(d.mcc[:], uint64(term.MerchantCategory))
	d.txType[0], d.termType[0], d.entryMode[0] = tx.Type, term.Type, term.EntryMode
	d.additional = term.AdditionalTerminal
	version := c.Version
	if version == 0 {
		version = Version
	}
	d.version = [2]byte{byte(version >> 8), byte(version)}
	d.capabilities = [3]byte{c.DataInput, 0, c.Security} // byte 2 when the amount is known to need a CVM or not
	d.risk = c.RiskData
	for i := range d.ifd {
		d.ifd[i] = ' '
	}
	copy(d.ifd[:], term.IFDSerial)
	var acquirer uint64
	for _, digit := range []byte(term.AcquirerID) {
		if digit < '0' || digit > '9' {
			return errors.New("kernel 8: the acquirer identifier is not digits")
		}
		acquirer = acquirer*10 + uint64(digit-'0')
	}
	bcd(d.acquirer[:], acquirer)
	d.terminal, d.merchantCustom, d.aid = *term, tx.MerchantCustom, in.AID
	return d.draw(in.Rand)
}

// draw takes a new unpredictable number.
func (d *terminalData) draw(rand io.Reader) error {
	if _, err := io.ReadFull(rand, d.un[:]); err != nil {
		return fmt.Errorf("kernel 8: unpredictable number: %w", err)
	}
	return nil
}

// get is one of the terminal's data objects.
func (d *terminalData) get(t tlv.Tag) ([]byte, bool) {
	switch t {
	case tag.AmountAuthorised:
		return d.amount[:], true
	case tag.AmountOther:
		return d.other[:], true
	case tag.TerminalCountry:
		return d.country[:], true
	case tag.TVR:
		return d.tvr[:], true
	case tag.TransactionCurrency:
		return d.currency[:], true
	case tag.TransactionDate:
		return d.date[:], true
	case tag.TransactionType:
		return d.txType[:], true
	case tag.UN:
		return d.un[:], true
	case tag.TransactionTime:
		return d.clock[:], true
	case tag.CurrencyExponent:
		return d.exponent[:], true
	case tag.TerminalType:
		return d.termType[:], true
	case tag.TerminalCapabilities:
		return d.capabilities[:], true
	case tag.AdditionalCapabilities:
		return d.additional[:], true
	case tag.TerminalVersion:
		return d.version[:], true
	case tag.SequenceCounter:
		return d.sequence[:], true
	case tag.MerchantCategory:
		return d.mcc[:], true
	case tag.IFDSerial:
		return d.ifd[:], true
	case tag.CVMResults:
		return d.cvmResults[:], true
	case tag.RiskManagementData:
		return d.risk[:], true
	case tag.KernelQualifier:
		return d.qualifier[:], true
	case tag.KernelKeyData:
		return d.keyData[:], true
	case tag.TerminalAID:
		return d.aid, true
	case tag.MerchantID:
		return []byte(d.terminal.MerchantID), true
	case tag.TerminalID:
		return []byte(d.terminal.TerminalID), true
	case tag.MerchantName:
		return []byte(d.terminal.MerchantName), true
	case tag.CustomerExclusive:
		return d.merchantCustom, d.merchantCustom != nil
	case tag.AcquirerID:
		return d.acquirer[:], true
	case tag.POSEntryMode:
		return d.entryMode[:], true
	}
	return nil, false
}

// bcd writes the lowest digits of n into dst, right-aligned.
func bcd(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
}
