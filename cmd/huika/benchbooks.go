package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"huika/site/load"
)

type benchBooksCmd struct {
	Payments  int    `help:"Payments to put into an empty store." default:"1000000"`
	Merchants int    `help:"Merchants, of sizes as Zipf says." default:"10000"`
	Every     int    `help:"Payments between two rows of figures." default:"250000"`
	Data      string `help:"Directory that keeps the books; a temporary one by default." placeholder:"DIR"`
	JSON      bool   `help:"Print JSON, a row a line."`
}

func (b *benchBooksCmd) Run(ctx context.Context, _ *cli) error {
	switch {
	case b.Payments < 1 || b.Payments > 1_000_000_000:
		return usageError{"--payments: want 1 to 1000000000"}
	case b.Merchants < 2 || b.Merchants > 99_999:
		return usageError{"--merchants: want 2 to 99999"}
	case b.Every < 1:
		return usageError{"--every: want 1 or more"}
	}
	dir := b.Data
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "huika-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // a temporary directory that stays harms nobody
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if !b.JSON {
		fmt.Println("    payments   a second   CPU us each   bytes written each")
	}
	return load.Fill(ctx, load.FillOptions{Dir: dir, Payments: b.Payments, Merchants: b.Merchants, Every: b.Every, Report: func(f load.FillFigures) {
		if b.JSON {
			_ = json.NewEncoder(os.Stdout).Encode(f) // a reader that has gone ends us at the next write all the same
			return
		}
		fmt.Printf("%12d %10.0f %13.1f %20.0f\n", f.Payments, f.PerSecond, f.CPU, f.BytesWritten)
	}})
}
