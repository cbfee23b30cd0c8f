package site

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"huika/acquirer/book"
	"huika/httpapi/apikey"
	"huika/httpapi/console"
	"huika/httpapi/guard"
	"huika/httpapi/idem"
	"huika/httpapi/webhook"
	"huika/pay"
	"huika/web"
)

// toldHeads tells webhooks of the chains that grow.
type toldHeads struct {
	book.HeadKeeper
	hooks *webhook.Hooks
}

func (t toldHeads) Keep(heads []book.MerchantHead) error {
	t.hooks.Moved(heads)
	return t.HeadKeeper.Keep(heads)
}

// openHooks makes the webhooks, which are delivered wherever a host runs.
func (s *System) openHooks(books book.Store) error {
	store, ok := books.(console.Books)
	if !ok {
		return fmt.Errorf("%w: acquirer.store: this store can't be searched", ErrConfig)
	}
	sealer, err := pay.NewGCMSealer(s.Kit.Secrets.Seal, s.Kit.Env.Rand())
	if err != nil {
		return err
	}
	s.hooks = webhook.New(webhook.Config{
		Env: s.Kit.Env, Store: store, Sealer: sealer, Lanes: s.Kit.Config.Acquirer.Lanes, Demo: s.Kit.Config.Mode == Demo,
		Owns: func(l book.Lane) bool { return s.Host.OwnsLane(l) }, Log: s.Kit.Log.With("part", "webhook"),
	})
	return nil
}

// openConsole serves the acquirer's console and API.
func (s *System) openConsole() error {
	c := s.Kit.Config.Acquirer.Console
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("acquirer.console.listen: %w: is another Huika running?", err)
	}
	s.onClose(func() error { return ignoreClosed(ln.Close()) })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	origin := "http://" + ln.Addr().String()
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return fmt.Errorf("%w: acquirer.console.cert: %w", ErrConfig, err)
		}
		ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
		origin = "https://" + ln.Addr().String()
	}
	books, ok := s.Books.(console.Books)
	if !ok {
		return errors.New("the books can't be searched")
	}
	log := s.Kit.Log.With("part", "console")
	live := console.NewLive(s.Kit.Env, s.Host.Counts)
	replies := idem.New(s.Kit.Env, books, log)
	s.task("live counts", live.Run)
	s.task("idempotent replies", replies.Run)
	pairing := guard.NewPairing(consoleKey(s.Kit.Secrets.Pairing), port)
	files, _ := web.Console()
	cfg := console.Config{
		Env: s.Kit.Env, Books: books, Lanes: s.Kit.Config.Acquirer.Lanes, Acquirer: s.Host, Live: live, Keys: apikey.New(s.Kit.Env, books), Hooks: s.hooks,
		Replies: replies, Files: files, Hosts: guard.LocalHosts(port, c.Hosts...), Pairing: pairing, Mode: string(s.Kit.Config.Mode), Log: log,
	}
	if s.Terminal != nil {
		cfg.Traces = s.Terminal
	}
	h, err := console.New(cfg)
	if err != nil {
		return err
	}
	s.ConsoleURL = origin + pairing.Path()
	s.serve("console", ln, h)
	return nil
}

// consoleKey is the console's own pairing key: who was shown the terminal's
// pairing address has not been shown the acquirer's.
func consoleKey(pairing pay.Secret) pay.Secret {
	m := hmac.New(sha256.New, pairing.Reveal())
	m.Write([]byte("huika console"))
	return pay.NewSecret(m.Sum(nil))
}
