package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/memory"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/httpapi/apikey"
	"huika/httpapi/guard"
	"huika/httpapi/idem"
	"huika/httpapi/webhook"
	"huika/httpapi/wire"
	"huika/iso8583/cup"
	"huika/pay"
	"huika/rt"
)

// A reversal that no scheme takes becomes a dead letter; a person ends it with
// a reason, once, and the story tells.
func TestDeadLetter(t *testing.T) {
	store := memory.New()
	k := booktest.Key("M1", 1)
	_, err := store.Apply(t.Context(), []book.LaneBatch{{Lane: book.LaneOf("M1", book.DefaultLanes), Epoch: 1, Ops: []book.Op{
		booktest.Admit(k, 1000), {Event: payment.Reverse, Key: k, At: time.Now(), ReversalReason: "98"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	h, key := serve(t, store)
	ask := func(method, path, idempotency, body string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Host = "127.0.0.1:1"
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(idem.Header, idempotency)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	end := "/api/v1/dead-letters/" + wire.Ref(k) + "/end"
	var list struct{ Letters []Letter }
	for limit := time.Now().Add(20 * time.Second); len(list.Letters) == 0 && time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		_, body := ask("GET", "/api/v1/dead-letters", "", "")
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err, body)
		}
	}
	if len(list.Letters) != 1 || list.Letters[0].Payment.Ref != wire.Ref(k) || list.Letters[0].Owed != "reversal" || list.Letters[0].Tries < host.DeadAfter {
		t.Fatalf("%+v", list)
	}
	if _, body := ask("GET", "/api/v1/payments/"+wire.Ref(k), "", ""); !strings.Contains(body, `"letter":{`) {
		t.Errorf("the story has no letter: %s", body)
	}
	for range 2 {
		if code, body := ask("POST", end, "end-it-01", `{"reason":"called the scheme, case 4711"}`); code != 200 || !strings.Contains(body, `"state":"reversed"`) {
			t.Errorf("%d %s", code, body)
		}
	}
	if code, body := ask("POST", end, "end-it-02", `{"reason":"again"}`); code != 409 || !strings.Contains(body, "not_open") {
		t.Errorf("ended twice: %d %s", code, body)
	}
	if _, body := ask("GET", "/api/v1/payments/"+wire.Ref(k), "", ""); !strings.Contains(body, "case 4711") || strings.Contains(body, `"letter"`) {
		t.Errorf("story: %s", body)
	}
}

// serve is the console over a store and a host whose scheme is never there, and
// an API key with every scope.
func serve(t *testing.T, store *memory.Store) (http.Handler, string) {
	t.Helper()
	env, quiet := rt.Real(), slog.New(slog.DiscardHandler)
	seal, err := pay.NewGCMSealer(pay.NewSecret(make([]byte, 32)), env.Rand())
	if err != nil {
		t.Fatal(err)
	}
	secret := pay.NewSecret([]byte("0123456789abcdef"))
	acquirer, err := host.New(env, host.Config{
		Store: store, AcquirerID: "1", Sealer: seal, FingerprintKey: secret, Log: quiet, Fatal: func(err error) { t.Error(err) },
		Schemes: []host.SchemeConfig{{Name: "unionpay", Dialect: cup.Dialect, ZPK: secret, MACKey: secret,
			Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("nobody there") }}},
		Timeouts: host.Timeouts{RetryPause: time.Millisecond, RetryCeil: 2 * time.Millisecond, Scheme: 20 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := env.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = acquirer.Run(ctx, ln) }()
	t.Cleanup(func() { cancel(); <-done })
	keys := apikey.New(env, store)
	_, shown, err := keys.Create(t.Context(), apikey.Request{Name: "test", Scopes: apikey.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{
		Env: env, Books: store, Lanes: book.DefaultLanes, Acquirer: acquirer, Live: NewLive(env, acquirer.Counts), Keys: keys,
		Hooks: webhook.New(webhook.Config{Env: env, Store: store, Sealer: seal, Lanes: book.DefaultLanes, Log: quiet}), Replies: idem.New(env, store, quiet),
		Files: fstest.MapFS{}, Hosts: []string{"127.0.0.1:1"}, Pairing: guard.NewPairing(secret, "1"), Mode: "demo", Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, string(shown.Reveal())
}

// No cell of an export is a formula, whatever a message brought.
func TestCellsAreNoFormulas(t *testing.T) {
	for _, evil := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", `=HYPERLINK("http://evil","x")`} {
		var out bytes.Buffer
		if err := writeCSV(&out, []Payment{{Terminal: evil, Card: "622848******1234"}}); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := "'" + strings.ReplaceAll(evil, "\r\n", "\n")
		if got := rows[1][2]; got != want {
			t.Errorf("%q is written as %q", evil, got)
		}
		if err := writeXLSX(io.Discard, []Payment{{Terminal: evil}}); err != nil {
			t.Error(err)
		}
	}
}

func TestSamples(t *testing.T) {
	var a, b host.Counts
	b.Admitted, b.Approved = 100, 90
	b.Latency[5] = 50 // up to 10 ms
	b.Latency[9] = 45 // up to 50 ms
	b.Latency[len(b.Latency)-1] = 5
	s := sample(a, b)
	if s.Answered != 100 || s.P50 != 10 || s.P95 != 50 || s.P99 != 30_000 || s.Admitted != 100 {
		t.Errorf("%+v", s)
	}
	if s := sample(b, b); s.Answered != 0 || s.P50 != 0 || s.P99 != 0 {
		t.Errorf("nothing happened: %+v", s)
	}
}
