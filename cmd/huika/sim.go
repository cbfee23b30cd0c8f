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
	Seeds     string `help:"One seed, or a range like 1..200." default:"1..20"`
	Steps     int    `help:"Transactions that the clerks of a seed try, all together." default:"8"`
	Terminals int    `help:"Terminals of a seed's town, at most; 0: as many as the seed says."`
	Hosts     int    `help:"Hosts that share the books, at most; 0: as many as the seed says."`
	Without   string `help:"Kinds of trouble that do not happen, like cut,crashed; all: nothing goes wrong."`
	Store     string `help:"What books and journals are kept in: seed (files for one seed in ten), memory or sqlite." default:"seed"`
	NoShrink  bool   `help:"Don't look for a smaller run that fails too."`
	Verbose   bool   `help:"Print what the parts log and, of a failing seed, the newest events." short:"v"`
	JSON      bool   `help:"Print JSON."`
}

// Bounds of one seed.
const (
	maxSteps     = 10_000
	maxTerminals = 64
	maxHosts     = 8
)

func (s *simCmd) Help() string {
	return "Runs whole towns (terminals, hosts, scheme, issuers, clerks) in simulated worlds with faults and crashes,\n" +
		"and holds what is durable in the end to oracles. The same seed is the same run.\n" +
		"Example: huika sim --seeds 1..1000 --steps 20\nExit codes: 0 all seeds are clean, 1 one failed (it prints the command that runs it again)."
}

func (s *simCmd) Run(ctx context.Context) error {
	seeds, err := sweep.Parse(s.Seeds)
	if err != nil {
		return usageError{err.Error()}
	}
	opt, err := s.options()
	if err != nil {
		return err
	}
	res := sweep.Run(ctx, seeds, sweep.Options{Progress: s.progress}, func(seed uint64) error {
		o := opt
		o.Seed = seed
		return s.one(o)
	})
	if err := s.print(ctx, opt, res); err != nil {
		return err
	}
	switch {
	case len(res.Failures) > 0:
		return outcomeError{"a seed failed"}
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return nil
}

func (s *simCmd) options() (opt sim.Options, err error) {
	switch {
	case s.Steps < 1 || s.Steps > maxSteps:
		return opt, usageError{fmt.Sprintf("--steps: want 1 to %d", maxSteps)}
	case s.Hosts < 0 || s.Hosts > maxHosts:
		return opt, usageError{fmt.Sprintf("--hosts: want 0 to %d", maxHosts)}
	case s.Terminals < 0 || s.Terminals > maxTerminals:
		return opt, usageError{fmt.Sprintf("--terminals: want 0 to %d", maxTerminals)}
	}
	opt = sim.Options{Steps: s.Steps, Terminals: s.Terminals, Hosts: s.Hosts}
	if opt.Without, err = sim.ParseFaults(s.Without); err != nil {
		return opt, usageError{"--without: " + err.Error()}
	}
	if opt.Stores, err = sim.ParseStores(s.Store); err != nil {
		return opt, usageError{"--store: " + err.Error()}
	}
	if s.Verbose {
		opt.Log = os.Stderr
	}
	return opt, nil
}

func (s *simCmd) one(opt sim.Options) error {
	rep, err := sim.Run(opt)
	if err == nil {
		err = rep.Err()
	}
	if s.Verbose {
		if err != nil {
			fmt.Fprint(os.Stderr, rep.History)
		}
		fmt.Fprintf(os.Stderr, "seed %d: %s\n", rep.Seed, rep.Town)
	}
	return err
}

// smaller is the first failing seed, made as small as it gets.
func (s *simCmd) smaller(ctx context.Context, opt sim.Options, res sweep.Result) (again string, why error) {
	opt.Seed, opt.Log = res.Failures[0].Seed, nil
	if s.NoShrink {
		return opt.Command(), res.Failures[0].Err
	}
	small, rep, err := sim.Shrink(ctx, opt)
	if err == nil {
		err = rep.Err()
	}
	return small.Command(), err
}

func (s *simCmd) print(ctx context.Context, opt sim.Options, res sweep.Result) error {
	if s.JSON {
		out := map[string]any{"ran": res.Ran, "steps": s.Steps, "seconds": res.Took.Seconds()}
		failing := make([]uint64, 0, len(res.Failures))
		for _, f := range res.Failures {
			failing = append(failing, f.Seed)
		}
		out["failing_seeds"] = failing
		if len(res.Failures) > 0 {
			again, why := s.smaller(ctx, opt, res)
			out["again"], out["why"] = again, fmt.Sprint(why)
		}
		return json.NewEncoder(os.Stdout).Encode(out)
	}
	fmt.Printf("%d seeds of %d transactions in %.1f s, %d failed\n", res.Ran, s.Steps, res.Took.Seconds(), len(res.Failures))
	for _, f := range res.Failures {
		fmt.Println(f.Err)
	}
	if len(res.Failures) > 0 {
		again, why := s.smaller(ctx, opt, res)
		fmt.Printf("the first one, as small as it gets: %v\n  again: %s -v\n", why, again)
	}
	return nil
}

// progress prints a line now and then on a long run.
func (s *simCmd) progress(ran, count uint64) {
	if !s.JSON && ran%1000 == 0 && ran < count {
		fmt.Fprintf(os.Stderr, "%d of %d seeds\n", ran, count)
	}
}
