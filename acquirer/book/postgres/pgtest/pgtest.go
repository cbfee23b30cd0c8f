// Package pgtest starts a PostgreSQL of the test's own: a new cluster in a
// temporary directory, reachable over a socket there and nowhere else. Tests
// may kill it and start it again.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Limits of the waiting; they end a test that hangs, nothing is timed by them.
const (
	startLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
	pollPause  = 5 * time.Millisecond
)

// owner is the account that the server runs as when the test is root, which
// PostgreSQL refuses to run as.
const owner = "postgres"

// Server is one PostgreSQL cluster.
type Server struct {
	bin  string
	dir  string
	cred *syscall.Credential
	cmd  *exec.Cmd
	done chan struct{} // closed when the postmaster has ended
	log  string
	n    atomic.Int32
}

// Binaries is the folder of PostgreSQL's programs, the newest version's where
// there are several, or "".
func Binaries() string {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return ""
	}
	best, version := "", 0
	for _, d := range dirs {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(d)))
		if _, serr := os.Stat(filepath.Join(d, "initdb")); err == nil && serr == nil && n > version {
			best, version = d, n
		}
	}
	if best == "" {
		if p, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(p)
		}
	}
	return best
}

// ErrMissing says that PostgreSQL is not installed.
var ErrMissing = errors.New("PostgreSQL is not installed (scripts/setup installs it)")

// Start makes a cluster and starts it; it ends with the test. settings are
// lines of postgresql.conf. Without PostgreSQL the test is skipped, and fails
// where CI is true.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := New(settings...)
	Need(tb, err)
	tb.Cleanup(func() {
		if err := s.End(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Need ends a test for which New failed: skipped aloud where PostgreSQL is
// missing, unless CI is true.
func Need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		tb.Skip("SKIPPED, NOT TESTED: " + err.Error())
	default:
		tb.Fatal(err)
	}
}

// New makes a cluster and starts it, for a package's tests to share; End ends it.
func New(settings ...string) (*Server, error) {
	bin := Binaries()
	if bin == "" {
		return nil, ErrMissing
	}
	dir, err := os.MkdirTemp(home(), "huika-pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, log: filepath.Join(dir, "log")}
	if err = s.init(settings); err == nil {
		err = s.Restart()
	}
	if err != nil {
		return nil, errors.Join(err, s.End())
	}
	return s, nil
}

// home is where clusters live: in memory where there is room. A killed process
// loses nothing there either, and no power is cut in a test.
func home() string {
	const shm, room = "/dev/shm", 4 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err == nil && uint64(fs.Bsize)*fs.Bavail > room {
		return shm
	}
	return ""
}

func (s *Server) init(settings []string) error {
	if os.Geteuid() == 0 {
		u, err := user.Lookup(owner)
		if err != nil {
			return fmt.Errorf("PostgreSQL refuses root, and there is no user %s: %w", owner, err)
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uerr, gerr, os.Chown(s.dir, int(uid), int(gid))); err != nil {
			return err
		}
		s.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	out, err := s.command("initdb", "-D", s.data(), "-U", "huika", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	conf := append([]string{
		"listen_addresses = ''", "unix_socket_directories = '" + s.dir + "'", "max_connections = 200", "log_min_messages = warning",
	}, settings...)
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + strings.Join(conf, "\n") + "\n")
	return errors.Join(err, f.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	return cmd
}

// Restart starts the server again after Kill or Stop, and returns when it takes connections.
func (s *Server) Restart() error {
	end := time.Now().Add(startLimit)
	for {
		if err := s.launch(); err != nil {
			return err
		}
		for s.alive() && time.Now().Before(end) {
			if err := s.ping(); err == nil {
				return nil
			}
			time.Sleep(pollPause)
		}
		if time.Now().After(end) {
			return fmt.Errorf("PostgreSQL does not start:\n%s", s.Log())
		}
		time.Sleep(pollPause) // children of one that was killed still hold its memory
	}
}

// launch starts the postmaster. It dies with the test's process: the signal
// comes when the thread ends that started it, so that thread stays.
func (s *Server) launch() error {
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd, done, started := s.command("postgres", "-D", s.data()), make(chan struct{}), make(chan error)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	cmd.SysProcAttr.Setpgid = true // a Ctrl-C for the test is not for the server
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its log says how it ended
		}
		close(done)
	}()
	s.cmd, s.done = cmd, done
	return <-started
}

func (s *Server) alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func (s *Server) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(c.Ping(ctx), c.Close(ctx))
}

// Kill is SIGKILL to the postmaster; its children end when they notice.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}

// Stop ends the server at once, as an administrator does (pg_ctl stop -m immediate).
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(stopLimit):
		return errors.Join(errors.New("PostgreSQL does not stop"), s.Kill())
	}
}

// End stops the server and removes the cluster.
func (s *Server) End() error {
	var stopped error
	if s.cmd != nil {
		stopped = s.Stop()
	}
	for end := time.Now().Add(stopLimit); ; time.Sleep(pollPause) { // a last child may still write
		err := os.RemoveAll(s.dir)
		if err == nil || time.Now().After(end) {
			return errors.Join(stopped, err)
		}
	}
}

// DSN is the connection string of a database of this server.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s user=huika dbname=%s sslmode=disable", s.dir, database)
}

// Database makes a new database, a copy of template ("" for an empty one), and returns its name.
func (s *Server) Database(tb testing.TB, template string) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", s.n.Add(1))
	q := "CREATE DATABASE " + name
	if template != "" {
		q += " TEMPLATE " + template
	}
	s.Exec(tb, "postgres", q)
	return name
}

// Exec runs statements in a database, as its owner.
func (s *Server) Exec(tb testing.TB, database string, statements ...string) {
	tb.Helper()
	if err := s.Try(database, statements...); err != nil {
		tb.Fatal(err)
	}
}

// Try is Exec without a test.
func (s *Server) Try(database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c, err := pgx.Connect(ctx, s.DSN(database))
	if err != nil {
		return err
	}
	for _, q := range statements {
		if _, err := c.Exec(ctx, q); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", q, err), c.Close(ctx))
		}
	}
	return c.Close(ctx)
}

// Log is what the server has written so far.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b))
}
