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
	"huika/acquirer/book/headfile"
	"huika/rt"
)

// Verify proves an installation's books from its files; see book.Verify. A
// running host may go on meanwhile.
func Verify(ctx context.Context, env rt.Env, cfg Config, log *slog.Logger) (*book.Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	dir := cfg.path("acquirer")
	if _, err := os.Stat(filepath.Join(dir, booksFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s holds no books: give the right one with --data", ErrData, cfg.Data)
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
	store, err := openSQLite(ctx, cfg)
	if err != nil {
		return nil, err
	}
	rep, err := book.Verify(ctx, store, cfg.Acquirer.Lanes, heads)
	return rep, errors.Join(err, store.Close())
}
