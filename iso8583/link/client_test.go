package link_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"huika/iso8583/link"
	"huika/rt"
)

func TestClientBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Duration
		began := time.Now()
		c := link.NewClient(rt.Real(), link.ClientOptions{
			Name: "test", Mux: link.MuxOptions{Classify: classify}, MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second,
			Dial: func(context.Context) (net.Conn, error) {
				at = append(at, time.Since(began))
				return nil, errors.New("refused")
			},
		})
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(20 * time.Second)
		if _, err := c.Call(ctx, "1", []byte("q 1")); !errors.Is(err, link.ErrDown) || link.MaybeSent(err) || c.Up() {
			t.Errorf("while down: %v", err)
		}
		waitCtx, stop := context.WithTimeout(ctx, time.Second)
		if err := c.WaitUp(waitCtx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		stop()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		want := 100 * time.Millisecond
		for i := 1; i < len(at); i++ {
			if pause := at[i] - at[i-1]; pause < want || pause > want+want/4 {
				t.Errorf("pause %d is %v, want %v and up to a quarter more", i, pause, want)
			}
			want = min(2*want, time.Second)
		}
		if len(at) < 16 {
			t.Errorf("%d attempts in 21 s", len(at))
		}
	})
}

func TestClientSignsOnAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		done := serve(ctx, p, link.ServerOptions{Handle: func(_ context.Context, c *link.Conn, f []byte) {
			if string(f) == "q hang-up" {
				c.Close()
				return
			}
			if err := c.Send(append([]byte("a"), f[1:]...)); err != nil {
				t.Error(err)
			}
		}})
		refuse, signOns := 2, 0
		var downs []error
		c := link.NewClient(rt.Real(), link.ClientOptions{
			Name: "test", Mux: link.MuxOptions{Classify: classify}, Dial: p.dial,
			OnUp: func(ctx context.Context, m *link.Mux) error {
				if signOns++; signOns <= refuse {
					return errors.New("sign-on refused")
				}
				_, err := m.Call(ctx, "sign-on", []byte("q sign-on"))
				return err
			},
			OnDown: func(err error, _ time.Duration) { downs = append(downs, err) },
		})
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		if err := c.WaitUp(ctx); err != nil || signOns != 3 || len(downs) != 2 {
			t.Fatalf("%v after %d sign-ons, %v", err, signOns, downs)
		}
		if f, err := c.Call(ctx, "1", []byte("q 1")); err != nil || string(f) != "a 1" {
			t.Fatalf("%q %v", f, err)
		}
		_, seq := c.Watch().Load()
		if _, err := c.Call(ctx, "hang-up", []byte("q hang-up")); !errors.Is(err, link.ErrDown) || !link.MaybeSent(err) {
			t.Errorf("cut under a call: %v", err)
		}
		if up, _, err := c.Watch().After(ctx, seq); up || err != nil {
			t.Errorf("watcher saw %v, %v", up, err)
		}
		if err := c.WaitUp(ctx); err != nil || signOns != 4 {
			t.Errorf("%v after %d sign-ons", err, signOns)
		}
		if err := c.Send([]byte("q 2")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		c.Drop()
		synctest.Wait()
		if c.Up() {
			t.Error("up after Drop")
		}
		if err := c.Send([]byte("q 2")); !errors.Is(err, link.ErrNotSent) {
			t.Error(err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A peer that accepts and then says nothing costs one sign-on time-out, not for ever.
func TestClientSignOnHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		done := serve(ctx, p, link.ServerOptions{Handle: func(context.Context, *link.Conn, []byte) {}})
		down := make(chan error, 10)
		c := link.NewClient(rt.Real(), link.ClientOptions{
			Name: "test", Mux: link.MuxOptions{Classify: classify}, Dial: p.dial, UpTimeout: 7 * time.Second,
			OnUp: func(ctx context.Context, m *link.Mux) error {
				_, err := m.Call(ctx, "sign-on", []byte("q sign-on"))
				return err
			},
			OnDown: func(err error, _ time.Duration) { down <- err },
		})
		began, ended := time.Now(), make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		if err := <-down; !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 7*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		cancel()
		<-ended
		<-done
	})
}
