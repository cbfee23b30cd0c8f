package terminal_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	nfcmem "huika/nfc/memory"
	"huika/pay"
	"huika/terminal"
)

func TestHostDown(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.host.setDown(true)
		synctest.Wait()
		if v, _ := r.View(); v.Host.Online || v.Host.SignedIn {
			t.Errorf("host: %+v", v.Host)
		}
		got := r.pay("unionpay-debit", 8880)
		if got.Outcome != terminal.TryAgain || got.Reason != "host_down" {
			t.Errorf("got %s %q", got.Outcome, got.Reason)
		}
		if st := r.state(); len(st.Reversals) != 0 || len(st.Open) != 0 {
			t.Errorf("journal: %+v", st)
		}
		r.host.setDown(false)
		r.settle()
		if got := r.pay("unionpay-debit", 8880); got.Outcome != terminal.Approved {
			t.Errorf("after the host came back: %s %q", got.Outcome, got.Reason)
		}
	})
}

// The host's clock is the terminal's: on the receipt, and in what the card signs.
func TestClockFollowsTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		const ahead = 49 * time.Hour
		r.host.setAhead(ahead)
		r.host.setDown(true)
		synctest.Wait()
		r.host.setDown(false)
		r.settle()
		got := r.pay("unionpay-debit", 8880)
		if got.Outcome != terminal.Approved || got.Time.Sub(time.Now().Add(ahead)).Abs() > time.Minute {
			t.Errorf("%s at %v, the host has %v", got.Outcome, got.Time, time.Now().Add(ahead))
		}
		sales, _ := r.host.seen()
		date, ok := tlv.Find(sales[0].Bytes(55), tag.TransactionDate)
		if want := time.Now().Add(ahead).In(time.FixedZone("CST", 8*60*60)).Format("060102"); !ok || hex.EncodeToString(date) != want {
			t.Errorf("9A is %X, want %s", date, want)
		}
	})
}

// A reversal that nobody takes: three fast tries, then pauses that grow to a
// limit, without end; no sale before it is gone; and it survives a restart.
func TestReversalForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.host.onSale(func(*iso8583.Message) reply { return reply{silent: true} })
		var at []time.Time
		r.host.onReversal(func(*iso8583.Message) reply { at = append(at, time.Now()); return reply{code: "96"} }) // under the host's lock
		if got := r.pay("unionpay-debit", 8880); got.Outcome != terminal.Reversed {
			t.Fatalf("got %s", got.Outcome)
		}
		r.host.onSale(nil)
		time.Sleep(10 * time.Minute)
		r.host.onReversal(func(*iso8583.Message) reply { return reply{code: "96"} }) // from here on at is ours
		if len(at) < 10 || at[2].Sub(at[0]) > 3*time.Second {
			t.Fatalf("%d tries, the third after %v", len(at), at[2].Sub(at[0]))
		}
		for i := 4; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap > 61*time.Second || gap < 4*time.Second {
				t.Errorf("pause before try %d: %v", i+1, gap)
			}
		}
		if v, _ := r.View(); v.Host.PendingReversals != 1 {
			t.Errorf("the clerk sees %d", v.Host.PendingReversals)
		}
		if got := r.pay("unionpay-debit", 100); got.Outcome != terminal.TryAgain || got.Reason != "reversal_pending" {
			t.Errorf("a sale before the reversal: %s %q", got.Outcome, got.Reason)
		}
		if err := r.stop(); err == nil {
			t.Error("Run returned nil")
		}
		r.start()
		if v, _ := r.View(); v.Host.PendingReversals != 1 {
			t.Errorf("after a restart the clerk sees %d", v.Host.PendingReversals)
		}
		r.host.onReversal(func(*iso8583.Message) reply { return reply{code: "25"} }) // original unknown
		r.settle()
		if got := r.pay("unionpay-debit", 100); got.Outcome != terminal.Approved {
			t.Errorf("after it: %s %q", got.Outcome, got.Reason)
		}
		_, reversals := r.host.seen()
		for _, m := range reversals[1:] {
			if m.Get(11) != reversals[0].Get(11) || m.Get(61) != reversals[0].Get(61) {
				t.Error("a repeated reversal has another number")
			}
		}
	})
}

func TestStartSale(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		for _, m := range []pay.Money{pay.Fen(0), pay.Fen(-1), pay.Fen(pay.MaxMinor + 1), {Minor: 100, Currency: pay.USD}} {
			if _, err := r.StartSale(t.Context(), terminal.SaleRequest{Amount: m}); !errors.Is(err, terminal.ErrAmount) {
				t.Errorf("%s: %v, want ErrAmount", m, err)
			}
		}
		const id pay.PaymentID = "0123456789abcdefghjkmnpqrs"
		req := terminal.SaleRequest{ID: id, Amount: pay.Fen(8880)}
		for range 3 {
			if got, err := r.StartSale(t.Context(), req); got != id || err != nil {
				t.Fatalf("StartSale: %s, %v", got, err)
			}
		}
		if _, err := r.StartSale(t.Context(), terminal.SaleRequest{ID: id, Amount: pay.Fen(1)}); !errors.Is(err, terminal.ErrAmount) {
			t.Errorf("the same id with another amount: %v", err)
		}
		if _, err := r.StartSale(t.Context(), terminal.SaleRequest{Amount: pay.Fen(1)}); !errors.Is(err, terminal.ErrBusy) {
			t.Errorf("a second payment: %v", err)
		}
		if _, err := r.StartSale(t.Context(), terminal.SaleRequest{ID: "x", Amount: pay.Fen(1)}); !errors.Is(err, terminal.ErrID) {
			t.Errorf("an id of another shape: %v", err)
		}
		if err := r.Dismiss(t.Context()); !errors.Is(err, terminal.ErrBusy) {
			t.Errorf("Dismiss: %v", err)
		}
		r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
		first := r.end(id)
		if err := r.Dismiss(t.Context()); err != nil {
			t.Error(err)
		}
		if v, _ := r.View(); v.Payment != nil {
			t.Error("the payment is still on the screen")
		}
		if _, err := r.StartSale(t.Context(), req); err != nil {
			t.Errorf("the same id after its end: %v", err)
		}
		if again := r.end(id); again.RRN != first.RRN || again.Outcome != terminal.Approved || !again.Time.Equal(first.Time) {
			t.Errorf("stored result %+v, want %+v", again, first)
		}
		if sales, _ := r.host.seen(); len(sales) != 1 {
			t.Errorf("%d sales for one id", len(sales))
		}
	})
}

func TestBatch(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		if got := r.pay("unionpay-debit", 100); got.Batch != "000001" {
			t.Errorf("batch %s", got.Batch)
		}
		r.host.onSignIn("000077")
		r.host.setDown(true)
		r.host.setDown(false)
		time.Sleep(2 * time.Second)
		v, _ := r.View()
		if v.Shift.Batch != "000077" || v.Shift.Count != 0 || v.Shift.Sum != "0.00" {
			t.Errorf("shift: %+v", v.Shift)
		}
		if got := r.pay("unionpay-debit", 100); got.Batch != "000077" || got.Outcome != terminal.Approved {
			t.Errorf("batch %s, %s", got.Batch, got.Outcome)
		}
	})
}

func TestEcho(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		time.Sleep(5*time.Minute + time.Second)
		if n := r.host.counts(); n.echoes < 4 || n.signIns != 1 {
			t.Errorf("%d echoes, %d sign-ins in five minutes", n.echoes, n.signIns)
		}
	})
}
