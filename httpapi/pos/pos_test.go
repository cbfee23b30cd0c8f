package pos_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"huika/httpapi/guard"
	"huika/httpapi/pos"
	"huika/pay"
	"huika/rt"
	"huika/terminal"
)

// till is a small terminal: one payment at a time, kept in memory.
type till struct {
	topic *rt.Topic[terminal.View]
	mu    sync.Mutex
	pin   []byte
}

const id = pay.PaymentID("00000000000000000000000001")

func (s *till) View() (terminal.View, uint64) { return s.topic.Load() }
func (s *till) After(ctx context.Context, seq uint64) (terminal.View, uint64, error) {
	return s.topic.After(ctx, seq)
}

func (s *till) StartSale(_ context.Context, req terminal.SaleRequest) (pay.PaymentID, error) {
	if v, _ := s.topic.Load(); v.Payment != nil {
		return "", terminal.ErrBusy
	}
	s.topic.Set(terminal.View{Payment: &terminal.PaymentView{ID: id, Amount: req.Amount.Decimal()}})
	return id, nil
}

func (s *till) known(p pay.PaymentID) error {
	if v, _ := s.topic.Load(); p != id || v.Payment == nil {
		return terminal.ErrNoPayment
	}
	return nil
}

func (s *till) Cancel(_ context.Context, p pay.PaymentID) (bool, string, error) {
	return true, "", s.known(p)
}

func (s *till) SubmitPIN(_ context.Context, p pay.PaymentID, try int, sealed []byte) error {
	if try != 1 {
		return terminal.ErrTry
	}
	s.mu.Lock()
	s.pin = sealed
	s.mu.Unlock()
	return s.known(p)
}

func (s *till) Receipt(_ context.Context, p pay.PaymentID, lang string) (string, error) {
	return "receipt " + lang, s.known(p)
}

func (s *till) ReceiptESCPOS(_ context.Context, p pay.PaymentID, _ string) ([]byte, error) {
	return []byte{0x1B, '@'}, s.known(p)
}

func (s *till) Print(context.Context, pay.PaymentID, string) error { return terminal.ErrNoPrinter }

func (s *till) Trace(_ context.Context, p pay.PaymentID) ([]terminal.TraceRow, error) {
	return []terminal.TraceRow{{Title: "SELECT"}}, s.known(p)
}

func (s *till) Dismiss(context.Context) error {
	return errors.New("a failure with 6299990000000000 in it")
}

type stand struct {
	*httptest.Server
	till   *till
	cookie *http.Cookie
}

func newStand(t *testing.T) *stand {
	s := &stand{till: &till{topic: rt.NewTopic(rt.Real(), terminal.View{Mode: "demo"})}}
	srv := httptest.NewUnstartedServer(nil)
	addr := srv.Listener.Addr().String()
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	pairing := guard.NewPairing(pay.NewSecret(make([]byte, 32)), port)
	h, err := pos.New(pos.Config{
		Service: s.till, Files: fstest.MapFS{"index.html": {Data: []byte(`<meta content="HUIKA_DEMO"><script nonce="HUIKA_NONCE">`)}},
		Origin: "http://" + addr, Hosts: guard.LocalHosts(port), Demo: "http://127.0.0.1:9", Pairing: pairing, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = h
	srv.Start()
	t.Cleanup(srv.Close)
	s.Server = srv
	client := srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := client.Get(srv.URL + pairing.Path())
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if len(r.Cookies()) != 1 {
		t.Fatalf("pairing gave %d cookies, status %d", len(r.Cookies()), r.StatusCode)
	}
	s.cookie = r.Cookies()[0]
	if !s.cookie.HttpOnly || s.cookie.SameSite != http.SameSiteStrictMode {
		t.Error("the pairing cookie must be HttpOnly and SameSite=Strict")
	}
	return s
}

func (s *stand) do(t *testing.T, method, path, body string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(s.cookie)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(req)
	}
	r, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b), r.Header
}

func TestOperations(t *testing.T) {
	s := newStand(t)
	p := "/api/pos/payments"
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/api/pos/view", "", 200, `"mode":"demo"`},
		{"POST", p, `{"amount":"x"}`, 422, `"code":"amount"`},
		{"POST", p, `{"amount":"88.80"}`, 200, string(id)},
		{"POST", p, `{"amount":"88.80"}`, 409, `"code":"busy"`},
		{"POST", p + "/" + string(id) + "/pin", `{"try":2,"sealed":"AQID"}`, 409, `"code":"stale_try"`},
		{"POST", p + "/" + string(id) + "/pin", `{"try":1,"sealed":"AQID"}`, 204, ""},
		{"GET", p + "/" + string(id) + "/receipt?lang=en", "", 200, "receipt en"},
		{"GET", p + "/" + string(id) + "/receipt?form=escpos", "", 200, "\x1b@"},
		{"GET", p + "/" + string(id) + "/receipt?lang=xx", "", 422, "lang"},
		{"GET", p + "/" + string(id) + "/trace", "", 200, "SELECT"},
		{"POST", p + "/" + string(id) + "/print", "", 409, `"code":"no_printer"`},
		{"POST", p + "/" + string(id) + "/cancel", "", 200, `"cancelled":true`},
		{"POST", p + "/00000000000000000000000009/cancel", "", 404, `"code":"no_payment"`},
		{"POST", p + "/short/cancel", "", 422, `"code":"payment_id"`},
		{"GET", "/api/pos/reasons", "", 200, "wrong_pin"},
		{"GET", "/api/pos/nothing", "", 404, `"code":"no_operation"`},
	} {
		status, body, _ := s.do(t, c.method, c.path, c.body, nil)
		if status != c.status || !strings.Contains(body, c.has) {
			t.Errorf("%s %s: %d %s; want %d with %s", c.method, c.path, status, body, c.status, c.has)
		}
	}
	s.till.mu.Lock()
	defer s.till.mu.Unlock()
	if string(s.till.pin) != "\x01\x02\x03" {
		t.Errorf("the terminal got the PIN as %X", s.till.pin)
	}
	if status, body, _ := s.do(t, "POST", "/api/pos/dismiss", "", nil); status != 500 || strings.Contains(body, "629999") {
		t.Errorf("an unforeseen failure must stay inside: %d %s", status, body)
	}
}

func TestDefences(t *testing.T) {
	s := newStand(t)
	start := `{"amount":"1.00"}`
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"another Host", func(r *http.Request) { r.Host = "evil.example" }, http.StatusMisdirectedRequest},
		{"no cookie", func(r *http.Request) { r.Header.Del("Cookie") }, 401},
		{"forged cookie", func(r *http.Request) {
			r.Header.Set("Cookie", s.cookie.Name+"=00."+strings.Repeat("0", 32))
		}, 401},
		{"another Origin", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		{"cross-site fetch", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"the tray's origin", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:9") }, 403},
	} {
		if status, body, _ := s.do(t, "POST", "/api/pos/payments", start, c.change); status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, status, body, c.status)
		}
	}
	if v, _ := s.till.topic.Load(); v.Payment != nil {
		t.Fatal("a refused request started a payment")
	}
	if status, _, _ := s.do(t, "POST", "/api/pos/payments", `{"amount":"`+strings.Repeat("1", 1<<20)+`"}`, nil); status < 400 {
		t.Errorf("a body of a megabyte: %d", status)
	}
	_, body, h := s.do(t, "GET", "/", "", nil)
	csp := h.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "connect-src 'self' http://127.0.0.1:9;") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	nonce := csp[strings.Index(csp, "nonce-")+6:]
	nonce = nonce[:strings.IndexByte(nonce, '\'')]
	if !strings.Contains(body, `nonce="`+nonce+`"`) {
		t.Error("the page does not carry its policy's nonce")
	}
	if _, _, again := s.do(t, "GET", "/", "", nil); again.Get("Content-Security-Policy") == csp {
		t.Error("the nonce repeats")
	}
}

func TestEvents(t *testing.T) {
	s := newStand(t)
	req, err := http.NewRequest("GET", s.URL+"/api/pos/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(s.cookie)
	r, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatal("the stream ended")
		return ""
	}
	if first := next(); !strings.Contains(first, `"mode":"demo"`) {
		t.Errorf("first event %s", first)
	}
	if status, _, _ := s.do(t, "POST", "/api/pos/payments", `{"amount":"3.00"}`, nil); status != 200 {
		t.Fatal(status)
	}
	if second := next(); !strings.Contains(second, `"amount":"3.00"`) {
		t.Errorf("second event %s", second)
	}
}
