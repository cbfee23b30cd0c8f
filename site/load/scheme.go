package load

import (
	"context"

	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/iso8583/scheme"
	"huika/keys"
	"huika/keys/zone"
	"huika/site"
)

// answerer is a scheme that approves everything: the real dialect, MACs, key
// exchange and TLS, no business behind it.
type answerer struct {
	addr string
	kit  site.Kit
}

func startScheme(ctx context.Context, kit site.Kit) (*answerer, error) {
	ln, err := kit.Wire.Listen(site.RoleScheme, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &answerer{addr: ln.Addr().String(), kit: kit}
	kit.Env.Go("load scheme", func() {
		if err := link.Serve(ctx, kit.Env, ln, link.ServerOptions{Handle: s.handle, MaxHandlers: 4096}); err != nil {
			kit.Log.Error("scheme ended", "err", err)
		}
	})
	return s, nil
}

// line is a connection's working keys. Its first message, the sign-on, comes alone.
func (s *answerer) line(c *link.Conn) (*zone.Line, error) {
	if k, ok := c.Session().(*zone.Line); ok {
		return k, nil
	}
	z := s.kit.Secrets.Schemes[site.SchemeName]
	k, err := zone.New(z.Master, z.PIN, z.MAC, false)
	c.SetSession(k)
	return k, err
}

func (s *answerer) handle(_ context.Context, c *link.Conn, frame []byte) {
	var m, r scheme.Message
	k, err := s.line(c)
	if err != nil || cup.Dialect.Decode(frame, &m) != nil {
		c.Close()
		return
	}
	now := s.kit.Env.Now()
	made, err := k.Verify(now, func(mac *keys.AESCMAC) error { return cup.Dialect.CheckMAC(frame, mac) })
	if err != nil {
		c.Close()
		return
	}
	r.ResponseTo(&m, "00")
	switch {
	case m.Function == scheme.KeyExchange:
		w := zone.Wrapped{Use: zone.PIN, Key: m.Key.Wrapped, Check: m.Key.Check}
		if m.Key.Use == scheme.MACKey {
			w.Use = zone.MAC
		}
		if k.Take(w, now) != nil {
			r.Code = "30"
		}
	case m.Kind == scheme.Payment:
		r.AuthCode = "A1B2C3"
	}
	if out, err := cup.Dialect.Encode(make([]byte, 0, 256), &r, made.MAC); err != nil || c.Send(out) != nil {
		c.Close()
	}
}
