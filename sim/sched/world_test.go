package sched_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"huika/rt"
	"huika/sim/sched"
)

var background = context.Background()

// traffic is a small site: an echo server, clients that dial again when cut,
// a background ticker, and a planner that crashes the server and parts the network.
func traffic(w *sched.World, calls int) (answered *int) {
	answered = new(int)
	serve := func() {
		env := w.Node("server")
		env.Go("serve", func() {
			ln, err := env.Listen("server:1")
			if err != nil {
				return
			}
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				env.Go("echo", func() {
					if _, err := io.Copy(c, c); err != nil {
						w.Note("echo ends: %v", err)
					}
					if err := c.Close(); err != nil {
						w.Note("close: %v", err)
					}
				})
			}
		})
	}
	serve()
	for i := range 5 {
		env := w.Node(fmt.Sprint("client", i))
		env.Go("calls", func() {
			var c net.Conn
			buf := make([]byte, 64)
			for n := 0; n < calls; {
				ctx, cancel := env.WithTimeout(background, time.Second)
				if c == nil {
					var err error
					if c, err = env.Dial(ctx, "server:1"); err != nil {
						cancel()
						if env.Sleep(background, 100*time.Millisecond) != nil {
							return
						}
						continue
					}
				}
				cancel()
				if c.SetDeadline(env.Now().Add(time.Second)) != nil {
					return
				}
				if _, err := env.Rand().Read(buf[2:]); err != nil {
					return
				}
				buf[0], buf[1] = 0, 62
				got := make([]byte, 64)
				_, err := c.Write(buf)
				if err == nil {
					_, err = io.ReadFull(c, got)
				}
				if err != nil {
					w.Note("call %d: %v", n, err)
					_ = c.Close() // it may be broken: that is the point
					c = nil
					continue
				}
				n++
				*answered++
			}
		})
	}
	w.At(200*time.Millisecond, func() {
		w.Crash("server")
		w.At(300*time.Millisecond, serve)
	})
	w.At(700*time.Millisecond, func() { w.Partition("server", "client1") })
	w.At(3*time.Second, func() { w.Heal("server", "client1") })
	return answered
}

func runTraffic(t *testing.T, seed uint64) (hash, steps uint64) {
	t.Helper()
	w := sched.New(sched.Config{Seed: seed, Faults: sched.Rough(0.03)})
	defer w.Close()
	const calls = 40
	answered := traffic(w, calls)
	if _, err := w.Run(sched.Limit{Time: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	w.Calm()
	reason, err := w.Run(sched.Limit{Time: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if *answered != 5*calls {
		t.Errorf("seed %d: %s with %d answers; parked: %v", seed, reason, *answered, w.Parked())
	}
	return w.Hash(), w.Steps()
}

func TestSameSeedSameRun(t *testing.T) {
	hashes := make(map[uint64]uint64)
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		first, steps := runTraffic(t, seed)
		for range 3 {
			if again, n := runTraffic(t, seed); again != first || n != steps {
				t.Errorf("seed %d: hash %x after %d steps, then %x after %d", seed, first, steps, again, n)
			}
		}
		if other, ok := hashes[first]; ok {
			t.Errorf("seeds %d and %d are the same run", other, seed)
		}
		hashes[first] = seed
	}
}

func TestCrash(t *testing.T) {
	w := sched.New(sched.Config{Seed: 1, Faults: sched.LAN()})
	defer w.Close()
	env := w.Node("a")
	var unwound []string
	var afterwards []error
	ran := false
	waiter := env.NewWaiter()
	env.Go("sleeps", func() {
		defer func() {
			unwound = append(unwound, "sleeps")
			ctx, cancel := env.WithTimeout(background, time.Hour)
			defer cancel()
			_, dialErr := env.Dial(background, "peer:1")
			_, listenErr := env.Listen("a:2")
			waiter.Wake()
			env.Go("ghost", func() { ran = true })
			afterwards = append(afterwards, env.Sleep(background, time.Second), waiter.Wait(background), dialErr, listenErr)
			if ctx.Err() == nil || sched.Alive(env) {
				t.Error("the node is alive in a deferred function")
			}
		}()
		if err := env.Sleep(background, time.Hour); err != nil {
			t.Error(err)
		}
		ran = true
	})
	env.Go("serves", func() {
		defer func() { unwound = append(unwound, "serves") }()
		ln, err := env.Listen("a:1")
		if err != nil {
			t.Error(err)
			return
		}
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() {
			_, err := c.Write([]byte("ghost"))
			afterwards = append(afterwards, err, c.Close())
		}()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		ran = true
	})
	var seen error
	w.Node("b").Go("client", func() {
		c, err := w.Node("b").Dial(background, "a:1")
		if err != nil {
			t.Error(err)
			return
		}
		_, seen = c.Read(make([]byte, 8))
	})
	w.At(time.Second, func() {
		w.Crash("a")
		if !sched.Alive(w.Node("a")) || sched.Alive(env) {
			t.Error("Node does not give a new life, or the old one goes on")
		}
		if _, err := w.Node("a").Listen("a:1"); err != nil {
			t.Errorf("the address is still taken: %v", err)
		}
	})
	if reason, err := w.Run(sched.Limit{}); reason != sched.Quiescent || err != nil {
		t.Fatal(reason, err)
	}
	if strings.Join(unwound, " ") != "sleeps serves" || ran {
		t.Errorf("unwound %v, went on: %v", unwound, ran)
	}
	if len(afterwards) != 6 {
		t.Errorf("%d calls in deferred functions", len(afterwards))
	}
	for _, err := range afterwards {
		if !errors.Is(err, sched.ErrCrashed) {
			t.Errorf("in a deferred function: %v", err)
		}
	}
	if seen == nil || !strings.Contains(seen.Error(), "reset") {
		t.Errorf("the peer saw %v", seen)
	}
}

func TestCrashOfOneself(t *testing.T) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	unlocked, after, other := false, false, false
	var disk sync.Mutex
	env.Go("bystander", func() {
		if env.Sleep(background, time.Hour) == nil {
			other = true
		}
	})
	env.Go("writes", func() {
		disk.Lock()
		defer func() {
			disk.Unlock()
			unlocked = true
		}()
		w.Crash("a")
		after = true
	})
	if reason, err := w.Run(sched.Limit{}); reason != sched.Quiescent || err != nil {
		t.Fatal(reason, err)
	}
	if !unlocked || after || other {
		t.Errorf("deferred ran: %v; went on: %v; bystander went on: %v", unlocked, after, other)
	}
}

func TestCrashOfAnother(t *testing.T) {
	w := sched.New(sched.Config{})
	defer w.Close()
	victim, dead, after := false, false, false
	w.Node("a").Go("victim", func() {
		defer func() { dead = true }()
		if w.Node("a").Sleep(background, time.Hour) == nil {
			victim = true
		}
	})
	w.Node("b").Go("killer", func() {
		if err := w.Node("b").Sleep(background, time.Second); err != nil {
			t.Error(err)
		}
		w.Crash("a")
		after = dead
	})
	if reason, err := w.Run(sched.Limit{}); reason != sched.Quiescent || err != nil {
		t.Fatal(reason, err)
	}
	if victim || !after {
		t.Errorf("victim went on: %v; dead before Crash returned: %v", victim, after)
	}
}

func TestPanicIsReported(t *testing.T) {
	w := sched.New(sched.Config{})
	defer w.Close()
	w.Go("falls", func() { panic("over") })
	w.Go("goes on", func() {})
	reason, err := w.Run(sched.Limit{})
	var p *sched.PanicError
	if reason != sched.Failed || !errors.As(err, &p) || p.Task != "world/falls" || p.Value != "over" || !strings.Contains(p.Stack, "TestPanicIsReported") {
		t.Errorf("%v, %v", reason, err)
	}
}

func TestLimits(t *testing.T) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	ticks := 0
	env.Go("ticks", func() {
		for env.Sleep(background, time.Second) == nil {
			ticks++
		}
	})
	if reason, err := w.Run(sched.Limit{Time: 10*time.Second + time.Millisecond}); reason != sched.TimeUp || err != nil || ticks < 9 || ticks > 10 {
		t.Errorf("time: %v, %v after %d", reason, err, ticks)
	}
	if at := w.Elapsed(); at != 10*time.Second+time.Millisecond {
		t.Errorf("elapsed %v", at)
	}
	if reason, err := w.Run(sched.Limit{Until: func() bool { return ticks == 15 }}); reason != sched.Reached || err != nil {
		t.Errorf("until: %v, %v", reason, err)
	}
	if reason, err := w.Run(sched.Limit{Steps: 5}); reason != sched.Failed || !errors.Is(err, sched.ErrSteps) || ticks != 20 {
		t.Errorf("steps: %v, %v after %d", reason, err, ticks)
	}
	if _, err := w.Run(sched.Limit{Time: 500 * time.Millisecond}); err != nil {
		t.Error(err)
	}
	if got := w.Parked(); len(got) != 1 || got[0] != "a/ticks: sleep" {
		t.Errorf("parked %v", got)
	}
}

func TestTooManyTasks(t *testing.T) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	env.Go("breeds", func() {
		for range sched.MaxTasks {
			env.Go("young", func() {})
		}
	})
	if _, err := w.Run(sched.Limit{}); !errors.Is(err, sched.ErrTasks) {
		t.Errorf("error %v", err)
	}
}

func TestHistory(t *testing.T) {
	w := sched.New(sched.Config{History: 3})
	defer w.Close()
	w.Go("talks", func() {
		for i := range 10 {
			w.Note("line %d", i)
		}
	})
	if _, err := w.Run(sched.Limit{}); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if err := w.WriteHistory(&out); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "line 8") || !strings.Contains(lines[2], "end") {
		t.Errorf("history:\n%s", out.String())
	}
}

func TestOrdersDiffer(t *testing.T) {
	orders := make(map[string]bool)
	for seed := range uint64(50) {
		w := sched.New(sched.Config{Seed: seed})
		var order strings.Builder
		for _, name := range []string{"a", "b", "c"} {
			w.Go(name, func() { order.WriteString(name) })
		}
		if _, err := w.Run(sched.Limit{}); err != nil {
			t.Error(err)
		}
		w.Close()
		orders[order.String()] = true
	}
	if len(orders) != 6 {
		t.Errorf("%d orders of 6", len(orders))
	}
}

func BenchmarkSwitch(b *testing.B) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	ping, pong := rt.NewQueue[int](env, 1), rt.NewQueue[int](env, 1)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	pass := func(from, to *rt.Queue[int]) func() {
		return func() {
			for {
				v, err := from.Get(ctx)
				if err != nil || to.Put(v) != nil {
					return
				}
			}
		}
	}
	env.Go("ping", pass(ping, pong))
	env.Go("pong", pass(pong, ping))
	if err := ping.Put(0); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if _, err := w.Run(sched.Limit{Steps: uint64(b.N)}); !errors.Is(err, sched.ErrSteps) {
		b.Fatal(err)
	}
}

func BenchmarkTask(b *testing.B) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	n := 0
	var next func()
	next = func() {
		if n++; n < b.N {
			env.Go("next", next)
		}
	}
	env.Go("first", next)
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := w.Run(sched.Limit{Steps: uint64(b.N) + 1}); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkTimeout(b *testing.B) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	env.Go("sleeps", func() {
		parent, cancelParent := context.WithCancel(background)
		defer cancelParent()
		for range b.N {
			ctx, cancel := env.WithTimeout(parent, time.Minute)
			if err := env.Sleep(ctx, time.Second); err != nil {
				b.Error(err)
			}
			cancel()
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := w.Run(sched.Limit{Steps: uint64(b.N) + 1}); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkTraffic(b *testing.B) {
	var steps uint64
	for i := range b.N {
		w := sched.New(sched.Config{Seed: uint64(i), Faults: sched.Rough(0.03)})
		traffic(w, 200)
		if _, err := w.Run(sched.Limit{Time: time.Hour}); err != nil {
			b.Fatal(err)
		}
		steps += w.Steps()
		w.Close()
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
}
