package load

import (
	"context"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/keys"
	"huika/site"
)

// answerer is a scheme that approves everything: the real dialect, MACs and
// TLS, no business behind it.
type answerer struct {
	addr string
	mac  iso8583.MAC
}

func startScheme(ctx context.Context, kit site.Kit) (*answerer, error) {
	mac, err := keys.CMAC(kit.Secrets.AcquirerMAC)
	if err != nil {
		return nil, err
	}
	ln, err := kit.Wire.Listen(site.RoleScheme, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &answerer{addr: ln.Addr().String(), mac: mac}
	kit.Env.Go("load scheme", func() {
		if err := link.Serve(ctx, kit.Env, ln, link.ServerOptions{Handle: s.handle, MaxHandlers: 4096}); err != nil {
			kit.Log.Error("scheme ended", "err", err)
		}
	})
	return s, nil
}

func (s *answerer) handle(_ context.Context, c *link.Conn, frame []byte) {
	var m, r iso8583.Message
	if cup.CheckMAC(frame, s.mac) != nil || cup.Decode(frame, &m) != nil {
		c.Close()
		return
	}
	r.ResponseTo(&m, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70)
	r.Set(39, "00")
	if m.MTI() == cup.MTIFinancial {
		r.Set(38, "A1B2C3")
	}
	if out, err := cup.Encode(make([]byte, 0, 256), &r, s.mac); err != nil || c.Send(out) != nil {
		c.Close()
	}
}
