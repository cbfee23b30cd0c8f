package pcsc

import (
	"slices"
	"time"

	"huika/nfc"
	"huika/rt"
)

const (
	// retryPause is between two tries to reach pcscd.
	retryPause = 200 * time.Millisecond
	// churnPause is between two looks while readers come and go.
	churnPause = 20 * time.Millisecond
	// churnLimit is how many such looks in a row are taken for a passing state;
	// after that the readers count as gone.
	churnLimit = 10
)

// monitor watches until the reader is closed. It owns one context of the
// library at a time and takes a new one whenever pcscd failed it.
func (r *Reader) monitor() {
	for r.ctx.Err() == nil {
		context := r.reach()
		if context != 0 {
			r.watch(context)
		}
		r.first.Set(struct{}{})
		if r.env.Sleep(r.ctx, retryPause) != nil {
			return // closed
		}
	}
}

// reach gets a context, 0 where pcscd does not give one.
func (r *Reader) reach() scardContext {
	type answer struct {
		context scardContext
		code    code
	}
	a, returned, err := ask(r.ctx, r.env, func() answer {
		context, c := r.lib.Establish()
		return answer{context, c}
	}, func(a answer) {
		if a.code == codeSuccess {
			r.lib.Release(a.context) // pcscd frees it by itself where this fails
		}
	})
	switch {
	case err != nil:
		r.serviceIs(nfc.Hung, "pcscd does not answer")
		r.comeBack(returned)
		return 0
	case a.code != codeSuccess:
		r.serviceIs(nfc.NoService, a.code.Error())
		return 0
	}
	return a.context
}

// seen is one look of the monitor.
type seen struct {
	readers []watched
	code    code
}

// watch looks again and again, until pcscd fails or the reader is closed.
func (r *Reader) watch(context scardContext) {
	release := func(seen) { r.lib.Release(context) } // pcscd frees it by itself where this fails
	r.setWatching(context)
	defer r.setWatching(0)
	var known []watched
	churn := 0
	for r.ctx.Err() == nil {
		holds := r.holdCount()
		before := slices.Clone(known)
		s, returned, err := ask(r.ctx, r.env, func() seen { return r.look(context, before) }, release)
		if err != nil {
			r.serviceIs(nfc.Hung, "pcscd does not answer")
			r.comeBack(returned)
			return
		}
		switch s.code {
		case codeSuccess, codeTimeout:
			r.saw(s.readers, holds)
			known, churn = s.readers, 0
		case codeUnknownReader, codeReaderUnavailable:
			known = nil
			if churn++; churn >= churnLimit {
				r.saw(nil, holds)
			}
			if r.env.Sleep(r.ctx, churnPause) != nil {
				continue // closed: the loop ends
			}
		case codeCancelled:
		default:
			r.serviceIs(nfc.NoService, s.code.Error())
			r.env.Go("pcsc release", func() { release(s) })
			return
		}
	}
	r.env.Go("pcsc release", func() { release(seen{}) })
}

// look lists the readers and waits up to tick for a change in ours. It runs in
// a call's own task.
func (r *Reader) look(context scardContext, known []watched) seen {
	all, c := r.lib.List(context)
	if c != codeSuccess {
		return seen{nil, c}
	}
	names := r.ours(all)
	readers := make([]watched, 0, len(names)+1)
	wait := int(tick / time.Millisecond)
	for _, name := range names {
		w := watched{name: name}
		if i := slices.IndexFunc(known, func(k watched) bool { return k.name == name }); i >= 0 {
			w.state = known[i].state
		} else {
			wait = 0 // a new one: its state is wanted at once
		}
		readers = append(readers, w)
	}
	if len(readers) != len(known) {
		wait = 0
	}
	if wait == 0 && len(readers) == 0 {
		return seen{readers, codeSuccess}
	}
	// The pseudo reader makes the call return when readers come or go.
	readers = append(readers, watched{name: pnpReader})
	c = r.lib.StatusChange(context, max(wait, 1), readers)
	readers = readers[:len(readers)-1]
	if slices.ContainsFunc(readers, func(w watched) bool { return w.state&stateUnknown != 0 }) {
		return seen{nil, codeUnknownReader}
	}
	return seen{readers, c}
}

// saw takes what a look found. holds is the count of our own connects at its
// beginning: the sharing it shows may be ours, and then says nothing of others.
func (r *Reader) saw(readers []watched, holds uint64) {
	now := r.env.Now()
	r.mu.Lock()
	defer func() {
		r.mu.Unlock()
		r.first.Set(struct{}{})
	}()
	slots := make([]slot, 0, len(readers))
	shared := false
	for _, w := range readers {
		if w.state&stateUnavailable != 0 {
			continue // listed, but its driver has lost it
		}
		s := slot{name: w.name, state: w.state, since: now}
		i := slices.IndexFunc(r.slots, func(o slot) bool { return o.name == s.name })
		if i >= 0 && r.slots[i].events() == s.events() && r.slots[i].present() == s.present() {
			s.since = r.slots[i].since
		}
		slots = append(slots, s)
		shared = shared || w.state&(stateExclusive|stateInUse) != 0
	}
	changed := !slices.Equal(slots, r.slots)
	r.slots = slots
	// An odd count is a connection of ours.
	switch mine := holds%2 == 1 || holds != r.holds || r.lost != nil && !r.lost.back(); {
	case !shared:
		r.taken = time.Time{}
	case mine: // says nothing of others
	case r.taken.IsZero():
		r.taken = now
	}
	r.service, r.detail = nfc.Ready, ""
	r.judge()
	if changed {
		r.changed.Wake()
	}
}

// serviceIs notes that pcscd is gone or silent: nothing is known of its readers then.
func (r *Reader) serviceIs(c nfc.Condition, detail string) {
	if r.ctx.Err() != nil {
		return // closed: a call given up for that says nothing of pcscd
	}
	r.mu.Lock()
	r.service, r.detail, r.slots, r.taken = c, detail, nil, time.Time{}
	r.judge()
	r.mu.Unlock()
	r.changed.Wake()
	r.first.Set(struct{}{})
}

// comeBack waits until a call that was given up returns, or the reader is closed.
func (r *Reader) comeBack(returned *rt.Future[struct{}]) {
	if _, err := returned.Get(r.ctx); err != nil {
		return // closed
	}
}

func (r *Reader) setWatching(context scardContext) {
	r.mu.Lock()
	r.watching = context
	r.mu.Unlock()
}

func (r *Reader) holdCount() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holds
}
