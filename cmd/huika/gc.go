package main

import (
	"os"
	"runtime/debug"
)

// hostGC lets a host's heap grow to five times what lives in it before it is
// collected: little of it lives long, and memory is what a host has most of
// (docs/performance.md).
const hostGC = 400

// tuneHost applies hostGC, unless GOGC says otherwise.
func tuneHost() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(hostGC)
	}
}
