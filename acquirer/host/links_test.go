package host_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/amex"
	"huika/iso8583/cup"
	"huika/iso8583/discover"
	"huika/iso8583/jcb"
	"huika/iso8583/link"
	"huika/iso8583/mastercard"
	"huika/iso8583/scheme"
	"huika/iso8583/scheme/schemetest"
	"huika/iso8583/visa"
	"huika/keys"
	"huika/keys/zone"
	"huika/pay"
	"huika/rt"
)

// played is a scheme of the test's own, in any dialect, at one address.
type played struct {
	s      *stage
	d      scheme.Dialect
	master pay.Secret
	// answer decides on a payment or reversal; send false: silence.
	answer func(m *scheme.Message) (code string, send bool)

	mu    sync.Mutex
	heard []string // classes, in order
	conns []*playedConn
}

type playedConn struct {
	c    *link.Conn
	keys *zone.Line
}

func (s *stage) play(addr string, d scheme.Dialect) *played {
	p := &played{s: s, d: d, master: secret(7), answer: func(*scheme.Message) (string, bool) { return "00", true }}
	env := s.w.Node(addr)
	ln, err := env.Listen(addr)
	if err != nil {
		s.t.Fatal(err)
	}
	env.Go(addr, func() {
		_ = link.Serve(context.Background(), env, ln, link.ServerOptions{MaxHandlers: 4096, Handle: func(_ context.Context, c *link.Conn, frame []byte) { p.handle(env, c, frame) }})
	})
	return p
}

func (p *played) handle(env rt.Env, c *link.Conn, frame []byte) {
	var m, r scheme.Message
	x, ok := c.Session().(*playedConn)
	if !ok {
		k, err := zone.New(p.master, pinKey, secret(3), false)
		if err != nil {
			p.s.t.Error(err)
			return
		}
		x = &playedConn{c, k}
		c.SetSession(x)
		p.mu.Lock()
		p.conns = append(p.conns, x)
		p.mu.Unlock()
	}
	made, err := x.keys.Verify(env.Now(), func(mac *keys.AESCMAC) error { return p.d.CheckMAC(frame, mac) })
	if err := errors.Join(err, p.d.Decode(frame, &m)); err != nil {
		p.s.t.Errorf("%s: %v", p.d.Name(), err)
		return
	}
	p.mu.Lock()
	p.heard = append(p.heard, m.Class())
	p.mu.Unlock()
	if m.Response {
		return
	}
	code, send := "00", true
	switch {
	case m.Function == scheme.KeyExchange:
		use := zone.PIN
		if m.Key.Use == scheme.MACKey {
			use = zone.MAC
		}
		if err := x.keys.Take(zone.Wrapped{Use: use, Key: m.Key.Wrapped, Check: m.Key.Check}, env.Now()); err != nil {
			code = "30"
		}
	case m.Kind != scheme.Management:
		code, send = p.answer(&m)
	}
	if !send {
		return
	}
	r.ResponseTo(&m, code)
	if m.Kind == scheme.Payment && code == "00" {
		r.AuthCode = "A1B2C3"
	}
	p.say(&r, made, c)
}

func (p *played) say(m *scheme.Message, k *zone.Keys, c *link.Conn) {
	out, err := p.d.Encode(nil, m, k.MAC)
	if err == nil {
		err = c.Send(out)
	}
	if err != nil && !errors.Is(err, link.ErrDown) {
		p.s.t.Errorf("%s: %v", p.d.Name(), err)
	}
}

func (p *played) count(class string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		if h == class {
			n++
		}
	}
	return n
}

func (p *played) newest() *playedConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[len(p.conns)-1]
}

func dialler(env rt.Env, addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return env.Dial(ctx, addr) }
}

func asVisa(t *testing.T) scheme.Dialect {
	t.Helper()
	d, err := visa.New(visa.Station{Own: "481600", Peer: "000001"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// byFirstDigits routes 62 to UnionPay and 4 to Visa.
func byFirstDigits(t *testing.T) func(pay.PAN) (bin.Range, bool) {
	t.Helper()
	table, err := bin.New([]bin.Range{
		{From: "62", To: "62", Routes: []string{"unionpay"}, Product: bin.Debit, Country: 156},
		{From: "4", To: "4", Routes: []string{"visa"}, Product: bin.Credit, Country: 840},
	})
	if err != nil {
		t.Fatal(err)
	}
	return table.Lookup
}

const visaPAN = "4761739001010119"

func visaSale(stan, amount string) *iso8583.Message {
	m := sale(stan, amount)
	m.Set(2, visaPAN)
	m.Set(35, visaPAN+"=4912220000000000")
	return m
}

// burst sends sales at once and gives how they were answered, and the slowest.
func (t *terminal) burst(n, first int, make func(stan, amount string) *iso8583.Message) (codes map[string]int, slowest time.Duration) {
	type end struct {
		code string
		took time.Duration
	}
	ends := rt.NewQueue[end](t.env, n)
	for i := range n {
		stan := pay.STAN(first + i).String()
		t.env.Go("sale", func() {
			start := t.env.Now()
			r := t.call(make(stan, "000000000100"), t.mac)
			if err := ends.Put(end{r.Get(39), t.env.Now().Sub(start)}); err != nil {
				t.s.t.Error(err)
			}
		})
	}
	codes = map[string]int{}
	for range n {
		e, err := ends.Get(context.Background())
		if err != nil {
			t.s.t.Error(err)
		}
		codes[e.code]++
		slowest = max(slowest, e.took)
	}
	return codes, slowest
}

// A dead scheme, and one that never answers, never slow another: its payments end
// as fast as if it were alone, while the silent one's window is full, its
// reversals are owed, and new ones come.
func TestASlowSchemeSlowsNoOther(t *testing.T) {
	for name, dead := range map[string]bool{"silent": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			const window = 8
			other := s.play("visa:1", asVisa(t))
			other.answer = func(*scheme.Message) (string, bool) { return "", false }
			s.cards = byFirstDigits(t)
			s.more = []host.SchemeConfig{{
				Name: "visa", Dialect: other.d, ZPK: pinKey, MACKey: secret(3), Window: window, Dial: dialler(s.w.Node("host"), "visa:1"),
			}}
			h := s.host()
			s.run(time.Second)
			if !h.Up() {
				t.Fatal("not up")
			}
			s.script("both", func(c *terminal) {
				alone, quiet := c.burst(20, 100, sale)
				if dead {
					s.w.Crash("visa:1")
				}
				c.env.Go("flood", func() {
					codes, _ := c.burst(30, 200, visaSale)
					if codes["91"] != 30 {
						t.Errorf("the other scheme's: %v", codes)
					}
				})
				for round := range 4 { // while calls wait, and while reversals are tried
					codes, slowest := c.burst(20, 300+20*round, sale)
					if alone["00"] != 20 || codes["00"] != 20 || slowest > 2*quiet+50*time.Millisecond {
						t.Errorf("round %d: %v in %v; alone %v", round, codes, slowest, quiet)
					}
					if err := c.env.Sleep(context.Background(), 2*time.Second); err != nil {
						t.Error(err)
					}
				}
			})
			if !dead {
				if n := other.count("sale"); n != window {
					t.Errorf("the silent scheme was asked %d times, want its window of %d", n, window)
				}
			}
			other.answer = func(*scheme.Message) (string, bool) { return "00", true }
			if dead {
				s.play("visa:1", other.d) // the next life approves
			}
			s.run(5 * time.Minute)
			s.books(100 * 100)
		})
	}
}

// Two links to one scheme: when the first falls, what was under way over it is
// reversed over the second, new payments take the second, and the first is taken
// again when it is back.
func TestAlternateLink(t *testing.T) {
	s := newStage(t)
	first, second := s.play("visa:1", asVisa(t)), s.play("visa:2", asVisa(t))
	s.cards = byFirstDigits(t)
	env := s.w.Node("host")
	s.more = []host.SchemeConfig{{
		Name: "visa", Dialect: first.d, ZPK: pinKey, MACKey: secret(3), Master: secret(7),
		Dial: dialler(env, "visa:1"), Alternates: []func(context.Context) (net.Conn, error){dialler(env, "visa:2")},
	}}
	h := s.host()
	s.run(time.Second)
	first.answer = func(m *scheme.Message) (string, bool) { return "00", m.STAN != 0 && first.count("sale") < 2 }
	s.script("fall", func(c *terminal) {
		code(t, c.call(visaSale("000002", "000000000100"), c.mac), "00")
		if first.count("sale") != 1 || second.count("sale") != 0 {
			t.Errorf("first link %v, second %v", first.heard, second.heard)
		}
		lost := rt.NewFuture[string](c.env)
		c.env.Go("lost", func() { lost.Set(c.call(visaSale("000003", "000000000100"), c.mac).Get(39)) })
		if err := c.env.Sleep(context.Background(), time.Second); err != nil {
			t.Error(err)
		}
		s.w.Crash("visa:1")
		if got, err := lost.Get(context.Background()); err != nil || got != "91" {
			t.Errorf("cut in the middle: %q %v", got, err)
		}
		code(t, c.call(visaSale("000004", "000000000100"), c.mac), "00")
		if links := h.Links(); len(links) != 3 || links[1].Up || !links[2].Up || links[2].Name != "visa 2" {
			t.Errorf("links %+v", links)
		}
	})
	if second.count("sale") != 1 || second.count("reversal of sale") == 0 {
		t.Errorf("second link heard %v", second.heard)
	}
	back := s.play("visa:1", first.d)
	s.run(time.Minute)
	s.script("back", func(c *terminal) { code(t, c.call(visaSale("000005", "000000000100"), c.mac), "00") })
	if back.count("sale") != 1 {
		t.Errorf("the first link is back and heard %v", back.heard)
	}
	s.books(300)
}

// The life of a link: sign-on, fresh keys, echoes, keys again when it is time and
// when the scheme begins, sign-off in the end.
func TestLifeOfALink(t *testing.T) {
	s := newStage(t)
	p := s.play("visa:1", asVisa(t))
	s.cards = byFirstDigits(t)
	s.more = []host.SchemeConfig{{
		Name: "visa", Dialect: p.d, ZPK: pinKey, MACKey: secret(3), Master: secret(7), EchoEvery: 10 * time.Second, KeysEvery: 45 * time.Second,
		Dial: dialler(s.w.Node("host"), "visa:1"),
	}}
	h := s.host()
	s.run(35 * time.Second)
	if got := fmt.Sprint(p.heard); got != "[sign-on key exchange key exchange echo echo echo]" {
		t.Fatalf("heard %s", got)
	}
	start := p.newest().keys.Current()
	s.run(20 * time.Second)
	if p.count("key exchange") != 4 || p.newest().keys.Current() == start {
		t.Errorf("after KeysEvery: %v", p.heard)
	}
	s.script("keys under way", func(c *terminal) {
		p.answer = func(*scheme.Message) (string, bool) {
			return "00", c.env.Sleep(context.Background(), time.Second) == nil
		}
		c.env.Go("keys", func() {
			for range 5 {
				if err := h.ChangeKeys(context.Background(), "visa"); err != nil {
					t.Error(err)
				}
				_ = c.env.Sleep(context.Background(), 300*time.Millisecond)
			}
		})
		for i := range 5 {
			codes, _ := c.burst(6, 100+10*i, visaSale)
			if codes["00"] != 6 {
				t.Errorf("round %d: %v", i, codes)
			}
		}
		// The scheme begins an exchange; a forged one changes nothing.
		x := p.newest()
		pin, mac, err := x.keys.Offer(c.env.Rand())
		if err != nil {
			t.Error(err)
			return
		}
		before := len(p.heard)
		for i, w := range []zone.Wrapped{pin, mac} {
			m := scheme.Message{Kind: scheme.Management, Function: scheme.KeyExchange, Transmission: "1124080000", STAN: pay.STAN(i + 1), Acquirer: "48160000",
				Key: scheme.WorkingKey{Use: scheme.KeyUse(w.Use), Wrapped: w.Key, Check: w.Check}}
			p.say(&m, x.keys.Current(), x.c)
			forger, err := zone.New(p.master, pinKey, secret(9), false)
			if err != nil {
				t.Error(err)
				return
			}
			p.say(&m, forger.Current(), x.c)
			_ = c.env.Sleep(context.Background(), time.Second)
		}
		x.keys.Confirm(c.env.Now())
		if n := len(p.heard) - before; n < 4 {
			t.Errorf("%d answers to 4 messages", n)
		}
		codes, _ := c.burst(6, 200, visaSale)
		if codes["00"] != 6 {
			t.Errorf("under the scheme's keys: %v", codes)
		}
	})
	if err := h.ChangeKeys(context.Background(), "nobody"); !errors.Is(err, host.ErrNoLink) {
		t.Errorf("keys of an unknown scheme: %v", err)
	}
	s.stop()
	s.run(5 * time.Second)
	if p.count("sign-off") != 1 {
		t.Errorf("no sign-off: %v", p.heard)
	}
	s.books(3600)
}

// A scheme that signs off is not asked any more, and the link comes back.
func TestSchemeSignsOff(t *testing.T) {
	s := newStage(t)
	p := s.play("visa:1", asVisa(t))
	s.cards = byFirstDigits(t)
	s.more = []host.SchemeConfig{{Name: "visa", Dialect: p.d, ZPK: pinKey, MACKey: secret(3), Master: secret(7), Dial: dialler(s.w.Node("host"), "visa:1")}}
	h := s.host()
	s.run(time.Second)
	x := p.newest()
	p.say(&scheme.Message{Kind: scheme.Management, Function: scheme.SignOff, Transmission: "1124080000", STAN: 1, Acquirer: "48160000"}, x.keys.Current(), x.c)
	s.run(100 * time.Millisecond)
	if h.Up() {
		t.Error("up after the scheme's sign-off")
	}
	s.script("away", func(c *terminal) { code(t, c.call(visaSale("000002", "000000000100"), c.mac), "91") })
	s.run(time.Minute)
	s.script("back", func(c *terminal) { code(t, c.call(visaSale("000003", "000000000100"), c.mac), "00") })
	if p.count("sale") != 1 {
		t.Errorf("asked %d times", p.count("sale"))
	}
	s.books(100)
}

// What a scheme says must fit the question: no code, another amount, a wrong MAC
// and silence all leave the payment in doubt, and it is reversed.
func TestAnswersThatCannotBe(t *testing.T) {
	s := newStage(t)
	p := s.play("visa:1", cup.Dialect)
	s.cards = byFirstDigits(t)
	s.more = []host.SchemeConfig{{Name: "visa", Dialect: cup.Dialect, ZPK: pinKey, MACKey: secret(3), Dial: dialler(s.w.Node("host"), "visa:1")}}
	s.host()
	forger, err := zone.New(pay.Secret{}, pinKey, secret(9), false)
	if err != nil {
		t.Fatal(err)
	}
	tricks := map[int64]func(r *scheme.Message) *zone.Keys{
		1: func(r *scheme.Message) *zone.Keys { r.Code = ""; return nil },
		2: func(r *scheme.Message) *zone.Keys { r.Amount.Minor++; return nil },
		3: func(r *scheme.Message) *zone.Keys { return forger.Current() },
		4: func(r *scheme.Message) *zone.Keys { r.Kind = scheme.Reversal; return nil },
	}
	p.answer = func(m *scheme.Message) (string, bool) {
		if m.Kind == scheme.Reversal {
			return "00", true
		}
		var r scheme.Message
		r.ResponseTo(m, "00")
		k := tricks[m.Amount.Minor](&r)
		if k == nil {
			k = p.newest().keys.Current()
		}
		p.say(&r, k, p.newest().c)
		return "", false
	}
	s.script("tricks", func(c *terminal) {
		for i := range tricks {
			stan := pay.STAN(10 + i).String()
			code(t, c.call(visaSale(stan, fmt.Sprintf("%012d", i)), c.mac), "91")
		}
	})
	s.run(time.Minute)
	for i := range tricks {
		if got := s.state(pay.STAN(10 + i)).State; got != payment.Reversed {
			t.Errorf("trick %d: payment is %v", i, got)
		}
	}
	s.books(0)
}

func allDialects(t *testing.T) []scheme.Dialect {
	t.Helper()
	return []scheme.Dialect{cup.Dialect, asVisa(t), mastercard.New(mastercard.EBCDIC), mastercard.New(mastercard.ASCII), amex.Dialect, jcb.Dialect, discover.Dialect, schemetest.Lesson}
}
