package book

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"huika/acquirer/payment"
	"huika/pay"
)

// Filter narrows a search. A zero field does not narrow; fields narrow together.
type Filter struct {
	Merchant pay.MerchantID
	Terminal pay.TerminalID
	Batch    string
	States   []payment.State
	Kinds    []payment.Kind
	From, To time.Time // admitted in [From, To); zero: open
	Min, Max int64     // minor units, both ends included; Max 0: open
	Currency pay.Currency
	RRN      pay.RRN
	ID       pay.PaymentID
	Last4    string // end of the card number
	Scheme   string
	Response string      // F39
	Original payment.Key // payments that follow this one
}

// Shows reports whether the filter lets a payment through. A store may narrow in
// its own language; it must come to the same.
func (f Filter) Shows(p payment.Payment) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(string(f.Merchant), string(p.Key.Merchant)) && is(string(f.Terminal), string(p.Key.Terminal)) && is(f.Batch, p.Key.Batch) &&
		(len(f.States) == 0 || slices.Contains(f.States, p.State)) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, p.Key.Kind)) &&
		(f.From.IsZero() || !p.Admitted.Before(f.From)) && (f.To.IsZero() || p.Admitted.Before(f.To)) &&
		p.Amount.Minor >= f.Min && (f.Max == 0 || p.Amount.Minor <= f.Max) && (f.Currency == 0 || p.Amount.Currency == f.Currency) &&
		is(string(f.RRN), string(p.RRN)) && is(string(f.ID), string(p.ID)) && (f.Last4 == "" || strings.HasSuffix(p.MaskedPAN, f.Last4)) &&
		is(f.Scheme, p.Scheme) && is(f.Response, p.Response) && (f.Original == payment.Key{} || f.Original == p.Original)
}

// CheckSpans says what is wrong with the spans of a tally, as an ErrNotApplied.
func CheckSpans(from, to time.Time, step time.Duration) error {
	switch {
	case step < time.Millisecond || step%time.Millisecond != 0:
		return fmt.Errorf("%w: a tally's step is whole milliseconds", ErrNotApplied)
	case !from.Equal(from.Truncate(time.Millisecond)) || !to.Equal(to.Truncate(time.Millisecond)):
		return fmt.Errorf("%w: a tally begins and ends at a whole millisecond", ErrNotApplied)
	case to.Sub(from) > MaxBuckets*step:
		return fmt.Errorf("%w: more than %d spans", ErrNotApplied, MaxBuckets)
	}
	return nil
}

// Found is one payment with the lane that holds it.
type Found struct {
	Lane    Lane
	Payment payment.Payment
}

// Page is a part of what a search finds. Next leads to the page behind it; ""
// says that there is none. A page may be short, or empty, and still have a
// Next: what one call reads is bounded by SearchRows.
type Page struct {
	Found []Found
	Next  string
}

// Bounds of one search.
const (
	MaxPage    = 500     // payments a page
	SearchRows = 200_000 // rows that one call looks at, where no index fits
	MaxBuckets = 10_000  // spans of one tally
	// ClockSlack is how far the order of admission and the hosts' clocks may
	// disagree: a search by time looks so much beyond both ends.
	ClockSlack = time.Hour
)

// Bucket is what one span of time added up to, for one currency.
type Bucket struct {
	At       time.Time // its beginning
	Currency pay.Currency
	Approved int   // payments
	Declined int   // payments that the issuer, the scheme or the host refused
	Undone   int   // reversed, void
	Minor    int64 // minor units of approved sales and completions, without what was given back
}

// Add counts a payment: what holds as approved, what was refused as declined,
// what was approved or asked for once and taken back as undone. Open payments,
// settlements and tombstones count nowhere. Minor is what sales and completions
// have left: their amounts without what follow-ups took of them. A store may
// add up in its own language; it must come to the same.
func (b *Bucket) Add(p payment.Payment) {
	rule := p.Key.Kind.Rule()
	if rule.Local {
		return
	}
	switch p.State {
	case payment.Approved, payment.Used, payment.Forwarding:
		b.Approved++
	case payment.Declined:
		b.Declined++
	case payment.Undone, payment.Reversing, payment.Reversed, payment.Abandoned:
		b.Undone++
	}
	switch p.State {
	case payment.Approved, payment.Undone, payment.Forwarding:
		if rule.Moves == payment.MovesSale || rule.Moves == payment.MovesComplete {
			b.Minor += p.Amount.Minor - p.Taken
		}
	}
}

// Empty reports whether nothing was counted.
func (b Bucket) Empty() bool { return b.Approved+b.Declined+b.Undone == 0 && b.Minor == 0 }

// Searcher answers a console's questions on connections that never stand in the
// way of Apply. A view may lag behind the books by what is being committed.
type Searcher interface {
	// Search lists payments in the order in which they came into the books, the
	// newest first, up to limit (MaxPage at most) of them. after is Next of the
	// page before, "" for the first: payments that arrive meanwhile move no
	// later page. Errors: ErrCursor for an after that no page gave, ErrNotApplied, ctx's.
	Search(ctx context.Context, f Filter, after string, limit int) (Page, error)
	// Tally adds up the payments of a merchant ("" for all) admitted in [from,
	// to) by spans of step, the first beginning at from, oldest first and the
	// currencies of a span in their order, empty spans left out. Errors:
	// ErrNotApplied (also for more than MaxBuckets spans), ctx's.
	Tally(ctx context.Context, m pay.MerchantID, from, to time.Time, step time.Duration) ([]Bucket, error)
}

// Chains looks into merchants' chains without walking them from the beginning:
// for one payment's story, and for whoever follows the chain as an outbox.
type Chains interface {
	// TransfersAfter is up to limit rows of a merchant's chain behind row seq, in
	// chain order. Prev of the first is zero where seq is not. Errors: ErrNotApplied, ctx's.
	TransfersAfter(ctx context.Context, lane Lane, m pay.MerchantID, seq uint64, limit int) ([]Transfer, error)
	// TransfersOf is what one payment moved, in chain order; Prev is not filled
	// in. Errors: ErrNotApplied, ctx's.
	TransfersOf(ctx context.Context, lane Lane, key payment.Key) ([]Transfer, error)
	// SeqAt is the last row of a merchant's chain that was written before at, 0
	// where there is none; exact as far as the host's clock only went forward.
	// Errors: ErrNotApplied, ctx's.
	SeqAt(ctx context.Context, lane Lane, m pay.MerchantID, at time.Time) (uint64, error)
}
