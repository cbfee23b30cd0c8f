package site

import (
	"context"

	"huika/acquirer/book"
	"huika/terminal/journal"
	"huika/world/issuer"
	"huika/world/scheme"
)

// Boundary is told before and after each durable write, in the task that
// writes. The crash tests end the process (or the simulated machine) in it, so
// that each durable boundary is tried.
type Boundary func(point string)

// Points where a Boundary is told.
const (
	BooksBefore   = "books-before"
	BooksAfter    = "books-after"
	JournalBefore = "journal-before"
	JournalAfter  = "journal-after"
	IssuerBefore  = "issuer-before"
	IssuerAfter   = "issuer-after"
	SchemeBefore  = "scheme-before"
	SchemeAfter   = "scheme-after"
)

type boundBooks struct {
	book.Store
	at Boundary
}

func (b boundBooks) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	b.at(BooksBefore)
	res, err := b.Store.Apply(ctx, batches)
	b.at(BooksAfter)
	return res, err
}

func (b boundBooks) Post(ctx context.Context, batches []book.LaneMoves) ([]book.LaneResult, error) {
	b.at(BooksBefore)
	res, err := b.Store.Post(ctx, batches)
	b.at(BooksAfter)
	return res, err
}

type boundJournal struct {
	journal.Store
	at Boundary
}

func (b boundJournal) Append(ctx context.Context, records ...journal.Record) error {
	b.at(JournalBefore)
	err := b.Store.Append(ctx, records...)
	b.at(JournalAfter)
	return err
}

type boundIssuer struct {
	issuer.Store
	at Boundary
}

func (b boundIssuer) Append(records ...issuer.Record) error {
	b.at(IssuerBefore)
	err := b.Store.Append(records...)
	b.at(IssuerAfter)
	return err
}

type boundScheme struct {
	scheme.Store
	at Boundary
}

func (b boundScheme) Append(records ...scheme.Record) error {
	b.at(SchemeBefore)
	err := b.Store.Append(records...)
	b.at(SchemeAfter)
	return err
}
