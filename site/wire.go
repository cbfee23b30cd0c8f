package site

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"huika/acquirer/host"
	"huika/rt"
)

// Wire is how the parties reach each other: mutual TLS on real sockets, or
// bare connections in the simulation.
type Wire interface {
	// Listen accepts connections for a role.
	Listen(role, addr string) (net.Listener, error)
	// Dialer connects a role to the party of another one. addr is asked at
	// each attempt: a peer may come back at another place.
	Dialer(role, peer string, addr func() string) func(ctx context.Context) (net.Conn, error)
	// Identify reads a terminal's certificate; nil where there are none.
	Identify() func(net.Conn) (host.Identity, error)
}

// Bare is a wire without TLS: for the simulation only.
type Bare struct{ Env rt.Env }

// Listen implements Wire.
func (b Bare) Listen(_, addr string) (net.Listener, error) { return b.Env.Listen(addr) }

// Dialer implements Wire.
func (b Bare) Dialer(_, _ string, addr func() string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return b.Env.Dial(ctx, addr()) }
}

// Identify implements Wire: the message speaks for itself.
func (Bare) Identify() func(net.Conn) (host.Identity, error) { return nil }

// secure is mutual TLS 1.3 below the installation's certificate authority.
type secure struct {
	env rt.Env
	pki *pki
}

func (s secure) now() time.Time { return s.env.Now() }

func (s secure) Listen(role, addr string) (net.Listener, error) {
	conf, err := s.pki.server(role, s.now())
	if err != nil {
		return nil, err
	}
	ln, err := s.env.Listen(addr)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, conf), nil
}

func (s secure) Dialer(role, peer string, addr func() string) func(context.Context) (net.Conn, error) {
	conf, cerr := s.pki.client(role, peer, s.now())
	return func(ctx context.Context) (net.Conn, error) {
		if cerr != nil {
			return nil, cerr
		}
		c, err := s.env.Dial(ctx, addr())
		if err != nil {
			return nil, err
		}
		t := tls.Client(c, conf)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return t, nil
	}
}

func (secure) Identify() func(net.Conn) (host.Identity, error) { return identify }
