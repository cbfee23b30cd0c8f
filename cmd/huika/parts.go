package main

import (
	"context"
	"fmt"

	"huika/card/perso"
	"huika/nfc/vpcd"
	"huika/rt"
	"huika/site"
)

type partFlags struct {
	Data string `help:"Data directory; parts that work together share it." placeholder:"data"`
}

func (p partFlags) open(c *cli, parts site.Parts, set func(*site.Config)) (*site.System, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	override(&cfg.Data, p.Data)
	set(&cfg)
	return site.Open(rt.Real(), cfg, parts, logger(cfg.Log))
}

type hostCmd struct {
	partFlags
	Listen        string `help:"Where terminals connect (TLS)." placeholder:"127.0.0.1:7001"`
	Scheme        string `help:"Where the scheme listens." placeholder:"127.0.0.1:7002"`
	MetricsListen string `help:"Where /healthz and /metrics are served." placeholder:"127.0.0.1:7009"`
	ConsoleListen string `help:"Where the console and the API are served." placeholder:"127.0.0.1:8082"`
}

func (h *hostCmd) Run(ctx context.Context, c *cli) error {
	tuneHost()
	s, err := h.open(c, site.Parts{Acquirer: true}, func(cfg *site.Config) {
		override(&cfg.Acquirer.Listen, h.Listen)
		override(&cfg.World.Scheme, h.Scheme)
		override(&cfg.Acquirer.MetricsListen, h.MetricsListen)
		override(&cfg.Acquirer.Console.Listen, h.ConsoleListen)
	})
	if err != nil {
		return err
	}
	return runUntil(ctx, s, func(context.Context) error {
		fmt.Printf("Host: %s\n", s.HostAddr())
		if a := s.MetricsAddr(); a != "" {
			fmt.Printf("Metrics: http://%s/metrics\n", a)
		}
		if s.ConsoleURL != "" {
			fmt.Printf("Console: %s\n", s.ConsoleURL)
		}
		return nil
	})
}

type worldCmd struct {
	partFlags
	Scheme string `help:"Where the scheme listens." placeholder:"127.0.0.1:7002"`
	Issuer string `help:"Where the issuer listens." placeholder:"127.0.0.1:7003"`
}

func (w *worldCmd) Run(ctx context.Context, c *cli) error {
	s, err := w.open(c, site.Parts{World: true}, func(cfg *site.Config) {
		override(&cfg.World.Scheme, w.Scheme)
		override(&cfg.World.Issuer, w.Issuer)
	})
	if err != nil {
		return err
	}
	return runUntil(ctx, s, func(context.Context) error {
		for _, name := range s.SchemeNames() {
			if name != site.SchemeName {
				fmt.Printf("Scheme %s: %s\n", name, s.SchemeAddrOf(name))
			}
		}
		fmt.Printf("Scheme: %s\nIssuer: %s\n", s.SchemeAddr(), s.IssuerAddr())
		return nil
	})
}

type terminalCmd struct {
	partFlags
	Host       string `help:"Where the acquirer listens." placeholder:"127.0.0.1:7001"`
	Listen     string `help:"Where the POS page listens." placeholder:"127.0.0.1:8080"`
	DemoListen string `help:"Where the card tray listens." placeholder:"127.0.0.1:8081"`
	Reader     string `help:"memory or pcsc." placeholder:"memory"`
}

func (t *terminalCmd) Run(ctx context.Context, c *cli) error {
	s, err := t.open(c, site.Parts{Terminal: true, Web: true}, func(cfg *site.Config) {
		override(&cfg.Acquirer.Listen, t.Host)
		override(&cfg.Terminal.Listen, t.Listen)
		override(&cfg.Terminal.DemoListen, t.DemoListen)
		override(&cfg.Terminal.Reader, t.Reader)
	})
	if err != nil {
		return err
	}
	return runUntil(ctx, s, func(context.Context) error {
		fmt.Printf("POS: %s\n", s.POSURL)
		if s.TrayURL != "" {
			fmt.Printf("Tray: %s\n", s.TrayURL)
		}
		return nil
	})
}

type cardCmd struct {
	Name string `help:"Which card (see huika cards)." required:""`
	VPCD string `help:"The virtual reader's slot." default:"127.0.0.1:35963" name:"vpcd"`
	Data string `help:"Data directory." placeholder:"data"`
}

func (k *cardCmd) Run(ctx context.Context, c *cli) error {
	if _, ok := perso.ProfileByName(k.Name); !ok {
		return usageError{fmt.Sprintf("there is no card %q: huika cards lists them", k.Name)}
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	override(&cfg.Data, k.Data)
	kit, err := site.OpenKit(rt.Real(), cfg, logger(cfg.Log))
	if err != nil {
		return err
	}
	card, err := kit.Cards.Card(k.Name, kit.CardState(k.Name), kit.Env.Rand())
	if err != nil {
		return err
	}
	fmt.Printf("%s lies on the reader at %s. Ctrl-C takes it away.\n", k.Name, k.VPCD)
	return vpcd.Serve(ctx, kit.Env, k.VPCD, card)
}
