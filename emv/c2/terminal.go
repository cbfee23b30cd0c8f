package c2

import (
	"errors"
	"fmt"
	"io"

	"huika/emv"
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
	unNumeric      [4]byte // 9F6A
	termType       [1]byte // 9F35
	capabilities   [3]byte // 9F33
	additional     [5]byte // 9F40
	version        [2]byte // 9F09
	magVersion     [2]byte // 9F6D
	sequence       [4]byte // 9F41
	mcc            [2]byte // 9F15
	ifd            [8]byte // 9F1E
	floor          [4]byte // 9F1B, binary
	acquirer       [6]byte // 9F01
	entryMode      [1]byte // 9F39
	category       [1]byte // 9F53
	cvmResults     [3]byte // 9F34
	mobileSupport  [1]byte // 9F7E
	hasCategory    bool
	terminal       emv.Terminal
	merchantCustom []byte // 9F7C
	aid            []byte // 9F06
}

// Terminal verification results: index and mask (EMV Book 3, C5; Book C-2 for byte 5).
const (
	tvr1NoODA           = 0x80
	tvr1ICCDataMissing  = 0x20
	tvr1ExceptionFile   = 0x10
	tvr1CDAFailed       = 0x04
	tvr2Versions        = 0x80
	tvr2Expired         = 0x40
	tvr2NotYetEffective = 0x20
	tvr2NotAllowed      = 0x10
	tvr3CVMFailed       = 0x80
	tvr3UnrecognisedCVM = 0x40
	tvr3OnlinePIN       = 0x04
	tvr4FloorLimit      = 0x80
	tvr5RelayThreshold  = 0x08
	tvr5RelayTime       = 0x04
	tvr5RelayDone       = 0x02 // relay resistance protocol performed
	tvr5RelayNotDone    = 0x01 // relay resistance protocol not performed
)

// fill codes the terminal data and draws the unpredictable number (S1.9).
func (d *terminalData) fill(c *Config, in *emv.Input) error {
	tx, term := &in.Transaction, &in.Terminal
	if tx.Amount.Minor < 0 || tx.AmountOther < 0 {
		return errors.New("kernel 2: negative amount")
	}
	if in.Rand == nil {
		return errors.New("kernel 2: no source of unpredictable numbers")
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
	d.capabilities = [3]byte{c.DataInput, 0, c.Security}
	d.version = [2]byte{byte(c.Version >> 8), byte(c.Version)}
	if c.Version == 0 {
		d.version = [2]byte{Version >> 8, Version & 0xFF}
	}
	d.magVersion = [2]byte{byte(c.MagVersion >> 8), byte(c.MagVersion)}
	for i := range d.ifd {
		d.ifd[i] = ' '
	}
	copy(d.ifd[:], term.IFDSerial)
	d.floor = [4]byte{byte(c.FloorLimit >> 24), byte(c.FloorLimit >> 16), byte(c.FloorLimit >> 8), byte(c.FloorLimit)}
	var acquirer uint64
	for _, digit := range []byte(term.AcquirerID) {
		if digit < '0' || digit > '9' {
			return errors.New("kernel 2: the acquirer identifier is not digits")
		}
		acquirer = acquirer*10 + uint64(digit-'0')
	}
	bcd(d.acquirer[:], acquirer)
	d.category[0], d.hasCategory = c.Category, c.Category != 0
	d.mobileSupport[0] = msiSupported
	d.terminal, d.merchantCustom, d.aid = *term, tx.MerchantCustom, in.AID
	return d.draw(in.Rand)
}

// draw takes a new unpredictable number.
func (d *terminalData) draw(rand io.Reader) error {
	if _, err := io.ReadFull(rand, d.un[:]); err != nil {
		return fmt.Errorf("kernel 2: unpredictable number: %w", err)
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
	case tag.FloorLimit:
		return d.floor[:], true
	case tag.CVMResults:
		return d.cvmResults[:], true
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
	case tagCategory:
		return d.category[:], d.hasCategory
	case tagUNNumeric:
		return d.unNumeric[:], true
	case tagMagVersion:
		return d.magVersion[:], true
	case tagMobileSupport:
		return d.mobileSupport[:], true
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

// fromBCD is the number that BCD digits say; false for anything but digits.
func fromBCD(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c>>4 > 9 || c&15 > 9 {
			return 0, false
		}
		n = n*100 + int64(c>>4)*10 + int64(c&15)
	}
	return n, true
}

// value is a data object by tag, whoever gave it: the terminal's own values
// stand before the card's, so that a card can't put its amount in their place.
func (t *tap) value(g tlv.Tag) ([]byte, bool) {
	if v, ok := t.given.get(g); ok {
		return v, true
	}
	if v, ok := t.term.get(g); ok {
		return v, true
	}
	if v, ok := t.made.get(g); ok {
		return v, true
	}
	return t.card.get(g)
}
