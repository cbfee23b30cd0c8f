package scheme_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"huika/iso8583/amex"
	"huika/iso8583/cup"
	"huika/iso8583/discover"
	"huika/iso8583/jcb"
	"huika/iso8583/link"
	"huika/iso8583/mastercard"
	neutral "huika/iso8583/scheme"
	"huika/iso8583/scheme/schemetest"
	"huika/iso8583/visa"
	"huika/keys"
	"huika/keys/zone"
	"huika/pay"
	"huika/rt"
	"huika/world/issuer/issuertest"
	"huika/world/issuer/memlog"
	"huika/world/scheme"
)

// acquirer is an acquirer's end of a line in any dialect.
type acquirer struct {
	*town
	d    neutral.Dialect
	line *issuertest.Wire
	keys *zone.Line
	mux  *link.Mux
	n    atomic.Int32 // management messages
}

// newAcquirer starts a second switch, in dialect d, before the town's bank.
func newAcquirer(t *testing.T, d neutral.Dialect) *acquirer {
	t.Helper()
	a := &acquirer{town: newTown(t, nil), d: d}
	config := a.config
	z := config.Acquirers[0].Zone
	z.Master = issuertest.Key(t, 16)
	config.Dialect, config.Store, config.Name = d, memlog.New[scheme.Record](), d.Name()
	config.Acquirers = []scheme.Acquirer{{ID: issuertest.AcquirerID, Zone: z}}
	config.Issuers[0].Window = 64
	var err error
	if a.scheme, err = scheme.New(a.env, config); err != nil {
		t.Fatal(err)
	}
	a.line = issuertest.NewWire(a.env)
	a.run(func(ctx context.Context) error { return a.scheme.Serve(ctx, a.line) })
	if a.keys, err = zone.New(z.Master, z.ZPK, z.MACKey, true); err != nil {
		t.Fatal(err)
	}
	a.mux = a.dial()
	if code := a.manage(neutral.SignOn, nil); code != "00" {
		t.Fatalf("sign-on: %s", code)
	}
	synctest.Wait()
	return a
}

// dial makes a connection, which begins with the zone's keys.
func (a *acquirer) dial() *link.Mux {
	a.t.Helper()
	conn, err := a.line.Dial(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	mux := link.NewMux(a.env, conn, link.MuxOptions{Classify: neutral.Classify(a.d), Request: a.asked})
	a.env.Go("mux", func() { _ = mux.Run(context.Background()) })
	a.t.Cleanup(mux.Close)
	return mux
}

// asked takes the switch's management, as the host does.
func (a *acquirer) asked(frame []byte) {
	var m, r neutral.Message
	err := a.d.Decode(frame, &m)
	made, verr := a.keys.Verify(time.Now(), func(mac *keys.AESCMAC) error { return a.d.CheckMAC(frame, mac) })
	if err := errors.Join(err, verr); err != nil {
		a.t.Errorf("%s: from the switch: %v", a.d.Name(), err)
		return
	}
	r.ResponseTo(&m, "00")
	if m.Function == neutral.KeyExchange {
		use := zone.PIN
		if m.Key.Use == neutral.MACKey {
			use = zone.MAC
		}
		if err := a.keys.Take(zone.Wrapped{Use: use, Key: m.Key.Wrapped, Check: m.Key.Check}, time.Now()); err != nil {
			a.t.Errorf("%s: %v", a.d.Name(), err)
		}
	}
	out, err := a.d.Encode(nil, &r, made.MAC)
	if err := errors.Join(err, a.mux.Send(out)); err != nil {
		a.t.Error(err)
	}
}

func (a *acquirer) ask(m *neutral.Message) neutral.Message { return a.askUnder(a.keys.Current(), m) }

// askUnder sends with the generation that the message's PIN is under.
func (a *acquirer) askUnder(k *zone.Keys, m *neutral.Message) neutral.Message {
	var r neutral.Message
	frame, err := a.d.Encode(nil, m, k.MAC)
	if err != nil {
		a.t.Errorf("%s: %v", a.d.Name(), err)
		return r
	}
	got, err := a.mux.Call(context.Background(), a.d.Key(m), frame)
	if err != nil {
		a.t.Errorf("%s %s: %v", a.d.Name(), m.Class(), err)
		return r
	}
	_, err = a.keys.Verify(time.Now(), func(mac *keys.AESCMAC) error { return a.d.CheckMAC(got, mac) })
	if err := errors.Join(err, a.d.Decode(got, &r)); err != nil {
		a.t.Errorf("%s %s: answer: %v", a.d.Name(), m.Class(), err)
	}
	return r
}

func (a *acquirer) manage(f neutral.Function, w *zone.Wrapped) string {
	m := neutral.Message{Kind: neutral.Management, Function: f, Transmission: "1123080000", STAN: pay.STAN(900_000 + a.n.Add(1)), Acquirer: issuertest.AcquirerID}
	if w != nil {
		m.Key = neutral.WorkingKey{Use: neutral.KeyUse(w.Use), Wrapped: w.Key, Check: w.Check}
	}
	r := a.ask(&m)
	return r.Code
}

// sale is one of a real card, with a PIN under the key of now.
func (a *acquirer) sale(fen int64) *neutral.Message { return a.saleUnder(a.keys.Current(), fen) }

func (a *acquirer) saleUnder(k *zone.Keys, fen int64) *neutral.Message {
	a.t.Helper()
	var m neutral.Message
	a.stan++
	frame, err := cup.Encode(nil, a.card("unionpay-debit").Sale(a.t, issuertest.Terminal{Fen: fen}, a.stan, a.pin, k.PIN), nil)
	if err := errors.Join(err, cup.Dialect.Decode(frame, &m)); err != nil {
		a.t.Fatal(err)
	}
	if len(m.PINBlock) == 0 {
		a.t.Fatal("no PIN block")
	}
	m.Local = "261123160000"
	return &m
}

func dialects(t testing.TB) []neutral.Dialect {
	v, err := visa.New(visa.Station{})
	if err != nil {
		t.Fatal(err)
	}
	return []neutral.Dialect{cup.Dialect, v, mastercard.New(mastercard.EBCDIC), amex.Dialect, jcb.Dialect, discover.Dialect, schemetest.Lesson}
}

// In every dialect: sign-on, echo, a sale with a PIN, its reversal, keys changed
// by either side and by both at once while sales with PINs are under way: each
// PIN arrives under the right key (a wrong one would be 55), each MAC fits.
func TestEveryDialect(t *testing.T) {
	for _, d := range dialects(t) {
		t.Run(d.Name(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := newAcquirer(t, d)
				full := a.balance("unionpay-debit")
				first := a.keys.Current()
				want := func(m *neutral.Message, code string) {
					t.Helper()
					if r := a.ask(m); r.Code != code {
						t.Errorf("%s: %q, want %q", m.Class(), r.Code, code)
					}
				}
				if code := a.manage(neutral.Echo, nil); code != "00" {
					t.Errorf("echo: %s", code)
				}
				sale := a.sale(500_000)
				want(sale, "00")
				back := *sale
				back.Kind, back.STAN, back.PINBlock, back.ICC, back.Reason = neutral.Reversal, 800_000, nil, nil, neutral.NoReply
				back.Original = neutral.Original{Transaction: neutral.Sale, STAN: sale.STAN, Transmission: sale.Transmission, Local: sale.Local, Acquirer: sale.Acquirer}
				want(&back, "00")
				if a.balance("unionpay-debit") != full {
					t.Error("the reversal gave nothing back")
				}

				a.bank.SetDelay(time.Second)
				const sales = 40
				left := rt.NewQueue[string](a.env, sales)
				for range sales {
					under := a.keys.Current()
					m := a.saleUnder(under, 100)
					a.env.Go("sale", func() {
						r := a.askUnder(under, m)
						if err := left.Put(r.Code); err != nil {
							t.Error(err)
						}
					})
					time.Sleep(50 * time.Millisecond)
					switch a.stan % 4 {
					case 0:
						a.env.Go("keys", a.change)
					case 1:
						a.env.Go("scheme's keys", func() {
							// Two at once are one too many, and both sides' at once is the acquirer's to give up.
							if err := a.scheme.ChangeKeys(context.Background(), issuertest.AcquirerID); err != nil && !errors.Is(err, zone.ErrBusy) {
								t.Errorf("scheme's exchange: %v", err)
							}
						})
					}
				}
				for range sales {
					if code, err := left.Get(t.Context()); err != nil || code != "00" {
						t.Errorf("a sale during the exchanges: %q %v", code, err)
					}
				}
				if a.keys.Current() == first {
					t.Error("the keys were never changed")
				}
				if got := a.balance("unionpay-debit"); got != full-100*sales {
					t.Errorf("balance %d, want %d", got, full-100*sales)
				}

				// What a key exchange must not take.
				a.bank.SetDelay(0)
				pin, mac, err := a.keys.Offer(a.env.Rand())
				if err != nil {
					t.Fatal(err)
				}
				pin.Check[0] ^= 1
				if code := a.manage(neutral.KeyExchange, &pin); code != "30" {
					t.Errorf("a wrong check value: %s", code)
				}
				if code := a.manage(neutral.KeyExchange, &mac); code != "30" {
					t.Errorf("a MAC key without its PIN key: %s", code)
				}
				a.keys.Withdraw()
				want(a.sale(200_000), "00")

				// A message of one connection is worth nothing on another: its keys are not theirs.
				m := a.sale(100)
				recorded, err := d.Encode(nil, m, a.keys.Current().MAC)
				if err != nil {
					t.Fatal(err)
				}
				paid := a.balance("unionpay-debit")
				var r neutral.Message
				got, err := a.dial().Call(t.Context(), d.Key(m), recorded)
				if err := errors.Join(err, d.Decode(got, &r)); err != nil || r.Code != "A0" || a.balance("unionpay-debit") != paid {
					t.Errorf("a replayed message: %q, %v", r.Code, err)
				}
				if code := a.manage(neutral.SignOff, nil); code != "00" {
					t.Errorf("sign-off: %s", code)
				}
				want(a.sale(100), "91")
				if err := a.scheme.ChangeKeys(t.Context(), issuertest.AcquirerID); !errors.Is(err, scheme.ErrNotSignedOn) {
					t.Errorf("keys for an acquirer that has signed off: %v", err)
				}
			})
		})
	}
}

// change is an exchange that the acquirer begins.
func (a *acquirer) change() {
	pin, mac, err := a.keys.Offer(a.env.Rand())
	if err != nil {
		if !errors.Is(err, zone.ErrBusy) {
			a.t.Error(err)
		}
		return
	}
	for _, w := range []*zone.Wrapped{&pin, &mac} {
		if code := a.manage(neutral.KeyExchange, w); code != "00" {
			if code != "91" { // the switch's own is under way
				a.t.Errorf("key exchange: %s", code)
			}
			a.keys.Withdraw()
			return
		}
	}
	a.keys.Confirm(time.Now())
}
