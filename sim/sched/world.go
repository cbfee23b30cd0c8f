package sched

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Bounds of one world.
const (
	// MaxSteps is how many turns one Run gives before it returns ErrSteps, where its Limit names none.
	MaxSteps = 5_000_000
	// MaxTasks is how many tasks live at once before Run returns ErrTasks.
	MaxTasks = 20_000
	// DefaultStepCost is the most virtual time that one turn takes.
	DefaultStepCost = 20 * time.Microsecond
	// StallLimit is the real time after which a task that does not give its turn back is taken to hang.
	StallLimit = 60 * time.Second
)

// DefaultStart is the time at which a world begins: Monday, 5 January 2026, 09:00 in Beijing.
var DefaultStart = time.Date(2026, 1, 5, 1, 0, 0, 0, time.UTC)

// Errors of Run. PanicError is the third kind.
var (
	// ErrSteps says that the run used up its steps: a livelock, or a limit set too low.
	ErrSteps = errors.New("sched: out of steps")
	// ErrTasks says that MaxTasks tasks were alive and another was asked for.
	ErrTasks = errors.New("sched: too many tasks")
)

// ErrCrashed is what every call of a crashed node returns.
var ErrCrashed = errors.New("sched: node crashed")

// Config says what a world is like. The zero value is seed 0 on a perfect network.
type Config struct {
	Seed uint64
	// Start is the first value of Now; zero means DefaultStart.
	Start time.Time
	// StepCost is the most virtual time that one turn takes, so that a timeout can
	// fire while there is work to do; zero means DefaultStepCost, below zero none.
	StepCost time.Duration
	// Faults are those of every address that SetFaults does not name.
	Faults Faults
	// History is how many events are kept for printing; zero means DefaultHistory.
	History int
}

// Limit says when Run comes back. Zero fields do not limit (Steps: MaxSteps).
type Limit struct {
	Steps uint64        // turns given by this Run
	Time  time.Duration // virtual time that passes in this Run
	Until func() bool   // asked before every turn; it must not wait
}

// Reason says why Run came back.
type Reason string

// The reasons. A Run that returns an error has Failed.
const (
	Quiescent Reason = "quiescent" // nobody can run and no timer is set: look at Parked
	TimeUp    Reason = "time up"
	Reached   Reason = "reached" // Limit.Until said so
	Failed    Reason = "failed"
)

// PanicError is a task's panic.
type PanicError struct {
	Task  string
	Value any
	Stack string
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("sched: task %s panicked: %v\n%s", e.Task, e.Value, e.Stack)
}

// World is one simulated world. It is used by one goroutine, and by its own tasks.
type World struct {
	cfg   Config
	rng   *rand.Rand // the schedule and the network; nodes have their own stream for Env.Rand
	seed  uint64
	start time.Time
	now   time.Duration // since start

	cur      *task // whose turn it is; nil in the scheduler
	runnable []*task
	live     []*task
	timers   timerHeap
	watches  watchList
	nodes    map[string]*node
	net      network
	hist     history

	lastTask uint64
	steps    uint64
	turns    atomic.Uint64 // steps, for the stall watch
	err      error
	crashing *node // asked for by the task whose turn it was
	resume   *task // the task that goes on after a crash it asked for
	closed   bool
	noise    bool // false after Calm: no fault is drawn any more
}

// New makes a world. Close it after use: its tasks are goroutines.
func New(cfg Config) *World {
	if cfg.Start.IsZero() {
		cfg.Start = DefaultStart
	}
	if cfg.StepCost == 0 {
		cfg.StepCost = DefaultStepCost
	}
	w := &World{
		cfg:   cfg,
		rng:   rand.New(rand.NewPCG(cfg.Seed, 0x6875696b61)),
		seed:  cfg.Seed,
		start: cfg.Start.Round(0),
		nodes: make(map[string]*node),
		hist:  newHistory(cfg.History),
		noise: true,
	}
	w.net.init(w)
	w.watches.init()
	return w
}

// Seed is the seed this world was made with.
func (w *World) Seed() uint64 { return w.seed }

// Now is the virtual time.
func (w *World) Now() time.Time { return w.start.Add(w.now) }

// Elapsed is the virtual time since the world began.
func (w *World) Elapsed() time.Duration { return w.now }

// Steps is the number of turns given so far.
func (w *World) Steps() uint64 { return w.steps }

// Chance is true with probability p, by the seed. It is for those who plan
// faults from outside; a planner with a stream of its own disturbs less.
func (w *World) Chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// Run gives turns until a limit is met or nobody can run.
func (w *World) Run(limit Limit) (Reason, error) {
	switch {
	case w.closed:
		panic("sched: Run after Close")
	case w.cur != nil:
		panic("sched: Run inside a task")
	}
	if w.err != nil {
		return Failed, w.err
	}
	if limit.Steps == 0 {
		limit.Steps = MaxSteps
	}
	lastStep, lastTime := w.steps+limit.Steps, time.Duration(-1)
	if limit.Time > 0 {
		lastTime = w.now + limit.Time
	}
	defer w.watchStall()()
	for {
		if w.err != nil {
			return Failed, w.err
		}
		if limit.Until != nil && limit.Until() {
			return Reached, nil
		}
		w.watches.poll(w)
		if len(w.runnable) == 0 {
			at, ok := w.timers.next()
			if !ok {
				return Quiescent, nil
			}
			if lastTime >= 0 && at > lastTime {
				w.now = lastTime
				return TimeUp, nil
			}
			w.now = max(w.now, at)
			w.fireDue()
			continue
		}
		if w.steps == lastStep {
			return Failed, fmt.Errorf("%w after %d (seed %d, %v)", ErrSteps, limit.Steps, w.seed, w.now)
		}
		if lastTime >= 0 && w.now >= lastTime {
			return TimeUp, nil
		}
		if w.cfg.StepCost > 0 {
			w.now += time.Duration(w.rng.Int64N(int64(w.cfg.StepCost)))
			w.fireDue()
		}
		w.turn(w.pick())
	}
}

// pick takes one of the runnable tasks, by the seed.
func (w *World) pick() *task {
	i := 0
	if n := len(w.runnable); n > 1 {
		i = int(w.rng.Uint64N(uint64(n)))
	}
	t := w.runnable[i]
	last := len(w.runnable) - 1
	w.runnable[i] = w.runnable[last]
	w.runnable[last] = nil
	w.runnable = w.runnable[:last]
	return t
}

// turn lets t run until it waits or ends, and carries out the crash it asks for.
func (w *World) turn(t *task) {
	w.steps++
	w.turns.Store(w.steps)
	w.hist.turn(w, t)
	for {
		w.enter(t)
		if w.crashing == nil {
			return
		}
		n, caller := w.crashing, w.resume
		w.crashing, w.resume = nil, nil
		w.crash(n)
		if caller.state == ended {
			return
		}
		t = caller
	}
}

// enter switches to t's goroutine and comes back when it gives the turn away.
func (w *World) enter(t *task) {
	w.cur = t
	t.state = running
	defer func() { w.cur = nil }() // a test's FailNow in a task ends this goroutine as well
	t.next()
}

func (w *World) fireDue() {
	for {
		at, ok := w.timers.next()
		if !ok || at > w.now {
			return
		}
		w.timers.pop().fire()
	}
}

// At calls f after d, in the scheduler: f may Crash, Partition, SetFaults, Wake or Go, not wait.
func (w *World) At(d time.Duration, f func()) {
	w.timers.add(&timer{at: w.now + max(d, 0), fire: f})
}

// Parked lists the tasks that wait, as "node/task: what it waits for", oldest first.
func (w *World) Parked() []string {
	tasks := slices.Clone(w.live)
	slices.SortFunc(tasks, func(a, b *task) int { return int(a.id) - int(b.id) })
	var out []string
	for _, t := range tasks {
		if t.state == parked {
			out = append(out, t.name+": "+t.where.String())
		}
	}
	return out
}

// Close ends every task, as a crash of all nodes does. The world cannot run again.
func (w *World) Close() {
	if w.closed {
		return
	}
	if w.cur != nil {
		panic("sched: Close inside a task")
	}
	w.closed = true
	w.killAll(func(*task) bool { return true })
}

// watchStall ends the program with every goroutine's stack when one turn does
// not end: mostly a mutex held across a wait, which would otherwise hang without a word.
func (w *World) watchStall() (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(StallLimit)
		defer tick.Stop()
		for last := w.turns.Load(); ; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			now := w.turns.Load()
			if now == last {
				stacks := make([]byte, 1<<20)
				stacks = stacks[:runtime.Stack(stacks, true)]
				panic(fmt.Sprintf("sched: seed %d: no turn ended for %v (a mutex held across a wait?)\n%s", w.seed, StallLimit, stacks))
			}
			last = now
		}
	}()
	return func() { close(done) }
}
