package terminal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"huika/emv/oda"
	"huika/iso8583"
	"huika/keys"
	"huika/nfc"
	"huika/pay"
	"huika/terminal/journal"
	"huika/terminal/receipt"
)

// Config is one terminal. Fields marked "default" may be left at their zero value.
type Config struct {
	Mode             string         // "demo" (receipts and screens say SIMULATION) or "live"
	TerminalID       pay.TerminalID // F41, 8 characters
	MerchantID       pay.MerchantID // F42, 15 characters
	MerchantName     string
	MerchantCategory uint16 // 9F15; default 5999
	Country          uint16 // 9F1A, ISO 3166 numeric; default 156
	Currency         pay.Currency
	Location         *time.Location // the shop's zone; default UTC+8 without daylight saving
	IFDSerial        string         // 9F1E, 8 characters; default the terminal's id
	NII              uint16         // destination address of the TPDU
	Operator         string         // F63; default "01"
	Limits           Limits

	MagStripe bool // cards that have mag-stripe mode only are taken; default: refused

	Reader        nfc.Reader
	CAKeys        *oda.CAStore
	ExceptionFile func(pan pay.PAN, psn string) bool // default: none

	Journal journal.Store
	Sealer  pay.Sealer // what is kept of a card: for a reversal, a receipt, a trace
	TMK     pay.Secret // terminal master key, 16 bytes: opens the working keys of a sign-in
	// MAC makes the algorithm of F64 from its working key; default AES-CMAC. keys.Classic is the other one.
	MAC  func(key pay.Secret) (iso8583.MAC, error)
	Dial func(ctx context.Context) (net.Conn, error) // to the acquirer, TLS included

	Printer      receipt.Printer // default: none
	PaperColumns int             // default receipt.Narrow
	Timeouts     Timeouts
	Log          *slog.Logger // default: discarded
}

// Limits are in minor units of the terminal's currency.
type Limits struct {
	// CVM is the reader CVM required limit: amounts at or above it need the
	// cardholder. Default 100001 (PIN-free up to and including 1000.00 CNY).
	CVM int64
	// Transaction is the reader contactless transaction limit: amounts at or above it are not taken. Default: none.
	Transaction int64
}

// Timeouts are how long each wait of a payment lasts at most.
type Timeouts struct {
	Present time.Duration // for a card, each time one is asked for; default 60 s
	Reader  time.Duration // for a reader that does not work, in one payment; default 5 min
	PIN     time.Duration // for a PIN; default 90 s
	Connect time.Duration // for a link that is down when the host is to be asked; default 5 s
	Host    time.Duration // for the host's answer to a sale; default 45 s, longer than the host waits for its scheme
	Manage  time.Duration // for the answer to a sign-in, echo or reversal; default 15 s
	Echo    time.Duration // idle time before an echo; default 60 s
	Health  time.Duration // between looks at the reader's health; default 250 ms
	// Reversals: the first tries follow FastRetry apart, then pauses double from SlowRetry up to MaxRetry.
	FastRetry time.Duration // default 500 ms
	SlowRetry time.Duration // default 5 s
	MaxRetry  time.Duration // default 60 s
}

// cst is China Standard Time, for machines without a zone database.
var cst = time.FixedZone("CST", 8*60*60)

func (c *Config) defaults() {
	def(&c.MerchantCategory, 5999)
	def(&c.Country, 156)
	def(&c.Currency, pay.CNY)
	def(&c.Location, cst)
	def(&c.IFDSerial, string(c.TerminalID))
	def(&c.Operator, "01")
	def(&c.Limits.CVM, 100_001)
	def(&c.PaperColumns, receipt.Narrow)
	def(&c.Log, slog.New(slog.DiscardHandler))
	if c.MAC == nil {
		c.MAC = func(key pay.Secret) (iso8583.MAC, error) { return keys.CMAC(key) }
	}
	t := &c.Timeouts
	def(&t.Present, time.Minute)
	def(&t.Reader, 5*time.Minute)
	def(&t.PIN, 90*time.Second)
	def(&t.Connect, 5*time.Second)
	def(&t.Host, 45*time.Second)
	def(&t.Manage, 15*time.Second)
	def(&t.Echo, time.Minute)
	def(&t.Health, 250*time.Millisecond)
	def(&t.FastRetry, 500*time.Millisecond)
	def(&t.SlowRetry, 5*time.Second)
	def(&t.MaxRetry, time.Minute)
}

func def[T comparable](at *T, value T) {
	var zero T
	if *at == zero {
		*at = value
	}
}

// ErrConfig is wrapped by every error of New that a field of Config causes.
var ErrConfig = errors.New("terminal configuration")

func (c *Config) check() error {
	bad := func(field, why string) error { return fmt.Errorf("%w: %s: %s", ErrConfig, field, why) }
	switch {
	case c.Mode != "demo" && c.Mode != "live":
		return bad("Mode", "want demo or live")
	case len(c.TerminalID) != 8 || !printable(string(c.TerminalID)):
		return bad("TerminalID", "want 8 characters")
	case len(c.MerchantID) != 15 || !printable(string(c.MerchantID)):
		return bad("MerchantID", "want 15 characters")
	case c.Reader == nil:
		return bad("Reader", "missing")
	case c.Journal == nil:
		return bad("Journal", "missing")
	case c.Sealer == nil:
		return bad("Sealer", "missing")
	case c.TMK.Len() != 16:
		return bad("TMK", "want 16 bytes")
	case c.Dial == nil:
		return bad("Dial", "missing")
	case len(c.IFDSerial) > 8 || !printable(c.IFDSerial):
		return bad("IFDSerial", "want at most 8 characters")
	case c.Limits.CVM < 1 || c.Limits.Transaction < 0:
		return bad("Limits", "must not be negative")
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
