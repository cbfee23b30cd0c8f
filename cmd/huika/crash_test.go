package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/postgres"
	booksqlite "huika/acquirer/book/sqlite"
	"huika/acquirer/payment"
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

// points are the durable boundaries of each party.
var points = map[string][]string{
	partHost:     {site.BooksBefore, site.BooksAfter},
	partTerminal: {site.JournalBefore, site.JournalAfter},
	partWorld:    {site.IssuerBefore, site.IssuerAfter},
}

// maxPassings bounds how often a boundary may be passed in one sale.
const maxPassings = 40

var (
	noPIN = order{amount: "88.80"}
	// Above the limit, and the first try is wrong: two requests, two decisions.
	withPIN = order{amount: "1000.01", pins: []string{wrongPIN, rightPIN}}
)

// crash is an order to die: party at the n-th passing of point.
type crash struct {
	party, point string
	n            int
}

func (c crash) String() string { return c.point + ":" + strconv.Itoa(c.n) }

// hits counts the crashes that happened, by boundary.
type hits struct {
	mu sync.Mutex
	at map[string]int
}

func (h *hits) add(point string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at[point]++
}

// TestKillAtEachBoundary has each process kill itself before and after each of
// its durable writes of a sale, once at each, and of the recovery from such a
// crash. Whatever happened, after a restart nothing may be open, and customer,
// shop and acquirer must agree, by the files alone.
func TestKillAtEachBoundary(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes by the hundred")
	}
	from := template(t)
	met := &hits{at: map[string]int{}}
	t.Run("each", func(t *testing.T) {
		for _, party := range parties {
			for _, point := range points[party] {
				t.Run(point, func(t *testing.T) {
					t.Parallel()
					for _, o := range []order{noPIN, withPIN} {
						n := each(t, from, met, nil, party, point, o)
						t.Logf("in a sale of %s %s is passed %d times", o.amount, point, n)
						if n == 0 {
							t.Errorf("in a sale of %s %s was never passed", o.amount, point)
						}
					}
				})
				t.Run("again at "+point, func(t *testing.T) {
					t.Parallel()
					for _, first := range firstCrashes(t, from, party) {
						n := each(t, from, met, []crash{first}, party, point, noPIN)
						t.Logf("after %v: %s is passed %d times", first, point, n)
						if n == 0 {
							t.Errorf("the recovery from %v wrote nothing", first)
						}
					}
				})
			}
		}
	})
	for _, point := range slices.Concat(slices.Collect(maps.Values(points))...) {
		if met.at[point] == 0 {
			t.Errorf("no process died at %s", point)
		}
	}
	t.Logf("crashes: %v", met.at)
}

// firstCrashes are crashes that leave most to the next life: in the middle of a
// sale, where the customer may have been debited.
func firstCrashes(t *testing.T, from, party string) []crash {
	t.Helper()
	switch party {
	case partHost: // admitted, and asked for; approved, and not answered
		return []crash{{party, site.BooksAfter, 1}, {party, site.BooksAfter, 2}}
	case partWorld: // debited, and not answered
		return []crash{{party, site.IssuerAfter, 1}}
	}
	return []crash{{party, site.JournalAfter, sentAt(t, from)}}
}

// sentAt is which write of a first sale holds the record that a request leaves.
func sentAt(t *testing.T, from string) int {
	t.Helper()
	tw := newTown(t, from)
	tw.open(crash{})
	if res, ok := tw.sell(noPIN); !ok || res.Outcome != terminal.Approved {
		t.Fatalf("a sale without a crash: %+v", res)
	}
	tw.stop("")
	n := 0
	for i, r := range tw.read().records {
		if _, ok := r.(journal.Sent); ok {
			n = i + 1 // up to there each write holds one record
		}
	}
	if n == 0 {
		t.Fatal("no request was written down")
	}
	return n
}

// each runs one town for each passing of the point, until a sale (and, after an
// earlier crash, the recovery) passes it less often. It returns how often it was passed.
func each(t *testing.T, from string, met *hits, before []crash, party, point string, o order) int {
	t.Helper()
	for n := 1; n <= maxPassings; n++ {
		passed := false
		name := fmt.Sprintf("%s at %d", o.amount, n)
		for _, c := range before {
			name = fmt.Sprintf("after %v %d", c, n)
		}
		t.Run(name, func(t *testing.T) {
			tw := newTown(t, from)
			passed = tw.suffer(met, append(slices.Clone(before), crash{party, point, n}), o)
		})
		if t.Failed() || !passed {
			return n - 1
		}
	}
	t.Errorf("%s is passed more than %d times", point, maxPassings)
	return maxPassings
}

// suffer makes a sale in which the crashes happen one after the other, each in
// the life that follows the one before, and reports whether all of them did.
func (tw *town) suffer(met *hits, crashes []crash, o order) bool {
	t := tw.t
	t.Helper()
	victim := crashes[0].party
	tw.open(crashes[0])
	tw.ready()
	if tw.running[partTerminal].alive() {
		tw.sell(o)
	}
	for i, c := range crashes {
		tw.settle(victim)
		p := tw.running[victim]
		if p.alive() {
			tw.stop(victim) // it may be dying now: what it wrote last can be read before that shows
			if !p.killed() {
				if i < len(crashes)-1 {
					t.Fatalf("%s did not die at %v", victim, c)
				}
				tw.agree()
				return false
			}
		}
		if !p.killed() {
			t.Fatalf("%s should have died by SIGKILL at %v: %v\n%s", victim, c, p.cmd.ProcessState, p.log)
		}
		met.add(c.point)
		next := crash{}
		if i+1 < len(crashes) {
			next = crashes[i+1]
		}
		tw.open(next)
	}
	tw.settle("")
	tw.prove()
	tw.stop("")
	tw.agree()
	return true
}

// prove takes a sale that must be approved. Links come back after a pause that
// grows with their tries, and until then the answer is to try again.
func (tw *town) prove() {
	t := tw.t
	t.Helper()
	var res terminal.Result
	for end := time.Now().Add(settleLimit); time.Now().Before(end); time.Sleep(20 * pollPause) {
		var ok bool
		if res, ok = tw.sell(order{amount: "12.34"}); !ok {
			t.Fatal("the terminal died without an order to")
		}
		tw.settle("")
		switch {
		case res.Outcome == terminal.Approved:
			return
		case res.Reason == terminal.ReasonHostDown || res.ResponseCode == "91":
		case (res.ResponseCode == "96" || res.Reason == terminal.ReasonSignedInAgain) && tw.cfg.Acquirer.Store == "postgres": // its lanes were free for a while
		default:
			t.Fatalf("after the restart a sale is not approved: %+v", res)
		}
	}
	t.Fatalf("after the restart no sale is approved any more: %+v", res)
}

// open starts whoever does not run; one party may have an order to die.
func (tw *town) open(c crash) {
	tw.t.Helper()
	for _, name := range parties {
		if p := tw.running[name]; p != nil && p.alive() {
			continue
		}
		order := ""
		if name == c.party {
			order = c.String()
		}
		tw.start(name, order)
	}
}

// settle waits until the terminal is signed in and nothing is open at it, in the
// books and at the scheme; or until the party that has an order to die is dead.
func (tw *town) settle(victim string) {
	t := tw.t
	t.Helper()
	why := ""
	for end := time.Now().Add(settleLimit); time.Now().Before(end); time.Sleep(pollPause) {
		for _, name := range parties {
			if p := tw.running[name]; !p.alive() {
				if name == victim {
					return
				}
				t.Fatalf("%s ended by itself (%v):\n%s", name, p.cmd.ProcessState, p.log)
			}
		}
		if why = tw.unsettled(); why == "" {
			return
		}
	}
	for _, name := range parties {
		t.Logf("log of %s:\n%s", name, tw.running[name].log)
	}
	t.Fatalf("not settled after %v: %s", settleLimit, why)
}

// unsettled says what is open, or "".
func (tw *town) unsettled() string {
	v, err := tw.view()
	switch {
	case err != nil:
		return err.Error()
	case !v.Host.SignedIn:
		return "the terminal is not signed in"
	case v.Host.PendingReversals > 0:
		return "the terminal owes a reversal"
	case v.Payment != nil && v.Payment.Phase != terminal.PhaseDone:
		return "a payment is under way"
	}
	if n := tw.unresolved(); n > 0 {
		return fmt.Sprintf("%d payments of the host are unresolved", n)
	}
	if n := tw.schemeOwes(); n > 0 {
		return fmt.Sprintf("the scheme owes %d reversals", n)
	}
	return ""
}

// unresolved counts open payments in the books of a host that runs.
func (tw *town) unresolved() (n int) {
	tw.withBooks(func(store book.Store) error {
		return book.AllPayments(tw.t.Context(), store, func(_ book.Lane, p payment.Payment) error {
			if p.State.Unresolved() {
				n++
			}
			return nil
		})
	})
	return n
}

func (tw *town) withBooks(f func(book.Store) error) {
	tw.t.Helper()
	var store book.Store
	var err error
	if tw.cfg.Acquirer.Store == "postgres" {
		store, err = postgres.Open(tw.t.Context(), rt.Real(), postgres.Options{DSN: pay.NewSecret([]byte(tw.cfg.Acquirer.DSN)), Lanes: tw.cfg.Acquirer.Lanes})
	} else {
		store, err = booksqlite.Open(tw.t.Context(), filepath.Join(tw.cfg.Data, "acquirer", "books.db"))
	}
	if err == nil {
		err = errors.Join(f(store), store.Close())
	}
	if err != nil {
		tw.t.Fatal(err)
	}
}

// schemeOwes counts reversals that the scheme has written down and no issuer
// took. It reads a copy: the log belongs to the world's process.
func (tw *town) schemeOwes() (n int) {
	tw.t.Helper()
	log := openCopy[scheme.Record](tw, "scheme", "owed.log")
	err := log.Load(func(r scheme.Record) error {
		if r.Kind == scheme.Owed {
			n++
		} else {
			n--
		}
		return nil
	})
	if err = errors.Join(err, log.Close()); err != nil {
		tw.t.Fatal(err)
	}
	return n
}

func openCopy[T any, P filelog.Value[T]](tw *town, elem ...string) *filelog.Log[T, P] {
	tw.t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{tw.cfg.Data}, elem...)...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tw.t.Fatal(err)
	}
	path := filepath.Join(tw.t.TempDir(), elem[len(elem)-1])
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tw.t.Fatal(err)
	}
	log, err := filelog.Open[T, P](path)
	if err != nil {
		tw.t.Fatal(err)
	}
	return log
}

// stop ends all processes as a person does. victim may be dead, or die meanwhile.
func (tw *town) stop(victim string) {
	tw.t.Helper()
	for _, name := range slices.Backward(parties) {
		p := tw.running[name]
		code, err := p.stop()
		if name == victim && p.killed() {
			continue
		}
		if err != nil || code != exitOK {
			tw.t.Errorf("%s ends with %d (%v):\n%s", name, code, err, p.log)
		}
	}
}

// files is what the three parties hold on the disk.
type files struct {
	records []journal.Record // of the terminal, in order
	open    journal.State
	booked  map[journal.Key]payment.Payment
	report  *book.Report
}

// read reads the files of a town that has stopped.
func (tw *town) read() files {
	t := tw.t
	t.Helper()
	ctx := t.Context()
	f := files{booked: map[journal.Key]payment.Payment{}}
	j, err := journalsqlite.Open(ctx, filepath.Join(tw.cfg.Data, "terminal", "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	err = j.Each(ctx, func(r journal.Record) error {
		f.records = append(f.records, r)
		return nil
	})
	if err == nil {
		f.open, err = j.State(ctx)
	}
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	tw.withBooks(func(store book.Store) error {
		return book.AllPayments(ctx, store, func(_ book.Lane, p payment.Payment) error {
			f.booked[journal.Key{Batch: p.Key.Batch, STAN: p.Key.STAN}] = p
			return nil
		})
	})
	quiet := slog.New(slog.DiscardHandler)
	if f.report, err = site.Verify(ctx, rt.Real(), tw.cfg, quiet); err != nil {
		t.Fatal(err)
	}
	return f
}

// bank replays the issuer's ledger.
func (tw *town) bank() (*issuer.Issuer, site.Kit) {
	tw.t.Helper()
	kit, err := site.OpenKit(rt.Real(), tw.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		tw.t.Fatal(err)
	}
	log := openCopy[issuer.Record](tw, "issuer", "ledger.log")
	bank, err := kit.Issuer(log)
	if err = errors.Join(err, log.Close()); err != nil {
		tw.t.Fatal(err)
	}
	return bank, kit
}

// agree holds the files to what must be true after any crash.
func (tw *town) agree() {
	t := tw.t
	t.Helper()
	f := tw.read()
	if n := tw.schemeOwes(); n != 0 || len(f.open.Open) > 0 || len(f.open.Reversals) > 0 || f.report.Unresolved > 0 {
		t.Errorf("left open: %d payments and %d reversals at the terminal, %d payments at the host, %d reversals at the scheme",
			len(f.open.Open), len(f.open.Reversals), f.report.Unresolved, n)
	}
	for _, x := range f.report.Findings {
		t.Errorf("books: %v", x)
	}
	approved := tw.shop(f)
	var total int64
	for key, p := range f.booked {
		amount, ok := approved[key]
		switch {
		case (p.State == payment.Approved) != ok:
			t.Errorf("%s/%s: approved at the shop: %v; in the books it is %v", key.Batch, key.STAN, ok, p.State)
		case ok && p.Amount != amount:
			t.Errorf("%s/%s: the shop has %v, the books %v", key.Batch, key.STAN, amount, p.Amount)
		}
		delete(approved, key)
		if p.State == payment.Approved {
			total += p.Amount.Minor
		}
	}
	for key := range approved {
		t.Errorf("the shop approved %s/%s, which the books don't have", key.Batch, key.STAN)
	}
	if have := f.report.Balances[pay.CNY][book.MerchantAccount(pay.MerchantID(tw.cfg.Merchant.ID))]; have != total {
		t.Errorf("the merchant holds %d fen, the approved payments make %d", have, total)
	}
	tw.customers(f, total)
	code, out := runOnce(t, "verify", "--data", tw.cfg.Data)
	if code != exitOK {
		t.Errorf("huika verify ends with %d:\n%s", code, out)
	}
	if t.Failed() {
		for _, r := range f.records[max(0, len(f.records)-shownRecords):] {
			t.Logf("journal: %T %+v", r, withoutBoxes(r))
		}
	}
}

// shownRecords is how much of a journal a failing test shows.
const shownRecords = 20

// withoutBoxes keeps sealed boxes out of a failing test's log.
func withoutBoxes(r journal.Record) journal.Record {
	switch r := r.(type) {
	case journal.Sent:
		r.Reversal = nil
		return r
	case journal.Ended:
		r.Receipt, r.Result = nil, nil
		return r
	}
	return r
}

// shop is what the terminal's journal approved, by request key. Each payment
// that began must have ended once, as the clerk saw it.
func (tw *town) shop(f files) map[journal.Key]pay.Money {
	t := tw.t
	t.Helper()
	approved := map[journal.Key]pay.Money{}
	ended := map[pay.PaymentID]journal.Ended{}
	for _, r := range f.records {
		e, ok := r.(journal.Ended)
		if !ok {
			continue
		}
		if _, twice := ended[e.Payment]; twice {
			t.Errorf("payment %s ended twice", e.Payment)
		}
		ended[e.Payment] = e
		if e.Approved {
			approved[e.Key] = e.Amount
		}
	}
	for _, id := range tw.started {
		e, ok := ended[id]
		if !ok {
			t.Errorf("payment %s was taken on and has no end", id)
		}
		if saw, ok := tw.shown[id]; ok && (saw == terminal.Approved) != e.Approved {
			t.Errorf("the clerk saw payment %s as %s, the journal says approved: %v", id, saw, e.Approved)
		}
	}
	return approved
}

// customers compares the issuer's ledger with the approvals of the books: each
// was debited once, nothing else was, and no fen is lost.
func (tw *town) customers(f files, total int64) {
	t := tw.t
	t.Helper()
	want := map[string]pay.Money{}
	for _, p := range f.booked {
		if p.State == payment.Approved {
			want[string(p.RRN)] = p.Amount
		}
	}
	bank, kit := tw.bank()
	spent := map[string]int64{}
	var debits int64
	for _, e := range bank.Ledger() {
		if e.Reversed {
			continue
		}
		debits += e.Amount.Minor
		spent[e.PAN.Reveal()] += e.Amount.Minor
		if amount, ok := want[e.RRN]; !ok || amount != e.Amount {
			t.Errorf("a customer was debited %v for RRN %s, approved are %v", e.Amount, e.RRN, amount)
		}
		delete(want, e.RRN) // a second debit for it is not wanted
	}
	for rrn, amount := range want {
		t.Errorf("RRN %s was approved for %v, and no customer paid", rrn, amount)
	}
	if debits != total {
		t.Errorf("customers paid %d fen, the merchant got %d", debits, total)
	}
	for _, a := range kit.Cards.Accounts(func(string) string { return rightPIN }) {
		if b, ok := bank.Balance(a.PAN); !ok || b.Minor+spent[a.PAN.Reveal()] != a.Balance {
			t.Errorf("account of %s: %d fen left and %d spent do not make %d", a.Profile, b.Minor, spent[a.PAN.Reveal()], a.Balance)
		}
	}
}

// template is a data directory with keys and cards, which take seconds to make,
// and nothing else.
func template(t *testing.T) string {
	t.Helper()
	cfg := testConfig(filepath.Join(t.TempDir(), "template"))
	if _, err := site.OpenKit(rt.Real(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return cfg.Data
}

// Of the kills at any moment.
const (
	killRounds = 40
	killWithin = 40 * time.Millisecond // from the beginning of a sale: it takes about half of that
	killTwo    = 0.2                   // chance that another party goes too
)

// TestKillAtAnyMoment kills processes from outside at random moments of a row
// of sales, in one installation that goes through it all. HUIKA_TEST_SEED
// repeats the choices; the moments are the machine's.
func TestKillAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes by the dozen")
	}
	t.Parallel()
	seed := rand.Uint64()
	if s := os.Getenv("HUIKA_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HUIKA_TEST_SEED=%d", seed)
	dice := rand.New(rand.NewPCG(seed, 9))
	tw := newTown(t, template(t))
	tw.open(crash{})
	outcomes := map[string]int{}
	for range killRounds {
		tw.settle("")
		victims := []string{parties[dice.IntN(len(parties))]}
		if dice.Float64() < killTwo {
			victims = slices.Compact(append(victims, parties[dice.IntN(len(parties))]))
		}
		o := noPIN
		if dice.IntN(4) == 0 {
			o = order{amount: "1000.01", pins: []string{rightPIN}} // wrong ones would use up the card's tries
		}
		after := time.Duration(dice.Int64N(int64(killWithin)))
		dead := make(chan error, 1)
		go func() {
			time.Sleep(after)
			var err error
			for _, v := range victims {
				err = errors.Join(err, tw.running[v].kill())
			}
			dead <- err
		}()
		res, ok := tw.sell(o)
		if err := <-dead; err != nil {
			t.Fatal(err)
		}
		if ok {
			outcomes[string(res.Outcome)]++
		} else {
			outcomes["not seen"]++
		}
		for _, v := range victims {
			if p := tw.running[v]; !p.killed() {
				t.Fatalf("%s should have died by SIGKILL: %v", v, p.cmd.ProcessState)
			}
			tw.start(v, "")
		}
	}
	tw.settle("")
	tw.prove()
	tw.stop("")
	tw.agree()
	t.Logf("outcomes: %v", outcomes)
}
