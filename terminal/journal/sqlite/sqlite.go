// Package sqlite is the terminal journal on SQLite: a write-ahead log that is
// synced at every commit, so that a record is on the disk when Append returns.
// One process has the file at a time.
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
	sqlite3 "modernc.org/sqlite" // also registers the "sqlite" driver
	sqlitelib "modernc.org/sqlite/lib"

	"huika/pay"
	"huika/terminal/journal"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open journal file.
type Store struct {
	db   *sql.DB
	mu   sync.Mutex // one writer; guards fold and lost
	fold *journal.Fold
	lost error // set once a write may not be durable: nothing is written after it
}

var _ journal.Store = (*Store)(nil)

// Open opens or makes the journal at path, brings its schema up to date and folds it.
func Open(ctx context.Context, path string) (*Store, error) {
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "locking_mode(EXCLUSIVE)", "trusted_schema(OFF)", "secure_delete(ON)"},
		"_txlock": {"immediate"},
	}.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // exclusive locking: a second connection would wait for the first for ever
	s := &Store{db: db, fold: journal.NewFold()}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), db.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.db, dir)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	return s.Each(ctx, s.fold.Add)
}

// Append implements journal.Store.
func (s *Store) Append(ctx context.Context, records ...journal.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	next := s.fold.Clone()
	lines := make([]journal.Line, 0, len(records))
	for _, r := range records {
		if err := next.Add(r); err != nil {
			return err
		}
		l, err := journal.Encode(r)
		if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, l := range lines {
			if _, err := tx.ExecContext(ctx, `INSERT INTO record (kind, payment, batch, stan, body) VALUES (?, ?, ?, ?, ?)`,
				l.Kind, string(l.Payment), l.Key.Batch, int64(l.Key.STAN), l.Body); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.fold = next
	}
	return err
}

// write runs f in one transaction. s.mu is held. A write that has begun is not
// broken off by ctx: half a commit would leave the caller not knowing.
func (s *Store) write(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.lose(err)
	}
	if err := f(ctx, tx); err != nil {
		if rollback := tx.Rollback(); rollback != nil {
			return s.lose(errors.Join(err, rollback))
		}
		var e *sqlite3.Error
		if errors.As(err, &e) && e.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE {
			return fmt.Errorf("%w: a payment id or request key was used before", journal.ErrRule)
		}
		return s.lose(err)
	}
	if err := tx.Commit(); err != nil {
		return s.lose(err)
	}
	return nil
}

func (s *Store) lose(err error) error {
	s.lost = fmt.Errorf("%w: %w", journal.ErrLost, err)
	return s.lost
}

// State implements journal.Store.
func (s *Store) State(ctx context.Context) (journal.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fold.State(), ctx.Err()
}

// Payment implements journal.Store.
func (s *Store) Payment(ctx context.Context, id pay.PaymentID) ([]journal.Record, error) {
	records, err := s.query(ctx, `SELECT kind, body FROM (
		SELECT seq, kind, body FROM record WHERE payment = ?1
		UNION ALL
		SELECT d.seq, d.kind, d.body FROM record d JOIN record o ON o.kind = 'reversal_owed' AND o.payment = ?1 AND d.batch = o.batch AND d.stan = o.stan
		WHERE d.kind = 'reversal_done') ORDER BY seq`, string(id))
	if err == nil && len(records) == 0 {
		err = journal.ErrNotFound
	}
	return records, err
}

func (s *Store) query(ctx context.Context, q string, args ...any) ([]journal.Record, error) {
	rows, err := s.db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // the error of a finished read is rows.Err
	var records []journal.Record
	for rows.Next() {
		var kind string
		var body []byte
		if err := rows.Scan(&kind, &body); err != nil {
			return nil, err
		}
		r, err := journal.Decode(kind, body)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// pageSize is how many records Each reads at a time: there is one connection,
// and f must be free to write.
const pageSize = 512

// Each implements journal.Store.
func (s *Store) Each(ctx context.Context, f func(journal.Record) error) error {
	for after := int64(0); ; after += pageSize {
		records, err := s.query(ctx, `SELECT kind, body FROM record WHERE seq > ? AND seq <= ? ORDER BY seq`, after, after+pageSize)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(records) < pageSize { // records are never deleted and seq has no gaps
			return nil
		}
	}
}

// PutTrace implements journal.Store.
func (s *Store) PutTrace(ctx context.Context, id pay.PaymentID, box []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO trace (payment, box) VALUES (?, ?)`, string(id), box); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM trace WHERE seq <= (SELECT max(seq) FROM trace) - ?`, journal.MaxTraces)
		return err
	})
}

// Trace implements journal.Store.
func (s *Store) Trace(ctx context.Context, id pay.PaymentID) ([]byte, error) {
	var box []byte
	err := s.db.QueryRowContext(ctx, `SELECT box FROM trace WHERE payment = ?`, string(id)).Scan(&box)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, journal.ErrNotFound
	}
	return box, err
}

// Close implements journal.Store.
func (s *Store) Close() error { return s.db.Close() }
