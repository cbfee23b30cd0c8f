package sched_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"huika/rt"
	"huika/sim/sched"
)

// frames sends count numbered frames over a link with the faults, in one Write
// for every three, and gives the numbers that arrive and the reader's error.
func frames(t *testing.T, seed uint64, faults sched.Faults, count int) (got []int, end error) {
	t.Helper()
	w := sched.New(sched.Config{Seed: seed})
	defer w.Close()
	w.SetFaults("to:1", faults)
	to, from := w.Node("to"), w.Node("from")
	to.Go("reads", func() {
		ln, err := to.Listen("to:1")
		if err != nil {
			t.Error(err)
			return
		}
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		var head [2]byte
		for {
			if _, end = io.ReadFull(c, head[:]); end != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint16(head[:]))
			if _, end = io.ReadFull(c, body); end != nil {
				return
			}
			if len(body) != 10 {
				t.Errorf("seed %d: a frame of %d bytes", seed, len(body))
				return
			}
			got = append(got, int(body[9]))
		}
	})
	from.Go("writes", func() {
		if err := from.Sleep(background, time.Second); err != nil {
			t.Error(err)
		}
		c, err := from.Dial(background, "to:1")
		if err != nil {
			end = err
			return
		}
		var b []byte
		for i := range count {
			b = binary.BigEndian.AppendUint16(b, 10)
			b = append(b, make([]byte, 9)...)
			b = append(b, byte(i))
			if i%3 == 2 || i == count-1 {
				// A write in two halves: the link must put frames together.
				for _, part := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
					if _, err := c.Write(part); err != nil {
						return
					}
				}
				b = b[:0]
			}
			if err := from.Sleep(background, 10*time.Millisecond); err != nil {
				t.Error(err)
			}
		}
		if err := from.Sleep(background, time.Hour); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.Run(sched.Limit{}); err != nil {
		t.Fatal(err)
	}
	return got, end
}

func TestFrameFaults(t *testing.T) {
	const count, seeds = 60, 10
	base := sched.Faults{Framed: true, Latency: sched.Span{Min: time.Millisecond, Max: 3 * time.Millisecond},
		Split: 0.3, DelayFor: sched.Span{Min: time.Millisecond, Max: time.Second}}
	var all []int
	for i := range count {
		all = append(all, i)
	}
	sorted := func(v []int) []int { v = slices.Clone(v); slices.Sort(v); return v }
	for _, c := range []struct {
		name string
		set  func(*sched.Faults)
		good func(got []int) bool // of one seed
	}{
		{"none", func(*sched.Faults) {}, func(got []int) bool { return slices.Equal(got, all) }},
		{"not framed", func(f *sched.Faults) { f.Framed, f.Lose, f.Double, f.Delay = false, 1, 1, 1 },
			func(got []int) bool { return slices.Equal(got, all) }},
		{"all lost", func(f *sched.Faults) { f.Lose = 1 }, func(got []int) bool { return len(got) == 0 }},
		{"some lost", func(f *sched.Faults) { f.Lose = 0.3 },
			func(got []int) bool { return len(got) < count && len(got) > count/4 && slices.IsSorted(got) }},
		{"all doubled", func(f *sched.Faults) { f.Double = 1 },
			func(got []int) bool { return slices.Equal(sorted(got), sorted(append(all, all...))) }},
		{"some delayed", func(f *sched.Faults) { f.Delay = 0.3 },
			func(got []int) bool { return slices.Equal(sorted(got), all) && !slices.IsSorted(got) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(seeds) {
				faults := base
				c.set(&faults)
				got, end := frames(t, seed, faults, count)
				if !c.good(got) || !errors.Is(end, io.EOF) {
					t.Errorf("seed %d: %v, %v", seed, got, end)
				}
			}
		})
	}
}

func TestCut(t *testing.T) {
	inside := 0
	for seed := range uint64(30) {
		got, end := frames(t, seed, sched.Faults{Framed: true, Cut: 0.1}, 100)
		if len(got) == 100 || errors.Is(end, io.EOF) || !errors.Is(end, syscall.ECONNRESET) {
			t.Errorf("seed %d: %d frames and then %v", seed, len(got), end)
		}
		if errors.Is(end, syscall.ECONNRESET) {
			inside++
		}
	}
	if inside == 0 {
		t.Error("no connection was cut")
	}
}

func TestRefuse(t *testing.T) {
	w := sched.New(sched.Config{Faults: sched.Faults{Refuse: 0.5}})
	defer w.Close()
	env := w.Node("a")
	refused := 0
	env.Go("dials", func() {
		if _, err := env.Listen("a:1"); err != nil {
			t.Error(err)
		}
		for range 100 {
			if _, err := env.Dial(background, "a:1"); errors.Is(err, syscall.ECONNREFUSED) {
				refused++
			}
		}
		w.Calm()
		if _, err := env.Dial(background, "a:1"); err != nil {
			t.Errorf("after Calm: %v", err)
		}
	})
	if _, err := w.Run(sched.Limit{}); err != nil {
		t.Error(err)
	}
	if refused < 30 || refused > 70 {
		t.Errorf("%d of 100 refused", refused)
	}
}

func TestBacklogIsBounded(t *testing.T) {
	w := sched.New(sched.Config{})
	defer w.Close()
	env := w.Node("a")
	env.Go("dials", func() {
		if _, err := env.Listen("a:1"); err != nil {
			t.Error(err)
		}
		for i := range sched.MaxBacklog + 1 {
			_, err := env.Dial(background, "a:1")
			if full := i == sched.MaxBacklog; full != errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial %d: %v", i, err)
			}
		}
	})
	if _, err := w.Run(sched.Limit{}); err != nil {
		t.Error(err)
	}
}

func TestPartition(t *testing.T) {
	w := sched.New(sched.Config{Faults: sched.LAN()})
	defer w.Close()
	a, b := w.Node("a"), w.Node("b")
	b.Go("echo", func() {
		ln, err := b.Listen("b:1")
		if err != nil {
			t.Error(err)
			return
		}
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.Go("echo", func() {
				if _, err := io.Copy(c, c); err != nil {
					t.Error(err)
				}
			})
		}
	})
	a.Go("calls", func() {
		c, err := a.Dial(background, "b:1")
		if err != nil {
			t.Error(err)
			return
		}
		buf := make([]byte, 5)
		w.Partition("b", "a")
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		if err := c.SetReadDeadline(a.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		var slow net.Error
		if _, err := c.Read(buf); !errors.As(err, &slow) || !slow.Timeout() {
			t.Errorf("over a partition: %v", err)
		}
		ctx, cancel := a.WithTimeout(background, time.Second)
		defer cancel()
		if _, err := a.Dial(ctx, "b:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
		if _, err := a.Dial(background, "b:1"); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("patient dial: %v", err)
		}
		w.At(time.Minute, func() { w.Heal("a", "b") })
		again, err := a.Dial(background, "b:1")
		if err != nil {
			t.Errorf("dial that waits for the heal: %v", err)
			return
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
			t.Errorf("after the heal: %q, %v", buf, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.Run(sched.Limit{}); err != nil {
		t.Error(err)
	}
	if got := w.Parked(); len(got) != 1 {
		t.Errorf("parked %v", got)
	}
}

// TestCrashLosesWhatWasOnTheWay: bytes that a crashed machine had written may
// arrive or not, but those that arrive are a prefix, and a reset follows.
func TestCrashLosesWhatWasOnTheWay(t *testing.T) {
	lengths := make(map[int]bool)
	for seed := range uint64(40) {
		w := sched.New(sched.Config{Seed: seed, Faults: sched.Faults{Latency: sched.Span{Min: time.Second}}})
		a, b := w.Node("a"), w.Node("b")
		var got []byte
		var end error
		b.Go("reads", func() {
			ln, err := b.Listen("b:1")
			if err != nil {
				t.Error(err)
				return
			}
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			got, end = io.ReadAll(c)
		})
		a.Go("writes", func() {
			c, err := a.Dial(background, "b:1")
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 5 {
				if _, err := c.Write([]byte{byte(i)}); err != nil {
					t.Error(err)
				}
			}
			w.Crash("a")
		})
		if _, err := w.Run(sched.Limit{}); err != nil {
			t.Error(err)
		}
		w.Close()
		for i, v := range got {
			if int(v) != i {
				t.Errorf("seed %d: %v", seed, got)
			}
		}
		if !errors.Is(end, syscall.ECONNRESET) {
			t.Errorf("seed %d: the peer saw %v", seed, end)
		}
		lengths[len(got)] = true
	}
	if len(lengths) < 4 {
		t.Errorf("what survives is always the same: %v", lengths)
	}
}

// TestManyContexts: tasks that wait under many contexts of many depths are
// released by the cancel of theirs alone, in every seed.
func TestManyContexts(t *testing.T) {
	for seed := range uint64(20) {
		w := sched.New(sched.Config{Seed: seed})
		env := w.Node("a")
		released := rt.NewQueue[int](env, 64)
		const n = 30
		var cancels [n]context.CancelFunc
		env.Go("main", func() {
			for i := range n {
				ctx, cancel := context.WithCancel(background)
				cancels[i] = cancel
				for depth := range i % 4 {
					var inner context.CancelFunc
					if depth%2 == 0 {
						ctx, inner = env.WithTimeout(context.WithValue(ctx, released, i), time.Hour)
					} else {
						ctx, inner = context.WithCancel(context.WithValue(ctx, released, i))
					}
					defer inner()
				}
				env.Go("waits", func() {
					if err := env.NewWaiter().Wait(ctx); !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					if err := released.Put(i); err != nil {
						t.Error(err)
					}
				})
			}
			if err := env.Sleep(background, time.Minute); err != nil {
				t.Error(err)
			}
			for i := range n {
				k := (i * 7) % n
				cancels[k]()
				if got, err := released.Get(background); err != nil || got != k {
					t.Errorf("seed %d: released %d, want %d (%v)", seed, got, k, err)
				}
			}
		})
		if _, err := w.Run(sched.Limit{}); err != nil {
			t.Error(err)
		}
		w.Close()
	}
}
