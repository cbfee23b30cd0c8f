package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"huika/iso8583/link"
	"huika/iso8583/scheme"
	"huika/keys"
	"huika/keys/zone"
	"huika/pay"
)

// line is one link to a scheme: it dials, signs on, exchanges keys, asks for an
// echo, answers what the scheme asks, and signs off in the end.
type line struct {
	s      *cardScheme
	name   string
	client *link.Client
	over   atomic.Pointer[over] // the newest connection
	keysAt time.Time            // only the line's own task uses it
}

// over is one connection with its keys. They end together: a message is never
// sent over one connection with the keys of another.
type over struct {
	l    *line
	mux  *link.Mux
	keys *zone.Line
	open atomic.Bool // signed on, and not signed off
}

// signOffWait bounds the goodbye of a host that ends.
const signOffWait = time.Second

func newLine(s *cardScheme, n int, dial func(context.Context) (net.Conn, error)) *line {
	l := &line{s: s, name: s.cfg.Name}
	if n > 0 {
		l.name = fmt.Sprintf("%s %d", s.cfg.Name, n+1)
	}
	l.client = link.NewClient(s.h.env, link.ClientOptions{
		Name: l.name, Dial: dial, OnUp: l.signOn, OnDown: l.down,
		Mux: link.MuxOptions{Window: s.cfg.Window, Classify: scheme.Classify(s.dialect), Late: l.late, Request: l.asked},
	})
	return l
}

// ready is the connection to use, or nil.
func (l *line) ready() *over {
	if o := l.over.Load(); o != nil && o.open.Load() && l.client.Up() {
		return o
	}
	return nil
}

// late counts an answer that nobody waits for: its payment is being reversed already.
func (l *line) late(frame []byte) {
	clear(frame)
	l.s.h.Stats.Late.Add(1)
}

func (l *line) down(err error, pause time.Duration) {
	l.s.h.cfg.Log.Warn("scheme link is down", "scheme", l.name, "err", err, "next_try_ms", pause.Milliseconds())
}

// signOn makes a new connection usable. Its keys are those of the zone; where
// there is a master key, fresh ones follow before any payment.
func (l *line) signOn(ctx context.Context, m *link.Mux) error {
	k, err := l.s.keys()
	if err != nil {
		return err
	}
	o := &over{l: l, mux: m, keys: k}
	l.over.Store(o)
	if err := o.manage(ctx, scheme.SignOn, nil); err != nil {
		return err
	}
	l.keysAt = l.s.h.env.Now()
	if err := o.change(ctx); err != nil {
		return err
	}
	o.open.Store(true)
	return nil
}

// run keeps the link and proves it while it is idle.
func (l *line) run(ctx context.Context) {
	env := l.s.h.env
	env.Go("host echo "+l.name, func() {
		for env.Sleep(ctx, l.s.cfg.EchoEvery) == nil {
			l.prove(ctx)
		}
	})
	if err := l.client.Run(ctx); ctx.Err() == nil {
		l.s.h.cfg.Log.Error("scheme link ended", "scheme", l.name, "err", err)
	}
}

// prove asks for an echo, or for new keys when it is time. A link that does not
// answer is dropped and dialled anew.
func (l *line) prove(ctx context.Context) {
	o := l.ready()
	if o == nil {
		return
	}
	var err error
	if now := l.s.h.env.Now(); now.Sub(l.keysAt) >= l.s.cfg.KeysEvery {
		l.keysAt = now
		err = o.change(ctx)
	} else {
		err = o.manage(ctx, scheme.Echo, nil)
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, link.ErrWindow) {
		return // a full window is proof enough that somebody waits for answers; their time-outs tell
	}
	l.s.h.cfg.Log.Warn("scheme link does not answer: dropped", "scheme", l.name, "err", err)
	o.mux.Close()
}

// signOff says goodbye, within signOffWait.
func (l *line) signOff(ctx context.Context) {
	o := l.ready()
	if o == nil {
		return
	}
	ctx, cancel := l.s.h.env.WithTimeout(ctx, signOffWait)
	defer cancel()
	o.open.Store(false)
	if err := o.manage(ctx, scheme.SignOff, nil); err != nil {
		l.s.h.cfg.Log.Info("sign-off not answered", "scheme", l.name, "err", err)
	}
}

// errCode is a management message that was answered with another code than 00.
type errCode struct {
	what scheme.Function
	code string
}

func (e errCode) Error() string { return fmt.Sprintf("%s answered %q", e.what, e.code) }

// manage sends one management message; errCode where it is refused.
func (o *over) manage(ctx context.Context, f scheme.Function, w *zone.Wrapped) error {
	h := o.l.s.h
	m, reply := takeQuestion(), takeQuestion()
	defer giveQuestion(m)
	defer giveQuestion(reply)
	m.Kind, m.Function, m.Acquirer = scheme.Management, f, h.cfg.AcquirerID
	m.Transmission, m.STAN = schemeTime(h.env.Now()), h.nextSTAN()
	if w != nil {
		m.Key = scheme.WorkingKey{Use: keyUse(w.Use), Wrapped: w.Key, Check: w.Check}
	}
	ctx, cancel := h.env.WithTimeout(ctx, h.cfg.Timeouts.Scheme)
	defer cancel()
	if err := o.exchange(ctx, m, reply, nil); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	if reply.Code != approved {
		return errCode{f, reply.Code}
	}
	return nil
}

func keyUse(u zone.Use) scheme.KeyUse {
	if u == zone.PIN {
		return scheme.PINKey
	}
	return scheme.MACKey
}

func zoneUse(u scheme.KeyUse) zone.Use {
	switch u {
	case scheme.PINKey:
		return zone.PIN
	case scheme.MACKey:
		return zone.MAC
	}
	return 0
}

// change offers new working keys. A refusal leaves those in use; no answer is an
// error, after which the connection must go: which keys hold is not known.
func (o *over) change(ctx context.Context) error {
	if !o.keys.Exchanges() {
		return nil
	}
	log := o.l.s.h.cfg.Log
	pin, mac, err := o.keys.Offer(o.l.s.h.env.Rand())
	if errors.Is(err, zone.ErrBusy) {
		return nil // another task is at it
	}
	if err != nil {
		return err
	}
	for _, w := range [...]*zone.Wrapped{&pin, &mac} {
		var refused errCode
		switch err := o.manage(ctx, scheme.KeyExchange, w); {
		case errors.As(err, &refused):
			o.keys.Withdraw()
			log.Warn("scheme does not take new working keys: the old ones stay", "scheme", o.l.name, "response", refused.code)
			return nil
		case err != nil:
			return err
		}
	}
	o.keys.Confirm(o.l.s.h.env.Now())
	log.Info("new working keys", "scheme", o.l.name, "begun_by", "host")
	return nil
}

// asked takes what the scheme asks. It is called by the reading task: nothing
// here waits. What has no right MAC is answered A0 and changes nothing.
func (l *line) asked(frame []byte) {
	defer clear(frame)
	h := l.s.h
	m := takeQuestion()
	defer giveQuestion(m)
	o := l.over.Load()
	if err := l.s.dialect.Decode(frame, m); o == nil || err != nil {
		return // Classify has decoded it: that can't fail
	}
	made, err := o.verify(frame)
	code := approved
	switch {
	case err != nil:
		h.Stats.Refused.Add(1)
		h.cfg.Log.Warn("scheme message refused", "scheme", l.name, "what", m.Class(), "err", err)
		made, code = o.keys.Current(), "A0"
	case m.Kind != scheme.Management:
		h.cfg.Log.Warn("a scheme asks nothing but management", "scheme", l.name, "what", m.Class())
		code = "12"
	default:
		code = o.managed(m)
	}
	reply := takeQuestion()
	defer giveQuestion(reply)
	reply.ResponseTo(m, code)
	out, err := l.s.dialect.Encode(nil, reply, made.MAC)
	if err == nil {
		err = o.mux.Send(out)
	}
	if err != nil {
		h.cfg.Log.Warn("answer to the scheme not sent", "scheme", l.name, "what", m.Class(), "err", err)
	}
}

// managed does what a management message of the scheme says, and gives its code.
func (o *over) managed(m *scheme.Message) string {
	h, name := o.l.s.h, o.l.name
	switch m.Function {
	case scheme.Echo, scheme.SignOn:
	case scheme.CutOver:
		h.cfg.Log.Info("scheme's business day ends", "scheme", name, "settlement", m.Settlement)
	case scheme.SignOff:
		h.cfg.Log.Warn("scheme signs off: other links are used until it is back", "scheme", name)
		if o.open.Swap(false) {
			h.env.Go("host signed off "+name, func() { // the answer leaves first
				if h.env.Sleep(context.Background(), signOffWait) == nil {
					o.mux.Close()
				}
			})
		}
	case scheme.KeyExchange:
		w := zone.Wrapped{Use: zoneUse(m.Key.Use), Key: m.Key.Wrapped, Check: m.Key.Check}
		switch err := o.keys.Take(w, h.env.Now()); {
		case errors.Is(err, zone.ErrBusy):
			return "91"
		case err != nil:
			h.cfg.Log.Error("scheme's working key refused", "scheme", name, "err", err)
			return "30"
		}
		if w.Use == zone.MAC {
			h.cfg.Log.Info("new working keys", "scheme", name, "begun_by", "scheme")
		}
	default:
		return "12"
	}
	return approved
}

// verify finds the keys that a frame was made with.
func (o *over) verify(frame []byte) (*zone.Keys, error) {
	return o.keys.Verify(o.l.s.h.env.Now(), func(mac *keys.AESCMAC) error { return o.l.s.dialect.CheckMAC(frame, mac) })
}

// blindPIN is a terminal's PIN block and the working key that it is under.
type blindPIN struct {
	block []byte
	key   pay.Secret
}

// exchange sends a request under the connection's keys and reads its answer,
// MAC checked. errNotAsked: it never left.
func (o *over) exchange(ctx context.Context, m, reply *scheme.Message, pin *blindPIN) error {
	k := o.keys.Current()
	if pin != nil {
		block, err := keys.TranslatePIN(pin.block, pin.key, k.PIN)
		if err != nil {
			return fmt.Errorf("%w: PIN block: %w", errNotAsked, err)
		}
		m.PINBlock = block[:]
		defer func() { clear(block[:]); m.PINBlock = nil }()
	}
	d := o.l.s.dialect
	frame, err := d.Encode(nil, m, k.MAC)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotAsked, err)
	}
	defer clear(frame)
	got, err := o.mux.Call(ctx, d.Key(m), frame)
	if err != nil {
		return unasked(err)
	}
	defer clear(got)
	if _, err := o.verify(got); err != nil {
		return err
	}
	return d.Decode(got, reply)
}
