package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"huika/acquirer/book"
	bmemory "huika/acquirer/book/memory"
	"huika/pay"
	"huika/terminal/journal"
	jmemory "huika/terminal/journal/memory"
	"huika/world/issuer"
	"huika/world/issuer/memlog"
	"huika/world/scheme"
)

// Stores says what the durable things of a run are kept in.
type Stores byte

// Kinds of stores.
const (
	BySeed Stores = iota // files for each tenth seed (those that end in 3), memory for the others
	InMemory
	OnSQLite // books and journals on SQLite, the stand-ins' logs and the chain heads in files
)

var storeNames = [...]string{"seed", "memory", "sqlite"}

func (s Stores) String() string { return storeNames[s] }

// ErrStores says that there is no such kind of stores.
var ErrStores = errors.New("not a kind of stores")

// ParseStores reads what String writes.
func ParseStores(s string) (Stores, error) {
	if i := slices.Index(storeNames[:], s); i >= 0 {
		return Stores(i), nil
	}
	return 0, fmt.Errorf("%w: %q; there are %s", ErrStores, s, strings.Join(storeNames[:], ", "))
}

func (s Stores) sqlite(seed uint64) bool { return s == OnSQLite || s == BySeed && seed%10 == 3 }

// disks is what outlives the crashes of every machine. The first methods open a
// store for a new life of a node, from what the last one has written; the
// others show what is durable now, to the oracles.
type disks interface {
	books() (book.Store, error)
	heads() (book.HeadKeeper, error)
	journal(node string) (journal.Store, error)
	ledger(node string) (issuer.Store, error)
	owed() (scheme.Store, error)

	seeBooks() book.Store
	seeHeads() (map[pay.MerchantID]book.Head, error)
	seeJournal(node string) journal.Store // nil: that node never lived
	seeLedger(node string) issuer.Store
	seeOwed() scheme.Store
	close() error
}

type (
	ledgerLog = memlog.Log[issuer.Record, *issuer.Record]
	owedLog   = memlog.Log[scheme.Record, *scheme.Record]
)

// memoryDisks keep what is durable apart from what is volatile.
type memoryDisks struct {
	b        *bmemory.Store
	h        memoryHeads
	journals map[string]*jmemory.Disk
	lives    map[string]*jmemory.Store
	ledgers  map[string]*ledgerLog
	debts    *owedLog
}

func newMemory() *memoryDisks {
	return &memoryDisks{
		b: bmemory.New(), h: memoryHeads{}, journals: map[string]*jmemory.Disk{}, lives: map[string]*jmemory.Store{},
		ledgers: map[string]*ledgerLog{}, debts: memlog.New[scheme.Record](),
	}
}

func (d *memoryDisks) books() (book.Store, error)      { return d.b, nil }
func (d *memoryDisks) heads() (book.HeadKeeper, error) { return d.h, nil }

func (d *memoryDisks) journal(node string) (journal.Store, error) {
	if d.journals[node] == nil {
		d.journals[node] = &jmemory.Disk{}
	}
	j, err := jmemory.Open(d.journals[node])
	d.lives[node] = j
	return j, err
}

func (d *memoryDisks) ledger(node string) (issuer.Store, error) {
	if d.ledgers[node] == nil {
		d.ledgers[node] = memlog.New[issuer.Record]()
	}
	d.ledgers[node] = d.ledgers[node].Crash()
	return d.ledgers[node], nil
}

func (d *memoryDisks) owed() (scheme.Store, error) {
	d.debts = d.debts.Crash()
	return d.debts, nil
}

func (d *memoryDisks) seeBooks() book.Store                            { return d.b }
func (d *memoryDisks) seeHeads() (map[pay.MerchantID]book.Head, error) { return maps.Clone(d.h), nil }
func (d *memoryDisks) seeLedger(node string) issuer.Store              { return d.ledgers[node] }
func (d *memoryDisks) seeOwed() scheme.Store                           { return d.debts }
func (*memoryDisks) close() error                                      { return nil }

func (d *memoryDisks) seeJournal(node string) journal.Store {
	if j := d.lives[node]; j != nil {
		return j
	}
	return nil
}

// memoryHeads keep the newest chain ends.
type memoryHeads map[pay.MerchantID]book.Head

// Keep implements book.HeadKeeper.
func (h memoryHeads) Keep(heads []book.MerchantHead) error {
	for _, x := range slices.Clone(heads) {
		if x.Seq > h[x.Merchant].Seq {
			h[x.Merchant] = x.Head
		}
	}
	return nil
}
