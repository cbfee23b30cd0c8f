package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"huika/site/load"
)

type benchHostCmd struct {
	Store     string  `help:"sqlite or postgres." enum:"sqlite,postgres" default:"sqlite"`
	DSN       string  `help:"Connection string of the PostgreSQL database." name:"dsn" placeholder:"postgres://…"`
	Seconds   float64 `help:"How long to measure." default:"20"`
	Warm      float64 `help:"Seconds before that, not measured." default:"2"`
	Terminals int     `help:"Terminals, each with its own TLS connection and one payment at a time." default:"500"`
	Merchants int     `help:"Merchants that they belong to." default:"100"`
	Rate      float64 `help:"Payments a second (open loop: latency from the intended moment). 0: each terminal pays as fast as it is answered."`
	Data      string  `help:"Data directory; a temporary one by default." placeholder:"DIR"`
	Profile   string  `help:"Write the host's CPU profile to this file." placeholder:"FILE"`
	JSON      bool    `help:"Print JSON."`
}

const (
	maxBenchSeconds   = 24 * 3600
	maxBenchTerminals = 20_000
)

func (b *benchHostCmd) Run(ctx context.Context, _ *cli) error {
	switch {
	case b.Seconds <= 0 || b.Seconds > maxBenchSeconds:
		return usageError{fmt.Sprintf("--seconds: want more than 0, at most %d", maxBenchSeconds)}
	case b.Warm < 0 || b.Warm > maxBenchSeconds:
		return usageError{"--warm: want 0 or more"}
	case b.Terminals < 1 || b.Terminals > maxBenchTerminals:
		return usageError{fmt.Sprintf("--terminals: want 1 to %d", maxBenchTerminals)}
	case b.Rate < 0:
		return usageError{"--rate: want 0 or more"}
	case b.Store == "postgres" && b.DSN == "":
		return usageError{"--store postgres needs --dsn, such as postgres://huika@127.0.0.1/huika"}
	}
	dir := b.Data
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "huika-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // a temporary directory that stays harms nobody
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fig, err := load.Run(ctx, load.Options{
		Data: dir, Terminals: b.Terminals, Merchants: min(max(b.Merchants, 1), b.Terminals), Store: b.Store, DSN: b.DSN, Program: self, Rate: b.Rate, Profile: b.Profile,
		For: time.Duration(b.Seconds * float64(time.Second)), Warm: time.Duration(b.Warm * float64(time.Second)),
	})
	if err != nil {
		return err
	}
	if b.JSON {
		return json.NewEncoder(os.Stdout).Encode(fig)
	}
	fmt.Printf("%s, %s loop, %d terminals over TLS, %.1f s: %d payments, %.0f a second\n", fig.Store, fig.Loop, fig.Terminals, fig.Seconds, fig.Payments, fig.PerSecond)
	fmt.Printf("latency ms: p50 %.2f  p95 %.2f  p99 %.2f  p99.9 %.2f  max %.2f\n", fig.P50, fig.P95, fig.P99, fig.P999, fig.Max)
	fmt.Printf("a payment costs the host %.1f us CPU, %.0f allocations (%.0f bytes), %.0f bytes written; %.1f operations a commit\n",
		fig.HostCPU, fig.Allocs, fig.AllocBytes, fig.BytesWritten, fig.OpsPerCommit)
	fmt.Printf("terminals and scheme, in another process on the same machine: %.1f us CPU a payment; the issuer behind the scheme is not durable\n", fig.GeneratorCPU)
	return nil
}

// benchHostProcessCmd is started by benchHostCmd.
type benchHostProcessCmd struct{}

func (*benchHostProcessCmd) Run(ctx context.Context, _ *cli) error {
	tuneHost()
	return load.RunHost(ctx, os.Stdin, os.Stdout)
}
