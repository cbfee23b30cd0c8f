package site

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// CrashVariable names the environment variable by which a test orders a
// process to kill itself at a durable boundary: "books-after:3" is the third
// time that the books were written.
const CrashVariable = "HUIKA_CRASH_AT"

// crashFromEnv is the Boundary that CrashVariable orders, or nil. It kills the
// process as kill -9 does: nothing is flushed, no deferred call runs.
func crashFromEnv() Boundary {
	point, count, ok := strings.Cut(os.Getenv(CrashVariable), ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil || n < 1 {
		return nil
	}
	var left atomic.Int64
	left.Store(n)
	return func(at string) {
		if at == point && left.Add(-1) == 0 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				panic(err)
			}
			for { //nolint:revive // the signal is on its way; nothing may run after it
				syscall.Pause() //nolint:errcheck // returns only to die
			}
		}
	}
}
