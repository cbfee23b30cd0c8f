package site_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite"

	"huika/acquirer/book"
	booksqlite "huika/acquirer/book/sqlite"
	journalsqlite "huika/terminal/journal/sqlite"
)

// pragmas are what each connection of an adapter is set to once it is open, by
// the name of its file. journal_mode wal and synchronous 2 (FULL): a commit
// returns after the log was synced. Anything less may forget what it has said.
type pragmas struct {
	mu  sync.Mutex
	got map[string][]string
}

func (p *pragmas) look(conn sqlite3.ExecQuerierContext, dsn string) error {
	var set []string
	for _, name := range []string{"journal_mode", "synchronous"} {
		rows, err := conn.QueryContext(context.Background(), "PRAGMA "+name, nil)
		if err != nil {
			return err
		}
		row := make([]driver.Value, len(rows.Columns()))
		if err := rows.Next(row); err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
		set = append(set, fmt.Sprintf("%s=%v", name, row[0]))
	}
	path, _, _ := strings.Cut(dsn, "?")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got[filepath.Base(path)] = append(p.got[filepath.Base(path)], strings.Join(set, " "))
	return nil
}

func TestStoresSyncEachCommit(t *testing.T) {
	p := &pragmas{got: map[string][]string{}}
	sqlite3.RegisterConnectionHook(p.look) // stays for this test binary; it only looks
	ctx, dir := t.Context(), t.TempDir()
	b, err := booksqlite.Open(ctx, filepath.Join(dir, "books.db"))
	check(t, err)
	_, err = b.Unresolved(ctx, book.Lane(0), book.Cursor{}) // a reading connection opens with the first query
	check(t, err)
	_, err = b.Lease(ctx, "pragma", []book.Lane{0}, time.Now(), time.Minute)
	check(t, err)
	check(t, b.Close())
	j, err := journalsqlite.Open(ctx, filepath.Join(dir, "journal.db"))
	check(t, err)
	check(t, j.Close())
	for file, least := range map[string]int{"books.db": 2, "journal.db": 1} {
		p.mu.Lock()
		got := slices.Clone(p.got[file])
		p.mu.Unlock()
		if len(got) < least {
			t.Errorf("%s: %d connections were seen, want %d", file, len(got), least)
		}
		for _, set := range got {
			if set != "journal_mode=wal synchronous=2" {
				t.Errorf("%s: a connection with %s", file, set)
			}
		}
	}
}
