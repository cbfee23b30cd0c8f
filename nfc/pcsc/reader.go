// Package pcsc is the terminal's reader on the system's PC/SC stack: pcscd,
// reached through libpcsclite.so.1 without cgo. In a tap it stands between Entry
// Point and the card, be that a real one on a USB reader or a software card in
// one of vsmartcard's virtual slots (package vpcd is that other end).
//
// PC/SC knows cards in slots, not a radio field. One or more slots form one
// logical reader here: cards in two of them at once are a collision, and field
// off is power off.
//
// A monitor task watches service, slots and sharing all the time, so that
// Status never waits and a reader that vanished, hangs, or is held by another
// program is known within a second, and used again when it is back. Calls into
// the library run in tasks of their own and are given up when they do not
// return (line.go).
package pcsc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"huika/nfc"
	"huika/rt"
)

// Options says which slots form the reader.
type Options struct {
	// Readers are names, or the beginnings of names, of PC/SC readers. Empty:
	// every slot of the virtual reader where there is one, else the first reader found.
	Readers []string
	// Settle is how long after the first card a second slot may still report
	// one. 0: 450 ms where there are several slots (pcscd looks into each every
	// 400 ms), nothing where there is one. Negative: nothing.
	Settle time.Duration
	// Disabled is the configuration's switch; see SetDisabled.
	Disabled bool
}

// Reader implements nfc.Reader.
type Reader struct {
	env     rt.Env
	opts    Options
	lib     *library
	changed rt.Waiter // wakes the one task that uses the reader
	first   *rt.Future[struct{}]
	ctx     context.Context // the monitor's life
	stop    context.CancelFunc

	mu       sync.Mutex
	health   nfc.Health
	service  nfc.Condition // Ready, NoService or Hung: what the monitor knows of pcscd
	detail   string
	slots    []slot
	taken    time.Time // since when another program holds a slot; zero: none does
	holds    uint64    // counts our own connects and disconnects, which show as sharing too
	watching scardContext
	using    bool // a method of the user's task is under way
	closed   bool
	lost     *lostCall

	// The user's task's own, guarded by using.
	card     session
	doubt    doubt
	left     bool   // the last card was left under power: the next one must be reset
	collided string // fingerprint of the slots when a collision was last reported
	buffer   []byte
}

// slot is one PC/SC reader as the monitor last saw it.
type slot struct {
	name  string
	state uint64
	since time.Time // when the state's events or presence last changed
}

func (s slot) present() bool  { return s.state&statePresent != 0 }
func (s slot) events() uint64 { return s.state >> 16 & 0xFFFF }

// lostCall is a call that nobody waits for any more.
type lostCall struct {
	returned *rt.Future[struct{}]
	since    time.Time
}

func (l *lostCall) back() bool {
	_, back := l.returned.Peek()
	return back
}

// doubt is a slot in which the card stopped answering: pcscd may go on calling
// it present until its next look.
type doubt struct {
	slot   string
	events uint64
	until  time.Time
}

var _ nfc.Reader = (*Reader)(nil)

// Open starts watching. It waits for the monitor's first look (under a second),
// and succeeds whatever that finds: Status tells. Error: ErrNoLibrary.
func Open(env rt.Env, opts Options) (*Reader, error) {
	lib, err := loadLibrary()
	if err != nil {
		return nil, err
	}
	r := &Reader{
		env: env, opts: opts, lib: lib, changed: env.NewWaiter(), first: rt.NewFuture[struct{}](env),
		service: nfc.Hung, detail: "not seen yet",
		health: nfc.Health{Condition: nfc.Hung, Since: env.Now()},
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	env.Go("pcsc monitor", r.monitor)
	limited, cancel := env.WithTimeout(r.ctx, callLimit)
	defer cancel()
	if _, err := r.first.Get(limited); err != nil {
		r.mu.Lock()
		r.judge()
		r.mu.Unlock()
	}
	return r, nil
}

// List is the names of the PC/SC readers there are now. Errors: ErrNoLibrary,
// a *nfc.ReaderError with NoService or Hung.
func List(env rt.Env) ([]string, error) {
	lib, err := loadLibrary()
	if err != nil {
		return nil, err
	}
	type answer struct {
		names []string
		code  code
	}
	a, _, err := ask(context.Background(), env, func() answer {
		held, c := lib.Establish()
		if c != codeSuccess {
			return answer{nil, c}
		}
		names, c := lib.List(held)
		lib.Release(held) // a service that fails here has freed it already
		return answer{names, c}
	}, func(answer) {})
	switch {
	case err != nil:
		return nil, &nfc.ReaderError{Op: "list", Condition: nfc.Hung, Err: err}
	case a.code != codeSuccess:
		return nil, &nfc.ReaderError{Op: "list", Condition: nfc.NoService, Err: a.code}
	}
	return a.names, nil
}

// Name is what the slots are called.
func (r *Reader) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, s := range r.slots {
		names = append(names, s.name)
	}
	if len(names) == 0 {
		names = r.opts.Readers
	}
	if len(names) == 0 {
		return "PC/SC"
	}
	return strings.Join(names, " + ")
}

// Status is the reader's condition now; any task may ask.
func (r *Reader) Status() nfc.Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judge()
	return r.health
}

// SetDisabled switches the reader off in the configuration, or on again.
func (r *Reader) SetDisabled(off bool) {
	r.mu.Lock()
	r.opts.Disabled = off
	r.judge()
	r.mu.Unlock()
}

// Close frees the reader; a call under way returns a *nfc.ReaderError, at the
// latest when its time is over.
func (r *Reader) Close() error {
	r.stop()
	r.mu.Lock()
	watching, idle := r.watching, !r.using && !r.closed
	r.closed = true
	r.judge()
	r.mu.Unlock()
	r.changed.Wake()
	if watching != 0 {
		// Nobody waits: the monitor's call returns by itself soon, this only hastens it.
		r.env.Go("pcsc cancel", func() { r.lib.Cancel(watching) })
	}
	if idle {
		r.abandonCard() // else leave does
	}
	return nil
}

// judge draws the condition from what is known, and wakes the user's task where it changed. r.mu is held.
func (r *Reader) judge() {
	c, detail := r.condition()
	if c == r.health.Condition && detail == r.health.Detail {
		return
	}
	since := r.health.Since
	if c != r.health.Condition {
		since = r.env.Now()
	}
	r.health = nfc.Health{Condition: c, Detail: detail, Since: since}
	r.changed.Wake()
}

func (r *Reader) condition() (nfc.Condition, string) {
	now := r.env.Now()
	switch {
	case r.closed:
		return nfc.Closed, ""
	case r.opts.Disabled:
		return nfc.Disabled, "switched off in the configuration"
	case r.lost != nil && now.Sub(r.lost.since) >= callLimit:
		if !r.lost.back() {
			return nfc.Hung, "a call to the reader has not returned"
		}
	}
	switch {
	case r.service != nfc.Ready:
		return r.service, r.detail
	case len(r.slots) == 0:
		return nfc.Unplugged, "no such reader: " + strings.Join(r.opts.Readers, ", ")
	case !r.taken.IsZero() && now.Sub(r.taken) >= takenGrace:
		return nfc.Taken, "another program is connected to it"
	}
	return nfc.Ready, ""
}

// takenGrace is how long another program may hold a slot before the reader is
// called taken: many look at each new card for a moment.
const takenGrace = 400 * time.Millisecond

// ours picks the PC/SC readers that form this logical one out of all names.
func (r *Reader) ours(all []string) []string {
	const virtual = "Virtual PCD"
	prefixes := r.opts.Readers
	if len(prefixes) == 0 {
		prefixes = []string{virtual}
	}
	var names []string
	for _, name := range all {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 && len(r.opts.Readers) == 0 && len(all) > 0 {
		return all[:1]
	}
	return names
}

// enter begins a method of the user's task; leave ends it.
func (r *Reader) enter(op string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return &nfc.ReaderError{Op: op, Condition: nfc.Closed}
	}
	r.using = true
	return nil
}

func (r *Reader) leave() {
	r.mu.Lock()
	r.using = false
	closed := r.closed
	r.mu.Unlock()
	if closed {
		r.abandonCard()
	}
}

// usable returns nil where the reader is ready. A call that was given up, and
// may still return in its time, is waited for.
func (r *Reader) usable(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	lost := r.lost
	r.mu.Unlock()
	if lost != nil {
		if left := callLimit - r.env.Now().Sub(lost.since); left > 0 {
			limited, cancel := r.env.WithTimeout(ctx, left)
			_, err := lost.returned.Get(limited)
			cancel()
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		r.mu.Lock()
		if lost.back() {
			r.lost = nil
		}
		r.mu.Unlock()
	}
	h := r.Status()
	if h.Condition == nfc.Ready {
		return nil
	}
	e := &nfc.ReaderError{Op: op, Condition: h.Condition}
	if h.Detail != "" {
		e.Err = errors.New(h.Detail)
	}
	return e
}

// until is the moment at which a time-out ends; zero for none.
func (r *Reader) until(timeout time.Duration) time.Time {
	if timeout <= 0 {
		return time.Time{}
	}
	return r.env.Now().Add(timeout)
}

// pause waits until something changes or one of the moments comes (zero: never).
func (r *Reader) pause(ctx context.Context, moments ...time.Time) error {
	var end time.Time
	for _, m := range moments {
		if !m.IsZero() && (end.IsZero() || m.Before(end)) {
			end = m
		}
	}
	if end.IsZero() {
		return r.changed.Wait(ctx)
	}
	limited, cancel := r.env.WithTimeout(ctx, end.Sub(r.env.Now()))
	defer cancel()
	if err := r.changed.Wait(limited); err != nil {
		return ctx.Err() // nil where only the moment came
	}
	return nil
}
