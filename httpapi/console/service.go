// Package console is the acquirer's HTTP API, for its console and for programs:
// payments and their stories, refunds and voids, batches, merchants, terminals,
// dead letters, live counts, exports, API keys, webhooks. It also serves the
// console's embedded page.
//
// It holds no rule of payments: acquirer/host carries out what is asked, and
// the books answer what is read, on connections that no payment waits for. In
// a tap it stands beside the way, and watches.
package console

import (
	"context"

	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/terminal"
)

// Books are the store, with what a console asks of it.
type Books interface {
	book.Store
	book.Searcher
	book.Chains
	book.Reference
}

// Acquirer is the host as its operator uses it.
type Acquirer interface {
	// FollowUp carries out a refund, void or cancel that an operator asks for. Errors: host.RefusedError, host.ErrOther, ctx's.
	FollowUp(ctx context.Context, f host.FollowUp) (payment.Payment, error)
	// DeadLetters are what schemes keep refusing, oldest first.
	DeadLetters() []host.Letter
	// EndByHand ends one on a person's word. Errors: host.ErrNotOpen, the committer's, ctx's.
	EndByHand(ctx context.Context, key payment.Key) (payment.Payment, error)
	// Terminals are the configured ones.
	Terminals() []host.TerminalStatus
	// SchemeLinks are the connections to schemes.
	SchemeLinks() []host.SchemeStatus
	// LaneStates are all lanes, and whether this host owns them.
	LaneStates() []host.LaneState
	// Counts are the host's counters now.
	Counts() host.Counts
}

// Traces are the masked tap traces of a terminal in this process. Errors: terminal.ErrNoTrace, ctx's.
type Traces interface {
	Trace(ctx context.Context, id pay.PaymentID) ([]terminal.TraceRow, error)
}
