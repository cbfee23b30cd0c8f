package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

type demoCmd struct {
	Listen        string `help:"Where the POS page listens." placeholder:"127.0.0.1:8080"`
	DemoListen    string `help:"Where the card tray listens." placeholder:"127.0.0.1:8081"`
	Data          string `help:"Data directory." placeholder:"data"`
	ConsoleListen string `help:"Where the acquirer's console and API listen." placeholder:"127.0.0.1:8082"`
	NoFirstTap    bool   `help:"Do not make a first tap."`
}

// defaultConsole is where the demonstration's console listens.
const defaultConsole = "127.0.0.1:8082"

// firstTap is the payment that the demonstration makes to show its main job.
const firstTap = 8880

func (d *demoCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	override(&cfg.Terminal.Listen, d.Listen)
	override(&cfg.Terminal.DemoListen, d.DemoListen)
	override(&cfg.Acquirer.Console.Listen, d.ConsoleListen)
	if cfg.Acquirer.Console.Listen == "" {
		cfg.Acquirer.Console.Listen = defaultConsole
	}
	override(&cfg.Data, d.Data)
	s, err := site.Open(rt.Real(), cfg, site.Everything, logger(cfg.Log))
	if err != nil {
		return err
	}
	return runUntil(ctx, s, func(ctx context.Context) error {
		if err := ready(ctx, s); err != nil {
			return err
		}
		if !d.NoFirstTap && s.Desk != nil {
			if err := d.tapOnce(ctx, s); err != nil {
				return err
			}
		}
		fmt.Printf("POS: %s\n", s.POSURL)
		if s.TrayURL != "" {
			fmt.Printf("Tray: %s\n", s.TrayURL)
		}
		fmt.Printf("Console: %s\n", s.ConsoleURL)
		fmt.Println("Open the POS address in a browser. Ctrl-C ends.")
		return nil
	})
}

func (d *demoCmd) tapOnce(ctx context.Context, s *site.System) error {
	begun := time.Now()
	id, err := s.Terminal.StartSale(ctx, terminal.SaleRequest{Amount: pay.Fen(firstTap)})
	if err != nil {
		return fmt.Errorf("first tap: %w", err)
	}
	card, err := s.Desk.Put(ctx, "unionpay-debit", "")
	if err != nil {
		return fmt.Errorf("first tap: %w", err)
	}
	res, err := s.Terminal.Wait(ctx, id)
	if err != nil {
		return fmt.Errorf("first tap: %w", err)
	}
	if err := s.Desk.Take(ctx, card); err != nil {
		return fmt.Errorf("first tap: %w", err)
	}
	fmt.Printf("First tap: %s %s, %s, card %s, RRN %s, %d ms in all (card present to answer %.0f ms)\n",
		res.Amount, res.Currency, res.Outcome, res.MaskedPAN, res.RRN, time.Since(begun).Milliseconds(), res.Timings.Total)
	if err := s.Terminal.Dismiss(ctx); err != nil {
		return fmt.Errorf("first tap: %w", err)
	}
	return nil
}

func override(field *string, flag string) {
	if flag != "" {
		*field = flag
	}
}

// ready waits until the parts have found each other.
func ready(ctx context.Context, s *site.System) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return s.WaitReady(ctx)
}

// runUntil opens for business with f, then waits for the end: a signal, or a
// failure of the system itself. Whatever was started is closed.
func runUntil(ctx context.Context, s *site.System, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a system that fails by itself ends the waiting
		<-s.Done()
		cancel()
	}()
	err := f(ctx)
	if err == nil {
		<-ctx.Done()
	} else if errors.Is(err, context.Canceled) && s.Err() == nil {
		err = nil // the user asked to end
	}
	return errors.Join(err, s.Err(), s.Close())
}

func logger(c site.LogConfig) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	opt := &slog.HandlerOptions{Level: level}
	if c.Form == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opt))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opt))
}
