package sched

import (
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
)

type state uint8

const (
	ready   state = iota // in World.runnable
	running              // its goroutine has the turn
	parked               // waits for something
	ended
)

// where is what a task waits for, for Parked and the history.
type where uint8

const (
	nowhere where = iota
	inSleep
	inWait
	inDial
	inAccept
	inRead
	inWrite
)

func (w where) String() string {
	return [...]string{"a turn", "sleep", "wake", "dial", "accept", "read", "write"}[w]
}

// task is a goroutine that runs only when the scheduler switches to it (a
// coroutine of package iter: a switch costs about a tenth of what a channel does).
type task struct {
	id    uint64
	name  string // node/task
	env   *env   // the incarnation it belongs to
	state state
	where where
	err   error // what its wait returns

	next  func() (struct{}, bool)
	yield func(struct{}) bool

	at     int  // index in World.live
	killed bool // unwinding: every call returns ErrCrashed

	// Where it is registered while parked.
	queue *waitQueue
	spot  int // index in queue
	timer timer
	watch watcher
	wspot int // index in watch
}

// spawn makes a task; it runs when it is picked.
func (w *World) spawn(e *env, name string, f func()) {
	if len(w.live) >= MaxTasks {
		w.fail(ErrTasks)
		return
	}
	w.lastTask++
	t := &task{id: w.lastTask, name: e.node.name + "/" + name, env: e, at: len(w.live)}
	t.timer.index = -1
	t.timer.fire = func() { w.release(t, nil) }
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			w.finish(t, recover())
		}()
		if t.killed {
			return // crashed before its first turn
		}
		f()
	})
	w.live = append(w.live, t)
	w.runnable = append(w.runnable, t)
	w.hist.add(w, t, evStart, "", 0)
}

func (w *World) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// finish runs on the task's goroutine when it ends, in whatever way.
func (w *World) finish(t *task, panicked any) {
	if panicked != nil && !t.killed {
		w.fail(&PanicError{Task: t.name, Value: panicked, Stack: string(debug.Stack())})
	}
	t.state = ended
	last := len(w.live) - 1
	w.live[t.at] = w.live[last]
	w.live[t.at].at = t.at
	w.live[last] = nil
	w.live = w.live[:last]
	w.hist.add(w, t, evEnd, "", 0)
}

// current is the task that calls, which must be one of this world that has the turn.
func (w *World) current() *task {
	if w.cur == nil {
		panic("sched: a wait outside a task")
	}
	return w.cur
}

// giveUp hands the turn back and returns when the task has it again. A task
// that was crashed in the meantime does not return: it unwinds from here.
func (t *task) giveUp() {
	t.yield(struct{}{})
	if t.killed {
		runtime.Goexit()
	}
}

// pass lets others run; the caller stays runnable.
func (w *World) pass(t *task) {
	t.state, t.where = ready, nowhere
	w.runnable = append(w.runnable, t)
	t.giveUp()
}

// park waits until release. Whoever calls it has registered t somewhere.
func (w *World) park(t *task, at where) error {
	t.state, t.where, t.err = parked, at, nil
	w.hist.park(w, t)
	t.giveUp()
	return t.err
}

// release ends a task's wait with err and takes it off everything it was
// registered on. A task that is not parked is left alone.
func (w *World) release(t *task, err error) {
	if t.state != parked {
		return
	}
	w.detach(t)
	t.err = err
	t.state = ready
	w.runnable = append(w.runnable, t)
}

func (w *World) detach(t *task) {
	if t.queue != nil {
		t.queue.remove(t)
	}
	w.timers.remove(&t.timer)
	if t.watch != nil {
		t.watch.forget(t)
	}
}

// killAll kills the tasks that are doomed, oldest first.
func (w *World) killAll(doomed func(*task) bool) {
	w.runnable = slices.DeleteFunc(w.runnable, doomed)
	var victims []*task
	for _, t := range w.live {
		if doomed(t) {
			victims = append(victims, t)
		}
	}
	slices.SortFunc(victims, func(a, b *task) int { return int(a.id) - int(b.id) })
	for _, t := range victims {
		w.kill(t)
	}
}

// kill unwinds a task that does not have the turn: its deferred functions run,
// and find that every call fails. The switch happens on a goroutine of its own
// because package iter passes Goexit on to the one that switches.
func (w *World) kill(t *task) {
	w.detach(t)
	t.killed = true
	w.hist.add(w, t, evKill, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.enter(t)
	}()
	<-done
}

// waitQueue is a list of parked tasks.
type waitQueue struct{ tasks []*task }

func (q *waitQueue) add(t *task) {
	t.queue, t.spot = q, len(q.tasks)
	q.tasks = append(q.tasks, t)
}

func (q *waitQueue) remove(t *task) {
	last := len(q.tasks) - 1
	q.tasks[t.spot] = q.tasks[last]
	q.tasks[t.spot].spot = t.spot
	q.tasks[last] = nil
	q.tasks = q.tasks[:last]
	t.queue = nil
}

// releaseAll ends the wait of everyone in the queue.
func (q *waitQueue) releaseAll(w *World) {
	for len(q.tasks) > 0 {
		w.release(q.tasks[len(q.tasks)-1], nil)
	}
}
