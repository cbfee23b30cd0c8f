package webhook

import (
	"cmp"
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/rt"
)

// Store is the books as webhooks use them.
type Store interface {
	book.Reader
	book.Chains
	book.Reference
	// Find is one payment, or false. Errors: ErrNotApplied, ctx's.
	Find(ctx context.Context, lane book.Lane, key payment.Key) (payment.Payment, bool, error)
}

// Config is what webhooks are made of.
type Config struct {
	Env    rt.Env
	Store  Store
	Sealer pay.Sealer // for signing secrets
	Lanes  int
	// Owns says which lanes this process tells of; nil: all.
	Owns  func(book.Lane) bool
	Demo  bool           // private addresses, and http to this machine
	Roots *x509.CertPool // nil: the system's
	Log   *slog.Logger

	Timeout time.Duration // of one try
	Pause   time.Duration // after the first try that failed; it doubles
	Ceil    time.Duration // the longest pause; the count has no end
	Look    time.Duration // between two looks at all merchants and subscriptions
}

// Defaults of Config.
const (
	DefaultTimeout = 10 * time.Second
	DefaultPause   = time.Second
	DefaultCeil    = 15 * time.Minute
	DefaultLook    = 5 * time.Minute
)

// Hooks are the subscriptions of one installation.
type Hooks struct {
	cfg    Config
	client *http.Client
	wake   rt.Waiter // of Run: subscriptions have changed

	mu      sync.Mutex
	workers map[string]*worker // of subscriptions that are not paused
}

// New makes them; Run delivers.
func New(cfg Config) *Hooks {
	for _, d := range []struct {
		to *time.Duration
		v  time.Duration
	}{{&cfg.Timeout, DefaultTimeout}, {&cfg.Pause, DefaultPause}, {&cfg.Ceil, DefaultCeil}, {&cfg.Look, DefaultLook}} {
		if *d.to <= 0 {
			*d.to = d.v
		}
	}
	if cfg.Owns == nil {
		cfg.Owns = func(book.Lane) bool { return true }
	}
	h := &Hooks{cfg: cfg, wake: cfg.Env.NewWaiter(), workers: map[string]*worker{}}
	h.client = h.makeClient()
	return h
}

func (h *Hooks) changed() { h.wake.Wake() }

// Moved says that merchants' chains have grown. It never waits.
func (h *Hooks) Moved(heads []book.MerchantHead) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.workers {
		for _, m := range heads {
			w.add(m.Merchant)
		}
	}
}

// Run delivers until ctx ends.
func (h *Hooks) Run(ctx context.Context) error {
	defer h.client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	for {
		if err := h.reconcile(ctx, &tasks); err != nil && ctx.Err() == nil {
			h.cfg.Log.Warn("webhooks not read", "err", err)
		}
		pause, end := h.cfg.Env.WithTimeout(ctx, h.cfg.Look)
		_ = h.wake.Wait(pause) // either end of the wait leads to the next look
		end()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// reconcile starts and ends workers until each subscription that is not paused
// has one, and has all of them look everywhere.
func (h *Hooks) reconcile(ctx context.Context, tasks *sync.WaitGroup) error {
	rows, err := h.hooks(ctx)
	if err != nil {
		return err
	}
	want := map[string]stored{}
	for _, r := range rows {
		if !r.Paused {
			want[r.ID] = r
		}
	}
	var merchants []pay.MerchantID
	if len(want) > 0 {
		if merchants, err = h.merchants(ctx); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, w := range h.workers {
		if _, ok := want[id]; !ok {
			w.cancel()
			delete(h.workers, id)
		}
	}
	for id, r := range want {
		w := h.workers[id]
		if w == nil {
			secret, err := h.cfg.Sealer.Open(r.Secret, secretContext(id))
			if err != nil {
				h.cfg.Log.Error("a webhook's secret can't be opened: nothing is delivered to it", "webhook", id, "err", err)
				continue
			}
			own, cancel := context.WithCancel(ctx)
			w = newWorker(h, r.Hook, pay.NewSecret(secret), cancel)
			h.workers[id] = w
			tasks.Add(1)
			h.cfg.Env.Go("webhook "+id, func() {
				defer tasks.Done()
				w.run(own)
			})
		}
		for _, m := range merchants {
			w.add(m)
		}
	}
	return nil
}

// merchants are those of the lanes that are ours.
func (h *Hooks) merchants(ctx context.Context) (out []pay.MerchantID, err error) {
	err = h.cfg.Store.Merchants(ctx, func(lane book.Lane, m pay.MerchantID) error {
		if h.cfg.Owns(lane) {
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// Status is a subscription and how its deliveries go in this process.
type Status struct {
	Hook
	State     string
	Delivered uint64
	Last      time.Time // the last one taken
	Since     time.Time // of Failing
	Tries     int       // of the event that is not taken
	Error     string    // of the last try
	Next      time.Time // try
}

// List is every subscription, the oldest first. Errors: the reference table's.
func (h *Hooks) List(ctx context.Context) ([]Status, error) {
	rows, err := h.hooks(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	workers := make(map[string]*worker, len(h.workers))
	for id, w := range h.workers {
		workers[id] = w
	}
	h.mu.Unlock()
	out := make([]Status, len(rows))
	for i, r := range rows {
		out[i] = Status{Hook: r.Hook, State: Active}
		if w := workers[r.ID]; w != nil {
			out[i] = w.look(r.Hook)
		}
		if r.Paused {
			out[i].State = Paused
		}
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}
