package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// measure lets the terminals pay: first to warm up, then for the figures.
func (o Options) measure(ctx context.Context, h *hostProcess, ts []*terminal) (Figures, error) {
	if o.Warm > 0 {
		drive(ctx, ts, o.Warm, o.Rate)
	}
	for _, t := range ts {
		t.took, t.failed = t.took[:0], 0
	}
	before, err := h.usage()
	if err != nil {
		return Figures{}, err
	}
	mine, start := used(), time.Now()
	drive(ctx, ts, o.For, o.Rate)
	seconds := time.Since(start).Seconds()
	mineAfter := used()
	after, err := h.usage()
	if err != nil {
		return Figures{}, err
	}
	fig := Figures{Store: o.Store, Loop: "closed", Terminals: len(ts), Seconds: seconds}
	if o.Rate > 0 {
		fig.Loop = "open"
	}
	var took []time.Duration
	var errs []error
	for _, t := range ts {
		took = append(took, t.took...)
		fig.Failed += t.failed
		if t.err != nil && len(errs) < 3 {
			errs = append(errs, t.err)
		}
	}
	if len(took) == 0 {
		return fig, errors.Join(errors.New("load: not one payment was approved"), errors.Join(errs...))
	}
	fig.Payments = len(took)
	fig.PerSecond = float64(len(took)) / seconds
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(int(q*float64(len(took))), len(took)-1)].Microseconds()) / 1000
	}
	fig.P50, fig.P95, fig.P99, fig.P999, fig.Max = at(0.50), at(0.95), at(0.99), at(0.999), at(1)
	per := func(n uint64) float64 { return float64(n) / float64(len(took)) }
	fig.HostCPU = per(uint64((after.CPU - before.CPU).Nanoseconds())) / 1000
	fig.GeneratorCPU = per(uint64((mineAfter.CPU - mine.CPU).Nanoseconds())) / 1000
	fig.Allocs, fig.AllocBytes, fig.BytesWritten = per(after.Allocs-before.Allocs), per(after.Bytes-before.Bytes), per(after.Written-before.Written)
	if n := after.Commits - before.Commits; n > 0 {
		fig.OpsPerCommit = float64(after.CommitOps-before.CommitOps) / float64(n)
	}
	return fig, errors.Join(errs...)
}

// drive lets every terminal pay for d: one payment after the other, or, with a
// rate, each at its intended moment, from which its time counts. A terminal
// that is late takes the next moment at once: what waits in line is measured.
func drive(ctx context.Context, ts []*terminal, d time.Duration, rate float64) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	start := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for _, t := range ts {
		all.Go(func() {
			for ctx.Err() == nil && t.err == nil {
				from := time.Now()
				if rate > 0 {
					from = start.Add(time.Duration(float64(next.Add(1)-1) / rate * float64(time.Second)))
					if from.Sub(start) >= d {
						return
					}
					time.Sleep(time.Until(from))
				}
				if t.err = t.pay(); t.err != nil {
					t.failed++
					return
				}
				t.took = append(t.took, time.Since(from))
			}
		})
	}
	all.Wait()
}
