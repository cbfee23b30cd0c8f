package idem_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/memory"
	"huika/httpapi/idem"
	"huika/rt"
)

// counting is an operation that counts how often it ran, and for which token.
type counting struct {
	runs   int
	tokens map[string]bool
	answer func(w http.ResponseWriter)
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.runs++
	if c.tokens == nil {
		c.tokens = map[string]bool{}
	}
	c.tokens[idem.Token(r.Context())] = true
	_, _ = io.Copy(io.Discard, r.Body)
	if c.answer != nil {
		c.answer(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"done":true}`)
}

func post(h http.Handler, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(body))
	r.Header.Set(idem.Header, key)
	r.Header.Set("X-Who", "a")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func who(r *http.Request) string { return r.Header.Get("X-Who") }

func wrap(env rt.Env, store book.Reference, op http.Handler) http.Handler {
	return idem.New(env, store, slog.New(slog.DiscardHandler)).Wrap(who, op)
}

func TestAnswersOutliveTheProcess(t *testing.T) {
	store, op := memory.New(), &counting{}
	for range 3 { // three lives
		w := post(wrap(rt.Real(), store, op), "key-0001", "{}")
		if w.Code != 200 || w.Body.String() != `{"done":true}` || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if op.runs != 1 {
		t.Errorf("it ran %d times", op.runs)
	}
	// A key is its caller's own.
	r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("{}"))
	r.Header.Set(idem.Header, "key-0001")
	r.Header.Set("X-Who", "b")
	wrap(rt.Real(), store, op).ServeHTTP(httptest.NewRecorder(), r)
	if op.runs != 2 {
		t.Error("another caller got this one's answer")
	}
}

// What may go better next time is not kept.
func TestFailuresAreNotKept(t *testing.T) {
	for _, code := range []int{500, 503, 409, 403} {
		store := memory.New()
		op := &counting{answer: func(w http.ResponseWriter) { w.WriteHeader(code) }}
		h := wrap(rt.Real(), store, op)
		if w := post(h, "key-0001", "{}"); w.Code != code {
			t.Errorf("%d", w.Code)
		}
		op.answer = nil
		if w := post(h, "key-0001", "{}"); w.Code != 200 || op.runs != 2 || len(op.tokens) != 1 {
			t.Errorf("after %d: %d, ran %d times, tokens %v", code, w.Code, op.runs, op.tokens)
		}
	}
	store := memory.New()
	op := &counting{answer: func(w http.ResponseWriter) { w.WriteHeader(422) }}
	h := wrap(rt.Real(), store, op)
	if first, second := post(h, "key-0001", "{}"), post(h, "key-0001", "{}"); first.Code != 422 || second.Code != 422 || op.runs != 1 {
		t.Errorf("a refusal of the request is kept: %d %d, ran %d times", first.Code, second.Code, op.runs)
	}
}

// failing is a table that fails at the second Put: the process "dies" between
// the operation and its stored answer.
type failing struct {
	*memory.Store
	puts int
}

func (f *failing) Put(ctx context.Context, e book.Entry) (int64, error) {
	if f.puts++; f.puts == 2 {
		return 0, book.ErrNotApplied
	}
	return f.Store.Put(ctx, e)
}

func TestCrashBeforeTheAnswerIsKept(t *testing.T) { synctest.Test(t, crashed) }

func crashed(t *testing.T) {
	store, op := &failing{Store: memory.New()}, &counting{}
	env := rt.Real()
	if r := post(wrap(env, store, op), "key-0001", "{}"); r.Code != 200 {
		t.Fatal(r.Code)
	}
	// Another process: it can't know whether the first is still at work.
	next := wrap(env, store, op)
	if r := post(next, "key-0001", "{}"); r.Code != 409 || r.Header().Get("Retry-After") == "" {
		t.Errorf("at once: %d %s", r.Code, r.Body)
	}
	time.Sleep(2 * time.Minute)
	if r := post(next, "key-0001", "{}"); r.Code != 200 || op.runs != 2 || len(op.tokens) != 1 {
		t.Errorf("later: %d, ran %d times, tokens %v", r.Code, op.runs, op.tokens)
	}
	if r := post(next, "key-0001", "{}"); r.Code != 200 || op.runs != 2 {
		t.Errorf("kept: %d, ran %d times", r.Code, op.runs)
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	store := memory.New()
	op := &counting{answer: func(w http.ResponseWriter) {
		w.Header().Set(idem.Secret, `{"secret":""}`)
		_, _ = io.WriteString(w, `{"secret":"s3cr3t"}`)
	}}
	h := wrap(rt.Real(), store, op)
	first, second := post(h, "key-0001", "{}"), post(h, "key-0001", "{}")
	if first.Body.String() != `{"secret":"s3cr3t"}` || second.Body.String() != `{"secret":""}` || first.Header().Get(idem.Secret) != "" {
		t.Errorf("%s %v, then %s", first.Body, first.Header(), second.Body)
	}
	rows, err := store.Entries(t.Context(), idem.Kind, "", 10)
	if err != nil || len(rows) != 1 || strings.Contains(string(rows[0].Body), "s3cr3t") {
		t.Errorf("%v %s", err, rows[0].Body)
	}
}

func TestSweep(t *testing.T) { synctest.Test(t, swept) }

func swept(t *testing.T) {
	store, op := memory.New(), &counting{}
	env := rt.Real()
	replies := idem.New(env, store, slog.New(slog.DiscardHandler))
	h := replies.Wrap(who, op)
	post(h, "key-old-1", "{}")
	time.Sleep(idem.Kept + time.Hour)
	post(h, "key-new-1", "{}")
	if err := replies.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := store.Entries(t.Context(), idem.Kind, "", 10)
	if err != nil || len(rows) != 1 {
		t.Errorf("%d answers are left: %v", len(rows), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := replies.Sweep(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
