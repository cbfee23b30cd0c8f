package site_test

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"huika/acquirer/book"
	booksqlite "huika/acquirer/book/sqlite"
	"huika/acquirer/payment"
	"huika/card"
	"huika/card/perso"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/pos"
	"huika/nfc/memory"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
	"huika/terminal/journal"
	journalsqlite "huika/terminal/journal/sqlite"
	"huika/world/issuer"
	"huika/world/issuer/filelog"
	"huika/world/scheme"
)

// kill -9 proves nothing about a power cut: what a process has written survives
// it, synced or not. So the order itself is watched here: over real stores and
// real sockets, each frame that leaves is compared with the durable writes that
// had come back by then.

// event is one thing in the order in which things happened: a durable write
// that has come back ("wrote"), a frame that is about to leave ("sends"), a
// result that is on the screen ("shows").
type event struct{ party, does, what, key string }

func (e event) String() string {
	return fmt.Sprintf("%s %s %s %s", e.party, e.does, e.what, e.key)
}

// order is the one row of events of a whole system.
type order struct {
	mu      sync.Mutex
	events  []event
	waiting map[string][]event // of stores whose boundary was not told yet
	lose    string             // host's frames to the terminal that get lost: an MTI
}

func (o *order) add(e ...event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e...)
}

// written notes what a store has made durable; it counts from the boundary on.
func (o *order) written(after string, e ...event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[after] = append(o.waiting[after], e...)
}

// boundary is the site.Boundary of all parties.
func (o *order) boundary(point string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, o.waiting[point]...)
	delete(o.waiting, point)
}

// unreadable is a frame that can't be compared with anything.
const unreadable = "what can't be read"

// rule says that no frame (or result) may leave before one of the writes came back.
type rule struct {
	party, does, what string
	after             []string // "party what"
}

var rules = []rule{
	{"terminal", "sends", "0200", []string{"terminal sent"}},
	{"terminal", "sends", "0400", []string{"terminal reversal owed"}},
	{"terminal", "shows", "result", []string{"terminal ended"}},
	{"host", "sends", "scheme 0200", []string{"host admit"}},
	{"host", "sends", "scheme 0420", []string{"host reverse", "host give up"}},
	{"host", "sends", "0210", []string{"host approve", "host decline", "host reverse", "host drop unrouted"}},
	{"host", "sends", "0410", []string{"host reverse", "host reverse ahead"}},
	{"scheme", "sends", "0210 91", []string{"scheme owed"}},
	{"issuer", "sends", "0210", []string{"issuer decision"}},
	{"issuer", "sends", "0430", []string{"issuer reversal", "issuer tombstone"}},
}

// judge returns what left too early, and how often each rule was needed.
func (o *order) judge() (early []string, used map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := map[string]bool{}
	used = map[string]int{}
	for _, e := range o.events {
		if e.does == "wrote" {
			done[e.party+" "+e.what+" "+e.key] = true
			continue
		}
		if e.what == unreadable {
			early = append(early, e.String())
		}
		for _, r := range rules {
			if r.party != e.party || r.does != e.does || r.what != e.what {
				continue
			}
			used[r.party+" "+r.does+" "+r.what]++
			if !slices.ContainsFunc(r.after, func(w string) bool { return done[w+" "+e.key] }) {
				early = append(early, e.String())
			}
		}
	}
	return early, used
}

// slow is how long each store holds back a write that is durable already. A
// party that does not wait for it is ahead by so much, and is caught.
const slow = 3 * time.Millisecond

// tooEarly is by how much a planted store lies: longer than the host's first
// pause between two looks at what it owes.
const tooEarly = 500 * time.Millisecond

// watched are the stores' eyes. early plants the bug: the store says that it
// has written, and has not.
type watched struct {
	o     *order
	early bool
}

func (w watched) written(after string, e ...event) {
	if w.early {
		time.AfterFunc(tooEarly, func() { w.o.add(e...) })
		return
	}
	time.Sleep(slow)
	w.o.written(after, e...)
}

type books struct {
	book.Store
	watched
}

func (b books) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	results, err := b.Store.Apply(ctx, batches)
	var wrote []event
	for i, r := range results {
		for j, one := range r.Results {
			if one.Status != book.Applied {
				continue
			}
			what, p := batches[i].Ops[j].Event.String(), one.Payment
			wrote = append(wrote, event{"host", "wrote", what, p.Key.Batch + "/" + p.Key.STAN.String()}, event{"host", "wrote", what, string(p.RRN)})
		}
	}
	b.written(site.BooksAfter, wrote...)
	return results, err
}

type paper struct {
	journal.Store
	watched
}

func (p paper) Append(ctx context.Context, records ...journal.Record) error {
	err := p.Store.Append(ctx, records...)
	var wrote []event
	for _, r := range records {
		switch r := r.(type) {
		case journal.Sent:
			wrote = append(wrote, event{"terminal", "wrote", "sent", r.Key.Batch + "/" + r.Key.STAN.String()})
		case journal.ReversalOwed:
			wrote = append(wrote, event{"terminal", "wrote", "reversal owed", r.Key.Batch + "/" + r.Key.STAN.String()})
		case journal.Ended:
			wrote = append(wrote, event{"terminal", "wrote", "ended", string(r.Payment)})
		}
	}
	p.written(site.JournalAfter, wrote...)
	return err
}

type ledger struct {
	issuer.Store
	watched
}

func (l ledger) Append(records ...issuer.Record) error {
	err := l.Store.Append(records...)
	var wrote []event
	for _, r := range records {
		what := [...]string{issuer.Decision: "decision", issuer.Reversal: "reversal", issuer.Tombstone: "tombstone"}[r.Kind]
		wrote = append(wrote, event{"issuer", "wrote", what, r.Key})
	}
	l.written(site.IssuerAfter, wrote...)
	return err
}

type debts struct {
	scheme.Store
	watched
}

func (d debts) Append(records ...scheme.Record) error {
	err := d.Store.Append(records...)
	for _, r := range records {
		if r.Kind == scheme.Owed {
			d.written("scheme", event{"scheme", "wrote", "owed", r.RRN})
			d.o.boundary("scheme") // it has no boundary of its own
		}
	}
	return err
}

// spied is a party's Env whose connections tell of each frame before it leaves.
type spied struct {
	rt.Env
	party string
	o     *order
}

func (s spied) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := s.Env.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, s: s, pos: s.party == "terminal"}, nil
}

func (s spied) Listen(addr string) (net.Listener, error) {
	ln, err := s.Env.Listen(addr)
	return spiedListener{ln, s}, err
}

type spiedListener struct {
	net.Listener
	s spied
}

func (l spiedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, s: l.s, pos: l.s.party == "host"}, nil
}

// wire is a connection between a terminal and the host (pos) or behind it. One
// task writes to it.
type wire struct {
	net.Conn
	s   spied
	pos bool
	buf []byte
}

func (w *wire) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	for len(w.buf) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(w.buf))
		if len(w.buf) < n {
			break
		}
		mti := w.leaves(w.buf[2:n])
		w.buf = w.buf[n:]
		w.s.o.mu.Lock()
		lost := w.pos && w.s.party == "host" && mti == w.s.o.lose
		w.s.o.mu.Unlock()
		if lost {
			return len(b), nil
		}
	}
	return w.Conn.Write(b)
}

// leaves notes one frame and returns its MTI.
func (w *wire) leaves(frame []byte) string {
	m := iso8583.NewMessage()
	var err error
	if w.pos {
		_, err = pos.Decode(frame, m)
	} else {
		err = cup.Decode(frame, m)
	}
	if err != nil {
		w.s.o.add(event{w.s.party, "sends", unreadable, err.Error()})
		return ""
	}
	what, key := m.MTI(), m.Get(37)
	switch {
	case w.pos:
		batch := ""
		if f60, err := pos.ParseF60(m.Get(60)); err == nil {
			batch = f60.Batch
		}
		key = batch + "/" + m.Get(11)
	case w.s.party == "host":
		what = "scheme " + what
	case w.s.party == "scheme" && what == "0210" && m.Get(39) == "91":
		what += " 91"
	case w.s.party == "issuer" && what == "0210":
		key, _ = issuer.Key(m)
	case w.s.party == "issuer" && what == "0430":
		if key, err = issuer.OriginalKey(m); err != nil {
			key = err.Error()
		}
	}
	w.s.o.add(event{w.s.party, "sends", what, key})
	return m.MTI()
}

const pin = "482913"

// shop is a whole system over real stores and sockets without TLS, so that its
// frames can be read.
type shop struct {
	t     *testing.T
	o     *order
	pos   *terminal.Terminal
	host  interface{ Up() bool }
	issue *issuer.Issuer
	swtch *scheme.Scheme
	cards *perso.Issuer
	field *memory.Field
	books book.Store
}

func openShop(t *testing.T, early bool) *shop {
	t.Helper()
	dir := t.TempDir()
	s := &shop{t: t, o: &order{waiting: map[string][]event{}}, cards: perso.TestIssuer()}
	eye := watched{s.o, early}
	secrets, err := site.NewSecrets(rt.Real().Rand())
	check(t, err)
	cfg := site.Default()
	cfg.World.PIN = pin
	cfg.Timeouts.Issuer, cfg.Timeouts.Scheme, cfg.Timeouts.Terminal = ms(500), ms(900), ms(1400)
	kit := func(party string) site.Kit {
		env := spied{rt.Real(), party, s.o}
		return site.Kit{Env: env, Config: cfg, Secrets: secrets, Cards: s.cards, Wire: site.Bare{Env: env}, Log: slog.New(slog.DiscardHandler),
			At: s.o.boundary, Fatal: func(err error) { t.Errorf("%s: %v", party, err) }}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var tasks sync.WaitGroup
	run := func(name string, f func() error) {
		tasks.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	t.Cleanup(func() { cancel(); tasks.Wait() }) // before the stores are closed

	log, err := filelog.Open[issuer.Record](filepath.Join(dir, "ledger"))
	check(t, err)
	owed, err := filelog.Open[scheme.Record](filepath.Join(dir, "owed"))
	check(t, err)
	db, err := booksqlite.Open(ctx, filepath.Join(dir, "books.db"))
	check(t, err)
	s.books = db
	j, err := journalsqlite.Open(ctx, filepath.Join(dir, "journal.db"))
	check(t, err)
	t.Cleanup(func() {
		cancel()
		tasks.Wait()
		for _, c := range []interface{ Close() error }{log, owed, db, j} {
			check(t, c.Close())
		}
	})

	k := kit("issuer")
	s.issue, err = k.Issuer(ledger{log, eye})
	check(t, err)
	iln, err := k.Wire.Listen("", "127.0.0.1:0")
	check(t, err)
	run("issuer", func() error { return s.issue.Serve(ctx, iln) })

	k = kit("scheme")
	s.swtch, err = k.Scheme(site.SchemeName, debts{owed, eye}, iln.Addr().String)
	check(t, err)
	sln, err := k.Wire.Listen("", "127.0.0.1:0")
	check(t, err)
	run("scheme", func() error { return s.swtch.Serve(ctx, sln) })

	k = kit("host")
	h, err := k.Host(books{db, eye}, nil, site.OneScheme(sln.Addr().String))
	check(t, err)
	s.host = h
	hln, err := k.Wire.Listen("", "127.0.0.1:0")
	check(t, err)
	run("host", func() error { return h.Run(ctx, hln) })

	k = kit("terminal")
	s.field = memory.New(k.Env)
	s.pos, err = k.Terminal(s.field, paper{j, eye}, hln.Addr().String)
	check(t, err)
	run("terminal", func() error { return s.pos.Run(ctx) })
	s.rest()
	return s
}

func ms(n int) site.Duration { return site.Duration(time.Duration(n) * time.Millisecond) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restLimit bounds the wait for a system at rest.
const restLimit = 20 * time.Second

// rest waits until all links are up and nobody owes anything.
func (s *shop) rest() {
	s.t.Helper()
	for end := time.Now().Add(restLimit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		v, _ := s.pos.View()
		if !v.Host.SignedIn || v.Host.PendingReversals > 0 || !s.host.Up() || !s.swtch.Up("demo bank") || s.swtch.Owed() > 0 {
			continue
		}
		open := false
		check(s.t, book.AllPayments(s.t.Context(), s.books, func(_ book.Lane, p payment.Payment) error {
			open = open || p.State.Unresolved()
			return nil
		}))
		if !open {
			return
		}
	}
	s.t.Fatal("something stays open")
}

// sell takes one payment; pins are keyed one after the other.
func (s *shop) sell(name string, fen int64, pins ...string) terminal.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), restLimit)
	defer cancel()
	id, err := s.pos.StartSale(ctx, terminal.SaleRequest{Amount: pay.Fen(fen)})
	check(s.t, err)
	thing, err := s.cards.Card(name, card.NewMemoryState(), rt.Real().Rand())
	check(s.t, err)
	s.field.Put(thing, memory.Steady())
	defer s.field.TakeAll()
	var seq uint64
	for keyed := 0; ; {
		v, n, err := s.pos.After(ctx, seq)
		check(s.t, err)
		seq = n
		switch p := v.Payment; {
		case p == nil || p.ID != id:
		case p.Result != nil:
			s.o.add(event{"terminal", "shows", "result", string(id)})
			return *p.Result
		case p.PIN != nil && p.PIN.Try > keyed && p.PIN.Try <= len(pins):
			keyed = p.PIN.Try
			sealed, err := seal(pins[keyed-1], p.PIN)
			check(s.t, err)
			check(s.t, s.pos.SubmitPIN(ctx, id, keyed, sealed))
		}
	}
}

// seal is the page's part of the PIN path.
func seal(digits string, p *terminal.PINView) ([]byte, error) {
	point, err := base64.StdEncoding.DecodeString(p.PublicKey)
	if err != nil {
		return nil, err
	}
	pub, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	to, err := hpke.NewDHKEMPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(p.Info), []byte(digits))
}

// day is one of each: an approval, a refusal, a wrong and a right PIN, an
// answer that each party loses.
func (s *shop) day() {
	t := s.t
	t.Helper()
	for _, c := range []struct {
		trouble func()
		card    string
		fen     int64
		pins    []string
		want    terminal.OutcomeWord
	}{
		{func() {}, "unionpay-debit", 8880, nil, terminal.Approved},
		{func() {}, "unionpay-poor", 8880, nil, terminal.Declined},
		{func() {}, "unionpay-credit", 150_000, []string{"000000", pin}, terminal.Approved},
		{func() { s.issue.DropReplies(1) }, "unionpay-phone", 100, nil, terminal.Declined},
		{func() { s.swtch.DropResponses(1) }, "unionpay-watch", 200, nil, terminal.Declined},
		{func() { s.setLose("0210") }, "unionpay-pin-always", 300, []string{pin}, terminal.Reversed},
	} {
		c.trouble()
		if r := s.sell(c.card, c.fen, c.pins...); r.Outcome != c.want {
			t.Errorf("%s pays %d fen: %s (%s), want %s", c.card, c.fen, r.Outcome, r.Reason, c.want)
		}
		s.setLose("")
		s.rest()
		check(t, s.pos.Dismiss(t.Context()))
	}
}

func (s *shop) setLose(mti string) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.o.lose = mti
}

func TestNothingLeavesBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	s := openShop(t, false)
	s.day()
	early, used := s.o.judge()
	for _, e := range early {
		t.Errorf("before it was durable: %s", e)
	}
	for _, r := range rules {
		if name := r.party + " " + r.does + " " + r.what; used[name] == 0 {
			t.Errorf("nothing was seen of: %s", name)
		}
	}
	t.Logf("frames that waited for a write: %v", used)
}

// Stores that say too early that they have written are caught at each rule: the
// test above would see a party that does not wait.
func TestAnEarlyWordIsCaught(t *testing.T) {
	t.Parallel()
	s := openShop(t, true)
	s.day()
	early, _ := s.o.judge()
	for _, r := range rules {
		if !slices.ContainsFunc(early, func(e string) bool { return strings.HasPrefix(e, r.party+" "+r.does+" "+r.what+" ") }) {
			t.Errorf("not caught: %s %s %s", r.party, r.does, r.what)
		}
	}
}
