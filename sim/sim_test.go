package sim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/sim"
	"huika/sim/sweep"
	"huika/terminal/journal"
)

const steps = 8

// Fresh seeds in every run; the range is printed, so that a failure can be run again.
func TestSeeds(t *testing.T) {
	n := uint64(200)
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
		if err != nil {
			return err
		}
		return rep.Err()
	})
	for _, f := range res.Failures {
		t.Errorf("huika sim --seeds %d..%d --steps %d: %v", f.Seed, f.Seed, steps, f.Err)
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
	for _, seed := range []uint64{7, 13} {
		var first sim.Report
		for i := range 3 {
			rep, err := sim.Run(sim.Options{Seed: seed, Steps: 6})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = rep
			} else if rep.Hash != first.Hash || rep.Tried != first.Tried || rep.Approved != first.Approved {
				t.Fatalf("seed %d, run %d differs: %x and %x", seed, i, rep.Hash, first.Hash)
			}
		}
	}
}

// The kind of store changes nothing that the system does.
func TestStoresAgree(t *testing.T) {
	for seed := uint64(40); seed < 46; seed++ {
		m, err := sim.Run(sim.Options{Seed: seed, Steps: steps, Stores: sim.InMemory})
		if err != nil || m.Err() != nil {
			t.Fatal(err, m.Err())
		}
		f, err := sim.Run(sim.Options{Seed: seed, Steps: steps, Stores: sim.OnSQLite})
		if err != nil || f.Err() != nil {
			t.Fatal(err, f.Err())
		}
		if m.Hash != f.Hash || m.Approved != f.Approved || m.Crashes != f.Crashes {
			t.Errorf("seed %d: memory %x, %d approved, %d crashes; SQLite %x, %d, %d", seed, m.Hash, m.Approved, m.Crashes, f.Hash, f.Approved, f.Crashes)
		}
	}
}

// noReversals is a host that forgets what it owes: the resolver sees nothing open.
type noReversals struct{ book.Store }

func (noReversals) Unresolved(context.Context, book.Lane, book.Cursor) ([]payment.Payment, error) {
	return nil, nil
}

// doublePosting books every approval once more, under a number that nobody used.
type doublePosting struct{ book.Store }

func (d doublePosting) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	res, err := d.Store.Apply(ctx, batches)
	for i, b := range batches {
		for j, op := range b.Ops {
			if err != nil || op.Event != payment.Approve || res[i].Results[j].Status != book.Applied {
				continue
			}
			row := res[i].Results[j].Payment
			again := op
			again.Key.STAN += 500_000
			admit := book.Op{Event: payment.Admit, Key: again.Key, At: op.At, New: &row}
			if _, err := d.Store.Apply(ctx, []book.LaneBatch{{Lane: b.Lane, Epoch: b.Epoch, Ops: []book.Op{admit, again}}}); err != nil {
				return nil, err
			}
		}
	}
	return res, err
}

// forgetful says that a record is written before it is: what was sent when the
// machine goes down was never on its disk.
type forgetful struct {
	journal.Store
	late []journal.Record
}

func (f *forgetful) Append(ctx context.Context, records ...journal.Record) error {
	if err := f.Store.Append(ctx, f.late...); err != nil {
		return err
	}
	f.late = nil
	for i, r := range records {
		if _, sent := r.(journal.Sent); sent {
			f.late = records[i:]
			return f.Store.Append(ctx, records[:i]...)
		}
	}
	return f.Store.Append(ctx, records...)
}

func TestPlantedBugsAreFound(t *testing.T) {
	for name, plant := range map[string]func(*sim.Options){
		"no reversal":    func(o *sim.Options) { o.Books = func(s book.Store) book.Store { return noReversals{s} } },
		"double posting": func(o *sim.Options) { o.Books = func(s book.Store) book.Store { return doublePosting{s} } },
		"sent before it is written": func(o *sim.Options) {
			o.Journal = func(s journal.Store) journal.Store { return &forgetful{Store: s} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 200; seed++ {
				opt := sim.Options{Seed: seed, Steps: steps}
				plant(&opt)
				rep, err := sim.Run(opt)
				if err != nil || rep.Err() != nil {
					t.Logf("found at seed %d: %v %s", seed, err, strings.Join(rep.Problems, "; "))
					return
				}
			}
			t.Fatal("not found within 200 seeds: the oracles do not bite")
		})
	}
}
