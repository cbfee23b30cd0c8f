package c7

import (
	"errors"
	"fmt"
	"io"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// terminalData is the terminal's half of the data objects, coded once per tap.
type terminalData struct {
	amount, other  [6]byte // 9F02, 9F03
	country        [2]byte // 9F1A
	currency       [2]byte // 5F2A
	exponent       [1]byte // 5F36
	tvr            [5]byte // 95: as sent in the PDOL, and so as the issuer must see it
	date           [3]byte // 9A
	clock          [3]byte // 9F21
	txType         [1]byte // 9C
	un             [4]byte // 9F37
	ttq            [4]byte // 9F66
	termType       [1]byte // 9F35
	capabilities   [3]byte // 9F33
	additional     [5]byte // 9F40
	version        [2]byte // 9F09
	sequence       [4]byte // 9F41
	mcc            [2]byte // 9F15
	ifd            [8]byte // 9F1E
	floor          [4]byte // 9F1B, binary
	sm             [1]byte // DF69: 01 where the terminal has SM2, SM3 and SM4
	terminal       emv.Terminal
	merchantCustom []byte // 9F7C
}

// fill codes the terminal data and draws the unpredictable number.
func (d *terminalData) fill(c *Config, in *emv.Input) error {
	tx, term := &in.Transaction, &in.Terminal
	if tx.Amount.Minor < 0 || tx.AmountOther < 0 {
		return errors.New("kernel 7: negative amount")
	}
	if !in.Indicators.HasTTQ {
		return errors.New("kernel 7: the combination has no TTQ")
	}
	if in.Rand == nil {
		return errors.New("kernel 7: no source of unpredictable numbers")
	}
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
	d.txType[0], d.termType[0] = tx.Type, term.Type
	d.ttq, d.capabilities, d.additional = in.Indicators.TTQ, term.Capabilities, term.AdditionalTerminal
	version := c.Version
	if version == 0 {
		version = Version
	}
	d.version = [2]byte{byte(version >> 8), byte(version)}
	for i := range d.ifd {
		d.ifd[i] = ' '
	}
	copy(d.ifd[:], term.IFDSerial)
	d.floor = [4]byte{byte(c.FloorLimit >> 24), byte(c.FloorLimit >> 16), byte(c.FloorLimit >> 8), byte(c.FloorLimit)}
	if c.SM {
		d.sm[0] = smSupported
	}
	d.terminal, d.merchantCustom = *term, tx.MerchantCustom
	if _, err := io.ReadFull(in.Rand, d.un[:]); err != nil {
		return fmt.Errorf("kernel 7: unpredictable number: %w", err)
	}
	return nil
}

// smSupported is DF69 of a terminal that has the SM algorithms (public description).
const smSupported = 0x01

// get answers a PDOL's tags. What it does not know becomes zeros.
func (d *terminalData) get(t tlv.Tag) ([]byte, bool) {
	switch t {
	case tag.TTQ:
		return d.ttq[:], true
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
	case tag.FloorLimit:
		return d.floor[:], true
	case tag.SMSupport:
		return d.sm[:], true
	case tag.MerchantID:
		return []byte(d.terminal.MerchantID), true
	case tag.TerminalID:
		return []byte(d.terminal.TerminalID), true
	case tag.MerchantName:
		return []byte(d.terminal.MerchantName), true
	case tag.CustomerExclusive:
		return d.merchantCustom, d.merchantCustom != nil
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
