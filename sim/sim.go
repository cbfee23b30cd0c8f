// Package sim runs a whole town (terminals of several merchants, hosts that
// share their books, a scheme, issuers, cards, clerks) in one seeded world: one
// task at a time, in an order, with faults and crashes that the seed decides.
// When the trouble is over, oracles look at what is durable: money is conserved,
// nothing is open, nobody paid without the shop's approval, nobody twice, every
// batch comes to the same on both sides.
//
// It builds its parts through site, as the program does, but over stores that
// outlive a crash, and without TLS. It finds no data races, and knows of disks
// only what a test can do to files: tests with real processes are for that.
package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/card"
	"huika/card/perso"
	"huika/pay"
	"huika/sim/sched"
	"huika/site"
	"huika/terminal"
)

// Times of a run.
const (
	maxTrouble = 2 * time.Hour    // virtual time that the clerks may take
	calm       = 30 * time.Minute // virtual time after the trouble, in which everything must come to an end
	lookEvery  = time.Second      // virtual time between two looks whether it has
	leaseTTL   = 10 * time.Second
)

// Addresses that every town has.
const schemeAddr = "scheme:1"

// town is one run: the world, and what outlives the crashes in it.
type town struct {
	opt     Options
	shape   shape
	w       *sched.World
	secrets site.Secrets
	tmks    map[pay.TerminalID]pay.Secret
	cards   *perso.Issuer
	disks   disks
	chips   map[string]card.State
	held    map[string]bool // cards in somebody's hand

	nodes    []string // in the order of their start
	begin    map[string]func(kit site.Kit) error
	lives    map[string]int
	standIns map[string]standIn                // that run now
	pos      map[string]*terminal.Terminal     // the same
	owners   map[book.Lane]owner               // who wrote last
	closed   map[batchKey]closing              // as the acquirer closed them
	settled  map[batchKey]terminal.Settlement  // as the clerks saw it
	seen     map[string]map[pay.PaymentID]bool // approvals that a clerk saw, by till
	slips    map[pay.MerchantID][]slip         // in each shop's drawer
	ends     []func()                          // of the troubles under way

	crashDice, tornDice, bookDice *rand.Rand
	torn                          int
	failing                       int           // writes of the books that still end without a word
	slowBooks                     time.Duration // the longest that the books take
	noLease                       string        // the host that can't renew its leases

	rep    Report
	left   int             // transactions still to try
	home   map[string]bool // clerks that have gone home
	counts int             // batches that the clerks have closed at the end
	over   bool            // no more trouble
	looked time.Duration   // when the last look was
}

// demoCards are the cards of every run: their certificates are signed once.
var demoCards = sync.OnceValue(perso.TestIssuer)

// Run runs one seed.
func Run(opt Options) (rep Report, err error) {
	t := &town{
		opt: opt, shape: draw(opt), cards: demoCards(), left: opt.Steps, rep: Report{Seed: opt.Seed, Met: map[string]int{}},
		tmks: map[pay.TerminalID]pay.Secret{}, chips: map[string]card.State{}, held: map[string]bool{}, begin: map[string]func(site.Kit) error{},
		lives: map[string]int{}, standIns: map[string]standIn{}, pos: map[string]*terminal.Terminal{}, owners: map[book.Lane]owner{},
		closed: map[batchKey]closing{}, settled: map[batchKey]terminal.Settlement{}, seen: map[string]map[pay.PaymentID]bool{},
		slips: map[pay.MerchantID][]slip{}, home: map[string]bool{},
		crashDice: dice(opt.Seed, "crashes"), tornDice: dice(opt.Seed, "torn writes"), bookDice: dice(opt.Seed, "books"),
	}
	t.rep.Town = t.shape.String()
	t.w = sched.New(sched.Config{Seed: opt.Seed, Start: t.shape.start, Faults: t.shape.network()})
	defer t.w.Close()
	if err := t.keys(); err != nil {
		return t.rep, err
	}
	if t.disks = newMemory(); opt.Stores.sqlite(opt.Seed) {
		f, err := newFiles(dice(opt.Seed, "torn bytes"), t.secrets.Heads)
		if err != nil {
			return t.rep, err
		}
		f.tears, f.dies = t.tears, t.crash
		t.disks = f
	}
	defer func() { err = errors.Join(err, t.disks.close()) }()
	t.build()
	for _, node := range t.nodes {
		t.w.Go("start "+node, func() { t.start(node) })
	}
	t.disturb()
	if err := t.live(); err != nil {
		t.rep.History = t.history()
		return t.rep, err
	}
	if err := t.judge(); err != nil {
		t.rep.History = t.history()
		return t.rep, err
	}
	t.rep.Hash = t.w.Hash()
	if len(t.rep.Problems) > 0 {
		slices.Sort(t.rep.Problems) // some were found in no order
		t.rep.History = t.history()
	}
	return t.rep, nil
}

// live is the day: trouble, calm, and the closing of each till.
func (t *town) live() error {
	if _, err := t.w.Run(sched.Limit{Time: maxTrouble, Until: func() bool { return len(t.home) == len(t.shape.tills) }}); err != nil {
		return err
	}
	t.quiet()
	if _, err := t.w.Run(sched.Limit{Time: calm, Until: t.atRest}); err != nil {
		return err
	}
	for _, x := range t.shape.tills {
		t.w.Go("close "+x.node, func() { t.closeDay(x) })
	}
	_, err := t.w.Run(sched.Limit{Time: calm, Until: func() bool { return t.counts == len(t.shape.tills) && t.atRest() }})
	return err
}

// keys draws the keys of the installation.
func (t *town) keys() (err error) {
	vault := t.w.Node("vault").Rand()
	if t.secrets, err = site.NewSecrets(vault); err != nil {
		return err
	}
	for _, x := range t.shape.tills {
		s, err := site.NewSecrets(vault)
		if err != nil {
			return err
		}
		t.tmks[x.id] = s.TMK
	}
	return nil
}

func (t *town) has(kind Faults) bool { return t.shape.faults&kind != 0 && !t.over }

// met counts something that happened.
func (t *town) met(what string) { t.rep.Met[what]++ }

func (t *town) history() string {
	var b strings.Builder
	if err := t.w.WriteHistory(&b); err != nil {
		return err.Error()
	}
	return b.String()
}

// maxProblems bounds a report: a town where everything is wrong need not be listed whole.
const maxProblems = 20

func (t *town) problem(format string, args ...any) {
	if len(t.rep.Problems) < maxProblems {
		t.rep.Problems = append(t.rep.Problems, fmt.Sprintf(format, args...))
	}
}

// pin is every card's in the simulation.
const pin = "482913"

// kit is what the parts of one node are built from.
func (t *town) kit(node string) site.Kit {
	env := t.w.Node(node)
	cfg := site.Default()
	cfg.World.PIN = pin
	cfg.Merchant.ID, cfg.Terminal.ID = string(t.shape.tills[0].merchant), string(t.shape.tills[0].id)
	cfg.Merchant.Tariff = []site.TariffRow{{Name: "debit", Product: "debit", Rate: 5000, Cap: 2000}, {Name: "any", Rate: 6000}}
	cfg.Acquirer.Lanes = t.shape.lanes
	cfg.Timeouts.Present = site.Duration(20 * time.Second)
	cfg.Timeouts.PIN = site.Duration(20 * time.Second)
	k := site.Kit{Env: env, Config: cfg, Secrets: t.secrets, Cards: t.cards, Wire: site.Bare{Env: env}, Log: t.log(node)}
	if t.opt.Wire != nil {
		k.Wire = t.opt.Wire(k.Wire)
	}
	for _, b := range t.shape.banks {
		k.Banks = append(k.Banks, b.Bank)
	}
	for i, x := range t.shape.tills {
		if i == 0 {
			k.Secrets.TMK = t.tmks[x.id]
			continue
		}
		k.Know(x.id, x.merchant, t.tmks[x.id])
	}
	if len(t.shape.hosts) > 1 {
		k.Owner, k.LeaseTTL = node, leaseTTL
	}
	if t.shape.faults&Full != 0 {
		k.Limits.CommitQueue, k.Limits.BatchOps = t.shape.queue, t.shape.queue
	}
	return k
}

// start begins one life of a node, with a crash planned for it or not.
func (t *town) start(node string) {
	k := t.kit(node)
	k.Fatal = func(err error) { t.problem("%s ends itself: %v", node, err) }
	k.At = t.plan(node)
	if err := t.begin[node](k); err != nil && sched.Alive(k.Env) {
		t.problem("%s does not start: %v", node, err)
	}
}

// atRest reports whether nothing is open any more, at the terminals, in the
// books and at the scheme. It looks now and then: Run asks before every turn.
func (t *town) atRest() bool {
	if now := t.w.Elapsed(); now < t.looked+lookEvery {
		return false
	} else {
		t.looked = now
	}
	for _, x := range t.shape.tills {
		j := t.disks.seeJournal(x.node)
		if j == nil {
			return false
		}
		st, err := j.State(context.Background())
		if err != nil || len(st.Open) > 0 || len(st.Reversals) > 0 {
			return false
		}
	}
	open, err := t.unresolved()
	return err == nil && open == 0 && t.schemeOwes() == 0
}

func (t *town) unresolved() (n int, err error) {
	for lane := range book.Lane(t.shape.lanes) {
		list, err := t.disks.seeBooks().Unresolved(context.Background(), lane, book.Cursor{})
		if err != nil {
			return 0, err
		}
		for _, p := range list {
			if p.Open() {
				n++
			}
		}
	}
	return n, nil
}

// chip is the memory of a card's chip, which outlives everything.
func (t *town) chip(name string) card.State {
	if t.chips[name] == nil {
		t.chips[name] = card.NewMemoryState()
	}
	return t.chips[name]
}

// free are the cards that nobody holds just now.
func (t *town) free() []string {
	return slices.DeleteFunc(slices.Clone(waved), func(name string) bool { return t.held[name] })
}
