package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"huika/pay"
	"huika/site"
	"huika/terminal"
	"huika/terminal/trace"
)

// kernelFigures are what one tap costs the terminal's processor: Entry Point
// and kernel over the recorded answers of a card, without reader, display and host.
type kernelFigures struct {
	Kernel      uint32  `json:"kernel"`
	WholeUS     float64 `json:"whole_us"`      // with the public-key operations
	BesideUS    float64 `json:"beside_us"`     // without: the CA key is unknown, so that the kernel stops before the first
	PublicKeyUS float64 `json:"public_key_us"` // the difference
	Allocs      float64 `json:"allocs"`        // of the whole
	AllocsKB    float64 `json:"alloc_kb"`
}

// kernelRuns is how often a recorded tap runs again for each figure.
const kernelRuns = 500

// measureKernel runs the last recorded tap of the terminal over and over.
func measureKernel(ctx context.Context, s *site.System, id pay.PaymentID) (f kernelFigures, err error) {
	box, err := s.Terminal.TraceFile(ctx, id)
	if err != nil {
		return f, err
	}
	sealer, err := pay.NewGCMSealer(s.Kit.Secrets.Terminal, s.Kit.Env.Rand())
	if err != nil {
		return f, err
	}
	tape, err := trace.Open(box, sealer)
	if err != nil {
		return f, err
	}
	type pair struct {
		Command  trace.Hex `json:"command"`
		Response trace.Hex `json:"response"`
	}
	var pairs []pair
	for _, e := range tape.Exchanges() {
		pairs = append(pairs, pair{e.Command, e.Response})
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		return f, err
	}
	// As a foreign tap: without its CA key, kernel 2 sends another command than was recorded.
	loose, err := trace.ParseWith(text, trace.Settings{Date: tape.Transaction.Time.Format("060102")})
	if err != nil {
		return f, err
	}
	whole := loose
	if err := whole.AddCAKeys(tape.CAKeys); err != nil {
		return f, err
	}
	run := func(t trace.Trace) (us, allocs, kb float64, kernel uint32, err error) {
		t.Foreign.Made = nil // no second run
		once := func() error {
			r, err := trace.Replay(ctx, t, terminal.ReplayKernels)
			kernel = uint32(r.Result.Kernel)
			return err
		}
		if err := once(); err != nil {
			return 0, 0, 0, 0, err
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		from := time.Now()
		for range kernelRuns {
			if err := once(); err != nil {
				return 0, 0, 0, 0, err
			}
		}
		us = float64(time.Since(from).Microseconds()) / kernelRuns
		runtime.ReadMemStats(&after)
		return us, float64(after.Mallocs-before.Mallocs) / kernelRuns, float64(after.TotalAlloc-before.TotalAlloc) / 1024 / kernelRuns, kernel, nil
	}
	if f.WholeUS, f.Allocs, f.AllocsKB, f.Kernel, err = run(whole); err != nil {
		return f, fmt.Errorf("the recorded tap: %w", err)
	}
	if f.BesideUS, _, _, _, err = run(loose); err != nil {
		return f, fmt.Errorf("the recorded tap without its CA key: %w", err)
	}
	f.PublicKeyUS = f.WholeUS - f.BesideUS
	return f, nil
}
