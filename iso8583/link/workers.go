package link

import (
	"huika/rt"
)

// maxIdleWorkers bounds the tasks that wait for a frame to handle. More than
// that may be at work; they end when they have nothing to do.
const maxIdleWorkers = 1024

type job struct {
	c     *Conn
	frame []byte
}

// workers are the tasks that call Handle. They are used again: a new task's
// stack grows anew with every frame, which costs more than handing it over.
type workers struct {
	s    *server
	jobs *rt.Queue[job]
	free int // workers that wait for jobs, less the jobs that are on their way to one; under s.mu
}

func newWorkers(s *server) *workers {
	return &workers{s: s, jobs: rt.NewQueue[job](s.env, maxIdleWorkers)}
}

// give hands a frame to a worker that waits, or to a new one. It never waits.
func (w *workers) give(c *Conn, frame []byte) {
	w.s.mu.Lock()
	waiting := w.free > 0
	if waiting {
		w.free--
	}
	w.s.mu.Unlock()
	if j := (job{c, frame}); !waiting || w.jobs.Put(j) != nil {
		w.s.task("link handler", func() { w.work(j) })
	}
}

func (w *workers) work(j job) {
	for {
		w.handle(j)
		w.s.mu.Lock()
		stay := w.free < maxIdleWorkers
		if stay {
			w.free++
		}
		w.s.mu.Unlock()
		if !stay {
			return
		}
		var err error
		if j, err = w.jobs.Get(w.s.ctx); err != nil {
			return // Serve is ending
		}
	}
}

func (w *workers) handle(j job) {
	defer func() {
		j.c.busy.Add(-1)
		j.c.slots.Wake()
	}()
	w.s.opt.Handle(w.s.ctx, j.c, j.frame)
}
