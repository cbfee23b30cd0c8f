package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

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
	if _, err := os.Stat(filepath.Join(cfg.path("acquirer"), booksFile)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s holds no books: give the right one with --data, or start the host once", ErrData, cfg.Data)
	}
	if _, err := OpenKit(env, cfg, log); err != nil { // the directory is of this mode
		return err
	}
	store, err := openSQLite(ctx, cfg)
	if err != nil {
		return err
	}
	table, ok := store.(book.Reference)
	if !ok {
		return errors.Join(errors.New("this store keeps no API keys"), store.Close())
	}
	return errors.Join(f(apikey.New(env, table)), store.Close())
}
