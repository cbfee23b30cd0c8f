package terminal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"huika/iso8583"
	"huika/nfc"
	nfcmem "huika/nfc/memory"
	"huika/pay"
	"huika/terminal"
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
