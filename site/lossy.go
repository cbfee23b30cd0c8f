package site

import (
	"net"
	"sync/atomic"
)

// lossy swallows what the acquirer answers while it is on: the demo's "answer
// lost on its way back". The terminal's messages still arrive and take effect.
type lossy struct{ on atomic.Bool }

// Listen wraps a listener's connections.
func (l *lossy) Listen(ln net.Listener) net.Listener { return lossyListener{ln, l} }

type lossyListener struct {
	net.Listener
	l *lossy
}

func (ln lossyListener) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lossyConn{c, ln.l}, nil
}

type lossyConn struct {
	net.Conn
	l *lossy
}

func (c *lossyConn) Write(b []byte) (int, error) {
	if c.l.on.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// NetConn is the connection underneath, for who needs its TLS state.
func (c *lossyConn) NetConn() net.Conn { return c.Conn }
