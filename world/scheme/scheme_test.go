package scheme_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"huika/card/perso"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/keys"
	"huika/rt"
	"huika/world/issuer"
	"huika/world/issuer/filelog"
	"huika/world/issuer/issuertest"
	"huika/world/issuer/memlog"
	"huika/world/scheme"

	"pgregory.net/rapid"
)

const timeout = 8 * time.Second

// town is an acquirer's end of a wire, the switch, a real issuer behind it,
// and a second issuer that accepts connections and never says a word.
type town struct {
	t      testing.TB
	env    rt.Env
	pin    string
	scheme *scheme.Scheme
	config scheme.Config
	log    *memlog.Log[scheme.Record, *scheme.Record]
	bank   *issuer.Issuer
	toBank *issuertest.Wire
	peer   *issuertest.Peer
	cards  map[string]*issuertest.Card
	stan   int
	ends   []func() error // of bank, then scheme
	wire   *issuertest.Wire
}

const silentPrefix = "629999013"

func newTown(t testing.TB, change func(*scheme.Config)) *town {
	t.Helper()
	w := &town{t: t, env: rt.Real(), pin: issuertest.PIN(t), log: memlog.New[scheme.Record](), cards: map[string]*issuertest.Card{}}
	zone := scheme.Zone{ZPK: issuertest.Key(t, 16), MACKey: issuertest.Key(t, 16)}
	i := perso.TestIssuer()
	var err error
	w.bank, err = issuer.New(w.env, issuer.Config{
		Accounts: i.Accounts(func(string) string { return w.pin }), IMK: i.IMK(), Keys: i.AllMasterKeys(), ZPK: zone.ZPK, MACKey: zone.MACKey, Store: memlog.New[issuer.Record](),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.toBank = issuertest.NewWire(w.env)
	w.run(func(ctx context.Context) error { return w.bank.Serve(ctx, w.toBank) })
	w.config = scheme.Config{
		Acquirers: []scheme.Acquirer{{ID: issuertest.AcquirerID, Zone: scheme.Zone{ZPK: issuertest.Key(t, 16), MACKey: issuertest.Key(t, 16)}}},
		Issuers:   []scheme.Issuer{{Name: "bank", Prefixes: []string{"62999"}, Dial: w.toBank.Dial, Zone: zone, Window: 4}},
		Store:     w.log, Timeout: timeout,
	}
	if change != nil {
		change(&w.config)
	}
	w.start()
	t.Cleanup(func() {
		w.peer.Close()
		for n := range w.ends {
			if err := w.ends[len(w.ends)-1-n](); err != nil {
				t.Errorf("end: %v", err)
			}
		}
	})
	return w
}

// run starts a party; its end is waited for when the test ends.
func (w *town) run(serve func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := rt.NewFuture[error](w.env)
	w.env.Go("party", func() { ended.Set(serve(ctx)) })
	w.ends = append(w.ends, func() error {
		cancel()
		err, getErr := ended.Get(context.Background())
		return errors.Join(err, getErr)
	})
}

func (w *town) start() {
	w.t.Helper()
	var err error
	if w.scheme, err = scheme.New(w.env, w.config); err != nil {
		w.t.Fatal(err)
	}
	w.wire = issuertest.NewWire(w.env)
	one, wire := w.scheme, w.wire
	w.run(func(ctx context.Context) error { return one.Serve(ctx, wire) })
	w.connect()
	for n := 0; !w.scheme.Up("bank") && n < 1000; n++ {
		time.Sleep(time.Millisecond)
	}
}

// connect signs the acquirer on.
func (w *town) connect() {
	w.t.Helper()
	w.peer = issuertest.NewPeer(w.t, w.env, w.wire.Dial, w.config.Acquirers[0].Zone.MACKey)
	w.stan++
	if code := w.peer.Code(w.t, issuertest.Network(cup.NetworkSignOn, w.stan)); code != "00" {
		w.t.Fatalf("sign-on: %s", code)
	}
}

// restart ends the switch without order and starts the next on what was durable.
func (w *town) restart() {
	w.t.Helper()
	next := w.log.Crash()
	end := w.ends[len(w.ends)-1]
	w.ends = w.ends[:len(w.ends)-1]
	if err := end(); err != nil && !errors.Is(err, memlog.ErrCrashed) {
		w.t.Fatal(err)
	}
	w.peer.Wait(w.t)
	w.log, w.config.Store = next, next
	w.start()
}

func (w *town) card(name string) *issuertest.Card {
	if w.cards[name] == nil {
		w.cards[name] = issuertest.NewCard(w.t, name, w.pin)
	}
	return w.cards[name]
}

func (w *town) sale(name string, fen int64, pin string) *iso8583.Message {
	w.t.Helper()
	w.stan++
	return w.card(name).Sale(w.t, issuertest.Terminal{Fen: fen}, w.stan, pin, w.config.Acquirers[0].Zone.ZPK)
}

func (w *town) reversal(sale *iso8583.Message) *iso8583.Message {
	w.stan++
	return issuertest.Reversal(sale, w.stan)
}

func (w *town) want(m *iso8583.Message, code string) {
	w.t.Helper()
	if got := w.peer.Code(w.t, m); got != code {
		w.t.Errorf("%s %s: F39 %s, want %s", m.MTI(), m.Get(11), got, code)
	}
}

// ask sends m and gives its F39 later.
func (w *town) ask(m *iso8583.Message) *rt.Future[string] {
	code := rt.NewFuture[string](w.env)
	w.env.Go("ask", func() {
		answer, err := w.peer.Ask(context.Background(), m)
		if err != nil {
			code.Set(err.Error())
			return
		}
		code.Set(answer.Get(39))
	})
	return code
}

func (w *town) balance(name string) int64 {
	m, ok := w.bank.Balance(w.card(name).Account.PAN)
	if !ok {
		w.t.Fatalf("no balance of %s", name)
	}
	return m.Minor
}

func inBubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)))
		f(t)
	})
}

// silent is an issuer that signs on and then never answers.
func silent(t testing.TB, env rt.Env, z scheme.Zone) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		var signedOn atomic.Bool
		env.Go("silent issuer", func() {
			defer func() { _ = far.Close() }() // the other end is gone
			for {
				frame, err := link.ReadFrame(far, nil)
				if err != nil {
					return
				}
				if signedOn.Swap(true) {
					continue
				}
				if err := answer(far, frame, z, "00"); err != nil {
					t.Errorf("silent issuer: %v", err)
					return
				}
			}
		})
		return near, nil
	}
}

func answer(to net.Conn, frame []byte, z scheme.Zone, code string) error {
	m, r := iso8583.NewMessage(), iso8583.NewMessage()
	if err := cup.Decode(frame, m); err != nil {
		return err
	}
	r.ResponseTo(m, 3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 70, 90)
	r.Set(39, code)
	mac, err := keys.CMAC(z.MACKey)
	if err != nil {
		return err
	}
	out, err := cup.Encode(nil, r, mac)
	if err != nil {
		return err
	}
	_, err = to.Write(link.AppendFrame(nil, out))
	return err
}

func withSilent(t testing.TB, env rt.Env, window int) func(*scheme.Config) {
	z := scheme.Zone{ZPK: issuertest.Key(t, 16), MACKey: issuertest.Key(t, 16)}
	return func(c *scheme.Config) {
		c.Issuers = append(c.Issuers, scheme.Issuer{Name: "silent", Prefixes: []string{silentPrefix}, Dial: silent(t, env, z), Zone: z, Window: window})
		c.EchoEvery = time.Hour
	}
}

// A sale with a PIN reaches the issuer: the PIN translated, each zone with its own MAC.
func TestSale(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		full := w.balance("unionpay-debit")
		m := w.sale("unionpay-debit", 500_000, w.pin)
		got, err := w.peer.Ask(t.Context(), m)
		if err != nil || got.Get(39) != "00" || got.Get(37) != m.Get(37) || len(got.Get(38)) != 6 || len(got.Bytes(55)) == 0 {
			t.Fatalf("%v: %s", err, cup.Spec.Dump(got))
		}
		w.want(w.sale("unionpay-phone", 500_000, ""), "00")
		w.want(w.sale("unionpay-debit", 8880, ""), "00")
		w.want(w.sale("unionpay-poor", 8880, ""), "51")
		wrong := w.sale("unionpay-credit", 500_000, w.pin)
		wrong.SetBytes(52, []byte("notablok"))
		w.want(wrong, "55")
		w.want(w.reversal(m), "00")
		w.want(w.reversal(m), "00")
		if w.balance("unionpay-debit") != full-8880 || w.scheme.Owed() != 0 {
			t.Errorf("balance %d, owed %d", w.balance("unionpay-debit"), w.scheme.Owed())
		}
	})
}

func TestRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		stranger := w.sale("unionpay-debit", 100, "")
		stranger.Set(2, "4111111111111111")
		w.want(stranger, "14")
		w.want(issuertest.Network(cup.NetworkEcho, 900), "00")
		w.want(issuertest.Network("999", 901), "30")
		odd := w.sale("unionpay-debit", 100, "")
		odd.SetMTI("0100")
		w.want(odd, "12")
		short := w.sale("unionpay-debit", 100, "")
		copied := short.Clone()
		w.want(short, "00")
		w.want(copied, "00")
		copied.Set(4, "000000000101")
		w.want(copied, "94")

		forger := issuertest.NewPeer(t, w.env, w.wire.Dial, issuertest.Key(t, 16))
		if _, err := forger.Ask(t.Context(), w.sale("unionpay-debit", 100, "")); !errors.Is(err, cup.ErrMAC) {
			t.Errorf("forged MAC: %v", err)
		}
		forger.Close()
		forger.Wait(t)
		early := issuertest.NewPeer(t, w.env, w.wire.Dial, w.config.Acquirers[0].Zone.MACKey)
		if code := early.Code(t, w.sale("unionpay-debit", 100, "")); code != "91" {
			t.Errorf("before sign-on: %s", code)
		}
		other := issuertest.Network(cup.NetworkSignOn, 902)
		other.Set(32, "99999999")
		if _, err := early.Ask(t.Context(), other); !errors.Is(err, link.ErrDown) {
			t.Errorf("unknown acquirer: %v", err)
		}
		early.Wait(t)
		if n := len(w.bank.Ledger()); n != 1 {
			t.Errorf("%d debits", n)
		}
	})
}

// The longest prefix wins, whatever the order of the table.
func TestRoute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, withSilent(t, rt.Real(), 4))
		start := time.Now()
		w.want(w.sale("unionpay-debit", 100, ""), "91") // 629999013…: the silent one's
		if time.Since(start) != timeout {
			t.Errorf("91 after %v", time.Since(start))
		}
		w.want(w.sale("unionpay-credit", 100, ""), "00")
	})
}

// A dead issuer: 91 in time, 91 at once beyond its window, and nobody else waits.
func TestDeadIssuer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const window, sent = 4, 10
		w := newTown(t, withSilent(t, rt.Real(), window))
		for n := 0; !w.scheme.Up("silent") && n < 1000; n++ {
			time.Sleep(time.Millisecond)
		}
		start := time.Now()
		var late, atOnce atomic.Int32
		var left atomic.Int32
		left.Store(sent)
		done := rt.NewFuture[bool](w.env)
		for range sent {
			m := w.sale("unionpay-debit", 100, "")
			w.env.Go("sale", func() {
				if code := w.peer.Code(t, m); code != "91" {
					t.Errorf("dead issuer: %s", code)
				}
				if time.Since(start) == timeout {
					late.Add(1)
				} else if time.Since(start) == 0 {
					atOnce.Add(1)
				}
				if left.Add(-1) == 0 {
					done.Set(true)
				}
			})
		}
		synctest.Wait()
		w.want(w.sale("unionpay-credit", 100, ""), "00")
		if time.Since(start) != 0 {
			t.Errorf("another issuer's sale took %v", time.Since(start))
		}
		if _, err := done.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late.Load() != window || atOnce.Load() != sent-window {
			t.Errorf("%d after the time-out, %d at once", late.Load(), atOnce.Load())
		}
		if w.scheme.Owed() != window { // those that may have reached it, and no other
			t.Errorf("%d reversals owed", w.scheme.Owed())
		}
	})
}

// An issuer that is down is not waited for, and is owed nothing.
func TestIssuerDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		w.bank.SetDown(true)
		synctest.Wait()
		start := time.Now()
		sale := w.sale("unionpay-debit", 100, "")
		w.want(sale, "91")
		if time.Since(start) != 0 || w.scheme.Owed() != 0 {
			t.Errorf("91 after %v, %d owed", time.Since(start), w.scheme.Owed())
		}
		w.want(w.reversal(sale), "91") // the acquirer repeats it
		if time.Since(start) > timeout {
			t.Errorf("reversal answered after %v", time.Since(start))
		}
		w.bank.SetDown(false)
		time.Sleep(time.Minute)
		w.want(sale, "91") // a doubled message hears what the first one heard
		w.want(w.reversal(sale), "25")
		w.want(w.sale("unionpay-debit", 100, ""), "00")
		if len(w.bank.Ledger()) != 1 {
			t.Errorf("ledger %+v", w.bank.Ledger())
		}
	})
}

// The issuer approves too late: the acquirer heard 91, and the customer gets
// the money back without anybody asking, also when the switch dies in between.
func TestLateAnswer(t *testing.T) {
	for _, dies := range []bool{false, true} {
		t.Run(fmt.Sprintf("switch dies %v", dies), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newTown(t, nil)
				full := w.balance("unionpay-debit")
				w.bank.SetDelay(timeout + time.Second)
				sale := w.sale("unionpay-debit", 100, "")
				heard := w.ask(sale)
				time.Sleep(timeout - time.Second)
				if w.balance("unionpay-debit") != full-100 || w.scheme.Owed() != 0 {
					t.Fatalf("before the time-out: balance %d of %d, owed %d", w.balance("unionpay-debit"), full, w.scheme.Owed())
				}
				if code, err := heard.Get(t.Context()); err != nil || code != "91" {
					t.Fatalf("F39 %s, %v", code, err)
				}
				// The reversal goes out in the moment of the 91, beside it: whether
				// the debit still stands right now is open. Once all rest it doesn't,
				// and the debt stays: the answer to the reversal is late as well.
				synctest.Wait()
				if w.balance("unionpay-debit") != full || w.scheme.Owed() != 1 {
					t.Fatalf("balance %d of %d, owed %d", w.balance("unionpay-debit"), full, w.scheme.Owed())
				}
				if dies {
					w.restart()
					if w.scheme.Owed() != 1 {
						t.Fatal("the debt was forgotten")
					}
				}
				w.bank.SetDelay(0)
				time.Sleep(5 * time.Minute)
				if w.balance("unionpay-debit") != full || w.scheme.Owed() != 0 {
					t.Errorf("balance %d of %d, owed %d", w.balance("unionpay-debit"), full, w.scheme.Owed())
				}
				if !dies && w.scheme.Late() == 0 {
					t.Error("the late answer was not counted")
				}
				w.connect()
				w.want(w.reversal(sale), "00") // the acquirer's own reversal changes nothing
				w.restart()
				if w.balance("unionpay-debit") != full || w.scheme.Owed() != 0 {
					t.Errorf("after a restart: balance %d of %d, owed %d", w.balance("unionpay-debit"), full, w.scheme.Owed())
				}
			})
		})
	}
}

// The connection is cut while the issuer decides: whether it debited is
// unknown, so it is owed a reversal.
func TestCutInTheMiddle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		full := w.balance("unionpay-debit")
		w.bank.SetDelay(2 * time.Second)
		w.env.Go("cut", func() {
			time.Sleep(time.Second)
			w.bank.SetDown(true)
		})
		start := time.Now()
		w.want(w.sale("unionpay-debit", 100, ""), "91")
		if time.Since(start) != time.Second || w.balance("unionpay-debit") != full-100 {
			t.Fatalf("91 after %v, balance %d: the test misses its point", time.Since(start), w.balance("unionpay-debit"))
		}
		w.bank.SetDelay(0)
		w.bank.SetDown(false)
		time.Sleep(5 * time.Minute)
		if w.balance("unionpay-debit") != full || w.scheme.Owed() != 0 {
			t.Errorf("balance %d of %d, owed %d", w.balance("unionpay-debit"), full, w.scheme.Owed())
		}
	})
}

func TestMaxOwed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		silence := withSilent(t, rt.Real(), 4)
		w := newTown(t, func(c *scheme.Config) { silence(c); c.MaxOwed = 1 })
		time.Sleep(time.Second)
		w.want(w.sale("unionpay-debit", 100, ""), "91")
		start := time.Now()
		w.want(w.sale("unionpay-debit", 100, ""), "91")
		if time.Since(start) != 0 || w.scheme.Owed() != 1 {
			t.Errorf("beyond the limit: %v, %d owed", time.Since(start), w.scheme.Owed())
		}
	})
}

// The buttons of the switch itself.
func TestControls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newTown(t, nil)
		full := w.balance("unionpay-debit")
		w.scheme.DropResponses(1)
		lost := w.sale("unionpay-debit", 100, "")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := w.peer.Ask(ctx, lost); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("lost answer: %v", err)
		}
		if w.balance("unionpay-debit") != full-100 {
			t.Error("the lost answer's sale was not debited")
		}
		w.want(w.reversal(lost), "00")
		w.scheme.SetDelay(3 * time.Second)
		start := time.Now()
		w.want(w.sale("unionpay-debit", 7, ""), "00")
		if time.Since(start) != 3*time.Second {
			t.Errorf("delay %v", time.Since(start))
		}
		w.scheme.SetDelay(0)
		w.scheme.SetDown(true)
		w.peer.Wait(t)
		w.scheme.SetDown(false)
		w.connect()
		w.want(w.sale("unionpay-debit", 7, ""), "00")
		if w.balance("unionpay-debit") != full-14 {
			t.Errorf("balance %d", w.balance("unionpay-debit"))
		}
	})
}

// A link that is up but dead is found by the echo and dialled anew.
func TestEcho(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var dials atomic.Int32
		silence := withSilent(t, rt.Real(), 4)
		w := newTown(t, func(c *scheme.Config) {
			silence(c)
			c.EchoEvery = time.Minute
			dial := c.Issuers[1].Dial
			c.Issuers[1].Dial = func(ctx context.Context) (net.Conn, error) { dials.Add(1); return dial(ctx) }
		})
		time.Sleep(time.Minute + timeout + time.Second)
		if dials.Load() != 2 || !w.scheme.Up("bank") {
			t.Errorf("%d dials, bank up %v", dials.Load(), w.scheme.Up("bank"))
		}
	})
}

// failing is a store whose disk breaks.
type failing struct{ scheme.Store }

var errDisk = errors.New("disk says no")

func (failing) Append(...scheme.Record) error { return errDisk }

// A debt that can't be made durable ends the switch, without an answer.
func TestStoreFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		silence := withSilent(t, rt.Real(), 4)
		w := newTown(t, func(c *scheme.Config) { silence(c); c.Store = failing{c.Store} })
		time.Sleep(time.Second)
		if _, err := w.peer.Ask(t.Context(), w.sale("unionpay-debit", 100, "")); !errors.Is(err, link.ErrDown) {
			t.Errorf("answer %v", err)
		}
		end := w.ends[len(w.ends)-1]
		w.ends = w.ends[:len(w.ends)-1]
		if err := end(); !errors.Is(err, errDisk) {
			t.Errorf("Serve ended with %v", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	zone := scheme.Zone{ZPK: issuertest.Key(t, 16), MACKey: issuertest.Key(t, 16)}
	dial := func(context.Context) (net.Conn, error) { return nil, net.ErrClosed }
	owing := memlog.New[scheme.Record]()
	if err := owing.Append(scheme.Record{Kind: scheme.Owed, Issuer: "gone"}); err != nil {
		t.Fatal(err)
	}
	good := func() scheme.Config {
		return scheme.Config{
			Acquirers: []scheme.Acquirer{{ID: "1", Zone: zone}}, Issuers: []scheme.Issuer{{Name: "a", Dial: dial, Zone: zone}},
			Store: memlog.New[scheme.Record](),
		}
	}
	for name, change := range map[string]func(*scheme.Config){
		"no store":         func(c *scheme.Config) { c.Store = nil },
		"acquirer twice":   func(c *scheme.Config) { c.Acquirers = append(c.Acquirers, c.Acquirers[0]) },
		"issuer twice":     func(c *scheme.Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) },
		"no dial":          func(c *scheme.Config) { c.Issuers[0].Dial = nil },
		"short key":        func(c *scheme.Config) { c.Acquirers[0].Zone.ZPK = issuertest.Key(t, 8) },
		"debt to a nobody": func(c *scheme.Config) { c.Store = owing },
	} {
		bad := good()
		change(&bad)
		if _, err := scheme.New(rt.Real(), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := scheme.New(rt.Real(), good()); err != nil {
		t.Errorf("good config: %v", err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := func(name string) string { return rapid.StringMatching(`[0-9A-Za-z 银]{0,15}`).Draw(r, name) }
		x := scheme.Record{
			Kind: rapid.SampledFrom([]scheme.Kind{scheme.Owed, scheme.Settled}).Draw(r, "kind"), Issuer: text("issuer"), Transmission: text("F7"), STAN: text("F11"),
			Acquirer: text("F32"), Forwarder: text("F33"), Terminal: text("F41"), Merchant: text("F42"), Processing: text("F3"), Amount: text("F4"),
			Currency: text("F49"), RRN: text("F37"), MTI: text("MTI"),
		}
		b, err := x.MarshalBinary()
		if err != nil {
			r.Fatal(err)
		}
		var y scheme.Record
		if err := y.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(x, y) {
			r.Fatalf("%+v, %v", y, err)
		}
		if err := y.UnmarshalBinary(b[:rapid.IntRange(0, len(b)-1).Draw(r, "cut")]); !errors.Is(err, scheme.ErrRecord) {
			r.Fatalf("cut record: %v", err)
		}
	})
	if _, err := (scheme.Record{Kind: scheme.Owed, Terminal: "a\x1fb"}).MarshalBinary(); !errors.Is(err, scheme.ErrRecord) {
		t.Errorf("separator inside a field: %v", err)
	}
}

// The same log file serves the switch.
func TestFileLog(t *testing.T) {
	path := t.TempDir() + "/scheme.log"
	l, err := filelog.Open[scheme.Record](path)
	if err != nil {
		t.Fatal(err)
	}
	var store scheme.Store = l
	if err := store.Append(scheme.Record{Kind: scheme.Owed, Issuer: "bank", STAN: "000001"}); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := store.Load(func(r scheme.Record) error { n++; return nil }); err != nil || n != 1 {
		t.Fatalf("%d records, %v", n, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
