package host_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/pay"
	"huika/sim/sched"
)

// operate runs f as a task of the host's machine to its end.
func (s *stage) operate(name string, f func(ctx context.Context)) {
	s.t.Helper()
	done := false
	s.w.Node("host").Go(name, func() {
		defer func() { done = true }()
		f(context.Background())
	})
	if _, err := s.w.Run(sched.Limit{Time: 5 * time.Minute, Until: func() bool { return done }}); err != nil {
		s.t.Fatal(err)
	}
	if !done {
		s.t.Fatalf("%s did not end; waiting: %v", name, s.w.Parked())
	}
}

// sold makes one approved sale of 100.00 with STAN 2 and returns its key.
func (s *stage) sold() payment.Key {
	s.t.Helper()
	s.script("sale", func(c *terminal) { code(s.t, c.call(sale("000002", "000000010000"), c.mac), "00") })
	return s.state(2).Key
}

func refundOf(k payment.Key, fen int64, token string) host.FollowUp {
	return host.FollowUp{Kind: payment.Refund, Original: k, Amount: pay.Fen(fen), Token: token}
}

func refusedWith(t *testing.T, err error, code string) {
	t.Helper()
	var refused host.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || refused.Why == "" {
		t.Errorf("got %v, want a refusal with %s", err, code)
	}
}

func TestOperatorRefunds(t *testing.T) {
	s := newStage(t)
	s.fee = func(pay.MerchantID, pay.PAN, pay.Money) (int64, string) { return 60, "all" }
	h := s.host()
	k := s.sold()
	s.operate("refunds", func(ctx context.Context) {
		first, err := h.FollowUp(ctx, refundOf(k, 3000, "a"))
		if err != nil || first.State != payment.Approved || first.Amount != pay.Fen(3000) || first.Original != k || !first.Key.AtAcquirer() || first.Entry != "012" {
			t.Fatalf("%+v %v", first, err)
		}
		again, err := h.FollowUp(ctx, refundOf(k, 3000, "a"))
		if err != nil || again.Key != first.Key || again.RRN != first.RRN {
			t.Errorf("asked again: %+v %v", again, err)
		}
		_, err = h.FollowUp(ctx, refundOf(k, 3001, "a"))
		if !errors.Is(err, host.ErrOther) {
			t.Errorf("the token for another amount: %v", err)
		}
		_, err = h.FollowUp(ctx, refundOf(k, 7001, "b"))
		refusedWith(t, err, "64")
		_, err = h.FollowUp(ctx, host.FollowUp{Kind: payment.Void, Original: k, Token: "c"})
		refusedWith(t, err, "12")
		s.answer = func(*iso8583.Message) (string, bool) { return "57", true }
		declined, err := h.FollowUp(ctx, refundOf(k, 7000, "d"))
		if err != nil || declined.State != payment.Declined || declined.Response != "57" {
			t.Errorf("declined: %+v %v", declined, err)
		}
		s.answer = func(*iso8583.Message) (string, bool) { return "00", true }
		rest := host.FollowUp{Kind: payment.Refund, Original: k, Token: "e"} // all that is left
		for range 2 {
			if p, err := h.FollowUp(ctx, rest); err != nil || p.Amount != pay.Fen(7000) || p.State != payment.Approved {
				t.Errorf("the rest: %+v %v", p, err)
			}
		}
		_, err = h.FollowUp(ctx, refundOf(k, 1, "f"))
		refusedWith(t, err, "64")
		_, err = h.FollowUp(ctx, host.FollowUp{Kind: payment.Refund, Original: k, Token: "g"})
		refusedWith(t, err, "64")
		k.STAN = 77
		_, err = h.FollowUp(ctx, refundOf(k, 1, "h"))
		refusedWith(t, err, "25")
		_, err = h.FollowUp(ctx, host.FollowUp{Kind: payment.Completion, Original: k, Token: "i"})
		refusedWith(t, err, "12")
		_, err = h.FollowUp(ctx, refundOf(k, 1, ""))
		refusedWith(t, err, "12")
	})
	asked := s.sent("0220")
	if len(asked) != 3 || asked[0].Get(2) != pan || asked[0].Get(90) == "" || asked[0].Get(38) != "A1B2C3" || asked[0].Has(35) || asked[0].Has(55) || asked[0].Get(22) != "012" {
		t.Errorf("the scheme was asked %d times, first %v", len(asked), asked[0])
	}
	s.books(0) // the whole sale and the whole fee came back
}

// An operator's void leaves the terminal's totals as the terminal knows them,
// and ends with the terminal's batch.
func TestOperatorVoids(t *testing.T) {
	s := newStage(t)
	h := s.host()
	k := s.sold()
	s.operate("void", func(ctx context.Context) {
		_, err := h.FollowUp(ctx, host.FollowUp{Kind: payment.Void, Original: k, Amount: pay.Fen(5), Token: "a"})
		refusedWith(t, err, "64")
		if p, err := h.FollowUp(ctx, host.FollowUp{Kind: payment.Void, Original: k, Token: "b"}); err != nil || p.State != payment.Approved {
			t.Fatalf("%+v %v", p, err)
		}
	})
	if p := s.state(2); p.State != payment.Undone {
		t.Errorf("the sale is %v", p.State)
	}
	s.books(0)
	s.script("settlement", func(c *terminal) {
		code(t, c.call(sale("000003", "000000000500"), c.mac), "00")
		r := c.call(settlement("000004", book.BatchTotals{Debits: 10500, DebitCount: 2}), c.mac)
		if code(t, r, "00"); r.Get(48)[30] != '1' {
			t.Errorf("totals %q are not balanced", r.Get(48))
		}
	})
	later := s.state(3).Key
	s.operate("void of a closed batch", func(ctx context.Context) {
		_, err := h.FollowUp(ctx, host.FollowUp{Kind: payment.Void, Original: later, Token: "c"})
		refusedWith(t, err, "12")
		if err == nil || !strings.Contains(err.Error(), "refund it instead") {
			t.Errorf("what to do is missing: %v", err)
		}
		if p, err := h.FollowUp(ctx, host.FollowUp{Kind: payment.Void, Original: k, Token: "b"}); err != nil || p.State != payment.Approved {
			t.Errorf("asked again after the batch: %+v %v", p, err)
		}
	})
	s.books(500)
}

// A scheme that does not answer: the refund is reversed, and what it claimed is
// free for another one.
func TestOperatorRefundWithoutAnswer(t *testing.T) {
	s := newStage(t)
	h := s.host()
	k := s.sold()
	s.answer = func(m *iso8583.Message) (string, bool) { return "00", m.MTI() != "0220" }
	s.operate("no answer", func(ctx context.Context) {
		p, err := h.FollowUp(ctx, refundOf(k, 10000, "a"))
		if err != nil || p.State != payment.Reversing {
			t.Fatalf("%+v %v", p, err)
		}
	})
	s.run(time.Second)
	s.answer = func(*iso8583.Message) (string, bool) { return "00", true }
	s.operate("again", func(ctx context.Context) {
		if p, err := h.FollowUp(ctx, refundOf(k, 10000, "a")); err != nil || p.State != payment.Reversed {
			t.Errorf("the same token: %+v %v", p, err)
		}
		if p, err := h.FollowUp(ctx, refundOf(k, 10000, "b")); err != nil || p.State != payment.Approved {
			t.Errorf("another token: %+v %v", p, err)
		}
	})
	s.books(0)
}

// The operator leaves, or asks twice at once: it is done, once.
func TestOperatorLeaves(t *testing.T) {
	s := newStage(t)
	h := s.host()
	k := s.sold()
	s.operate("leaves", func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := h.FollowUp(ctx, refundOf(k, 10000, "a")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if p, err := h.FollowUp(context.Background(), refundOf(k, 10000, "a")); err != nil || p.State != payment.Approved {
			t.Errorf("%+v %v", p, err)
		}
	})
	if n := len(s.sent("0220")); n != 1 {
		t.Errorf("the scheme was asked %d times", n)
	}
	s.books(0)
}

// The host dies at each durable boundary of a refund; the same token after it
// ends in one refund or in none, and never in two.
func TestOperatorRefundOverACrash(t *testing.T) {
	for _, write := range []int{1, 2} { // before the admission, before the settlement
		s := newStage(t)
		h := s.host()
		k := s.sold()
		writes := 0
		s.holding = func() {
			if writes++; writes == write {
				s.w.Crash("host")
			}
		}
		s.w.Node("host").Go("refund", func() { _, _ = h.FollowUp(context.Background(), refundOf(k, 4000, "a")) })
		s.run(time.Second)
		s.holding = nil
		if writes < write {
			t.Fatalf("it did not die at write %d", write)
		}
		h = s.host()
		s.run(10 * time.Second)
		s.operate("again", func(ctx context.Context) {
			p, err := h.FollowUp(ctx, refundOf(k, 4000, "a"))
			if err != nil || p.State != payment.Approved && p.State != payment.Reversed {
				t.Errorf("write %d: %v %v", write, p.State, err)
			}
			if p.State == payment.Reversed { // it says so, and another key does it
				if p, err = h.FollowUp(ctx, refundOf(k, 4000, "b")); err != nil || p.State != payment.Approved {
					t.Errorf("write %d, another key: %v %v", write, p.State, err)
				}
			}
		})
		s.books(6000)
	}
}

func TestFollowUpBeforeRun(t *testing.T) {
	s := newStage(t)
	h := s.hostAt("host", hostAddr, "")
	if _, err := h.FollowUp(context.Background(), refundOf(payment.Key{}, 1, "a")); !errors.Is(err, host.ErrTryAgain) {
		t.Errorf("a host that does not run: %v", err)
	}
}
