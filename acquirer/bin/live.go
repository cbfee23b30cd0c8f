package bin

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"huika/pay"
	"huika/rt"
)

// Live is a table that is exchanged while it is used. Who looks up sees the
// old one or the new one, never half of each.
type Live struct{ now atomic.Pointer[Table] }

// NewLive begins with t.
func NewLive(t *Table) *Live {
	l := &Live{}
	l.now.Store(t)
	return l
}

// Lookup is Table.Lookup in the newest table.
func (l *Live) Lookup(pan pay.PAN) (Range, bool) { return l.now.Load().Lookup(pan) }

// Set exchanges the table.
func (l *Live) Set(t *Table) { l.now.Store(t) }

// Source reads a table where it has changed since the version that is given;
// changed is false, and the table nil, where it has not.
type Source func(version string) (t *Table, newer string, changed bool, err error)

// Follow looks at a source every so often until ctx ends. A table that can't be
// read is said in the log, and the one that is in use stays.
func (l *Live) Follow(ctx context.Context, env rt.Env, every time.Duration, version string, source Source, log *slog.Logger) {
	for env.Sleep(ctx, every) == nil {
		t, newer, changed, err := source(version)
		switch {
		case err != nil:
			log.Error("the BIN table was changed and can't be used: the old one stays", "err", err)
			version = newer // said once for each version
		case changed:
			version = newer
			l.Set(t)
			log.Info("BIN table exchanged", "ranges", t.Len())
		}
	}
}
