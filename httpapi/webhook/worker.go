package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/rt"
)

// Bounds of a worker.
const (
	page      = 100  // rows of a chain read at once
	savedEach = 20   // events after which the place is written down: what a crash can double
	maxAnswer = 1024 // bytes read of an answer
)

// worker delivers to one subscription, one event after the other. What is not
// taken holds up what comes behind it, so that a receiver sees each merchant's
// events in their order.
type worker struct {
	h      *Hooks
	hook   Hook
	secret pay.Secret
	cancel context.CancelFunc
	wake   rt.Waiter

	mu     sync.Mutex
	queue  []pay.MerchantID // to look at
	queued map[pay.MerchantID]bool
	status Status

	places map[pay.MerchantID]place // of the task alone
}

// place is how far a merchant's chain was delivered.
type place struct {
	Seq     uint64 `json:"seq"`
	version int64
	unsaved int
}

func newWorker(h *Hooks, hook Hook, secret pay.Secret, cancel context.CancelFunc) *worker {
	return &worker{h: h, hook: hook, secret: secret, cancel: cancel, wake: h.cfg.Env.NewWaiter(), queued: map[pay.MerchantID]bool{}, places: map[pay.MerchantID]place{}}
}

// add has the worker look at a merchant.
func (w *worker) add(m pay.MerchantID) {
	if w.hook.Merchant != "" && w.hook.Merchant != m {
		return
	}
	w.mu.Lock()
	if !w.queued[m] {
		w.queued[m] = true
		w.queue = append(w.queue, m)
	}
	w.mu.Unlock()
	w.wake.Wake()
}

func (w *worker) next() (pay.MerchantID, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return "", false
	}
	m := w.queue[0]
	w.queue = w.queue[1:]
	delete(w.queued, m)
	return m, true
}

func (w *worker) look(h Hook) Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Hook, s.State = h, Active
	if s.Tries > 0 {
		s.State = Failing
	}
	return s
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		m, ok := w.next()
		if !ok {
			_ = w.wake.Wait(ctx) // its only error is the end
			continue
		}
		lane := book.LaneOf(m, w.h.cfg.Lanes)
		if !w.h.cfg.Owns(lane) {
			delete(w.places, m) // another process goes on, and its place is the newer one
			continue
		}
		for pause := w.h.cfg.Pause; ; pause = min(2*pause, w.h.cfg.Ceil) {
			err := w.merchant(ctx, lane, m)
			if err == nil || ctx.Err() != nil {
				break
			}
			delete(w.places, m) // read it again
			w.h.cfg.Log.Warn("webhook: books not read or place not written", "webhook", w.hook.ID, "merchant", m, "err", err)
			if w.h.cfg.Env.Sleep(ctx, pause) != nil {
				break
			}
		}
	}
}

// merchant delivers all that is new in a merchant's chain. Errors: the books'.
func (w *worker) merchant(ctx context.Context, lane book.Lane, m pay.MerchantID) error {
	at, err := w.place(ctx, lane, m)
	if err != nil {
		return err
	}
	for {
		rows, err := w.h.cfg.Store.TransfersAfter(ctx, lane, m, at.Seq, page)
		if err != nil {
			return err
		}
		for _, t := range rows {
			if wanted := len(w.hook.Events) == 0 || slices.Contains(w.hook.Events, typeOf(t)); wanted {
				p, err := w.payment(ctx, lane, t)
				if err != nil {
					return err
				}
				if err := w.deliver(ctx, eventOf(t, p)); err != nil {
					return errors.Join(err, w.save(context.WithoutCancel(ctx), m, &at))
				}
			}
			at.Seq = t.Seq
			if at.unsaved++; at.unsaved >= savedEach {
				if err := w.save(ctx, m, &at); err != nil {
					return err
				}
			}
		}
		if len(rows) < page {
			return w.save(ctx, m, &at)
		}
	}
}

// payment is what a row belongs to, the zero Payment where it is none.
func (w *worker) payment(ctx context.Context, lane book.Lane, t book.Transfer) (payment.Payment, error) {
	if t.Payment.Kind == 0 {
		return payment.Payment{}, nil
	}
	p, ok, err := w.h.cfg.Store.Find(ctx, lane, t.Payment)
	if err == nil && !ok {
		err = fmt.Errorf("the payment of row %d is not in the books", t.Seq)
	}
	return p, err
}

func (w *worker) cursorID(m pay.MerchantID) string { return w.hook.ID + "/" + string(m) }

// place is how far this merchant was delivered: what is written down, or the
// row before the subscription.
func (w *worker) place(ctx context.Context, lane book.Lane, m pay.MerchantID) (place, error) {
	if at, ok := w.places[m]; ok {
		return at, nil
	}
	e, ok, err := w.h.cfg.Store.Entry(ctx, KindCursor, w.cursorID(m))
	if err != nil {
		return place{}, err
	}
	at := place{version: e.Version}
	if ok {
		err = json.Unmarshal(e.Body, &at)
	} else {
		at.Seq, err = w.h.cfg.Store.SeqAt(ctx, lane, m, w.hook.Created)
	}
	return at, err
}

// save makes the place durable.
func (w *worker) save(ctx context.Context, m pay.MerchantID, at *place) error {
	if at.unsaved > 0 {
		body, err := json.Marshal(at)
		if err != nil {
			return err
		}
		at.version, err = w.h.cfg.Store.Put(ctx, book.Entry{Kind: KindCursor, ID: w.cursorID(m), Version: at.version, Updated: w.h.now(), Body: body})
		if err != nil {
			return err
		}
		at.unsaved = 0
	}
	w.places[m] = *at
	return nil
}

// deliver sends one event until the receiver takes it. Error: ctx's.
func (w *worker) deliver(ctx context.Context, e Event) error {
	body, err := e.body()
	if err != nil {
		return err
	}
	pause := w.h.cfg.Pause
	for {
		err := w.try(ctx, e.ID, body)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			w.taken()
			return nil
		}
		w.failed(err, pause)
		w.h.cfg.Log.Warn("webhook not taken", "webhook", w.hook.ID, "event", e.ID, "again_in", pause, "err", err)
		if err := w.h.cfg.Env.Sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, w.h.cfg.Ceil)
	}
}

func (w *worker) taken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = Status{Delivered: w.status.Delivered + 1, Last: w.h.now()}
}

func (w *worker) failed(err error, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.status
	if s.Tries == 0 {
		s.Since = w.h.now()
	}
	s.Tries++
	s.Error, s.Next = err.Error(), w.h.now().Add(pause)
}

// try sends a delivery once; any 2xx takes it.
func (w *worker) try(ctx context.Context, id string, body []byte) error {
	ctx, cancel := w.h.cfg.Env.WithTimeout(ctx, w.h.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.hook.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Huika-Webhook/1")
	r.Header.Set(HeaderEvent, id)
	r.Header.Set(HeaderSignature, Sign(w.secret, w.h.cfg.Env.Now(), body))
	res, err := w.h.client.Do(r)
	if err != nil {
		return err
	}
	// The status is the answer; the rest is read so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	_ = res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("answered %d", res.StatusCode)
	}
	return nil
}

// forget removes a subscription's places.
func (h *Hooks) forget(ctx context.Context, id string) error {
	prefix := id + "/"
	for after := prefix; ; {
		rows, err := h.cfg.Store.Entries(ctx, KindCursor, after, page)
		if err != nil {
			return err
		}
		for _, e := range rows {
			if !strings.HasPrefix(e.ID, prefix) {
				return nil
			}
			if err := h.cfg.Store.Delete(ctx, KindCursor, e.ID, e.Version); err != nil && !errors.Is(err, book.ErrConflict) {
				return err
			}
			after = e.ID
		}
		if len(rows) < page {
			return nil
		}
	}
}
