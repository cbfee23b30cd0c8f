package terminal_test

import (
	"errors"
	"testing"
	"time"

	"huika/iso8583"
	"huika/terminal"
)

// A settlement that the host can't take under these keys, or not here, leads to
// a new sign-in; after it the batch is closed.
func TestSettleSignsInAgain(t *testing.T) {
	for name, r0 := range map[string]reply{
		"other keys":     {code: "A0", noMAC: true},
		"another host":   {code: "A0"},
		"day's cut-over": {code: "90"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				if got := r.pay("unionpay-debit", 8880); got.Outcome != terminal.Approved {
					t.Fatalf("got %s", got.Outcome)
				}
				r.host.onSettlement(func(*iso8583.Message) reply { return r0 })
				if _, err := r.Settle(t.Context()); !errors.Is(err, terminal.ErrUnsettled) {
					t.Fatalf("settled: %v", err)
				}
				r.host.onSettlement(nil)
				time.Sleep(2 * time.Second)
				if n := r.host.counts().signIns; n != 2 {
					t.Errorf("%d sign-ins", n)
				}
				s, err := r.Settle(t.Context())
				if err != nil || !s.Balanced || s.Totals.Debits != 8880 || s.Next != "000002" {
					t.Errorf("%+v, %v", s, err)
				}
			})
		})
	}
}
