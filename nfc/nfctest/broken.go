package nfctest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/rt"
)

// broken puts the reader into condition c under a wait: the wait must end and
// the status must say why, both within a second, and the reader must be used
// again, without being opened anew, when it is back.
func broken(t *testing.T, r *Rig, c nfc.Condition) {
	breakIt := r.Break[c]
	if breakIt == nil {
		t.Skipf("this transport cannot be put into condition %s from outside", c)
	}
	ctx := context.Background()
	back := rt.NewFuture[error](r.Env)
	r.Env.Go("wait", func() {
		_, err := r.Reader.WaitCard(ctx, 0)
		back.Set(err)
	})
	must(t, r.Env.Sleep(ctx, 20*time.Millisecond))
	mend := breakIt()
	within(t, r, "status "+string(c), func() bool { return r.Reader.Status().Condition == c })
	if since := r.Reader.Status().Since; r.Env.Now().Sub(since) > notice {
		t.Errorf("the condition is dated %v ago", r.Env.Now().Sub(since))
	}
	limited, cancel := r.Env.WithTimeout(ctx, notice)
	err, late := back.Get(limited)
	cancel()
	if late != nil {
		t.Fatalf("the wait under way is not back a second after the reader became %s", c)
	}
	var failed *nfc.ReaderError
	if !errors.As(err, &failed) { // which condition may differ: a daemon that ends is no_service before its readers are unplugged
		t.Errorf("the wait under way: %v, want a *nfc.ReaderError", err)
	}
	start := r.Env.Now()
	_, err = r.Reader.WaitCard(ctx, 0)
	condition(t, err, c)
	_, err = r.Reader.Transmit(ctx, SelectCommand)
	condition(t, err, c)
	if d := r.Env.Now().Sub(start); d > 2*notice {
		t.Errorf("two calls on a reader that is %s took %v", c, d)
	}
	mend()
	within(t, r, "ready again", func() bool { return r.Reader.Status().Condition == nfc.Ready })
	if gone, err := r.Reader.WaitRemoval(ctx, present); !gone || err != nil { // what another program held
		t.Fatalf("WaitRemoval: %v, %v", gone, err)
	}
	defer r.Put(NewCard(false), fault.Steady())()
	waitOne(t, r)
	selects(t, r)
}

// hungMidway stops the reader with a card connected.
func hungMidway(t *testing.T, r *Rig) {
	breakIt := r.Break[nfc.Hung]
	if breakIt == nil {
		t.Skip("this transport cannot be hung from outside")
	}
	ctx := context.Background()
	take := r.Put(NewCard(false), fault.Steady())
	waitOne(t, r)
	selects(t, r)
	mend := breakIt()
	start := r.Env.Now()
	_, err := r.Reader.Transmit(ctx, getData([]byte{1}))
	condition(t, err, nfc.Hung)
	if d := r.Env.Now().Sub(start); d > notice {
		t.Errorf("the hung call came back after %v", d)
	}
	if h := r.Reader.Status(); h.Condition != nfc.Hung {
		t.Errorf("status %+v, want hung", h)
	}
	mend()
	within(t, r, "ready again", func() bool { return r.Reader.Status().Condition == nfc.Ready })
	must(t, r.Reader.FieldOff(ctx, 0))
	waitOne(t, r)
	selects(t, r)
	take()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func condition(t *testing.T, err error, want nfc.Condition) {
	t.Helper()
	var failed *nfc.ReaderError
	if !errors.As(err, &failed) || failed.Condition != want {
		t.Errorf("error %v, want a *nfc.ReaderError with condition %s", err, want)
	}
}

// within looks for cond until the time in which a reader's failure must be known is over.
func within(t *testing.T, r *Rig, what string, cond func() bool) {
	t.Helper()
	for end := r.Env.Now().Add(notice); !cond(); {
		if r.Env.Now().After(end) {
			t.Fatalf("not %s within %v: %+v", what, notice, r.Reader.Status())
		}
		must(t, r.Env.Sleep(context.Background(), 5*time.Millisecond))
	}
}

func waitOne(t *testing.T, r *Rig) {
	t.Helper()
	if p, err := r.Reader.WaitCard(context.Background(), present); p != nfc.OneCard || err != nil {
		t.Fatalf("WaitCard: %v, %v, want one card; status %+v", p, err, r.Reader.Status())
	}
}

func selects(t *testing.T, r *Rig) {
	t.Helper()
	got, err := r.Reader.Transmit(context.Background(), SelectCommand)
	if err != nil || !bytes.Equal(got, SelectResponse) {
		t.Fatalf("SELECT: %X, %v, want %X", got, err, SelectResponse)
	}
}

// exchange sends data in GET DATA and expects it back reversed.
func exchange(t *testing.T, r *Rig, data []byte) {
	t.Helper()
	got, err := r.Reader.Transmit(context.Background(), getData(data))
	if want := append(reversed(data), 0x90, 0x00); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("GET DATA of %d bytes: %X, %v", len(data), got, err)
	}
}
