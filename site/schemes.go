package site

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"huika/acquirer/host"
	"huika/iso8583/amex"
	"huika/iso8583/cup"
	"huika/iso8583/discover"
	"huika/iso8583/jcb"
	"huika/iso8583/mastercard"
	"huika/iso8583/scheme"
	"huika/iso8583/visa"
	"huika/pay"
)

// SchemeName is the scheme that every installation has: UnionPay.
const SchemeName = "unionpay"

// SchemeConfig is one scheme that the acquirer is connected to, as a table
// [[acquirer.schemes]] of the configuration. Which cards go there is said by the
// routes of the BIN table.
type SchemeConfig struct {
	Name    string `toml:"name"`    // as routes name it: lower-case letters, digits
	Dialect string `toml:"dialect"` // cup, visa, mastercard, amex, jcb or discover
	// Address is where the scheme listens, host:port, TLS. Port 0: the stand-in of the
	// same process; a host without that stand-in leaves the scheme out.
	Address string `toml:"address"`
	// Alternate are further addresses of the same scheme, used while those before are down.
	Alternate []string `toml:"alternate"`
	Window    int      `toml:"window"` // calls in flight on one link; 0: host.DefaultWindow
}

// dialects makes each dialect by its name in the configuration. A new one needs
// a line here: docs/recipes/add-a-scheme.md.
var dialects = map[string]func() (scheme.Dialect, error){
	"cup":        func() (scheme.Dialect, error) { return cup.Dialect, nil },
	"visa":       func() (scheme.Dialect, error) { return visa.New(visa.Station{}) },
	"mastercard": func() (scheme.Dialect, error) { return mastercard.New(mastercard.EBCDIC), nil },
	"amex":       func() (scheme.Dialect, error) { return amex.Dialect, nil },
	"jcb":        func() (scheme.Dialect, error) { return jcb.Dialect, nil },
	"discover":   func() (scheme.Dialect, error) { return discover.Dialect, nil },
}

func (c SchemeConfig) dialect() (scheme.Dialect, error) {
	make, ok := dialects[c.Dialect]
	if !ok {
		return nil, fmt.Errorf("%w: acquirer.schemes: dialect %q: want cup, visa, mastercard, amex, jcb or discover", ErrConfig, c.Dialect)
	}
	return make()
}

// pinEntry is what the scheme's F22 says of the PIN: for UnionPay whether one
// came along, for the others that the terminal could have taken it.
func (c SchemeConfig) pinEntry() scheme.PINEntry {
	if c.Dialect == "cup" {
		return scheme.PINUnspecified
	}
	return scheme.PINYes
}

// builtInSchemes are those of an installation that names none, with the first
// digits of the cards that their stand-ins know an issuer for.
var builtInSchemes = []struct {
	name, dialect string
	prefixes      string
}{
	{SchemeName, "cup", "62 81"},
	{"visa", "visa", "4"},
	{"mastercard", "mastercard", "51 52 53 54 55 2221 2222 2223 2224 2225 2226 2227 2228 2229 223 224 225 226 227 228 229 23 24 25 26 270 271 2720"},
	{"amex", "amex", "34 37"},
	{"jcb", "jcb", "3528 3529 353 354 355 356 357 358"},
	{"discover", "discover", "6011 644 645 646 647 648 649 65 300 301 302 303 304 305 3095 36 38 39"},
}

// prefixesOf are the cards of a scheme's stand-in; one that we do not know gets
// whatever is routed to it.
func prefixesOf(name string) []string {
	for _, s := range builtInSchemes {
		if s.name == name {
			return strings.Fields(s.prefixes)
		}
	}
	return []string{""}
}

// schemes are those of the configuration, or the built-in ones: UnionPay where
// world.scheme says, the others at whatever port is free.
func (c Config) schemes() []SchemeConfig {
	if len(c.Acquirer.Schemes) > 0 {
		return c.Acquirer.Schemes
	}
	var out []SchemeConfig
	for _, s := range builtInSchemes {
		one := SchemeConfig{Name: s.name, Dialect: s.dialect, Address: "127.0.0.1:0"}
		if s.name == SchemeName {
			one.Address = c.World.Scheme
		}
		out = append(out, one)
	}
	return out
}

// MaxSchemes bounds how many schemes one host is connected to.
const MaxSchemes = 64

func (c Config) checkSchemes() error {
	if n := len(c.Acquirer.Schemes); n > MaxSchemes {
		return fmt.Errorf("%d schemes: want at most %d", n, MaxSchemes)
	}
	var seen []string
	for _, s := range c.schemes() {
		if s.Name == "" || len(s.Name) > 16 || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fmt.Errorf("name %q: want 1 to 16 lower-case letters and digits", s.Name)
		}
		if slices.Contains(seen, s.Name) {
			return fmt.Errorf("name %q stands twice", s.Name)
		}
		seen = append(seen, s.Name)
		if _, ok := dialects[s.Dialect]; !ok {
			return fmt.Errorf("%s: dialect %q: want cup, visa, mastercard, amex, jcb or discover", s.Name, s.Dialect)
		}
		if s.Window < 0 {
			return fmt.Errorf("%s: window %d: want 0 (for %d) or more", s.Name, s.Window, host.DefaultWindow)
		}
		for _, addr := range append([]string{s.Address}, s.Alternate...) {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return fmt.Errorf("%s: address %q: want host:port", s.Name, addr)
			}
		}
	}
	return nil
}

// Places says where a scheme is reached: one address for each link, the
// preferred one first; none: it is left out. An address is asked at each attempt.
type Places func(scheme string) []func() string

// OneScheme is an installation whose only reachable scheme is UnionPay, there.
func OneScheme(addr func() string) Places {
	return func(name string) []func() string {
		if name == SchemeName {
			return []func() string{addr}
		}
		return nil
	}
}

// hostSchemes are the host's ends of the schemes that can be reached.
func (k Kit) hostSchemes(at Places) ([]host.SchemeConfig, error) {
	var out []host.SchemeConfig
	for _, s := range k.Config.schemes() {
		addrs := at(s.Name)
		if len(addrs) == 0 {
			k.Log.Info("scheme left out: no address and no stand-in here", "scheme", s.Name)
			continue
		}
		d, err := s.dialect()
		if err != nil {
			return nil, err
		}
		zone, ok := k.Secrets.Schemes[s.Name]
		if !ok {
			return nil, fmt.Errorf("%w: no zone keys of scheme %s", ErrData, s.Name)
		}
		one := host.SchemeConfig{
			Name: s.Name, Dialect: d, Prefixes: prefixesOf(s.Name), ZPK: zone.PIN, MACKey: zone.MAC, Master: zone.Master, Window: s.Window, PINEntry: s.pinEntry(),
			Dial: k.Wire.Dialer(RoleHost, SchemeRole(s.Name), addrs[0]),
		}
		for _, addr := range addrs[1:] {
			one.Alternates = append(one.Alternates, k.Wire.Dialer(RoleHost, SchemeRole(s.Name), addr))
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: acquirer.schemes: no scheme can be reached: give addresses there, or in world.scheme", ErrConfig)
	}
	return out, nil
}

// schemeNames are those of the configuration.
func (c Config) schemeNames() []string {
	var out []string
	for _, s := range c.schemes() {
		out = append(out, s.Name)
	}
	return out
}

// shop is what schemes are told of a merchant: category, name and country. The
// name is cut to what every dialect can carry.
func (c MerchantConfig) shop() (mcc string, at scheme.Place) {
	at.Country = scheme.CountryOfNumber(fmt.Sprintf("%03d", c.Country))
	if at.Country == "" {
		return fmt.Sprintf("%04d", c.Category), scheme.Place{}
	}
	at.Name = strings.Map(func(r rune) rune {
		if r == ' ' || r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, c.Name)
	at.Name = strings.TrimSpace(at.Name)
	at.Name = strings.TrimSpace(at.Name[:min(len(at.Name), scheme.MaxName)])
	return fmt.Sprintf("%04d", c.Category), at
}

// hostTerminal is the configured terminal as the host knows it.
func (k Kit) hostTerminal() host.Terminal {
	t := host.Terminal{ID: pay.TerminalID(k.Config.Terminal.ID), Merchant: pay.MerchantID(k.Config.Merchant.ID), TMK: k.Secrets.TMK}
	t.MCC, t.Place = k.Config.Merchant.shop()
	return t
}

// portZero reports whether an address leaves its port to the machine.
func portZero(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	n, nerr := strconv.Atoi(port)
	return err == nil && nerr == nil && n == 0
}
