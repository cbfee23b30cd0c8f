package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"huika/acquirer/book"
	"huika/acquirer/book/sqlite"
)

// openBooks opens the configured store. The embedded one belongs to one host
// at a time: a lock that ends with the process says so.
func (s *System) openBooks() (book.Store, error) {
	k := s.Kit
	if k.Config.Acquirer.Store != "sqlite" {
		return nil, fmt.Errorf("%w: acquirer.store: %q is not built in", ErrConfig, k.Config.Acquirer.Store)
	}
	unlock, err := claim(k.Config.path("acquirer", "host.lock"))
	if err != nil {
		return nil, err
	}
	s.onClose(unlock)
	return openSQLite(s.ctx, k.Config)
}

func openSQLite(ctx context.Context, cfg Config) (book.Store, error) {
	return sqlite.Open(ctx, filepath.Join(cfg.path("acquirer"), booksFile))
}

// claim takes a lock that only one process can have, or says who is in the way.
func claim(path string) (func() error, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: another host works on %s: end it first, or give this one another --data", ErrData, filepath.Dir(path)), f.Close())
	}
	return f.Close, nil
}
