package rt_test

import (
	"testing"
	"testing/synctest"

	"huika/rt"
	"huika/sim/sched/envtest"
)

// TestContractTasks runs the contract of Env on the real machine with a clock
// that synctest moves: Queue, Future and Topic are part of it.
func TestContractTasks(t *testing.T) {
	envtest.Tasks(t, func(t *testing.T, body func(env rt.Env)) {
		synctest.Test(t, func(*testing.T) { body(rt.Real()) })
	})
}

func TestContractNetwork(t *testing.T) {
	envtest.Network(t, func(t *testing.T, body func(env rt.Env)) { body(rt.Real()) })
}
