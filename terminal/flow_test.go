package terminal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"huika/iso8583"
	"huika/nfc"
	nfcmem "huika/nfc/memory"
	"huika/pay"
	"huika/terminal"
	"huika/terminal/journal"
	"huika/terminal/journal/memory"
	"huika/terminal/trace"
)

// 55: a new tap with a new STAN, a new cryptogram and a new try; then 75 ends it.
func TestWrongPIN(t *testing.T) {
	for _, c := range []struct {
		codes   []string
		outcome terminal.OutcomeWord
		reason  string
	}{
		{[]string{"55", "00"}, terminal.Approved, ""},
		{[]string{"55", "55", "75"}, terminal.Declined, "pin_tries_exceeded"},
		{[]string{"55", "55", "55", "55", "55"}, terminal.Declined, "wrong_pin"},
	} {
		t.Run(strings.Join(c.codes, " "), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				n := 0
				r.host.onSale(func(*iso8583.Message) reply { n++; return reply{code: c.codes[n-1]} })
				id := r.begin(500000)
				r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
				var last []byte
				for try := 1; try <= len(c.codes); try++ {
					v := r.until("the PIN pad", func(v *terminal.PaymentView) bool { return v.PIN != nil && v.PIN.Try == try })
					if !v.Cancellable || v.Phase != terminal.PhasePIN {
						t.Errorf("try %d: %+v", try, v)
					}
					if last != nil {
						if err := r.SubmitPIN(t.Context(), id, try-1, last); !errors.Is(err, terminal.ErrTry) {
							t.Errorf("the PIN of the try before: %v, want ErrTry", err)
						}
						if err := r.SubmitPIN(t.Context(), id, try, last); !errors.Is(err, terminal.ErrPIN) {
							t.Errorf("the PIN of the try before for this try: %v, want ErrPIN", err)
						}
					}
					last = seal(t, v.PIN, "135790")
					if err := r.SubmitPIN(t.Context(), id, try, last); err != nil {
						t.Fatal(err)
					}
				}
				got := r.end(id)
				if got.Outcome != c.outcome || got.Reason != c.reason || got.CVM != "online_pin" {
					t.Errorf("got %+v", got)
				}
				sales, reversals := r.host.seen()
				if len(sales) != len(c.codes) || len(reversals) != 0 {
					t.Fatalf("%d sales, %d reversals", len(sales), len(reversals))
				}
				seen := map[string]bool{}
				for _, m := range sales {
					for _, f := range []int{11, 55} {
						if k := fmt.Sprint(f, m.Get(f)); seen[k] {
							t.Errorf("F%d repeats", f)
						} else {
							seen[k] = true
						}
					}
					checkPIN(t, r, m, "135790")
				}
				if err := r.SubmitPIN(t.Context(), id, 1, last); !errors.Is(err, terminal.ErrTry) {
					t.Errorf("a PIN after the end: %v", err)
				}
			})
		})
	}
}

func TestPINNotGiven(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		got := r.pay("unionpay-debit", 500000)
		if got.Outcome != terminal.Cancelled || got.Reason != "pin_not_given" {
			t.Errorf("got %s %q", got.Outcome, got.Reason)
		}
		if sales, _ := r.host.seen(); len(sales) != 0 {
			t.Error("the host was asked")
		}
	})
}

// The host's link is lost and signed in again while the PIN pad is open: the
// block moves to the new key.
func TestPINAcrossSignIn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.host.onSale(func(m *iso8583.Message) reply { checkPIN(t, r, m, "135790"); return reply{} })
		id := r.begin(500000)
		r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
		r.until("the PIN pad", inPhase(terminal.PhasePIN))
		r.host.setDown(true)
		r.host.setDown(false)
		time.Sleep(2 * time.Second)
		if err := r.enter("135790"); err != nil {
			t.Fatal(err)
		}
		if got := r.end(id); got.Outcome != terminal.Approved || r.host.counts().signIns != 2 {
			t.Errorf("got %s %q after %d sign-ins", got.Outcome, got.Reason, r.host.counts().signIns)
		}
	})
}

func TestCancel(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		cancel := func(id pay.PaymentID, want bool, wantWhy string) {
			t.Helper()
			from := time.Now()
			ok, why, err := r.Cancel(t.Context(), id)
			if ok != want || why != wantWhy || err != nil || time.Since(from) != 0 {
				t.Errorf("Cancel = %v %q %v after %v; want %v %q at once", ok, why, err, time.Since(from), want, wantWhy)
			}
		}
		ended := func(id pay.PaymentID) {
			t.Helper()
			if got := r.end(id); got.Outcome != terminal.Cancelled || got.Reason != "cancelled_by_clerk" {
				t.Errorf("ended %s %q", got.Outcome, got.Reason)
			}
			cancel(id, true, terminal.WhyEnded)
		}
		id := r.begin(100) // waiting for a card
		cancel(id, true, "")
		if v, _ := r.View(); v.Payment.Cancellable {
			t.Error("the screen still offers to cancel")
		}
		cancel(id, true, "")
		ended(id)

		id = r.begin(500000) // the PIN pad is open
		n := r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
		r.until("the PIN pad", inPhase(terminal.PhasePIN))
		cancel(id, true, "")
		ended(id)
		r.field.Take(n)

		slow := nfcmem.Steady() // a card is being read
		slow.Latency = time.Second
		id = r.begin(100)
		n = r.field.Put(r.card("unionpay-debit"), slow)
		r.until("reading", inPhase(terminal.PhaseReading))
		cancel(id, true, "")
		ended(id)
		r.field.Take(n)

		r.field.SetCondition(nfc.Hung) // the reader hangs
		id = r.begin(100)
		time.Sleep(3 * time.Second)
		cancel(id, true, "")
		ended(id)
		r.field.SetCondition(nfc.Ready)

		r.host.onSale(func(*iso8583.Message) reply { return reply{delay: time.Second} }) // the host is asked
		id = r.begin(100)
		n = r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
		r.until("the host", inPhase(terminal.PhaseHost))
		cancel(id, false, terminal.WhyHostAsked)
		if got := r.end(id); got.Outcome != terminal.Approved {
			t.Errorf("ended %s", got.Outcome)
		}
		cancel(id, false, terminal.WhyEnded)
		r.field.Take(n)
		if _, _, err := r.Cancel(t.Context(), "00000000000000000000000000"); !errors.Is(err, terminal.ErrNoPayment) {
			t.Errorf("cancel of nothing: %v", err)
		}
		if sales, _ := r.host.seen(); len(sales) != 1 {
			t.Errorf("%d sales on the wire, want 1", len(sales))
		}
	})
}

// Cancel and the request race: whoever is told yes is right.
func TestCancelRace(t *testing.T) {
	for range 50 {
		inBubble(t, func(t *testing.T, r *rig) {
			var sent atomic.Int32
			r.host.onSale(func(*iso8583.Message) reply { sent.Add(1); return reply{} })
			id := r.begin(100)
			r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
			var cancelled bool
			done := make(chan struct{})
			go func() {
				defer close(done)
				ok, _, err := r.Cancel(t.Context(), id)
				if err != nil {
					t.Error(err)
				}
				cancelled = ok
			}()
			got := r.end(id)
			<-done
			if cancelled != (sent.Load() == 0) || cancelled != (got.Outcome == terminal.Cancelled) {
				t.Errorf("cancelled %v, %d requests, outcome %s", cancelled, sent.Load(), got.Outcome)
			}
		})
	}
}

// Every way a reader can be bad: the payment waits, says why, and goes on.
func TestReaderComesBack(t *testing.T) {
	for _, c := range []nfc.Condition{nfc.Unplugged, nfc.Hung, nfc.Busy, nfc.Taken, nfc.Disabled, nfc.NoService} {
		t.Run(string(c), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				id := r.begin(8880)
				r.field.SetCondition(c)
				from := time.Now()
				v := r.until("the reader's condition", func(v *terminal.PaymentView) bool { return v.Notice == "reader_"+string(c) })
				if !v.Cancellable || time.Since(from) > time.Second {
					t.Errorf("after %v: %+v", time.Since(from), v)
				}
				time.Sleep(time.Second)
				if all, _ := r.View(); all.Reader.Condition != string(c) {
					t.Errorf("reader: %+v", all.Reader)
				}
				time.Sleep(2 * time.Minute) // longer than a card is waited for
				r.field.SetCondition(nfc.Ready)
				r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
				if got := r.end(id); got.Outcome != terminal.Approved {
					t.Errorf("got %s %q", got.Outcome, got.Reason)
				}
			})
		})
	}
	t.Run("never", func(t *testing.T) {
		inBubble(t, func(t *testing.T, r *rig) {
			r.field.SetCondition(nfc.Unplugged)
			if got := r.end(r.begin(8880)); got.Outcome != terminal.TryAgain || got.Reason != "reader_unplugged" {
				t.Errorf("got %s %q", got.Outcome, got.Reason)
			}
		})
	})
}

func TestTwoCards(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		id := r.begin(8880)
		ids := r.field.PutTogether(nfcmem.Steady(), r.card("unionpay-debit"), r.card("unionpay-credit"))
		v := r.until("one card only", func(v *terminal.PaymentView) bool { return v.UI != nil && v.UI.ID == "19" })
		if v.UI.Tone != "alert" || !v.Cancellable {
			t.Errorf("%+v", v.UI)
		}
		time.Sleep(5 * time.Second)
		r.field.Take(ids[0])
		if got := r.end(id); got.Outcome != terminal.Approved {
			t.Errorf("got %s %q", got.Outcome, got.Reason)
		}
		r.field.TakeAll()
		id = r.begin(8880)
		r.field.PutTogether(nfcmem.Steady(), r.card("unionpay-debit"), r.card("unionpay-credit"))
		got := r.end(id)
		if got.Outcome != terminal.TryAgain || got.Reason != "one_card_only" || got.MessageID != "19" {
			t.Errorf("got %s %q %s", got.Outcome, got.Reason, got.MessageID)
		}
		if sales, _ := r.host.seen(); len(sales) != 1 {
			t.Errorf("%d sales", len(sales))
		}
	})
}

// A card that leaves at any command can be presented again; one request leaves at most.
func TestEarlyRemoval(t *testing.T) {
	for n := range 7 {
		t.Run(fmt.Sprint("after ", n), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				c := r.card("unionpay-debit")
				id := r.begin(8880)
				how := nfcmem.Steady()
				how.RemoveAfterAPDU = n
				r.field.Put(c, how)
				time.Sleep(time.Second)
				r.field.TakeAll()
				if v, _ := r.View(); v.Payment.Phase == terminal.PhasePresent {
					if v.Payment.UI.ID != "21" && v.Payment.UI.ID != "15" {
						t.Errorf("the screen shows %s", v.Payment.UI.ID)
					}
					r.field.Put(c, nfcmem.Steady())
				}
				if got := r.end(id); got.Outcome != terminal.Approved {
					t.Errorf("got %s %q", got.Outcome, got.Reason)
				}
				if sales, _ := r.host.seen(); len(sales) != 1 {
					t.Errorf("%d sales on the wire", len(sales))
				}
			})
		})
	}
	inBubble(t, func(t *testing.T, r *rig) {
		how := nfcmem.Steady()
		how.RemoveAfterAPDU = 2
		id := r.begin(8880)
		r.field.Put(r.card("unionpay-debit"), how)
		if got := r.end(id); got.Outcome != terminal.TryAgain || got.Reason != "card_not_read" {
			t.Errorf("never presented again: %s %q", got.Outcome, got.Reason)
		}
	})
}

// CTQ edited on the way to the terminal at 5000.00: refused.
func TestTampered(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		how := nfcmem.Steady()
		how.Tamper = func(toCard bool, b []byte) []byte {
			if i := bytes.Index(b, []byte{0x9F, 0x6C, 0x02}); !toCard && i >= 0 {
				b[i+3], b[i+4] = 0, b[i+4]|0x80
			}
			return b
		}
		id := r.begin(500000)
		r.field.Put(r.card("unionpay-debit"), how)
		if got := r.end(id); got.Outcome != terminal.Declined || got.Reason != "card_not_genuine" {
			t.Errorf("got %s %q", got.Outcome, got.Reason)
		}
		if sales, _ := r.host.seen(); len(sales) != 0 {
			t.Error("the host was asked")
		}
	})
}

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
	if shown.Outcome == terminal.Approved && st.Count != 1 {
		t.Error("an approval was shown that the journal does not have")
	}
}

// What was recorded goes through the kernel again and ends the same; a changed
// byte does not.
func TestTrace(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		how := nfcmem.Steady()
		how.RemoveAfterAPDU = 3 // an early removal is part of the story
		c := r.card("unionpay-phone")
		id := r.begin(500000)
		r.field.Put(c, how)
		time.Sleep(time.Second)
		r.field.Put(c, nfcmem.Steady())
		if got := r.end(id); got.Outcome != terminal.Approved {
			t.Fatalf("%s %q", got.Outcome, got.Reason)
		}
		file, err := r.TraceFile(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		tape, err := trace.Open(file, r.cfg.Sealer)
		if err != nil {
			t.Fatal(err)
		}
		again, err := trace.Replay(t.Context(), tape, terminal.ReplayKernels)
		if err != nil || !again.Same {
			t.Fatalf("replay: %v, %s", err, again.Difference)
		}
		clear, err := tape.Clear()
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := trace.Parse(clear); err != nil {
			t.Fatal(err)
		} else if again, err := trace.Replay(t.Context(), parsed, terminal.ReplayKernels); err != nil || !again.Same {
			t.Errorf("replay of the clear file: %v, %s", err, again.Difference)
		}
		for i := range tape.Steps {
			s := &tape.Steps[i]
			if at := bytes.Index(s.Response, []byte{0x9F, 0x4B}); at >= 0 {
				s.Response[at+20] ^= 1
			}
		}
		if again, err := trace.Replay(t.Context(), tape, terminal.ReplayKernels); err == nil && again.Same {
			t.Error("a changed signature went unnoticed")
		}
		live, err := r.Trace(t.Context(), id)
		if err != nil || len(live) < 6 {
			t.Fatalf("rows: %d, %v", len(live), err)
		}
		if err := r.Dismiss(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored, err := r.Trace(t.Context(), id)
		if err != nil || len(stored) != len(live) || stored[3] != live[3] {
			t.Errorf("stored rows differ: %v", err)
		}
		if _, err := r.TraceFile(t.Context(), "00000000000000000000000000"); !errors.Is(err, terminal.ErrNoTrace) {
			t.Errorf("trace of nothing: %v", err)
		}
	})
}

// After payments of every kind no log, view, journal or trace file holds a card number, track or PIN.
func TestNothingLeaks(t *testing.T) {
	var log bytes.Buffer
	inBubble(t, func(t *testing.T, r *rig) {
		if err := r.stop(); err == nil {
			t.Fatal("Run returned nil")
		}
		r.cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r.start()
		answers := []reply{{}, {code: "51"}, {badMAC: true}, {code: "55"}, {}}
		r.host.onSale(func(*iso8583.Message) reply { a := answers[0]; answers = answers[1:]; return a })
		var out bytes.Buffer
		for i := range 4 {
			id := r.begin(500000)
			n := r.field.Put(r.card("unionpay-debit"), nfcmem.Steady())
			if err := r.enter("135790"); err != nil {
				t.Fatal(err)
			}
			if i == 3 {
				r.until("the second try", func(v *terminal.PaymentView) bool { return v.PIN != nil && v.PIN.Try == 2 })
				if err := r.enter("135790"); err != nil {
					t.Fatal(err)
				}
			}
			fmt.Fprintf(&out, "%+v\n", r.end(id))
			r.field.Take(n)
			r.settle()
			v, _ := r.View()
			fmt.Fprintf(&out, "%+v\n%+v\n%+v\n", v, *v.Payment, v.Payment.UI)
			file, err := r.TraceFile(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(file)
			text, err := r.Receipt(t.Context(), id, "en")
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(text)
		}
		store, err := memory.Open(r.disk)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Each(t.Context(), func(rec journal.Record) error {
			l, err := journal.Encode(rec)
			out.Write(l.Body)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		out.Write(log.Bytes())
		sales, _ := r.host.seen()
		search(t, out.Bytes(), sales[0])
	})
}

func search(t *testing.T, all []byte, m *iso8583.Message) {
	t.Helper()
	pan := m.Get(2)
	bcd, err := hex.DecodeString(pan + strings.Repeat("F", len(pan)%2))
	if err != nil {
		t.Fatal(err)
	}
	arqc := m.Bytes(55)[3:11]
	low := bytes.ToLower(all)
	for name, secret := range map[string][]byte{
		"PAN": []byte(pan), "PAN in BCD": bcd, "PAN in base64": []byte(base64.StdEncoding.EncodeToString([]byte(pan))),
		"track 2": []byte(m.Get(35)), "PIN": []byte("135790"), "PIN block": m.Bytes(52), "PIN block in hex": []byte(hex.EncodeToString(m.Bytes(52))),
	} {
		if bytes.Contains(all, secret) || bytes.Contains(low, bytes.ToLower(secret)) {
			t.Errorf("%s is there in clear", name)
		}
	}
	if !bytes.Contains(low, []byte(hex.EncodeToString(arqc))) {
		t.Error("the search itself is broken: the receipt prints the cryptogram, and it was not found")
	}
}
