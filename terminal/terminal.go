// Package terminal is the POS application: it turns an amount into a finished
// payment. A sale is one plain sequence (sale.go): wait for a card, let Entry
// Point and a kernel read it, ask for a PIN where one is due, ask the acquirer,
// write down the result, show it. Around it stand the tasks that keep the link
// signed in, send the reversals that are owed, and watch the reader.
//
// It is not a screen (View is what screens read, the methods are what they
// press), not a kernel, and keeps no books: its journal holds only what must not
// be forgotten between one message and the next. One terminal takes one payment
// at a time.
//
// Crash rules: a request is in the journal before it leaves; a result is in the
// journal before it is shown; a request without a believable answer is owed a
// reversal, written before anything else happens, and sent before the next
// online sale.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/pay"
	"huika/rt"
	"huika/terminal/journal"
	"huika/terminal/pinpad"
)

// Terminal is one POS. All its methods may be called from any task.
type Terminal struct {
	env    rt.Env
	cfg    Config
	pad    *pinpad.Pad
	client *link.Client
	keeper rt.Waiter         // wakes the task that sends reversals
	fatal  *rt.Future[error] // the journal can't be trusted any more: Run ends

	numbers sync.Mutex // held from drawing a STAN until it is in the journal
	batch   string
	stan    pay.STAN

	mu        sync.Mutex // never held across a wait
	view      View
	topic     *rt.Topic[View]
	running   context.Context // nil: not running
	starting  bool
	current   *sale              // under way, or the last one until it is dismissed
	keys      *session           // nil: not signed in
	keysSeq   uint64             // number of the newest sign-in
	rules     rules              // of the configuration, and of the host's downloads
	reversals []journal.Reversal // owed, oldest first
	uiSeq     uint64
	totals    journal.Totals // of the batch
	ahead     time.Duration  // of the host's clock before this machine's
}

// New makes a terminal. It does nothing until Run. Errors: ErrConfig.
func New(env rt.Env, cfg Config) (*Terminal, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t := &Terminal{env: env, cfg: cfg, pad: pinpad.New(env.Rand()), keeper: env.NewWaiter(), fatal: rt.NewFuture[error](env)}
	var err error
	if t.rules, err = t.configured(); err != nil {
		return nil, err
	}
	now := env.Now()
	health := cfg.Reader.Status()
	t.view = View{
		Seq: 1, Mode: cfg.Mode, Merchant: string(cfg.MerchantID), Name: cfg.MerchantName, Terminal: cfg.TerminalID,
		Reader: ReaderView{Name: cfg.Reader.Name(), Condition: string(health.Condition), Since: health.Since},
		Host:   HostView{Since: now},
		Shift:  ShiftView{Sum: t.money(0).Decimal()},
	}
	t.topic = rt.NewTopic(env, t.view)
	t.client = link.NewClient(env, link.ClientOptions{
		Name: "host", Dial: cfg.Dial, UpTimeout: cfg.Timeouts.Manage,
		Mux:  link.MuxOptions{Classify: pos.Classify, Late: t.late},
		OnUp: t.signOn, OnDown: t.linkDown,
	})
	return t, nil
}

func (t *Terminal) money(minor int64) pay.Money {
	return pay.Money{Minor: minor, Currency: t.cfg.Currency}
}

// Run is the terminal's life: it recovers what an earlier life left open, then
// serves until ctx ends, and returns ctx's error; or the journal's, when that
// can't be written any more: then the process must end.
func (t *Terminal) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := t.recover(ctx); err != nil {
		return fmt.Errorf("terminal: recovery: %w", err)
	}
	var ended []*rt.Future[error]
	task := func(name string, f func(context.Context) error) {
		done := rt.NewFuture[error](t.env)
		ended = append(ended, done)
		t.env.Go(name, func() { done.Set(f(ctx)) })
	}
	links, cut := context.WithCancel(context.WithoutCancel(ctx)) // the link outlives ctx by a sign-out
	defer cut()
	task("terminal link", func(context.Context) error { return t.client.Run(links) })
	task("terminal keeper", t.keep)
	task("terminal reader watch", t.watchReader)
	t.mu.Lock()
	t.running = ctx
	t.mu.Unlock()

	err, waited := t.fatal.Get(ctx)
	if waited != nil {
		err = waited
	}
	t.mu.Lock()
	t.running = nil
	last := t.current
	t.mu.Unlock()
	cancel()
	rest := context.WithoutCancel(ctx) // each task ends by itself now
	if last != nil {
		if _, werr := last.over.Get(rest); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if waited != nil { // an orderly end: the journal is sound
		t.signOut(rest)
	}
	cut()
	for _, f := range ended {
		if _, werr := f.Get(rest); werr != nil { // their own errors are ctx's
			return errors.Join(err, werr)
		}
	}
	return err
}

// fail ends Run. What could not be written is found open at the next start.
func (t *Terminal) fail(err error) {
	if t.fatal.Set(err) {
		t.cfg.Log.Error("the journal failed: the terminal ends", "err", err)
	}
}

// append writes records; a journal that can't be written ends the terminal.
// Writing is not broken off when ctx ends.
func (t *Terminal) append(ctx context.Context, records ...journal.Record) error {
	err := t.cfg.Journal.Append(context.WithoutCancel(ctx), records...)
	if errors.Is(err, journal.ErrLost) {
		t.fail(err)
	}
	return err
}

// draw takes the next STAN and writes it down with what make gives for it.
func (t *Terminal) draw(ctx context.Context, records func(journal.Key) []journal.Record) (journal.Key, error) {
	t.numbers.Lock()
	defer t.numbers.Unlock()
	k := journal.Key{Batch: t.batch, STAN: t.stan.Next()}
	if err := t.append(ctx, records(k)...); err != nil {
		return k, err
	}
	t.stan = k.STAN
	return k, nil
}

// drawNumber takes a STAN for a message that is not the beginning of a payment.
func (t *Terminal) drawNumber(ctx context.Context) (journal.Key, error) {
	return t.draw(ctx, func(k journal.Key) []journal.Record {
		return []journal.Record{journal.Numbered{Key: k, At: t.env.Now()}}
	})
}
