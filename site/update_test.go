package site_test

import (
	"testing"

	"huika/card/perso"
	"huika/pay"
	"huika/terminal"
	"huika/world/issuer"
)

// An issuer's script reaches the card at a second tap, through host and scheme:
// the payment is approved, and the card that was blocked by it refuses the next one.
func TestIssuerScript(t *testing.T) {
	t.Parallel()
	c := openCounter(t, patient)
	var pan pay.PAN
	for _, a := range c.accounts {
		if a.Profile == "visa" {
			pan = a.PAN
		}
	}
	asked := false
	again := []step{{func(_ *visit, v terminal.View) bool { return v.Payment.Notice == terminal.NoticeCardUpdate }, func(v *visit) { asked = true }}}
	for _, r := range []row{
		{name: "no script, no second tap", card: "visa", fen: 8880, want: takes(8880, none)},
		{name: "blocked at the second tap", card: "visa", fen: 8880, want: takes(8880, none), steps: again,
			before: func(v *visit) { check(v.t, v.Issuer.Order(pan, issuer.Order{Block: true})) }},
		{name: "the blocked card", card: "visa", fen: 8880, want: stops(terminal.OtherInterface, "card_not_usable", none, none)},
		{name: "a phone takes no update", card: "visa-phone", fen: 8880, want: takes(8880, cdcvm), before: func(v *visit) {
			for _, a := range c.accounts {
				if a.Profile == "visa-phone" && a.Scheme == perso.Visa {
					check(v.t, v.Issuer.Order(a.PAN, issuer.Order{Block: true}))
				}
			}
		}},
		{name: "and pays again", card: "visa-phone", fen: 8880, want: takes(8880, cdcvm)},
	} {
		t.Run(r.name, func(t *testing.T) { c.serve(t, &r) })
	}
	if !asked {
		t.Error("nobody was asked for a second tap")
	}
}
