package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
)

func inOrder(lanes []book.Lane) []book.Lane {
	out := slices.Clone(lanes)
	slices.Sort(out)
	return slices.Compact(out)
}

// Entry implements book.Reference.
func (s *Store) Entry(ctx context.Context, kind, id string) (book.Entry, bool, error) {
	e := book.Entry{Kind: kind, ID: id}
	if !keepable(kind + id) {
		return book.Entry{}, false, nil
	}
	var at int64
	err := s.read.QueryRow(ctx, `SELECT version, updated_ms, body FROM entries WHERE kind = $1 AND id = $2`, kind, id).Scan(&e.Version, &at, &e.Body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return book.Entry{}, false, nil
	case err != nil:
		return book.Entry{}, false, before(ctx, err)
	}
	e.Updated = time.UnixMilli(at).UTC()
	return e, true, nil
}

// Entries implements book.Reference.
func (s *Store) Entries(ctx context.Context, kind, after string, limit int) (out []book.Entry, err error) {
	if !keepable(kind+after) || limit <= 0 {
		return nil, nil
	}
	e := book.Entry{Kind: kind}
	var at int64
	rows, err := s.read.Query(ctx, `SELECT id, version, updated_ms, body FROM entries WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3`, kind, after, limit)
	err = each(ctx, rows, err, []any{&e.ID, &e.Version, &at, &e.Body}, func() error {
		e.Updated = time.UnixMilli(at).UTC()
		out = append(out, e)
		e.Body = nil
		return nil
	})
	return out, err
}

// Put implements book.Reference.
func (s *Store) Put(ctx context.Context, e book.Entry) (version int64, err error) {
	switch {
	case len(e.Body) > book.MaxEntry:
		return 0, fmt.Errorf("%w: the body of %s %s has %d bytes, at most %d are kept", book.ErrNotApplied, e.Kind, e.ID, len(e.Body), book.MaxEntry)
	case !keepable(e.Kind + e.ID):
		return 0, fmt.Errorf("%w: an entry's kind and id are UTF-8 text", book.ErrNotApplied)
	}
	body := e.Body
	if body == nil {
		body = []byte{}
	}
	version = e.Version + 1
	err = s.inTx(ctx, 0, pgx.ReadCommitted, func(c *pgx.Conn) error {
		text := `UPDATE entries SET version = $3, updated_ms = $4, body = $5 WHERE kind = $1 AND id = $2 AND version = $3 - 1`
		if e.Version == 0 {
			text = `INSERT INTO entries (kind, id, version, updated_ms, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
		}
		tag, err := c.Exec(ctx, text, e.Kind, e.ID, version, e.Updated.UnixMilli(), body)
		if err == nil && tag.RowsAffected() != 1 {
			err = book.ErrConflict
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return version, nil
}

// Delete implements book.Reference.
func (s *Store) Delete(ctx context.Context, kind, id string, version int64) error {
	if !keepable(kind + id) {
		return nil
	}
	return s.inTx(ctx, 0, pgx.ReadCommitted, func(c *pgx.Conn) error {
		tag, err := c.Exec(ctx, `DELETE FROM entries WHERE kind = $1 AND id = $2 AND version = $3`, kind, id, version)
		if err != nil || tag.RowsAffected() == 1 {
			return err
		}
		var other bool
		if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM entries WHERE kind = $1 AND id = $2)`, kind, id).Scan(&other); err != nil {
			return err
		}
		if other {
			return book.ErrConflict
		}
		return nil
	})
}
