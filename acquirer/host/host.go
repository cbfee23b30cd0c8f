// Package host is the acquirer's flow: it takes a terminal's message from the
// gateway, admits it to the books, asks the scheme, settles, and answers. It
// owns no rule of the books (acquirer/book) and no state of a payment
// (acquirer/payment); it decides what happens next.
//
//	receive → admit (durable) → scheme → settle + postings (durable) → reply
//
// Two tasks run beside the messages: the committer, which gathers operations
// into one durable write, and the resolver, which finishes what a crash or a
// lost answer left open.
package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/book"
	"huika/iso8583/link"
	"huika/iso8583/scheme"
	"huika/keys"
	"huika/pay"
	"huika/rt"
)

// Terminal is one terminal as the acquirer knows it.
type Terminal struct {
	ID       pay.TerminalID
	Merchant pay.MerchantID
	TMK      pay.Secret // AES-128 terminal master key; wraps the working keys
	// What schemes are told of the shop: merchant category (F18), name and place (F43). May be absent.
	MCC   string
	Place scheme.Place
}

// Identity is who a connection's certificate says it is.
type Identity struct {
	Terminal pay.TerminalID
	Merchant pay.MerchantID
}

// Config is what a host is made of.
type Config struct {
	Store book.Store
	Heads book.HeadKeeper // may be nil
	Lanes int
	// Owner is this host's name in the leases of lanes, when several hosts share
	// one store; "": it is the only one, and owns every lane under Epoch.
	Owner     string
	LeaseTTL  time.Duration // a dead host's lanes are free after it
	Epoch     uint64
	Terminals []Terminal
	Schemes   []SchemeConfig
	// AcquirerID is F32 towards the schemes: up to 11 digits.
	AcquirerID string
	Sealer     pay.Sealer
	// Cards finds a card number's range, for its routes; nil: the schemes' own prefixes count.
	Cards func(pay.PAN) (bin.Range, bool)
	// Fee is what a merchant pays for an amount on a card, in minor units, and
	// the name of the tariff row that says so; nil: nothing.
	Fee func(m pay.MerchantID, card pay.PAN, amount pay.Money) (fen int64, rule string)
	// FingerprintKey keys the digest that tells a repeated message from another one with the same key: 16 bytes.
	FingerprintKey pay.Secret
	// Downloads are what terminals are given after their sign-in; nil: nothing.
	Downloads Downloader
	// TerminalKeysEvery is the age of a terminal's working keys at which its next
	// echo is answered with the order to sign in again.
	TerminalKeysEvery time.Duration
	// Identify reads who is at the other end. nil: the connection has no
	// certificate (the simulation), and the message's own F41 and F42 count.
	Identify func(net.Conn) (Identity, error)
	Location *time.Location // for F12 and F13
	Timeouts Timeouts
	Limits   Limits
	Log      *slog.Logger
	// Fatal ends the process: durability can't be promised any more.
	Fatal func(error)
}

// Timeouts are the host's share of the nested waits: issuer < scheme < host < terminal.
type Timeouts struct {
	Scheme      time.Duration // for one answer of a scheme
	Idle        time.Duration // a terminal connection without a message
	RetryPause  time.Duration // first pause between tries of a reversal
	RetryCeil   time.Duration // longest pause; the count has no end
	CommitPause time.Duration // between tries of a settlement that was not applied
}

// Limits bound what a host takes on.
type Limits struct {
	Connections int // terminals connected at once
	CommitQueue int // operations waiting for the committer; beyond it the terminal is told to try again
	BatchOps    int // operations in one durable write
}

func (c *Config) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Timeouts.Scheme, 30*time.Second)
	def(&c.Timeouts.Idle, 10*time.Minute)
	def(&c.Timeouts.RetryPause, 200*time.Millisecond)
	def(&c.Timeouts.RetryCeil, 30*time.Second)
	def(&c.Timeouts.CommitPause, 50*time.Millisecond)
	def(&c.LeaseTTL, DefaultLeaseTTL)
	def(&c.TerminalKeysEvery, DefaultKeysEvery)
	lim := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	lim(&c.Limits.Connections, 10_000)
	lim(&c.Limits.CommitQueue, 4096)
	lim(&c.Limits.BatchOps, 512)
	lim(&c.Lanes, book.DefaultLanes)
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Epoch == 0 {
		c.Epoch = 1
	}
}

// Host is one running acquirer host.
type Host struct {
	env       rt.Env
	cfg       Config
	schemes   []*cardScheme
	commit    *committer
	lanes     lanes
	resolvers resolvers
	flight    flight
	finger    *keys.AESCMAC
	Stats     Stats

	mu        sync.Mutex
	life      context.Context // of Run
	operators slots
	terminals map[pay.TerminalID]*session
	stan      pay.STAN
}

// New checks the configuration and makes a host that does nothing until Run.
func New(env rt.Env, cfg Config) (*Host, error) {
	cfg.defaults()
	switch {
	case cfg.Store == nil:
		return nil, errors.New("host: no store")
	case cfg.Sealer == nil:
		return nil, errors.New("host: no sealer for card numbers")
	case cfg.Fatal == nil:
		return nil, errors.New("host: no Fatal: a broken store must be able to end the process")
	case len(cfg.AcquirerID) == 0 || len(cfg.AcquirerID) > 11:
		return nil, fmt.Errorf("host: acquirer id %q: want 1 to 11 digits", cfg.AcquirerID)
	}
	finger, err := keys.CMAC(cfg.FingerprintKey)
	if err != nil {
		return nil, fmt.Errorf("host: fingerprint key: %w", err)
	}
	h := &Host{env: env, cfg: cfg, finger: finger, terminals: map[pay.TerminalID]*session{}}
	for _, t := range cfg.Terminals {
		if _, twice := h.terminals[t.ID]; twice {
			return nil, fmt.Errorf("host: terminal %s stands twice in the configuration", t.ID)
		}
		h.terminals[t.ID] = &session{terminal: t}
	}
	if h.stan, err = firstSTAN(env); err != nil {
		return nil, err
	}
	h.flight.env, h.lanes.h = env, h
	h.commit = newCommitter(h)
	for _, sc := range cfg.Schemes {
		if h.schemeNamed(sc.Name) != nil {
			return nil, fmt.Errorf("host: scheme %s stands twice in the configuration", sc.Name)
		}
		s, err := newCardScheme(h, sc)
		if err != nil {
			return nil, err
		}
		h.schemes = append(h.schemes, s)
		h.resolvers = append(h.resolvers, newResolver(h, s))
	}
	h.resolvers = append(h.resolvers, newResolver(h, nil)) // what no scheme is configured for
	return h, nil
}

// Run starts the host's tasks and serves terminals on ln until ctx ends. What an earlier life left open is being finished while new
// payments are taken: the two meet on the payment's key.
func (h *Host) Run(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	h.life = ctx
	h.mu.Unlock()
	h.commit.start(ctx)
	asked, leased := rt.NewFuture[struct{}](h.env), rt.NewFuture[struct{}](h.env)
	h.env.Go("host lanes", func() {
		h.lanes.keep(ctx, asked)
		leased.Set(struct{}{})
	})
	links, cut := context.WithCancel(context.WithoutCancel(ctx)) // they outlive ctx by a sign-off
	defer cut()
	for _, s := range h.schemes {
		for _, l := range s.lines {
			h.env.Go("host scheme "+l.name, func() { l.run(links) })
		}
	}
	for _, r := range h.resolvers {
		h.env.Go("host resolver "+r.name(), func() { r.run(ctx) })
	}
	if h.cfg.Owner != "" { // a terminal that comes before the lanes would be sent away
		_, _ = asked.Get(ctx) // where ctx ends, Serve does too
	}
	err := link.Serve(ctx, h.env, ln, link.ServerOptions{
		MaxConns: h.cfg.Limits.Connections, IdleTimeout: h.cfg.Timeouts.Idle, Handle: h.receive,
		ReadBuffer: terminalBuffer, // many connections, each with little to say at once
	})
	cancel()
	h.signOff(links)
	if _, werr := leased.Get(links); err == nil { // the lanes are given back by then
		err = werr
	}
	return err
}

// signOff says goodbye on every link at once.
func (h *Host) signOff(ctx context.Context) {
	var said []*rt.Future[struct{}]
	for _, s := range h.schemes {
		for _, l := range s.lines {
			done := rt.NewFuture[struct{}](h.env)
			said = append(said, done)
			h.env.Go("host sign-off "+l.name, func() {
				defer done.Set(struct{}{})
				l.signOff(ctx)
			})
		}
	}
	for _, done := range said {
		_, _ = done.Get(ctx) // each ends by itself, in signOffWait at the latest
	}
}

// terminalBuffer is read from a terminal at once; the longest frame may be longer.
const terminalBuffer = 1024

// Up reports whether every scheme has a link that is signed on.
func (h *Host) Up() bool {
	for _, s := range h.schemes {
		if !s.up() {
			return false
		}
	}
	return true
}

// Link is one link to a scheme, for screens and metrics.
type Link struct {
	Scheme string
	Name   string // the scheme's, with a number from the second link on
	Up     bool
	Calls  int // under way
}

// Links are all of them, in the order of the configuration.
func (h *Host) Links() []Link {
	var out []Link
	for _, s := range h.schemes {
		for _, l := range s.lines {
			one := Link{Scheme: s.cfg.Name, Name: l.name}
			if o := l.ready(); o != nil {
				one.Up, one.Calls = true, o.mux.InFlight()
			}
			out = append(out, one)
		}
	}
	return out
}

// ErrNoLink says that a scheme is not configured, or that no link to it is up.
var ErrNoLink = errors.New("no link to that scheme is up")

// ChangeKeys exchanges the working keys on every link to a scheme that is up.
// Errors: ErrNoLink, the link's.
func (h *Host) ChangeKeys(ctx context.Context, name string) error {
	s := h.schemeNamed(name)
	if s == nil || !s.up() {
		return fmt.Errorf("%w: %s", ErrNoLink, name)
	}
	var errs []error
	for _, l := range s.lines {
		if o := l.ready(); o != nil {
			errs = append(errs, o.change(ctx))
		}
	}
	return errors.Join(errs...)
}

// firstSTAN begins somewhere in the range, so that two lives of a host in the
// same second do not use the same numbers towards a scheme.
func firstSTAN(env rt.Env) (pay.STAN, error) {
	n, err := rand.Int(env.Rand(), stanRange)
	if err != nil {
		return 0, fmt.Errorf("host: %w", err)
	}
	return pay.STAN(n.Uint64()), nil
}

// sessionOf is a terminal's session, or nil.
func (h *Host) sessionOf(t pay.TerminalID) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.terminals[t]
}

func (h *Host) nextSTAN() pay.STAN {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stan = h.stan.Next()
	return h.stan
}
