// Command huika is the whole of Huika in one program: acquirer, terminal,
// stand-ins of the world, and the tools around them. Each file holds one
// subcommand: its flags, and the call into site. Exit codes: 0 approved or
// ok, 1 any other outcome of a payment, 2 usage, 3 technical.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"huika/site"
)

// Exit codes.
const (
	exitOK        = 0
	exitOutcome   = 1
	exitUsage     = 2
	exitTechnical = 3
)

type cli struct {
	Config string `help:"Configuration file (TOML)." type:"existingfile" env:"HUIKA_CONFIG" placeholder:"FILE"`

	Demo     demoCmd     `cmd:"" help:"Open for business: acquirer, world, one terminal and its page. Example: huika demo"`
	Tap      tapCmd      `cmd:"" help:"Take one payment from a simulated card. Example: huika tap --amount 88.80 --card unionpay-debit"`
	Cards    cardsCmd    `cmd:"" help:"List the simulated cards."`
	EMV      emvCmd      `cmd:"" name:"emv" help:"Decode card data; replay a tap."`
	Verify   verifyCmd   `cmd:"" help:"Prove that the books are whole. Example: huika verify --data data"`
	Backup   backupCmd   `cmd:"" help:"Copy an acquirer's books and keys while it runs. Example: huika backup --data data --to backup-1"`
	Restore  restoreCmd  `cmd:"" help:"Make a data directory of a backup. Example: huika restore --from backup-1 --data data"`
	APIKey   apiKeyCmd   `cmd:"" name:"apikey" help:"Keys for programs that use the acquirer's API."`
	Store    storeCmd    `cmd:"" help:"Prepare a PostgreSQL or Citus database for the books."`
	Sim      simCmd      `cmd:"" help:"Simulate the whole network with faults. Example: huika sim --seeds 1..200 --steps 20"`
	Bench    benchCmd    `cmd:"" help:"Measure."`
	Host     hostCmd     `cmd:"" help:"Run the acquirer's host alone."`
	Terminal terminalCmd `cmd:"" help:"Run one terminal alone."`
	World    worldCmd    `cmd:"" help:"Run the scheme and issuer stand-ins alone (demo)."`
	Card     cardCmd     `cmd:"" help:"Put a simulated card into the PC/SC stack. Example: huika card --name unionpay-debit"`
}

// outcomeError ends the program with exit code 1 after the outcome was printed.
type outcomeError struct{ word string }

func (e outcomeError) Error() string { return "outcome: " + e.word }

// usageError ends the program with exit code 2.
type usageError struct{ why string }

func (e usageError) Error() string { return e.why }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("huika"), kong.UsageOnError(), kong.Exit(func(n int) { code = n }),
		kong.Description("Card-present payment acceptance: terminal, acquirer and a whole world to try them in.\nExit codes: 0 approved or ok, 1 another outcome of a payment, 2 usage, 3 technical."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "huika:", err)
		return exitTechnical
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if code >= 0 {
		return exitOK // --help was printed
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "huika: %v (see huika --help)\n", err)
		return exitUsage
	}
	return exitCode(k.Run(&c))
}

func exitCode(err error) int {
	var outcome outcomeError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &outcome):
		return exitOutcome
	}
	fmt.Fprintln(os.Stderr, "huika:", err)
	if errors.As(err, &usage) || errors.Is(err, site.ErrConfig) {
		return exitUsage
	}
	return exitTechnical
}

// load is the configuration: defaults, file, environment; flags come after it.
func (c *cli) load() (site.Config, error) {
	cfg := site.Default()
	err := site.Load(&cfg, c.Config, os.Environ())
	return cfg, err
}
