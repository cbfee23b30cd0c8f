package site

import (
	"context"
	"errors"
	"log/slog"

	"huika/acquirer/book"
	"huika/httpapi/apikey"
	"huika/rt"
)

// WithAPIKeys calls f with the API keys of an installation, from its files. A
// running host may go on meanwhile, and sees what changed at once.
func WithAPIKeys(ctx context.Context, env rt.Env, cfg Config, log *slog.Logger, f func(*apikey.Keys) error) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	if err := cfg.hasBooks(); err != nil {
		return err
	}
	if _, err := OpenKit(env, cfg, log); err != nil { // the directory is of this mode
		return err
	}
	store, err := openStore(ctx, env, cfg)
	if err != nil {
		return err
	}
	table, ok := store.(book.Reference)
	if !ok {
		return errors.Join(errors.New("this store keeps no API keys"), store.Close())
	}
	return errors.Join(f(apikey.New(env, table)), store.Close())
}
