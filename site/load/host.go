package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"huika/site"
)

// specVariable carries the options to the host's process.
const specVariable = "HUIKA_LOAD"

type hostSpec struct {
	Options
	Scheme string
}

// Usage is what a process has used since it started.
type Usage struct {
	CPU       time.Duration `json:"cpu"`
	Allocs    uint64        `json:"allocs"`
	Bytes     uint64        `json:"alloc_bytes"`
	Written   uint64        `json:"written"` // given to the block layer, as the kernel counts
	Commits   uint64        `json:"commits"`
	CommitOps uint64        `json:"commit_ops"`
}

// RunHost is the host's process: it opens the host that the environment
// describes, says where it listens, answers "usage" lines on in, and ends when
// in does.
func RunHost(ctx context.Context, in io.Reader, out io.Writer) error {
	var spec hostSpec
	if err := json.Unmarshal([]byte(os.Getenv(specVariable)), &spec); err != nil {
		return fmt.Errorf("bench host-process is started by bench host, not by hand: %w", err)
	}
	kit, err := spec.kit()
	if err != nil {
		return err
	}
	cfg := kit.Config
	cfg.World.Scheme = spec.Scheme
	kit.Config = cfg
	s, err := site.OpenHost(kit)
	if err != nil {
		return err
	}
	for !s.Host.Up() || s.Host.Lanes() < cfg.Acquirer.Lanes {
		if err := kit.Env.Sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	if spec.Profile != "" {
		f, err := os.Create(spec.Profile)
		if err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			_ = f.Close() // a profile that is cut short is seen when it is read
		}()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(out, s.HostAddr()); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		u := used()
		u.Commits, u.CommitOps = s.Host.Stats.Commits.Load(), s.Host.Stats.CommitOps.Load()
		if err := json.NewEncoder(out).Encode(u); err != nil {
			return err
		}
	}
	return s.Close()
}

// used is this process's own usage.
func used() Usage {
	var r syscall.Rusage
	var u Usage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Allocs, u.Bytes = m.Mallocs, m.TotalAlloc
	u.Written = written()
	return u
}

// written is write_bytes of /proc/self/io; 0 where there is none.
func written() uint64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
