// Package booktest is the contract that every book.Store keeps: each adapter's
// test calls Run. It is test code that lives in a package, so that adapters
// outside this module can be held to it too.
package booktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

const lanes = book.DefaultLanes

var at = time.Date(2026, 11, 23, 1, 2, 3, 4_000_000, time.UTC)

// Key is a sale's key of merchant m with a STAN.
func Key(m string, stan int) payment.Key {
	return payment.Key{Merchant: pay.MerchantID(m), Terminal: "T0000001", Batch: "000001", STAN: pay.STAN(stan), Kind: payment.Sale}
}

// Admit is the operation that begins a sale.
func Admit(k payment.Key, fen int64) book.Op {
	return book.Op{Event: payment.Admit, Key: k, At: at, New: &payment.Payment{
		ID: pay.PaymentID(fmt.Sprintf("%026d", k.STAN)), Fingerprint: payment.Fingerprint{1, byte(k.STAN)}, Amount: pay.Fen(fen),
		SealedPAN: []byte{1, 2, 3}, MaskedPAN: "622848******1234", RRN: "000000000001", Entry: "072", CVM: "none",
		Scheme: "unionpay", SchemeSTAN: 7, SchemeTime: "1123010203",
	}}
}

// Run holds a store to the contract. open makes an empty store; reopen closes
// it and opens the same content again.
func Run(t *testing.T, open func(t *testing.T) book.Store, reopen func(t *testing.T, s book.Store) book.Store) {
	t.Run("life of a sale", func(t *testing.T) { life(t, open(t), reopen) })
	t.Run("same key", func(t *testing.T) { sameKey(t, open(t)) })
	t.Run("a bad operation spoils nothing", func(t *testing.T) { oneBad(t, open(t)) })
	t.Run("fencing", func(t *testing.T) { fencing(t, open(t)) })
	t.Run("giving up undoes no approval", func(t *testing.T) { giveUp(t, open(t)) })
	t.Run("unresolved pages", func(t *testing.T) { pages(t, open(t)) })
	t.Run("tombstone", func(t *testing.T) { tombstone(t, open(t)) })
	t.Run("cancelled context writes nothing", func(t *testing.T) { cancelled(t, open(t)) })
	t.Run("follow-ups", func(t *testing.T) { followUps(t, open(t)) })
	t.Run("follow-ups that are refused", func(t *testing.T) { refusals(t, open(t)) })
	t.Run("fees come back to the last fen", func(t *testing.T) { feesBack(t, open(t)) })
	t.Run("advice", func(t *testing.T) { advice(t, open(t)) })
	t.Run("batch and reference number", func(t *testing.T) { batchTotals(t, open(t)) })
	t.Run("checkpoints", func(t *testing.T) { checkpoints(t, open(t), reopen) })
	t.Run("moves", func(t *testing.T) { moves(t, open(t)) })
	t.Run("leases", func(t *testing.T) { leases(t, open(t)) })
	t.Run("any order of events keeps the books sound", func(t *testing.T) { anyOrder(t, open) })
}

func apply(t testing.TB, s book.Store, ops ...book.Op) []book.Result {
	t.Helper()
	var out []book.Result
	for _, op := range ops {
		res, err := s.Apply(context.Background(), []book.LaneBatch{{Lane: book.LaneOf(op.Key.Merchant, lanes), Epoch: 1, Ops: []book.Op{op}}})
		if err != nil || res[0].Err != nil {
			t.Fatalf("apply %v: %v %v", op.Event, err, res)
		}
		out = append(out, res[0].Results[0])
	}
	return out
}

func want(t testing.TB, got book.Result, status book.Status, state payment.State) {
	t.Helper()
	if got.Status != status || got.Payment.State != state {
		t.Fatalf("got %v, row %v; want %v, row %v", got.Status, got.Payment.State, status, state)
	}
}

func sound(t testing.TB, s book.Store) *book.Report {
	t.Helper()
	rep, err := book.Verify(context.Background(), s, lanes, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Findings {
		t.Error(f)
	}
	return rep
}

func life(t *testing.T, s book.Store, reopen func(*testing.T, book.Store) book.Store) {
	k := Key("M1", 1)
	r := apply(t, s, Admit(k, 8880), book.Op{Event: payment.Approve, Key: k, At: at, Response: "00", AuthCode: "A1B2C3"})
	want(t, r[0], book.Applied, payment.Admitted)
	want(t, r[1], book.Applied, payment.Approved)
	s = reopen(t, s)
	p, ok, err := s.Find(context.Background(), book.LaneOf("M1", lanes), k)
	if err != nil || !ok || !reflect.DeepEqual(p, r[1].Payment) {
		t.Fatalf("after reopening: %v %v\nhave %+v\nwant %+v", ok, err, p, r[1].Payment)
	}
	if p.Response != "00" || p.AuthCode != "A1B2C3" || p.Amount != pay.Fen(8880) || string(p.SealedPAN) != "\x01\x02\x03" || !p.Admitted.Equal(at) {
		t.Fatalf("a field was lost: %+v", p)
	}
	if got := sound(t, s).Balances[pay.CNY][book.MerchantAccount("M1")]; got != 8880 {
		t.Fatalf("merchant balance %d", got)
	}
	r = apply(t, s, book.Op{Event: payment.Reverse, Key: k, At: at, ReversalReason: "98"}, book.Op{Event: payment.ReverseDone, Key: k, At: at})
	want(t, r[0], book.Applied, payment.Reversing)
	want(t, r[1], book.Applied, payment.Reversed)
	if got := sound(t, s).Balances[pay.CNY][book.MerchantAccount("M1")]; got != 0 {
		t.Fatalf("merchant balance after reversal %d", got)
	}
}

func sameKey(t *testing.T, s book.Store) {
	k := Key("M1", 1)
	other := Admit(k, 999)
	other.New.Fingerprint = payment.Fingerprint{9}
	approve := book.Op{Event: payment.Approve, Key: k, At: at, Response: "00"}
	r := apply(t, s, Admit(k, 100), Admit(k, 100), other, approve, approve, Admit(k, 100), other,
		book.Op{Event: payment.Decline, Key: k, At: at, Response: "51"})
	want(t, r[1], book.Duplicate, payment.Admitted)
	want(t, r[2], book.Mismatch, payment.Admitted)
	want(t, r[4], book.Duplicate, payment.Approved)
	want(t, r[5], book.Duplicate, payment.Approved)
	want(t, r[6], book.Mismatch, payment.Approved)
	want(t, r[7], book.Stale, payment.Approved)
	if rep := sound(t, s); rep.Transfers != 1 || rep.Payments != 1 {
		t.Fatalf("%d transfers, %d payments; want one each", rep.Transfers, rep.Payments)
	}
}

func giveUp(t *testing.T, s book.Store) {
	k := Key("M1", 1)
	r := apply(t, s, Admit(k, 100), book.Op{Event: payment.Approve, Key: k, At: at, Response: "00"}, book.Op{Event: payment.GiveUp, Key: k, At: at},
		Admit(Key("M1", 2), 100), book.Op{Event: payment.GiveUp, Key: Key("M1", 2), At: at, ReversalReason: "96"})
	want(t, r[2], book.Stale, payment.Approved)
	want(t, r[4], book.Applied, payment.Reversing)
	if rep := sound(t, s); rep.Transfers != 1 {
		t.Fatal("an approved payment was undone by a restart's sweep")
	}
}

func oneBad(t *testing.T, s book.Store) {
	lane := book.LaneOf("M1", lanes)
	res, err := s.Apply(context.Background(), []book.LaneBatch{{Lane: lane, Epoch: 1, Ops: []book.Op{
		Admit(Key("M1", 1), 100), {Event: payment.Approve, Key: Key("M1", 99), At: at}, Admit(Key("M1", 2), 200),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, res[0].Results[0], book.Applied, payment.Admitted)
	want(t, res[0].Results[1], book.Missing, payment.None)
	want(t, res[0].Results[2], book.Applied, payment.Admitted)
	if rep := sound(t, s); rep.Payments != 2 {
		t.Fatalf("%d payments, want 2", rep.Payments)
	}
}

func fencing(t *testing.T, s book.Store) {
	ctx, lane := context.Background(), book.LaneOf("M1", lanes)
	for _, step := range []struct {
		epoch uint64
		stan  int
		err   error
	}{{3, 1, nil}, {2, 2, book.ErrFenced}, {4, 3, nil}, {3, 4, book.ErrFenced}, {4, 5, nil}} {
		res, err := s.Apply(ctx, []book.LaneBatch{{Lane: lane, Epoch: step.epoch, Ops: []book.Op{Admit(Key("M1", step.stan), 1)}}})
		if err != nil || !errors.Is(res[0].Err, step.err) {
			t.Fatalf("epoch %d: %v %v, want %v", step.epoch, err, res[0].Err, step.err)
		}
	}
	if rep := sound(t, s); rep.Payments != 3 {
		t.Fatalf("%d payments: a fenced owner wrote", rep.Payments)
	}
}

func pages(t *testing.T, s book.Store) {
	const n = book.UnresolvedPage + 10
	lane := book.LaneOf("M1", lanes)
	b := book.LaneBatch{Lane: lane, Epoch: 1}
	for i := 1; i <= n; i++ {
		b.Ops = append(b.Ops, Admit(Key("M1", i), 1))
	}
	b.Ops = append(b.Ops, book.Op{Event: payment.Approve, Key: Key("M1", 5), At: at}, book.Op{Event: payment.Reverse, Key: Key("M1", 6), At: at})
	if _, err := s.Apply(context.Background(), []book.LaneBatch{b}); err != nil {
		t.Fatal(err)
	}
	var cur book.Cursor
	seen := map[payment.Key]bool{}
	for {
		page, err := s.Unresolved(context.Background(), lane, cur)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			if seen[p.Key] || !p.State.Unresolved() {
				t.Fatalf("%v twice or resolved", p.Key)
			}
			seen[p.Key] = true
		}
		cur.After = page[len(page)-1].Key
	}
	if len(seen) != n-1 || seen[Key("M1", 5)] {
		t.Fatalf("%d unresolved, want %d", len(seen), n-1)
	}
	if other, err := s.Unresolved(context.Background(), (lane+1)%lanes, book.Cursor{}); err != nil || len(other) != 0 {
		t.Fatalf("another lane shows %d: %v", len(other), err)
	}
}

func tombstone(t *testing.T, s book.Store) {
	k := Key("M1", 1)
	ahead := Admit(k, 0)
	ahead.Event, ahead.New.Fingerprint, ahead.ReversalReason = payment.ReverseAhead, payment.Fingerprint{}, "98"
	ahead.New.SealedPAN = nil // the message names no card
	r := apply(t, s, book.Op{Event: payment.Reverse, Key: k, At: at}, ahead, ahead, Admit(k, 500), book.Op{Event: payment.Approve, Key: k, At: at})
	want(t, r[0], book.Missing, payment.None)
	want(t, r[1], book.Applied, payment.Tombstone)
	want(t, r[2], book.Duplicate, payment.Tombstone)
	want(t, r[3], book.Duplicate, payment.Tombstone)
	want(t, r[4], book.Stale, payment.Tombstone)
	if rep := sound(t, s); rep.Transfers != 0 {
		t.Fatal("a sale behind its own reversal moved money")
	}
}

func cancelled(t *testing.T, s book.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Apply(ctx, []book.LaneBatch{{Lane: 1, Epoch: 1, Ops: []book.Op{Admit(Key("M1", 1), 1)}}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if rep := sound(t, s); rep.Payments != 0 {
		t.Fatal("written all the same")
	}
}

func anyOrder(t *testing.T, open func(*testing.T) book.Store) {
	events := []payment.Event{
		payment.Admit, payment.Approve, payment.Decline, payment.Reverse, payment.ReverseDone, payment.ReverseAhead, payment.DropUnrouted,
		payment.GiveUp, payment.Accept, payment.Forwarded, payment.ByHand,
	}
	kinds := []payment.Kind{
		payment.Sale, payment.Sale, payment.Void, payment.Refund, payment.Refund, payment.PreAuth, payment.PreAuthCancel, payment.Completion,
		payment.CompletionVoid, payment.CompletionAdvice,
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		last := map[payment.Key]payment.State{}
		for range rapid.IntRange(1, 60).Draw(rt, "operations") {
			k := Key(rapid.SampledFrom([]string{"M1", "M2"}).Draw(rt, "merchant"), rapid.IntRange(1, 2).Draw(rt, "stan"))
			k.Kind = rapid.SampledFrom(kinds).Draw(rt, "kind")
			op := Admit(k, int64(rapid.SampledFrom([]int{100, 100, 40, 115}).Draw(rt, "amount")))
			op.New.Fee = rapid.Int64Range(0, 3).Draw(rt, "fee")
			if on := k.Kind.Rule().On; len(on) > 0 {
				op.New.Original = Key(string(k.Merchant), rapid.IntRange(1, 2).Draw(rt, "original"))
				op.New.Original.Kind = rapid.SampledFrom(on).Draw(rt, "original kind")
				op.New.Fee = 0
			}
			op.Event = rapid.SampledFrom(events).Draw(rt, "event")
			switch op.Event {
			case payment.Admit, payment.Accept:
				if k.Kind.Rule().Advice != (op.Event == payment.Accept) {
					continue // the host never mixes them up; Decide leaves that to it
				}
			case payment.ReverseAhead:
				op.New.Original = payment.Key{}
			default:
				op.New = nil
			}
			original := payment.Key{}
			if row, ok, err := s.Find(context.Background(), book.LaneOf(k.Merchant, lanes), k); err != nil {
				rt.Fatal(err)
			} else if ok {
				original = row.Original
				if row.State != last[k] && !followed(last[k], row.State) {
					rt.Fatalf("%v: %v became %v by itself", k, last[k], row.State)
				}
				last[k] = row.State
			} else if op.New != nil {
				original = op.New.Original
			}
			got := apply(t, s, op)[0]
			if got.Status == book.Applied {
				if tr, ok := payment.Next(last[k], op.Event); !ok || tr.To != got.Payment.State {
					rt.Fatalf("%v: %v → %v is not in the table", op.Event, last[k], got.Payment.State)
				}
				last[k] = got.Payment.State
			} else if got.Payment.State != last[k] && got.Status != book.Missing {
				rt.Fatalf("%v changed the row to %v", got.Status, got.Payment.State)
			}
			within(rt, s, original)
		}
		rep, err := book.Verify(context.Background(), s, lanes, nil)
		if err != nil || !rep.Sound() {
			rt.Fatalf("%v %v", err, rep.Findings)
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// followed reports whether a payment that follows may have moved a row so.
func followed(from, to payment.State) bool {
	for _, e := range []payment.Event{payment.Undo, payment.Use, payment.Reopen} {
		if t, ok := payment.Next(from, e); ok && t.To == to {
			return true
		}
	}
	return false
}

// within: nothing claims more of a payment than it has.
func within(t *rapid.T, s book.Store, k payment.Key) {
	p, ok, err := s.Find(context.Background(), book.LaneOf(k.Merchant, lanes), k)
	if err != nil {
		t.Fatal(err)
	}
	if ok && (p.Held < 0 || p.Taken < 0 || p.Held+p.Taken > p.Amount.Minor || p.FeeBack < 0 || p.FeeBack > p.Fee) {
		t.Fatalf("%v: %d held and %d taken of %d, %d of fee %d returned", k, p.Held, p.Taken, p.Amount.Minor, p.FeeBack, p.Fee)
	}
}
