// Package sched is a small simulated machine: a seeded scheduler that runs one
// task at a time, a clock that jumps, a network in memory whose faults the seed
// decides, and nodes that can be crashed. Each node is an [rt.Env], so the very
// code of terminal, acquirer and world runs on it; the same seed gives the same
// run, event by event ([World.Hash]).
//
// It knows nothing of payments: package sim puts a whole site on it and asks
// its questions. It does not look for data races either (one task runs at a
// time, so there are none); tests on real sockets do, under the race detector.
//
// A run:
//
//	w := sched.New(sched.Config{Seed: 7})
//	defer w.Close()
//	w.Node("acquirer").Go("serve", serve)
//	reason, err := w.Run(sched.Limit{Time: time.Minute})
//
// Tasks change over only where they wait: in Sleep, in a Waiter's Wait, and in
// the network's Dial, Accept, Read and Write. Go, Wake, Now, Rand, WithTimeout
// and the cancel functions never give the turn away, so they may be called with
// a mutex held. Only tasks, and the caller of Run while Run is not running, may
// use the Env; goroutines of other make may read contexts, nothing else.
package sched
