package sched_test

import (
	"testing"
	"time"

	"huika/rt"
	"huika/sim/sched"
	"huika/sim/sched/envtest"
)

// simulated runs a body on fresh worlds of a few seeds.
func simulated(faults sched.Faults) envtest.Harness {
	return func(t *testing.T, body func(env rt.Env)) {
		seeds := uint64(20)
		if testing.Short() {
			seeds = 4
		}
		for seed := range seeds {
			w := sched.New(sched.Config{Seed: seed, Faults: faults})
			done := false
			env := w.Node("machine")
			env.Go("main", func() {
				body(env)
				done = true
			})
			_, err := w.Run(sched.Limit{Time: 24 * time.Hour})
			if err != nil || !done || t.Failed() {
				t.Errorf("seed %d: main ended: %v, error %v, parked %v", seed, done, err, w.Parked())
				w.Close()
				return
			}
			w.Close()
		}
	}
}

func TestContractTasks(t *testing.T) { envtest.Tasks(t, simulated(sched.Faults{})) }

func TestContractNetwork(t *testing.T) {
	t.Run("perfect", func(t *testing.T) { envtest.Network(t, simulated(sched.Faults{})) })
	t.Run("lan", func(t *testing.T) { envtest.Network(t, simulated(sched.LAN())) })
}
