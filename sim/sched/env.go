package sched

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"time"

	"huika/rt"
)

// node is a machine that can crash and come back.
type node struct {
	name  string
	env   *env // the present incarnation
	rand  *rand.ChaCha8
	ahead time.Duration // of its clock before the world's
}

// env is one life of a node: from World.Node to World.Crash.
type env struct {
	w    *World
	node *node
	dead bool
}

var _ rt.Env = (*env)(nil)

// Node is the machine of that name, made at its first mention. After a Crash it
// is the machine started anew: the old Env stays dead for ever.
func (w *World) Node(name string) rt.Env {
	n := w.nodes[name]
	if n == nil {
		n = &node{name: name, rand: rand.NewChaCha8(randSeed(w.seed, name))}
		w.nodes[name] = n
	}
	if n.env == nil || n.env.dead {
		n.env = &env{w: w, node: n}
	}
	return n.env
}

// SetClock sets a node's clock to so much before the world's, at once and over
// crashes; below zero it is behind.
func (w *World) SetClock(name string, ahead time.Duration) {
	n := w.Node(name).(*env).node
	n.ahead = ahead
	w.hist.addName(w, evClock, name, int(ahead/time.Millisecond))
}

// Go starts a task that belongs to no machine: a customer, the planner of faults.
// Crash("world") ends it.
func (w *World) Go(name string, f func()) { w.Node("world").Go(name, f) }

// Alive says whether the Env is a node of a world that has not crashed. Code
// that stands for a disk asks it, because deferred functions of a crashed task
// still run. Every other Env is alive.
func Alive(e rt.Env) bool {
	v, ok := e.(*env)
	return !ok || !v.dead && !(v.w.cur != nil && v.w.cur.killed)
}

// Crash ends the node as kill -9 does: its tasks unwind from where they wait,
// its listeners close, its connections are reset, and what they had not yet
// delivered is partly lost. Called by a task of that node it does not return.
func (w *World) Crash(name string) {
	n := w.nodes[name]
	if n == nil || n.env == nil || n.env.dead {
		return
	}
	t := w.cur
	if t == nil {
		w.crash(n)
		return
	}
	if t.killed {
		return
	}
	w.crashing, w.resume = n, t
	t.state, t.where = ready, nowhere // ready, but in no list: turn goes on with it
	t.giveUp()
}

// crash runs in the scheduler.
func (w *World) crash(n *node) {
	e := n.env
	if e.dead {
		return
	}
	e.dead = true
	w.hist.addName(w, evCrash, n.name, 0)
	w.net.crash(e)
	w.killAll(func(t *task) bool { return t.env == e })
}

func randSeed(seed uint64, name string) (key [32]byte) {
	h := fnv.New128a()
	h.Write([]byte(name))
	h.Sum(key[:0])
	binary.LittleEndian.PutUint64(key[16:], seed)
	return key
}

// enter is the task that makes a call, or ErrCrashed where either it or the node is dead.
func (e *env) enter() (*task, error) {
	t := e.w.current()
	if t.killed || e.dead {
		return t, ErrCrashed
	}
	return t, nil
}

// Now is what the machine's clock shows. Timers and deadlines do not follow it
// when it is set: like those of the real machine they count what passes.
func (e *env) Now() time.Time { return e.w.Now().Add(e.node.ahead) }

func (e *env) Sleep(ctx context.Context, d time.Duration) error {
	w := e.w
	t, err := e.enter()
	if err != nil {
		return err
	}
	if d <= 0 || ctx.Err() != nil {
		w.pass(t)
		return ctx.Err()
	}
	w.watchContext(t, ctx)
	t.timer.at = w.now + d
	w.timers.add(&t.timer)
	return w.park(t, inSleep)
}

func (e *env) Go(name string, f func()) {
	if e.dead || e.w.closed || e.w.cur != nil && e.w.cur.killed {
		return // nobody is left to run it
	}
	e.w.spawn(e, name, f)
}

func (e *env) Rand() io.Reader { return (*randomness)(e.node) }

// randomness is a node's stream; it goes on over crashes, so that no identifier comes twice.
type randomness node

func (r *randomness) Read(p []byte) (int, error) { return r.rand.Read(p) }

func (e *env) NewWaiter() rt.Waiter { return &waiter{e: e} }

// waiter is the binary semaphore of rt.
type waiter struct {
	e     *env
	token bool
	queue waitQueue
}

func (v *waiter) Wait(ctx context.Context) error {
	w := v.e.w
	t, err := v.e.enter()
	switch {
	case err != nil:
		return err
	case v.token:
		v.token = false
		w.pass(t)
		return nil
	case ctx.Err() != nil:
		w.pass(t)
		return ctx.Err()
	}
	w.watchContext(t, ctx)
	v.queue.add(t)
	return w.park(t, inWait)
}

// Wake hands the one token to one of those who wait, or keeps it.
func (v *waiter) Wake() {
	w := v.e.w
	if v.e.dead || w.cur != nil && w.cur.killed {
		return
	}
	n := len(v.queue.tasks)
	switch {
	case n == 0:
		v.token = true
	case n == 1:
		w.release(v.queue.tasks[0], nil)
	default:
		w.release(v.queue.tasks[w.rng.IntN(n)], nil)
	}
}
