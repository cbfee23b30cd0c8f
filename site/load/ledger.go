package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"huika/acquirer/book"
	booksqlite "huika/acquirer/book/sqlite"
	"huika/pay"
)

// LedgerOptions say how the ledger alone is measured.
type LedgerOptions struct {
	Dir       string // where the two files are made
	For       time.Duration
	Merchants int
	Batch     int // transfers in one durable write
}

// LedgerFigures are the ledger's speed, and beside it that of rows of the same
// content written one by one through the same driver into a table without any
// index, as durably and as many a transaction, in turns on the same machine.
type LedgerFigures struct {
	Transfers    int     `json:"transfers"`
	Batch        int     `json:"batch"`
	Merchants    int     `json:"merchants"`
	PerSecond    float64 `json:"transfers_per_second"`
	CPU          float64 `json:"cpu_us_per_transfer"`
	RawPerSecond float64 `json:"raw_inserts_per_second"`
	RawCPU       float64 `json:"raw_cpu_us_per_insert"`
	Ratio        float64 `json:"ratio"` // of the two speeds
}

// turn is how long each of the two works before the other has its turn.
const turn = time.Second

// Ledger measures transfers that belong to no payment, in batches sorted by merchant.
func Ledger(ctx context.Context, o LedgerOptions) (fig LedgerFigures, err error) {
	l, err := openLedger(ctx, o)
	if err != nil {
		return fig, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var ours, raw share
	for begun := time.Now(); time.Since(begun) < o.For; {
		if err := ours.take(ctx, l.post); err != nil {
			return fig, err
		}
		if err := raw.take(ctx, l.insert); err != nil {
			return fig, err
		}
	}
	fig = LedgerFigures{Transfers: ours.rows, Batch: o.Batch, Merchants: o.Merchants}
	fig.PerSecond, fig.CPU = ours.figures()
	fig.RawPerSecond, fig.RawCPU = raw.figures()
	fig.Ratio = fig.PerSecond / fig.RawPerSecond
	return fig, nil
}

// share is what one of the two has done in its turns.
type share struct {
	rows int
	took time.Duration
	cpu  time.Duration
}

func (s *share) take(ctx context.Context, write func(context.Context) (int, error)) error {
	start, before := time.Now(), used()
	for time.Since(start) < turn {
		n, err := write(ctx)
		if err != nil {
			return err
		}
		s.rows += n
	}
	s.took += time.Since(start)
	s.cpu += used().CPU - before.CPU
	return nil
}

func (s *share) figures() (perSecond, cpuMicros float64) {
	return float64(s.rows) / s.took.Seconds(), float64(s.cpu.Nanoseconds()) / 1000 / float64(s.rows)
}

type ledger struct {
	o     LedgerOptions
	store *booksqlite.Store
	ends  []uint64 // of each merchant's chain
	names []pay.MerchantID
	next  int
	db    *sql.DB
	row   *sql.Stmt
}

func openLedger(ctx context.Context, o LedgerOptions) (*ledger, error) {
	l := &ledger{o: o, ends: make([]uint64, o.Merchants), names: make([]pay.MerchantID, o.Merchants)}
	for i := range l.names {
		l.names[i] = pay.MerchantID(fmt.Sprintf("8983100481%05d", i))
	}
	var err error
	if l.store, err = booksqlite.Open(ctx, filepath.Join(o.Dir, "books.db")); err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)"}}
	if l.db, err = sql.Open("sqlite", "file:"+filepath.Join(o.Dir, "raw.db")+"?"+q.Encode()); err != nil {
		return nil, errors.Join(err, l.store.Close())
	}
	l.db.SetMaxOpenConns(1)
	_, err = l.db.ExecContext(ctx, `CREATE TABLE raw (lane INTEGER, merchant TEXT, seq INTEGER, debit TEXT, credit TEXT, amount INTEGER, currency INTEGER, what TEXT, at_ms INTEGER, hash BLOB)`)
	if err == nil {
		l.row, err = l.db.PrepareContext(ctx, `INSERT INTO raw VALUES (?,?,?,?,?,?,?,?,?,?)`)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *ledger) close() error { return errors.Join(l.db.Close(), l.store.Close()) }

// perMerchant is how many transfers in a row one merchant has in a batch.
const perMerchant = 8

// batch is the next batch of moves, sorted: by lane, merchant and place.
func (l *ledger) batch() []book.LaneMoves {
	out := make([]book.LaneMoves, book.DefaultLanes)
	now := time.Now().UTC().Truncate(time.Millisecond)
	for n := 0; n < l.o.Batch; n += perMerchant {
		m := l.next % len(l.names)
		l.next++
		lane := book.LaneOf(l.names[m], book.DefaultLanes)
		for range min(perMerchant, l.o.Batch-n) {
			out[lane].Moves = append(out[lane].Moves, book.MoveOf(l.names[m], book.WhatReserve, pay.Fen(100), l.ends[m], now))
			l.ends[m]++
		}
	}
	for i := range out {
		out[i].Lane, out[i].Epoch = book.Lane(i), 1
	}
	return out
}

func (l *ledger) post(ctx context.Context) (int, error) {
	res, err := l.store.Post(ctx, l.batch())
	if err != nil {
		return 0, err
	}
	n := 0
	for _, lane := range res {
		for _, r := range lane.Results {
			if r.Status != book.Applied {
				return n, fmt.Errorf("ledger: a move was %v", r.Status)
			}
			n++
		}
	}
	return n, nil
}

func (l *ledger) insert(ctx context.Context) (int, error) {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	row := tx.StmtContext(ctx, l.row)
	var hash book.Hash
	now := time.Now().UnixMilli()
	for n := range l.o.Batch {
		m := l.names[n/perMerchant%len(l.names)]
		if _, err := row.ExecContext(ctx, int64(n%16), string(m), int64(n), "merchant:"+string(m), "reserve:"+string(m), int64(100), int64(156), book.WhatReserve, now, hash[:]); err != nil {
			return 0, errors.Join(err, tx.Rollback())
		}
	}
	return l.o.Batch, tx.Commit()
}
