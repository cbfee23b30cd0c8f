package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Where a delivery may go: https to public addresses. In demo also to private
// ones, and http to this machine. The address is looked at when it is dialled,
// so that a name which resolves to another one meanwhile gains nothing.

// special are addresses that are not the public internet, beside those that
// net/netip knows (IANA special-purpose address registries).
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// public reports whether an address is one of the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// checkURL says what is wrong with a subscription's URL, as an ErrURL.
func (h *Hooks) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.Hostname() == "", len(text) > MaxURL:
		return fmt.Errorf("%w: want https://host/path", ErrURL)
	case u.User != nil:
		return fmt.Errorf("%w: it may not hold a name and password; check the signature instead", ErrURL)
	case u.Fragment != "":
		return fmt.Errorf("%w: a fragment is never sent", ErrURL)
	}
	literal, lerr := netip.ParseAddr(u.Hostname())
	isLiteral := lerr == nil
	local := u.Hostname() == "localhost" || isLiteral && literal.Unmap().IsLoopback()
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && h.cfg.Demo && local:
	case u.Scheme == "http" && h.cfg.Demo:
		return fmt.Errorf("%w: http only to this machine; want https", ErrURL)
	default:
		return fmt.Errorf("%w: want https", ErrURL)
	}
	if !h.cfg.Demo && (local || isLiteral && !public(literal)) {
		return fmt.Errorf("%w: it names an address that is not public", ErrURL)
	}
	return nil
}

// client sends deliveries. It follows no redirect and uses no proxy.
func (h *Hooks) makeClient() *http.Client {
	dial := func(may func(netip.Addr) bool) func(context.Context, string, string) (net.Conn, error) {
		d := net.Dialer{Timeout: h.cfg.Timeout, Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !may(at.Addr()) {
				return fmt.Errorf("%s is not an address that webhooks may go to", address)
			}
			return nil
		}}
		return d.DialContext
	}
	secure := public
	if h.cfg.Demo {
		secure = func(netip.Addr) bool { return true }
	}
	t := &http.Transport{
		DialContext:         dial(secure),
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: h.cfg.Roots},
		TLSHandshakeTimeout: h.cfg.Timeout, MaxIdleConnsPerHost: 2, MaxConnsPerHost: 8, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true,
	}
	plain := t.Clone()
	plain.DialContext = dial(func(a netip.Addr) bool { return h.cfg.Demo && a.Unmap().IsLoopback() })
	return &http.Client{
		Transport:     bySchemes{secure: t, plain: plain},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bySchemes sends http another way than https.
type bySchemes struct{ secure, plain *http.Transport }

func (b bySchemes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return b.secure.RoundTrip(r)
	}
	return b.plain.RoundTrip(r)
}

func (b bySchemes) CloseIdleConnections() {
	b.secure.CloseIdleConnections()
	b.plain.CloseIdleConnections()
}
