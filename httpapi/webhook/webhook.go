package webhook

import (
	"context"
	"log/slog"

	"huika/acquirer/book"
	"huika/pay"
	"huika/rt"
)

// Store is the books as webhooks use them.
type Store interface {
	book.Reader
	book.Chains
	book.Reference
	Find(ctx context.Context, lane book.Lane, key paymentKey) (paymentRow, bool, error)
}

// Config is what webhooks are made of.
type Config struct {
	Env    rt.Env
	Store  Store
	Sealer pay.Sealer // for signing secrets
	Lanes  int
	Demo   bool
	Log    *slog.Logger
}

// Hooks are the subscriptions of one installation.
type Hooks struct{ cfg Config }

// New makes them; Run delivers.
func New(cfg Config) *Hooks { return &Hooks{cfg: cfg} }

func (h *Hooks) checkURL(string) error                    { return nil }
func (h *Hooks) changed()                                 {}
func (h *Hooks) forget(_ context.Context, _ string) error { return nil }
