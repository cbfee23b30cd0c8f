package outage_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"huika/world/outage"
)

// A switch that is down cuts what is open and refuses what comes; up again, it serves.
func TestDown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var s outage.Switch
	gate := s.Listen(ln)
	done := make(chan struct{})
	go func() { // echoes until the listener closes
		defer close(done)
		for {
			c, err := gate.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c) // ends with the connection
				_ = c.Close()        // a second close where the switch was first
			}()
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	echoes := func(c net.Conn) error {
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	open := dial()
	if err := echoes(open); err != nil {
		t.Fatal(err)
	}
	s.SetDown(true)
	if !s.Down() {
		t.Error("not down")
	}
	if err := echoes(open); err == nil {
		t.Error("an open connection survived")
	}
	if err := echoes(dial()); err == nil {
		t.Error("a new connection was served")
	}
	s.SetDown(false)
	if err := echoes(dial()); err != nil {
		t.Errorf("up again: %v", err)
	}
	if err := gate.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	if _, err := gate.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept on a closed listener: %v", err)
	}
}

func TestDropAndDelay(t *testing.T) {
	var s outage.Switch
	if s.TakeDrop() || s.Delay() != 0 {
		t.Error("the zero switch has faults")
	}
	s.Drop(50)
	var mu sync.Mutex
	var tasks sync.WaitGroup
	dropped := 0
	for range 8 {
		tasks.Go(func() {
			for range 20 {
				if s.TakeDrop() {
					mu.Lock()
					dropped++
					mu.Unlock()
				}
			}
		})
	}
	tasks.Wait()
	if dropped != 50 {
		t.Errorf("%d dropped of 50", dropped)
	}
	s.SetDelay(time.Second)
	if s.Delay() != time.Second {
		t.Error("delay is lost")
	}
}
