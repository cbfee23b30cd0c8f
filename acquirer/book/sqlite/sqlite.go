// Package sqlite keeps the books in one SQLite file: the store that `huika
// demo` and small acquirers run on. Commits are durable (WAL,
// synchronous=FULL): Apply returns after the log was synced.
//
// Only site imports it; everybody else sees book.Store.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"sync"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a book.Store on a SQLite file. One connection writes, a few read.
type Store struct {
	write  *sql.DB
	read   *sql.DB // payments under way wait for it: short questions only
	search *sql.DB // a console's
	looks  int64   // rows of one search: book.SearchRows

	mu      sync.Mutex // one transaction at a time
	conn    *sql.Conn  // the writer's only one
	raw     raw
	version int64 // data_version of the last transaction
	open    map[payment.Key]stored
	heads   map[pay.MerchantID]book.Head
}

var _ interface {
	book.Store
	book.Searcher
	book.Chains
	book.Reference
} = (*Store)(nil)

// Connections beside the writer.
const (
	Readers   = 4
	Searchers = 3
)

// Open opens or creates the file and brings its tables up to date.
func Open(ctx context.Context, path string) (*Store, error) {
	write, err := open(path, "rw")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	s := &Store{write: write, looks: book.SearchRows, open: map[payment.Key]stored{}, heads: map[pay.MerchantID]book.Head{}}
	if err := s.start(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("books %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, path string) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, sub)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	if s.read, err = open(path, "ro"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(Readers)
	if s.search, err = open(path, "search"); err != nil {
		return err
	}
	s.search.SetMaxOpenConns(Searchers)
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return err
	}
	return s.conn.Raw(s.raw.prepare)
}

// Sizes, chosen by measuring (docs/performance.md): the writer keeps the pages
// that it goes back to, and the log is copied into the database in large
// strokes rather than every few commits.
const (
	cachePages      = "cache_size(-131072)" // KiB
	searchPages     = "cache_size(-8192)"
	checkpointPages = "wal_autocheckpoint(16384)"
)

func open(path, mode string) (*sql.DB, error) {
	q := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(1)", cachePages, checkpointPages}, "_txlock": {"immediate"}}
	switch mode {
	case "ro":
		q["_pragma"] = append(q["_pragma"], "query_only(1)")
	case "search":
		q["_pragma"] = append(q["_pragma"], "query_only(1)", searchPages)
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
}

// Grouping is all lanes in one transaction: one fsync serves them all.
func (*Store) Grouping() book.Grouping { return book.AllLanes }

// Close ends the store; what was applied stays.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.raw.close()}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
		s.conn = nil
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.search != nil {
		errs = append(errs, s.search.Close())
	}
	return errors.Join(append(errs, s.write.Close())...)
}

// Copy writes the books in file from, as they are at one moment, into the new
// file to. Who writes to from goes on meanwhile.
func Copy(ctx context.Context, from, to string) error {
	db, err := open(from, "rw") // VACUUM INTO counts as writing, though not to from
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	return errors.Join(err, db.Close())
}
