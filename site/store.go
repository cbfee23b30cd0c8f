package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"huika/acquirer/book"
	"huika/acquirer/book/postgres"
	"huika/acquirer/book/sqlite"
	"huika/pay"
	"huika/rt"
)

// storePostgres is acquirer.store of books that several hosts may share.
const storePostgres = "postgres"

// openBooks opens the configured store. The embedded one belongs to one host
// at a time, and so does a data directory in any case: a lock that ends with
// the process says so.
func (s *System) openBooks() (book.Store, error) {
	unlock, err := claim(s.Kit.Config.path("acquirer", "host.lock"))
	if err != nil {
		return nil, err
	}
	s.onClose(unlock)
	return openStore(s.ctx, s.Kit.Env, s.Kit.Config)
}

func openStore(ctx context.Context, env rt.Env, cfg Config) (book.Store, error) {
	if cfg.Acquirer.Store == storePostgres {
		return postgres.Open(ctx, env, postgres.Options{DSN: cfg.Acquirer.DSN.secret(), Lanes: cfg.Acquirer.Lanes})
	}
	return sqlite.Open(ctx, filepath.Join(cfg.path("acquirer"), booksFile))
}

// hasBooks refuses a data directory whose embedded store is not there: asking
// for its content would make an empty one.
func (c *Config) hasBooks() error {
	if c.Acquirer.Store == storePostgres {
		return nil
	}
	if _, err := os.Stat(c.path("acquirer", booksFile)); err != nil {
		return fmt.Errorf("%w: %s holds no books: give the right one with --data", ErrData, c.Data)
	}
	return nil
}

// owner is this host's name in the leases of lanes, "" where nobody shares the
// books. It stays the same over a restart, so that a host need not wait for its
// own lease to end.
func (c *Config) owner() string {
	switch {
	case c.Acquirer.Store != storePostgres:
		return ""
	case c.Acquirer.Owner != "":
		return c.Acquirer.Owner
	}
	name, err := os.Hostname()
	if err != nil {
		name = "host"
	}
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		dir = c.Data
	}
	return name + ":" + dir
}

func (d DSN) secret() pay.Secret { return pay.NewSecret([]byte(d)) }

// MigrateBooks brings the tables of a PostgreSQL database up to date.
func MigrateBooks(ctx context.Context, dsn DSN) error { return postgres.Migrate(ctx, dsn.secret()) }

// DistributeBooks makes the tables of a Citus database distributed and
// reference tables; see postgres.Distribute.
func DistributeBooks(ctx context.Context, dsn DSN) ([]string, error) {
	return postgres.Distribute(ctx, dsn.secret())
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
