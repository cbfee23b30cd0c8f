// Package postgres keeps the books in PostgreSQL 15 or newer, for an acquirer
// of several hosts; the same tables and statements run on Citus, where lane is
// the distribution column. A transaction is one lane's batch. Commits are
// durable (fsync, synchronous_commit=on: checked at each connection).
//
// Only site imports it; everybody else sees book.Store.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"huika/acquirer/book"
	"huika/pay"
	"huika/rt"
)

// Bounds of a store's connections and waits.
const (
	Writers = 8 // connections that commit; a lane keeps to one of them
	Readers = 4 // connections that serve the host's own queries, and as many for the console's

	connectLimit = 5 * time.Second  // for one connection to be there
	searchLimit  = 15 * time.Second // for one search or tally
	applyLimit   = 30 * time.Second // for one transaction, from its beginning to its end
	retryFor     = 5 * time.Second  // a batch is tried again for so long, then it is not applied
	firstPause   = 2 * time.Millisecond
	maxPause     = 250 * time.Millisecond
)

// Options say where the books are.
type Options struct {
	DSN   pay.Secret // connection string, URL or key=value
	Lanes int        // of the installation; book.DefaultLanes where it is 0
}

// Store is a book.Store on a PostgreSQL database.
type Store struct {
	env     rt.Env
	lanes   int
	writers [Writers]*writer
	read    *pgxpool.Pool // the host's questions
	console *pgxpool.Pool // people's: searches, statements, verification
	broken  atomic.Bool
	place   atomic.Int64 // of the newest payment that this store has written
}

var (
	_ book.Store       = (*Store)(nil)
	_ book.Snapshotter = (*Store)(nil)
	_ book.Searcher    = (*Store)(nil)
	_ book.Reference   = (*Store)(nil)
)

// ErrDSN says that a connection string can't be used. Its text never holds the string.
var ErrDSN = errors.New("PostgreSQL connection string")

// errNotDurable says that the server would acknowledge what it may forget.
var errNotDurable = errors.New("the server does not keep what it acknowledges")

// Open connects, brings the tables up to date, and checks that the server is durable.
func Open(ctx context.Context, env rt.Env, o Options) (*Store, error) {
	if o.Lanes == 0 {
		o.Lanes = book.DefaultLanes
	}
	if err := Migrate(ctx, o.DSN); err != nil {
		return nil, err
	}
	s := &Store{env: env, lanes: o.Lanes}
	if err := s.start(ctx, o.DSN); err != nil {
		return nil, errors.Join(fmt.Errorf("books in PostgreSQL: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, dsn pay.Secret) error {
	for i := range s.writers {
		cfg, err := config(dsn)
		if err != nil {
			return err
		}
		cfg.MaxConns, cfg.AfterConnect = 1, s.writerConnected
		w := &writer{s: s, lanes: map[book.Lane]*memory{}}
		cfg.BeforeClose = func(*pgx.Conn) { w.stale.Store(true) }
		if w.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
			return err
		}
		s.writers[i] = w
	}
	var err error
	if s.read, err = readers(ctx, dsn, "huika reader"); err != nil {
		return err
	}
	if s.console, err = readers(ctx, dsn, "huika console"); err != nil {
		return err
	}
	if err := s.startPlace(ctx); err != nil {
		return err
	}
	return s.writers[0].pool.Ping(ctx)
}

// readers are connections that can write nothing. A question whose asker is gone ends.
func readers(ctx context.Context, dsn pay.Secret, name string) (*pgxpool.Pool, error) {
	cfg, err := config(dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = Readers
	p := cfg.ConnConfig.RuntimeParams
	p["application_name"] = name
	p["default_transaction_read_only"] = "on"
	p["client_connection_check_interval"] = "1s"
	return pgxpool.NewWithConfig(ctx, cfg)
}

// config is what every connection has in common.
func config(dsn pay.Secret) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(string(dsn.Reveal()))
	if err != nil {
		// pgx's own text may show parts of the string.
		return nil, fmt.Errorf("%w: it can't be read: want postgres://user@host/database or key=value pairs", ErrDSN)
	}
	cfg.ConnConfig.ConnectTimeout = connectLimit
	p := cfg.ConnConfig.RuntimeParams
	p["application_name"] = "huika writer"
	p["timezone"] = "UTC"
	p["jit"] = "off"
	return cfg, nil
}

// writerSettings make the planner take the index of a key, whatever it believes
// of a table that has grown since it last looked, and plan each statement once.
// On Citus they hold at the coordinator only.
const writerSettings = `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan`

// writerConnected refuses a server that would acknowledge what it may forget.
// What the role or the database sets counts, so it is looked at here.
func (s *Store) writerConnected(ctx context.Context, c *pgx.Conn) error {
	for _, set := range []struct {
		name string
		ok   []string
	}{{"fsync", []string{"on"}}, {"full_page_writes", []string{"on"}}, {"synchronous_commit", []string{"on", "remote_apply"}}} {
		var have string
		if err := c.QueryRow(ctx, "SHOW "+set.name).Scan(&have); err != nil {
			return err
		}
		if err := durable(set.name, have, set.ok); err != nil {
			s.broken.Store(true)
			return err
		}
	}
	s.broken.Store(false)
	_, err := c.Exec(ctx, writerSettings)
	return err
}

func durable(name, have string, ok []string) error {
	for _, v := range ok {
		if have == v {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is %s: set it to %s for this server, database and role", errNotDurable, name, have, ok[0])
}

// Grouping is one lane a transaction: on Citus each lane has its own node.
func (*Store) Grouping() book.Grouping { return book.EachLane }

// Close ends the store; what was applied stays.
func (s *Store) Close() error {
	for _, w := range s.writers {
		if w != nil && w.pool != nil {
			w.pool.Close()
		}
	}
	for _, p := range []*pgxpool.Pool{s.read, s.console} {
		if p != nil {
			p.Close()
		}
	}
	return nil
}
