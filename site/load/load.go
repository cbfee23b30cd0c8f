// Package load measures an acquirer's host as its terminals see it: real TLS
// terminals, signed in, MAC on, a scheme behind it over TLS, both durable
// points of a payment on. The host runs in a process of its own, so that its
// CPU, allocations and written bytes can be told from the generator's.
//
// It is a measurement, not a test: it asserts nothing about speed. The scheme
// that it plays checks and sets MACs and answers every request with 00; it
// keeps nothing, so the figures hold no issuer's durability.
package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"huika/acquirer/host"
	"huika/pay"
	"huika/rt"
	"huika/site"
)

// Options say what is measured.
type Options struct {
	Data      string        // an empty directory
	Terminals int           // connected at once
	Merchants int           // they share the terminals evenly
	For       time.Duration // measured, after Warm
	Warm      time.Duration
	Rate      float64 // payments a second, open loop: latency counts from the intended moment; 0: closed loop
	Store     string  // sqlite or postgres
	DSN       string  // of postgres
	Profile   string  // file for the host's CPU profile; "" for none
	Program   string  // this program, for the host's process
}

// Figures are what came out.
type Figures struct {
	Store         string  `json:"store"`
	Loop          string  `json:"loop"`
	Terminals     int     `json:"terminals"`
	Seconds       float64 `json:"seconds"`
	Payments      int     `json:"payments"`
	Failed        int     `json:"failed"`
	PerSecond     float64 `json:"payments_per_second"`
	P50           float64 `json:"p50_ms"`
	P95           float64 `json:"p95_ms"`
	P99           float64 `json:"p99_ms"`
	P999          float64 `json:"p999_ms"`
	Max           float64 `json:"max_ms"`
	HostCPU       float64 `json:"host_cpu_us_per_payment"`
	GeneratorCPU  float64 `json:"generator_cpu_us_per_payment"` // terminals and scheme
	Allocs        float64 `json:"host_allocs_per_payment"`
	AllocBytes    float64 `json:"host_alloc_bytes_per_payment"`
	BytesWritten  float64 `json:"host_bytes_written_per_payment"`
	OpsPerCommit  float64 `json:"operations_per_commit"`
	IssuerDurable bool    `json:"issuer_durable"`
}

// Terminal and merchant numbers of the load.
func terminalID(i int) pay.TerminalID  { return pay.TerminalID(fmt.Sprintf("LD%06d", i)) }
func merchantID(i int) pay.MerchantID  { return pay.MerchantID(fmt.Sprintf("8983LOAD%07d", i)) }
func (o Options) merchantOf(i int) int { return i % o.Merchants }

func (o Options) config() site.Config {
	cfg := site.Default()
	cfg.Data = o.Data
	cfg.Acquirer.Store, cfg.Acquirer.DSN = o.Store, site.DSN(o.DSN)
	cfg.Log.Level = "error"
	return cfg
}

// kit opens the installation that generator and host share.
func (o Options) kit() (site.Kit, error) {
	kit, err := site.OpenKit(rt.Real(), o.config(), slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return kit, err
	}
	for i := range o.Terminals {
		kit.Terminals = append(kit.Terminals, host.Terminal{ID: terminalID(i), Merchant: merchantID(o.merchantOf(i)), TMK: kit.Secrets.TMK})
	}
	return kit, nil
}

// ErrHost says that the host's process did not do what was asked.
var ErrHost = errors.New("load: host process")

// Run measures: it starts the scheme here and the host in another process,
// connects the terminals, and lets them pay.
func Run(ctx context.Context, o Options) (fig Figures, err error) {
	if o.Terminals < 1 || o.Merchants < 1 || o.Merchants > o.Terminals || o.For <= 0 {
		return fig, errors.New("load: want at least one terminal, no more merchants than terminals, and a time to measure")
	}
	kit, err := o.kit()
	if err != nil {
		return fig, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s, err := startScheme(ctx, kit)
	if err != nil {
		return fig, err
	}
	h, err := o.startHost(ctx, s.addr)
	if err != nil {
		return fig, err
	}
	defer func() { err = errors.Join(err, h.end()) }()
	ts, err := connect(ctx, kit, o, h.addr)
	if err != nil {
		return fig, err
	}
	defer func() {
		for _, t := range ts {
			_ = t.conn.Close() // the measurement is over
		}
	}()
	return o.measure(ctx, h, ts)
}

// hostProcess is the host, as its parent sees it.
type hostProcess struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func (o Options) startHost(ctx context.Context, schemeAddr string) (*hostProcess, error) {
	spec, err := json.Marshal(hostSpec{o, schemeAddr})
	if err != nil {
		return nil, err
	}
	h := &hostProcess{cmd: exec.CommandContext(ctx, o.Program, "bench", "host-process")}
	h.cmd.Env = append(os.Environ(), specVariable+"="+string(spec))
	h.cmd.Stderr = os.Stderr
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHost, err)
	}
	h.out = bufio.NewReader(out)
	line, err := h.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: it ended before it was ready: %w", ErrHost, err), h.end())
	}
	h.addr = strings.TrimSpace(line)
	return h, nil
}

// usage asks the process for its counters.
func (h *hostProcess) usage() (u Usage, err error) {
	if _, err := io.WriteString(h.in, "usage\n"); err != nil {
		return u, fmt.Errorf("%w: %w", ErrHost, err)
	}
	line, err := h.out.ReadBytes('\n')
	if err != nil {
		return u, fmt.Errorf("%w: %w", ErrHost, err)
	}
	return u, json.Unmarshal(line, &u)
}

// end closes the process's input, which is its sign to stop, and waits.
func (h *hostProcess) end() error {
	if err := errors.Join(h.in.Close(), h.cmd.Wait()); err != nil {
		return fmt.Errorf("%w: %w", ErrHost, err)
	}
	return nil
}
