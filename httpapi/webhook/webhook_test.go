package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/memory"
	"huika/acquirer/payment"
	"huika/httpapi/webhook"
	"huika/pay"
	"huika/rt"
)

const lanes = book.DefaultLanes

// plant is books, webhooks over them, and one receiver.
type plant struct {
	t     *testing.T
	store *memory.Store
	seal  pay.Sealer
	hooks *webhook.Hooks
	end   func()

	mu     sync.Mutex
	secret pay.Secret
	got    []webhook.Event
	answer func(try int) int // status; 0: the connection is cut
	tries  int
	server *httptest.Server
}

func newPlant(t *testing.T) *plant {
	p := &plant{t: t, store: memory.New(), answer: func(int) int { return 200 }}
	var err error
	if p.seal, err = pay.NewGCMSealer(pay.NewSecret(make([]byte, 32)), rt.Real().Rand()); err != nil {
		t.Fatal(err)
	}
	p.server = httptest.NewServer(http.HandlerFunc(p.receive))
	t.Cleanup(p.server.Close)
	p.start()
	t.Cleanup(func() { p.end() })
	return p
}

// start begins a life of the webhooks.
func (p *plant) start() {
	p.hooks = webhook.New(webhook.Config{
		Env: rt.Real(), Store: p.store, Sealer: p.seal, Lanes: lanes, Demo: true, Log: slog.New(slog.DiscardHandler),
		Timeout: 200 * time.Millisecond, Pause: 2 * time.Millisecond, Ceil: 20 * time.Millisecond, Look: 20 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.hooks.Run(ctx) }()
	p.end = func() { cancel(); <-done }
}

func (p *plant) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p.mu.Lock()
	p.tries++
	code := p.answer(p.tries)
	var e webhook.Event
	if jerr := json.Unmarshal(body, &e); err != nil || jerr != nil || r.Header.Get(webhook.HeaderEvent) != e.ID {
		p.t.Errorf("%v %v: event %q in the header, %q in the body", err, jerr, r.Header.Get(webhook.HeaderEvent), e.ID)
	}
	if !webhook.Verify(p.secret, r.Header.Get(webhook.HeaderSignature), body, time.Now(), time.Minute) {
		p.t.Errorf("the signature %q does not fit", r.Header.Get(webhook.HeaderSignature))
	}
	if strings.Contains(string(body), "sealed") {
		p.t.Errorf("body %s", body)
	}
	if code == 200 || code == -1 { // -1: taken, and the answer is lost
		p.got = append(p.got, e)
	}
	p.mu.Unlock()
	switch code {
	case 0, -1:
		panic(http.ErrAbortHandler)
	case 1: // slow
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
	default:
		w.WriteHeader(code)
	}
}

func (p *plant) subscribe(r webhook.Request) webhook.Hook {
	p.t.Helper()
	if r.URL == "" {
		r.URL = p.server.URL + "/in"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h, secret, err := p.hooks.Create(context.Background(), r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.secret = secret
	return h
}

// sell books sales: a merchant's STANs, one after the other.
func (p *plant) sell(m string, stans ...int) {
	p.t.Helper()
	for _, n := range stans {
		k := booktest.Key(m, n)
		admit := booktest.Admit(k, 1000)
		admit.New.Fee = 6
		admit.At = time.Now()
		res, err := p.store.Apply(context.Background(), []book.LaneBatch{{Lane: book.LaneOf(k.Merchant, lanes), Epoch: 1, Ops: []book.Op{
			admit, {Event: payment.Approve, Key: k, At: time.Now(), Response: "00"},
		}}})
		if err != nil {
			p.t.Fatal(err)
		}
		p.hooks.Moved(res[0].Heads)
	}
}

// names are the events that were taken, as merchant, place and type.
func (p *plant) names(unique bool) (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range p.got {
		if unique && seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		stan := "-"
		if e.Payment != nil {
			stan = e.Payment.STAN
		}
		out = append(out, e.Merchant+" "+stan+" "+e.Type)
	}
	return out
}

// wait waits for the events, doubles left out, and compares them in order within each merchant.
func (p *plant) wait(want ...string) {
	p.t.Helper()
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if got = p.names(true); len(got) >= len(want) {
			break
		}
	}
	slices.SortStableFunc(got, func(a, b string) int { return strings.Compare(a[:2], b[:2]) })
	if !slices.Equal(got, want) {
		p.t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func (p *plant) status(id string) webhook.Status {
	p.t.Helper()
	all, err := p.hooks.List(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	p.t.Fatalf("no webhook %s", id)
	return webhook.Status{}
}

// sales are the events of sales with these STANs.
func sales(m string, stans ...string) (out []string) {
	for _, s := range stans {
		out = append(out, m+" "+s+" sale", m+" "+s+" fee")
	}
	return out
}

func TestEventsFromThenOn(t *testing.T) {
	p := newPlant(t)
	p.sell("M1", 1)
	time.Sleep(2 * time.Millisecond) // the clock has milliseconds
	h := p.subscribe(webhook.Request{})
	p.sell("M1", 2)
	p.sell("M2", 3)
	p.wait(append(sales("M1", "000002"), sales("M2", "000003")...)...)
	e := p.got[0]
	if e.Amount.Amount != "10.00" || e.Payment.Card != "622848******1234" || e.Payment.Kind != "sale" || e.Credit == "" || e.Sequence == 0 {
		t.Errorf("%+v", e)
	}
	for end := time.Now().Add(time.Second); p.status(h.ID).Delivered != 4 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if s := p.status(h.ID); s.State != webhook.Active || s.Delivered != 4 || s.Last.IsZero() || s.Tries != 0 {
		t.Errorf("%+v", s)
	}
}

// What follows from no payment is told too.
func TestPayouts(t *testing.T) {
	p := newPlant(t)
	p.subscribe(webhook.Request{Events: []string{"payout", "reserve_kept"}})
	p.sell("M1", 1)
	end, err := p.store.ChainEnd(context.Background(), book.LaneOf("M1", lanes), "M1")
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.store.Post(context.Background(), []book.LaneMoves{{Lane: book.LaneOf("M1", lanes), Epoch: 1, Moves: []book.Move{
		book.MoveOf("M1", book.WhatReserve, pay.Fen(1), end, time.Now()), book.MoveOf("M1", book.WhatPayout, pay.Fen(2), end+1, time.Now()),
	}}})
	if err != nil || res[0].Results[1].Status != book.Applied {
		t.Fatal(res, err)
	}
	p.hooks.Moved(res[0].Heads)
	p.wait("M1 - reserve_kept", "M1 - payout")
}

func TestSubscriptionsNarrow(t *testing.T) {
	p := newPlant(t)
	p.subscribe(webhook.Request{Merchant: "M1", Events: []string{"sale", "reversal"}})
	p.sell("M1", 1, 2)
	p.sell("M2", 3)
	k := booktest.Key("M1", 1)
	res, err := p.store.Apply(context.Background(), []book.LaneBatch{{Lane: book.LaneOf("M1", lanes), Epoch: 1, Ops: []book.Op{{Event: payment.Reverse, Key: k, At: time.Now()}}}})
	if err != nil {
		t.Fatal(err)
	}
	p.hooks.Moved(res[0].Heads)
	p.wait("M1 000001 sale", "M1 000002 sale", "M1 000001 reversal", "M1 000001 reversal") // of the fee, of the sale
}

// A receiver that fails in every way gets everything in the end, in order, and
// somebody can see meanwhile that it fails.
func TestReceiverFaults(t *testing.T) {
	for name, bad := range map[string]int{"500s": 500, "redirects": 302, "not found": 404, "cut": 0, "slow": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			var failing webhook.Status
			h := p.subscribe(webhook.Request{})
			p.mu.Lock()
			p.answer = func(try int) int {
				if try%3 != 0 {
					return bad
				}
				return 200
			}
			p.mu.Unlock()
			p.sell("M1", 1, 2, 3)
			for end := time.Now().Add(5 * time.Second); failing.State != webhook.Failing && time.Now().Before(end); time.Sleep(time.Millisecond) {
				failing = p.status(h.ID)
			}
			if failing.State != webhook.Failing || failing.Error == "" || failing.Tries == 0 || failing.Since.IsZero() || failing.Next.IsZero() {
				t.Errorf("nobody can see that it fails: %+v", failing)
			}
			p.wait(sales("M1", "000001", "000002", "000003")...)
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	p := newPlant(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(gone.URL, "http://")
	gone.Close()
	h := p.subscribe(webhook.Request{URL: "http://" + address + "/in"})
	p.sell("M1", 1)
	for end := time.Now().Add(5 * time.Second); p.status(h.ID).Tries < 3 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if s := p.status(h.ID); s.State != webhook.Failing || s.Tries < 3 {
		t.Fatalf("%+v", s)
	}
	back := httptest.NewUnstartedServer(http.HandlerFunc(p.receive))
	if err := back.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := rt.Real().Listen(address)
	if err != nil {
		t.Skipf("somebody else took the port meanwhile: %v", err)
	}
	back.Listener = ln
	back.Start()
	defer back.Close()
	p.wait(sales("M1", "000001")...)
}

// Restarts in the middle and lost answers: nothing is left out, what is doubled
// has the same id, and each merchant's events keep their order.
func TestRestartsAndDoubles(t *testing.T) {
	p := newPlant(t)
	p.subscribe(webhook.Request{})
	p.mu.Lock()
	p.answer = func(try int) int {
		if try%7 == 3 {
			return -1
		}
		return 200
	}
	p.mu.Unlock()
	var want []string
	for life := range 5 {
		for i := range 30 {
			p.sell("M1", life*30+i+1)
			want = append(want, sales("M1", pay.STAN(life*30+i+1).String())...)
		}
		p.end()
		p.start()
	}
	p.wait(want...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == len(want) {
		t.Error("nothing was doubled: the faults did not bite")
	}
	newest := uint64(0)
	for _, e := range p.got {
		if e.Sequence > newest+1 {
			t.Fatalf("event %d came before %d", e.Sequence, newest+1)
		}
		newest = max(newest, e.Sequence)
	}
}

// One subscription that hangs does not hold up another.
func TestOneFailsAnotherGoesOn(t *testing.T) {
	p := newPlant(t)

	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
		<-r.Context().Done()
	}))
	defer hang.Close()
	p.subscribe(webhook.Request{URL: hang.URL})
	p.subscribe(webhook.Request{})
	p.sell("M1", 1, 2)
	p.wait(sales("M1", "000001", "000002")...)
}

func TestPauseAndDelete(t *testing.T) {
	p := newPlant(t)
	h := p.subscribe(webhook.Request{})
	ctx := context.Background()
	p.sell("M1", 1)
	p.wait(sales("M1", "000001")...)
	if got, err := p.hooks.Pause(ctx, h.ID, true); err != nil || !got.Paused {
		t.Fatal(got, err)
	}
	time.Sleep(30 * time.Millisecond)
	p.sell("M1", 2)
	time.Sleep(50 * time.Millisecond)
	if got := p.names(true); len(got) != 2 || p.status(h.ID).State != webhook.Paused {
		t.Fatalf("paused, and got %q", got)
	}
	if _, err := p.hooks.Pause(ctx, h.ID, false); err != nil {
		t.Fatal(err)
	}
	p.wait(sales("M1", "000001", "000002")...)
	for range 2 {
		if err := p.hooks.Delete(ctx, h.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.hooks.Pause(ctx, h.ID, true); !errors.Is(err, webhook.ErrNone) {
		t.Error(err)
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	p := newPlant(t)
	for i := range webhook.MaxHooks {
		if _, _, err := p.hooks.Create(context.Background(), webhook.Request{Token: pay.STAN(i + 1).String(), URL: "https://example.com/"}); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, _, err := p.hooks.Create(context.Background(), webhook.Request{URL: "https://example.com/"}); !errors.Is(err, webhook.ErrFull) {
		t.Error(err)
	}
	if _, _, err := p.hooks.Create(context.Background(), webhook.Request{URL: "https://example.com/", Events: []string{"sail"}}); !errors.Is(err, webhook.ErrEvents) {
		t.Error(err)
	}
}

// The secret is sealed in the table, and nothing prints it.
func TestSecretIsSealed(t *testing.T) {
	p := newPlant(t)
	h := p.subscribe(webhook.Request{})
	e, ok, err := p.store.Entry(context.Background(), webhook.Kind, h.ID)
	if err != nil || !ok || strings.Contains(string(e.Body), string(p.secret.Reveal())) {
		t.Errorf("%t %v %s", ok, err, e.Body)
	}
}
