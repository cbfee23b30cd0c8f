package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"huika/acquirer/book"
	booksqlite "huika/acquirer/book/sqlite"
	"huika/acquirer/payment"
	"huika/pay"
)

// FillOptions say how a store is filled.
type FillOptions struct {
	Dir       string // where the books are made
	Payments  int
	Merchants int
	Every     int // payments between two rows of figures
	// Report is told of each row as it comes.
	Report func(FillFigures)
}

// FillFigures are what the payments since the row before have cost.
type FillFigures struct {
	Payments     int     `json:"payments"` // in the store now
	PerSecond    float64 `json:"payments_per_second"`
	CPU          float64 `json:"cpu_us_per_payment"`
	BytesWritten float64 `json:"bytes_written_per_payment"`
}

// fillBatch is the number of payments that one durable write admits, beside
// the approvals of those before.
const fillBatch = 256

// Fill puts whole sales (admitted in one durable write, approved in the next)
// of merchants that differ in size as Zipf says into a store on SQLite, and
// tells what they cost as it grows. What it writes is sound: huika verify can read it.
func Fill(ctx context.Context, o FillOptions) (err error) {
	store, err := booksqlite.Open(ctx, filepath.Join(o.Dir, "books.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	f := &filler{o: o, store: store, zipf: rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, uint64(o.Merchants-1)), stans: make([]uint32, o.Merchants)}
	before, start := used(), time.Now()
	for done := 0; done < o.Payments; {
		n, err := f.write(ctx, min(fillBatch, o.Payments-done))
		if err != nil {
			return err
		}
		if done += n; done%o.Every < n || done == o.Payments {
			after := used()
			rows := float64(done - f.reported)
			o.Report(FillFigures{
				Payments: done, PerSecond: rows / time.Since(start).Seconds(),
				CPU: float64((after.CPU - before.CPU).Nanoseconds()) / 1000 / rows, BytesWritten: float64(after.Written-before.Written) / rows,
			})
			f.reported, before, start = done, used(), time.Now()
		}
	}
	_, err = f.write(ctx, 0)
	return err
}

type filler struct {
	o        FillOptions
	store    book.Store
	zipf     *rand.Zipf
	stans    []uint32 // of each merchant
	waiting  []book.Op
	reported int
	made     int
}

// perBatch is how many payments a terminal takes before it settles.
const perBatch = 100

// write admits n new payments and approves those of the write before.
func (f *filler) write(ctx context.Context, n int) (int, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	ops := f.waiting
	var next []book.Op
	for range n {
		m := int(f.zipf.Uint64())
		seq := f.stans[m]
		f.stans[m]++
		f.made++
		// A merchant has a terminal for each ten thousandth of the trade, more or less.
		terminal := fmt.Sprintf("%03d%05d", seq/perBatch%uint32(1+64/(m+1)), m)
		key := payment.Key{
			Merchant: pay.MerchantID(fmt.Sprintf("8983100481%05d", m)), Terminal: pay.TerminalID(terminal),
			Batch: fmt.Sprintf("%06d", 1+seq/perBatch), STAN: pay.STAN(1 + seq%perBatch), Kind: payment.Sale,
		}
		ops = append(ops, book.Op{Event: payment.Admit, Key: key, At: now, New: &payment.Payment{
			ID: pay.PaymentID(fmt.Sprintf("%026d", f.made)), Fingerprint: payment.Fingerprint{1, byte(seq)}, Amount: pay.Fen(100 + int64(seq%90_000)),
			SealedPAN: make([]byte, 48), MaskedPAN: "622848*********1234", RRN: pay.RRN(fmt.Sprintf("%012d", f.made)), Entry: "072", CVM: "none",
			Scheme: "unionpay", SchemeSTAN: pay.STAN(f.made % 999_999), SchemeTime: "1123010203", Fee: 1, FeeRule: "domestic credit",
		}})
		next = append(next, book.Op{Event: payment.Approve, Key: key, At: now, Response: "00", AuthCode: "123456"})
	}
	f.waiting = next
	if len(ops) == 0 {
		return n, nil
	}
	at := map[book.Lane]int{}
	var batches []book.LaneBatch
	for _, op := range ops {
		lane := book.LaneOf(op.Key.Merchant, book.DefaultLanes)
		i, ok := at[lane]
		if !ok {
			i = len(batches)
			at[lane] = i
			batches = append(batches, book.LaneBatch{Lane: lane, Epoch: 1})
		}
		batches[i].Ops = append(batches[i].Ops, op)
	}
	out, err := f.store.Apply(ctx, batches)
	if err != nil {
		return 0, err
	}
	for _, lane := range out {
		for _, r := range lane.Results {
			if r.Status != book.Applied {
				return 0, fmt.Errorf("fill: payment %s was %v", r.Payment.Key, r.Status)
			}
		}
	}
	return n, nil
}
