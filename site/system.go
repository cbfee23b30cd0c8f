package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"huika/acquirer/bin"
	"huika/acquirer/book"
	"huika/acquirer/book/headfile"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/card"
	"huika/card/perso"
	"huika/httpapi/webhook"
	"huika/nfc"
	"huika/nfc/memory"
	"huika/pay"
	"huika/rt"
	"huika/terminal"
	jsqlite "huika/terminal/journal/sqlite"
	"huika/world/issuer"
	"huika/world/issuer/filelog"
	"huika/world/outage"
	"huika/world/scheme"
	"huika/world/tray"
)

// Parts says which parties run in this process.
type Parts struct {
	World    bool // scheme and issuer stand-ins, demo only
	Acquirer bool
	Terminal bool
	Web      bool // the terminal's page and, in demo, the card tray
}

// Everything is `huika demo`.
var Everything = Parts{World: true, Acquirer: true, Terminal: true, Web: true}

// System is a running installation on real files and sockets.
type System struct {
	Kit      Kit
	Host     *host.Host
	Scheme   *scheme.Scheme            // UnionPay's stand-in
	Schemes  map[string]*scheme.Scheme // all stand-ins, by name
	Issuer   *issuer.Issuer
	Terminal *terminal.Terminal
	Field    *memory.Field // the memory reader's field; nil with PC/SC
	Desk     *tray.Desk    // nil with PC/SC or in live
	Books    book.Store

	POSURL     string // with the pairing token
	TrayURL    string
	ConsoleURL string // with the pairing token; "": no console

	hooks *webhook.Hooks

	hostAddr, issuerAddr, metricsAddr string
	schemeAddrs                       map[string]string // where stand-ins of this process listen, else what is configured
	hostFaults                        outage.Switch
	answers                           lossy

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	mu     sync.Mutex
	fatal  error
	close  []func() error
}

// Open prepares the data directory, builds the parts and starts them. What it
// started ends with Close.
func Open(env rt.Env, cfg Config, parts Parts, log *slog.Logger) (*System, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Mode == Live {
		if err := refuseDemonstration(env, parts); err != nil {
			return nil, err
		}
	}
	s := newSystem(cfg)
	if err := s.open(env, cfg, parts, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func newSystem(cfg Config) *System {
	s := &System{hostAddr: cfg.Acquirer.Listen, issuerAddr: cfg.World.Issuer, schemeAddrs: map[string]string{}, Schemes: map[string]*scheme.Scheme{}}
	for _, c := range cfg.schemes() {
		s.schemeAddrs[c.Name] = c.Address
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *System) open(env rt.Env, cfg Config, parts Parts, log *slog.Logger) error {
	kit, err := OpenKit(env, cfg, log)
	if err != nil {
		return err
	}
	s.Kit = kit
	s.Kit.Fatal = s.fail
	s.Kit.At = crashFromEnv()
	return s.start(parts)
}

// start builds the parts over s.Kit and starts them.
func (s *System) start(parts Parts) error {
	for _, step := range []struct {
		on bool
		f  func() error
	}{{parts.World, s.openWorld}, {parts.Acquirer, s.openHost}, {parts.Terminal, s.openTerminal}, {parts.Web, s.openWeb},
		{parts.Acquirer && s.Kit.Config.Acquirer.Console.Listen != "", s.openConsole}} {
		if step.on {
			if err := step.f(); err != nil {
				return err
			}
		}
	}
	return nil
}

// OpenHost starts a host alone over a kit that was opened before: for who
// measures it with terminals of its own.
func OpenHost(kit Kit) (*System, error) {
	s := newSystem(kit.Config)
	s.Kit = kit
	s.Kit.Fatal = s.fail
	if err := s.openHost(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenKit reads or makes everything that an installation keeps for all parts.
// Processes that start together take turns.
func OpenKit(env rt.Env, cfg Config, log *slog.Logger) (Kit, error) {
	k := Kit{Env: env, Config: cfg, Log: log}
	if err := openData(cfg.Data, cfg.Mode); err != nil {
		return k, err
	}
	unlock, err := lock(cfg.path("lock"))
	if err != nil {
		return k, err
	}
	defer unlock()
	if k.Secrets, err = loadSecrets(cfg.Data, cfg.Mode, cfg.schemeNames(), env.Rand()); err != nil {
		return k, err
	}
	pki, err := loadPKI(cfg.Data, cfg.Mode, env.Now())
	if err != nil {
		return k, err
	}
	if cfg.Mode == Live {
		if err := refuseDemo(pki.ca); err != nil {
			return k, err
		}
	}
	k.Wire = secure{env, pki}
	if cfg.Mode == Live {
		return k, nil // cards are the customers'
	}
	dir := cfg.path("cards")
	if k.Cards, err = perso.Load(dir); errors.Is(err, fs.ErrNotExist) {
		log.Info("making the demo issuer's keys", "dir", dir)
		if k.Cards, err = perso.Generate(env.Rand(), env.Now()); err == nil {
			err = k.Cards.Save(dir)
		}
	}
	return k, err
}

func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: lock: %w", ErrData, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing is what frees the lock; it held no data
}

// HostAddr is where terminals connect.
func (s *System) HostAddr() string { return s.hostAddr }

// SchemeAddr is where UnionPay listens.
func (s *System) SchemeAddr() string { return s.SchemeAddrOf(SchemeName) }

// SchemeNames are the schemes of the configuration, in its order.
func (s *System) SchemeNames() []string { return s.Kit.Config.schemeNames() }

// SchemeAddrOf is where the scheme of that name listens, or "".
func (s *System) SchemeAddrOf(name string) string { return s.schemeAddrs[name] }

// places is where this host reaches schemes: the stand-ins of this process, and
// what is configured with a port.
func (s *System) places(name string) []func() string {
	at := func(addr string) func() string { return func() string { return addr } }
	var out []func() string
	for _, c := range s.Kit.Config.schemes() {
		if c.Name != name {
			continue
		}
		for i, addr := range append([]string{s.schemeAddrs[name]}, c.Alternate...) {
			if !portZero(addr) {
				out = append(out, at(addr))
			} else if i == 0 {
				return nil
			}
		}
	}
	return out
}

// IssuerAddr is where the issuer listens.
func (s *System) IssuerAddr() string { return s.issuerAddr }

// MetricsAddr is where /healthz and /metrics of a host that runs alone are served, or "".
func (s *System) MetricsAddr() string { return s.metricsAddr }

// fail ends the system: something durable can't be relied on any more.
func (s *System) fail(err error) {
	s.mu.Lock()
	if s.fatal == nil {
		s.fatal = err
	}
	s.mu.Unlock()
	s.Kit.Log.Error("ending: a durable write failed", "err", err)
	s.cancel()
}

// Done ends when the system does; Err then tells why.
func (s *System) Done() <-chan struct{} { return s.ctx.Done() }

// Err is what ended the system by itself, or nil.
func (s *System) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fatal
}

func (s *System) onClose(f func() error) { s.close = append(s.close, f) }

// task runs f until the system ends; an error before that ends the system.
func (s *System) task(name string, f func(ctx context.Context) error) {
	s.tasks.Add(1)
	s.Kit.Env.Go(name, func() {
		defer s.tasks.Done()
		if err := f(s.ctx); err != nil && s.ctx.Err() == nil {
			s.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// Close ends every task, waits for it, and frees what the parts held.
func (s *System) Close() error {
	s.cancel()
	s.tasks.Wait()
	var errs []error
	for i := len(s.close) - 1; i >= 0; i-- {
		errs = append(errs, s.close[i]())
	}
	s.close = nil
	return errors.Join(errs...)
}

func (s *System) listen(role, addr string, bound *string) (net.Listener, error) {
	ln, err := s.Kit.Wire.Listen(role, addr)
	if err != nil {
		return nil, fmt.Errorf("%s can't listen on %s: %w", role, addr, err)
	}
	*bound = ln.Addr().String()
	return ln, nil
}

func (s *System) openWorld() error {
	k := s.Kit
	for _, d := range []string{"issuer", "scheme"} {
		if err := makeDir(k.Config.path(d)); err != nil {
			return err
		}
	}
	ledger, err := filelog.Open[issuer.Record](k.Config.path("issuer", "ledger.log"))
	if err != nil {
		return err
	}
	s.onClose(ledger.Close)
	if s.Issuer, err = k.Issuer(ledger); err != nil {
		return err
	}
	iln, err := s.listen(roleIssuer, k.Config.World.Issuer, &s.issuerAddr)
	if err != nil {
		return err
	}
	s.task("issuer", func(ctx context.Context) error { return s.Issuer.Serve(ctx, iln) })
	for _, c := range k.Config.schemes() {
		if err := s.openScheme(c); err != nil {
			return err
		}
	}
	s.Scheme = s.Schemes[SchemeName]
	return nil
}

// openScheme starts one scheme's stand-in.
func (s *System) openScheme(c SchemeConfig) error {
	k := s.Kit
	file := "owed.log"
	if c.Name != SchemeName {
		file = c.Name + "-" + file
	}
	owed, err := filelog.Open[scheme.Record](k.Config.path("scheme", file))
	if err != nil {
		return err
	}
	s.onClose(owed.Close)
	one, err := k.Scheme(c.Name, owed, func() string { return s.issuerAddr })
	if err != nil {
		return err
	}
	addr := c.Address
	ln, err := s.listen(SchemeRole(c.Name), addr, &addr)
	if err != nil {
		return err
	}
	s.schemeAddrs[c.Name], s.Schemes[c.Name] = addr, one
	s.task("scheme "+c.Name, func(ctx context.Context) error { return one.Serve(ctx, ln) })
	return nil
}

// Files of the acquirer in the data directory.
const (
	booksFile = "books.db"
	headsFile = "heads"
)

func (s *System) openHost() error {
	k := s.Kit
	dir := k.Config.path("acquirer")
	if err := makeDir(dir); err != nil {
		return err
	}
	books, err := s.openBooks()
	if err != nil {
		return err
	}
	s.onClose(books.Close)
	s.Books = books
	heads, err := headfile.Open(filepath.Join(dir, headsFile), k.Secrets.Heads)
	if err != nil {
		return err
	}
	s.onClose(heads.Close)
	table, version, err := k.Config.cardRanges()
	if err != nil {
		return err
	}
	k.Ranges = bin.NewLive(table)
	if k.Config.Acquirer.BINs != "" {
		s.task("BIN table", func(ctx context.Context) error {
			k.Ranges.Follow(ctx, k.Env, binsEvery, version, k.Config.newerRanges, k.Log)
			return nil
		})
	}
	given, listed, err := k.Config.downloads()
	if err != nil {
		return err
	}
	k.Downloads = given
	if k.Config.Acquirer.Blacklist != "" {
		s.task("blacklist", func(ctx context.Context) error {
			s.followBlacklist(ctx, given, listed)
			return nil
		})
	}
	if err := s.openHooks(books); err != nil {
		return err
	}
	if s.Host, err = k.Host(books, toldHeads{heads, s.hooks}, s.places); err != nil {
		return err
	}
	ln, err := s.listen(RoleHost, k.Config.Acquirer.Listen, &s.hostAddr)
	if err != nil {
		return err
	}
	ln = s.hostFaults.Listen(s.answers.Listen(ln))
	s.task("host", func(ctx context.Context) error { return s.Host.Run(ctx, ln) })
	s.task("webhooks", s.hooks.Run)
	return s.openMetrics()
}

func (s *System) openTerminal() error {
	k := s.Kit
	dir := k.Config.path("terminal")
	if err := makeDir(dir); err != nil {
		return err
	}
	j, err := jsqlite.Open(s.ctx, filepath.Join(dir, "journal.db"))
	if err != nil {
		return err
	}
	s.onClose(j.Close)
	reader, err := s.openReader()
	if err != nil {
		return err
	}
	s.onClose(reader.Close)
	if s.Terminal, err = k.Terminal(reader, j, func() string { return s.hostAddr }); err != nil {
		return err
	}
	s.task("terminal", s.Terminal.Run)
	return nil
}

func (s *System) openReader() (nfc.Reader, error) {
	k := s.Kit
	if k.Config.Terminal.Reader == "pcsc" {
		return openPCSC(k)
	}
	s.Field = memory.New(k.Env)
	var err error
	s.Desk, err = tray.New(k.Env, tray.Config{Issuer: k.Cards, Field: s.Field, State: k.CardState})
	return s.Field, err
}

// CardState is where the counter of a simulated card is kept. A clone is a
// chip of its own and has its own.
func (k Kit) CardState(name string) card.State {
	return card.FileState(k.Config.path("cards", name+".state"))
}

// WaitReady waits until the terminal is signed in and the scheme links are up.
func (s *System) WaitReady(ctx context.Context) error {
	var seq uint64
	for {
		v, n, err := s.Terminal.After(ctx, seq)
		if err != nil {
			return fmt.Errorf("the terminal is not signed in yet: %w", err)
		}
		if v.Host.SignedIn {
			break
		}
		seq = n
	}
	for s.Host != nil && !s.Host.Up() {
		if err := s.Kit.Env.Sleep(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("the scheme is not signed on yet: %w", err)
		}
	}
	return nil
}

// restPause is between two looks of Rest.
const restPause = 10 * time.Millisecond

// Rest waits until nothing is open any more, at the terminal and in the books
// of this process. Errors: ctx's, the store's.
func (s *System) Rest(ctx context.Context) error {
	for {
		open, err := s.somethingOpen(ctx)
		if err != nil || !open {
			return err
		}
		if err := s.Kit.Env.Sleep(ctx, restPause); err != nil {
			return err
		}
	}
}

func (s *System) somethingOpen(ctx context.Context) (bool, error) {
	if s.Terminal != nil {
		if v, _ := s.Terminal.View(); v.Host.PendingReversals > 0 {
			return true, nil
		}
	}
	if s.Books == nil {
		return false, nil
	}
	for lane := range book.Lane(s.Kit.Config.Acquirer.Lanes) {
		open, err := s.Books.Unresolved(ctx, lane, book.Cursor{})
		if err != nil || slices.ContainsFunc(open, payment.Payment.Open) {
			return true, err
		}
	}
	return false, nil
}

// Pay takes one payment and waits for its end.
func (s *System) Pay(ctx context.Context, amount pay.Money) (terminal.Result, error) {
	id, err := s.Terminal.StartSale(ctx, terminal.SaleRequest{Amount: amount})
	if err != nil {
		return terminal.Result{}, err
	}
	return s.Terminal.Wait(ctx, id)
}
