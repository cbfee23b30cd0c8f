package pos

import (
	"io/fs"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"huika/httpapi/guard"
)

// Config is one screen server.
type Config struct {
	Service Service
	Files   fs.FS          // the page: web.POS()
	Origin  string         // where the page lives, e.g. "http://127.0.0.1:8080"
	Hosts   []string       // Host headers that are served: guard.LocalHosts
	Demo    string         // origin of the demo listener; "" in live
	Pairing *guard.Pairing // who may use the API
	Log     *slog.Logger
}

// New is the whole handler: the defences, the page at /, pairing at /pair, the
// API under /api/pos/.
func New(cfg Config) (http.Handler, error) {
	api := http.NewServeMux()
	register(humago.New(api, guard.Config(title, description)), &server{cfg: cfg})

	mux := http.NewServeMux()
	mux.Handle("/api/", cfg.Pairing.Require(apiOnly(api)))
	mux.Handle("GET /pair", canonical(cfg, http.HandlerFunc(cfg.Pairing.Serve)))
	mux.Handle("/", canonical(cfg, guard.Page{Files: cfg.Files, Demo: cfg.Demo}))

	h, err := guard.CrossOrigin(nil, mux)
	if err != nil {
		return nil, err
	}
	return guard.Hosts(cfg.Hosts, guard.Headers(guard.Body(h))), nil
}

// apiOnly answers paths and methods that the API does not have with a problem
// instead of the mux's plain text.
func apiOnly(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			guard.NewProblem(http.StatusNotFound, "no_operation", "the API has no such operation",
				"compare it with the API description").Write(w)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// canonical sends a page asked for under another of our names to the origin
// that the demo listener trusts: the tray works from exactly that one.
func canonical(cfg Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, host, _ := strings.Cut(cfg.Origin, "://")
		if cfg.Demo != "" && !strings.EqualFold(r.Host, host) {
			http.Redirect(w, r, cfg.Origin+r.URL.RequestURI(), http.StatusTemporaryRedirect)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// OpenAPI is the API's description as YAML; api/pos.yaml is a copy of it.
func OpenAPI() ([]byte, error) {
	api := humago.New(http.NewServeMux(), guard.Config(title, description))
	register(api, &server{})
	return api.OpenAPI().YAML()
}

const (
	title       = "Huika POS"
	description = "One terminal, as its own screen uses it. Errors are application/problem+json with a stable code."
)

// register lists the API, in the order of a sale.
func register(api huma.API, s *server) {
	huma.Register(api, op("view", http.MethodGet, "/api/pos/view", "What the screen draws now"), s.view)
	huma.Register(api, stream("events", "/api/pos/events", "The view at every change (server-sent events; data is a View, id its number)"), s.events)
	huma.Register(api, op("start", http.MethodPost, "/api/pos/payments", "Begin a sale", 409, 422, 503), s.start)
	huma.Register(api, op("cancel", http.MethodPost, "/api/pos/payments/{id}/cancel", "Cancel, until the acquirer is asked; the answer says whether it took", 404), s.cancel)
	huma.Register(api, op("pin", http.MethodPost, "/api/pos/payments/{id}/pin", "Hand in the sealed PIN of a try", 404, 409, 422), s.pin)
	huma.Register(api, op("receipt", http.MethodGet, "/api/pos/payments/{id}/receipt", "The receipt as text or printer bytes", 404), s.receipt)
	huma.Register(api, op("print", http.MethodPost, "/api/pos/payments/{id}/print", "Print the receipt on the terminal's printer", 404, 409), s.print)
	huma.Register(api, op("reasons", http.MethodGet, "/api/pos/reasons", "Every reason for which a payment is not approved, in words, and what to do next"), s.reasons)
	huma.Register(api, op("trace", http.MethodGet, "/api/pos/payments/{id}/trace", "The masked trace, a row per APDU", 404), s.trace)
	huma.Register(api, op("dismiss", http.MethodPost, "/api/pos/dismiss", "Clear the finished payment from the screen", 409), s.dismiss)
	guard.Describe(api)
}

func op(id, method, path, summary string, errors ...int) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary,
		Errors: append([]int{http.StatusUnauthorized}, errors...), MaxBodyBytes: guard.MaxBodyBytes}
}

func stream(id, path, summary string) huma.Operation {
	o := op(id, http.MethodGet, path, summary, http.StatusServiceUnavailable)
	o.Responses = map[string]*huma.Response{"200": {
		Description: "A stream of events",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return o
}
