package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"huika/sim"
	"huika/sim/sweep"
)

type simCmd struct {
	Seeds   string `help:"One seed, or a range like 1..200." default:"1..20"`
	Steps   int    `help:"Sales that the clerk tries in each seed." default:"8"`
	Verbose bool   `help:"Print the newest events of a failing seed." short:"v"`
	JSON    bool   `help:"Print JSON."`
}

// maxSteps bounds one seed's sales.
const maxSteps = 10_000

func (s *simCmd) Run(ctx context.Context) error {
	seeds, err := sweep.Parse(s.Seeds)
	if err != nil {
		return usageError{err.Error()}
	}
	if s.Steps < 1 || s.Steps > maxSteps {
		return usageError{fmt.Sprintf("--steps: want 1 to %d", maxSteps)}
	}
	res := sweep.Run(ctx, seeds, sweep.Options{Progress: s.progress}, func(seed uint64) error {
		rep, err := sim.Run(sim.Options{Seed: seed, Steps: s.Steps})
		if err == nil {
			err = rep.Err()
		}
		if err != nil && s.Verbose {
			fmt.Fprint(os.Stderr, rep.History)
		}
		return err
	})
	if s.JSON {
		failing := make([]uint64, 0, len(res.Failures))
		for _, f := range res.Failures {
			failing = append(failing, f.Seed)
		}
		if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"ran": res.Ran, "steps": s.Steps, "failing_seeds": failing, "seconds": res.Took.Seconds()}); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d seeds of %d sales in %.1f s, %d failed\n", res.Ran, s.Steps, res.Took.Seconds(), len(res.Failures))
		for _, f := range res.Failures {
			fmt.Printf("seed %d: %v\n  again: huika sim --seeds %d --steps %d -v\n", f.Seed, f.Err, f.Seed, s.Steps)
		}
	}
	switch {
	case len(res.Failures) > 0:
		return outcomeError{"a seed failed"}
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return nil
}

// progress prints a line now and then on a long run.
func (s *simCmd) progress(ran, count uint64) {
	if !s.JSON && ran%100 == 0 && ran < count {
		fmt.Fprintf(os.Stderr, "%d of %d seeds\n", ran, count)
	}
}
