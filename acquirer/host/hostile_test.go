package host_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"huika/acquirer/host"
	"huika/iso8583/link"
	"huika/iso8583/scheme"
	"huika/pay"
)

// What a scheme's end can do to the host: garbage and wrong lengths end the link,
// which is dialled again; what was under way is reversed; answers in another
// order, twice, or to questions that nobody asked change nothing.
func TestHostileScheme(t *testing.T) {
	s := newStage(t)
	p := s.play("visa:1", asVisa(t))
	s.cards = byFirstDigits(t)
	s.more = []host.SchemeConfig{{Name: "visa", Dialect: p.d, ZPK: pinKey, MACKey: secret(3), Master: secret(7), Dial: dialler(s.w.Node("host"), "visa:1")}}
	h := s.host()
	s.run(time.Second)
	trusted := 0
	for name, attack := range map[string]func(c *link.Conn) error{
		"garbage":  func(c *link.Conn) error { return c.Send([]byte("no message of any dialect")) },
		"length 0": func(c *link.Conn) error { _, err := c.Peer().Write([]byte{0, 0}); return err },
		"too long": func(c *link.Conn) error {
			_, err := c.Peer().Write(binary.BigEndian.AppendUint16(nil, link.MaxFrame+1))
			return err
		},
		"cut": func(c *link.Conn) error { c.Close(); return nil },
	} {
		p.answer = func(m *scheme.Message) (string, bool) {
			if m.Kind == scheme.Reversal {
				return "00", true
			}
			if err := attack(p.newest().c); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return "", false
		}
		trusted += 10
		s.script(name, func(c *terminal) {
			code(t, c.call(visaSale(pay.STAN(trusted).String(), "000000000100"), c.mac), "91")
			code(t, c.call(sale(pay.STAN(trusted+1).String(), "000000000100"), c.mac), "00") // the other scheme's goes on
		})
		s.run(30 * time.Second)
		p.answer = func(*scheme.Message) (string, bool) { return "00", true }
		s.script("after "+name, func(c *terminal) {
			code(t, c.call(visaSale(pay.STAN(trusted+2).String(), "000000000100"), c.mac), "00")
		})
	}

	// Answers in the reverse order, each of them twice, and strangers' between them.
	env := s.w.Node("visa:1")
	p.answer = func(m *scheme.Message) (string, bool) {
		_ = env.Sleep(context.Background(), 3*time.Second-time.Duration(m.STAN%20)*100*time.Millisecond)
		x := p.newest()
		var r scheme.Message
		r.ResponseTo(m, "00")
		r.AuthCode = "A1B2C3"
		p.say(&r, x.keys.Current(), x.c)
		r.STAN = 999_990 + m.STAN%9
		p.say(&r, x.keys.Current(), x.c)
		return "00", true
	}
	late := h.Stats.Late.Load()
	s.script("reordered", func(c *terminal) {
		codes, _ := c.burst(20, 500, visaSale)
		if codes["00"] != 20 {
			t.Errorf("%v", codes)
		}
	})
	s.run(10 * time.Second)
	if n := h.Stats.Late.Load() - late; n != 40 {
		t.Errorf("%d answers counted as late, want 20 doubled and 20 strangers'", n)
	}
	s.books(100 * (4*2 + 20))
}

// What keeps failing, in whatever dialect, is a dead letter that a person sees,
// and goes on being tried: it is never dropped (crash rule 4).
func TestDeadLetterInEveryDialect(t *testing.T) {
	for i, d := range allDialects(t) {
		t.Run(fmt.Sprint(i, d.Name()), func(t *testing.T) {
			s := newStage(t)
			p := s.play("visa:1", d)
			s.cards = byFirstDigits(t)
			s.more = []host.SchemeConfig{{Name: "visa", Dialect: d, ZPK: pinKey, MACKey: secret(3), Master: secret(7), Dial: dialler(s.w.Node("host"), "visa:1")}}
			h := s.host()
			s.run(time.Second)
			refusing := true
			p.answer = func(m *scheme.Message) (string, bool) {
				switch {
				case m.Kind == scheme.Payment && m.Transaction == scheme.Sale:
					return "", false // lost
				case refusing && m.Kind == scheme.Reversal, refusing && m.Transaction == scheme.CompletionAdvice:
					return "05", true
				}
				return "00", true
			}
			s.script("owed", func(c *terminal) {
				code(t, c.call(visaSale("000002", "000000000100"), c.mac), "91")
				auth := shaped(t, "pre-authorisation", "000003", "000000000500", nil)
				auth.Set(2, visaPAN)
				auth.Set(35, visaPAN+"=4912220000000000")
				r := c.call(auth, c.mac)
				code(t, r, "00")
				advice := shaped(t, "completion advice", "000004", "000000000500", map[int]string{37: r.Get(37), 38: r.Get(38)})
				code(t, c.call(advice, c.mac), "00")
			})
			s.run(5 * time.Minute)
			letters := h.DeadLetters()
			if len(letters) != 2 || letters[0].Code != "05" || letters[0].Tries < host.DeadAfter {
				t.Fatalf("letters: %+v", letters)
			}
			before := p.count("reversal of sale")
			s.run(5 * time.Minute)
			if p.count("reversal of sale") <= before {
				t.Error("a dead letter is not tried any more")
			}
			refusing = false
			s.run(5 * time.Minute)
			if n := len(h.DeadLetters()); n != 0 {
				t.Errorf("%d letters after the scheme took them", n)
			}
			s.books(500)
		})
	}
}
