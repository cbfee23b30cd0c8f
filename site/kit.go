package site

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/card/perso"
	"huika/emv/oda"
	"huika/nfc"
	"huika/pay"
	"huika/rt"
	"huika/terminal"
	"huika/terminal/journal"
	"huika/world/issuer"
	"huika/world/scheme"
)

// Kit is what the parts of one installation share. Each of its methods builds
// one part over the stores and addresses it is given: files and sockets in the
// program, memory and a simulated network in sim.
type Kit struct {
	Env     rt.Env
	Config  Config
	Secrets Secrets
	Cards   *perso.Issuer
	Wire    Wire
	Log     *slog.Logger
	// At is told of durable writes; nil: nobody listens.
	At Boundary
	// Fatal ends the process: a store is broken.
	Fatal func(error)
	// Ranges are the card number ranges; nil: those of the configuration, as they are now.
	Ranges *bin.Live
	// Downloads are what terminals are given; nil: those of the configuration, as they are now.
	Downloads host.Downloader
	// Terminals are known to the host beside the configured one.
	Terminals []host.Terminal
	// PIN gives a profile's PIN; nil: Config.World.PIN for all.
	PIN func(profile string) string
	// Banks share the cards of a scheme; nil: one has all.
	Banks []Bank
	// Owner names this host in the leases of lanes; "": as configured. LeaseTTL and Limits: zero is the configuration's, or the host's default.
	Owner    string
	LeaseTTL time.Duration
	Limits   host.Limits
}

// Issuer builds the card issuer's stand-in, with the accounts of every bank.
func (k Kit) Issuer(store issuer.Store) (*issuer.Issuer, error) { return k.BankIssuer(Bank{}, store) }

// BankIssuer builds the stand-in of one bank.
func (k Kit) BankIssuer(b Bank, store issuer.Store) (*issuer.Issuer, error) {
	if k.At != nil {
		store = boundIssuer{store, k.At}
	}
	pin := k.PIN
	if pin == nil {
		pin = func(string) string { return k.Config.World.PIN }
	}
	return issuer.New(k.Env, issuer.Config{
		Name: b.Name, Accounts: b.own(k.Cards.Accounts(pin)), IMK: k.Cards.IMK(), Keys: k.Cards.AllMasterKeys(), ZPK: k.Secrets.IssuerZPK, MACKey: k.Secrets.IssuerMAC,
		Store: store, Log: k.Log.With("part", "issuer"),
	})
}

// Scheme builds the stand-in of the scheme of that name; issuerAddr is where
// its issuer listens, where Banks name no others.
func (k Kit) Scheme(name string, store scheme.Store, issuerAddr func() string) (*scheme.Scheme, error) {
	if k.At != nil {
		store = boundScheme{store, k.At}
	}
	for _, c := range k.Config.schemes() {
		if c.Name != name {
			continue
		}
		d, err := c.dialect()
		if err != nil {
			return nil, err
		}
		zone := k.Secrets.Schemes[name]
		return scheme.New(k.Env, scheme.Config{
			Name: "scheme " + name, Dialect: d,
			Acquirers: []scheme.Acquirer{{ID: k.Config.Acquirer.ID, Zone: scheme.Zone{ZPK: zone.PIN, MACKey: zone.MAC, Master: zone.Master}}},
			Issuers:   k.issuers(name, issuerAddr),
			Store:     store,
			Timeout:   time.Duration(k.Config.Timeouts.Issuer), Log: k.Log.With("part", "scheme", "scheme", name),
		})
	}
	return nil, fmt.Errorf("%w: acquirer.schemes: there is no %s", ErrConfig, name)
}

// Host builds the acquirer's host; schemes says where they listen.
func (k Kit) Host(store book.Store, heads book.HeadKeeper, schemes Places) (*host.Host, error) {
	if k.At != nil {
		store = boundBooks{store, k.At}
	}
	sealer, err := pay.NewGCMSealer(k.Secrets.Seal, k.Env.Rand())
	if err != nil {
		return nil, err
	}
	cards := k.Ranges
	if cards == nil {
		t, _, err := k.Config.cardRanges()
		if err != nil {
			return nil, err
		}
		cards = bin.NewLive(t)
	}
	ends, err := k.hostSchemes(schemes)
	if err != nil {
		return nil, err
	}
	given := k.Downloads
	if given == nil {
		d, _, err := k.Config.downloads()
		if err != nil {
			return nil, err
		}
		given = d
	}
	return host.New(k.Env, host.Config{
		Store: store, Heads: heads, Lanes: k.Config.Acquirer.Lanes, Owner: cmp.Or(k.Owner, k.Config.owner()),
		LeaseTTL: cmp.Or(k.LeaseTTL, time.Duration(k.Config.Acquirer.Lease)), Limits: k.Limits,
		Terminals: append([]host.Terminal{k.hostTerminal()}, k.Terminals...),
		Schemes:   ends,
		Downloads: given, Cards: cards.Lookup, Fee: k.Config.fees(cards.Lookup),
		AcquirerID: k.Config.Acquirer.ID, Sealer: sealer, FingerprintKey: k.Secrets.Fingerprint, Identify: k.Wire.Identify(),
		Location: k.Config.Location(), Timeouts: host.Timeouts{Scheme: time.Duration(k.Config.Timeouts.Scheme)},
		Log: k.Log.With("part", "host"), Fatal: k.Fatal,
	})
}

// Terminal builds the POS over a reader; hostAddr is where the acquirer listens.
func (k Kit) Terminal(reader nfc.Reader, j journal.Store, hostAddr func() string) (*terminal.Terminal, error) {
	if k.At != nil {
		j = boundJournal{j, k.At}
	}
	c := k.Config
	sealer, err := pay.NewGCMSealer(k.Secrets.Terminal, k.Env.Rand())
	if err != nil {
		return nil, err
	}
	keys, err := k.caKeys()
	if err != nil {
		return nil, err
	}
	printer, err := c.printer(k.Env)
	if err != nil {
		return nil, err
	}
	t := c.Timeouts
	return terminal.New(k.Env, terminal.Config{
		Mode: string(c.Mode), TerminalID: pay.TerminalID(c.Terminal.ID), MerchantID: pay.MerchantID(c.Merchant.ID),
		MerchantName: c.Merchant.Name, MerchantCategory: uint16(c.Merchant.Category), Location: c.Location(),
		Limits: terminal.Limits{CVM: c.Terminal.CVMLimit}, Reader: reader, CAKeys: keys, Journal: j, Sealer: sealer, TMK: k.Secrets.TMK,
		Dial:    k.Wire.Dialer(RoleTerminal(pay.TerminalID(c.Terminal.ID), pay.MerchantID(c.Merchant.ID)), RoleHost, hostAddr),
		Printer: printer,
		Timeouts: terminal.Timeouts{Present: time.Duration(t.Present), PIN: time.Duration(t.PIN), Host: time.Duration(t.Terminal), Manage: time.Duration(t.Terminal),
			Connect: min(5*time.Second, time.Duration(t.Terminal))},
		Log: k.Log.With("part", "terminal"),
	})
}

// caKeys are the schemes' CA keys: those of the configured file, or the
// demonstration's own.
func (k Kit) caKeys() (*oda.CAStore, error) {
	if path := k.Config.Terminal.CAKeys; path != "" {
		return readCAKeys(path, k.Config.Mode)
	}
	return k.Cards.CAStore()
}
