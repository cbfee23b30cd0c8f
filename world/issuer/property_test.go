package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/keys"
	"huika/rt"
	"huika/world/issuer"
	"huika/world/issuer/issuertest"

	"pgregory.net/rapid"
)

// Any interleaving of sales, reversals, copies, restarts and concurrent
// arrivals conserves money and debits nothing twice.
func TestMoneyIsConserved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBank(t, nil)
		defer func() {
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
		}()
		names := []string{"unionpay-debit", "unionpay-poor"}
		initial := map[string]int64{}
		for _, n := range names {
			initial[n] = b.balance(n)
		}
		type made struct {
			name     string
			fen      int64
			message  *iso8583.Message
			approved bool
			reversed bool // a reversal was answered
		}
		var all []*made
		pick := func() *made {
			if len(all) == 0 {
				return nil
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(r, "which")]
		}
		ask := func(m *iso8583.Message) string { return b.peer.Code(t, m) }
		heard := func(x *made, code string) {
			if code == "00" && x.reversed && !x.approved {
				r.Fatalf("sale %s approved after its reversal", x.message.Get(11))
			}
			x.approved = x.approved || code == "00"
		}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch step := rapid.SampledFrom([]string{"sale", "sale", "hold", "send", "copy", "reverse", "restart", "storm"}).Draw(r, "step"); step {
			case "sale", "hold": // hold: the message is under way and comes later, or never
				x := &made{name: rapid.SampledFrom(names).Draw(r, "card"), fen: rapid.Int64Range(1, 400).Draw(r, "fen")}
				x.message = b.sale(x.name, issuertest.Terminal{Fen: x.fen}, "")
				all = append(all, x)
				if step == "sale" {
					heard(x, ask(x.message))
				}
			case "send", "copy":
				if x := pick(); x != nil {
					heard(x, ask(x.message))
				}
			case "reverse":
				if x := pick(); x != nil {
					if code := ask(b.reversal(x.message)); code != "00" && code != "25" {
						r.Fatalf("reversal answered %s", code)
					}
					x.reversed = true
				}
			case "restart":
				b.crash()
			case "storm": // a sale, its copy and its reversal at once, over three connections
				x := pick()
				if x == nil {
					continue
				}
				var left atomic.Int32
				var approved atomic.Bool
				messages := []*iso8583.Message{x.message.Clone(), x.message.Clone(), b.reversal(x.message)}
				left.Store(int32(len(messages)))
				done := rt.NewFuture[bool](b.env)
				for _, m := range messages {
					peer := issuertest.NewPeer(t, b.env, b.wire.Dial, b.config.MACKey)
					b.env.Go("storm", func() {
						answer, err := peer.Ask(context.Background(), m)
						peer.Close()
						if err != nil {
							t.Errorf("storm: %v", err)
						} else if m.MTI() == cup.MTIFinancial && answer.Get(39) == "00" {
							approved.Store(true)
						}
						if left.Add(-1) == 0 {
							done.Set(true)
						}
					})
				}
				if _, err := done.Get(context.Background()); err != nil {
					t.Fatal(err)
				}
				x.approved = x.approved || approved.Load() // a later copy hears the same
				x.reversed = true
			}
		}
		b.crash() // the state is the records' alone
		paid, seen, owing := map[string]int64{}, map[string]bool{}, map[string]bool{}
		for _, e := range b.Ledger() {
			if seen[e.Key] {
				r.Fatalf("%s debited twice", e.Key)
			}
			seen[e.Key], owing[e.Key] = true, !e.Reversed
			if !e.Reversed {
				for _, n := range names {
					if b.card(n).Account.PAN.Reveal() == e.PAN.Reveal() {
						paid[n] += e.Amount.Minor
					}
				}
			}
		}
		for _, n := range names {
			if got := b.balance(n); got != initial[n]-paid[n] || got < 0 {
				r.Fatalf("%s: balance %d, initial %d, paid %d", n, got, initial[n], paid[n])
			}
		}
		for _, x := range all {
			if key, _ := issuer.Key(x.message); x.reversed && owing[key] {
				r.Fatalf("%s stays debited after its reversal", key)
			}
		}
	})
}

// boundary kills the process at one durable boundary.
type boundary struct {
	issuer.Store
	at     int // the boundary to die at: 2n before the n-th Append, 2n+1 after it
	passed int
	die    func()
}

var errKilled = errors.New("killed")

func (b *boundary) Append(records ...issuer.Record) error {
	for _, after := range []bool{false, true} {
		if b.passed++; b.passed-1 == b.at {
			b.die()
			return errKilled
		}
		if !after {
			if err := b.Store.Append(records...); err != nil {
				return err
			}
		}
	}
	return nil
}

// The issuer killed before or after each write: what was answered is durable,
// what was not is found by asking again, and nothing is debited twice.
func TestKilledAtEachBoundary(t *testing.T) {
	for at := 0; ; at++ {
		survived := false
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBank(t, nil)
				killed := false
				kill := &boundary{Store: b.log, at: at, die: func() { killed = true }}
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
				b.config.Store = kill
				b.start()
				full := b.balance("unionpay-debit")
				first := b.sale("unionpay-debit", issuertest.Terminal{Fen: 100}, "")
				second := b.sale("unionpay-debit", issuertest.Terminal{Fen: 20}, "")
				early := b.sale("unionpay-debit", issuertest.Terminal{Fen: 3}, "")
				back := b.reversal(first)
				for n, step := range []struct {
					m    *iso8583.Message
					want string
				}{{first, "00"}, {second, "00"}, {back, "00"}, {b.reversal(early), "25"}, {early, "12"}} {
					answer, err := b.peer.Ask(t.Context(), step.m)
					if err != nil {
						if !killed {
							t.Fatalf("step %d: %v", n, err)
						}
						if ended, _ := b.ended.Get(t.Context()); !errors.Is(ended, errKilled) {
							t.Fatalf("Serve ended with %v", ended)
						}
						b.cancel()
						b.peer.Wait(t)
						b.log = b.log.Crash()
						b.config.Store = b.log
						b.start()
						killed = false
						if answer, err = b.peer.Ask(t.Context(), step.m); err != nil {
							t.Fatal(err)
						}
					}
					if got := answer.Get(39); got != step.want {
						t.Errorf("step %d: %s, want %s", n, got, step.want)
					}
				}
				if got := b.balance("unionpay-debit"); got != full-20 {
					t.Errorf("balance %d, want %d", got, full-20)
				}
				if len(b.Ledger()) != 2 {
					t.Errorf("ledger %+v", b.Ledger())
				}
				survived = kill.passed <= at
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
		if survived || t.Failed() {
			break
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := issuer.Record{
			Kind: rapid.SampledFrom([]issuer.Kind{issuer.Decision, issuer.Reversal, issuer.Tombstone}).Draw(r, "kind"),
			Key:  rapid.StringMatching(`[0-9|A-Z]{1,64}`).Draw(r, "key"), Amount: rapid.Int64().Draw(r, "amount"),
			HasATC: rapid.Bool().Draw(r, "has ATC"), ATC: rapid.Uint16().Draw(r, "ATC"), Auth: rapid.StringMatching(`.{0,4}`).Draw(r, "91"), Script: rapid.StringMatching(`[0-9]{0,255}`).Draw(r, "script"),
			PIN: rapid.SampledFrom([]issuer.PINUse{issuer.PINNone, issuer.PINRight, issuer.PINWrong}).Draw(r, "PIN"),
			RRN: rapid.StringMatching(`[0-9]{0,12}`).Draw(r, "RRN"), AtMS: rapid.Int64().Draw(r, "at"),
		}
		if x.Kind == issuer.Decision {
			x.Transaction = issuer.Transaction(rapid.IntRange(int(issuer.Sale), int(issuer.Balance)).Draw(r, "transaction"))
			x.Original, x.Available = rapid.StringMatching(`[0-9|A-Z]{0,64}`).Draw(r, "original"), rapid.Int64().Draw(r, "available")
			x.Code = rapid.StringMatching(`[0-9A-Z]{2}`).Draw(r, "code")
		}
		b, err := x.MarshalBinary()
		if err != nil {
			r.Fatal(err)
		}
		var y issuer.Record
		if err := y.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(x, y) {
			r.Fatalf("%+v, %v, want %+v", y, err, x)
		}
		cut := rapid.IntRange(0, len(b)-len(x.Key)).Draw(r, "cut")
		if err := y.UnmarshalBinary(b[:cut]); !errors.Is(err, issuer.ErrRecord) {
			r.Fatalf("cut at %d: %v", cut, err)
		}
	})
}

// Whatever a scheme with the right keys sends, the issuer answers or ignores,
// and money moves only by approvals.
func FuzzIssuerMessage(f *testing.F) {
	b := newBank(f, nil)
	mac, err := keys.CMAC(b.config.MACKey)
	if err != nil {
		f.Fatal(err)
	}
	sale, auth := b.sale(debitCard, issuertest.Terminal{Fen: small}, ""), b.request(issuertest.PreAuth, debitCard, small)
	saleCode, authCode := b.done(sale), b.done(auth)
	for _, m := range []*iso8583.Message{
		sale, b.sale(debitCard, issuertest.Terminal{Fen: big}, b.pin), b.reversal(sale), issuertest.Network(cup.NetworkEcho, 5), b.request(issuertest.Balance, debitCard, 0),
		b.after(issuertest.Void, sale, saleCode, small), b.after(issuertest.Refund, sale, saleCode, 1), b.after(issuertest.PreAuthCancel, auth, authCode, small),
		b.after(issuertest.Completion, auth, authCode, 1), b.after(issuertest.CompletionAdvice, auth, authCode, 1), b.reversal(auth),
	} {
		frame, err := cup.Encode(nil, m, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m := iso8583.NewMessage()
		if cup.Decode(frame, m) != nil || m.IsResponse() {
			return
		}
		encoded, err := cup.Encode(nil, m, mac)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := b.peer.Call(ctx, cup.Key(m), encoded); err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if err := b.ledgerFits(); err != nil {
			t.Fatal(err)
		}
	})
}

// One sale through decoding, MAC, cryptogram, decision and answer, on a store without a disk.
func BenchmarkSale(b *testing.B) {
	bank := newBank(b, nil)
	made := make([]*iso8583.Message, 0, b.N)
	for b.Loop() {
		b.StopTimer()
		made = append(made, bank.sale("unionpay-debit", issuertest.Terminal{Fen: 1}, ""))
		b.StartTimer()
		if code := bank.peer.Code(b, made[len(made)-1]); code != "00" {
			b.Fatal(code)
		}
	}
}
