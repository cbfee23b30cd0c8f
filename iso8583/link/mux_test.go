package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"huika/iso8583/link"
	"huika/rt"
)

// Test frames are text: "q key …" asks, "a key …" answers.
func classify(frame []byte) (string, bool, error) {
	kind, rest, ok := strings.Cut(string(frame), " ")
	if !ok || (kind != "q" && kind != "a") {
		return "", false, errors.New("neither question nor answer")
	}
	key, _, _ := strings.Cut(rest, " ")
	return key, kind == "a", nil
}

// started is a Mux that runs over a pipe, and the peer's end.
type started struct {
	*link.Mux
	peer net.Conn
	late []string
	reqs []string
	ran  chan error
}

func start(ctx context.Context, opt link.MuxOptions) *started {
	ours, theirs := net.Pipe()
	s := &started{peer: theirs, ran: make(chan error, 1)}
	opt.Classify = classify
	opt.Late = func(f []byte) { s.late = append(s.late, string(f)) }
	if opt.Request == nil {
		opt.Request = func(f []byte) { s.reqs = append(s.reqs, string(f)) }
	}
	s.Mux = link.NewMux(rt.Real(), ours, opt)
	go func() { s.ran <- s.Run(ctx) }()
	return s
}

func (s *started) read(t *testing.T) string {
	t.Helper()
	f, err := link.ReadFrame(s.peer, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(f)
}

func (s *started) write(t *testing.T, frame string) {
	t.Helper()
	if _, err := s.peer.Write(link.AppendFrame(nil, []byte(frame))); err != nil {
		t.Fatal(err)
	}
}

func (s *started) end(t *testing.T) {
	t.Helper()
	s.Close()
	if err := <-s.ran; !errors.Is(err, link.ErrDown) {
		t.Errorf("Run returned %v", err)
	}
}

type reply struct {
	frame string
	err   error
}

func (s *started) call(ctx context.Context, key string) <-chan reply {
	got := make(chan reply, 1)
	go func() {
		f, err := s.Call(ctx, key, []byte("q "+key))
		got <- reply{string(f), err}
	}()
	return got
}

func TestAnswersInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), link.MuxOptions{})
		defer s.end(t)
		calls := map[string]<-chan reply{}
		for i := range 50 {
			key := fmt.Sprint(i)
			calls[key] = s.call(t.Context(), key)
		}
		var asked []string
		for range 50 {
			asked = append(asked, s.read(t))
		}
		rand.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
		for _, q := range asked {
			s.write(t, "a"+q[1:]+" answer")
		}
		for key, got := range calls {
			if r := <-got; r.err != nil || r.frame != "a "+key+" answer" {
				t.Errorf("call %s got %q, %v", key, r.frame, r.err)
			}
		}
		if s.InFlight() != 0 || s.Late() != 0 {
			t.Errorf("%d in flight, %d late", s.InFlight(), s.Late())
		}
	})
}

func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), link.MuxOptions{})
		defer s.end(t)
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		first := s.call(ctx, "k")
		s.read(t)
		if r := <-first; !errors.Is(r.err, context.DeadlineExceeded) || !link.MaybeSent(r.err) {
			t.Fatalf("timed out with %v", r.err)
		}
		s.write(t, "a k too late")
		synctest.Wait()
		if fmt.Sprint(s.late) != "[a k too late]" || s.Late() != 1 {
			t.Fatalf("late: %v", s.late)
		}
		// The key is free again, and an answer that nobody ever asked for is late too.
		again := s.call(t.Context(), "k")
		s.read(t)
		s.write(t, "a never asked")
		s.write(t, "a k in time")
		if r := <-again; r.frame != "a k in time" {
			t.Fatal(r)
		}
		if s.Late() != 2 {
			t.Errorf("%d late", s.Late())
		}
	})
}

func TestWindowAndDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), link.MuxOptions{Window: 2})
		defer s.end(t)
		one, two := s.call(t.Context(), "1"), s.call(t.Context(), "2")
		s.read(t)
		s.read(t)
		if _, err := s.Call(t.Context(), "1", []byte("q 1")); !errors.Is(err, link.ErrDuplicate) || link.MaybeSent(err) {
			t.Errorf("the same key: %v", err)
		}
		if _, err := s.Call(t.Context(), "3", []byte("q 3")); !errors.Is(err, link.ErrWindow) || link.MaybeSent(err) {
			t.Errorf("a third: %v", err)
		}
		s.write(t, "a 2")
		<-two
		three := s.call(t.Context(), "3")
		if q := s.read(t); q != "q 3" {
			t.Errorf("refused calls were sent: %q", q)
		}
		s.write(t, "a 3")
		s.write(t, "a 1")
		if a, b := <-one, <-three; a.err != nil || b.err != nil {
			t.Error(a.err, b.err)
		}
		if _, err := s.Call(t.Context(), "4", nil); !errors.Is(err, link.ErrFrame) || s.InFlight() != 0 {
			t.Errorf("an empty frame: %v, %d in flight", err, s.InFlight())
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Call(gone, "5", []byte("q 5")); !errors.Is(err, context.Canceled) || link.MaybeSent(err) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

func TestCutFailsAllCallsAtOnce(t *testing.T) {
	for name, cut := range map[string]func(s *started){
		"closed":       func(s *started) { _ = s.peer.Close() },
		"half a frame": func(s *started) { _, _ = s.peer.Write([]byte{0, 9, 1}); _ = s.peer.Close() },
		"frame length": func(s *started) { _, _ = s.peer.Write([]byte{0, 0}) },
		"nonsense":     func(s *started) { _, _ = s.peer.Write(link.AppendFrame(nil, []byte("nonsense"))) },
		"by us":        func(s *started) { s.Close(); s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t.Context(), link.MuxOptions{})
				var calls []<-chan reply
				for i := range 20 {
					calls = append(calls, s.call(t.Context(), fmt.Sprint(i)))
					s.read(t)
				}
				began := time.Now()
				cut(s)
				for _, c := range calls {
					// It was sent: whatever ended the link, the caller must reverse.
					if r := <-c; !errors.Is(r.err, link.ErrDown) || !link.MaybeSent(r.err) {
						t.Errorf("call ended with %v", r.err)
					}
				}
				if waited := time.Since(began); waited != 0 {
					t.Errorf("after %v", waited)
				}
				if err := <-s.ran; !errors.Is(err, link.ErrDown) {
					t.Errorf("Run: %v", err)
				}
				if _, err := s.Call(t.Context(), "x", []byte("q x")); !errors.Is(err, link.ErrDown) || link.MaybeSent(err) {
					t.Errorf("a call afterwards: %v", err)
				}
				if err := s.Send([]byte("q x")); !errors.Is(err, link.ErrDown) || !errors.Is(err, link.ErrNotSent) {
					t.Errorf("a send afterwards: %v", err)
				}
			})
		})
	}
}

func TestContextEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := start(ctx, link.MuxOptions{})
		c := s.call(t.Context(), "1")
		s.read(t)
		cancel()
		if r := <-c; !errors.Is(r.err, link.ErrDown) {
			t.Error(r.err)
		}
		if err := <-s.ran; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestCloseBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		m := link.NewMux(rt.Real(), ours, link.MuxOptions{Classify: classify})
		m.Close()
		if err := m.Run(t.Context()); !errors.Is(err, link.ErrDown) {
			t.Error(err)
		}
		if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
	})
}

// A peer that does not read fills a bounded buffer, then counts as down.
func TestSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), link.MuxOptions{Window: 1 << 20, WriteTimeout: 10 * time.Second})
		waiting := s.call(t.Context(), "1")
		synctest.Wait()
		began, queued := time.Now(), 0
		big := []byte("q big " + strings.Repeat("x", 4000))
		for ; ; queued += len(big) {
			if err := s.Send(big); err != nil {
				if !errors.Is(err, link.ErrWindow) {
					t.Fatal(err)
				}
				break
			}
			if queued > 2*link.MaxPending {
				t.Fatal("nothing bounds what is queued")
			}
		}
		if r := <-waiting; !errors.Is(r.err, link.ErrDown) {
			t.Error(r.err)
		}
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("given up after %v", waited)
		}
		if err := <-s.ran; !errors.Is(err, link.ErrDown) {
			t.Error(err)
		}
	})
}

func TestRequestsFromPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), link.MuxOptions{})
		defer s.end(t)
		s.write(t, "q 7 echo")
		synctest.Wait()
		if fmt.Sprint(s.reqs) != "[q 7 echo]" {
			t.Errorf("requests %v", s.reqs)
		}
		if err := s.Send([]byte("a 7")); err != nil {
			t.Fatal(err)
		}
		if got := s.read(t); got != "a 7" {
			t.Errorf("peer read %q", got)
		}
	})
}

// counting counts the writes that reach the connection.
type counting struct {
	net.Conn
	writes atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestWritesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		conn := &counting{Conn: ours}
		m := link.NewMux(rt.Real(), conn, link.MuxOptions{Classify: classify})
		ran := make(chan error, 1)
		go func() { ran <- m.Run(t.Context()) }()
		for i := range 100 {
			if err := m.Send(fmt.Appendf(nil, "q %d", i)); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				synctest.Wait() // the first is on its way: the peer does not read yet
			}
		}
		for i := range 100 {
			if f, err := link.ReadFrame(theirs, nil); err != nil || string(f) != fmt.Sprintf("q %d", i) {
				t.Fatalf("frame %d: %q %v", i, f, err)
			}
		}
		if n := conn.writes.Load(); n != 2 {
			t.Errorf("%d writes for 1 + 99 frames", n)
		}
		m.Close()
		<-ran
	})
}

// Over a real socket, with answers, time-outs and a cut at random moments, every
// call ends once and none gets another's answer.
func TestRealSocketUnderLoad(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- link.Serve(ctx, rt.Real(), ln, link.ServerOptions{Handle: func(_ context.Context, c *link.Conn, f []byte) {
			if err := c.Send(append([]byte("a"), f[1:]...)); err != nil && !errors.Is(err, link.ErrDown) {
				t.Error(err)
			}
		}})
	}()
	client := link.NewClient(rt.Real(), link.ClientOptions{
		Name: "load", Mux: link.MuxOptions{Window: 64, Classify: classify}, MinBackoff: time.Millisecond,
		Dial: func(ctx context.Context) (net.Conn, error) { return rt.Real().Dial(ctx, ln.Addr().String()) },
	})
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	var wg sync.WaitGroup
	var good, lost atomic.Int64
	for w := range 8 {
		wg.Go(func() {
			for i := range 300 {
				if err := client.WaitUp(ctx); err != nil {
					t.Error(err)
					return
				}
				key := fmt.Sprintf("%d-%d", w, i)
				f, err := client.Call(ctx, key, []byte("q "+key))
				switch {
				case err == nil && string(f) == "a "+key:
					good.Add(1)
				case errors.Is(err, link.ErrDown):
					lost.Add(1)
				default:
					t.Errorf("%s: %q, %v", key, f, err)
				}
				if w == 0 && i%100 == 50 {
					client.Drop()
				}
			}
		})
	}
	wg.Wait()
	if good.Load() < 1200 {
		t.Errorf("%d answered, %d lost", good.Load(), lost.Load())
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func BenchmarkCall(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- link.Serve(ctx, rt.Real(), ln, link.ServerOptions{MaxHandlers: 512, Handle: func(_ context.Context, c *link.Conn, f []byte) {
			f[0] = 'a'
			if err := c.Send(f); err != nil {
				b.Error(err)
			}
		}})
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	m := link.NewMux(rt.Real(), conn, link.MuxOptions{Window: 512, Classify: classify})
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	var seq atomic.Uint64
	b.SetParallelism(64)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := fmt.Sprint(seq.Add(1))
			if _, err := m.Call(ctx, key, []byte("q "+key)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	m.Close()
	<-ran
	cancel()
	if err := <-served; err != nil {
		b.Error(err)
	}
}
