package perso

import (
	"cmp"
	"fmt"

	"huika/pay"
)

// MaxPINTries is how often a wrong PIN may be given in a row.
const MaxPINTries = 3

// Statuses of an account.
const (
	StatusOK      = "ok"
	StatusBlocked = "blocked" // the issuer answers 62
)

// Account is what the issuer stand-in knows of one card number.
type Account struct {
	Profile     string // the profile that owns it
	Scheme      string // of its card
	PAN         pay.PAN
	PSN         string // two digits
	Expiry      string // YYMM
	Status      string
	Balance     int64 // fen
	Currency    pay.Currency
	PIN         pay.Secret // ASCII digits
	PINTries    int
	CDCVMDevice bool // a phone or watch: CDCVM may be believed where the CVR states it
	PINAlways   bool // the card asks for the online PIN at any amount
}

// Accounts are the accounts behind the cards. Clones draw on their victim's. pin
// gives the PIN of a profile as digits. A number that is no card number is a
// fault of this package's tables and panics; a test checks them.
func (i *Issuer) Accounts(pin func(profile string) string) []Account {
	var accounts []Account
	for _, p := range profiles() {
		if p.Account != p.Name {
			continue
		}
		d := p.own
		pan, err := d.pan()
		if err != nil {
			panic(fmt.Sprintf("perso: %s: %v", p.Name, err))
		}
		b := d.Behaviour
		accounts = append(accounts, Account{
			Profile: p.Name, Scheme: p.Scheme, PAN: pan, PSN: string(d.Account.Sequence), Expiry: i.expiry(d).Format("0601"),
			Status: cmp.Or(d.Account.Status, StatusOK), Balance: int64(d.Account.Balance), Currency: pay.CNY,
			PIN: pay.NewSecret([]byte(pin(p.Name))), PINTries: MaxPINTries, CDCVMDevice: b.CDCVM, PINAlways: b.PINAlways,
		})
	}
	return accounts
}
