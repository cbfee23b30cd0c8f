package sim

import (
	"context"
	"math/rand/v2"
	"net"
	"time"

	"huika/acquirer/book"
	"huika/nfc/memory"
	"huika/sim/sched"
	"huika/site"
)

// build says how each node of the town begins a life, and in which order they
// first do. One scheme is all that a site has today; another one is another
// node here, with banks of its own.
func (t *town) build() {
	add := func(node string, f func(site.Kit) error) {
		t.nodes = append(t.nodes, node)
		t.begin[node] = f
	}
	for _, b := range t.shape.banks {
		add(b.node, func(k site.Kit) error { return t.issuer(k, b) })
	}
	add("scheme", t.scheme)
	for _, node := range t.shape.hosts {
		add(node, func(k site.Kit) error { return t.host(k, node) })
	}
	for _, x := range t.shape.tills {
		where := dice(t.opt.Seed, "host of "+x.node)
		habits := dice(t.opt.Seed, "clerk of "+x.node)
		add(x.node, func(k site.Kit) error { return t.terminal(k, x, where, habits) })
	}
}

// serve runs one part until its node crashes; it must not end before that.
func (t *town) serve(k site.Kit, name string, f func() error) {
	k.Env.Go(name, func() {
		if err := f(); sched.Alive(k.Env) {
			t.problem("%s ended: %v", name, err)
		}
	})
}

func (t *town) issuer(k site.Kit, b bank) error {
	store, err := t.disks.ledger(b.node)
	if err != nil {
		return err
	}
	if t.opt.Ledger != nil {
		store = t.opt.Ledger(store)
	}
	p, err := k.BankIssuer(b.Bank, store)
	if err != nil {
		return err
	}
	ln, err := k.Wire.Listen("issuer", b.Addr())
	if err != nil {
		return err
	}
	t.standIns[b.node] = p
	t.serve(k, b.node, func() error { return p.Serve(context.Background(), ln) })
	return nil
}

func (t *town) scheme(k site.Kit) error {
	store, err := t.disks.owed()
	if err != nil {
		return err
	}
	if t.opt.Owed != nil {
		store = t.opt.Owed(store)
	}
	p, err := k.Scheme(site.SchemeName, store, nil)
	if err != nil {
		return err
	}
	ln, err := k.Wire.Listen(site.RoleScheme, schemeAddr)
	if err != nil {
		return err
	}
	t.standIns["scheme"] = p
	t.serve(k, "scheme", func() error { return p.Serve(context.Background(), ln) })
	return nil
}

func (t *town) host(k site.Kit, node string) error {
	disk, err := t.disks.books()
	if err != nil {
		return err
	}
	heads, err := t.disks.heads()
	if err != nil {
		return err
	}
	var store book.Store = &watched{Store: disk, t: t, node: node, env: k.Env}
	if t.opt.Books != nil {
		store = t.opt.Books(store)
	}
	p, err := k.Host(store, heads, site.OneScheme(func() string { return schemeAddr }))
	if err != nil {
		return err
	}
	ln, err := k.Wire.Listen(site.RoleHost, node+":1")
	if err != nil {
		return err
	}
	t.serve(k, node, func() error { return p.Run(context.Background(), ln) })
	k.Env.Go("queue watch", func() { t.countFull(k, p.Stats.Full.Load) })
	return nil
}

// fullEvery is between two looks at a host's counts.
const fullEvery = 20 * time.Second

// countFull counts the requests that were told to try again, as long as this life lasts.
func (t *town) countFull(k site.Kit, full func() uint64) {
	for k.Env.Sleep(context.Background(), fullEvery) == nil && !t.over {
		if full() > 0 {
			t.met("try again")
		}
	}
}

func (t *town) terminal(k site.Kit, x till, where, habits *rand.Rand) error {
	j, err := t.disks.journal(x.node)
	if err != nil {
		return err
	}
	if t.opt.Journal != nil {
		j = t.opt.Journal(j)
	}
	k.Config.Merchant.ID, k.Config.Terminal.ID, k.Secrets.TMK = string(x.merchant), string(x.id), t.tmks[x.id]
	field := memory.New(k.Env)
	p, err := k.Terminal(field, j, func() string { // whichever the balancer before the hosts takes
		return net.JoinHostPort(t.shape.hosts[where.IntN(len(t.shape.hosts))], "1")
	})
	if err != nil {
		return err
	}
	t.pos[x.node] = p
	t.serve(k, x.node, func() error { return p.Run(context.Background()) })
	c := &clerk{t: t, kit: k, till: x, pos: p, field: field, dice: habits}
	k.Env.Go("clerk", c.work)
	return nil
}
