// Package guard defends Huika's local pages as if they were public: a Host
// allow-list against DNS rebinding, refusal of cross-origin writes, a pairing
// cookie, a strict content security policy, limits on sizes and times.
//
// It is not a sign-in for people (that is the console's) and knows no
// payments. In a tap it stands between the browser and httpapi's handlers.
package guard

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Limits of every server made by NewServer.
const (
	MaxHeaderBytes    = 16 << 10
	MaxBodyBytes      = 8 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	idleTimeout       = 60 * time.Second
)

// NewServer is an http.Server with limits. It has no write timeout, since
// event streams stay open: handlers set a deadline per write. Requests end
// when ctx does, so that Shutdown does not wait for streams.
func NewServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// LocalHosts are the Host headers under which a loopback listener on port may
// be called, and the same port under each further name.
func LocalHosts(port string, names ...string) []string {
	hosts := []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port}
	for _, n := range names {
		hosts = append(hosts, net.JoinHostPort(strings.Trim(n, "[]"), port))
	}
	return hosts
}

// Hosts refuses every request whose Host header is not in the list: a page on
// another name that resolves to this machine (DNS rebinding) gets nothing.
func Hosts(allowed []string, next http.Handler) http.Handler {
	set := make(map[string]bool, len(allowed))
	for _, h := range allowed {
		set[strings.ToLower(h)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !set[strings.ToLower(r.Host)] {
			NewProblem(http.StatusMisdirectedRequest, "host_not_allowed", "this address is not served here",
				"open the address that the program printed, or add the name to its configuration").Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CrossOrigin refuses writes that another origin's page caused, except those
// in trusted (scheme://host:port).
func CrossOrigin(trusted []string, next http.Handler) (http.Handler, error) {
	c := http.NewCrossOriginProtection()
	for _, o := range trusted {
		if err := c.AddTrustedOrigin(o); err != nil {
			return nil, err
		}
	}
	c.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		NewProblem(http.StatusForbidden, "cross_origin", "another page asked for this",
			"act on the terminal's own page").Write(w)
	}))
	return c.Handler(next), nil
}

// Body limits request bodies.
func Body(next http.Handler) http.Handler {
	return http.MaxBytesHandler(next, MaxBodyBytes)
}

// Headers sets what every answer carries. Pages replace the policy by one with
// a nonce.
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
