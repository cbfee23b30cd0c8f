package site

import (
	_ "embed" // the built-in BIN table
	"fmt"
	"os"
	"strings"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/merchant"
	"huika/pay"
)

// builtInBINs routes each scheme's published first digits; an acquirer brings
// its schemes' own tables.
//
//go:embed bins.csv
var builtInBINs string

// binsEvery is how often the BIN table's file is looked at.
const binsEvery = 5 * time.Second

// maxBINFile bounds a BIN table's file.
const maxBINFile = 64 << 20

// cardRanges reads the configured table. version tells one file from the next.
func (c Config) cardRanges() (t *bin.Table, version string, err error) {
	if c.Acquirer.BINs == "" {
		t, err = bin.Read(strings.NewReader(builtInBINs))
		return t, "", err
	}
	version, err = binVersion(c.Acquirer.BINs)
	if err != nil {
		return nil, version, err
	}
	f, err := os.Open(c.Acquirer.BINs)
	if err != nil {
		return nil, version, fmt.Errorf("%w: acquirer.bins: %w", ErrConfig, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if t, err = bin.Read(f); err != nil {
		return nil, version, fmt.Errorf("%w: acquirer.bins: %s: %w", ErrConfig, c.Acquirer.BINs, err)
	}
	return t, version, nil
}

func binVersion(path string) (string, error) {
	i, err := os.Stat(path)
	if err != nil {
		return "missing", fmt.Errorf("%w: acquirer.bins: %w", ErrConfig, err)
	}
	if i.Size() > maxBINFile {
		return "too large", fmt.Errorf("%w: acquirer.bins: %s has %d bytes, more than %d", ErrConfig, path, i.Size(), maxBINFile)
	}
	return fmt.Sprint(i.Size(), i.ModTime().UnixNano()), nil
}

// newerRanges is the table where its file has changed since version.
func (c Config) newerRanges(version string) (*bin.Table, string, bool, error) {
	now, err := binVersion(c.Acquirer.BINs)
	if now == version || err != nil {
		if now == version {
			err = nil // said before
		}
		return nil, now, false, err
	}
	t, now, err := c.cardRanges()
	return t, now, err == nil, err
}

func (c Config) tariff() merchant.Tariff {
	t := merchant.Tariff{Country: uint16(c.Merchant.Country)}
	for _, r := range c.Merchant.Tariff {
		t.Rows = append(t.Rows, merchant.Row{Name: r.Name, Product: bin.Product(r.Product), Origin: merchant.Origin(r.Origin), Rate: r.Rate, Min: r.Min, Cap: r.Cap})
	}
	return t
}

// fees prices a payment by the configured merchant's tariff.
func (c Config) fees(cards func(pay.PAN) (bin.Range, bool)) func(pay.MerchantID, pay.PAN, pay.Money) (int64, string) {
	tariff := c.tariff()
	return func(_ pay.MerchantID, pan pay.PAN, amount pay.Money) (int64, string) {
		r, ok := cards(pan)
		if !ok {
			return 0, ""
		}
		return tariff.Fee(r, amount)
	}
}
