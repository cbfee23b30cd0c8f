package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"huika/acquirer/book/memory"
	"huika/pay"
	"huika/rt"
)

func with(demo bool) *Hooks {
	return New(Config{Env: rt.Real(), Store: memory.New(), Demo: demo, Log: slog.New(slog.DiscardHandler), Timeout: time.Second})
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]struct{ live, demo bool }{
		"https://example.com/in":       {true, true},
		"https://93.184.215.14/in":     {true, true},
		"https://[2606:2800:220:1::]/": {true, true},
		"http://example.com/in":        {},
		"http://127.0.0.1:9000/in":     {false, true},
		"http://[::1]:9000/in":         {false, true},
		"http://localhost/in":          {false, true},
		"https://127.0.0.1/in":         {false, true},
		"https://localhost/in":         {false, true},
		"https://10.1.2.3/in":          {false, true},
		"https://169.254.169.254/":     {false, true},
		"https://[::ffff:10.0.0.1]/":   {false, true},
		"http://10.1.2.3/in":           {},
		"https://user:pw@example.com/": {},
		"https://example.com/#a":       {},
		"ftp://example.com/":           {},
		"file:///etc/passwd":           {},
		"https:///in":                  {},
		"https://":                     {},
		"example.com":                  {},
		"https://exa mple.com/":        {},
	} {
		for _, c := range []struct{ demo, ok bool }{{false, want.live}, {true, want.demo}} {
			if err := with(c.demo).checkURL(url); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrURL) {
				t.Errorf("%s, demo %t: %v", url, c.demo, err)
			}
		}
	}
}

func TestPublic(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255",
		"198.18.0.1", "240.0.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001::1",
	} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for public", a)
		}
	}
	for _, a := range []string{"1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for private", a)
		}
	}
}

// A name that passes the check and then resolves to a private address is
// refused when it is dialled, and no redirect leads there.
func TestAddressIsCheckedAtTheDial(t *testing.T) {
	asked := false
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	h := with(false)
	w := newWorker(h, Hook{ID: "a", URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1)}, pay.NewSecret([]byte("x")), func() {})
	if err := w.try(context.Background(), "ev_1", []byte("{}")); err == nil || !strings.Contains(err.Error(), "not an address that webhooks may go to") || asked {
		t.Errorf("asked %t: %v", asked, err)
	}
	leads := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusTemporaryRedirect))
	defer leads.Close()
	w = newWorker(with(true), Hook{ID: "a", URL: leads.URL}, pay.NewSecret([]byte("x")), func() {})
	if err := w.try(context.Background(), "ev_1", []byte("{}")); err == nil || !strings.Contains(err.Error(), "307") || asked {
		t.Errorf("asked %t: %v", asked, err)
	}
}

func TestSignature(t *testing.T) {
	secret, body, at := pay.NewSecret([]byte("whs_test")), []byte(`{"id":"ev_1"}`), time.Unix(1_700_000_000, 0)
	header := Sign(secret, at, body)
	// python3 -c "import hmac;print(hmac.new(b'whs_test',b'1700000000.{\"id\":\"ev_1\"}','sha256').hexdigest())"
	if want := "t=1700000000,v1=260174e8ec55ceac7000b3de6ee592354e614aa819246680eb5f48d8b517b186"; header != want {
		t.Errorf("%s", header)
	}
	for name, ok := range map[string]bool{
		"fits":           Verify(secret, header, body, at.Add(time.Minute), 5*time.Minute),
		"too old":        !Verify(secret, header, body, at.Add(time.Hour), 5*time.Minute),
		"from later":     !Verify(secret, header, body, at.Add(-time.Hour), 5*time.Minute),
		"another body":   !Verify(secret, header, []byte(`{"id":"ev_2"}`), at, time.Minute),
		"another key":    !Verify(pay.NewSecret([]byte("x")), header, body, at, time.Minute),
		"another time":   !Verify(secret, strings.Replace(header, "t=17", "t=18", 1), body, at, time.Hour*1e6),
		"empty":          !Verify(secret, "", body, at, time.Minute),
		"not a number":   !Verify(secret, "t=x,v1=00", body, at, time.Minute),
		"no time at all": !Verify(secret, "v1=00", body, at, time.Minute),
	} {
		if !ok {
			t.Error(name)
		}
	}
}
