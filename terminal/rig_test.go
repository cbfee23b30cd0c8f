package terminal_test

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/nfc"
	nfcmem "huika/nfc/memory"
	"huika/pay"
	"huika/rt"
	"huika/terminal"
	"huika/terminal/journal"
	"huika/terminal/journal/memory"
)

var tmk = pay.NewSecret([]byte("terminal-master!"))

// reply is what the scripted host does with a message. The zero reply approves.
type reply struct {
	code   string // F39; "": 00
	silent bool   // no answer
	cut    bool   // the connection is cut instead
	delay  time.Duration
	badMAC bool
	noMAC  bool
	amount string // F4 of the answer, where it is not the request's
}

// acquirer is a scripted host: it knows the messages and their MACs, and
// nothing of payments.
type acquirer struct {
	t     testing.TB
	mu    sync.Mutex
	down  bool
	conns []net.Conn
	keys  pos.WorkingKeys
	mac   iso8583.MAC

	sale     func(*iso8583.Message) reply
	reversal func(*iso8583.Message) reply
	settling func(*iso8583.Message) reply // nil: balanced
	ahead    time.Duration                // of its clock
	batch    string                       // F60.2 of the sign-in reply, where it is not the request's

	sales, reversals []*iso8583.Message
	count            counts
}

type counts struct{ signIns, echoes int }

func (a *acquirer) counts() counts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count
}

// onSale, onReversal and onSignIn script the host; the functions run under its lock.
func (a *acquirer) onSale(f func(*iso8583.Message) reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sale = f
}

func (a *acquirer) onReversal(f func(*iso8583.Message) reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reversal = f
}

func (a *acquirer) onSettlement(f func(*iso8583.Message) reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settling = f
}

func (a *acquirer) onSignIn(batch string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batch = batch
}

func (a *acquirer) setAhead(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead = d
}

var errDown = errors.New("host is down")

func (a *acquirer) dial(context.Context) (net.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return nil, errDown
	}
	client, server := net.Pipe()
	a.conns = append(a.conns, server)
	go a.serve(server)
	return client, nil
}

func (a *acquirer) setDown(down bool) {
	a.mu.Lock()
	a.down = down
	conns := a.conns
	a.conns = nil
	a.mu.Unlock()
	if down {
		for _, c := range conns {
			c.Close()
		}
	}
}

func (a *acquirer) serve(c net.Conn) {
	defer c.Close()
	for {
		frame, err := link.ReadFrame(c, nil)
		if err != nil {
			return
		}
		go a.answer(c, frame)
	}
}

func (a *acquirer) answer(c net.Conn, frame []byte) {
	m := iso8583.NewMessage()
	h, err := pos.Decode(frame, m)
	if err != nil {
		a.t.Errorf("the terminal sent a message that can't be read: %v", err)
		return
	}
	a.mu.Lock()
	var r reply
	out := iso8583.NewMessage()
	out.ResponseTo(m, 3, 4, 11, 25, 41, 42, 49, 60)
	mac := a.mac
	switch m.MTI() {
	case pos.MTISignIn:
		mac = a.signIn(out)
	case pos.MTIManagement:
		a.count.echoes++
		mac = nil
	case pos.MTIFinancial:
		if err := pos.CheckMAC(frame, a.mac); err != nil {
			a.t.Errorf("sale: %v", err)
		}
		a.sales = append(a.sales, m.Clone())
		if a.sale != nil {
			r = a.sale(m)
		}
		out.Set(37, "260302000042")
		out.Set(38, "A1B2C3")
	case pos.MTISettlement:
		if a.settling != nil {
			r = a.settling(m)
		}
		out.Set(48, m.Get(48)[:30]+"1"+m.Get(48)[31:])
	case pos.MTIReversal:
		if err := pos.CheckMAC(frame, a.mac); err != nil {
			a.t.Errorf("reversal: %v", err)
		}
		a.reversals = append(a.reversals, m.Clone())
		if a.reversal != nil {
			r = a.reversal(m)
		}
	}
	a.mu.Unlock()
	time.Sleep(r.delay)
	if r.cut {
		c.Close()
	}
	if r.silent || r.cut {
		return
	}
	if r.code == "" {
		r.code = "00"
	}
	out.Set(39, r.code)
	if r.amount != "" {
		out.Set(4, r.amount)
	}
	if r.noMAC {
		mac = nil
	}
	b, err := pos.Encode(nil, h.Reply(), out, mac)
	if err != nil {
		a.t.Errorf("answer: %v", err)
		return
	}
	if r.badMAC {
		b[len(b)-1] ^= 1
	}
	b = link.AppendFrame(nil, b)
	if _, err := c.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		a.t.Errorf("write: %v", err)
	}
}

func (a *acquirer) signIn(out *iso8583.Message) iso8583.MAC {
	a.count.signIns++
	fresh := func() pay.Secret {
		b := make([]byte, 16)
		rand.Read(b)
		return pay.NewSecret(b)
	}
	a.keys = pos.WorkingKeys{PIN: fresh(), MAC: fresh(), Track: fresh()}
	f62, err := pos.SealKeys(tmk, a.keys)
	if err != nil {
		a.t.Fatal(err)
	}
	out.SetBytes(pos.FieldKeys, f62)
	local := time.Now().In(time.FixedZone("CST", 8*60*60)).Add(a.ahead)
	out.Set(12, local.Format("150405"))
	out.Set(13, local.Format("0102"))
	if a.mac, err = keys.CMAC(a.keys.MAC); err != nil {
		a.t.Fatal(err)
	}
	if a.batch != "" {
		out.Set(60, "00"+a.batch+pos.NetworkSignIn)
	}
	return nil
}

func (a *acquirer) seen() (sales, reversals []*iso8583.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sales, a.reversals
}

// rig is a terminal between a field and a scripted host.
type rig struct {
	*terminal.Terminal
	t     *testing.T
	host  *acquirer
	field *nfcmem.Field
	disk  *memory.Disk
	cfg   terminal.Config
	stop  func() error
}

// inBubble runs f on fake time.
func inBubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		f(t, r)
		if err := r.stop(); !errors.Is(err, context.Canceled) && !errors.Is(err, journal.ErrLost) {
			t.Errorf("Run: %v", err)
		}
		r.host.setDown(true)
		time.Sleep(time.Minute) // answers that are still delayed come to nothing
		synctest.Wait()
	})
}

func newRig(t *testing.T) *rig {
	sealer, err := pay.NewGCMSealer(pay.NewSecret(make([]byte, 32)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, host: &acquirer{t: t}, disk: &memory.Disk{}, field: nfcmem.New(rt.Real())}
	r.cfg = terminal.Config{
		Mode: "demo", TerminalID: "10000001", MerchantID: "898110000000001", MerchantName: "回卡小卖部",
		Reader: r.field, CAKeys: ca, Sealer: sealer, TMK: tmk, Dial: r.host.dial,
	}
	return r
}

// start makes the next incarnation of the terminal from what is durable.
func (r *rig) start() {
	r.t.Helper()
	store, err := memory.Open(r.disk)
	if err != nil {
		r.t.Fatal(err)
	}
	r.cfg.Journal = store
	if r.Terminal, err = terminal.New(rt.Real(), r.cfg); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = func() error { cancel(); err := <-done; done <- err; return err }
	synctest.Wait()
}

func (r *rig) card(name string) nfc.Card {
	r.t.Helper()
	c, err := perso.TestIssuer().Card(name, card.NewMemoryState(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) begin(fen int64) pay.PaymentID {
	r.t.Helper()
	id, err := r.StartSale(r.t.Context(), terminal.SaleRequest{Amount: pay.Fen(fen)})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return id
}

func (r *rig) end(id pay.PaymentID) terminal.Result {
	r.t.Helper()
	res, err := r.Wait(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// pay waves one card for an amount and gives the end.
func (r *rig) pay(name string, fen int64) terminal.Result {
	r.t.Helper()
	id := r.begin(fen)
	defer r.field.Take(r.field.Put(r.card(name), nfcmem.Steady()))
	return r.end(id)
}

// until waits for a view that f accepts.
func (r *rig) until(what string, f func(*terminal.PaymentView) bool) *terminal.PaymentView {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Hour)
	defer cancel()
	v, seq := r.View()
	for v.Payment == nil || !f(v.Payment) {
		var err error
		if v, seq, err = r.After(ctx, seq); err != nil {
			r.t.Fatalf("the screen never showed %s: %v", what, err)
		}
	}
	return v.Payment
}

func inPhase(p terminal.Phase) func(*terminal.PaymentView) bool {
	return func(v *terminal.PaymentView) bool { return v.Phase == p }
}

// enter seals digits to the open PIN pad, as the page does.
func (r *rig) enter(digits string) error {
	r.t.Helper()
	v := r.until("the PIN pad", func(v *terminal.PaymentView) bool { return v.PIN != nil })
	return r.SubmitPIN(r.t.Context(), v.ID, v.PIN.Try, seal(r.t, v.PIN, digits))
}

func seal(t testing.TB, v *terminal.PINView, digits string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(v.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ecdh.P256().NewPublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hpke.NewDHKEMPublicKey(point)
	if err != nil {
		t.Fatal(err)
	}
	box, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(v.Info), []byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func (r *rig) state() journal.State {
	r.t.Helper()
	s, err := memory.Open(r.disk)
	if err != nil {
		r.t.Fatal(err)
	}
	st, err := s.State(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// settle waits until no reversal is owed.
func (r *rig) settle() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Hour)
	defer cancel()
	v, seq := r.View()
	for v.Host.PendingReversals > 0 || !v.Host.SignedIn {
		var err error
		if v, seq, err = r.After(ctx, seq); err != nil {
			r.t.Fatalf("%d reversals never left: %v", v.Host.PendingReversals, err)
		}
	}
}
