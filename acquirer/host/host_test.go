package host_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/book"
	"huika/acquirer/book/memory"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
	"huika/rt"
	"huika/sim/sched"
)

const (
	merchant = "898310048160001"
	tid      = "HK000001"
	hostAddr = "host:1"
	cupAddr  = "scheme:1"
	pan      = "6228480000000000001"
)

// pinKey is the zone PIN key of every scheme here.
var pinKey = pay.NewSecret([]byte("0123456789ABCDEF"))

func secret(b byte) pay.Secret { return pay.NewSecret(bytes.Repeat([]byte{b, b ^ 0x5A}, 8)) }

// stage is a host between a terminal and a scheme that the test plays, in one simulated world.
type stage struct {
	t     *testing.T
	w     *sched.World
	store *memory.Store
	log   bytes.Buffer
	stop  context.CancelFunc
	heads map[pay.MerchantID]book.Head

	mu        sync.Mutex
	asked     []*iso8583.Message // what the scheme got, in order
	answer    func(m *iso8583.Message) (code string, send bool)
	limits    host.Limits
	fee       func(pay.MerchantID, pay.PAN, pay.Money) (int64, string)
	cards     func(pay.PAN) (bin.Range, bool)
	more      []host.SchemeConfig // beside the one that the test plays
	downloads host.Downloader
	keysEvery time.Duration // of terminals
	holding   func()        // called by the store before it writes
	// silent gives the error with which the store refuses to write, or that it returns after it has written.
	silent func(b []book.LaneBatch) (before, after error)
}

func (s *stage) Keep(heads []book.MerchantHead) error {
	for _, h := range heads {
		s.heads[h.Merchant] = h.Head
	}
	return nil
}

type heldStore struct {
	*memory.Store
	s *stage
}

func (h heldStore) Apply(ctx context.Context, b []book.LaneBatch) ([]book.LaneResult, error) {
	if h.s.holding != nil {
		h.s.holding()
	}
	var before, after error
	if h.s.silent != nil {
		before, after = h.s.silent(b)
	}
	if before != nil {
		return nil, before
	}
	res, err := h.Store.Apply(ctx, b)
	if after != nil {
		return nil, after
	}
	return res, err
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, w: sched.New(sched.Config{Seed: 1}), store: memory.New(), heads: map[pay.MerchantID]book.Head{}}
	s.answer = func(*iso8583.Message) (string, bool) { return "00", true }
	t.Cleanup(s.w.Close)
	s.scheme()
	return s
}

// scheme plays the switch at the other end.
func (s *stage) scheme() {
	env := s.w.Node("scheme")
	mac, err := keys.CMAC(secret(3))
	if err != nil {
		s.t.Fatal(err)
	}
	ln, err := env.Listen(cupAddr)
	if err != nil {
		s.t.Fatal(err)
	}
	env.Go("scheme", func() {
		_ = link.Serve(context.Background(), env, ln, link.ServerOptions{Handle: func(_ context.Context, c *link.Conn, frame []byte) {
			m := iso8583.NewMessage()
			if err := errors.Join(cup.CheckMAC(frame, mac), cup.Decode(frame, m)); err != nil {
				s.t.Errorf("scheme: %v", err)
				return
			}
			r := iso8583.NewMessage()
			r.ResponseTo(m, 2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70, 90)
			code, send := "00", true
			if m.MTI() != "0800" {
				s.mu.Lock()
				s.asked = append(s.asked, m.Clone())
				s.mu.Unlock()
				code, send = s.answer(m)
			}
			if !send {
				return
			}
			r.Set(39, code)
			if (m.MTI() == "0200" || m.MTI() == "0100") && code == "00" {
				r.Set(38, "A1B2C3")
				r.SetBytes(55, []byte{0x91, 2, 1, 2})
			}
			if m.Get(3) == pos.ProcessBalance && code == "00" {
				r.Set(54, "0002156C000001234500")
			}
			out, err := cup.Encode(nil, r, mac)
			if err != nil {
				s.t.Errorf("scheme: %v", err)
				return
			}
			_ = c.Send(out) // a host that has gone is the test's own doing
		}})
	})
}

func (s *stage) sent(mti string) (out []*iso8583.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.asked {
		if m.MTI() == mti {
			out = append(out, m)
		}
	}
	return out
}

// host starts one life of the host.
func (s *stage) host() *host.Host { return s.hostAt("host", hostAddr, "") }

// hostAt starts one on a node of its own; owner is its name in the leases.
func (s *stage) hostAt(node, addr, owner string) *host.Host {
	env := s.w.Node(node)
	seal, err := pay.NewGCMSealer(pay.NewSecret(make([]byte, 32)), env.Rand())
	if err != nil {
		s.t.Fatal(err)
	}
	h, err := host.New(env, host.Config{
		Store: heldStore{s.store, s}, Heads: s, Terminals: []host.Terminal{{ID: tid, Merchant: merchant, TMK: secret(1)}},
		Schemes: append([]host.SchemeConfig{{Name: "unionpay", Prefixes: []string{"62"}, Dialect: cup.Dialect, ZPK: pinKey, MACKey: secret(3),
			Dial: func(ctx context.Context) (net.Conn, error) { return env.Dial(ctx, cupAddr) }}}, s.more...),
		Downloads: s.downloads, TerminalKeysEvery: s.keysEvery, Cards: s.cards, Owner: owner, LeaseTTL: 6 * time.Second,
		AcquirerID: "48160000", Sealer: seal, FingerprintKey: secret(4), Limits: s.limits, Fee: s.fee,
		Timeouts: host.Timeouts{Scheme: 4 * time.Second, RetryPause: 100 * time.Millisecond, RetryCeil: 5 * time.Second},
		Log:      slog.New(slog.NewTextHandler(&s.log, nil)), Fatal: func(err error) { s.t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	ln, err := env.Listen(addr)
	if err != nil {
		s.t.Fatal(err)
	}
	env.Go("host", func() { _ = h.Run(ctx, ln) })
	return h
}

// run lets the world go on for d.
func (s *stage) run(d time.Duration) {
	s.t.Helper()
	if _, err := s.w.Run(sched.Limit{Time: d}); err != nil {
		s.t.Fatal(err)
	}
}

// terminal is the test's own terminal: it signs in and exchanges messages.
type terminal struct {
	signedIn string // F39 of the newest sign-in
	s        *stage
	env      rt.Env
	mux      *link.Mux
	mac      iso8583.MAC
	pin      pay.Secret
	last     error
}

// script runs f as the terminal's task to its end.
func (s *stage) script(name string, f func(t *terminal)) { s.t.Helper(); s.scriptAt(hostAddr, name, f) }

func (s *stage) scriptAt(addr, name string, f func(t *terminal)) {
	s.t.Helper()
	env := s.w.Node("terminal")
	done := false
	env.Go(name, func() {
		defer func() { done = true }()
		c, err := env.Dial(context.Background(), addr)
		if err != nil {
			s.t.Errorf("dial: %v", err)
			return
		}
		t := &terminal{s: s, env: env, mux: link.NewMux(env, c, link.MuxOptions{Classify: pos.Classify})}
		env.Go("mux", func() { _ = t.mux.Run(context.Background()) })
		t.signIn()
		f(t)
		t.mux.Close()
	})
	if _, err := s.w.Run(sched.Limit{Time: 5 * time.Minute, Until: func() bool { return done }}); err != nil {
		s.t.Fatal(err)
	}
	if !done {
		s.t.Fatalf("the script did not end; waiting: %v", s.w.Parked())
	}
}

func (t *terminal) call(m *iso8583.Message, mac iso8583.MAC) *iso8583.Message {
	frame, err := pos.Encode(nil, pos.Request(1), m, mac)
	if err != nil {
		t.s.t.Errorf("encode: %v", err)
		return iso8583.NewMessage()
	}
	ctx, cancel := t.env.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := t.mux.Call(ctx, pos.Key(m), frame)
	t.last = err
	r := iso8583.NewMessage()
	if err != nil {
		return r
	}
	if _, err := pos.Decode(got, r); err != nil {
		t.s.t.Errorf("decode: %v", err)
	}
	if mac != nil && r.Get(39) != "A0" && r.Get(39) != "58" {
		if err := pos.CheckMAC(got, mac); err != nil {
			t.s.t.Errorf("answer %s: %v", r.Get(39), err)
		}
	}
	return r
}

func (t *terminal) signIn() {
	m := iso8583.NewMessage()
	m.SetMTI("0800")
	m.Set(11, "000001")
	m.Set(41, tid)
	m.Set(42, merchant)
	m.Set(60, pos.F60{Type: "00", Batch: "000001", Network: pos.NetworkSignIn}.String())
	r := t.call(m, nil)
	if t.signedIn = r.Get(39); t.signedIn == "A0" {
		return // another host has the lane
	}
	k, err := pos.OpenKeys(secret(1), r.Bytes(62))
	if err != nil {
		t.s.t.Errorf("sign-in: %v (%s)", err, r.Get(39))
		return
	}
	t.pin = k.PIN
	if t.mac, err = keys.CMAC(k.MAC); err != nil {
		t.s.t.Error(err)
	}
}

func sale(stan, amount string) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI("0200")
	m.Set(2, pan)
	m.Set(3, pos.ProcessSale)
	if amount != "" {
		m.Set(4, amount)
	}
	m.Set(11, stan)
	m.Set(22, "072")
	m.Set(25, "00")
	m.Set(35, pan+"=4912220000000000")
	m.Set(41, tid)
	m.Set(42, merchant)
	m.Set(46, "00000000000000000000"+stan)
	m.Set(49, "156")
	b, _ := hex.DecodeString("9F2608AABBCCDDEEFF0011" + "9F34031F0002")
	m.SetBytes(55, b)
	m.Set(60, pos.F60{Type: "22", Batch: "000001", Network: "000", Capability: "6"}.String())
	return m
}

func reversal(stan, amount string) *iso8583.Message {
	m := sale(stan, amount)
	m.SetMTI("0400")
	m.Unset(55)
	m.Unset(35)
	m.Set(39, "98")
	return m
}

func (s *stage) state(stan pay.STAN) payment.Payment {
	s.t.Helper()
	p, _, err := s.store.Find(context.Background(), book.LaneOf(merchant, book.DefaultLanes),
		payment.Key{Merchant: merchant, Terminal: tid, Batch: "000001", STAN: stan, Kind: payment.Sale})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// books holds the ledger to the merchant's balance and to soundness.
func (s *stage) books(want int64) {
	s.t.Helper()
	rep, err := book.Verify(context.Background(), s.store, book.DefaultLanes, s.heads)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range rep.Findings {
		s.t.Error(f)
	}
	if got := rep.Balances[pay.CNY][book.MerchantAccount(merchant)]; got != want {
		s.t.Errorf("merchant has %d fen, want %d", got, want)
	}
	if rep.Unresolved != 0 {
		s.t.Errorf("%d payments are unresolved", rep.Unresolved)
	}
	if bytes.Contains(s.log.Bytes(), []byte(pan)) {
		s.t.Error("the log holds a clear card number")
	}
}

func code(t *testing.T, m *iso8583.Message, want string) {
	t.Helper()
	if got := m.Get(39); got != want {
		t.Errorf("%s %s: response %q, want %q", m.MTI(), m.Get(11), got, want)
	}
}

func TestSaleApproved(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("sale", func(c *terminal) {
		r := c.call(sale("000002", "000000008880"), c.mac)
		code(t, r, "00")
		if r.Get(38) != "A1B2C3" || len(r.Get(37)) != 12 || !bytes.Equal(r.Bytes(55), []byte{0x91, 2, 1, 2}) {
			t.Errorf("answer: auth %q, rrn %q, F55 %X", r.Get(38), r.Get(37), r.Bytes(55))
		}
		// The same message again: the stored reply, and the scheme is not asked twice.
		again := c.call(sale("000002", "000000008880"), c.mac)
		code(t, again, "00")
		if again.Get(37) != r.Get(37) || again.Get(38) != r.Get(38) {
			t.Error("the repeated answer differs")
		}
		code(t, c.call(sale("000002", "000000009999"), c.mac), "94")
	})
	asked := s.sent("0200")
	if len(asked) != 1 {
		t.Fatalf("the scheme was asked %d times", len(asked))
	}
	if asked[0].Get(4) != "000000008880" || asked[0].Get(2) != pan || asked[0].Get(37) == "" || asked[0].Has(46) {
		t.Errorf("to the scheme: amount %s, F37 %q, F46 %v", asked[0].Get(4), asked[0].Get(37), asked[0].Has(46))
	}
	s.books(8880)
}

func TestDuplicateInFlightJoinsTheFirst(t *testing.T) {
	s := newStage(t)
	s.host()
	env := s.w.Node("scheme")
	s.answer = func(*iso8583.Message) (string, bool) {
		return "00", env.Sleep(context.Background(), 2*time.Second) == nil
	}
	s.script("sale", func(c *terminal) {
		first := rt.NewFuture[string](c.env)
		c.env.Go("first", func() { first.Set(c.call(sale("000002", "000000000100"), c.mac).Get(39)) })
		other := &terminal{s: s, env: c.env, mac: c.mac}
		conn, err := c.env.Dial(context.Background(), hostAddr)
		if err != nil {
			t.Error(err)
			return
		}
		other.mux = link.NewMux(c.env, conn, link.MuxOptions{Classify: pos.Classify})
		c.env.Go("mux 2", func() { _ = other.mux.Run(context.Background()) })
		code(t, other.call(sale("000002", "000000000100"), c.mac), "00")
		if got, err := first.Get(context.Background()); err != nil || got != "00" {
			t.Errorf("first: %q %v", got, err)
		}
		other.mux.Close()
	})
	if n := len(s.sent("0200")); n != 1 {
		t.Fatalf("the scheme was asked %d times", n)
	}
	s.books(100)
}

func TestRefusals(t *testing.T) {
	s := newStage(t)
	s.host()
	s.answer = func(*iso8583.Message) (string, bool) { return "51", true }
	s.script("refusals", func(c *terminal) {
		code(t, c.call(sale("000002", "000000000100"), c.mac), "51")
		wrong, err := keys.CMAC(secret(9))
		if err != nil {
			t.Error(err)
		}
		code(t, c.call(sale("000003", "000000000100"), wrong), "A0")
		code(t, c.call(sale("000004", "000000000000"), c.mac), "13")
		other := sale("000005", "000000000100")
		other.Set(2, "4111111111111111")
		code(t, c.call(other, c.mac), "30") // F2 and F35 differ
		other.Unset(35)
		code(t, c.call(other, c.mac), "14") // no scheme
		stranger := sale("000006", "000000000100")
		stranger.Set(41, "HK999999")
		code(t, c.call(stranger, c.mac), "58")
		unknown := sale("000007", "000000000100")
		unknown.SetMTI("0600")
		code(t, c.call(unknown, c.mac), "12")
		echo := sale("000008", "000000000100")
		echo.SetMTI("0820")
		code(t, c.call(echo, nil), "00")
	})
	if n := len(s.sent("0200")); n != 1 {
		t.Errorf("the scheme was asked %d times, want 1", n)
	}
	s.books(0)
}

func TestSchemeSilentIsReversed(t *testing.T) {
	s := newStage(t)
	s.host()
	tries := 0
	s.answer = func(m *iso8583.Message) (string, bool) {
		if m.MTI() == "0420" {
			tries++
			return "00", tries >= 6 // lost five times
		}
		return "00", false
	}
	s.script("sale", func(c *terminal) { code(t, c.call(sale("000002", "000000000100"), c.mac), "91") })
	s.run(5 * time.Minute)
	rev := s.sent("0420")
	if len(rev) < 6 {
		t.Fatalf("%d reversals reached the scheme, want 6 or more", len(rev))
	}
	orig, err := cup.ParseOriginal(rev[0].Get(90))
	if err != nil || orig.STAN != s.sent("0200")[0].Get(11) || orig.MTI != "0200" || rev[0].Get(4) != "000000000100" || rev[0].Get(39) != "98" {
		t.Errorf("reversal names %+v %v", orig, err)
	}
	if got := s.state(2).State; got != payment.Reversed {
		t.Errorf("payment is %v", got)
	}
	s.books(0)
}

func TestSchemeDownAsksNobody(t *testing.T) {
	s := newStage(t)
	s.w.Crash("scheme")
	s.host()
	s.script("sale", func(c *terminal) { code(t, c.call(sale("000002", "000000000100"), c.mac), "91") })
	if got := s.state(2).State; got != payment.Declined {
		t.Errorf("payment is %v, want declined: nothing was sent", got)
	}
	s.books(0)
}

func TestTerminalReverses(t *testing.T) {
	s := newStage(t)
	s.host()
	s.script("reverse", func(c *terminal) {
		code(t, c.call(sale("000002", "000000000100"), c.mac), "00")
		code(t, c.call(reversal("000002", "000000000100"), c.mac), "00")
		code(t, c.call(reversal("000002", "000000000100"), c.mac), "00")
		// A reversal that overtakes its sale leaves a tombstone.
		code(t, c.call(reversal("000003", "000000000200"), c.mac), "25")
		code(t, c.call(sale("000003", "000000000200"), c.mac), "12")
	})
	s.run(time.Minute)
	if a, b := s.state(2).State, s.state(3).State; a != payment.Reversed || b != payment.Tombstone {
		t.Errorf("payments are %v and %v", a, b)
	}
	if n, r := len(s.sent("0200")), len(s.sent("0420")); n != 1 || r != 1 {
		t.Errorf("the scheme got %d sales and %d reversals, want one each", n, r)
	}
	s.books(0)
}

func TestReversalWhileTheSchemeIsAsked(t *testing.T) {
	s := newStage(t)
	s.host()
	env := s.w.Node("scheme")
	s.answer = func(m *iso8583.Message) (string, bool) {
		if m.MTI() == "0200" {
			return "00", env.Sleep(context.Background(), 2*time.Second) == nil
		}
		return "00", true
	}
	s.script("cross", func(c *terminal) {
		c.env.Go("sale", func() {
			if r := c.call(sale("000002", "000000000100"), c.mac); r.Get(39) == "00" {
				t.Error("an approval came for a payment that was given up")
			}
		})
		if err := c.env.Sleep(context.Background(), time.Second); err != nil {
			t.Error(err)
		}
		code(t, c.call(reversal("000002", "000000000100"), c.mac), "00")
		if err := c.env.Sleep(context.Background(), 30*time.Second); err != nil {
			t.Error(err)
		}
	})
	if got := s.state(2).State; got != payment.Reversed {
		t.Errorf("payment is %v", got)
	}
	s.books(0)
}

// The host dies between its two durable points; the next one finishes the payment.
func TestRestartResolvesAdmitted(t *testing.T) {
	s := newStage(t)
	s.host()
	dying := false
	s.answer = func(m *iso8583.Message) (string, bool) {
		if m.MTI() == "0200" && !dying {
			dying = true
			s.w.Crash("host")
		}
		return "00", true
	}
	s.script("sale", func(c *terminal) { c.call(sale("000002", "000000000100"), c.mac) })
	if got := s.state(2).State; got != payment.Admitted {
		t.Fatalf("payment is %v after the crash, want admitted", got)
	}
	s.host()
	s.run(time.Minute)
	if got := s.state(2); got.State != payment.Reversed || got.ReversalReason != "96" {
		t.Errorf("payment is %v (%s)", got.State, got.ReversalReason)
	}
	s.books(0)
}

func TestQueueFullSaysTryAgain(t *testing.T) {
	s := newStage(t)
	s.limits = host.Limits{CommitQueue: 1, BatchOps: 1}
	s.host()
	env := s.w.Node("host")
	s.holding = func() { _ = env.Sleep(context.Background(), time.Second) } // a slow disk; only a crash ends the wait early
	s.script("flood", func(c *terminal) {
		done := rt.NewQueue[string](c.env, 20)
		for i := range 10 {
			stan := pay.STAN(i + 2).String()
			c.env.Go("sale", func() {
				r := c.call(sale(stan, "000000000100"), c.mac)
				if err := done.Put(r.Get(39)); err != nil {
					t.Error(err)
				}
			})
		}
		counts := map[string]int{}
		for range 10 {
			got, err := done.Get(context.Background())
			if err != nil {
				t.Error(err)
			}
			counts[got]++
		}
		if counts["96"] == 0 || counts["00"] == 0 || counts["00"]+counts["96"]+counts[""] != 10 {
			t.Errorf("answers: %v", counts)
		}
	})
	s.holding = nil
	s.run(2 * time.Minute)
	rep, err := book.Verify(context.Background(), s.store, book.DefaultLanes, s.heads)
	if err != nil || !rep.Sound() || rep.Unresolved != 0 {
		t.Errorf("%v %+v", err, rep)
	}
}
