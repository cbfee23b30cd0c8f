package scheme_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"huika/iso8583"
	"huika/world/issuer/issuertest"
	"huika/world/issuer/memlog"
	"huika/world/scheme"
)

const debitCard = "unionpay-debit"

func (w *town) request(s issuertest.Shape, fen int64, pin string) *iso8583.Message {
	w.t.Helper()
	w.stan++
	return w.card(debitCard).Request(w.t, s, issuertest.Terminal{Fen: fen}, w.stan, pin, w.config.Acquirers[0].Zone.ZPK)
}

func (w *town) after(s issuertest.Shape, original *iso8583.Message, code string, fen int64) *iso8583.Message {
	w.stan++
	return issuertest.Follow(s, original, code, fen, w.stan)
}

func (w *town) done(m *iso8583.Message) string {
	w.t.Helper()
	answer, err := w.peer.Ask(w.t.Context(), m)
	if err != nil || answer.Get(39) != "00" {
		w.t.Fatalf("%s %s: F39 %s, %v", m.MTI(), m.Get(3), answer.Get(39), err)
	}
	return answer.Get(38)
}

func (w *town) held() int64 {
	w.t.Helper()
	m, ok := w.bank.Held(w.card(debitCard).Account.PAN)
	if !ok {
		w.t.Fatal("no such card")
	}
	return m.Minor
}

// Each kind goes through, with its PIN translated where it has one.
func TestEveryKind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		full := w.balance(debitCard)
		moved := func(paid, held int64) {
			t.Helper()
			if full-w.balance(debitCard) != paid || w.held() != held {
				t.Fatalf("%d paid, want %d; %d held, want %d", full-w.balance(debitCard), paid, w.held(), held)
			}
		}
		sale := w.request(issuertest.Sale, 1000, "")
		void := w.after(issuertest.Void, sale, w.done(sale), 1000)
		w.done(void)
		moved(0, 0)
		sale = w.request(issuertest.Sale, 1000, "")
		w.done(w.after(issuertest.Refund, sale, w.done(sale), 300))
		moved(700, 0)
		auth := w.request(issuertest.PreAuth, 500_000, w.pin)
		code := w.done(auth)
		moved(700, 500_000)
		inquiry, err := w.peer.Ask(t.Context(), w.request(issuertest.Balance, 0, w.pin))
		if want := fmt.Sprintf("0002156C%012d", full-500_700); err != nil || inquiry.Get(54) != want {
			t.Errorf("F54 %q, want %q, %v", inquiry.Get(54), want, err)
		}
		w.want(w.after(issuertest.Completion, auth, code, 575_001), "64")
		completion := w.after(issuertest.Completion, auth, code, 400_000)
		w.done(w.after(issuertest.CompletionVoid, completion, w.done(completion), 400_000))
		moved(700, 0)
		auth = w.request(issuertest.PreAuth, 600, "")
		w.done(w.after(issuertest.PreAuthCancel, auth, w.done(auth), 600))
		auth = w.request(issuertest.PreAuth, 600, "")
		advice := w.after(issuertest.CompletionAdvice, auth, w.done(auth), 650)
		for range 3 {
			w.done(advice)
		}
		moved(1350, 0)
		for _, m := range []*iso8583.Message{advice, auth} {
			w.want(w.reversal(m), "00")
		}
		moved(700, 0)
		other := void.Clone()
		other.Set(22, "999")
		w.want(other, "94")
	})
}

// What is owed for an answer that came too late: a reversal for what moves
// money, nothing for a question or an advice.
func TestLateAnswerOfEveryKind(t *testing.T) {
	const fen = 1000
	for _, c := range []struct {
		name       string
		before     []issuertest.Shape
		shape      issuertest.Shape
		owed       int
		paid, held int64 // after all of it
	}{
		{"sale", nil, issuertest.Sale, 1, 0, 0},
		{"void", []issuertest.Shape{issuertest.Sale}, issuertest.Void, 1, fen, 0},
		{"refund", []issuertest.Shape{issuertest.Sale}, issuertest.Refund, 1, fen, 0},
		{"pre-authorisation", nil, issuertest.PreAuth, 1, 0, 0},
		{"cancel", []issuertest.Shape{issuertest.PreAuth}, issuertest.PreAuthCancel, 1, 0, fen},
		{"completion", []issuertest.Shape{issuertest.PreAuth}, issuertest.Completion, 1, 0, fen},
		{"completion void", []issuertest.Shape{issuertest.PreAuth, issuertest.Completion}, issuertest.CompletionVoid, 1, fen, 0},
		{"completion advice", []issuertest.Shape{issuertest.PreAuth}, issuertest.CompletionAdvice, 0, fen, 0},
		{"balance", nil, issuertest.Balance, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newTown(t, nil)
				full := w.balance(debitCard)
				shapes := append(append([]issuertest.Shape(nil), c.before...), c.shape)
				amount := int64(fen)
				if c.shape == issuertest.Balance {
					amount = 0
				}
				m := w.request(shapes[0], amount, "")
				for _, s := range shapes[1:] {
					m = w.after(s, m, w.done(m), fen)
				}
				w.bank.SetDelay(timeout + time.Second)
				w.want(m, "91")
				synctest.Wait()
				if w.scheme.Owed() != c.owed {
					t.Fatalf("%d owed, want %d", w.scheme.Owed(), c.owed)
				}
				w.restart() // what is owed is owed by the next one too
				if w.scheme.Owed() != c.owed {
					t.Fatalf("%d owed after the restart, want %d", w.scheme.Owed(), c.owed)
				}
				w.bank.SetDelay(0)
				time.Sleep(5 * time.Minute)
				if w.scheme.Owed() != 0 || full-w.balance(debitCard) != c.paid || w.held() != c.held {
					t.Errorf("%d owed; %d paid, want %d; %d held, want %d", w.scheme.Owed(), full-w.balance(debitCard), c.paid, w.held(), c.held)
				}
			})
		})
	}
}

// An advice is passed on until the issuer takes it; a question's copy is not.
func TestAdviceIsRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		full := w.balance(debitCard)
		auth := w.request(issuertest.PreAuth, 1000, "")
		code := w.done(auth)
		advice, inquiry := w.after(issuertest.CompletionAdvice, auth, code, 1100), w.request(issuertest.Balance, 0, "")
		w.bank.SetDown(true)
		synctest.Wait()
		w.want(advice, "91")
		w.want(inquiry, "91")
		w.bank.SetDown(false)
		time.Sleep(time.Minute)
		w.peer.Close()
		w.peer.Wait(t)
		w.connect()
		w.want(inquiry, "91")
		w.want(advice, "00")
		w.want(advice, "00")
		if full-w.balance(debitCard) != 1100 || w.held() != 0 || w.scheme.Owed() != 0 {
			t.Errorf("%d paid, %d held, %d owed", full-w.balance(debitCard), w.held(), w.scheme.Owed())
		}
		other := advice.Clone()
		other.Set(4, "000000001101")
		w.want(other, "94")
	})
}

// Copies of an advice that come while it is asked are asked with it.
func TestAdviceTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		auth := w.request(issuertest.PreAuth, 1000, "")
		advice := w.after(issuertest.CompletionAdvice, auth, w.done(auth), 1000)
		w.bank.SetDelay(timeout + time.Second)
		second := issuertest.NewPeer(t, w.env, w.wire.Dial, w.config.Acquirers[0].Zone.MACKey)
		if code := second.Code(t, issuertest.Network("001", 900)); code != "00" {
			t.Fatal(code)
		}
		first := w.ask(advice.Clone())
		time.Sleep(time.Second)
		start := time.Now()
		if code := second.Code(t, advice.Clone()); code != "91" || time.Since(start) != timeout-time.Second {
			t.Errorf("F39 %s after %v", code, time.Since(start))
		}
		if code, err := first.Get(t.Context()); code != "91" {
			t.Errorf("F39 %s, %v", code, err)
		}
		second.Close()
		second.Wait(t)
	})
}

// Too many debts stop what could add one, and nothing else.
func TestMaxOwedByKind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, func(c *scheme.Config) { c.MaxOwed = 1 })
		auth := w.request(issuertest.PreAuth, 100, "")
		code := w.done(auth)
		w.bank.SetDelay(timeout + time.Second)
		w.want(w.request(issuertest.Sale, 100, ""), "91")
		synctest.Wait()
		if w.scheme.Owed() != 1 {
			t.Fatalf("%d owed", w.scheme.Owed())
		}
		w.bank.SetDelay(0)
		w.want(w.request(issuertest.PreAuth, 100, ""), "91")
		w.want(w.request(issuertest.Balance, 0, ""), "00")
		w.want(w.after(issuertest.CompletionAdvice, auth, code, 100), "00")
	})
}

// A debt of version 1 is a sale's, and is paid as one.
func TestVersion1(t *testing.T) {
	old := []byte("\x01\x01bank\x1f1123080000\x1f000007\x1f48020000\x1f\x1fHK000001\x1f898110000000001\x1f000000\x1f000000000100\x1f156\x1f000000000007\x1f")
	want := scheme.Record{
		Kind: scheme.Owed, Issuer: "bank", MTI: "0200", Transmission: "1123080000", STAN: "000007", Acquirer: "48020000", Terminal: "HK000001",
		Merchant: "898110000000001", Processing: "000000", Amount: "000000000100", Currency: "156", RRN: "000000000007",
	}
	var got scheme.Record
	if err := got.UnmarshalBinary(old); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	settled := []byte("\x01\x02bank\x1f1123080000\x1f000007\x1f48020000\x1f\x1fHK000001\x1f898110000000001\x1f\x1f\x1f\x1f\x1f")
	if err := got.UnmarshalBinary(settled); err != nil || got.Kind != scheme.Settled || got.MTI != "" || got.STAN != "000007" {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, bad := range map[string][]byte{"a text of version 2": append(append([]byte(nil), old...), "0200\x1f"...), "version 3": append([]byte{3}, old[1:]...)} {
		if err := got.UnmarshalBinary(bad); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	inBubble(t, func(t *testing.T) {
		log := memlog.New[scheme.Record]()
		if err := log.Append(want); err != nil {
			t.Fatal(err)
		}
		w := newTown(t, func(c *scheme.Config) { c.Store = log })
		time.Sleep(time.Minute)
		if w.scheme.Owed() != 0 || log.Len() != 2 {
			t.Errorf("%d owed, %d records", w.scheme.Owed(), log.Len())
		}
	})
}

// Whatever stands in a log, a record is read whole or refused.
func FuzzRecord(f *testing.F) {
	for _, r := range []scheme.Record{{Kind: scheme.Owed, Issuer: "bank", MTI: "0220", STAN: "000001"}, {Kind: scheme.Settled, Issuer: "bank"}} {
		b, err := r.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x01\x02bank\x1f1123080000\x1f000007\x1f48020000\x1f\x1fHK000001\x1f898110000000001\x1f\x1f\x1f\x1f\x1f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, same scheme.Record
		if r.UnmarshalBinary(b) != nil {
			return
		}
		again, err := r.MarshalBinary()
		if err != nil && len(b) < 500 { // a record of version 1 grows by its message type
			t.Fatalf("%+v was read, and can't be written: %v", r, err)
		}
		if err == nil && (same.UnmarshalBinary(again) != nil || same != r) {
			t.Fatalf("%+v, want %+v", same, r)
		}
	})
}
