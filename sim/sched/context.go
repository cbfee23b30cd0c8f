package sched

import (
	"context"
	"sync"
	"time"
)

// watcher is whatever ends waits when a context ends.
type watcher interface{ forget(*task) }

// timeout is a context with a deadline on the virtual clock. Its Done and its
// descendants are those of inner, a context of the standard library, so that
// whatever package context derives from it ends with it, at once and without a
// goroutine in between; source is what ends inner.
type timeout struct {
	w        *World
	parent   context.Context
	inner    context.Context
	free     context.CancelFunc // of inner; it has ended by then
	source   source
	deadline time.Time     // by the clock of the node that made it
	at       time.Duration // the same, since the world began: clocks may be set meanwhile
	timer    timer

	up   attachment // where it hears of its parent's end
	spot int        // index there

	below []*timeout // children of our own make
	tasks []*task    // parked with this context
}

// source is the parent of a timeout's inner context. Package context gives a
// parent that has AfterFunc the function that ends the child, with the error that
// Err has then; this is the only way to end one with DeadlineExceeded at our time.
type source struct {
	context.Context // the timeout's parent, for values and deadline
	owner           *timeout
	mu              sync.Mutex // goroutines of package database/sql read contexts too
	err             error
	end             func()
}

// never is the Done of every source: it looks as if it could end.
var never = make(chan struct{})

func (s *source) Done() <-chan struct{} { return never }

func (s *source) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *source) Value(key any) any {
	if key == (timeoutKey{}) {
		return s.owner
	}
	return s.Context.Value(key)
}

// AfterFunc is called once, by the context.WithCancel that makes inner.
func (s *source) AfterFunc(end func()) (stop func() bool) {
	s.end = end
	return func() bool { return false }
}

// attachment is the nearest thing above a timeout that can end it.
type attachment interface {
	attach(*timeout)
	detach(*timeout)
}

type timeoutKey struct{}

func (e *env) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	w := e.w
	c := &timeout{w: w, parent: parent}
	c.source.Context, c.source.owner = parent, c
	c.inner, c.free = context.WithCancel(&c.source)
	c.timer.fire = func() { c.end(context.DeadlineExceeded) }
	c.at, c.deadline = w.now+d, e.Now().Add(d)
	earlier, ok := parent.Deadline()
	inherited := ok && w.ending(e, parent, earlier) <= c.at
	if inherited {
		c.at, c.deadline = w.ending(e, parent, earlier), earlier
	}
	switch err := parent.Err(); {
	case err != nil:
		c.end(err)
	case e.dead:
		c.end(context.Canceled)
	case d <= 0:
		c.end(context.DeadlineExceeded)
	default:
		if parent.Done() != nil {
			c.up = w.above(parent)
			c.up.attach(c)
		}
		if !inherited {
			c.timer.at = c.at
			w.timers.add(&c.timer)
		}
	}
	return c, func() { c.end(context.Canceled) }
}

func (c *timeout) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *timeout) Done() <-chan struct{} { return c.inner.Done() }

// Err asks the parent as well: a context of the standard library tells us of
// its end only when the scheduler looks, before the next turn.
func (c *timeout) Err() error {
	if err := c.inner.Err(); err != nil {
		return err
	}
	return c.parent.Err()
}

func (c *timeout) Value(key any) any { return c.inner.Value(key) }

func (c *timeout) String() string { return "sched.WithTimeout" }

// end ends the context, those below it, and the waits of tasks that wait with it.
func (c *timeout) end(err error) {
	c.source.mu.Lock()
	over := c.source.err != nil
	if !over {
		c.source.err = err
	}
	c.source.mu.Unlock()
	if over {
		return
	}
	c.source.end()
	c.free()
	c.w.timers.remove(&c.timer)
	if c.up != nil {
		c.up.detach(c)
		c.up = nil
	}
	for len(c.below) > 0 {
		c.below[0].end(err) // it detaches itself
	}
	for len(c.tasks) > 0 {
		c.w.release(c.tasks[0], err)
	}
}

func (c *timeout) attach(child *timeout) {
	child.spot = len(c.below)
	c.below = append(c.below, child)
}

func (c *timeout) detach(child *timeout) { c.below = removeTimeout(c.below, child) }

func (c *timeout) forget(t *task) { c.tasks = removeWatch(c.tasks, t) }

func removeTimeout(list []*timeout, c *timeout) []*timeout {
	last := len(list) - 1
	list[c.spot] = list[last]
	list[c.spot].spot = c.spot
	list[last] = nil
	return list[:last]
}

func removeWatch(list []*task, t *task) []*task {
	last := len(list) - 1
	list[t.wspot] = list[last]
	list[t.wspot].wspot = t.wspot
	list[last] = nil
	t.watch = nil
	return list[:last]
}

// above finds what to listen to for the end of ctx: the timeout that it is or
// carries values over, or the watch of a context of another make.
func (w *World) above(ctx context.Context) attachment {
	if c := w.ours(ctx); c != nil {
		return c
	}
	return w.watches.of(ctx)
}

func (w *World) ours(ctx context.Context) *timeout {
	if c, ok := ctx.(*timeout); ok && c.w == w {
		return c
	}
	if c, ok := ctx.Value(timeoutKey{}).(*timeout); ok && c.w == w && ctx.Done() == c.Done() {
		return c
	}
	return nil
}

// ending is when ctx's deadline is, since the world began: that of the timeout
// which gave it, whatever the clocks were set to since.
func (w *World) ending(e *env, ctx context.Context, deadline time.Time) time.Duration {
	if c, ok := ctx.Value(timeoutKey{}).(*timeout); ok && c.w == w && c.deadline.Equal(deadline) {
		return c.at
	}
	return w.now + deadline.Sub(e.Now())
}

// watchContext registers t, which is about to park, for the end of ctx.
func (w *World) watchContext(t *task, ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	if c := w.ours(ctx); c != nil {
		t.watch, t.wspot = c, len(c.tasks)
		c.tasks = append(c.tasks, t)
		return
	}
	v := w.watches.of(ctx)
	t.watch, t.wspot = v, len(v.tasks)
	v.tasks = append(v.tasks, t)
}

// watch polls one context of the standard library for all who depend on it.
type watch struct {
	ctx   context.Context
	done  <-chan struct{}
	tasks []*task
	below []*timeout
	idle  int // polls since somebody depended on it
}

// idlePolls is how long a watch that nobody needs is kept: making one costs more than passing one by.
const idlePolls = 256

// watchList is every watch, in the order of their making; the map only finds them.
type watchList struct {
	list []*watch
	find map[<-chan struct{}]*watch
	last *watch
}

func (l *watchList) init() { l.find = make(map[<-chan struct{}]*watch) }

func (l *watchList) of(ctx context.Context) *watch {
	done := ctx.Done()
	if l.last != nil && l.last.done == done {
		return l.last
	}
	v := l.find[done]
	if v == nil {
		v = &watch{ctx: ctx, done: done}
		l.find[done] = v
		l.list = append(l.list, v)
	}
	l.last = v
	return v
}

// poll ends the waits and the timeouts whose context has ended.
func (l *watchList) poll(w *World) {
	kept := 0
	for i, v := range l.list {
		if len(v.tasks) == 0 && len(v.below) == 0 {
			if v.idle++; v.idle > idlePolls {
				delete(l.find, v.done)
				if l.last == v {
					l.last = nil
				}
				continue
			}
		} else {
			v.idle = 0
			if err := v.ctx.Err(); err != nil {
				for len(v.below) > 0 {
					v.below[0].end(err)
				}
				for len(v.tasks) > 0 {
					w.release(v.tasks[0], err)
				}
			}
		}
		if kept != i {
			l.list[kept] = v
		}
		kept++
	}
	clear(l.list[kept:])
	l.list = l.list[:kept]
}

func (v *watch) attach(c *timeout) {
	c.spot = len(v.below)
	v.below = append(v.below, c)
}

func (v *watch) detach(c *timeout) { v.below = removeTimeout(v.below, c) }

func (v *watch) forget(t *task) { v.tasks = removeWatch(v.tasks, t) }
