package perso

import (
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
	for _, p := range profiles {
		if p.Account != p.Name {
			continue
		}
		pan, err := p.spec.pan()
		if err != nil {
			panic(fmt.Sprintf("perso: %s: %v", p.Name, err))
		}
		a := Account{
			Profile: p.Name, PAN: pan, PSN: p.spec.sequence(), Expiry: i.expiry(p.spec).Format("0601"), Status: StatusOK,
			Balance: p.spec.fen, Currency: pay.CNY, PIN: pay.NewSecret([]byte(pin(p.Name))), PINTries: MaxPINTries,
			CDCVMDevice: p.spec.policy.CDCVM, PINAlways: p.spec.policy.PINAlways,
		}
		if p.spec.blocked {
			a.Status = StatusBlocked
		}
		accounts = append(accounts, a)
	}
	return accounts
}
