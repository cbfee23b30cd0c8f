package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"huika/acquirer/book"
	bmemory "huika/acquirer/book/memory"
	bsqlite "huika/acquirer/book/sqlite"
	"huika/terminal/journal"
	jmemory "huika/terminal/journal/memory"
	jsqlite "huika/terminal/journal/sqlite"
)

// Stores says what the books and the journal of a run are kept in.
type Stores byte

// Kinds of stores.
const (
	BySeed Stores = iota // SQLite for each tenth seed (those that end in 3), memory for the others
	InMemory
	OnSQLite
)

func (s Stores) sqlite(seed uint64) bool { return s == OnSQLite || s == BySeed && seed%10 == 3 }

// disks is what outlives the crashes of a host and a terminal.
type disks interface {
	// books and journal open the store for a new life of its owner, from what
	// the last one has written.
	books() (book.Store, error)
	journal() (journal.Store, error)
	// seeBooks and seeJournal show what is durable now, to the oracles.
	seeBooks() book.Reader
	seeJournal() (journal.Store, error)
	close() error
}

// memoryDisks keep what is durable apart from what is volatile.
type memoryDisks struct {
	b *bmemory.Store
	j jmemory.Disk
}

func (d *memoryDisks) books() (book.Store, error)         { return d.b, nil }
func (d *memoryDisks) seeBooks() book.Reader              { return d.b }
func (d *memoryDisks) journal() (journal.Store, error)    { return jmemory.Open(&d.j) }
func (d *memoryDisks) seeJournal() (journal.Store, error) { return jmemory.Open(&d.j) }
func (*memoryDisks) close() error                         { return nil }

// files are SQLite databases. Each life opens a copy of what the files of the
// last one hold at that moment, database and log, as it would find them after
// kill -9: the old life's connections are still open and have tidied nothing.
type files struct {
	dir   string
	lives int
	b     *bsqlite.Store
	j     *jsqlite.Store
	past  []interface{ Close() error }
}

func newFiles() (*files, error) {
	dir, err := os.MkdirTemp("", "huika-sim-")
	return &files{dir: dir}, err
}

func (d *files) books() (book.Store, error) {
	to, err := d.next("books.db")
	if err != nil {
		return nil, err
	}
	if d.b != nil {
		d.past = append(d.past, d.b)
	}
	d.b, err = bsqlite.Open(context.Background(), to)
	return d.b, err
}

func (d *files) journal() (journal.Store, error) {
	to, err := d.next("journal.db")
	if err != nil {
		return nil, err
	}
	if d.j != nil {
		d.past = append(d.past, d.j)
	}
	d.j, err = jsqlite.Open(context.Background(), to)
	return d.j, err
}

func (d *files) seeBooks() book.Reader              { return d.b }
func (d *files) seeJournal() (journal.Store, error) { return d.j, nil }

// next copies the newest database of this name, with its log, for the next life.
func (d *files) next(name string) (string, error) {
	d.lives++
	found, err := filepath.Glob(filepath.Join(d.dir, "*-"+name))
	if err != nil {
		return "", err
	}
	to := filepath.Join(d.dir, fmt.Sprintf("%06d-%s", d.lives, name))
	if len(found) == 0 {
		return to, nil
	}
	from := found[len(found)-1] // Glob sorts
	for _, part := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + part)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(to+part, b, 0o600); err != nil {
			return "", err
		}
	}
	return to, nil
}

func (d *files) close() error {
	var errs []error
	if d.b != nil {
		d.past = append(d.past, d.b)
	}
	if d.j != nil {
		d.past = append(d.past, d.j)
	}
	for _, s := range d.past {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}
