package sched_test

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"huika/sim/sched"
)

// A node's clock can be set, and stays set over a crash; nobody else's moves.
func TestClockOfANode(t *testing.T) {
	w := sched.New(sched.Config{Seed: 1, StepCost: -1})
	defer w.Close()
	a, b := w.Node("a"), w.Node("b")
	w.SetClock("a", time.Hour)
	if d := a.Now().Sub(b.Now()); d != time.Hour {
		t.Errorf("a is %v before b", d)
	}
	w.Crash("a")
	if d := w.Node("a").Now().Sub(w.Now()); d != time.Hour {
		t.Errorf("after a crash it is %v before the world", d)
	}
}

// What waits does not follow the clock: timers, deadlines of contexts and of
// connections count what passes, as the real machine's do.
func TestTimersDoNotFollowTheClock(t *testing.T) {
	w := sched.New(sched.Config{Seed: 1, StepCost: -1})
	defer w.Close()
	env := w.Node("a")
	took := map[string]time.Duration{}
	measure := func(name string, f func() error, want error) {
		env.Go(name, func() {
			from := w.Elapsed()
			if err := f(); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			took[name] = w.Elapsed() - from
		})
	}
	measure("sleep", func() error { return env.Sleep(t.Context(), 10*time.Second) }, nil)
	measure("nested", func() error {
		outer, cancel := env.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		between, stop := context.WithCancel(outer)
		defer stop()
		if err := env.Sleep(between, 5*time.Second); err != nil { // the clock is set meanwhile
			return err
		}
		inner, cancelInner := env.WithTimeout(between, 5*time.Second)
		defer cancelInner()
		return env.NewWaiter().Wait(inner)
	}, context.DeadlineExceeded)
	ln, err := env.Listen("a:1")
	if err != nil {
		t.Fatal(err)
	}
	measure("read", func() error {
		c, err := env.Dial(context.Background(), "a:1")
		if err != nil {
			return err
		}
		if err := c.SetReadDeadline(env.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 1))
		return err
	}, os.ErrDeadlineExceeded)
	w.At(2*time.Second, func() { w.SetClock("a", time.Hour) })
	w.At(7*time.Second, func() { w.SetClock("a", -time.Hour) })
	if _, err := w.Run(sched.Limit{}); err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	for name, d := range took {
		if d.Round(time.Millisecond) != 10*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	if len(took) != 3 {
		t.Errorf("only %v ended", took)
	}
}

// A connection that is broken from outside ends on both sides, after what was
// on its way; connections of other machines stay.
func TestBreak(t *testing.T) {
	w := sched.New(sched.Config{Seed: 1, Faults: sched.LAN()})
	defer w.Close()
	ln, err := w.Node("b").Listen("b:1")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]error{}
	w.Node("b").Go("serve", func() {
		for range 2 {
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			w.Node("b").Go("read", func() {
				buf := make([]byte, 2)
				for err == nil {
					_, err = io.ReadFull(c, buf)
					if err == nil {
						got["read "+string(buf)] = nil
					}
				}
				got["serve "+string(buf)] = err
			})
		}
	})
	for _, node := range []string{"a1", "a2"} {
		env := w.Node(node)
		env.Go("dial", func() {
			c, err := env.Dial(context.Background(), "b:1")
			if err == nil {
				_, err = c.Write([]byte(node))
			}
			if err != nil {
				t.Error(err)
				return
			}
			_, err = c.Read(make([]byte, 1))
			got[node] = err
		})
	}
	w.At(time.Second, func() { w.Break("a1", "b") })
	if _, err := w.Run(sched.Limit{Time: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"a1", "serve a1"} {
		if !errors.Is(got[who], syscall.ECONNRESET) {
			t.Errorf("%s: %v", who, got[who])
		}
	}
	if _, ended := got["a2"]; ended || len(got) != 4 {
		t.Errorf("%v", got)
	}
}
