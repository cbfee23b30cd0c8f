package site

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"huika/acquirer/book"
	"huika/acquirer/book/headfile"
	"huika/rt"
)

// Verify proves an installation's books from its store and the chain heads in
// its files; see book.Verify. A running host may go on meanwhile.
func Verify(ctx context.Context, env rt.Env, cfg Config, log *slog.Logger) (*book.Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	dir := cfg.path("acquirer")
	if err := cfg.hasBooks(); err != nil {
		return nil, err
	}
	kit, err := OpenKit(env, cfg, log)
	if err != nil {
		return nil, err
	}
	// The heads are read before the books: what is written meanwhile only makes the chains longer.
	heads, err := headfile.Read(filepath.Join(dir, headsFile), kit.Secrets.Heads)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, env, cfg)
	if err != nil {
		return nil, err
	}
	rep, err := book.Verify(ctx, store, cfg.Acquirer.Lanes, heads)
	return rep, errors.Join(err, store.Close())
}
