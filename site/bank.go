package site

import (
	"slices"
	"strings"

	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/card/perso"
	"huika/iso8583"
	"huika/pay"
	"huika/world/issuer"
	"huika/world/scheme"
)

// Bank is one issuer of several below one scheme: the cards whose numbers begin
// with one of its prefixes, and where it listens.
type Bank struct {
	Name     string
	Prefixes []string
	Addr     func() string
}

// own are the accounts of the bank's cards; a bank without prefixes has all.
func (b Bank) own(all []perso.Account) []perso.Account {
	if len(b.Prefixes) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(a perso.Account) bool {
		return !slices.ContainsFunc(b.Prefixes, func(p string) bool { return strings.HasPrefix(a.PAN.Reveal(), p) })
	})
}

// issuers are those of the scheme of that name: one at addr, or the banks.
func (k Kit) issuers(of string, addr func() string) []scheme.Issuer {
	banks := k.Banks
	if len(banks) == 0 {
		banks = []Bank{{Name: "demo bank", Prefixes: prefixesOf(of), Addr: addr}}
	}
	out := make([]scheme.Issuer, 0, len(banks))
	for _, b := range banks {
		out = append(out, scheme.Issuer{
			Name: b.Name, Prefixes: b.Prefixes, Zone: scheme.Zone{ZPK: k.Secrets.IssuerZPK, MACKey: k.Secrets.IssuerMAC},
			Dial: k.Wire.Dialer(SchemeRole(of), roleIssuer, b.Addr),
		})
	}
	return out
}

// Know makes one more terminal known to the host.
func (k *Kit) Know(id pay.TerminalID, of pay.MerchantID, tmk pay.Secret) {
	k.Terminals = append(k.Terminals, host.Terminal{ID: id, Merchant: of, TMK: tmk})
}

// BookedKey is the issuer's name for a payment of the acquirer's books: F7,
// F11, F32, F41 and F42 of the request that asked for it.
func (k Kit) BookedKey(p payment.Payment) (string, bool) {
	m := iso8583.NewMessage()
	m.Set(7, p.SchemeTime)
	m.Set(11, p.SchemeSTAN.String())
	m.Set(32, k.Config.Acquirer.ID)
	m.Set(41, string(p.Key.Terminal))
	m.Set(42, string(p.Key.Merchant))
	return issuer.Key(m)
}
