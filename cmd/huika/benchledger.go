package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"huika/site/load"
)

type benchLedgerCmd struct {
	Seconds   float64 `help:"How long to measure, half of it the ledger, half of it bare rows." default:"10"`
	Merchants int     `help:"Merchants whose chains grow." default:"1000"`
	Batch     int     `help:"Transfers in one durable write." default:"8192"`
	JSON      bool    `help:"Print JSON."`
}

const maxBenchBatch = 1 << 20

func (b *benchLedgerCmd) Run(ctx context.Context, _ *cli) error {
	switch {
	case b.Seconds <= 0 || b.Seconds > maxBenchSeconds:
		return usageError{fmt.Sprintf("--seconds: want more than 0, at most %d", maxBenchSeconds)}
	case b.Merchants < 1 || b.Merchants > 100_000:
		return usageError{"--merchants: want 1 to 100000"}
	case b.Batch < 1 || b.Batch > maxBenchBatch:
		return usageError{fmt.Sprintf("--batch: want 1 to %d", maxBenchBatch)}
	}
	dir, err := os.MkdirTemp("", "huika-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory that stays harms nobody
	fig, err := load.Ledger(ctx, load.LedgerOptions{Dir: dir, For: time.Duration(b.Seconds * float64(time.Second)), Merchants: b.Merchants, Batch: b.Batch})
	if err != nil {
		return err
	}
	if b.JSON {
		return json.NewEncoder(os.Stdout).Encode(fig)
	}
	fmt.Printf("ledger on SQLite: %.0f transfers a second, durable, %d a write, %d merchants; %.1f us CPU each\n", fig.PerSecond, fig.Batch, fig.Merchants, fig.CPU)
	fmt.Printf("bare rows, one INSERT each, no index, no chain, in turns with it: %.0f a second, %.1f us CPU each; the ledger does %.0f %% of that\n", fig.RawPerSecond, fig.RawCPU, 100*fig.Ratio)
	return nil
}
