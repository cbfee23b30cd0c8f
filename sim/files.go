package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"huika/acquirer/book"
	"huika/acquirer/book/headfile"
	bsqlite "huika/acquirer/book/sqlite"
	"huika/pay"
	"huika/terminal/journal"
	jsqlite "huika/terminal/journal/sqlite"
	"huika/world/issuer"
	"huika/world/issuer/filelog"
	"huika/world/scheme"
)

type (
	ledgerFile = filelog.Log[issuer.Record, *issuer.Record]
	owedFile   = filelog.Log[scheme.Record, *scheme.Record]
)

// files are those that the program writes: SQLite databases and append logs.
// Each life opens a copy of what the files of the last one hold at that moment,
// database and log, as it would find them after kill -9: the old life's handles
// are still open and have tidied nothing. Where the last life died in the middle
// of a write, the copy has part of that write only.
type files struct {
	dir     string
	dice    *rand.Rand
	headKey pay.Secret
	// tears asks whether the write at hand is the last one of that node.
	tears func(node string) bool
	dies  func(node string)

	lives    int
	latest   map[string]string // path of the newest file, by node and name
	torn     map[string]image  // found in its place, where a write was torn
	b        *bsqlite.Store
	h        *headfile.File
	journals map[string]*jsqlite.Store
	ledgers  map[string]*ledgerFile
	debts    *owedFile
	past     []interface{ Close() error }
}

func newFiles(d *rand.Rand, headKey pay.Secret) (*files, error) {
	dir, err := os.MkdirTemp(diskInMemory(), "huika-sim-")
	return &files{
		dir: dir, dice: d, headKey: headKey, latest: map[string]string{}, torn: map[string]image{},
		journals: map[string]*jsqlite.Store{}, ledgers: map[string]*ledgerFile{},
	}, err
}

// diskInMemory is a file system without a disk behind it, or "": what is lost in
// a crash is decided here, not by the machine's disk, so nobody need wait for one.
func diskInMemory() string {
	const path = "/dev/shm"
	if i, err := os.Stat(path); err != nil || !i.IsDir() {
		return ""
	}
	return path
}

const (
	booksName   = "books.db"
	journalName = "journal.db"
	ledgerName  = "ledger.log"
	owedName    = "owed.log"
)

func (d *files) books() (book.Store, error) {
	const node = "host-1" // one owner
	to, err := d.next(node, booksName)
	if err == nil {
		d.b, err = bsqlite.Open(context.Background(), to)
	}
	if err != nil {
		return nil, err
	}
	d.past = append(d.past, d.b)
	return tearBooks{d.b, d.tear(node, booksName)}, nil
}

// heads open the file again; a crash may have cost its newest lines, which are not synced.
func (d *files) heads() (book.HeadKeeper, error) {
	path := filepath.Join(d.dir, "heads")
	if i, err := os.Stat(path); err == nil && d.tears("heads") {
		if err := os.Truncate(path, i.Size()-d.dice.Int64N(min(i.Size(), 200)+1)); err != nil {
			return nil, err
		}
	}
	h, err := headfile.Open(path, d.headKey)
	if err != nil {
		return nil, err
	}
	d.h = h
	d.past = append(d.past, h)
	return h, nil
}

func (d *files) journal(node string) (journal.Store, error) {
	to, err := d.next(node, journalName)
	if err != nil {
		return nil, err
	}
	j, err := jsqlite.Open(context.Background(), to)
	if err != nil {
		return nil, err
	}
	d.journals[node] = j
	d.past = append(d.past, j)
	return tearJournal{j, d.tear(node, journalName)}, nil
}

func (d *files) ledger(node string) (issuer.Store, error) {
	to, err := d.next(node, ledgerName)
	if err != nil {
		return nil, err
	}
	l, err := filelog.Open[issuer.Record](to)
	if err != nil {
		return nil, err
	}
	d.ledgers[node] = l
	d.past = append(d.past, l)
	return tearLog[issuer.Record]{l, d.tear(node, ledgerName)}, nil
}

func (d *files) owed() (scheme.Store, error) {
	to, err := d.next("scheme", owedName)
	if err != nil {
		return nil, err
	}
	if d.debts, err = filelog.Open[scheme.Record](to); err != nil {
		return nil, err
	}
	d.past = append(d.past, d.debts)
	return tearLog[scheme.Record]{d.debts, d.tear("scheme", owedName)}, nil
}

func (d *files) seeBooks() book.Store { return d.b }
func (d *files) seeHeads() (map[pay.MerchantID]book.Head, error) {
	return headfile.Read(filepath.Join(d.dir, "heads"), d.headKey)
}
func (d *files) seeLedger(node string) issuer.Store { return d.ledgers[node] }
func (d *files) seeOwed() scheme.Store              { return d.debts }

func (d *files) seeJournal(node string) journal.Store {
	if j := d.journals[node]; j != nil {
		return j
	}
	return nil
}

// next makes the file that a new life opens.
func (d *files) next(node, name string) (string, error) {
	d.lives++
	slot := node + "-" + name
	from := d.latest[slot]
	to := filepath.Join(d.dir, fmt.Sprintf("%06d-%s", d.lives, slot))
	d.latest[slot] = to
	found, torn := d.torn[slot]
	delete(d.torn, slot)
	if from == "" {
		return to, nil
	}
	if !torn {
		var err error
		if found, err = look(from); err != nil {
			return "", err
		}
	}
	return to, found.write(to)
}

func (d *files) close() error {
	var errs []error
	for _, s := range d.past {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}
