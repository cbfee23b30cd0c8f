package booktest

import (
	"context"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// post books moves of one merchant.
func post(t testing.TB, s book.Store, epoch uint64, moves ...book.Move) []book.Result {
	t.Helper()
	out, err := s.Post(context.Background(), []book.LaneMoves{{Lane: book.LaneOf(moves[0].Merchant, lanes), Epoch: epoch, Moves: moves}})
	if err != nil || out[0].Err != nil {
		t.Fatalf("post: %v %v", err, out)
	}
	return out[0].Results
}

// moves: a payout and a reserve stand in the chain between payments, once
// however often they are sent, and only where their maker has seen its end.
func moves(t *testing.T, s book.Store) {
	ctx := context.Background()
	k := Key("M1", 1)
	lane := book.LaneOf("M1", lanes)
	apply(t, s, Admit(k, 1000), book.Op{Event: payment.Approve, Key: k, At: at, Response: "00"})
	end, err := s.ChainEnd(ctx, lane, "M1")
	if err != nil || end != 1 {
		t.Fatalf("chain ends at %d, %v", end, err)
	}
	payout := book.MoveOf("M1", book.WhatPayout, pay.Fen(600), end, at.Add(time.Second))
	arrived := book.MoveOf("M1", book.WhatPaidOut, pay.Fen(600), end+1, at.Add(time.Minute))
	for i, want := range []book.Status{book.Applied, book.Duplicate} {
		for _, r := range post(t, s, 1, payout, arrived) {
			if r.Status != want {
				t.Fatalf("time %d: %v, want %v", i+1, r.Status, want)
			}
		}
	}
	late := book.MoveOf("M1", book.WhatReserve, pay.Fen(100), end, at)
	early := book.MoveOf("M1", book.WhatReserve, pay.Fen(100), end+9, at)
	wrong := book.MoveOf("M1", book.WhatReserve, pay.Fen(100), end+2, at)
	wrong.Credit = book.MerchantAccount("M2")
	none := book.MoveOf("M1", book.WhatReserve, pay.Fen(0), end+2, at)
	unknown := book.MoveOf("M1", "gift", pay.Fen(1), end+2, at)
	for i, r := range post(t, s, 1, late, early, wrong, none, unknown) {
		if want := [...]book.Status{book.Stale, book.Stale, book.Refused, book.Refused, book.Refused}[i]; r.Status != want {
			t.Errorf("move %d: %v, want %v", i, r.Status, want)
		}
	}
	// A payment goes on behind the moves.
	k2 := Key("M1", 2)
	apply(t, s, Admit(k2, 300), book.Op{Event: payment.Approve, Key: k2, At: at, Response: "00"})
	b, err := s.Balances(ctx, lane, "M1")
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[book.Account]int64{book.MerchantAccount("M1"): 700, book.TransitAccount("M1"): 0, book.BankAccount: 600} {
		if got := b[pay.CNY][account]; got != want {
			t.Errorf("%s holds %d, want %d", account, got, want)
		}
	}
	if rep := sound(t, s); rep.Transfers != 4 {
		t.Errorf("%d transfers, want 4", rep.Transfers)
	}
	// Whoever owned the lane before writes nothing.
	post(t, s, 5, book.MoveOf("M1", book.WhatReserve, pay.Fen(50), 4, at))
	out, err := s.Post(ctx, []book.LaneMoves{{Lane: lane, Epoch: 4, Moves: []book.Move{book.MoveOf("M1", book.WhatRelease, pay.Fen(50), 5, at)}}})
	if err != nil || out[0].Err != book.ErrFenced {
		t.Errorf("a stale owner: %v %v", err, out)
	}
	// More rows than one statement holds, of several merchants.
	var many []book.Move
	for i := range 40 {
		many = append(many, book.MoveOf("M7", book.WhatReserve, pay.Fen(1), uint64(i), at))
	}
	for _, r := range post(t, s, 6, many...) {
		if r.Status != book.Applied {
			t.Fatal(r.Status)
		}
	}
	sound(t, s)
}
