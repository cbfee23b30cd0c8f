package book

import (
	"context"
	"errors"
	"time"
)

// Entry is one row of the reference table: what is no merchant's and moves no
// money, such as API keys, webhook subscriptions, idempotent replies and saved
// views. On a distributed database it lives on every node.
type Entry struct {
	Kind    string // the part of the program that it belongs to, e.g. "api-key"
	ID      string // its name there
	Version int64  // 1 for the first, one more with each change
	Updated time.Time
	Body    []byte // its own format; no clear PAN, PIN or key
}

// Errors of the reference table and of Searcher.
var (
	// ErrConflict: the entry has another version than the caller has seen.
	ErrConflict = errors.New("books: entry has changed meanwhile")
	// ErrCursor: the cursor is none that a page has given.
	ErrCursor = errors.New("books: no such cursor")
)

// MaxEntry is the largest body, in bytes.
const MaxEntry = 1 << 20

// Reference keeps entries. A change is durable when it returns without error.
type Reference interface {
	// Entry is one entry, or false. Errors: ErrNotApplied, ctx's.
	Entry(ctx context.Context, kind, id string) (Entry, bool, error)
	// Entries are up to limit entries of a kind behind an id ("" for the first),
	// in the order of their ids' bytes. Errors: ErrNotApplied, ctx's.
	Entries(ctx context.Context, kind, after string, limit int) ([]Entry, error)
	// Put writes an entry over the one of version e.Version (0: there was none)
	// and returns its new version. Errors: ErrConflict, ErrNotApplied, ErrUnknown, ctx's.
	Put(ctx context.Context, e Entry) (version int64, err error)
	// Delete takes an entry of that version away; one that is gone is no error.
	// Errors: ErrConflict, ErrNotApplied, ErrUnknown, ctx's.
	Delete(ctx context.Context, kind, id string, version int64) error
}
