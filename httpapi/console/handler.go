package console

import (
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"huika/httpapi/apikey"
	"huika/httpapi/guard"
	"huika/httpapi/idem"
	"huika/httpapi/webhook"
	"huika/rt"
)

// Config is one console server.
type Config struct {
	Env      rt.Env
	Books    Books
	Lanes    int
	Acquirer Acquirer
	Traces   Traces // nil: no terminal in this process
	Live     *Live
	Keys     *apikey.Keys
	Hooks    *webhook.Hooks
	Replies  *idem.Replies
	Files    fs.FS          // the page: web.Console()
	Hosts    []string       // Host headers that are served: guard.LocalHosts
	Pairing  *guard.Pairing // browsers on this machine
	Mode     string         // demo or live
	Log      *slog.Logger
}

// Where things are on the listener.
const (
	apiPath  = "/api/"
	pagePath = "/console/"
)

// New is the whole handler: the defences, the page at /console/, pairing at
// /pair, the API under /api/v1/.
func New(cfg Config) (http.Handler, error) {
	s := &server{cfg: cfg, exports: make(chan struct{}, maxExports)}
	api := http.NewServeMux()
	ha := humago.New(api, guard.Config(title, description))
	ha.UseMiddleware(s.scope)
	register(ha, s)

	page := http.StripPrefix(pagePath[:len(pagePath)-1], guard.Page{Files: cfg.Files})
	mux := http.NewServeMux()
	mux.Handle(apiPath, s.who(apiOnly(api, cfg.Replies.Wrap(principalOf, api))))
	mux.Handle("GET /pair", http.HandlerFunc(cfg.Pairing.Serve))
	mux.Handle("GET "+pagePath, page)
	mux.Handle("GET /{$}", http.RedirectHandler(pagePath, http.StatusSeeOther))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		guard.NewProblem(http.StatusNotFound, "no_page", "there is no such page", "go to "+pagePath).Write(w)
	})
	h, err := guard.CrossOrigin(nil, mux)
	if err != nil {
		return nil, err
	}
	return guard.Hosts(cfg.Hosts, guard.Headers(guard.Body(h))), nil
}

// apiOnly answers paths and methods that the API does not have with a problem
// instead of the mux's plain text, before anything is stored about them.
func apiOnly(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			guard.NewProblem(http.StatusNotFound, "no_operation", "the API has no such operation",
				"compare it with the API description").Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// OpenAPI is the API's description as YAML; api/console.yaml is a copy of it.
func OpenAPI() ([]byte, error) {
	api := humago.New(http.NewServeMux(), guard.Config(title, description))
	register(api, &server{})
	return api.OpenAPI().YAML()
}

const (
	title       = "Huika console"
	description = "The acquirer, for its console and for programs. Programs send an API key (Authorization: Bearer hk_…; huika apikey create makes one); " +
		"the console's page on the same machine has a pairing cookie. Errors are application/problem+json with a stable code and what to do. " +
		"Every POST carries an Idempotency-Key: the same key with the same request gets the stored answer. Amounts are decimal strings with a currency."
)

// register lists the API: payments first, then what is around them.
func register(api huma.API, s *server) {
	api.OpenAPI().Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		schemeKey:     {Type: "http", Scheme: "bearer", Description: "API key: hk_…"},
		schemePairing: {Type: "apiKey", In: "cookie", Name: "huika_pair_PORT", Description: "a browser that was shown the pairing address; it may do everything"},
	}
	read, refund := apikey.PaymentsRead, apikey.PaymentsRefund
	huma.Register(api, get("searchPayments", "/api/v1/payments", "Payments, the newest first", read), s.search)
	huma.Register(api, file("exportPayments", "/api/v1/payments/export", "Exactly what a filter shows, as CSV or XLSX", read), s.export)
	huma.Register(api, get("payment", "/api/v1/payments/{ref}", "One payment's whole story", read, 404), s.story)
	huma.Register(api, post("refund", "/api/v1/payments/{ref}/refund", "Give a part of a payment, or all of it, back", refund, 404), s.refund)
	huma.Register(api, post("void", "/api/v1/payments/{ref}/void", "Take a whole payment back while its batch is open (a pre-authorisation: cancel it)", refund, 404), s.void)
	huma.Register(api, get("tally", "/api/v1/tally", "What spans of time added up to", read), s.tally)
	huma.Register(api, get("live", "/api/v1/live", "The last minutes, a sample a second", read), s.live)
	huma.Register(api, stream("liveEvents", "/api/v1/live/events", "Each second as it passes (server-sent events; data is a Sample, id its number)", read), s.liveEvents)

	huma.Register(api, get("batches", "/api/v1/batches", "Batches that were settled, the newest first", apikey.OperationsRead), s.batches)
	huma.Register(api, get("batch", "/api/v1/batches/{merchant}/{terminal}/{batch}", "What one batch comes to, open or closed", apikey.OperationsRead, 404), s.batch)
	huma.Register(api, get("merchants", "/api/v1/merchants", "Merchants in the books", apikey.OperationsRead), s.merchants)
	huma.Register(api, get("merchant", "/api/v1/merchants/{merchant}", "One merchant with its balances and terminals", apikey.OperationsRead, 404), s.merchant)
	huma.Register(api, get("terminals", "/api/v1/terminals", "Terminals that the host knows", apikey.OperationsRead), s.terminals)
	huma.Register(api, get("status", "/api/v1/status", "Lanes, scheme links and open work of this host", apikey.OperationsRead), s.status)
	huma.Register(api, get("deadLetters", "/api/v1/dead-letters", "What schemes keep refusing, oldest first", apikey.OperationsRead), s.deadLetters)
	huma.Register(api, post("endDeadLetter", "/api/v1/dead-letters/{ref}/end", "End one on a person's word: it was put right outside", apikey.OperationsWrite, 404), s.endDeadLetter)

	huma.Register(api, get("views", "/api/v1/views", "Saved views", read), s.views)
	huma.Register(api, post("saveView", "/api/v1/views", "Save a filter under a name; the same name again replaces it", read), s.saveView)
	huma.Register(api, del("deleteView", "/api/v1/views/{id}", "Forget a saved view", read), s.deleteView)
	huma.Register(api, get("keys", "/api/v1/keys", "API keys, without their secrets", apikey.KeysManage), s.keys)
	huma.Register(api, post("createKey", "/api/v1/keys", "Make an API key; this answer is the only one that shows it", apikey.KeysManage), s.createKey)
	huma.Register(api, del("revokeKey", "/api/v1/keys/{id}", "Revoke an API key, at once and for good", apikey.KeysManage, 404), s.revokeKey)
	huma.Register(api, get("hooks", "/api/v1/webhooks", "Webhook subscriptions and how their deliveries go", apikey.WebhooksManage), s.hooks)
	huma.Register(api, post("createHook", "/api/v1/webhooks", "Subscribe; this answer is the only one that shows the signing secret", apikey.WebhooksManage), s.createHook)
	huma.Register(api, post("pauseHook", "/api/v1/webhooks/{id}/pause", "Hold deliveries back, or go on; nothing is lost meanwhile", apikey.WebhooksManage, 404), s.pauseHook)
	huma.Register(api, del("deleteHook", "/api/v1/webhooks/{id}", "End a subscription", apikey.WebhooksManage, 404), s.deleteHook)
	guard.Describe(api)
}

const (
	schemeKey     = "apiKey"
	schemePairing = "pairing"
)

func operation(method, id, path, summary string, scope apikey.Scope, errors ...int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Description: "Scope: " + string(scope), MaxBodyBytes: guard.MaxBodyBytes,
		Errors:   append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, errors...),
		Security: []map[string][]string{{schemeKey: {string(scope)}}, {schemePairing: {}}}, Metadata: map[string]any{scopeKey: scope},
	}
}

func get(id, path, summary string, scope apikey.Scope, errors ...int) huma.Operation {
	return operation(http.MethodGet, id, path, summary, scope, errors...)
}

func del(id, path, summary string, scope apikey.Scope, errors ...int) huma.Operation {
	return operation(http.MethodDelete, id, path, summary, scope, append(errors, http.StatusConflict)...)
}

// post is an operation that changes something: it carries an Idempotency-Key.
func post(id, path, summary string, scope apikey.Scope, errors ...int) huma.Operation {
	o := operation(http.MethodPost, id, path, summary, scope, append(errors, http.StatusConflict)...)
	o.Parameters = []*huma.Param{{
		Name: idem.Header, In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MinLength: ptr(idem.MinKey), MaxLength: ptr(idem.MaxKey)},
		Description: "Made by the caller for each thing that it wants done, such as a UUID. The same key with the same request gets the stored answer, with another request a 422; while the first is still at work, a 409.",
	}}
	return o
}

func ptr(n int) *int { return &n }

func answers(o huma.Operation, what string, types ...string) huma.Operation {
	content := map[string]*huma.MediaType{}
	for _, t := range types {
		content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	o.Responses = map[string]*huma.Response{"200": {Description: what, Content: content}}
	return o
}

func stream(id, path, summary string, scope apikey.Scope) huma.Operation {
	return answers(get(id, path, summary, scope), "A stream of events", "text/event-stream")
}

func file(id, path, summary string, scope apikey.Scope) huma.Operation {
	return answers(get(id, path, summary, scope), "A file", typeCSV, typeXLSX)
}
