package book3

import (
	"errors"
	"fmt"
	"io"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Terminal is the terminal's half of the data objects, coded once per tap.
type Terminal struct {
	Minor         int64 // the amount
	amount, other [6]byte
	country       [2]byte
	currency      [2]byte
	exponent      [1]byte
	TVR           TVR
	TSI           [2]byte
	date          [3]byte // YYMMDD
	clock         [3]byte
	txType        [1]byte
	UN            [4]byte
	termType      [1]byte
	Capabilities  [3]byte
	additional    [5]byte
	version       [2]byte
	sequence      [4]byte
	mcc           [2]byte
	ifd           [8]byte
	floor         [4]byte
	acquirer      [6]byte
	entryMode     [1]byte
	CVMResults    [3]byte
	own           emv.Terminal
	custom        []byte
	aid           []byte
}

// Fill codes the terminal's data and draws the unpredictable number. version is
// 9F09, floor 9F1B in minor units. An error means that the input can't be used.
func (d *Terminal) Fill(in *emv.Input, version uint16, floor int64) error {
	tx, term := &in.Transaction, &in.Terminal
	if tx.Amount.Minor < 0 || tx.AmountOther < 0 {
		return errors.New("negative amount")
	}
	if in.Rand == nil {
		return errors.New("no source of unpredictable numbers")
	}
	d.Minor = tx.Amount.Minor
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
	d.Capabilities, d.additional = term.Capabilities, term.AdditionalTerminal
	d.version = [2]byte{byte(version >> 8), byte(version)}
	for i := range d.ifd {
		d.ifd[i] = ' '
	}
	copy(d.ifd[:], term.IFDSerial)
	d.floor = [4]byte{byte(floor >> 24), byte(floor >> 16), byte(floor >> 8), byte(floor)}
	var acquirer uint64
	for _, digit := range []byte(term.AcquirerID) {
		if digit < '0' || digit > '9' {
			return errors.New("the acquirer identifier is not digits")
		}
		acquirer = acquirer*10 + uint64(digit-'0')
	}
	bcd(d.acquirer[:], acquirer)
	d.own, d.custom, d.aid = *term, tx.MerchantCustom, in.AID
	if _, err := io.ReadFull(in.Rand, d.UN[:]); err != nil {
		return fmt.Errorf("unpredictable number: %w", err)
	}
	return nil
}

// Get is one of the terminal's data objects that mean the same in every kernel.
func (d *Terminal) Get(t tlv.Tag) ([]byte, bool) {
	switch t {
	case tag.AmountAuthorised:
		return d.amount[:], true
	case tag.AmountOther:
		return d.other[:], true
	case tag.TerminalCountry:
		return d.country[:], true
	case tag.TVR:
		return d.TVR[:], true
	case tag.TSI:
		return d.TSI[:], true
	case tag.TransactionCurrency:
		return d.currency[:], true
	case tag.TransactionDate:
		return d.date[:], true
	case tag.TransactionType:
		return d.txType[:], true
	case tag.UN:
		return d.UN[:], true
	case tag.TransactionTime:
		return d.clock[:], true
	case tag.CurrencyExponent:
		return d.exponent[:], true
	case tag.TerminalType:
		return d.termType[:], true
	case tag.TerminalCapabilities:
		return d.Capabilities[:], true
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
		return d.CVMResults[:], true
	case tag.TerminalAID:
		return d.aid, true
	case tag.MerchantID:
		return []byte(d.own.MerchantID), true
	case tag.TerminalID:
		return []byte(d.own.TerminalID), true
	case tag.MerchantName:
		return []byte(d.own.MerchantName), true
	case tag.CustomerExclusive:
		return d.custom, d.custom != nil
	case tag.AcquirerID:
		return d.acquirer[:], true
	case tag.POSEntryMode:
		return d.entryMode[:], true
	}
	return nil, false
}

// Append appends objects of the terminal to b.
func (d *Terminal) Append(b []byte, tags []tlv.Tag) []byte {
	for _, t := range tags {
		if v, ok := d.Get(t); ok {
			b = tlv.Append(b, t, v)
		}
	}
	return b
}

// TerminalKind is what 9F35 says of going online (EMV Book 4, annex A1).
type TerminalKind byte

// Terminal kinds.
const (
	OnlineOnly TerminalKind = iota + 1
	OnlineCapable
	OfflineOnly
)

// Kind is the kind of this terminal; values that the book does not have count as online-capable.
func (d *Terminal) Kind() TerminalKind {
	switch d.termType[0] & 0x0F {
	case 1, 4:
		return OnlineOnly
	case 3, 6:
		return OfflineOnly
	}
	return OnlineCapable
}

// Unit is one unit of the transaction's currency in minor units (status check).
func Unit(in *emv.Input) int64 {
	unit := int64(1)
	for range in.Transaction.Amount.Currency.Exponent() {
		unit *= 10
	}
	return unit
}

// bcd writes the lowest digits of n into dst, right-aligned.
func bcd(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
}

// Digits reports that every nibble is a decimal digit.
func Digits(b []byte) bool {
	for _, c := range b {
		if c>>4 > 9 || c&15 > 9 {
			return false
		}
	}
	return true
}
