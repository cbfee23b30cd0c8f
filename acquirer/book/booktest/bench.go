package booktest

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// benchBatch is the number of operations of one durable write: what a busy host queues.
const benchBatch = 256

// Bench measures whole payments through a store: each is admitted in one
// durable write and approved in a later one, together with others of 500
// terminals at 100 merchants.
func Bench(b *testing.B, s book.Store) {
	ctx := context.Background()
	write := func(ops []book.Op) {
		at := map[book.Lane]int{}
		var batches []book.LaneBatch
		for _, op := range ops {
			lane := book.LaneOf(op.Key.Merchant, lanes)
			i, ok := at[lane]
			if !ok {
				i = len(batches)
				at[lane] = i
				batches = append(batches, book.LaneBatch{Lane: lane, Epoch: 1})
			}
			batches[i].Ops = append(batches[i].Ops, op)
		}
		out, err := s.Apply(ctx, batches)
		if err != nil {
			b.Fatal(err)
		}
		for _, lane := range out {
			for _, r := range lane.Results {
				if lane.Err != nil || r.Status != book.Applied {
					b.Fatalf("%v %v", lane.Err, r.Status)
				}
			}
		}
	}
	began := cpu(b)
	var waiting, ops []book.Op
	for i := range b.N {
		terminal := i % 500
		op := Admit(payment.Key{
			Merchant: pay.MerchantID(fmt.Sprintf("89831004816%04d", terminal%100)), Terminal: pay.TerminalID(fmt.Sprintf("T%07d", terminal)),
			Batch: "000001", STAN: pay.STAN(1 + i/500), Kind: payment.Sale,
		}, 8880)
		op.New.SealedPAN, op.New.RRN = make([]byte, 48), pay.RRN(fmt.Sprintf("%012d", i))
		op.New.ID, op.New.Fee, op.New.FeeRule = pay.PaymentID(fmt.Sprintf("%026d", i)), 53, "domestic credit"
		ops = append(ops, op)
		if len(ops) == benchBatch/2 || i == b.N-1 {
			write(append(ops, waiting...))
			waiting = waiting[:0]
			for _, op := range ops {
				waiting = append(waiting, book.Op{Event: payment.Approve, Key: op.Key, At: op.At, Response: "00", AuthCode: "123456"})
			}
			ops = ops[:0]
		}
	}
	write(waiting)
	b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/1000/float64(b.N), "cpu-us/op")
}

// cpu is what the process has used of the machine so far: it says more than the clock where others work too.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
