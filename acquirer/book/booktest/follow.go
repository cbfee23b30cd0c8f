package booktest

import (
	"context"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// of is a key like Key, of another kind.
func of(kind payment.Kind, m string, stan int) payment.Key {
	k := Key(m, stan)
	k.Kind = kind
	return k
}

// following admits a payment that follows another one.
func following(k, original payment.Key, fen int64) book.Op {
	op := Admit(k, fen)
	op.New.Original = original
	if k.Kind.Rule().Advice {
		op.Event = payment.Accept
	}
	return op
}

func event(e payment.Event, k payment.Key) book.Op { return book.Op{Event: e, Key: k, At: at} }

// admitted begins a payment with a fee.
func withFee(op book.Op, fen int64) book.Op {
	op.New.Fee, op.New.FeeRule = fen, "domestic debit"
	return op
}

func find(t testing.TB, s book.Store, k payment.Key) payment.Payment {
	t.Helper()
	p, ok, err := s.Find(context.Background(), book.LaneOf(k.Merchant, lanes), k)
	if err != nil || !ok {
		t.Fatalf("%v: %v %v", k, ok, err)
	}
	return p
}

type state struct {
	state                payment.State
	held, taken, feeBack int64
}

func is(t testing.TB, s book.Store, k payment.Key, want state) {
	t.Helper()
	p := find(t, s, k)
	if got := (state{p.State, p.Held, p.Taken, p.FeeBack}); got != want {
		t.Fatalf("%v is %+v, want %+v", k, got, want)
	}
}

// holds compares the balances of M1 with the wanted ones; what is not named must be zero.
func holds(t testing.TB, s book.Store, want map[book.Account]int64) {
	t.Helper()
	rep := sound(t, s)
	if got := rep.Balances; !got.Equal(book.Balances{pay.CNY: want}) {
		t.Fatalf("balances %v, want %v", got[pay.CNY], want)
	}
}

const (
	m1       = book.Account("merchant:M1")
	clearing = book.Account("clearing:unionpay")
	hold1    = book.Account("hold:M1")
	heldUP   = book.Account("held:unionpay")
)

func followUps(t *testing.T, s book.Store) {
	sale, void, again := of(payment.Sale, "M1", 1), of(payment.Void, "M1", 2), of(payment.Void, "M1", 3)
	apply(t, s, withFee(Admit(sale, 1000), 6), event(payment.Approve, sale))
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6})

	apply(t, s, following(void, sale, 1000))
	is(t, s, sale, state{payment.Approved, 1000, 0, 0})
	want(t, apply(t, s, following(again, sale, 1000))[0], book.Refused, payment.None)
	want(t, apply(t, s, event(payment.Reverse, sale))[0], book.Stale, payment.Approved)
	apply(t, s, event(payment.Decline, void))
	is(t, s, sale, state{payment.Approved, 0, 0, 0})

	apply(t, s, following(again, sale, 1000), event(payment.Approve, again))
	is(t, s, sale, state{payment.Undone, 0, 1000, 6})
	holds(t, s, map[book.Account]int64{})
	apply(t, s, event(payment.Reverse, again))
	is(t, s, sale, state{payment.Approved, 1000, 0, 0})
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6})
	apply(t, s, event(payment.ReverseDone, again))
	is(t, s, sale, state{payment.Approved, 0, 0, 0})

	auth, done, undone := of(payment.PreAuth, "M1", 4), of(payment.Completion, "M1", 5), of(payment.CompletionVoid, "M1", 6)
	apply(t, s, Admit(auth, 2000), event(payment.Approve, auth))
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6, hold1: 2000, heldUP: -2000})
	apply(t, s, withFee(following(done, auth, 2300), 14), event(payment.Approve, done))
	is(t, s, auth, state{payment.Used, 0, 2000, 0})
	holds(t, s, map[book.Account]int64{m1: 994 + 2286, clearing: -3300, book.FeeAccount: 20})
	apply(t, s, event(payment.Reverse, done))
	is(t, s, auth, state{payment.Approved, 2000, 0, 0})
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6, hold1: 2000, heldUP: -2000})
	apply(t, s, event(payment.ReverseDone, done))

	retry := of(payment.Completion, "M1", 7)
	apply(t, s, following(retry, auth, 500), event(payment.Approve, retry), following(undone, retry, 500), event(payment.Approve, undone))
	is(t, s, retry, state{payment.Undone, 0, 500, 0})
	is(t, s, auth, state{payment.Used, 0, 2000, 0})
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6})

	other, cancel := of(payment.PreAuth, "M1", 8), of(payment.PreAuthCancel, "M1", 9)
	apply(t, s, Admit(other, 700), event(payment.Approve, other), following(cancel, other, 700), event(payment.Approve, cancel))
	is(t, s, other, state{payment.Undone, 0, 700, 0})
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6})

	balance := of(payment.Balance, "M1", 10)
	apply(t, s, Admit(balance, 0), event(payment.Approve, balance))
	holds(t, s, map[book.Account]int64{m1: 994, clearing: -1000, book.FeeAccount: 6})
}

func refusals(t *testing.T, s book.Store) {
	sale, auth, declined := of(payment.Sale, "M1", 1), of(payment.PreAuth, "M1", 2), of(payment.Sale, "M1", 3)
	apply(t, s, Admit(sale, 1000), event(payment.Approve, sale), Admit(auth, 1000), event(payment.Approve, auth), Admit(declined, 1000), event(payment.Decline, declined))
	usd := following(of(payment.Refund, "M1", 20), sale, 100)
	usd.New.Amount.Currency = 840
	otherBatch := following(of(payment.Void, "M1", 20), sale, 1000)
	otherBatch.Key.Batch = "000002"
	for name, c := range map[string]struct {
		op   book.Op
		code string
	}{
		"unknown original":            {following(of(payment.Void, "M1", 20), of(payment.Sale, "M1", 99), 1000), "25"},
		"void of a pre-authorisation": {following(of(payment.Void, "M1", 20), auth, 1000), "12"},
		"void of a declined sale":     {following(of(payment.Void, "M1", 20), declined, 1000), "12"},
		"void of a part":              {following(of(payment.Void, "M1", 20), sale, 999), "64"},
		"void in another batch":       {otherBatch, "12"},
		"refund of more":              {following(of(payment.Refund, "M1", 20), sale, 1001), "64"},
		"another currency":            {usd, "64"},
		"completion beyond 115 %":     {following(of(payment.Completion, "M1", 20), auth, 1151), "64"},
		"advice beyond 115 %":         {following(of(payment.CompletionAdvice, "M1", 20), auth, 1151), "64"},
		"completion of a sale":        {following(of(payment.Completion, "M1", 20), sale, 1000), "12"},
	} {
		if r := apply(t, s, c.op)[0]; r.Status != book.Refused || r.Refusal.Code != c.code || r.Refusal.Why == "" {
			t.Errorf("%s: %v %+v, want %s", name, r.Status, r.Refusal, c.code)
		}
	}
	if rep := sound(t, s); rep.Payments != 3 {
		t.Fatalf("%d payments: a refused one was written", rep.Payments)
	}
}

func feesBack(t *testing.T, s book.Store) {
	sale := of(payment.Sale, "M1", 1)
	apply(t, s, withFee(Admit(sale, 1000), 7), event(payment.Approve, sale))
	for i, part := range []int64{333, 333, 334} {
		k := of(payment.Refund, "M1", 2+i)
		apply(t, s, following(k, sale, part), event(payment.Approve, k))
	}
	is(t, s, sale, state{payment.Approved, 0, 1000, 7})
	holds(t, s, map[book.Account]int64{})
	late := of(payment.Refund, "M1", 9)
	want(t, apply(t, s, following(late, sale, 1))[0], book.Refused, payment.None)
}

func advice(t *testing.T, s book.Store) {
	ctx, lane := context.Background(), book.LaneOf("M1", lanes)
	auth, told, lost := of(payment.PreAuth, "M1", 1), of(payment.CompletionAdvice, "M1", 2), of(payment.CompletionAdvice, "M1", 3)
	r := apply(t, s, Admit(auth, 1000), event(payment.Approve, auth), following(told, auth, 900), following(told, auth, 900))
	want(t, r[2], book.Applied, payment.Forwarding)
	want(t, r[3], book.Duplicate, payment.Forwarding)
	if open, err := s.Unresolved(ctx, lane, book.Cursor{}); err != nil || len(open) != 1 || open[0].Key != told {
		t.Fatalf("unresolved: %v %v", open, err)
	}
	holds(t, s, map[book.Account]int64{m1: 900, clearing: -900})
	want(t, apply(t, s, event(payment.ByHand, told))[0], book.Applied, payment.Abandoned)
	is(t, s, auth, state{payment.Approved, 0, 0, 0})
	holds(t, s, map[book.Account]int64{hold1: 1000, heldUP: -1000})
	r = apply(t, s, following(lost, auth, 1150), event(payment.Forwarded, lost), event(payment.Forwarded, lost))
	want(t, r[1], book.Applied, payment.Approved)
	want(t, r[2], book.Duplicate, payment.Approved)
	holds(t, s, map[book.Account]int64{m1: 1150, clearing: -1150})
}

func batchTotals(t *testing.T, s book.Store) {
	ctx, lane := context.Background(), book.LaneOf("M1", lanes)
	sale, other, refund, open := of(payment.Sale, "M1", 1), of(payment.Sale, "M1", 2), of(payment.Refund, "M1", 3), of(payment.Sale, "M1", 4)
	elsewhere := of(payment.Sale, "M1", 5)
	elsewhere.Batch = "000002"
	apply(t, s, Admit(sale, 1000), event(payment.Approve, sale), Admit(other, 50), event(payment.Decline, other),
		following(refund, sale, 400), event(payment.Approve, refund), Admit(open, 70), Admit(elsewhere, 9), event(payment.Approve, elsewhere))
	got, err := s.Batch(ctx, lane, "M1", "T0000001", "000001")
	if want := (book.BatchTotals{Debits: 1000, DebitCount: 1, Credits: 400, CreditCount: 1, Open: 1}); err != nil || got != want {
		t.Fatalf("%+v %v, want %+v", got, err, want)
	}
	p, ok, err := s.FindRRN(ctx, lane, "M1", "000000000001", payment.Refund)
	if err != nil || !ok || p.Key != refund {
		t.Fatalf("%v %v %v", p.Key, ok, err)
	}
	if _, ok, err := s.FindRRN(ctx, lane, "M1", "000000000002", payment.Sale); ok || err != nil {
		t.Fatal("found what is not there", err)
	}
	if _, ok, err := s.FindRRN(ctx, lane, "M2", "000000000001", payment.Sale); ok || err != nil {
		t.Fatal("found another merchant's payment", err)
	}
}

func checkpoints(t *testing.T, s book.Store, reopen func(*testing.T, book.Store) book.Store) {
	ctx, lane := context.Background(), book.LaneOf("M1", lanes)
	balance := func(want int64) {
		t.Helper()
		b, err := s.Balances(ctx, lane, "M1")
		if err != nil || b[pay.CNY][m1] != want || b[pay.CNY][clearing] != -want {
			t.Fatalf("%v %v, want %d", b, err, want)
		}
	}
	point := func() {
		t.Helper()
		if err := s.Checkpoint(ctx, lane, "M1"); err != nil {
			t.Fatal(err)
		}
	}
	point() // of nothing
	balance(0)
	for stan := 1; stan <= 6; stan++ {
		k := Key("M1", stan)
		apply(t, s, Admit(k, 100), event(payment.Approve, k))
		if stan%2 == 0 {
			point()
			point()
		}
		balance(int64(100 * stan))
	}
	s = reopen(t, s)
	balance(600)
	seen := 0
	if err := s.Checkpoints(ctx, lane, "M1", func(seq uint64, b book.Balances) error {
		seen++
		if b[pay.CNY][m1] != int64(100*seq) {
			t.Errorf("row %d: %v", seq, b)
		}
		return nil
	}); err != nil || seen != 3 {
		t.Fatalf("%d checkpoints, %v; want 3", seen, err)
	}
	sound(t, s)
}

func leases(t *testing.T, s book.Store) {
	ctx := context.Background()
	take := func(owner string, now time.Time, lanes ...book.Lane) map[book.Lane]uint64 {
		t.Helper()
		got, err := s.Lease(ctx, owner, lanes, now, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	k := Key("M1", 1)
	lane := book.LaneOf("M1", lanes)
	other := (lane + 1) % lanes
	first := take("a", at, lane, other)
	if len(first) != 2 {
		t.Fatalf("a has %v", first)
	}
	if got := take("b", at.Add(9*time.Second), lane, other); len(got) != 0 {
		t.Fatalf("b took %v of a's lanes", got)
	}
	if got := take("a", at.Add(9*time.Second), lane); got[lane] != first[lane] {
		t.Fatalf("a's renewal changed its epoch: %v, was %v", got, first)
	}
	got := take("b", at.Add(11*time.Second), lane, other)
	if len(got) != 1 || got[other] <= first[other] {
		t.Fatalf("b has %v; a's time for lane %d is over, for %d it is not", got, other, lane)
	}
	write := func(epoch uint64) error {
		t.Helper()
		res, err := s.Apply(ctx, []book.LaneBatch{{Lane: lane, Epoch: epoch, Ops: []book.Op{Admit(k, 1)}}})
		if err != nil {
			t.Fatal(err)
		}
		return res[0].Err
	}
	if err := write(first[lane]); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	now := take("b", at.Add(12*time.Second), lane)
	if now[lane] <= first[lane] {
		t.Fatalf("released lane has epoch %d, was %d", now[lane], first[lane])
	}
	if err := write(first[lane]); err == nil {
		t.Fatal("a stale owner wrote")
	}
	if err := write(now[lane]); err != nil {
		t.Fatal(err)
	}
}
