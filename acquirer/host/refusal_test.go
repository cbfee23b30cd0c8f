package host_test

import (
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/iso8583/pos"
)

// A copy of a request that was refused is refused too, although it could be
// taken now: the terminal has been told that nothing happened.
func TestCopyOfARefusedRequest(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("void before its sale", func(c *terminal) {
		void := shaped(t, "void", "000003", "000000008880", original("000002"))
		code(t, c.call(void.Clone(), c.mac), "25")
		code(t, c.call(sale("000002", "000000008880"), c.mac), "00")
		code(t, c.call(void.Clone(), c.mac), "25")
	})
	if p := s.state(2); p.State != payment.Approved {
		t.Errorf("the sale is %v", p.State)
	}
	s.books(8880)
}

// A copy of a request that was taken gets what the books hold, although the
// queue is full when it comes: a refusal would leave the customer debited.
func TestCopyOfATakenRequest(t *testing.T) {
	s := newStage(t)
	s.limits = host.Limits{CommitQueue: 1}
	s.host()
	s.script("twice", func(c *terminal) {
		code(t, c.call(sale("000002", "000000000100"), c.mac), "00")
		s.silent = func([]book.LaneBatch) (before, after error) { return book.ErrNotApplied, nil }
		code(t, c.call(sale("000002", "000000000100"), c.mac), "00")
		code(t, c.call(sale("000003", "000000000100"), c.mac), "96")
	})
	s.books(100)
}

// unsure says of writes with that event that nobody knows whether they happened:
// they did, or not, and the second try tells, or not.
func (s *stage) unsure(e payment.Event, times int, written bool) {
	s.silent = func(b []book.LaneBatch) (before, after error) {
		for _, x := range b {
			for _, op := range x.Ops {
				if op.Event == e && times > 0 {
					if times--; written {
						return nil, book.ErrUnknown
					}
					return book.ErrUnknown, nil
				}
			}
		}
		return nil, nil
	}
}

// A payment whose admission nobody could tell goes on once the second try has
// told; else it is given up, and reversed where it was written.
func TestUnknownAdmission(t *testing.T) {
	for name, c := range map[string]struct {
		times   int
		written bool
		code    string // "": no answer
		state   payment.State
	}{
		"written":               {1, true, "00", payment.Approved},
		"not written":           {1, false, "00", payment.Approved},
		"written, never told":   {2, true, "", payment.Reversed},
		"not written, not told": {2, false, "", payment.None},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.host()
			s.unsure(payment.Admit, c.times, c.written)
			s.script("sale", func(x *terminal) {
				r := x.call(sale("000002", "000000000100"), x.mac)
				if got := r.Get(39); got != c.code || (x.last != nil) != (c.code == "") {
					t.Errorf("answered %q (%v), want %q", got, x.last, c.code)
				}
			})
			s.run(10 * time.Second)
			if p := s.state(2); p.State != c.state {
				t.Errorf("the payment is %v, want %v", p.State, c.state)
			}
		})
	}
}

// A reversal whose first try was written without a word is still sent to the scheme.
func TestUnknownReversal(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("reversal", func(c *terminal) {
		code(t, c.call(sale("000002", "000000000100"), c.mac), "00")
		s.unsure(payment.Reverse, 2, true)
		code(t, c.call(reversal("000002", "000000000100"), c.mac), "96")
		code(t, c.call(reversal("000002", "000000000100"), c.mac), "00")
	})
	s.run(10 * time.Second)
	if p := s.state(2); p.State != payment.Reversed {
		t.Errorf("the payment is %v", p.State)
	}
	s.books(0)
}

// A batch that was closed without a word takes no more payments.
func TestUnknownClosing(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("settlement", func(c *terminal) {
		code(t, c.call(sale("000002", "000000000100"), c.mac), "00")
		s.unsure(payment.Approve, 2, true)
		m := sale("000003", "")
		m.SetMTI(pos.MTISettlement)
		for _, f := range []int{2, 3, 22, 25, 35, 55} {
			m.Unset(f)
		}
		m.Set(48, "000000000100001000000000000000"+"00000000000000000000000000000000")
		m.Set(60, pos.F60{Type: "00", Batch: "000001", Network: pos.NetworkSettlement}.String())
		code(t, c.call(m, c.mac), "96")
		code(t, c.call(sale("000004", "000000000100"), c.mac), "90")
	})
	s.books(100)
}
