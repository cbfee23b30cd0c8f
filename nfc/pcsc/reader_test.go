package pcsc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/nfc/nfctest"
	"huika/nfc/vpcd"
	"huika/rt"
)

// stack is a real pcscd with two virtual slots, kept to one test of the machine at a time.
type stack struct {
	t      *testing.T
	env    rt.Env
	daemon *Daemon
}

// newStack starts pcscd where none runs. Without the programs it needs, the
// test is skipped, aloud; in CI that is a failure.
func newStack(t *testing.T) *stack {
	t.Helper()
	nfctest.LockPCSC(t)
	s := &stack{t: t, env: rt.Real()}
	_, err := loadLibrary()
	if err == nil {
		s.daemon, err = StartDaemon(context.Background(), s.env, DaemonOptions{VirtualReader: true})
	}
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("no PC/SC stack in CI: %v", err)
	}
	if err != nil {
		t.Skipf("THE PC/SC TRANSPORT IS NOT TESTED: %v", err)
	}
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *stack) stop() {
	s.t.Helper()
	if err := s.daemon.Stop(); err != nil {
		s.t.Error(err)
	}
}

func (s *stack) start(opts DaemonOptions) {
	s.t.Helper()
	d, err := StartDaemon(context.Background(), s.env, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.daemon = d
}

func (s *stack) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.daemon.signal(sig); err != nil {
		s.t.Error(err)
	}
}

// awaitStopped waits until pcscd has really stopped: each of its threads does so in its own time.
func (s *stack) awaitStopped() {
	s.t.Helper()
	pattern := fmt.Sprintf("/proc/%d/task/*/stat", s.daemon.cmd.Process.Pid)
	if err := await(context.Background(), s.env, 5*time.Second, func() bool {
		threads, err := filepath.Glob(pattern)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread) // pid (name) state …
			if err != nil || !strings.Contains(string(stat), ") T ") {
				return false
			}
		}
		return len(threads) > 0
	}); err != nil {
		s.t.Fatal("pcscd does not stop")
	}
}

// open makes a reader with an empty field and a hand for each of its two slots.
func (s *stack) open(t *testing.T, opts Options) (*Reader, *hand) {
	t.Helper()
	r, err := Open(s.env, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &hand{t: t, env: s.env}
	t.Cleanup(h.takeAll)
	if empty, err := r.WaitRemoval(context.Background(), 5*time.Second); !empty || err != nil {
		t.Fatalf("the field is not empty at the beginning: %v, %v", empty, err)
	}
	return r, h
}

// hand holds cards to the two slots.
type hand struct {
	t    *testing.T
	env  rt.Env
	held [2]*held
}

type held struct {
	leave    context.CancelFunc
	gone     *rt.Future[error]
	orphaned bool // its reader was taken from it: how its end ended is of no interest
}

func (h *hand) put(c nfc.Card, p fault.Presentation) (take func()) {
	h.t.Helper()
	for i, addr := range []string{vpcd.Slot0, vpcd.Slot1} {
		if h.held[i] != nil {
			continue
		}
		ctx, leave := context.WithCancel(context.Background())
		x := &held{leave: leave, gone: rt.NewFuture[error](h.env)}
		h.held[i] = x
		h.env.Go("card", func() { x.gone.Set(vpcd.Present(ctx, h.env, addr, c, p)) })
		return func() {
			if h.held[i] == x {
				h.take(i)
			}
		}
	}
	h.t.Fatal("no free slot")
	return nil
}

func (h *hand) take(i int) {
	h.t.Helper()
	h.held[i].leave()
	err, late := h.held[i].gone.Get(context.Background())
	if late != nil || err != nil && !h.held[i].orphaned && !errors.Is(err, fault.ErrLeft) {
		h.t.Errorf("the card's end: %v", errors.Join(err, late))
	}
	h.held[i] = nil
}

func (h *hand) takeAll() {
	for i := range h.held {
		if h.held[i] != nil {
			h.take(i)
		}
	}
}

// otherProgram waits for a card in a slot and holds it alone, as another program
// would, until leave is called.
func otherProgram(t *testing.T, name string) (leave func()) {
	t.Helper()
	lib, err := loadLibrary()
	if err != nil {
		t.Fatal(err)
	}
	other, c := lib.Establish()
	if c != codeSuccess {
		t.Fatal(c)
	}
	w := []watched{{name: name}}
	for end := time.Now().Add(5 * time.Second); w[0].state&statePresent == 0; {
		if c := lib.StatusChange(other, 1000, w); c != codeSuccess && c != codeTimeout || time.Now().After(end) {
			t.Fatalf("the other program sees no card: %v", c)
		}
	}
	handle, _, c := lib.Connect(other, name, shareExclusive)
	if c != codeSuccess {
		t.Fatal(c)
	}
	return func() {
		if c := lib.Disconnect(handle, leaveCard); c != codeSuccess {
			t.Error(c)
		}
		if c := lib.Release(other); c != codeSuccess {
			t.Error(c)
		}
	}
}

const slot0Name = "Virtual PCD 00 00"

func TestContract(t *testing.T) {
	s := newStack(t)
	nfctest.Run(t, nfctest.Suite{Open: func(t *testing.T, cards int) *nfctest.Rig {
		s.t = t
		opts := Options{Readers: []string{slot0Name}}
		if cards > 1 {
			opts = Options{} // both slots
		}
		r, h := s.open(t, opts)
		rig := &nfctest.Rig{Env: s.env, Reader: r, Put: h.put, Break: map[nfc.Condition]func() func(){
			nfc.Disabled: func() func() {
				r.SetDisabled(true)
				return func() { r.SetDisabled(false) }
			},
			// It takes each new card for itself, quicker than we may: two slots have to settle.
			nfc.Taken: func() func() {
				take := h.put(nfctest.NewCard(false), fault.Steady())
				leave := otherProgram(t, slot0Name)
				return func() {
					leave()
					take()
				}
			},
		}}
		if !s.daemon.Started() {
			t.Log("pcscd ran before this test: it is not stopped, and those conditions are not tested")
			return rig
		}
		rig.Break[nfc.Hung] = func() func() {
			s.signal(syscall.SIGSTOP)
			s.awaitStopped()
			return func() { s.signal(syscall.SIGCONT) }
		}
		rig.Break[nfc.NoService] = func() func() {
			s.stop()
			return func() { s.start(DaemonOptions{VirtualReader: true}) }
		}
		rig.Break[nfc.Unplugged] = func() func() {
			s.stop()
			s.start(DaemonOptions{ConfigDir: t.TempDir()})
			return func() {
				s.stop()
				s.start(DaemonOptions{VirtualReader: true})
			}
		}
		return rig
	}})
	s.t = t
}
