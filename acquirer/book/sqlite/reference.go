package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"huika/acquirer/book"
)

// Entry implements book.Reference.
func (s *Store) Entry(ctx context.Context, kind, id string) (book.Entry, bool, error) {
	e := book.Entry{Kind: kind, ID: id}
	var ms int64
	err := s.search.QueryRowContext(ctx, `SELECT version, updated_ms, body FROM reference WHERE kind=? AND id=?`, kind, id).Scan(&e.Version, &ms, &e.Body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return book.Entry{}, false, nil
	case err != nil:
		return book.Entry{}, false, before(ctx, err)
	}
	e.Updated = time.UnixMilli(ms).UTC()
	return e, true, nil
}

// Entries implements book.Reference.
func (s *Store) Entries(ctx context.Context, kind, after string, limit int) ([]book.Entry, error) {
	rows, err := s.search.QueryContext(ctx, `SELECT id, version, updated_ms, body FROM reference WHERE kind=? AND id>? ORDER BY id LIMIT ?`, kind, after, max(limit, 0))
	if err != nil {
		return nil, before(ctx, err)
	}
	var out []book.Entry
	err = each(ctx, rows, func() error {
		e := book.Entry{Kind: kind}
		var ms int64
		err := rows.Scan(&e.ID, &e.Version, &ms, &e.Body)
		e.Updated = time.UnixMilli(ms).UTC()
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, before(ctx, err)
	}
	return out, nil
}

// Put implements book.Reference.
func (s *Store) Put(ctx context.Context, e book.Entry) (int64, error) {
	if len(e.Body) > book.MaxEntry {
		return 0, fmt.Errorf("%w: the entry has %d bytes, more than %d", book.ErrNotApplied, len(e.Body), book.MaxEntry)
	}
	if e.Body == nil {
		e.Body = []byte{}
	}
	text, args := `UPDATE reference SET version=version+1, updated_ms=?, body=? WHERE kind=? AND id=? AND version=?`,
		[]any{e.Updated.UnixMilli(), e.Body, e.Kind, e.ID, e.Version}
	if e.Version == 0 {
		text, args = `INSERT INTO reference (kind, id, version, updated_ms, body) VALUES (?,?,1,?,?) ON CONFLICT DO NOTHING`,
			[]any{e.Kind, e.ID, e.Updated.UnixMilli(), e.Body}
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, text, args...))
		if err == nil && n == 0 {
			err = book.ErrConflict
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return e.Version + 1, nil
}

// Delete implements book.Reference.
func (s *Store) Delete(ctx context.Context, kind, id string, version int64) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `DELETE FROM reference WHERE kind=? AND id=? AND version=?`, kind, id, version))
		if err != nil || n > 0 {
			return err
		}
		var there bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM reference WHERE kind=? AND id=?)`, kind, id).Scan(&there); err != nil || !there {
			return err
		}
		return book.ErrConflict
	})
}

func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
