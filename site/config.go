// Package site wires a whole system from a Config and an rt.Env: keys and
// certificates, stores, the acquirer's host, the stand-ins of the world, one
// terminal with its reader, the web pages. The program, the simulation and
// the tests all build their systems here, so that what is tested is what runs.
//
// It holds no rule of payments. Nothing but cmd, sim and tests imports it, and
// it alone imports store adapters.
package site

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"huika/pay"
)

// Mode is stamped into a data directory and never changes there.
type Mode string

// Modes. Demo has stand-ins, simulated cards and keys that carry a mark; live
// refuses all of them.
const (
	Demo Mode = "demo"
	Live Mode = "live"
)

// Config is everything that a person can set: a TOML file, environment
// variables over it (HUIKA_ and the field's path in capitals, dots as
// underscores), flags over both.
type Config struct {
	Mode     Mode           `toml:"mode"`
	Data     string         `toml:"data"`
	Log      LogConfig      `toml:"log"`
	Merchant MerchantConfig `toml:"merchant"`
	Terminal TerminalConfig `toml:"terminal"`
	Acquirer AcquirerConfig `toml:"acquirer"`
	World    WorldConfig    `toml:"world"`
	Timeouts TimeoutConfig  `toml:"timeouts"`
}

// LogConfig says how much is logged, and in which form.
type LogConfig struct {
	Level string `toml:"level"` // debug, info, warn, error
	Form  string `toml:"form"`  // text or json
}

// MerchantConfig is the shop.
type MerchantConfig struct {
	ID       string      `toml:"id"` // 15 characters, F42
	Name     string      `toml:"name"`
	Category int         `toml:"category"` // ISO 18245, 9F15
	Country  int         `toml:"country"`  // ISO 3166 numeric
	Tariff   []TariffRow `toml:"tariff"`   // what a payment costs the merchant: the first row that matches; none: nothing
	Zone     string      `toml:"zone"`     // IANA time zone
}

// TariffRow is one line of a merchant's prices.
type TariffRow struct {
	Name    string `toml:"name"`
	Product string `toml:"product"` // debit, credit, prepaid, or "" for any
	Origin  string `toml:"origin"`  // domestic, foreign, or "" for any
	Rate    int64  `toml:"rate"`    // parts per million: 6000 is 0.6 %
	Min     int64  `toml:"min"`     // fen
	Cap     int64  `toml:"cap"`     // fen; 0: none
}

// TerminalConfig is the POS.
type TerminalConfig struct {
	ID         string   `toml:"id"`          // 8 characters, F41
	Listen     string   `toml:"listen"`      // the POS page, host:port
	DemoListen string   `toml:"demo_listen"` // the card tray, demo only
	Reader     string   `toml:"reader"`      // memory, pcsc or none
	ReaderName []string `toml:"reader_name"` // PC/SC readers, by the beginning of their names; empty: all virtual ones, or the first
	CVMLimit   int64    `toml:"cvm_limit"`   // fen; PIN-free below it (100001: up to and including 1000.00)
	Printer    string   `toml:"printer"`     // "", file:PATH or tcp:HOST:PORT
	CAKeys     string   `toml:"ca_keys"`     // JSON file of the schemes' CA keys; "": the demonstration's own, demo only
	Hosts      []string `toml:"hosts"`       // names besides localhost under which the page may be opened
}

// AcquirerConfig is the host.
type AcquirerConfig struct {
	ID            string         `toml:"id"`             // F32, up to 11 digits
	Listen        string         `toml:"listen"`         // terminals, TLS
	MetricsListen string         `toml:"metrics_listen"` // /healthz and /metrics of a host that runs alone
	Console       ConsoleConfig  `toml:"console"`
	Lanes         int            `toml:"lanes"`
	Schemes       []SchemeConfig `toml:"schemes"`      // none: all six, as far as they can be reached
	BINs          string         `toml:"bins"`         // CSV file of card number ranges, read again when it changes; "": the built-in one
	NoPINLimit    int64          `toml:"no_pin_limit"` // fen; terminals take up to and including so much without a PIN; 0: terminal.cvm_limit less one
	NoCDCVM       bool           `toml:"no_cdcvm"`     // a device's own verification does not count
	Blacklist     string         `toml:"blacklist"`    // file of card numbers that no terminal takes, one a line, read again when it changes
	Store         string         `toml:"store"`        // sqlite or postgres
	DSN           DSN            `toml:"dsn"`          // of postgres: a connection string; never logged
	Owner         string         `toml:"owner"`        // of postgres: this host's name among those that share the books; "": machine and data directory
	Lease         Duration       `toml:"lease"`        // of postgres: a dead host's lanes are another's after it; 0: 10 s
}

// ConsoleConfig is the acquirer's console and API.
type ConsoleConfig struct {
	Listen string   `toml:"listen"` // host:port; "": none
	Hosts  []string `toml:"hosts"`  // names besides localhost under which it may be called
	Cert   string   `toml:"cert"`   // PEM files, for TLS; live wants them beyond loopback
	Key    string   `toml:"key"`
}

// minLease is the shortest lease: hosts' clocks must agree much better than that.
const minLease = time.Second

// DSN is a connection string. It may hold a password: it prints as "[secret]"
// in every form; string(dsn) is its text.
type DSN string

func (d DSN) shown() string {
	if d == "" {
		return ""
	}
	return "[secret]"
}

func (d DSN) String() string               { return d.shown() }
func (d DSN) GoString() string             { return d.shown() }
func (d DSN) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(d.shown())) } // fmt.State's Write reports to fmt itself
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.shown()), nil }
func (d DSN) LogValue() slog.Value         { return slog.StringValue(d.shown()) }

// WorldConfig is where the stand-ins listen.
type WorldConfig struct {
	Scheme string `toml:"scheme"` // host:port, TLS; UnionPay's, where acquirer.schemes names none
	Issuer string `toml:"issuer"` // host:port, TLS
	PIN    string `toml:"pin"`    // of every demo card
}

// TimeoutConfig nests: issuer < scheme < host < terminal (crash rule 3).
type TimeoutConfig struct {
	Issuer   Duration `toml:"issuer"`   // the scheme waits for the issuer
	Scheme   Duration `toml:"scheme"`   // the host waits for the scheme
	Terminal Duration `toml:"terminal"` // the terminal waits for the host
	Present  Duration `toml:"present"`  // the terminal waits for a card
	PIN      Duration `toml:"pin"`      // the PIN pad stays open
}

// Duration reads as "1.5s" in the file.
type Duration time.Duration

// UnmarshalText reads a Go duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// MarshalText writes a Go duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Default is the configuration of `huika demo`.
func Default() Config {
	return Config{
		Mode: Demo, Data: "data",
		Log:      LogConfig{"info", "text"},
		Merchant: MerchantConfig{ID: "898310048160001", Name: "挥卡小店 Huika Shop", Category: 5411, Country: 156, Zone: "Asia/Shanghai"},
		Terminal: TerminalConfig{ID: "HK000001", Listen: "127.0.0.1:8080", DemoListen: "127.0.0.1:8081", Reader: "memory", CVMLimit: 100_001},
		Acquirer: AcquirerConfig{ID: "48160000", Listen: "127.0.0.1:0", Lanes: 16, Store: "sqlite"},
		World:    WorldConfig{Scheme: "127.0.0.1:0", Issuer: "127.0.0.1:0", PIN: "123456"},
		Timeouts: TimeoutConfig{Issuer: Duration(3 * time.Second), Scheme: Duration(4 * time.Second), Terminal: Duration(6 * time.Second),
			Present: Duration(60 * time.Second), PIN: Duration(60 * time.Second)},
	}
}

// ErrConfig is wrapped by every error about the configuration; its text names the field.
var ErrConfig = errors.New("configuration")

// MaxConfigBytes bounds a configuration file.
const MaxConfigBytes = 1 << 20

// Load reads the file (path "" reads none) and the environment over c.
func Load(c *Config, path string, environ []string) error {
	if path != "" {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrConfig, err)
		case info.Size() > MaxConfigBytes:
			return fmt.Errorf("%w: %s has %d bytes, more than %d: is it the right file?", ErrConfig, path, info.Size(), MaxConfigBytes)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		if err := Parse(c, string(text)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return overlay(c, environ)
}

// Parse reads TOML over c. A field that does not exist is an error.
func Parse(c *Config, text string) error {
	meta, err := toml.Decode(text, c)
	if err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return fmt.Errorf("%w: line %d, field %s: %s", ErrConfig, at.Position.Line, at.LastKey, at.Message)
		}
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return fmt.Errorf("%w: there is no field %s", ErrConfig, extra[0])
	}
	return nil
}

// notFields are variables of ours that are no fields: where tests find recorded
// exchanges and how long they run, the file itself, crash tests.
var notFields = []string{"VECTORS", "SEEDS", "SOAK", "LOAD", "CONFIG", strings.TrimPrefix(CrashVariable, "HUIKA_")}

// overlay sets fields from HUIKA_… variables; an unknown one is an error, so that a typing slip does not pass.
func overlay(c *Config, environ []string) error {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		rest, ours := strings.CutPrefix(name, "HUIKA_")
		if !ours || slices.Contains(notFields, rest) {
			continue
		}
		if err := setField(reflect.ValueOf(c).Elem(), strings.ToLower(rest), value); err != nil {
			return fmt.Errorf("%w: environment variable %s: %w", ErrConfig, name, err)
		}
	}
	return nil
}

func setField(v reflect.Value, path, value string) error {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("toml")
		f := v.Field(i)
		if rest, ok := strings.CutPrefix(path, tag+"_"); ok && f.Kind() == reflect.Struct {
			return setField(f, rest, value)
		}
		if tag != path {
			continue
		}
		if d, ok := f.Addr().Interface().(*Duration); ok {
			return d.UnmarshalText([]byte(value))
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(value)
		case reflect.Int, reflect.Int64:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("want a whole number, have %q", value)
			}
			f.SetInt(n)
		case reflect.Bool:
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("want true or false, have %q", value)
			}
			f.SetBool(on)
		case reflect.Slice:
			if f.Type().Elem().Kind() != reflect.String {
				return errors.New("this field can't be set from the environment")
			}
			f.Set(reflect.ValueOf(strings.Split(value, ",")))
		default:
			return errors.New("this field can't be set from the environment")
		}
		return nil
	}
	return errors.New("there is no such field")
}

// Check finds what can't work, and names the field.
func (c *Config) Check() error {
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrConfig, field, fmt.Sprintf(format, args...))
	}
	if c.Mode != Demo && c.Mode != Live {
		return bad("mode", "%q: want demo or live", c.Mode)
	}
	if c.Data == "" {
		return bad("data", "want a directory")
	}
	if len(c.Merchant.ID) != 15 {
		return bad("merchant.id", "%q: want 15 characters", c.Merchant.ID)
	}
	if len(c.Terminal.ID) != 8 {
		return bad("terminal.id", "%q: want 8 characters", c.Terminal.ID)
	}
	if _, err := time.LoadLocation(c.Merchant.Zone); err != nil {
		return bad("merchant.zone", "%q: want a time zone such as Asia/Shanghai", c.Merchant.Zone)
	}
	if c.Merchant.Category < 0 || c.Merchant.Category > 9999 {
		return bad("merchant.category", "%d: want four digits", c.Merchant.Category)
	}
	if c.Merchant.Country < 1 || c.Merchant.Country > 999 {
		return bad("merchant.country", "%d: want ISO 3166 numeric, such as 156", c.Merchant.Country)
	}
	if err := c.tariff().Check(); err != nil {
		return bad("merchant.tariff", "%v", err)
	}
	if c.Terminal.Reader != "memory" && c.Terminal.Reader != "pcsc" {
		return bad("terminal.reader", "%q: want memory or pcsc", c.Terminal.Reader)
	}
	if c.Terminal.CVMLimit < 1 || c.Terminal.CVMLimit > pay.MaxMinor {
		return bad("terminal.cvm_limit", "%d: want fen, at least 1", c.Terminal.CVMLimit)
	}
	if n := c.Acquirer.Lanes; n < 1 || n > 1024 {
		return bad("acquirer.lanes", "%d: want 1 to 1024", n)
	}
	if n := c.Acquirer.NoPINLimit; n < 0 || n > pay.MaxMinor {
		return bad("acquirer.no_pin_limit", "%d: want fen, 0 or more", n)
	}
	if s := c.Acquirer.Store; s != "sqlite" && s != "postgres" {
		return bad("acquirer.store", "%q: want sqlite or postgres", s)
	}
	if l := time.Duration(c.Acquirer.Lease); l != 0 && l < minLease {
		return bad("acquirer.lease", "%v: want at least %v, or 0 for the default", l, minLease)
	}
	if c.Acquirer.Store == "postgres" && c.Acquirer.DSN == "" {
		return bad("acquirer.dsn", "postgres needs a connection string, such as postgres://huika@127.0.0.1/huika")
	}
	for field, addr := range map[string]string{"terminal.listen": c.Terminal.Listen, "acquirer.listen": c.Acquirer.Listen, "world.scheme": c.World.Scheme, "world.issuer": c.World.Issuer} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return bad(field, "%q: want host:port", addr)
		}
	}
	if err := c.checkSchemes(); err != nil {
		return bad("acquirer.schemes", "%v", err)
	}
	if n := len(c.World.PIN); c.Mode == Demo && (n < 4 || n > 12 || strings.Trim(c.World.PIN, "0123456789") != "") {
		return bad("world.pin", "want 4 to 12 digits") // never print what was given
	}
	if l := c.Acquirer.Console; l.Listen != "" {
		if _, _, err := net.SplitHostPort(l.Listen); err != nil {
			return bad("acquirer.console.listen", "%q: want host:port", l.Listen)
		}
		if (l.Cert == "") != (l.Key == "") {
			return bad("acquirer.console.cert", "TLS needs both cert and key")
		}
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		return bad("log.level", "%q: want debug, info, warn or error", c.Log.Level)
	}
	t := c.Timeouts
	if t.Issuer <= 0 || t.Issuer >= t.Scheme || t.Scheme >= t.Terminal {
		return bad("timeouts", "they must nest: 0 < issuer (%v) < scheme (%v) < terminal (%v)", time.Duration(t.Issuer), time.Duration(t.Scheme), time.Duration(t.Terminal))
	}
	if t.Present <= 0 || t.PIN <= 0 {
		return bad("timeouts", "present and pin must be longer than 0")
	}
	if c.Mode == Live {
		return c.checkLive(bad)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Location is the shop's time zone; Check has made sure that it exists.
func (c *Config) Location() *time.Location {
	loc, err := time.LoadLocation(c.Merchant.Zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

func (c *Config) path(elem ...string) string {
	return filepath.Join(append([]string{c.Data}, elem...)...)
}
