package sim

import (
	"context"
	"log/slog"
	"time"
)

// worldTime puts the world's time and the node's name before each line of a log:
// the machine's own time says nothing here.
type worldTime struct {
	slog.Handler
	t    *town
	node string
}

// Handle implements slog.Handler.
func (h worldTime) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{} // not printed
	r.AddAttrs(slog.Duration("at", h.t.w.Elapsed()), slog.String("node", h.node))
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h worldTime) WithAttrs(a []slog.Attr) slog.Handler {
	return worldTime{h.Handler.WithAttrs(a), h.t, h.node}
}

// WithGroup implements slog.Handler.
func (h worldTime) WithGroup(name string) slog.Handler {
	return worldTime{h.Handler.WithGroup(name), h.t, h.node}
}

// log is where the parts of a node write their lines.
func (t *town) log(node string) *slog.Logger {
	if t.opt.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(worldTime{slog.NewTextHandler(t.opt.Log, nil), t, node})
}
