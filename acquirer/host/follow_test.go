package host_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
	"huika/pay"
)

// shaped is a terminal's request of the kind that pos.Kinds names.
func shaped(t *testing.T, name, stan, amount string, more map[int]string) *iso8583.Message {
	t.Helper()
	for _, k := range pos.Kinds {
		if k.Name != name {
			continue
		}
		m := sale(stan, amount)
		m.SetMTI(k.MTI)
		m.Set(3, k.Processing)
		m.Set(25, k.Condition)
		m.Set(60, pos.F60{Type: k.Type, Batch: "000001", Network: "000", Capability: "6"}.String())
		if more != nil { // a follow-up without its card
			for _, f := range []int{2, 35, 55} {
				m.Unset(f)
			}
		}
		for f, v := range more {
			m.Set(f, v)
		}
		return m
	}
	t.Fatalf("no kind %q", name)
	return nil
}

// original is field 61 of a follow-up in the same batch.
func original(stan string) map[int]string { return map[int]string{61: "000001" + stan + "1123"} }

func TestVoid(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("void", func(c *terminal) {
		paid := c.call(sale("000002", "000000008880"), c.mac)
		code(t, paid, "00")
		code(t, c.call(shaped(t, "void", "000003", "000000008880", original("000009")), c.mac), "25")
		code(t, c.call(shaped(t, "void", "000003", "000000008879", original("000002")), c.mac), "64")
		wrong := original("000002")
		wrong[2] = "6228480000000000019"
		code(t, c.call(shaped(t, "void", "000003", "000000008880", wrong), c.mac), "14")
		void := shaped(t, "void", "000004", "000000008880", original("000002"))
		code(t, c.call(void, c.mac), "00")
		code(t, c.call(void, c.mac), "00")
		code(t, c.call(shaped(t, "void", "000005", "000000008880", original("000002")), c.mac), "12")
		code(t, c.call(shaped(t, "refund", "000006", "000000000100", map[int]string{37: paid.Get(37)}), c.mac), "12")
	})
	asked := s.sent("0200")
	if len(asked) != 2 || asked[1].Get(3) != pos.ProcessVoid || asked[1].Get(90) == "" || asked[1].Get(38) != "A1B2C3" || asked[1].Get(2) != pan || asked[1].Has(35) {
		t.Fatalf("the scheme was asked %d times, last %v", len(asked), asked[len(asked)-1])
	}
	s.books(0)
}

func TestVoidIsReversed(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("void reversed", func(c *terminal) {
		code(t, c.call(sale("000002", "000000008880"), c.mac), "00")
		code(t, c.call(shaped(t, "void", "000003", "000000008880", original("000002")), c.mac), "00")
		undo := shaped(t, "void", "000003", "000000008880", original("000002"))
		undo.SetMTI("0400")
		undo.Set(39, "98")
		code(t, c.call(undo, c.mac), "00")
		c.rest(time.Second)
		code(t, c.call(shaped(t, "void", "000004", "000000008880", original("000002")), c.mac), "00")
	})
	if got := s.sent("0420"); len(got) != 1 || got[0].Get(3) != pos.ProcessVoid {
		t.Fatalf("reversals towards the scheme: %v", got)
	}
	s.books(0)
}

func TestRefunds(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("refunds", func(c *terminal) {
		rrn := c.call(sale("000002", "000000010000"), c.mac).Get(37)
		by := map[int]string{37: rrn}
		code(t, c.call(shaped(t, "refund", "000003", "000000003000", by), c.mac), "00")
		code(t, c.call(shaped(t, "refund", "000004", "000000007001", by), c.mac), "64")
		s.answer = func(*iso8583.Message) (string, bool) { return "57", true }
		code(t, c.call(shaped(t, "refund", "000005", "000000007000", by), c.mac), "57")
		s.answer = func(*iso8583.Message) (string, bool) { return "00", true }
		code(t, c.call(shaped(t, "refund", "000006", "000000007000", by), c.mac), "00")
		code(t, c.call(shaped(t, "refund", "000007", "000000000001", by), c.mac), "64")
		code(t, c.call(shaped(t, "void", "000008", "000000010000", original("000002")), c.mac), "12")
		code(t, c.call(shaped(t, "refund", "000009", "000000000001", map[int]string{37: "999999999999"}), c.mac), "25")
	})
	s.books(0)
}

func TestPreAuthorisation(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("pre-authorisation", func(c *terminal) {
		first := c.call(shaped(t, "pre-authorisation", "000002", "000000010000", nil), c.mac)
		code(t, first, "00")
		ref := map[int]string{37: first.Get(37), 38: "A1B2C3"}
		code(t, c.call(shaped(t, "completion", "000003", "000000011501", ref), c.mac), "64")
		code(t, c.call(shaped(t, "completion", "000004", "000000011500", map[int]string{37: first.Get(37)}), c.mac), "25")
		code(t, c.call(shaped(t, "completion", "000005", "000000011500", ref), c.mac), "00")
		code(t, c.call(shaped(t, "completion", "000006", "000000000100", ref), c.mac), "12")
		code(t, c.call(shaped(t, "pre-authorisation cancel", "000007", "000000010000", ref), c.mac), "12")
		code(t, c.call(shaped(t, "completion void", "000008", "000000011500", original("000005")), c.mac), "00")

		second := c.call(shaped(t, "pre-authorisation", "000009", "000000005000", nil), c.mac)
		code(t, c.call(shaped(t, "pre-authorisation cancel", "000010", "000000005000", map[int]string{37: second.Get(37)}), c.mac), "00")
		third := c.call(shaped(t, "pre-authorisation", "000011", "000000002000", nil), c.mac)
		code(t, c.call(shaped(t, "completion", "000012", "000000001500", map[int]string{37: third.Get(37), 38: "A1B2C3"}), c.mac), "00")
	})
	if n := len(s.sent("0100")); n != 4 {
		t.Fatalf("%d authorisation messages towards the scheme, want 3 and a cancel", n)
	}
	s.books(1500)
}

func TestAdviceIsForwardedUntilTaken(t *testing.T) {
	s := newStage(t)
	h := s.host()
	s.answer = func(m *iso8583.Message) (string, bool) {
		if m.MTI() == "0220" {
			return "96", true
		}
		return "00", true
	}
	s.script("advice", func(c *terminal) {
		first := c.call(shaped(t, "pre-authorisation", "000002", "000000010000", nil), c.mac)
		ref := map[int]string{37: first.Get(37), 38: "A1B2C3"}
		code(t, c.call(shaped(t, "completion advice", "000003", "000000009000", ref), c.mac), "00")
		code(t, c.call(shaped(t, "completion advice", "000003", "000000009000", ref), c.mac), "00")
		c.rest(3 * time.Minute)
		if dead := h.DeadLetters(); len(dead) != 1 || dead[0].Code != "96" || dead[0].Tries < host.DeadAfter || dead[0].Payment.State != payment.Forwarding {
			t.Errorf("dead letters: %+v", dead)
		}
		s.answer = func(*iso8583.Message) (string, bool) { return "00", true }
		c.rest(time.Minute)
		if dead := h.DeadLetters(); len(dead) != 0 {
			t.Errorf("still dead: %+v", dead)
		}
	})
	told := s.sent("0220")
	if len(told) < host.DeadAfter || told[0].Get(11) != told[len(told)-1].Get(11) || told[0].Get(7) != told[len(told)-1].Get(7) {
		t.Fatalf("%d tries; every one must have the first one's F7 and F11", len(told))
	}
	s.books(9000)
}

func TestDeadLetterEndsByHand(t *testing.T) {
	s := newStage(t)
	h := s.host()
	s.answer = func(m *iso8583.Message) (string, bool) {
		return map[bool]string{true: "96", false: "00"}[m.MTI() == "0220"], true
	}
	s.script("by hand", func(c *terminal) {
		first := c.call(shaped(t, "pre-authorisation", "000002", "000000010000", nil), c.mac)
		code(t, c.call(shaped(t, "completion advice", "000003", "000000009000", map[int]string{37: first.Get(37), 38: "A1B2C3"}), c.mac), "00")
		c.rest(3 * time.Minute)
		dead := h.DeadLetters()
		if len(dead) != 1 {
			t.Errorf("dead letters: %+v", dead)
			return
		}
		if p, err := h.EndByHand(context.Background(), dead[0].Payment.Key); err != nil || p.State != payment.Abandoned {
			t.Errorf("%v %v", p.State, err)
		}
		if _, err := h.EndByHand(context.Background(), dead[0].Payment.Key); err == nil {
			t.Error("ended twice")
		}
	})
	s.books(0)
}

func TestBalanceInquiry(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("balance", func(c *terminal) {
		r := c.call(shaped(t, "balance", "000002", "", nil), c.mac)
		code(t, r, "00")
		if r.Get(54) != "0002156C000001234500" {
			t.Errorf("F54 %q", r.Get(54))
		}
		s.answer = func(*iso8583.Message) (string, bool) { return "", false }
		code(t, c.call(shaped(t, "balance", "000003", "", nil), c.mac), "91")
	})
	if n := len(s.sent("0420")); n != 0 {
		t.Fatalf("a question was reversed %d times", n)
	}
	s.books(0)
}

func settlement(stan string, b book.BatchTotals) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(pos.MTISettlement)
	m.Set(11, stan)
	m.Set(41, tid)
	m.Set(42, merchant)
	m.Set(48, fmt.Sprintf("%012d%03d%012d%03d%s", b.Debits, b.DebitCount, b.Credits, b.CreditCount, "0000000000000000000000000000000"))
	m.Set(49, "156")
	m.Set(60, "00000001201")
	m.Set(63, "01 ")
	return m
}

func TestSettlement(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("settlement", func(c *terminal) {
		rrn := c.call(sale("000002", "000000010000"), c.mac).Get(37)
		code(t, c.call(shaped(t, "refund", "000003", "000000003000", map[int]string{37: rrn}), c.mac), "00")
		off := c.call(settlement("000004", book.BatchTotals{Debits: 10000, DebitCount: 1}), c.mac)
		code(t, off, "00")
		if got := off.Get(48); len(got) < 31 || got[:31] != "000000010000001000000003000001"+"2" {
			t.Errorf("not balanced: F48 %q", got)
		}
		code(t, c.call(sale("000005", "000000000100"), c.mac), "00") // not closed yet
		on := c.call(settlement("000006", book.BatchTotals{Debits: 10100, DebitCount: 2, Credits: 3000, CreditCount: 1}), c.mac)
		code(t, on, "00")
		if got := on.Get(48); len(got) < 31 || got[30:31] != "1" {
			t.Errorf("balanced: F48 %q", got)
		}
		code(t, c.call(sale("000007", "000000000100"), c.mac), "90")
		next := sale("000008", "000000000200")
		next.Set(60, pos.F60{Type: "22", Batch: "000002", Network: "000", Capability: "6"}.String())
		code(t, c.call(next, c.mac), "00")
		code(t, c.call(shaped(t, "void", "000009", "000000000100", original("000005")), c.mac), "90")
	})
	s.books(7300)
}

func TestBatchUploadClosesTheBatch(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("upload", func(c *terminal) {
		code(t, c.call(sale("000002", "000000010000"), c.mac), "00")
		end := settlement("000004", book.BatchTotals{})
		end.SetMTI(pos.MTIUpload)
		end.Unset(48)
		end.Set(60, "00000001"+pos.NetworkUploadEndOff)
		code(t, c.call(end, c.mac), "25") // nothing was begun
		code(t, c.call(settlement("000003", book.BatchTotals{}), c.mac), "00")
		item := sale("000002", "000000010000")
		item.SetMTI(pos.MTIUpload)
		item.Set(60, "00000001"+pos.NetworkSettlement)
		item.Set(61, "0000010000021123")
		code(t, c.call(item, c.mac), "00")
		code(t, c.call(end, c.mac), "00")
		code(t, c.call(sale("000007", "000000000100"), c.mac), "90")
	})
	s.books(10000)
}

func TestFees(t *testing.T) {
	s := newStage(t)
	s.fee = func(_ pay.MerchantID, _ pay.PAN, m pay.Money) (int64, string) {
		return pay.RoundHalfUp(m.Minor, 60, 10_000), "0.6 %"
	}
	s.host()
	s.script("fees", func(c *terminal) {
		rrn := c.call(sale("000002", "000000010000"), c.mac).Get(37)
		code(t, c.call(shaped(t, "refund", "000003", "000000003333", map[int]string{37: rrn}), c.mac), "00")
	})
	s.books(10000 - 60 - 3333 + 20)
	if p := s.state(2); p.Fee != 60 || p.FeeRule != "0.6 %" || p.FeeBack != 20 {
		t.Errorf("fee %d by %q, %d returned", p.Fee, p.FeeRule, p.FeeBack)
	}
}

// rest lets virtual time pass.
func (t *terminal) rest(d time.Duration) { _ = t.env.Sleep(context.Background(), d) }

// A range's first route is down: the next one is asked, and the books say so.
func TestAlternateRoute(t *testing.T) {
	s := newStage(t)
	dead := func(context.Context) (net.Conn, error) { return nil, errors.New("nobody is there") }
	s.more = []host.SchemeConfig{{Name: "netsunion", Dialect: cup.Dialect, ZPK: pinKey, MACKey: secret(3), Dial: dead}}
	routes := []string{"netsunion", "unionpay"}
	s.cards = func(p pay.PAN) (bin.Range, bool) {
		return bin.Range{Routes: routes}, strings.HasPrefix(p.Reveal(), "62")
	}
	s.host()
	s.script("routes", func(c *terminal) {
		code(t, c.call(sale("000002", "000000008880"), c.mac), "00")
		other := sale("000003", "000000000100")
		other.Set(2, "4111111111111111")
		other.Set(35, "4111111111111111=49122200000000000")
		code(t, c.call(other, c.mac), "14") // no range
		routes = []string{"netsunion"}
		code(t, c.call(sale("000004", "000000000100"), c.mac), "91") // no other way
		routes = []string{"visa"}
		code(t, c.call(sale("000005", "000000000100"), c.mac), "14") // not configured
	})
	if p := s.state(2); p.Scheme != "unionpay" {
		t.Errorf("routed to %q", p.Scheme)
	}
	s.books(8880)
}
