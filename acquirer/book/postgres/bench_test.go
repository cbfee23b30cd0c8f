package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/postgres"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/rt"
)

// BenchmarkPayments is the store alone: each lane admits and approves 15
// payments at a time, as a host of 500 busy terminals does. HUIKA_BENCH_DSN names an
// empty database; a server of the benchmark's own is not what is to be measured.
func BenchmarkPayments(b *testing.B) {
	dsn := os.Getenv("HUIKA_BENCH_DSN")
	if dsn == "" {
		b.Skip("HUIKA_BENCH_DSN names no database")
	}
	s, err := postgres.Open(b.Context(), rt.Real(), postgres.Options{DSN: pay.NewSecret([]byte(dsn))})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const batch = 15
	merchants := make([][]string, book.DefaultLanes)
	for i := 0; len(merchants) > 0 && i < 400; i++ {
		m := fmt.Sprintf("8983LOAD%07d", i)
		l := book.LaneOf(pay.MerchantID(m), book.DefaultLanes)
		merchants[l] = append(merchants[l], m)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	cpu := children(os.Getenv("HUIKA_BENCH_PID"))
	begun := time.Now()
	b.ResetTimer()
	var running sync.WaitGroup
	salt := int(time.Now().UnixMilli() % 1_000_000)
	for l := range merchants {
		running.Add(1)
		go func() {
			defer running.Done()
			for n := 0; left.Add(-batch) > -batch; n++ {
				var admit, approve []book.Op
				for i := range batch {
					k := booktest.Key(merchants[l][(n*batch+i)%len(merchants[l])], n*batch+i)
					k.Batch = fmt.Sprintf("%06d", salt)
					op := booktest.Admit(k, 100)
					op.New.SealedPAN, op.New.Fee = make([]byte, 48), 1
					op.At = begun
					admit = append(admit, op)
					approve = append(approve, book.Op{Event: payment.Approve, Key: k, At: begun, Response: "00", AuthCode: "A1B2C3"})
				}
				for _, ops := range [][]book.Op{admit, approve} {
					res, err := s.Apply(context.Background(), []book.LaneBatch{{Lane: book.Lane(l), Epoch: 1, Ops: ops}})
					if err = errors.Join(err, res[0].Err); err != nil || res[0].Results[0].Status != book.Applied {
						b.Error(err, res)
						return
					}
				}
			}
		}()
	}
	running.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "payments/s")
	if cpu > 0 {
		b.ReportMetric((children(os.Getenv("HUIKA_BENCH_PID"))-cpu).Seconds()*1e6/float64(b.N), "server-us/payment")
	}
}

// children is the CPU time of a process's children: the server's sessions.
func children(pid string) (total time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // a pattern that is well formed
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 || f[1] != pid {
			continue
		}
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		total += time.Duration(user+system) * 10 * time.Millisecond // the kernel's clock tick is 1/100 s
	}
	return total
}
