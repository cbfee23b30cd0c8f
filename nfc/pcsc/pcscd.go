package pcsc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"huika/rt"
)

const (
	daemonSocket = "/run/pcscd/pcscd.comm"
	// startLimit is how long pcscd may take until it and its slots listen.
	startLimit = 5 * time.Second
	// stopLimit is how long it may take to end after SIGTERM, before it is killed.
	stopLimit = 3 * time.Second
	startPoll = 20 * time.Millisecond
	// maxDaemonOutput bounds what is kept of pcscd's output for an error text.
	maxDaemonOutput = 2048
)

// vpcdPorts are those of the virtual reader's two slots (0x8C7B and the next).
var vpcdPorts = []string{"8C7B", "8C7C"}

var (
	// ErrNoDaemon says that pcscd is not installed.
	ErrNoDaemon = errors.New("pcscd is not installed: apt-get install pcscd vsmartcard-vpcd")
	// ErrNotRoot says that pcscd does not run and that only root can start it.
	ErrNotRoot = errors.New("pcscd does not run, and starting it needs root: sudo systemctl start pcscd")
	// ErrNoVirtualReader says that pcscd runs without the virtual reader.
	ErrNoVirtualReader = errors.New("pcscd runs without the virtual reader: apt-get install vsmartcard-vpcd, then restart pcscd")
)

// DaemonOptions says what is needed of pcscd.
type DaemonOptions struct {
	// VirtualReader: the two slots of vsmartcard-vpcd must listen.
	VirtualReader bool
	// ConfigDir replaces /etc/reader.conf.d where it is set; for tests.
	ConfigDir string
}

// Daemon is a pcscd that is running.
type Daemon struct {
	env    rt.Env
	cmd    *exec.Cmd // nil where it ran before
	exited *rt.Future[error]
	output *tail
}

// StartDaemon makes sure that pcscd runs, and starts it (as root) where it does
// not. It returns when pcscd answers and, where asked for, its virtual slots
// listen. Errors: ErrNoDaemon, ErrNotRoot, ErrNoVirtualReader, ctx's, or one
// with what pcscd said.
func StartDaemon(ctx context.Context, env rt.Env, opts DaemonOptions) (*Daemon, error) {
	if answers(ctx, env) {
		if opts.VirtualReader {
			if err := await(ctx, env, time.Second, slotsListen); err != nil {
				return nil, errors.Join(ErrNoVirtualReader, ctx.Err())
			}
		}
		return &Daemon{env: env}, nil
	}
	path, err := exec.LookPath("pcscd")
	if err != nil {
		if path = "/usr/sbin/pcscd"; !executable(path) {
			return nil, ErrNoDaemon
		}
	}
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	args := []string{"-f"}
	if opts.ConfigDir != "" {
		args = append(args, "-c", opts.ConfigDir)
	}
	d := &Daemon{env: env, cmd: exec.Command(path, args...), exited: rt.NewFuture[error](env), output: new(tail)}
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	// A group of its own: an interrupt from the keyboard is for us, and we stop it in order.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start pcscd: %w", err)
	}
	env.Go("pcscd", func() { d.exited.Set(d.cmd.Wait()) })
	err = await(ctx, env, startLimit, func() bool {
		_, exited := d.exited.Peek()
		return exited || answers(ctx, env) && (!opts.VirtualReader || slotsListen())
	})
	_, exited := d.exited.Peek()
	switch {
	case exited:
		err = fmt.Errorf("pcscd ended at once: %s", d.output)
	case err == nil:
		return d, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case answers(ctx, env):
		err = ErrNoVirtualReader
	default:
		err = fmt.Errorf("pcscd does not answer: %s", d.output)
	}
	return nil, errors.Join(err, d.Stop())
}

// Started reports whether StartDaemon started it; Stop ends only such a one.
func (d *Daemon) Started() bool { return d.cmd != nil }

// Stop ends the pcscd that StartDaemon started, and leaves one that ran before.
func (d *Daemon) Stop() error {
	if d.cmd == nil {
		return nil
	}
	if err := d.signal(syscall.SIGTERM); err != nil {
		return err
	}
	limited, cancel := d.env.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if _, err := d.exited.Get(limited); err == nil {
		return nil // how it ended after being told to is of no interest
	}
	if err := d.signal(syscall.SIGKILL); err != nil {
		return err
	}
	_, err := d.exited.Get(context.Background())
	return err
}

// signal sends s; a daemon that has ended already is no error.
func (d *Daemon) signal(s os.Signal) error {
	if err := d.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal pcscd: %w", err)
	}
	return nil
}

// answers reports whether somebody listens on pcscd's socket.
func answers(ctx context.Context, env rt.Env) bool {
	conn, err := env.Dial(ctx, "unix:"+daemonSocket)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// await looks every few milliseconds until done says true; its error is a time-out or ctx's.
func await(ctx context.Context, env rt.Env, limit time.Duration, done func() bool) error {
	limited, cancel := env.WithTimeout(ctx, limit)
	defer cancel()
	for !done() {
		if err := env.Sleep(limited, startPoll); err != nil {
			return err
		}
	}
	return nil
}

// slotsListen reports whether both virtual slots listen. It reads the kernel's
// table: a trial connection would be a card.
func slotsListen() bool {
	var found []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue // a machine without that protocol
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// sl, local address as hex address:port, remote, state (0A: listening), …
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != "0A" {
				continue
			}
			if i := strings.LastIndexByte(fields[1], ':'); slices.Contains(vpcdPorts, fields[1][i+1:]) {
				found = append(found, fields[1][i+1:])
			}
		}
		if errors.Join(lines.Err(), f.Close()) != nil {
			return false
		}
	}
	return len(slices.Compact(slices.Sorted(slices.Values(found)))) == len(vpcdPorts)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// tail keeps the end of what pcscd says.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - maxDaemonOutput; over > 0 {
		t.b = append([]byte(nil), t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
