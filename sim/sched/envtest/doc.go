// Package envtest is the contract of rt.Env as tests: package rt runs it on the
// real machine (time and tasks in a synctest bubble, the network on loopback),
// package sched on the simulated one. It is for tests only.
package envtest
