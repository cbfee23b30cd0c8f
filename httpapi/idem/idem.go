// Package idem gives a POST that is repeated the answer that its first one got:
// the Idempotency-Key header. Answers are kept in the books' reference table,
// so that they outlive a crash.
//
// It does not make an operation happen once by itself: a crash between the
// operation and its stored answer lets the next try run again, and the
// operation must know itself by Token. It stands between sign-in and the
// operations of httpapi/console.
package idem

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/httpapi/guard"
	"huika/rt"
)

// Header names the key.
const Header = "Idempotency-Key"

// Bounds.
const (
	MinKey    = 8
	MaxKey    = 128
	Kept      = 7 * 24 * time.Hour // how long an answer is kept
	MaxReply  = 256 << 10          // bytes; a larger answer is not kept
	takeOver  = time.Minute        // after it, what another process began and never ended is begun again
	sweep     = time.Hour          // between two looks for what is too old
	sweepPage = 500
)

// Kind is that of stored answers in the reference table.
const Kind = "idempotent-reply"

// Replies keeps answers.
type Replies struct {
	env   rt.Env
	store book.Reference
	log   *slog.Logger
	owner string // this process

	mu   sync.Mutex
	busy map[string]bool
}

// New keeps answers in a reference table.
func New(env rt.Env, store book.Reference, log *slog.Logger) *Replies {
	return &Replies{env: env, store: store, log: log, owner: rand.Text(), busy: map[string]bool{}}
}

// row is one stored answer, or the promise of one.
type row struct {
	Print []byte `json:"print"` // SHA-256 of the request
	Owner string `json:"owner"`
	Done  bool   `json:"done"`
	Code  int    `json:"code,omitempty"`
	Type  string `json:"type,omitempty"`
	Body  []byte `json:"body,omitempty"`
}

type tokenKey struct{}

// Token is what an operation knows itself by: the same for every try of one
// request, "" outside of Wrap.
func Token(ctx context.Context) string {
	t, _ := ctx.Value(tokenKey{}).(string)
	return t
}

// Secret is an answer's header that says: the body holds something that is
// shown once. What is kept is the header's value in place of the body.
const Secret = "Huika-Stored-Reply"

// Wrap handles POSTs of next. who names the caller: a key is the caller's own.
func (p *Replies) Wrap(who func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		key := r.Header.Get(Header)
		if len(key) < MinKey || len(key) > MaxKey {
			guard.NewProblem(http.StatusUnprocessableEntity, "idempotency_key", "a POST needs an Idempotency-Key of 8 to 128 characters",
				"make one, such as a UUID, for each thing that you want done, and send the same one with every try of it").Write(w)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			guard.NewProblem(http.StatusRequestEntityTooLarge, "too_large", "the request is too large or broke off", "send it again, shorter").Write(w)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.serve(w, r, next, id(who(r), key), print(r, body))
	})
}

func id(who, key string) string {
	sum := sha256.Sum256([]byte("huika reply\x00" + who + "\x00" + key))
	return hex.EncodeToString(sum[:16])
}

func print(r *http.Request, body []byte) []byte {
	h := sha256.New()
	h.Write([]byte(r.Method + "\x00" + r.URL.RequestURI() + "\x00"))
	h.Write(body)
	return h.Sum(nil)
}

// serve runs the request, or answers it as its first try was.
func (p *Replies) serve(w http.ResponseWriter, r *http.Request, next http.Handler, id string, print []byte) {
	if !p.board(id) {
		busy(w)
		return
	}
	defer p.land(id)
	version, have, err := p.begin(r.Context(), id, print)
	switch {
	case errors.Is(err, errOther):
		guard.NewProblem(http.StatusUnprocessableEntity, "idempotency_key_reused", "this Idempotency-Key was used for another request", "make a new key for a new request").Write(w)
		return
	case errors.Is(err, errBusy), errors.Is(err, book.ErrConflict):
		busy(w)
		return
	case err != nil:
		p.log.Warn("idempotent answer not looked up", "err", err)
		guard.NewProblem(http.StatusServiceUnavailable, "books", "the books can't be written at the moment", "send the same request with the same key again").Write(w)
		return
	case have.Done:
		w.Header().Set("Idempotent-Replayed", "true")
		if have.Type != "" {
			w.Header().Set("Content-Type", have.Type)
		}
		w.WriteHeader(have.Code)
		_, _ = w.Write(have.Body) // the client may be gone; there is nobody left to tell
		return
	}
	rec := &recorder{ResponseWriter: w}
	// The operation goes on if the client leaves: its answer is kept for the next try.
	ctx := context.WithValue(context.WithoutCancel(r.Context()), tokenKey{}, id)
	next.ServeHTTP(rec, r.WithContext(ctx))
	if rec.code == 0 {
		rec.code = http.StatusOK
	}
	p.end(ctx, id, version, print, rec)
	rec.flush()
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	guard.NewProblem(http.StatusConflict, "in_progress", "the first request with this Idempotency-Key is still at work", "send it again in a moment").Write(w)
}

func (p *Replies) board(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[id] {
		return false
	}
	p.busy[id] = true
	return true
}

func (p *Replies) land(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, id)
}

var (
	errOther = errors.New("idem: another request")
	errBusy  = errors.New("idem: at work elsewhere")
)

// begin makes the promise durable, or finds what was promised before.
func (p *Replies) begin(ctx context.Context, id string, print []byte) (version int64, have row, err error) {
	e, ok, err := p.store.Entry(ctx, Kind, id)
	if err != nil {
		return 0, have, err
	}
	if ok {
		if err := json.Unmarshal(e.Body, &have); err != nil {
			return 0, have, err
		}
		switch {
		case !bytes.Equal(have.Print, print):
			return 0, have, errOther
		case have.Done:
			return e.Version, have, nil
		case have.Owner != p.owner && p.env.Now().Sub(e.Updated) < takeOver:
			return 0, have, errBusy
		}
	}
	version, err = p.put(ctx, id, e.Version, row{Print: print, Owner: p.owner})
	return version, row{}, err
}

func (p *Replies) put(ctx context.Context, id string, version int64, r row) (int64, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	return p.store.Put(ctx, book.Entry{Kind: Kind, ID: id, Version: version, Updated: p.env.Now().UTC().Truncate(time.Millisecond), Body: body})
}

// end keeps the answer. What may go better next time is not kept: a failure of
// ours, a caller without the right, too much at once.
func (p *Replies) end(ctx context.Context, id string, version int64, print []byte, rec *recorder) {
	kept := row{Print: print, Owner: p.owner, Done: true, Code: rec.code, Type: rec.Header().Get("Content-Type"), Body: rec.body.Bytes()}
	if short := rec.Header().Get(Secret); short != "" {
		kept.Body = []byte(short)
		rec.Header().Del(Secret)
	}
	var err error
	if again(rec.code) || len(kept.Body) > MaxReply {
		err = p.store.Delete(ctx, Kind, id, version)
	} else {
		_, err = p.put(ctx, id, version, kept)
	}
	if err != nil {
		p.log.Warn("idempotent answer not kept: a repeated request runs again", "err", err)
	}
}

func again(code int) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusConflict, 499:
		return true
	}
	return code >= 500
}

// recorder holds an answer back until it is kept.
type recorder struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	return r.body.Write(b)
}

func (r *recorder) flush() {
	r.ResponseWriter.WriteHeader(r.code)
	_, _ = r.ResponseWriter.Write(r.body.Bytes()) // the client may be gone; there is nobody left to tell
}

// Run forgets answers that are too old, until ctx ends.
func (p *Replies) Run(ctx context.Context) error {
	for {
		if err := p.Sweep(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("old idempotent answers not removed", "err", err)
		}
		if p.env.Sleep(ctx, sweep) != nil {
			return nil
		}
	}
}

// Sweep forgets answers that are too old. Errors: the reference table's.
func (p *Replies) Sweep(ctx context.Context) error {
	oldest := p.env.Now().Add(-Kept)
	after := ""
	for {
		page, err := p.store.Entries(ctx, Kind, after, sweepPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if e.Updated.Before(oldest) {
				if err := p.store.Delete(ctx, Kind, e.ID, e.Version); err != nil && !errors.Is(err, book.ErrConflict) {
					return err
				}
			}
			after = e.ID
		}
	}
}
