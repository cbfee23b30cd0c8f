// Package sim runs the whole system (terminal, acquirer, scheme, issuer, cards,
// a clerk) in one seeded world: one task at a time, in an order, with faults and
// crashes that the seed decides. When the trouble is over, oracles look at what
// is durable: money is conserved, nothing is open, nobody paid without the
// shop's approval, nobody twice.
//
// It builds its parts through site, as the program does, but over memory
// stores that outlive a crash, and without TLS. It proves nothing about disks:
// crash tests with real processes are for that.
package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"huika/acquirer/book"
	bmemory "huika/acquirer/book/memory"
	"huika/card"
	"huika/card/perso"
	"huika/nfc/memory"
	"huika/pay"
	"huika/sim/sched"
	"huika/site"
	"huika/terminal/journal"
	"huika/world/issuer"
	"huika/world/issuer/memlog"
	"huika/world/scheme"
)

// Options say what one run is like.
type Options struct {
	Seed  uint64
	Steps int // sales that the clerk tries
	// Stores says what books and journal are kept in.
	Stores Stores
	// Books and Journal let a test plant a bug between a part and its store. nil: none.
	Books   func(book.Store) book.Store
	Journal func(journal.Store) journal.Store
}

// Report is what a run did.
type Report struct {
	Seed     uint64
	Approved int
	Tried    int
	Crashes  int
	Hash     uint64
	Problems []string
	History  string // the newest events, where there are problems
}

// Err is nil for a clean run.
func (r Report) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return fmt.Errorf("seed %d: %s", r.Seed, strings.Join(r.Problems, "; "))
}

// Times of a run.
const (
	maxTrouble = 2 * time.Hour    // virtual time that the clerk may take
	calm       = 30 * time.Minute // virtual time after the trouble, in which everything must come to an end
)

// Addresses of the parties.
const (
	hostAddr   = "host:1"
	schemeAddr = "scheme:1"
	issuerAddr = "issuer:1"
)

// town is one run: the world, and what outlives the crashes in it.
type town struct {
	opt     Options
	w       *sched.World
	dice    *rand.Rand // for what the planner decides, apart from the scheduler's own
	secrets site.Secrets
	cards   *perso.Issuer

	disks  disks
	ledger *memlog.Log[issuer.Record, *issuer.Record]
	owed   *memlog.Log[scheme.Record, *scheme.Record]
	chips  map[string]card.State

	rep     Report
	slips   []slip // in the clerk's drawer
	left    int    // sales still to try
	over    bool   // no more crashes
	stopped bool   // the clerk has gone home
}

// Run runs one seed.
func Run(opt Options) (rep Report, err error) {
	t := &town{
		opt: opt, w: sched.New(sched.Config{Seed: opt.Seed}), dice: rand.New(rand.NewPCG(opt.Seed, 0x4855494B41)),
		cards: perso.TestIssuer(), disks: &memoryDisks{b: bmemory.New()}, chips: map[string]card.State{},
		ledger: memlog.New[issuer.Record](), owed: memlog.New[scheme.Record](), left: opt.Steps, rep: Report{Seed: opt.Seed},
	}
	if opt.Stores.sqlite(opt.Seed) {
		if t.disks, err = newFiles(); err != nil {
			return t.rep, err
		}
	}
	defer func() { err = errors.Join(err, t.disks.close()) }()
	defer t.w.Close()
	if t.secrets, err = site.NewSecrets(t.w.Node("vault").Rand()); err != nil {
		return t.rep, err
	}
	for _, addr := range []string{hostAddr, schemeAddr, issuerAddr} {
		t.w.SetFaults(addr, sched.Rough(0.01))
	}
	for _, node := range nodes {
		t.w.Go("start "+node, func() { t.start(node) })
	}
	if _, err := t.w.Run(sched.Limit{Time: maxTrouble, Until: func() bool { return t.stopped }}); err != nil {
		return t.failed(err)
	}
	t.over = true
	t.w.Calm()
	if _, err := t.w.Run(sched.Limit{Time: calm, Until: t.atRest}); err != nil {
		return t.failed(err)
	}
	if err := t.judge(); err != nil {
		return t.failed(err)
	}
	t.rep.Hash = t.w.Hash()
	if len(t.rep.Problems) > 0 {
		t.rep.History = t.history()
	}
	return t.rep, nil
}

func (t *town) failed(err error) (Report, error) {
	t.rep.History = t.history()
	return t.rep, err
}

func (t *town) history() string {
	var b strings.Builder
	if err := t.w.WriteHistory(&b); err != nil {
		return err.Error()
	}
	return b.String()
}

func (t *town) problem(format string, args ...any) {
	t.rep.Problems = append(t.rep.Problems, fmt.Sprintf(format, args...))
}

var nodes = []string{"issuer", "scheme", "host", "terminal"}

// pin is every card's in the simulation.
const pin = "482913"

// start begins one life of a node, with a crash planned for it or not.
func (t *town) start(node string) {
	env := t.w.Node(node)
	cfg := site.Default()
	cfg.World.PIN = pin
	cfg.Merchant.Tariff = []site.TariffRow{{Name: "debit", Product: "debit", Rate: 5000, Cap: 2000}, {Name: "any", Rate: 6000}}
	cfg.Timeouts.Present = site.Duration(20 * time.Second)
	cfg.Timeouts.PIN = site.Duration(20 * time.Second)
	kit := site.Kit{Env: env, Config: cfg, Secrets: t.secrets, Cards: t.cards, Wire: site.Bare{Env: env}, Log: slog.New(slog.DiscardHandler)}
	kit.Fatal = func(err error) { t.problem("%s ends itself: %v", node, err) }
	kit.At = t.plan(node)
	if err := t.begin(node, kit); err != nil {
		t.problem("%s does not start: %v", node, err)
	}
}

func (t *town) begin(node string, kit site.Kit) error {
	ctx := context.Background()
	at := func(addr string) func() string { return func() string { return addr } }
	serve := func(name string, f func() error) {
		kit.Env.Go(name, func() {
			if err := f(); err != nil && sched.Alive(kit.Env) {
				t.problem("%s ended: %v", name, err)
			}
		})
	}
	switch node {
	case "issuer":
		t.ledger = t.ledger.Crash()
		p, err := kit.Issuer(t.ledger)
		if err != nil {
			return err
		}
		ln, err := kit.Env.Listen(issuerAddr)
		if err != nil {
			return err
		}
		serve(node, func() error { return p.Serve(ctx, ln) })
	case "scheme":
		t.owed = t.owed.Crash()
		p, err := kit.Scheme(site.SchemeName, t.owed, at(issuerAddr))
		if err != nil {
			return err
		}
		ln, err := kit.Env.Listen(schemeAddr)
		if err != nil {
			return err
		}
		serve(node, func() error { return p.Serve(ctx, ln) })
	case "host":
		store, err := t.disks.books()
		if err != nil {
			return err
		}
		if t.opt.Books != nil {
			store = t.opt.Books(store)
		}
		p, err := kit.Host(store, nil, site.OneScheme(at(schemeAddr)))
		if err != nil {
			return err
		}
		ln, err := kit.Env.Listen(hostAddr)
		if err != nil {
			return err
		}
		serve(node, func() error { return p.Run(ctx, ln) })
	case "terminal":
		j, err := t.disks.journal()
		if err != nil {
			return err
		}
		if t.opt.Journal != nil {
			j = t.opt.Journal(j)
		}
		field := memory.New(kit.Env)
		p, err := kit.Terminal(field, j, at(hostAddr))
		if err != nil {
			return err
		}
		serve(node, func() error { return p.Run(ctx) })
		c := &clerk{t: t, kit: kit, pos: p, field: field}
		kit.Env.Go("clerk", c.work)
	}
	return nil
}

// Chances of a life to end by a crash, and how.
const (
	crashAtBoundary = 0.35
	crashAnyTime    = 0.15
	maxBoundary     = 24 // durable writes, counted before and after each
)

// plan decides whether and where this life of a node crashes.
func (t *town) plan(node string) site.Boundary {
	if t.over {
		return nil
	}
	r := t.dice.Float64()
	if r < crashAnyTime {
		t.w.At(time.Duration(t.dice.Int64N(int64(5*time.Minute))), func() {
			if !t.over {
				t.crash(node)
			}
		})
		return nil
	}
	if r >= crashAnyTime+crashAtBoundary {
		return nil
	}
	n := 1 + t.dice.IntN(maxBoundary)
	return func(string) {
		if n--; n == 0 && !t.over {
			t.crash(node)
		}
	}
}

// crash ends a node as kill -9 does, and has it started again a little later.
func (t *town) crash(node string) {
	t.rep.Crashes++
	t.w.At(time.Duration(t.dice.Int64N(int64(20*time.Second))), func() {
		t.w.Go("restart "+node, func() { t.start(node) })
	})
	t.w.Crash(node)
}

func (t *town) chip(name string) card.State {
	if t.chips[name] == nil {
		t.chips[name] = card.NewMemoryState()
	}
	return t.chips[name]
}

// fen is an amount below, at or above the CVM limit.
func (t *town) fen() pay.Money {
	switch t.dice.IntN(6) {
	case 0:
		return pay.Fen(100_000)
	case 1:
		return pay.Fen(100_001)
	case 2:
		return pay.Fen(100_001 + t.dice.Int64N(50_000))
	}
	return pay.Fen(1 + t.dice.Int64N(30_000))
}
