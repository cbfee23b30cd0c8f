package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/httpapi/apikey"
	"huika/httpapi/guard"
	"huika/httpapi/webhook"
)

// server carries out the operations that register lists.
type server struct {
	cfg     Config
	streams guard.Streams
	exports chan struct{} // places for exports
}

// caller is who asks.
type caller struct {
	name   string // console, or the key's id
	scopes []apikey.Scope
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

func principalOf(r *http.Request) string { return callerOf(r.Context()).name }

// byConsole names what was asked for in the console's page.
const byConsole = "console"

// who finds out who asks: an API key, or a paired browser, which may do everything.
func (s *server) who(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := caller{byConsole, apikey.Scopes}
		if auth := r.Header.Get("Authorization"); auth != "" {
			presented, ok := strings.CutPrefix(auth, "Bearer ")
			key, err := s.cfg.Keys.Check(r.Context(), presented)
			switch {
			case !ok, errors.Is(err, apikey.ErrKey):
				w.Header().Set("WWW-Authenticate", `Bearer realm="huika"`)
				guard.NewProblem(http.StatusUnauthorized, "api_key", "this API key is not valid", "send Authorization: Bearer hk_…, with a key that is neither revoked nor at its end; huika apikey create makes one").Write(w)
				return
			case err != nil:
				s.cfg.Log.Warn("API key not looked up", "err", err)
				guard.NewProblem(http.StatusServiceUnavailable, "books", "the books can't be read at the moment", "try again in a moment").Write(w)
				return
			}
			c = caller{key.ID, key.Scopes}
		} else if !s.cfg.Pairing.Paired(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="huika"`)
			guard.NewProblem(http.StatusUnauthorized, "not_signed_in", "this browser is not paired, and no API key was sent",
				"open the pairing address that the program printed when it started, or send Authorization: Bearer hk_…").Write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

const scopeKey = "scope"

// scope refuses what the caller may not do.
func (s *server) scope(c huma.Context, next func(huma.Context)) {
	want, _ := c.Operation().Metadata[scopeKey].(apikey.Scope)
	for _, have := range callerOf(c.Context()).scopes {
		if have == want && want != "" {
			next(c)
			return
		}
	}
	_, w := humago.Unwrap(c)
	guard.NewProblem(http.StatusForbidden, "scope", "this API key may not do that", "use a key with the scope "+string(want)).Write(w)
}

// codes maps errors to what a client sees.
var codes = []struct {
	err    error
	status int
	code   string
	title  string
	do     string
}{
	{errNotFound, http.StatusNotFound, "no_payment", "there is no such payment", "use the ref that a search gave"},
	{book.ErrCursor, http.StatusUnprocessableEntity, "cursor", "this is not a cursor", "use next of the page before, as it was given"},
	{book.ErrConflict, http.StatusConflict, "changed", "somebody else has changed it meanwhile", "read it again, then try again"},
	{book.ErrFenced, http.StatusServiceUnavailable, "other_host", "another host owns this merchant's lane", "ask that host"},
	{host.ErrNotOpen, http.StatusConflict, "not_open", "nothing is open any more: the payment ended by itself", "read its story again"},
	{host.ErrOther, http.StatusUnprocessableEntity, "idempotency_key_reused", "this Idempotency-Key was used for another request", "make a new key for a new request"},
	{host.ErrTryAgain, http.StatusServiceUnavailable, "try_again", "the host can't take it at the moment; nothing was begun, or it is still at work", "send the same request with the same Idempotency-Key again"},
	{apikey.ErrNone, http.StatusNotFound, "no_key", "there is no API key of this id", "list the keys"},
	{apikey.ErrScope, http.StatusUnprocessableEntity, "no_scope", "there is no such scope", "use those that the list of keys names"},
	{apikey.ErrName, http.StatusUnprocessableEntity, "name", "a name is wanted", "give 1 to 80 characters"},
	{apikey.ErrFull, http.StatusConflict, "too_many_keys", "there are too many API keys", "revoked ones count too: run a data directory for fewer programs"},
	{webhook.ErrNone, http.StatusNotFound, "no_webhook", "there is no webhook of this id", "list the webhooks"},
	{webhook.ErrFull, http.StatusConflict, "too_many_webhooks", "there are too many webhooks", "delete one that is not needed"},
	{webhook.ErrEvents, http.StatusUnprocessableEntity, "no_event", "there is no such event", "use those that the list of webhooks names"},
	{webhook.ErrName, http.StatusUnprocessableEntity, "name", "the name is too long", "give at most 80 characters"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "too_slow", "the books took too long for this question", "narrow it: a shorter time, one merchant"},
	{context.Canceled, 499, "gone", "the request was given up", "ask again"},
	{book.ErrNotApplied, http.StatusServiceUnavailable, "books", "the books can't be read or written at the moment", "try again in a moment"},
	{book.ErrUnknown, http.StatusServiceUnavailable, "books", "the books can't be written at the moment", "look whether it is done before you try again"},
}

// problem is what a client sees of err. What is not in codes is logged and
// stays inside.
func (s *server) problem(op string, err error) error {
	var refused host.RefusedError
	switch {
	case errors.As(err, &refused):
		return guard.NewProblem(http.StatusConflict, "refused_"+refused.Code, refused.Why, "read the payment's story again: it says what may be done")
	case errors.Is(err, webhook.ErrURL):
		return guard.NewProblem(http.StatusUnprocessableEntity, "url", err.Error(), "give an https URL of a public address")
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return guard.NewProblem(c.status, c.code, c.title, c.do)
		}
	}
	s.cfg.Log.Error("console api", slog.String("op", op), slog.Any("err", err))
	return guard.NewProblem(http.StatusInternalServerError, "internal", "the host failed at this", "try again; if it stays, look at the log")
}
