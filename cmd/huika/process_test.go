package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"huika/pay"
	"huika/site"
	"huika/terminal"
)

// asProgram makes this test binary the program: what is tested is main.run in
// a process of its own, with the test's race detector in it.
const asProgram = "HUIKA_TEST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) == "" {
		return
	}
	if err := os.Unsetenv(asProgram); err != nil { // the configuration knows no such field
		panic(err)
	}
	go func() { // a test that is gone takes its processes with it
		_, err := io.Copy(io.Discard, os.Stdin)
		fmt.Fprintln(os.Stderr, "the test has ended:", err)
		os.Exit(exitTechnical)
	}()
	os.Exit(run(os.Args[1:]))
}

// Limits of the tests' waiting. They end a test that hangs; nothing is timed by them.
const (
	startLimit  = 20 * time.Second // until a process serves
	stopLimit   = 15 * time.Second // from SIGTERM to the end
	saleLimit   = 30 * time.Second // one sale at the counter
	settleLimit = 60 * time.Second // until nothing is open after a crash
	pollPause   = 5 * time.Millisecond
)

// process is one run of the program.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines map[string]string // "POS" of "POS: http://…"; read after ready
	log   *lockedBuffer
	ready chan struct{} // closed when it serves
	ended chan struct{} // closed when it has ended; then cmd.ProcessState stands
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// launch starts the program; it serves once it has printed the line named last.
func launch(t *testing.T, environ, args []string, last string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self, args...), lines: map[string]string{}, log: &lockedBuffer{}, ready: make(chan struct{}), ended: make(chan struct{})}
	for _, e := range os.Environ() { // a configuration of whoever runs the test is not ours
		if name, _, _ := strings.Cut(e, "="); !strings.HasPrefix(name, "HUIKA_") {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, asProgram+"=1"), environ...)
	p.cmd.Stderr = p.log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			name, value, _ := strings.Cut(s.Text(), ": ")
			p.lines[name] = value
			if name == last {
				close(p.ready)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // nothing after the last line is needed
		_ = p.cmd.Wait()                // the state says how it ended
		close(p.ended)
	}()
	return p
}

// serving waits until the process serves; false where it ended before.
func (p *process) serving(t *testing.T) bool {
	t.Helper()
	select {
	case <-p.ready:
		return true
	case <-p.ended:
		return false
	case <-time.After(startLimit):
		t.Fatalf("%v does not serve:\n%s", p.cmd.Args[1:], p.log)
	}
	return false
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// killed reports whether the process, which has ended, died by SIGKILL.
func (p *process) killed() bool {
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// kill is kill -9 from outside.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// stop ends the process as a person does, and returns its exit code.
func (p *process) stop() (int, error) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(stopLimit):
		return 0, errors.Join(fmt.Errorf("%v does not end:\n%s", p.cmd.Args[1:], p.log), p.kill())
	}
}

// The three processes of a town.
const (
	partWorld    = "world"
	partHost     = "host"
	partTerminal = "terminal"
)

var parties = []string{partWorld, partHost, partTerminal} // in the order of starting

// town is world, host and terminal as processes over one data directory.
type town struct {
	t        *testing.T
	cfg      site.Config
	pos      string // of the page
	tray     string
	client   *http.Client
	printer  string // terminal.printer
	running  map[string]*process
	started  []pay.PaymentID                        // sales that the terminal took on
	shown    map[pay.PaymentID]terminal.OutcomeWord // results that the clerk saw
	restarts map[string]int                         // of each party
}

// newTown copies the template's keys and cards into a directory of its own.
func newTown(t *testing.T, template string) *town {
	t.Helper()
	cfg := testConfig(filepath.Join(t.TempDir(), "data"))
	if err := os.CopyFS(cfg.Data, os.DirFS(template)); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 5)
	cfg.Acquirer.Listen, cfg.World.Scheme, cfg.World.Issuer = ports[0], ports[1], ports[2]
	cfg.Terminal.Listen, cfg.Terminal.DemoListen = ports[3], ports[4]
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tw := &town{t: t, cfg: cfg, client: &http.Client{Jar: jar, Timeout: saleLimit}, running: map[string]*process{},
		shown: map[pay.PaymentID]terminal.OutcomeWord{}, restarts: map[string]int{}}
	t.Cleanup(func() {
		for _, name := range parties {
			p := tw.running[name]
			if p == nil {
				continue
			}
			if err := p.kill(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if t.Failed() {
				t.Logf("log of the last %s:\n%s", name, p.log)
			}
		}
		tw.client.CloseIdleConnections()
	})
	return tw
}

const (
	rightPIN = "482913"
	wrongPIN = "000000"
)

func testConfig(data string) site.Config {
	cfg := site.Default()
	cfg.Data, cfg.World.PIN = data, rightPIN
	return cfg
}

// environ is what the processes get beside their flags. A peer that was killed
// resets its connections, so hardly anything waits for these time-outs.
func (tw *town) environ() []string {
	var books []string
	if tw.cfg.Acquirer.Store == "postgres" {
		books = []string{"HUIKA_ACQUIRER_STORE=postgres", "HUIKA_ACQUIRER_DSN=" + string(tw.cfg.Acquirer.DSN), "HUIKA_ACQUIRER_LEASE=1s"}
	}
	return append(books,
		"HUIKA_WORLD_PIN="+tw.cfg.World.PIN, "HUIKA_LOG_LEVEL="+tw.cfg.Log.Level,
		"HUIKA_TIMEOUTS_ISSUER=2s", "HUIKA_TIMEOUTS_SCHEME=2500ms", "HUIKA_TIMEOUTS_TERMINAL=3500ms", "HUIKA_TIMEOUTS_PRESENT=20s",
	)
}

// freePorts are loopback addresses that nobody uses now. They lie below the
// ports that the system gives to outgoing connections, so that none of those
// takes one while its process is down. No two towns get the same one: some run
// side by side, and a port that looks free may be that of a process between two lives.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	const low, high, tries = 20_000, 32_000, 1000
	var open []net.Listener
	defer func() {
		for _, ln := range open {
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	given.Lock()
	defer given.Unlock()
	var out []string
	for range tries {
		port := low + rand.IntN(high-low)
		if given.ports[port] {
			continue
		}
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // in use: another one
		}
		given.ports[port] = true
		open = append(open, ln)
		if out = append(out, ln.Addr().String()); len(out) == n {
			return out
		}
	}
	t.Fatal("no free ports")
	return nil
}

// given are the ports that freePorts has handed out.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// start runs one party. order is a value of site.CrashVariable, or "".
func (tw *town) start(name, order string) *process {
	tw.t.Helper()
	c := tw.cfg
	args, last := []string{name, "--data", c.Data}, ""
	switch name {
	case partWorld:
		args, last = append(args, "--scheme", c.World.Scheme, "--issuer", c.World.Issuer), "Issuer"
	case partHost:
		args, last = append(args, "--listen", c.Acquirer.Listen, "--scheme", c.World.Scheme), "Host"
	case partTerminal:
		args, last = append(args, "--host", c.Acquirer.Listen, "--listen", c.Terminal.Listen, "--demo-listen", c.Terminal.DemoListen), "Tray"
	}
	environ := tw.environ()
	if tw.printer != "" {
		environ = append(environ, "HUIKA_TERMINAL_PRINTER="+tw.printer)
	}
	if order != "" {
		environ = append(environ, site.CrashVariable+"="+order)
	}
	p := launch(tw.t, environ, args, last)
	tw.running[name] = p
	tw.restarts[name]++
	if !p.serving(tw.t) {
		if order == "" || !p.killed() {
			tw.t.Fatalf("%s ended at its start (%v):\n%s", name, p.cmd.ProcessState, p.log)
		}
		return p
	}
	if name == partTerminal {
		tw.pos, tw.tray = "http://"+c.Terminal.Listen, p.lines["Tray"]
		tw.pair(p.lines["POS"])
	}
	return p
}

// pair opens the pairing address, as a browser does; the cookie stays in the jar.
// A terminal that dies meanwhile is found by whoever asks it next.
func (tw *town) pair(url string) {
	if r, err := tw.client.Get(url); err == nil {
		_ = r.Body.Close() // the answer's body is the page
	}
}

// refusal is an answer of the POS or the tray that is not a success.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.text) }

// post calls the POS or the tray; a status above 299 is an error.
func (tw *town) post(url string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := tw.client.Post(url, "application/json", bytes.NewReader(text))
	return readJSON(r, err, answer)
}

func readJSON(r *http.Response, err error, answer any) error {
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return err
	}
	if r.StatusCode > 299 {
		return refusal{r.StatusCode, string(text)}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

func (tw *town) view() (v terminal.View, err error) {
	r, err := tw.client.Get(tw.pos + "/api/pos/view")
	return v, readJSON(r, err, &v)
}

// ready waits until the terminal is signed in, or somebody in the town has died.
func (tw *town) ready() bool {
	for end := time.Now().Add(settleLimit); time.Now().Before(end); time.Sleep(pollPause) {
		for _, p := range tw.running {
			if !p.alive() {
				return false
			}
		}
		if v, err := tw.view(); err == nil && v.Host.SignedIn {
			return true
		}
	}
	return false
}

// order is what a customer buys: the amount, and the PINs keyed one after the other.
type order struct {
	amount string
	pins   []string
}

// sell takes one payment at the counter: amount, card, PIN, until the terminal
// shows the end. ok is false where the terminal died before that.
func (tw *town) sell(o order) (res terminal.Result, ok bool) {
	tw.t.Helper()
	var started struct {
		Payment pay.PaymentID `json:"payment"`
	}
	if err := tw.post(tw.pos+"/api/pos/payments", map[string]string{"amount": o.amount}, &started); err != nil {
		tw.died("start", err)
		return res, false
	}
	tw.started = append(tw.started, started.Payment)
	if err := tw.post(tw.tray+"/api/tray/put", map[string]string{"card": paysWith}, nil); err != nil {
		tw.died("put", err)
		return res, false
	}
	keyed := 0
	for end := time.Now().Add(saleLimit); time.Now().Before(end); time.Sleep(pollPause) {
		v, err := tw.view()
		if err != nil {
			tw.died("view", err)
			return res, false
		}
		switch p := v.Payment; {
		case p == nil || p.ID != started.Payment:
			tw.t.Fatalf("the view has lost payment %s: %+v", started.Payment, p)
		case p.Phase == terminal.PhaseDone:
			tw.shown[started.Payment] = p.Result.Outcome
			tw.clear()
			return *p.Result, true
		case p.Phase == terminal.PhasePIN && p.PIN != nil && p.PIN.Try > keyed:
			keyed = p.PIN.Try
			tw.key(started.Payment, p.PIN, o.pins)
		}
	}
	tw.t.Fatalf("payment %s does not end", started.Payment)
	return res, false
}

// key hands in the PIN of a try. A customer who has none left cancels, and so
// does one whose PIN can't be taken now because the acquirer is down.
func (tw *town) key(id pay.PaymentID, p *terminal.PINView, pins []string) {
	tw.t.Helper()
	url := tw.pos + "/api/pos/payments/" + string(id)
	cancel := func() {
		if err := tw.post(url+"/cancel", nil, nil); err != nil {
			tw.died("cancel", err)
		}
	}
	if p.Try > len(pins) {
		cancel()
		return
	}
	sealed, err := sealPIN(pins[p.Try-1], p)
	if err != nil {
		tw.t.Fatal(err)
	}
	err = tw.post(url+"/pin", map[string]any{"try": p.Try, "sealed": sealed}, nil)
	var refused refusal
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable:
		cancel()
	case err != nil:
		tw.died("pin", err)
	}
}

// clear takes the card away and the result off the screen.
func (tw *town) clear() {
	tw.t.Helper()
	if err := tw.post(tw.tray+"/api/tray/take", map[string]int{}, nil); err != nil {
		tw.died("take", err)
		return
	}
	if err := tw.post(tw.pos+"/api/pos/dismiss", nil, nil); err != nil {
		tw.died("dismiss", err)
	}
}

// died checks that a call failed for the one reason that is allowed: the terminal was killed.
func (tw *town) died(what string, err error) {
	tw.t.Helper()
	p := tw.running[partTerminal]
	select {
	case <-p.ended:
	case <-time.After(time.Second):
		tw.t.Fatalf("%s: %v, and the terminal lives", what, err)
	}
	if !p.killed() {
		tw.t.Fatalf("%s: %v, and the terminal ended by itself (%v):\n%s", what, err, p.cmd.ProcessState, p.log)
	}
}

// runOnce runs the program to its end.
func runOnce(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stdin, err := cmd.StdinPipe() // open until the end: see init
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buf, &buf
	err = cmd.Run()
	_ = stdin.Close() // Run has closed it
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), buf.String()
}
