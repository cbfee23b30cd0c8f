package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/pay"
	"huika/terminal/journal"
)

// session is what one sign-in gave. Its keys live in memory only.
type session struct {
	seq uint64
	pin pay.Secret
	mac iso8583.MAC
}

// caller is Mux.Call or Client.Call.
type caller func(ctx context.Context, key string, frame []byte) ([]byte, error)

// errAnswer says that an answer came which can't be believed or used.
var errAnswer = errors.New("the host's answer can't be used")

// answer is the host's answer, decoded. macErr is pos.CheckMAC's verdict; nil where no MAC was asked for.
type answer struct {
	m      *iso8583.Message
	macErr error
	orders pos.Requirement
}

func (a answer) code() string { return a.m.Get(39) }

// exchange sends one request and waits for its answer. mac nil: neither has a MAC.
// Errors: the link's (link.MaybeSent tells whether the request may have left),
// errAnswer for an answer that is not one.
func (t *Terminal) exchange(ctx context.Context, call caller, request *iso8583.Message, mac iso8583.MAC, timeout time.Duration) (answer, error) {
	frame, err := pos.Encode(nil, pos.Request(t.cfg.NII), request, mac)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", link.ErrNotSent, err)
	}
	defer clear(frame)
	ctx, cancel := t.env.WithTimeout(ctx, timeout)
	defer cancel()
	got, err := call(ctx, pos.Key(request), frame)
	if err != nil {
		return answer{}, err
	}
	a := answer{m: iso8583.NewMessage()}
	hdr, err := pos.Decode(got, a.m)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	a.orders = hdr.Requirement()
	if len(a.code()) != 2 {
		return answer{}, fmt.Errorf("%w: no response code", errAnswer)
	}
	if mac != nil {
		a.macErr = pos.CheckMAC(got, mac)
	}
	return a, nil
}

// base is what every request of this terminal holds.
func (t *Terminal) base(mti string, k journal.Key, f60 pos.F60) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(mti)
	m.Set(11, k.STAN.String())
	m.Set(41, string(t.cfg.TerminalID))
	m.Set(42, string(t.cfg.MerchantID))
	f60.Batch = k.Batch
	m.Set(60, f60.String())
	return m
}

// signOn signs in over a new connection: working keys, and the batch if the
// host names another one.
func (t *Terminal) signOn(ctx context.Context, mux *link.Mux) error {
	k, err := t.drawNumber(ctx)
	if err != nil {
		return err
	}
	m := t.base(pos.MTISignIn, k, pos.F60{Type: "00", Network: pos.NetworkSignIn})
	m.Set(63, t.cfg.Operator+" ")
	a, err := t.exchange(ctx, mux.Call, m, nil, t.cfg.Timeouts.Manage)
	if err != nil {
		return err
	}
	if a.code() != "00" {
		return fmt.Errorf("sign-in answered %s", a.code())
	}
	keys, err := pos.OpenKeys(t.cfg.TMK, a.m.Bytes(pos.FieldKeys))
	if err != nil {
		return err
	}
	mac, err := t.cfg.MAC(keys.MAC)
	if err != nil {
		keys.Wipe()
		return err
	}
	keys.Track.Wipe() // track data travels under TLS and in no field of its own
	if err := t.openBatch(ctx, a.m.Get(60)); err != nil {
		return err
	}
	t.setClock(a.m)
	fresh := &session{pin: keys.PIN, mac: mac}
	if a.orders == pos.RequireDownload {
		if err := t.download(ctx, mux, fresh); err != nil {
			return err
		}
	}
	t.mu.Lock()
	t.keysSeq++
	fresh.seq = t.keysSeq
	t.keys = fresh
	t.view.Host = HostView{Online: true, SignedIn: true, PendingReversals: t.view.Host.PendingReversals, Since: t.env.Now()}
	t.publish()
	t.mu.Unlock()
	t.cfg.Log.Info("signed in", "terminal", t.cfg.TerminalID, "stan", k.STAN.String())
	t.keeper.Wake()
	return nil
}

// openBatch takes over the batch of a sign-in reply (F60.2).
func (t *Terminal) openBatch(ctx context.Context, field60 string) error {
	f60, err := pos.ParseF60(field60)
	if err != nil || f60.Batch == "" || strings.Trim(f60.Batch, "0") == "" {
		return nil // the host leaves the batch to the terminal
	}
	return t.startBatch(ctx, f60.Batch)
}

// signOutWait bounds the goodbye of a terminal that ends.
const signOutWait = time.Second

// signOut tells the host that the working keys are not used any more.
func (t *Terminal) signOut(ctx context.Context) {
	s := t.signedIn()
	if s == nil || !t.client.Up() {
		return
	}
	k, err := t.drawNumber(ctx)
	if err != nil {
		return // append has told
	}
	m := t.base(pos.MTIManagement, k, pos.F60{Type: "00", Network: pos.NetworkSignOut})
	if _, err := t.exchange(ctx, t.client.Call, m, s.mac, signOutWait); err != nil {
		t.cfg.Log.Info("sign-out not answered", "err", err)
	}
}

// linkDown hears that an attempt failed or the connection ended.
func (t *Terminal) linkDown(err error, pause time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cfg.Log.Warn("no link to the host", "err", err, "again_in", pause)
	t.keys = nil
	if h := &t.view.Host; h.Online || h.SignedIn {
		h.Online, h.SignedIn, h.Since = false, false, t.env.Now()
		t.publish()
	}
}

// late hears an answer that nobody waits for any more. Nothing follows from it:
// its request is owed a reversal, whatever it says.
func (t *Terminal) late(frame []byte) {
	m := iso8583.NewMessage()
	defer m.Reset()
	if _, err := pos.Decode(frame, m); err != nil {
		t.cfg.Log.Warn("a late answer that can't be read", "err", err)
		return
	}
	t.cfg.Log.Warn("an answer came too late", "mti", m.MTI(), "stan", m.Get(11), "response", m.Get(39))
}

// signedIn is the session now, or nil.
func (t *Terminal) signedIn() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys
}

// waitHost waits until the host can be asked for money: signed in, and no
// reversal owed. "" or the reason why not.
func (t *Terminal) waitHost(ctx context.Context) string {
	t.keeper.Wake() // a reversal that rests between two tries is tried now
	ctx, cancel := t.env.WithTimeout(ctx, t.cfg.Timeouts.Connect)
	defer cancel()
	v, seq := t.topic.Load()
	for {
		switch {
		case !v.Host.SignedIn:
		case v.Host.PendingReversals > 0:
		case t.client.WaitUp(ctx) == nil: // the link opens to calls right after its sign-in
			return ""
		}
		var err error
		if v, seq, err = t.topic.After(ctx, seq); err != nil {
			if last, _ := t.topic.Load(); last.Host.SignedIn {
				return ReasonReversalPending
			}
			return ReasonHostDown
		}
	}
}

// echo asks whether the host is there; a link that does not answer is dropped.
func (t *Terminal) echo(ctx context.Context) {
	k, err := t.drawNumber(ctx)
	if err != nil {
		return // append has told Run, or ctx has ended
	}
	m := t.base(pos.MTIManagement, k, pos.F60{Type: "00", Network: pos.NetworkEcho})
	a, err := t.exchange(ctx, t.client.Call, m, nil, t.cfg.Timeouts.Manage)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		t.cfg.Log.Warn("echo failed", "err", err)
		t.client.Drop()
	case a.code() != "00":
		t.cfg.Log.Warn("echo refused", "response", a.code())
		t.client.Drop() // signs in again
	case a.orders == pos.RequireSignIn:
		t.cfg.Log.Info("the host wants a new sign-in")
		t.client.Drop()
	}
}
