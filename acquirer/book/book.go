// Package book is the acquirer's memory: what was promised to whom, and where
// the money is. It holds the rules that every store obeys (operations, double
// entry, the hash chain) and the Store interface; book/sqlite and book/memory
// keep the rows, book/booktest holds them to one contract.
//
// It is not the flow: acquirer/host decides which operation comes next. On the
// way of a tap it stands twice: before the scheme is asked (admit) and before
// the terminal is answered (settle).
package book

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"huika/acquirer/payment"
	"huika/pay"
)

// Lane is a share of the merchants: the first column of every primary key.
type Lane uint16

// DefaultLanes is the number of lanes of a new installation; it never changes afterwards.
const DefaultLanes = 16

// LaneOf is the lane of a merchant among n: FNV-1a of the id, modulo n.
func LaneOf(m pay.MerchantID, n int) Lane {
	h := fnv.New32a()
	_, _ = h.Write([]byte(m)) // hash.Hash never fails
	return Lane(h.Sum32() % uint32(n))
}

// Op is one change to one payment, as data: it can be batched, simulated and
// replayed. Applying it twice changes nothing the second time.
type Op struct {
	Event payment.Event
	Key   payment.Key
	At    time.Time

	// New is the payment's row, for Admit and ReverseAhead.
	New *payment.Payment
	// The rest is what a later event learns; "" leaves the row as it is.
	Response       string
	AuthCode       string
	ReversalReason string
}

// LaneBatch is what one lane is asked to apply, in order. Epoch is the owner's
// lease number; a store refuses an old one with ErrFenced.
type LaneBatch struct {
	Lane  Lane
	Epoch uint64
	Ops   []Op
}

// Status is how one operation ended.
type Status byte

// Statuses.
const (
	Applied   Status = iota + 1
	Duplicate        // it had been applied before; Payment is the row as it stands
	Mismatch         // the same key stands for another payment (response 94)
	Stale            // the table has no such change from the row's state; Payment is the row
	Missing          // the key is unknown
	Refused          // the payment that it follows can't be claimed: Refusal says why
)

func (s Status) String() string {
	return [...]string{"none", "applied", "duplicate", "mismatch", "stale", "missing", "refused"}[s]
}

// Result is one operation's end. Payment is the row after it.
type Result struct {
	Status  Status
	Payment payment.Payment
	Refusal payment.Refusal
}

// LaneResult is one lane's end: either Err, and nothing is known to have been
// applied, or one Result for each operation. Heads are the chain ends that the
// batch moved, in no order: HeadKeeper keeps them outside the store.
type LaneResult struct {
	Lane    Lane
	Results []Result
	Heads   []MerchantHead
	Err     error
}

// MerchantHead is where one merchant's chain ends.
type MerchantHead struct {
	Merchant pay.MerchantID
	Head
}

// HeadKeeper remembers chain ends outside the store, so that a history that is
// cut or rewritten as a whole shows. It is told after the commit: what it
// holds may lag behind the store by the last writes before a crash, never run
// ahead of it.
type HeadKeeper interface {
	// Keep remembers newer ends.
	Keep(heads []MerchantHead) error
}

// Errors that Apply and LaneResult carry.
var (
	// ErrNotApplied: nothing was written; the same batch may be tried again.
	ErrNotApplied = errors.New("books: not applied")
	// ErrFenced: another host owns the lane now.
	ErrFenced = errors.New("books: lane is owned by another host")
	// ErrUnknown: the commit may or may not have happened; apply the same batch again and read what comes back.
	ErrUnknown = errors.New("books: commit unknown")
	// ErrBroken: the store can't promise durability any more (a failed fsync): the process must end.
	ErrBroken = errors.New("books: store is broken")
)

// Cursor is a place in a lane's unresolved payments; the zero value is the start.
type Cursor struct{ After payment.Key }

// Grouping says which lanes may share one transaction.
type Grouping byte

// Groupings.
const (
	AllLanes Grouping = iota + 1 // SQLite and memory
	EachLane                     // PostgreSQL
)

// Store keeps the books. Apply is durable when it returns without error.
type Store interface {
	// Apply applies each lane's operations in order, in one transaction per
	// group. Errors: ErrNotApplied, ErrFenced, ErrUnknown, ErrBroken, ctx's.
	Apply(ctx context.Context, batches []LaneBatch) ([]LaneResult, error)
	// Grouping says which lanes may share a transaction.
	Grouping() Grouping
	// Unresolved lists up to UnresolvedPage payments of a lane that somebody
	// still has to finish, in key order, after the cursor. Errors: ErrNotApplied, ctx's.
	Unresolved(ctx context.Context, lane Lane, after Cursor) ([]payment.Payment, error)
	// Find is one payment, or false. Errors: ErrNotApplied, ctx's.
	Find(ctx context.Context, lane Lane, key payment.Key) (payment.Payment, bool, error)
	// FindRRN is the payment of a merchant that has this reference number and
	// one of the kinds, or false; the newest, should a number ever repeat.
	// Errors: ErrNotApplied, ctx's.
	FindRRN(ctx context.Context, lane Lane, merchant pay.MerchantID, rrn pay.RRN, kinds ...payment.Kind) (payment.Payment, bool, error)
	// Batch adds up a terminal's batch. Errors: ErrNotApplied, ctx's.
	Batch(ctx context.Context, lane Lane, merchant pay.MerchantID, terminal pay.TerminalID, batch string) (BatchTotals, error)
	// Checkpoint writes down a merchant's balances as its chain stands, so that
	// Balances need not read the rows before. Writing it twice changes nothing.
	// Errors: ErrNotApplied, ctx's.
	Checkpoint(ctx context.Context, lane Lane, merchant pay.MerchantID) error
	// Balances are what a merchant's chain has moved on each account: the last
	// checkpoint and the rows behind it. Errors: ErrNotApplied, ctx's.
	Balances(ctx context.Context, lane Lane, merchant pay.MerchantID) (Balances, error)
	Leases
	Poster
	Reader
	Close() error
}

// Leases say which host owns a lane. Epochs of a lane only rise: what an
// earlier owner still writes is refused with ErrFenced.
type Leases interface {
	// Lease takes or renews lanes for owner until now+ttl and returns the epoch
	// of each that it has. A lane whose owner still has time is not taken; a
	// renewed one keeps its epoch. Errors: ErrNotApplied, ctx's.
	Lease(ctx context.Context, owner string, lanes []Lane, now time.Time, ttl time.Duration) (map[Lane]uint64, error)
	// Release gives owner's lanes back at once. Errors: ErrNotApplied, ctx's.
	Release(ctx context.Context, owner string) error
}

// Reader walks the books for verification, statements and oracles.
type Reader interface {
	// Merchants calls f for each merchant that has payments or transfers, in
	// the order of lane and name. Errors: f's, ErrNotApplied, ctx's.
	Merchants(ctx context.Context, f func(Lane, pay.MerchantID) error) error
	// Transfers calls f for each row of a merchant, in chain order. Errors: f's, ErrNotApplied, ctx's.
	Transfers(ctx context.Context, lane Lane, merchant pay.MerchantID, f func(Transfer) error) error
	// Payments calls f for each payment of a merchant, in key order. Errors: f's, ErrNotApplied, ctx's.
	Payments(ctx context.Context, lane Lane, merchant pay.MerchantID, f func(payment.Payment) error) error
	// Checkpoints calls f for each checkpoint of a merchant: the row behind
	// which it stands, and the balances there. Errors: f's, ErrNotApplied, ctx's.
	Checkpoints(ctx context.Context, lane Lane, merchant pay.MerchantID, f func(seq uint64, b Balances) error) error
}

// Snapshotter is a store that can show all of its content as it was at one
// moment, while others write.
type Snapshotter interface {
	// Snapshot calls f with such a view, which holds until f returns. Errors: f's, ErrNotApplied, ctx's.
	Snapshot(ctx context.Context, f func(Reader) error) error
}

// AllPayments walks every merchant's payments.
func AllPayments(ctx context.Context, r Reader, f func(Lane, payment.Payment) error) error {
	return r.Merchants(ctx, func(lane Lane, m pay.MerchantID) error {
		return r.Payments(ctx, lane, m, func(p payment.Payment) error { return f(lane, p) })
	})
}
