package host_test

import (
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/pos"
)

// Two hosts over one store: the first has the lanes; when it dies, the second
// takes them over after their time, finishes what was open, and sells.
func TestLanesOfADeadHostMove(t *testing.T) {
	s := newStage(t)
	s.hostAt("a", hostAddr, "a")
	s.run(time.Second)
	s.hostAt("b", "host:2", "b")
	s.run(time.Second)
	s.scriptAt("host:2", "at the second", func(c *terminal) {
		if c.signedIn != "A0" { // the first one has the lane
			t.Errorf("signed in with %s", c.signedIn)
		}
	})
	s.answer = func(m *iso8583.Message) (string, bool) { return "00", m.MTI() != "0200" }
	s.script("at the first", func(c *terminal) {
		c.send(sale("000003", "000000000200"))
		c.rest(time.Second)
	})
	if p := s.state(3); p.State != payment.Admitted {
		t.Fatalf("the payment is %v", p.State)
	}
	s.w.Crash("a")
	s.answer = func(*iso8583.Message) (string, bool) { return "00", true }
	s.scriptAt("host:2", "at the second again", func(c *terminal) {
		if c.signedIn != "A0" { // the dead one's time is not over
			t.Errorf("signed in with %s", c.signedIn)
		}
		c.rest(10 * time.Second)
		c.signIn()
		code(t, c.call(sale("000005", "000000000400"), c.mac), "00")
		c.rest(5 * time.Second)
	})
	if p := s.state(3); p.State != payment.Reversed {
		t.Errorf("the dead host's payment is %v", p.State)
	}
	s.books(400)
}

// send sends a request whose answer nobody waits for.
func (t *terminal) send(m *iso8583.Message) {
	frame, err := pos.Encode(nil, pos.Request(1), m, t.mac)
	if err == nil {
		err = t.mux.Send(frame)
	}
	if err != nil {
		t.s.t.Error(err)
	}
}

func everyLane() (out []book.Lane) {
	for i := range book.Lane(book.DefaultLanes) {
		out = append(out, i)
	}
	return out
}

// A host that was cut off and comes back late writes nothing: its lanes are another's.
func TestStaleOwnerWritesNothing(t *testing.T) {
	s := newStage(t)
	s.hostAt("a", hostAddr, "a")
	s.run(time.Second)
	took := false
	s.answer = func(m *iso8583.Message) (string, bool) {
		if m.MTI() == "0200" && !took {
			took = true
			if _, err := s.store.Lease(t.Context(), "b", everyLane(), s.w.Node("clock").Now().Add(time.Hour), time.Minute); err != nil {
				t.Error(err)
			}
		}
		return "00", true
	}
	s.script("at the stale owner", func(c *terminal) {
		if r := c.call(sale("000002", "000000000100"), c.mac); c.last == nil {
			t.Errorf("answered %s: the approval was not written", r.Get(39))
		}
		code(t, c.call(sale("000003", "000000000100"), c.mac), "A0") // to another host
	})
	if p := s.state(2); p.State != payment.Admitted {
		t.Errorf("the payment is %v", p.State)
	}
}
