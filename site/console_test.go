package site_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"huika/card/perso"
	"huika/httpapi/apikey"
	"huika/httpapi/console"
	"huika/httpapi/webhook"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

// desk is an operator at the console of a whole installation: real payments
// over real sockets, asked about over HTTP. Everything that the API said is
// kept, and searched for card numbers at the end.
type desk struct {
	life
	base   string
	client *http.Client // with the pairing cookie
	key    string       // sent instead, where there is one

	mu   *sync.Mutex
	said *bytes.Buffer
	next *int
}

func openDesk(t *testing.T) desk {
	t.Helper()
	cfg := site.Default()
	cfg.Data, cfg.Acquirer.Console.Listen = t.TempDir(), "127.0.0.1:0"
	check(t, perso.TestIssuer().Save(filepath.Join(cfg.Data, "cards")))
	s, err := site.Open(rt.Real(), cfg, site.Parts{World: true, Acquirer: true, Terminal: true}, quiet)
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	check(t, s.WaitReady(ctx))
	jar, err := cookiejar.New(nil)
	check(t, err)
	u, err := url.Parse(s.ConsoleURL)
	check(t, err)
	d := desk{life{t, s}, u.Scheme + "://" + u.Host, &http.Client{Jar: jar, Timeout: 20 * time.Second}, "", &sync.Mutex{}, &bytes.Buffer{}, new(int)}
	r, err := d.client.Get(s.ConsoleURL)
	check(t, err)
	page, err := io.ReadAll(r.Body)
	check(t, err)
	check(t, r.Body.Close())
	if r.StatusCode != 200 || r.Request.URL.Path != "/console/" || !strings.Contains(string(page), "<html") || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("pairing led to %d %s, policy %q", r.StatusCode, r.Request.URL, r.Header.Get("Content-Security-Policy"))
	}
	t.Cleanup(func() {
		for _, a := range s.Kit.Cards.Accounts(func(string) string { return "" }) {
			if strings.Contains(d.said.String(), a.PAN.Reveal()) {
				t.Errorf("an answer holds the card number of %s", a.Profile)
			}
		}
	})
	return d
}

// reply is an answer of the API.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// send asks the API; a POST gets an Idempotency-Key of its own unless more has one.
func (d desk) send(method, path string, body any, more ...string) reply {
	d.t.Helper()
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		check(d.t, err)
		text = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, d.base+path, text)
	check(d.t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	client := d.client
	if d.key != "" {
		r.Header.Set("Authorization", "Bearer "+d.key)
		client = &http.Client{Timeout: 20 * time.Second}
	}
	d.mu.Lock()
	*d.next++
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", fmt.Sprintf("test-key-%d", *d.next))
	}
	d.mu.Unlock()
	for i := 0; i+1 < len(more); i += 2 {
		if r.Header.Del(more[i]); more[i+1] != "" {
			r.Header.Set(more[i], more[i+1])
		}
		if more[i] == "Host" {
			r.Host = more[i+1]
		}
	}
	res, err := client.Do(r)
	check(d.t, err)
	defer func() { check(d.t, res.Body.Close()) }()
	out := reply{d.t, res.StatusCode, res.Header, nil}
	out.body, err = io.ReadAll(res.Body)
	check(d.t, err)
	d.mu.Lock()
	d.said.Write(out.body)
	d.mu.Unlock()
	return out
}

// into reads a 200 (or 204) into v.
func (r reply) into(v any) {
	r.t.Helper()
	if r.status != http.StatusOK && r.status != http.StatusNoContent {
		r.t.Fatalf("status %d: %s", r.status, r.body)
	}
	if v != nil {
		check(r.t, json.Unmarshal(r.body, v))
	}
}

// problem wants a problem with a status and a code that says what to do.
func (r reply) problem(status int, code string) {
	r.t.Helper()
	var p struct {
		Code, Do string
		Status   int
	}
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != status || p.Status != status || p.Code != code || p.Do == "" || r.header.Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("got %d %s (%v), want %d %s", r.status, r.body, err, status, code)
	}
}

type payments struct {
	Payments []console.Payment
	Next     string
}

func (d desk) search(query string) (out payments) {
	d.t.Helper()
	d.send("GET", "/api/v1/payments?"+query, nil).into(&out)
	return out
}

func (d desk) story(ref string) (out console.Story) {
	d.t.Helper()
	d.send("GET", "/api/v1/payments/"+ref, nil).into(&out)
	return out
}

// sell makes an approved sale and finds it.
func (d desk) sell(fen int64) console.Payment {
	d.t.Helper()
	r := d.approved(terminal.Request{Amount: pay.Fen(fen)})
	found := d.search("rrn=" + string(r.RRN))
	if len(found.Payments) != 1 || found.Payments[0].Amount.Amount != pay.Fen(fen).Decimal() || found.Payments[0].State != "approved" {
		d.t.Fatalf("sale of %d fen: found %+v", fen, found)
	}
	return found.Payments[0]
}

type follow struct{ Payment console.Payment }

func TestRefundAndStory(t *testing.T) {
	d := openDesk(t)
	sale := d.sell(10000)
	var got follow
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"amount": "30.00", "reason": "=one cup broken"}).into(&got)
	if p := got.Payment; p.State != "approved" || p.Kind != "refund" || p.Original != sale.Ref || p.Amount.Amount != "30.00" || p.Response != "00" {
		t.Fatalf("refund: %+v", p)
	}
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"amount": "70.01", "reason": "too much"}).problem(409, "refused_64")
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/void", map[string]string{"reason": "too late"}).problem(409, "refused_12")
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"amount": "1.001", "reason": "x"}).problem(422, "amount")
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"amount": "1.00"}).problem(422, "bad_request")
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"reason": "card 6228 4800 0000 0000 017"}).problem(422, "card_number")
	d.send("POST", "/api/v1/payments/nonsense/refund", map[string]string{"reason": "x"}).problem(422, "payment_ref")

	s := d.story(sale.Ref)
	if len(s.FollowUps) != 1 || s.FollowUps[0].Ref != got.Payment.Ref || s.Partial || s.Left.Amount != "70.00" || strings.Join(s.May, " ") != "refund" {
		t.Errorf("story: %+v", s)
	}
	if len(s.Transfers) == 0 || s.Transfers[0].What != "sale" || s.Transfers[0].Amount.Amount != "100.00" || len(s.Trace) < 3 || s.Trace[0].Title == "" {
		t.Errorf("transfers %+v, %d rows of the trace", s.Transfers, len(s.Trace))
	}
	var steps []string
	for _, st := range s.Steps {
		steps = append(steps, st.What)
	}
	if want := "admitted booked asked followed"; !strings.HasPrefix(strings.Join(steps, " "), want) {
		t.Errorf("steps %v, want %s …", steps, want)
	}
	if len(s.Acts) != 3 || s.Acts[0].Reason != "=one cup broken" || s.Acts[0].By != "console" {
		t.Errorf("acts %+v", s.Acts)
	}
	r := d.story(got.Payment.Ref)
	if r.Original == nil || r.Original.Ref != sale.Ref || len(r.Trace) != 0 || len(r.Transfers) == 0 || r.Transfers[0].What != "refund" || len(r.May) != 0 {
		t.Errorf("the refund's story: %+v", r)
	}
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"reason": "the rest"}).into(&got)
	if got.Payment.Amount.Amount != "70.00" {
		t.Errorf("the rest is %+v", got.Payment.Amount)
	}
}

func TestVoidsOverTheAPI(t *testing.T) {
	d := openDesk(t)
	sale := d.sell(5000)
	if may := d.story(sale.Ref).May; strings.Join(may, " ") != "refund void" {
		t.Errorf("may %v", may)
	}
	var got follow
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/void", map[string]string{"reason": "wrong amount"}).into(&got)
	if got.Payment.Kind != "void" || got.Payment.State != "approved" {
		t.Fatalf("%+v", got)
	}
	if s := d.story(sale.Ref); s.Payment.State != "undone" || len(s.May) != 0 {
		t.Errorf("%+v", s.Payment)
	}
	d.send("POST", "/api/v1/payments/"+got.Payment.Ref+"/void", map[string]string{"reason": "a void of a void"}).problem(409, "not_voidable")

	auth := d.approved(terminal.Request{Kind: terminal.PreAuth, Amount: pay.Fen(7000)})
	held := d.search("rrn=" + string(auth.RRN)).Payments[0]
	d.send("POST", "/api/v1/payments/"+held.Ref+"/void", map[string]string{"reason": "guest has left"}).into(&got)
	if got.Payment.Kind != "preauth_cancel" || got.Payment.State != "approved" {
		t.Errorf("%+v", got)
	}

	// The terminal settles: its totals are the books', in spite of the void.
	other := d.sell(300)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := d.Terminal.Settle(ctx)
	check(t, err)
	var b console.Batch
	d.send("GET", fmt.Sprintf("/api/v1/batches/%s/%s/%s", sale.Merchant, sale.Terminal, sale.Batch), nil).into(&b)
	if b.State != "closed" || !b.Balanced || b.Debits.Amount != "53.00" || b.DebitN != 2 || b.Credits.Amount != "0.00" {
		t.Errorf("%+v", b)
	}
	var all struct{ Batches []console.Batch }
	if d.send("GET", "/api/v1/batches", nil).into(&all); len(all.Batches) != 1 || all.Batches[0] != b {
		t.Errorf("%+v", all)
	}
	d.send("POST", "/api/v1/payments/"+other.Ref+"/void", map[string]string{"reason": "too late"}).problem(409, "refused_12")
	d.send("GET", "/api/v1/batches/x/y/000009", nil).problem(404, "no_batch")
}

func TestIdempotency(t *testing.T) {
	d := openDesk(t)
	sale := d.sell(10000)
	path := "/api/v1/payments/" + sale.Ref + "/refund"
	one := map[string]string{"amount": "10.00", "reason": "one"}
	d.send("POST", path, one, "Idempotency-Key", "").problem(422, "idempotency_key")
	d.send("POST", path, one, "Idempotency-Key", "short").problem(422, "idempotency_key")
	first := d.send("POST", path, one, "Idempotency-Key", "the same key")
	again := d.send("POST", path, one, "Idempotency-Key", "the same key")
	if first.status != 200 || again.status != 200 || !bytes.Equal(first.body, again.body) || again.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
	}
	d.send("POST", path, map[string]string{"amount": "11.00", "reason": "one"}, "Idempotency-Key", "the same key").problem(422, "idempotency_key_reused")
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/void", one, "Idempotency-Key", "the same key").problem(422, "idempotency_key_reused")

	// Many at once: one is carried out, the others are told so or wait their turn.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				r := d.send("POST", path, one, "Idempotency-Key", "many at once")
				if r.status == 200 {
					return
				}
				r.problem(409, "in_progress")
				time.Sleep(5 * time.Millisecond)
			}
			t.Error("never answered")
		})
	}
	all.Wait()
	if s := d.story(sale.Ref); len(s.FollowUps) != 2 || s.Payment.Given.Amount != "20.00" {
		t.Errorf("%d refunds, %s given back; want 2 and 20.00", len(s.FollowUps), s.Payment.Given.Amount)
	}
}

// What is shown once is neither kept nor shown again.
func TestSecretsAreShownOnce(t *testing.T) {
	d := openDesk(t)
	var made struct {
		Key    console.Key
		Secret string
	}
	body := map[string]any{"name": "报表", "scopes": []string{"payments:read"}}
	d.send("POST", "/api/v1/keys", body, "Idempotency-Key", "make a key").into(&made)
	secret := made.Secret
	if !strings.HasPrefix(secret, "hk_") || made.Key.By != "console" {
		t.Fatalf("%+v", made)
	}
	d.send("POST", "/api/v1/keys", body, "Idempotency-Key", "make a key").into(&made)
	if made.Secret != "" || made.Key.Name != "报表" {
		t.Errorf("again: %+v", made)
	}
	for _, e := range everyEntry(t, d.Books) {
		if strings.Contains(string(e.Body), secret) || strings.Contains(string(e.Body), secret[len(secret)-20:]) {
			t.Errorf("%s/%s holds the key", e.Kind, e.ID)
		}
	}
	p := d
	p.key = secret
	p.send("GET", "/api/v1/payments", nil).into(nil)
	for range 2 {
		d.send("DELETE", "/api/v1/keys/"+made.Key.ID, nil).into(nil)
	}
	p.send("GET", "/api/v1/payments", nil).problem(401, "api_key")
	d.send("DELETE", "/api/v1/keys/nobody", nil).problem(404, "no_key")
	d.send("POST", "/api/v1/keys", map[string]any{"name": "x", "scopes": []string{"everything"}}).problem(422, "no_scope")
	d.send("POST", "/api/v1/keys", map[string]any{"name": "x", "scopes": []string{"payments:read"}, "expires": "2020-01-01T00:00:00Z"}).problem(422, "expires")
}

// The command line's keys work at once in a host that runs.
func TestKeysOfTheCommandLine(t *testing.T) {
	d := openDesk(t)
	var secret pay.Secret
	check(t, site.WithAPIKeys(t.Context(), rt.Real(), d.Kit.Config, quiet, func(keys *apikey.Keys) (err error) {
		_, secret, err = keys.Create(t.Context(), apikey.Request{Name: "x", Scopes: []apikey.Scope{apikey.OperationsRead}, By: "command line"})
		return err
	}))
	d.key = string(secret.Reveal())
	d.send("GET", "/api/v1/status", nil).into(nil)
	d.send("GET", "/api/v1/payments", nil).problem(403, "scope")
	other := d.Kit.Config
	other.Data = t.TempDir()
	if err := site.WithAPIKeys(t.Context(), rt.Real(), other, quiet, func(*apikey.Keys) error { return nil }); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a directory without books: %v", err)
	}
}

func TestWebhookOfAWholeInstallation(t *testing.T) {
	d := openDesk(t)
	events := make(chan webhook.Event, 16)
	var secret string
	in := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e webhook.Event
		if json.Unmarshal(body, &e) != nil || !webhook.Verify(pay.NewSecret([]byte(secret)), r.Header.Get(webhook.HeaderSignature), body, time.Now(), time.Minute) {
			t.Errorf("delivery %s", body)
		}
		events <- e
	}))
	defer in.Close()
	var made struct {
		Webhook console.Hook
		Secret  string
	}
	d.send("POST", "/api/v1/webhooks", map[string]any{"url": in.URL, "events": []string{"sale", "refund"}}).into(&made)
	secret = made.Secret
	d.send("POST", "/api/v1/webhooks", map[string]any{"url": "http://example.com/x"}).problem(422, "url")
	sale := d.sell(1000)
	d.send("POST", "/api/v1/payments/"+sale.Ref+"/refund", map[string]string{"reason": "x"}).into(nil)
	for _, want := range []string{"sale", "refund"} {
		select {
		case e := <-events:
			if e.Payment == nil || e.Type != want || want == "sale" && e.Payment.Ref != sale.Ref || want == "refund" && e.Payment.Original != sale.Ref {
				t.Errorf("%+v, want a %s", e, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no %s came", want)
		}
	}
	var paused console.Hook
	d.send("POST", "/api/v1/webhooks/"+made.Webhook.ID+"/pause", map[string]bool{"paused": true}).into(&paused)
	if paused.State != "paused" {
		t.Errorf("%+v", paused)
	}
	d.send("DELETE", "/api/v1/webhooks/"+made.Webhook.ID, nil).into(nil)
	var list struct{ Webhooks []console.Hook }
	if d.send("GET", "/api/v1/webhooks", nil).into(&list); len(list.Webhooks) != 0 {
		t.Errorf("%+v", list)
	}
}

// Live counts: a second with a payment in it comes over the stream.
func TestLiveEvents(t *testing.T) {
	d := openDesk(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", d.base+"/api/v1/live/events", nil)
	check(t, err)
	res, err := d.client.Do(r)
	check(t, err)
	defer res.Body.Close()
	d.sell(100)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var s console.Sample
		check(t, json.Unmarshal([]byte(data), &s))
		if s.Approved == 1 && s.Admitted == 1 {
			if s.Answered != 1 || s.P50 == 0 || s.P99 < s.P50 {
				t.Errorf("%+v", s)
			}
			break
		}
	}
	var live struct{ Samples []console.Sample }
	if d.send("GET", "/api/v1/live", nil).into(&live); len(live.Samples) == 0 {
		t.Error("no samples")
	}
}
