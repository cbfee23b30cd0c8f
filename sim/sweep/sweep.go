// Package sweep runs one simulation after another, a seed each, on all cores,
// and keeps the seeds that failed. What a simulation is, it does not know: sim
// and its tests hand it a function. The ranges that people write (7, 1..200)
// are read here.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxFailures is how many failing seeds a sweep collects before it stops.
const MaxFailures = 20

// SeedsEnv names the environment variable that says how many seeds a test runs;
// make soak sets it.
const SeedsEnv = "HUIKA_SEEDS"

// ErrRange says that a text is not a range of seeds.
var ErrRange = errors.New("not a range of seeds like 1..200")

// Range is the seeds from First to Last, both included.
type Range struct{ First, Last uint64 }

// Parse reads "7" or "1..200".
func Parse(s string) (Range, error) {
	first, last, two := strings.Cut(s, "..")
	if !two {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 64)
	b, errB := strconv.ParseUint(last, 10, 64)
	if errA != nil || errB != nil || b < a || b-a == 1<<64-1 {
		return Range{}, fmt.Errorf("%w: %q", ErrRange, s)
	}
	return Range{a, b}, nil
}

func (r Range) String() string { return fmt.Sprintf("%d..%d", r.First, r.Last) }

// Count is how many seeds the range has.
func (r Range) Count() uint64 { return r.Last - r.First + 1 }

// Fresh is a range of n seeds that was hardly ever run before: it begins at the
// time now, in milliseconds. Print it, so that a failure can be run again.
func Fresh(n uint64, now time.Time) Range {
	first := uint64(now.UnixMilli())
	return Range{first, first + max(n, 1) - 1}
}

// ForTest is the fresh range that a test runs: n seeds, or as many as SeedsEnv
// says. A value with dots in it ("81..81") is the range itself.
func ForTest(n uint64, now time.Time) (Range, error) {
	s := os.Getenv(SeedsEnv)
	if s == "" {
		return Fresh(n, now), nil
	}
	if strings.Contains(s, "..") {
		return Parse(s)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return Range{}, fmt.Errorf("%s: %w: %q", SeedsEnv, ErrRange, s)
	}
	return Fresh(n, now), nil
}

// Failure is a seed and what went wrong in it.
type Failure struct {
	Seed uint64
	Err  error
}

func (f Failure) Error() string { return fmt.Sprintf("seed %d: %v", f.Seed, f.Err) }

func (f Failure) Unwrap() error { return f.Err }

// Result says how a sweep went.
type Result struct {
	Ran      uint64    // seeds that were run to their end
	Failures []Failure // by seed, MaxFailures at most
	Took     time.Duration
}

// Options say how to sweep. The zero value is right.
type Options struct {
	Workers  int                     // at once; zero: as many as there are cores
	Progress func(ran, count uint64) // told after every seed, by one worker at a time
}

// Run calls one for every seed of the range, until all are done, the context
// ends, or MaxFailures have failed. A panic of one is a failure of its seed.
func Run(ctx context.Context, r Range, opt Options, one func(seed uint64) error) Result {
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	begin := time.Now()
	var (
		mu     sync.Mutex
		next   = r.First
		given  uint64
		result Result
		all    sync.WaitGroup
	)
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if given == r.Count() || len(result.Failures) >= MaxFailures || ctx.Err() != nil {
			return 0, false
		}
		seed := next
		next++
		given++
		return seed, true
	}
	done := func(seed uint64, err error) {
		mu.Lock()
		defer mu.Unlock()
		result.Ran++
		if err != nil && len(result.Failures) < MaxFailures {
			result.Failures = append(result.Failures, Failure{seed, err})
		}
		if opt.Progress != nil {
			opt.Progress(result.Ran, r.Count())
		}
	}
	for range min(uint64(opt.Workers), r.Count()) {
		all.Go(func() {
			for {
				seed, ok := take()
				if !ok {
					return
				}
				done(seed, guarded(one, seed))
			}
		})
	}
	all.Wait()
	slices.SortFunc(result.Failures, func(a, b Failure) int {
		if a.Seed < b.Seed {
			return -1
		}
		return 1
	})
	result.Took = time.Since(begin)
	return result
}

func guarded(one func(uint64) error, seed uint64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := make([]byte, 16<<10)
			err = fmt.Errorf("panic: %v\n%s", p, stack[:runtime.Stack(stack, false)])
		}
	}()
	return one(seed)
}
