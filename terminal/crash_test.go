package terminal_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"huika/iso8583"
	nfcmem "huika/nfc/memory"
	"huika/pay"
	"huika/terminal"
	"huika/terminal/journal"
	"huika/terminal/journal/memory"
)

// The power goes at each write of a sale: after the restart no payment is open,
// and whatever left is answered or reversed.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply reply
	}{{"approved", reply{}}, {"declined", reply{code: "51"}}, {"no answer", reply{silent: true}}} {
		for cut := 1; cut <= 8; cut++ {
			t.Run(fmt.Sprintf("%s/after %d writes", c.name, cut), func(t *testing.T) {
				inBubble(t, func(t *testing.T, r *rig) {
					r.host.onSale(func(*iso8583.Message) reply { return c.reply })
					r.disk.CutAfter(cut)
					id, err := r.StartSale(t.Context(), terminal.SaleRequest{ID: "0123456789abcdefghjkmnpqrs", Amount: pay.Fen(8880)})
					r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
					var shown terminal.Result
					if err == nil {
						if shown, err = r.Wait(t.Context(), id); err != nil && !errors.Is(err, terminal.ErrStopped) {
							t.Errorf("Wait: %v", err)
						}
					}
					time.Sleep(10 * time.Second) // the reversal is tried
					_ = r.stop()                 // it may have ended by itself
					r.disk.CutAfter(0)
					r.host.onSale(nil)
					r.start()
					r.settle()
					checkBooks(t, r, shown)
				})
			})
		}
	}
}

// checkBooks: nothing open or owed; each sale that left is approved and shown, declined, or reversed once at least.
func checkBooks(t *testing.T, r *rig, shown terminal.Result) {
	t.Helper()
	st := r.state()
	if len(st.Open) != 0 || len(st.Reversals) != 0 {
		t.Errorf("journal: %+v", st)
	}
	store, err := memory.Open(r.disk)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[pay.STAN]journal.Ended{}
	if err := store.Each(t.Context(), func(rec journal.Record) error {
		if e, ok := rec.(journal.Ended); ok {
			ends[e.Key.STAN] = e
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	reversed := map[string]bool{}
	sales, reversals := r.host.seen()
	for _, m := range reversals {
		reversed[m.Get(11)] = true
	}
	for _, m := range sales {
		var approved, known bool
		for stan, e := range ends {
			if stan.String() == m.Get(11) {
				approved, known = e.Approved, true
			}
		}
		if !known {
			t.Error("a request left that the journal does not know")
		}
		if approved && reversed[m.Get(11)] {
			t.Error("approved and reversed")
		}
		if !approved && !reversed[m.Get(11)] && shown.ResponseCode == "" {
			t.Error("a request left and was neither answered nor reversed")
		}
	}
	if shown.Outcome == terminal.Approved && st.Totals.DebitCount != 1 {
		t.Error("an approval was shown that the journal does not have")
	}
}
