package scheme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"huika/iso8583/link"
	neutral "huika/iso8583/scheme"
	"huika/keys"
	"huika/keys/zone"
	"huika/rt"
)

// session is one acquirer's connection: who it is, its working keys, and what
// the switch has asked over it.
type session struct {
	conn     *link.Conn
	acquirer string
	keys     *zone.Line
	signedOn atomic.Bool

	mu    sync.Mutex
	asked map[string]*rt.Future[string] // management of the switch's own, by key: the answer's code
}

// line is the working keys that a connection begins with. The acquirer dialled,
// so it is the one that yields.
func (z Zone) line() (*zone.Line, error) { return zone.New(z.Master, z.ZPK, z.MACKey, false) }

// session is the connection's, made with its first message; nil for an acquirer
// that is not known, or not the one of this connection.
func (s *Scheme) session(c *link.Conn, acquirer string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := c.Session().(*session); ok {
		if x.acquirer != acquirer {
			return nil
		}
		return x
	}
	z, known := s.acquirers[acquirer]
	if !known {
		return nil
	}
	k, err := z.line()
	if err != nil {
		return nil // New has made one
	}
	x := &session{conn: c, acquirer: acquirer, keys: k, asked: map[string]*rt.Future[string]{}}
	c.SetSession(x)
	s.lines = append(s.lines, x)
	return x
}

// forget drops a connection that has ended.
func (s *Scheme) forget(c *link.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = slices.DeleteFunc(s.lines, func(x *session) bool { return x.conn == c })
}

// signedOn are the acquirer's connections that may be used.
func (s *Scheme) signedOn(acquirer string) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*session
	for _, x := range s.lines {
		if x.acquirer == acquirer && x.signedOn.Load() {
			out = append(out, x)
		}
	}
	return out
}

// verify finds the working keys that a frame was made with.
func (s *Scheme) verify(x *session, frame []byte) (*zone.Keys, error) {
	return x.keys.Verify(s.env.Now(), func(mac *keys.AESCMAC) error { return s.config.Dialect.CheckMAC(frame, mac) })
}

// network does what an acquirer's management message says, and gives its code.
func (s *Scheme) network(x *session, m *neutral.Message) string {
	log := s.config.Log.With("acquirer", x.acquirer, "conn", x.conn.ID())
	switch m.Function {
	case neutral.SignOn:
		x.signedOn.Store(true)
		log.Info("acquirer signed on")
	case neutral.SignOff:
		x.signedOn.Store(false)
		log.Info("acquirer signed off")
	case neutral.Echo, neutral.CutOver:
	case neutral.KeyExchange:
		w := zone.Wrapped{Key: m.Key.Wrapped, Check: m.Key.Check}
		switch m.Key.Use {
		case neutral.PINKey:
			w.Use = zone.PIN
		case neutral.MACKey:
			w.Use = zone.MAC
		}
		switch err := x.keys.Take(w, s.env.Now()); {
		case errors.Is(err, zone.ErrBusy):
			return codeUnavailable
		case err != nil:
			log.Warn("working key refused", "why", err)
			return codeFormat
		}
		if w.Use == zone.MAC {
			log.Info("new working keys", "begun_by", "acquirer")
		}
	default:
		return codeFormat
	}
	return approved
}

// ErrNotSignedOn says that no connection of the acquirer is signed on.
var ErrNotSignedOn = errors.New("scheme: that acquirer is not signed on")

// ChangeKeys exchanges working keys with an acquirer, on each of its connections.
// Errors: ErrNotSignedOn, one that tells what the acquirer answered, or ctx's: a
// connection on which no answer came is closed, as its keys are not known.
func (s *Scheme) ChangeKeys(ctx context.Context, acquirer string) error {
	lines := s.signedOn(acquirer)
	if len(lines) == 0 {
		return ErrNotSignedOn
	}
	var errs []error
	for _, x := range lines {
		errs = append(errs, s.changeKeys(ctx, x))
	}
	return errors.Join(errs...)
}

func (s *Scheme) changeKeys(ctx context.Context, x *session) error {
	pin, mac, err := x.keys.Offer(s.env.Rand())
	if err != nil {
		return err
	}
	for _, offer := range [...]struct {
		use neutral.KeyUse
		w   zone.Wrapped
	}{{neutral.PINKey, pin}, {neutral.MACKey, mac}} {
		code, err := s.manage(ctx, x, neutral.Message{
			Function: neutral.KeyExchange, Key: neutral.WorkingKey{Use: offer.use, Wrapped: offer.w.Key, Check: offer.w.Check},
		})
		if err != nil {
			x.conn.Close()
			return err
		}
		if code != approved {
			x.keys.Withdraw()
			return fmt.Errorf("scheme: acquirer %s answers the key exchange with %s", x.acquirer, code)
		}
	}
	x.keys.Confirm(s.env.Now())
	s.config.Log.Info("new working keys", "acquirer", x.acquirer, "conn", x.conn.ID(), "begun_by", "scheme")
	return nil
}

// SignOff tells an acquirer on each of its connections that the switch is going
// to rest. Errors as of ChangeKeys.
func (s *Scheme) SignOff(ctx context.Context, acquirer string) error {
	lines := s.signedOn(acquirer)
	if len(lines) == 0 {
		return ErrNotSignedOn
	}
	var errs []error
	for _, x := range lines {
		x.signedOn.Store(false)
		_, err := s.manage(ctx, x, neutral.Message{Function: neutral.SignOff})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// manage asks something of an acquirer and gives the code of its answer.
func (s *Scheme) manage(ctx context.Context, x *session, m neutral.Message) (string, error) {
	m.Kind, m.Transmission, m.STAN, m.Acquirer = neutral.Management, s.transmission(), s.nextSTAN(), x.acquirer
	frame, err := s.config.Dialect.Encode(nil, &m, x.keys.Current().MAC)
	if err != nil {
		return "", err
	}
	key, heard := s.config.Dialect.Key(&m), rt.NewFuture[string](s.env)
	x.mu.Lock()
	x.asked[key] = heard
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.asked, key)
	}()
	if err := x.conn.Send(frame); err != nil {
		return "", err
	}
	ctx, cancel := s.env.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	return heard.Get(ctx)
}

// heard takes an acquirer's answer to manage; any other is dropped.
func (s *Scheme) heard(x *session, m *neutral.Message) {
	x.mu.Lock()
	f := x.asked[s.config.Dialect.Key(m)]
	x.mu.Unlock()
	if f == nil {
		s.config.Log.Warn("answer that nobody waits for", "acquirer", x.acquirer, "conn", x.conn.ID(), "what", m.Class())
		return
	}
	f.Set(m.Code)
}
