package sim_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"huika/sim"
	"huika/sim/sweep"
	"huika/terminal"
)

const steps = 12

// Fresh seeds in every run; the range is printed, so that a failure can be run again.
func TestSeeds(t *testing.T) {
	n := uint64(400)
	if testing.Short() {
		n = 10
	}
	seeds, err := sweep.ForTest(n, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seeds %v", seeds)
	res := sweep.Run(t.Context(), seeds, sweep.Options{}, func(seed uint64) error {
		rep, err := sim.Run(sim.Options{Seed: seed, Steps: steps})
		return errors.Join(err, rep.Err())
	})
	for _, f := range res.Failures {
		t.Errorf("%v\nagain: %s -v", f.Err, sim.Options{Seed: f.Seed, Steps: steps}.Command())
	}
	if res.Ran == 0 {
		t.Fatal("no seed ran")
	}
}

// Seeds that found a bug once.
func TestNamedSeeds(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		steps int
		found string
	}{
		{1180, 20, "the resolver's list was old: it reversed a payment that had been approved since"},
		{2, 12, "a host without the lane answered 96 for ever, and its terminals stayed"},
		{81, 12, "a host that did not know whether it had admitted a payment left it open"},
	} {
		rep, err := sim.Run(sim.Options{Seed: c.seed, Steps: c.steps})
		if err != nil || rep.Err() != nil {
			t.Errorf("%s: %v %v", c.found, err, rep.Err())
		}
	}
}

// The same seed is the same run, also where the stores are files: what SQLite
// does between two steps is not seen by the scheduler.
func TestSameSeedSameRun(t *testing.T) {
	for seed := uint64(1); seed <= 13; seed++ {
		var first sim.Report
		for i := range 2 {
			rep, err := sim.Run(sim.Options{Seed: seed, Steps: 6})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = rep
			} else if rep.Hash != first.Hash || !reflect.DeepEqual(rep, first) {
				t.Fatalf("seed %d, run %d differs: %x and %x", seed, i, rep.Hash, first.Hash)
			}
		}
	}
}

// The kind of store changes nothing that the system does.
func TestStoresAgree(t *testing.T) {
	for seed := uint64(40); seed < 46; seed++ {
		m, err := sim.Run(sim.Options{Seed: seed, Steps: steps, Hosts: 1, Without: sim.Torn, Stores: sim.InMemory})
		if err != nil || m.Err() != nil {
			t.Fatal(err, m.Err())
		}
		f, err := sim.Run(sim.Options{Seed: seed, Steps: steps, Hosts: 1, Without: sim.Torn, Stores: sim.OnSQLite})
		if err != nil || f.Err() != nil {
			t.Fatal(err, f.Err())
		}
		if m.Hash != f.Hash || m.Approved != f.Approved || m.Crashes != f.Crashes {
			t.Errorf("seed %d: memory %x, %d approved, %d crashes; SQLite %x, %d, %d", seed, m.Hash, m.Approved, m.Crashes, f.Hash, f.Approved, f.Crashes)
		}
	}
}

// What the simulation is for happens in it: every kind of trouble, of
// transaction and of ending.
func TestEverythingHappens(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a hundred seeds")
	}
	want := []string{
		"skewed", "slow", "dead", "full", "parted", "takenover", "torn", "books silent", "books not written", "fenced", "lane moved", "try again", "settled",
		string(terminal.Approved), string(terminal.Declined), string(terminal.Reversed), string(terminal.Cancelled), string(terminal.TryAgain),
	}
	for _, k := range []terminal.Kind{terminal.Sale, terminal.Void, terminal.Refund, terminal.PreAuth, terminal.PreAuthCancel, terminal.Completion, terminal.CompletionVoid, terminal.Balance} {
		want = append(want, fmt.Sprintf("approved %s", k))
	}
	met := map[string]int{}
	for seed := uint64(1); seed <= 300 && len(want) > 0; seed++ {
		rep, err := sim.Run(sim.Options{Seed: seed, Steps: 12})
		if err := errors.Join(err, rep.Err()); err != nil {
			t.Fatal(err)
		}
		for what, n := range rep.Met {
			met[what] += n
		}
		want = slices.DeleteFunc(want, func(w string) bool { return met[w] > 0 })
	}
	if len(want) > 0 {
		t.Errorf("never happened: %q; what did: %v", want, met)
	}
}

func TestFaultNames(t *testing.T) {
	all, err := sim.ParseFaults(sim.AllFaults.String())
	if err != nil || all != sim.AllFaults {
		t.Errorf("%v: %v", all, err)
	}
	if _, err := sim.ParseFaults("cut,broken"); !errors.Is(err, sim.ErrFault) {
		t.Errorf("a kind that is none: %v", err)
	}
}
