package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

type benchCmd struct {
	Host        benchHostCmd        `cmd:"" help:"Measure the acquirer's host with real TLS terminals. Example: huika bench host --seconds 20 --terminals 500"`
	Ledger      benchLedgerCmd      `cmd:"" help:"Measure the ledger alone: durable transfers. Example: huika bench ledger --json"`
	Books       benchBooksCmd       `cmd:"" help:"Fill the books and tell what a payment costs as they grow. Example: huika bench books --payments 20000000"`
	HostProcess benchHostProcessCmd `cmd:"" hidden:""`

	Tap benchTapCmd `cmd:"" help:"Measure whole taps through every part. Example: huika bench tap --taps 100 --card visa"`
}

type benchTapCmd struct {
	Taps   int    `help:"How many taps." default:"100"`
	Reader string `help:"memory or pcsc." enum:"memory,pcsc" default:"memory"`
	Card   string `help:"Which card (see huika cards): its scheme says which kernel is measured." default:"unionpay-debit"`
	JSON   bool   `help:"Print JSON."`
}

// benchFen is small enough that the account lasts for maxTaps.
const (
	benchFen = 1
	maxTaps  = 10_000
)

type tapFigures struct {
	Taps     int                `json:"taps"`
	Reader   string             `json:"reader"`
	P50      map[string]float64 `json:"p50_ms"`
	P95      map[string]float64 `json:"p95_ms"`
	Max      map[string]float64 `json:"max_ms"`
	CPUMS    float64            `json:"process_cpu_ms_per_tap"` // all parties together
	AllocsKB float64            `json:"alloc_kb_per_tap"`
	Kernel   kernelFigures      `json:"kernel"`
}

func (b *benchTapCmd) Run(ctx context.Context, _ *cli) error {
	if b.Taps < 1 || b.Taps > maxTaps {
		return usageError{fmt.Sprintf("--taps: want 1 to %d", maxTaps)}
	}
	dir, err := os.MkdirTemp("", "huika-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory that stays harms nobody
	cfg := site.Default()
	cfg.Data, cfg.Terminal.Reader = dir, b.Reader
	if b.Reader == "pcsc" {
		stop, err := startPCSC(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = stop() }() // the figures are out by then
	}
	s, err := site.Open(rt.Real(), cfg, site.Parts{World: true, Acquirer: true, Terminal: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fig, err := b.measure(ctx, s)
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if b.JSON {
		return json.NewEncoder(os.Stdout).Encode(fig)
	}
	fmt.Printf("%d taps, reader %s; milliseconds from card present; everything on this machine\n", fig.Taps, fig.Reader)
	fmt.Printf("%-8s %8s %8s %8s\n", "", "p50", "p95", "max")
	for _, k := range []string{"select", "gpo", "read", "oda", "host", "total"} {
		fmt.Printf("%-8s %8.2f %8.2f %8.2f\n", k, fig.P50[k], fig.P95[k], fig.Max[k])
	}
	fmt.Printf("all parties together: %.2f ms CPU, %.0f kB allocated a tap\n", fig.CPUMS, fig.AllocsKB)
	k := fig.Kernel
	fmt.Printf("kernel %d and Entry Point alone, over recorded answers: %.1f µs and %.0f allocations a tap, of it public-key operations %.1f µs, the rest %.1f µs\n",
		k.Kernel, k.WholeUS, k.Allocs, k.PublicKeyUS, k.BesideUS)
	return nil
}

func (b *benchTapCmd) measure(ctx context.Context, s *site.System) (tapFigures, error) {
	fig := tapFigures{Taps: b.Taps, Reader: b.Reader, P50: map[string]float64{}, P95: map[string]float64{}, Max: map[string]float64{}}
	if err := ready(ctx, s); err != nil {
		return fig, err
	}
	if _, _, err := b.one(ctx, s); err != nil { // a first one warms caches and connections
		return fig, err
	}
	cpu, mem := usage()
	var all []terminal.Timings
	var last pay.PaymentID
	for range b.Taps {
		id, t, err := b.one(ctx, s)
		if err != nil {
			return fig, err
		}
		last = id
		all = append(all, t)
	}
	cpu2, mem2 := usage()
	fig.CPUMS = float64((cpu2 - cpu).Microseconds()) / 1000 / float64(b.Taps)
	fig.AllocsKB = float64(mem2-mem) / 1024 / float64(b.Taps)
	for name, of := range map[string]func(terminal.Timings) float64{
		"select": func(t terminal.Timings) float64 { return t.Select }, "gpo": func(t terminal.Timings) float64 { return t.GPO },
		"read": func(t terminal.Timings) float64 { return t.Read }, "oda": func(t terminal.Timings) float64 { return t.ODA },
		"host": func(t terminal.Timings) float64 { return t.Host }, "total": func(t terminal.Timings) float64 { return t.Total },
	} {
		v := make([]float64, 0, len(all))
		for _, t := range all {
			v = append(v, of(t))
		}
		slices.Sort(v)
		fig.P50[name], fig.P95[name], fig.Max[name] = v[len(v)/2], v[len(v)*95/100], v[len(v)-1]
	}
	var err error
	fig.Kernel, err = measureKernel(ctx, s, last)
	return fig, err
}

// one takes a payment with a card that is held there and taken away again.
func (b *benchTapCmd) one(ctx context.Context, s *site.System) (pay.PaymentID, terminal.Timings, error) {
	h, err := newHand(s, b.Card, "")
	if err != nil {
		return "", terminal.Timings{}, err
	}
	id, err := s.Terminal.StartSale(ctx, terminal.SaleRequest{Amount: pay.Fen(benchFen)})
	if err != nil {
		return id, terminal.Timings{}, err
	}
	h.hold(ctx)
	res, err := s.Terminal.Wait(ctx, id)
	if err != nil {
		return id, terminal.Timings{}, err
	}
	if res.Outcome != terminal.Approved {
		return id, res.Timings, fmt.Errorf("a tap ended %s (%s): only approved ones are measured", res.Outcome, res.Reason)
	}
	return id, res.Timings, h.leave()
}

func usage() (cpu time.Duration, allocated uint64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, 0
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), m.TotalAlloc
}
