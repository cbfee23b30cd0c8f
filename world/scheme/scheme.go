// Package scheme is a stand-in for a card scheme's switch (中国银联 is the
// model): it stands between acquirers and issuers, checks and renews the MAC
// of each zone, translates the PIN block from one zone key to the other, and
// routes by the longest prefix of the card number.
//
// Towards acquirers it speaks the dialect that it is given, so that one program
// stands in for every scheme; towards issuers it always speaks iso8583/cup. Working keys belong
// to an acquirer's connection (keys/zone): each begins with the zone's, and
// either side may exchange them.
//
// It keeps no money and decides nothing about a payment. What it owes is kept:
// where a request may have reached the issuer and no answer came in time, a
// reversal is durable before the acquirer hears 91, and is sent until the
// issuer has taken it. An answer that comes after that changes nothing. Nothing
// is owed for a balance inquiry, nor for a completion advice, which the
// acquirer repeats until it is taken.
//
// Response codes of its own: A0 wrong MAC, 30 not readable, 14 no route, 91
// issuer down, silent or overloaded, or the acquirer has not signed on, or a key
// exchange of the switch's own is under way, 94 same key with other content, 12
// no such message. What can't be read, or is of no acquirer that it knows, ends the
// connection; what is of a class that it does not know is not answered.
//
// Reversals of acquirers are forwarded, tried again while their time lasts,
// and answered by the issuer; 91 means that the acquirer must repeat them.
package scheme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"huika/iso8583/cup"
	"huika/iso8583/link"
	neutral "huika/iso8583/scheme"
	"huika/pay"
	"huika/rt"
	"huika/world/outage"
)

// Defaults and limits.
const (
	// DefaultTimeout is how long the switch waits for an issuer: longer than the
	// issuer takes, shorter than the host waits for the switch.
	DefaultTimeout   = 8 * time.Second
	DefaultEchoEvery = time.Minute
	DefaultRetryMin  = time.Second
	DefaultRetryMax  = 30 * time.Second
	DefaultWindow    = 256   // requests under way with one issuer
	DefaultMaxOwed   = 10000 // reversals owed to one issuer; beyond it requests that could add one get 91 at once

	maxRecent    = 1 << 15 // answered requests that a doubled message finds again
	extraHandler = 64      // handlers of one connection beyond the sum of the windows
)

// Zone is the keys shared with one neighbour.
type Zone struct {
	ZPK    pay.Secret // zone PIN key, 16 bytes TDES
	MACKey pay.Secret // AES
	// Master is the zone master key, AES, for working keys that are exchanged;
	// none: they never are. Issuers have none.
	Master pay.Secret
}

// Acquirer is one institution that may sign on.
type Acquirer struct {
	ID   string // F32
	Zone Zone
}

// Issuer is one institution that cards are routed to.
type Issuer struct {
	Name     string
	Prefixes []string // of card numbers; the longest wins
	Dial     func(ctx context.Context) (net.Conn, error)
	Zone     Zone
	Window   int // default DefaultWindow
}

// Config is what a switch is made of. All fields without a default are needed.
type Config struct {
	Name      string          // in logs; default "scheme"
	Dialect   neutral.Dialect // towards acquirers; default cup
	ID        string          // F33 of its own messages; default "00010000"
	Acquirers []Acquirer
	Issuers   []Issuer
	Store     Store
	Timeout   time.Duration // to wait for an issuer's answer
	EchoEvery time.Duration
	RetryMin  time.Duration // pauses between the tries of owed reversals: doubled, capped
	RetryMax  time.Duration
	MaxOwed   int
	Log       *slog.Logger // default: none
}

// Scheme is a switch. Its methods may be called from any task.
type Scheme struct {
	env       rt.Env
	config    Config
	faults    outage.Switch
	acquirers map[string]Zone
	issuers   []*issuer
	stan      atomic.Uint32
	late      atomic.Uint64
	serving   atomic.Bool

	recent recent

	mu     sync.Mutex
	lines  []*session // acquirers' connections, in the order of their first message
	failed error
	fail   context.CancelFunc // ends Serve
}

// New makes a switch and reads from its store which reversals it owes.
func New(env rt.Env, config Config) (*Scheme, error) {
	if config.Store == nil {
		return nil, errors.New("scheme: no store")
	}
	if config.Name == "" {
		config.Name = "scheme"
	}
	if config.ID == "" {
		config.ID = "00010000"
	}
	if config.Dialect == nil {
		config.Dialect = cup.Dialect
	}
	if config.MaxOwed == 0 {
		config.MaxOwed = DefaultMaxOwed
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		at       *time.Duration
		fallback time.Duration
	}{{&config.Timeout, DefaultTimeout}, {&config.EchoEvery, DefaultEchoEvery}, {&config.RetryMin, DefaultRetryMin}, {&config.RetryMax, DefaultRetryMax}} {
		if *d.at == 0 {
			*d.at = d.fallback
		}
	}
	s := &Scheme{env: env, config: config, acquirers: make(map[string]Zone)}
	s.recent.entries = make(map[string]*entry)
	for _, a := range config.Acquirers {
		if _, err := a.Zone.line(); err != nil {
			return nil, fmt.Errorf("scheme: acquirer %s: %w", a.ID, err)
		}
		if _, twice := s.acquirers[a.ID]; twice {
			return nil, fmt.Errorf("scheme: two acquirers %s", a.ID)
		}
		s.acquirers[a.ID] = a.Zone
	}
	for _, i := range config.Issuers {
		if s.issuerNamed(i.Name) != nil {
			return nil, fmt.Errorf("scheme: two issuers %s", i.Name)
		}
		one, err := s.newIssuer(i)
		if err != nil {
			return nil, fmt.Errorf("scheme: issuer %s: %w", i.Name, err)
		}
		s.issuers = append(s.issuers, one)
	}
	if err := config.Store.Load(s.replay); err != nil {
		return nil, fmt.Errorf("scheme: replay: %w", err)
	}
	return s, nil
}

func (s *Scheme) replay(r Record) error {
	i := s.issuerNamed(r.Issuer)
	if i == nil {
		return fmt.Errorf("a reversal is owed to issuer %q, which is not configured", r.Issuer)
	}
	if r.Kind == Owed {
		i.debts.add(r)
	} else {
		i.debts.remove(r.key())
	}
	return nil
}

func (s *Scheme) issuerNamed(name string) *issuer {
	for _, i := range s.issuers {
		if i.name == name {
			return i
		}
	}
	return nil
}

// route finds the issuer of a card number by its longest prefix.
func (s *Scheme) route(pan string) *issuer {
	var best *issuer
	length := -1
	for _, i := range s.issuers {
		for _, prefix := range i.prefixes {
			if len(prefix) > length && len(prefix) <= len(pan) && pan[:len(prefix)] == prefix {
				best, length = i, len(prefix)
			}
		}
	}
	return best
}

// Serve switches messages of acquirers that connect to ln until ctx ends (then
// it returns nil) or the store fails: whoever called Serve must then end the
// process (crash rule 5). It closes ln. One Serve at a time.
func (s *Scheme) Serve(ctx context.Context, ln net.Listener) error {
	if !s.serving.CompareAndSwap(false, true) {
		return errors.New("scheme: serving already")
	}
	defer s.serving.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.fail = cancel
	s.mu.Unlock()

	var ended []*rt.Future[struct{}]
	task := func(name string, f func()) {
		done := rt.NewFuture[struct{}](s.env)
		ended = append(ended, done)
		s.env.Go(s.config.Name+" "+name, func() {
			defer done.Set(struct{}{})
			f()
		})
	}
	handlers := extraHandler
	for _, i := range s.issuers {
		handlers += i.window
		task("link to "+i.name, func() { i.runLink(ctx) })
		task("echo to "+i.name, func() { i.runEcho(ctx) })
		task("reversals to "+i.name, func() { i.runDebts(ctx) })
	}
	err := link.Serve(ctx, s.env, s.faults.Listen(ln), link.ServerOptions{
		MaxHandlers: handlers, // a silent issuer fills its own window, never the acquirer's connection
		Handle:      s.handle,
		Closed: func(c *link.Conn, err error) {
			s.forget(c)
			s.config.Log.Debug("acquirer's connection ended", "conn", c.ID(), "why", err)
		},
	})
	cancel()
	for _, done := range ended {
		if _, getErr := done.Get(context.WithoutCancel(ctx)); getErr != nil { // all end with ctx
			err = errors.Join(err, getErr)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(err, s.failed)
}

// append makes records durable; its error has ended the switch.
func (s *Scheme) append(r Record) error {
	err := s.config.Store.Append(r)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("scheme: %w", err)
		s.config.Log.Error("scheme ends", "why", err)
	}
	if s.fail != nil {
		s.fail()
	}
	return s.failed
}

// SetDelay holds every answer to acquirers back for d; the issuer has decided by then.
func (s *Scheme) SetDelay(d time.Duration) { s.faults.SetDelay(d) }

// SetDown cuts all acquirers' connections and refuses new ones until it is called with false.
func (s *Scheme) SetDown(down bool) { s.faults.SetDown(down) }

// DropResponses loses the next n answers to requests and reversals.
func (s *Scheme) DropResponses(n int) { s.faults.Drop(n) }

// Owed is how many reversals issuers have not taken yet.
func (s *Scheme) Owed() int {
	n := 0
	for _, i := range s.issuers {
		n += i.debts.len()
	}
	return n
}

// Late is how many answers of issuers came after their time.
func (s *Scheme) Late() uint64 { return s.late.Load() }

// Up reports whether the link to the issuer of that name is up and signed on.
func (s *Scheme) Up(issuer string) bool {
	i := s.issuerNamed(issuer)
	return i != nil && i.client.Up()
}
