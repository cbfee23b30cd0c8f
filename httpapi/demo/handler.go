package demo

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"huika/httpapi/guard"
)

// Errors of a Service.
var (
	ErrNoCard   = errors.New("there is no such card")
	ErrSticker  = errors.New("there is no such sticker")
	ErrOnReader = errors.New("the card is on the reader already")
)

// Config is one tray server.
type Config struct {
	Service   Service
	POSOrigin string   // the one origin whose page may use the tray
	Hosts     []string // Host headers that are served: guard.LocalHosts
	Log       *slog.Logger
}

// New is the whole handler of the demo listener.
func New(cfg Config) (http.Handler, error) {
	mux := http.NewServeMux()
	register(humago.New(mux, guard.Config(title, description)), &server{cfg: cfg})
	h, err := guard.CrossOrigin([]string{cfg.POSOrigin}, mux)
	if err != nil {
		return nil, err
	}
	return guard.Hosts(cfg.Hosts, guard.Headers(guard.Body(cors(cfg.POSOrigin, h)))), nil
}

// cors lets exactly one origin read the answers.
func cors(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") == origin {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions {
				w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
				w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
				w.Header().Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// OpenAPI is the API's description as YAML; api/demo.yaml is a copy of it.
func OpenAPI() ([]byte, error) {
	api := humago.New(http.NewServeMux(), guard.Config(title, description))
	register(api, &server{})
	return api.OpenAPI().YAML()
}

const (
	title       = "Huika card tray"
	description = "The desk beside a demo terminal. It exists in demo mode only, on its own listener."
)

func register(api huma.API, s *server) {
	huma.Register(api, op("tray", http.MethodGet, "/api/tray", "The desk now"), s.tray)
	events := op("trayEvents", http.MethodGet, "/api/tray/events", "The desk at every change (server-sent events; data is a Tray, id its number)", 503)
	events.Responses = map[string]*huma.Response{"200": {
		Description: "A stream of events",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, events, s.events)
	huma.Register(api, op("put", http.MethodPost, "/api/tray/put", "Lay a card on the reader", 404, 409, 422), s.put)
	huma.Register(api, op("take", http.MethodPost, "/api/tray/take", "Take one card, or all, away from the reader"), s.take)
	huma.Register(api, op("faults", http.MethodPost, "/api/tray/faults", "Switch faults of host and issuer on and off"), s.faults)
	guard.Describe(api)
}

func op(id, method, path, summary string, errors ...int) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Errors: errors, MaxBodyBytes: guard.MaxBodyBytes}
}

type server struct {
	cfg     Config
	streams guard.Streams
}

type trayOutput struct{ Body Tray }

func (s *server) tray(context.Context, *struct{}) (*trayOutput, error) {
	return &trayOutput{s.cfg.Service.Tray()}, nil
}

func (s *server) events(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		s.streams.Serve(w, r, func(ctx context.Context, seq uint64, now bool) ([]byte, uint64, error) {
			t := s.cfg.Service.Tray()
			if !now {
				var err error
				if t, err = s.cfg.Service.After(ctx, seq); err != nil {
					return nil, 0, err
				}
			}
			b, err := json.Marshal(t)
			return b, t.Seq, err
		})
	}}, nil
}

type putInput struct {
	Body struct {
		Card  string `json:"card" maxLength:"64"`
		Fault string `json:"fault,omitempty" maxLength:"64" doc:"a sticker"`
	}
}

type putOutput struct {
	Body struct {
		ID int `json:"id"`
	}
}

func (s *server) put(ctx context.Context, in *putInput) (*putOutput, error) {
	id, err := s.cfg.Service.Put(ctx, in.Body.Card, in.Body.Fault)
	if err != nil {
		return nil, s.problem("put", err)
	}
	out := &putOutput{}
	out.Body.ID = id
	return out, nil
}

type takeInput struct {
	Body struct {
		ID int `json:"id,omitempty" doc:"the presentation; 0 takes everything away"`
	}
}

func (s *server) take(ctx context.Context, in *takeInput) (*struct{}, error) {
	if err := s.cfg.Service.Take(ctx, in.Body.ID); err != nil {
		return nil, s.problem("take", err)
	}
	return nil, nil
}

type faultsInput struct{ Body Faults }

func (s *server) faults(ctx context.Context, in *faultsInput) (*struct{}, error) {
	if err := s.cfg.Service.SetFaults(ctx, in.Body); err != nil {
		return nil, s.problem("faults", err)
	}
	return nil, nil
}

func (s *server) problem(op string, err error) error {
	switch {
	case errors.Is(err, ErrNoCard):
		return guard.NewProblem(http.StatusNotFound, "no_card", "there is no such card on the desk", "read the tray again")
	case errors.Is(err, ErrOnReader):
		return guard.NewProblem(http.StatusConflict, "on_reader", "this card is on the reader already", "take it away first")
	case errors.Is(err, ErrSticker):
		return guard.NewProblem(http.StatusUnprocessableEntity, "no_sticker", "there is no such sticker", "read the tray again")
	}
	s.cfg.Log.Error("tray api", slog.String("op", op), slog.Any("err", err))
	return guard.NewProblem(http.StatusInternalServerError, "internal", "the desk failed at this", "try again")
}
