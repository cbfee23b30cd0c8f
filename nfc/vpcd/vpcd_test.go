package vpcd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"huika/nfc/fault"
	"huika/nfc/nfctest"
	"huika/nfc/vpcd"
	"huika/rt"
)

// desk is the machine with pcscd's driver at the other end of Dial.
type desk struct {
	rt.Env
	conns *rt.Queue[net.Conn]
	shut  bool
}

func newDesk() *desk {
	env := rt.Real()
	return &desk{Env: env, conns: rt.NewQueue[net.Conn](env, 4)}
}

func (d *desk) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if d.shut {
		return nil, errors.New("connection refused")
	}
	card, reader := net.Pipe()
	return card, d.conns.Put(reader)
}

// present holds card to the desk and returns the reader's end of the connection.
func (d *desk) present(t *testing.T, card *nfctest.Card, p fault.Presentation) (reader net.Conn, leave func(), gone *rt.Future[error]) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	gone = rt.NewFuture[error](d.Env)
	d.Go("card", func() { gone.Set(vpcd.Present(ctx, d, vpcd.Slot0, card, p)) })
	return d.next(t), cancel, gone
}

func (d *desk) next(t *testing.T) net.Conn {
	t.Helper()
	reader, err := d.conns.Get(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

// send writes a frame as Debian's driver does: its length, then its body.
func send(t *testing.T, conn net.Conn, body []byte) {
	t.Helper()
	for _, part := range [][]byte{binary.BigEndian.AppendUint16(nil, uint16(len(body))), body} {
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	return body
}

func ended(t *testing.T, gone *rt.Future[error]) error {
	t.Helper()
	err, late := gone.Get(context.Background())
	if late != nil {
		t.Fatal(late)
	}
	return err
}

func TestCardAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := nfctest.NewCard(false)
		reader, leave, gone := newDesk().present(t, card, fault.Steady())
		synctest.Wait() // until the card has been switched on
		resets := card.Resets()
		for range 3 {
			send(t, reader, []byte{4})
			if got := receive(t, reader); !bytes.Equal(got, card.ATR()) {
				t.Fatalf("ATR %X, want %X", got, card.ATR())
			}
		}
		for _, control := range []byte{1, 2, 0, 1} {
			send(t, reader, []byte{control}) // has no reply
		}
		send(t, reader, nfctest.SelectCommand)
		if got := receive(t, reader); !bytes.Equal(got, nfctest.SelectResponse) {
			t.Fatalf("SELECT: %X", got)
		}
		if got := card.Resets() - resets; got != 3 {
			t.Errorf("%d resets from on, reset, off, on; want 3", got)
		}
		leave()
		if err := ended(t, gone); err != nil {
			t.Errorf("a card that is taken away: %v", err)
		}
		if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the reader's end after that: %v, want EOF", err)
		}
	})
}

func TestCardLeavesAfterTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, _, gone := newDesk().present(t, nfctest.NewCard(false), fault.Presentation{RemoveAfterAPDU: 2})
		for range 2 {
			send(t, reader, nfctest.SelectCommand)
			receive(t, reader)
		}
		if err := ended(t, gone); !errors.Is(err, fault.ErrLeft) {
			t.Fatalf("%v, want ErrLeft", err)
		}
	})
}

// A lost exchange costs the session, not the presence: the card comes back by
// itself, as after power-on.
func TestLostExchangeReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, card := newDesk(), nfctest.NewCard(true)
		reader, leave, gone := d.present(t, card, fault.Steady())
		for range 3 {
			resets := card.Resets()
			send(t, reader, nfctest.SelectCommand)
			if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatalf("an unanswered command: %v, want the connection's end", err)
			}
			reader = d.next(t)
			send(t, reader, []byte{4})
			receive(t, reader)
			if card.Resets() == resets {
				t.Error("the card kept its power over the loss")
			}
		}
		leave()
		if err := ended(t, gone); err != nil {
			t.Error(err)
		}
	})
}

func TestLeavingDuringASlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		reader, leave, gone := d.present(t, nfctest.NewCard(false), fault.Presentation{RemoveAfterAPDU: -1, Latency: time.Hour})
		send(t, reader, nfctest.SelectCommand)
		synctest.Wait()
		start := d.Now()
		leave()
		if err := ended(t, gone); err != nil || d.Now().Sub(start) > time.Second {
			t.Errorf("%v after %v", err, d.Now().Sub(start))
		}
	})
}

func TestReaderBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"ends between frames":   {nil, io.EOF},
		"ends in the length":    {[]byte{0}, io.ErrUnexpectedEOF},
		"ends in the body":      {[]byte{0, 5, 1, 2}, io.ErrUnexpectedEOF},
		"ends before the body":  {[]byte{0, 5}, io.ErrUnexpectedEOF},
		"empty body":            {[]byte{0, 0}, vpcd.ErrFrame},
		"body beyond the bound": {[]byte{0xFF, 0xFF}, vpcd.ErrFrame},
		"unknown control":       {[]byte{0, 1, 9}, vpcd.ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reader, _, gone := newDesk().present(t, nfctest.NewCard(false), fault.Steady())
				if _, err := reader.Write(c.bytes); err != nil {
					t.Fatal(err)
				}
				if err := reader.Close(); err != nil {
					t.Fatal(err)
				}
				if err := ended(t, gone); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
			})
		})
	}
}

func TestNobodyListens(t *testing.T) {
	d := newDesk()
	d.shut = true
	if err := vpcd.Serve(context.Background(), d, vpcd.Slot0, nfctest.NewCard(false)); !errors.Is(err, vpcd.ErrRefused) {
		t.Errorf("%v, want ErrRefused", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := vpcd.Serve(ctx, d, vpcd.Slot0, nfctest.NewCard(false)); err != nil {
		t.Errorf("under a context that has ended: %v, want nil", err)
	}
}
