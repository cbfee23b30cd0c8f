package book

import (
	"context"
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
	Response string // F39
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

// Searcher answers a console's questions on connections that never stand in the
// way of Apply. A view may lag behind the books by what is being committed.
type Searcher interface {
	// Search lists payments, the newest admission first. after is Next of the
	// page before, "" for the first. Errors: ErrCursor for an after that no page
	// gave, ErrNotApplied, ctx's.
	Search(ctx context.Context, f Filter, after string, limit int) (Page, error)
	// Tally adds up the payments of a merchant ("" for all) admitted in [from,
	// to) by spans of step, oldest first, empty spans left out. Errors: ErrNotApplied, ctx's.
	Tally(ctx context.Context, m pay.MerchantID, from, to time.Time, step time.Duration) ([]Bucket, error)
}
