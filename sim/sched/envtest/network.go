package envtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"huika/rt"
)

// Network checks Dial and Listen and the connections that they make. On the real
// machine it uses loopback sockets and a few milliseconds.
func Network(t *testing.T, run Harness) {
	for _, c := range []struct {
		name string
		body func(t *testing.T, env rt.Env)
	}{
		{"bytes arrive in order and then the end", bytesInOrder},
		{"a large write in both directions", largeWrite},
		{"nobody listens", nobodyListens},
		{"an address is taken once", addressTaken},
		{"port 0 is a free port", freePort},
		{"dial needs a living context", dialContext},
		{"a read deadline ends a read", readDeadline},
		{"a deadline can be moved", moveDeadline},
		{"a write deadline ends a write to one who does not read", writeDeadline},
		{"close ends a read and an accept here", closeHere},
		{"a closed connection refuses", refuses},
		{"the peer's close is seen by a writer", writeToClosed},
		{"a unix socket", unixSocket},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(env rt.Env) { c.body(t, env) })
		})
	}
}

func listen(t *testing.T, env rt.Env, addr string) net.Listener {
	t.Helper()
	ln, err := env.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// connect gives the two ends of a connection.
func connect(t *testing.T, env rt.Env) (near, far net.Conn) {
	t.Helper()
	ln := listen(t, env, "127.0.0.1:0")
	accepted := rt.NewFuture[net.Conn](env)
	env.Go("accept", func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted.Set(c)
	})
	near, err := env.Dial(context.Background(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = accepted.Get(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	shut(t, ln)
	return near, far
}

func shut(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func bytesInOrder(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	var sent bytes.Buffer
	env.Go("writes", func() {
		for i := range 50 {
			piece := bytes.Repeat([]byte{byte(i)}, i)
			sent.Write(piece)
			if _, err := near.Write(piece); err != nil {
				t.Error(err)
			}
		}
		shut(t, near)
	})
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("%d bytes of %d, %v", len(got), sent.Len(), err)
	}
	shut(t, far)
}

func largeWrite(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	const size = 3 << 20
	ends := rt.NewQueue[int](env, 4)
	for _, c := range []net.Conn{near, far} {
		env.Go("writes", func() {
			if n, err := c.Write(make([]byte, size)); n != size || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			put(t, ends, 0)
		})
		env.Go("reads", func() {
			n, err := io.ReadFull(c, make([]byte, size))
			if err != nil {
				t.Error(err)
			}
			put(t, ends, n)
		})
	}
	for range 4 {
		get(t, env, ends)
	}
	shut(t, near)
	shut(t, far)
}

func nobodyListens(t *testing.T, env rt.Env) {
	ln := listen(t, env, "127.0.0.1:0")
	at := ln.Addr().String()
	shut(t, ln)
	_, err := env.Dial(context.Background(), at)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		t.Errorf("error %T", err)
	}
}

func addressTaken(t *testing.T, env rt.Env) {
	ln := listen(t, env, "127.0.0.1:0")
	at := ln.Addr().String()
	if _, err := env.Listen(at); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("error %v", err)
	}
	shut(t, ln)
	shut(t, listen(t, env, at))
}

func freePort(t *testing.T, env rt.Env) {
	a, b := listen(t, env, "127.0.0.1:0"), listen(t, env, "127.0.0.1:0")
	if a.Addr().String() == b.Addr().String() {
		t.Errorf("both at %v", a.Addr())
	}
	if tcp, ok := a.Addr().(*net.TCPAddr); !ok || tcp.Port == 0 {
		t.Errorf("address %v", a.Addr())
	}
	shut(t, a)
	shut(t, b)
}

func dialContext(t *testing.T, env rt.Env) {
	ln := listen(t, env, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := env.Dial(ctx, ln.Addr().String()); err == nil {
		t.Error("connected with a dead context")
	}
	shut(t, ln)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
}

func deadlineIn(t *testing.T, env rt.Env, set func(time.Time) error, d time.Duration) {
	t.Helper()
	if err := set(env.Now().Add(d)); err != nil {
		t.Error(err)
	}
}

func readDeadline(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	deadlineIn(t, env, near.SetReadDeadline, 5*time.Millisecond)
	for range 2 {
		if _, err := near.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := far.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if err := near.SetReadDeadline(time.Time{}); err != nil {
		t.Error(err)
	}
	if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after the deadline was lifted: %d, %v", n, err)
	}
	shut(t, near)
	shut(t, far)
}

func moveDeadline(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	deadlineIn(t, env, near.SetDeadline, patience)
	env.Go("moves it", func() {
		if err := env.Sleep(context.Background(), 5*time.Millisecond); err != nil {
			t.Error(err)
		}
		deadlineIn(t, env, near.SetDeadline, -time.Second)
	})
	if _, err := near.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("error %v", err)
	}
	shut(t, near)
	shut(t, far)
}

func writeDeadline(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	deadlineIn(t, env, near.SetWriteDeadline, 20*time.Millisecond)
	var err error
	for i := 0; i < 1000 && err == nil; i++ {
		_, err = near.Write(make([]byte, 64<<10))
	}
	if !isTimeout(err) {
		t.Errorf("error %v", err)
	}
	shut(t, near)
	shut(t, far)
}

func closeHere(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	ln := listen(t, env, "127.0.0.1:0")
	errs := rt.NewQueue[error](env, 2)
	env.Go("reads", func() {
		_, err := near.Read(make([]byte, 1))
		put(t, errs, err)
	})
	env.Go("accepts", func() {
		_, err := ln.Accept()
		put(t, errs, err)
	})
	if err := env.Sleep(context.Background(), 5*time.Millisecond); err != nil {
		t.Error(err)
	}
	shut(t, near)
	shut(t, ln)
	for range 2 {
		if err := get(t, env, errs); !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v", err)
		}
	}
	shut(t, far)
}

func refuses(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	shut(t, near)
	_, readErr := near.Read(make([]byte, 1))
	_, writeErr := near.Write([]byte("x"))
	for _, err := range []error{readErr, writeErr, near.Close(), near.SetDeadline(time.Now())} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v", err)
		}
	}
	shut(t, far)
}

func writeToClosed(t *testing.T, env rt.Env) {
	near, far := connect(t, env)
	shut(t, far)
	var err error
	for i := 0; i < 1000 && err == nil; i++ {
		if _, err = near.Write([]byte("x")); err == nil {
			err = env.Sleep(context.Background(), time.Millisecond)
		}
	}
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v", err)
	}
	shut(t, near)
}

func unixSocket(t *testing.T, env rt.Env) {
	at := "unix:" + t.TempDir() + "/s"
	ln := listen(t, env, at)
	env.Go("echo", func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.Copy(c, c); err != nil {
			t.Error(err)
		}
		shut(t, c)
	})
	c, err := env.Dial(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("hi")); err != nil {
		t.Error(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hi" {
		t.Errorf("%q, %v", got, err)
	}
	shut(t, c)
	shut(t, ln)
}
