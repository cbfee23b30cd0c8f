package pcsc

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/nfc/nfctest"
)

// A daemon killed with a card connected, and started again, costs that payment
// and nothing more: the same Reader reads the next card.
func TestDaemonKilledMidway(t *testing.T) {
	s := newStack(t)
	if !s.daemon.Started() {
		t.Skip("pcscd ran before this test: it is not killed")
	}
	r, h := s.open(t, Options{Readers: []string{slot0Name}})
	ctx, card := context.Background(), nfctest.NewCard(false)
	take := h.put(card, fault.Steady())
	presented(t, r)
	s.signal(syscall.SIGKILL)
	if _, err := s.daemon.exited.Get(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := r.Transmit(ctx, nfctest.SelectCommand)
	var failed *nfc.ReaderError
	if !errors.As(err, &failed) || failed.Condition != nfc.NoService {
		t.Errorf("Transmit without a daemon: %v, want no_service", err)
	}
	if err := await(ctx, s.env, time.Second, func() bool { return r.Status().Condition == nfc.NoService }); err != nil {
		t.Errorf("a second after the daemon was killed: %+v", r.Status())
	}
	h.held[0].orphaned = true
	take()
	s.start(DaemonOptions{VirtualReader: true})
	h.put(card, fault.Steady())
	if err := await(ctx, s.env, time.Second, func() bool { return r.Status().Condition == nfc.Ready }); err != nil {
		t.Errorf("a second after the daemon is back: %+v", r.Status())
	}
	presented(t, r)
}

// While a payment holds the card, nobody else can send it commands; and our own
// hold is not taken for somebody else's.
func TestCardIsOursAlone(t *testing.T) {
	s := newStack(t)
	r, h := s.open(t, Options{Readers: []string{slot0Name}})
	ctx := context.Background()
	h.put(nfctest.NewCard(false), fault.Steady())
	presented(t, r)
	other, c := r.lib.Establish()
	if c != codeSuccess {
		t.Fatal(c)
	}
	defer func() {
		if c := r.lib.Release(other); c != codeSuccess {
			t.Error(c)
		}
	}()
	if _, _, c := r.lib.Connect(other, slot0Name, shareExclusive); c != codeSharing {
		t.Errorf("another program connects to the card of a payment: %v", c)
	}
	for range 10 {
		if err := s.env.Sleep(ctx, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if got := r.Status(); got.Condition != nfc.Ready {
			t.Fatalf("while we hold the card ourselves: %+v", got)
		}
	}
	if err := r.FieldOff(ctx, 0); err != nil {
		t.Fatal(err)
	}
	presented(t, r)
}

func TestStartDaemonLeavesARunningOne(t *testing.T) {
	s := newStack(t)
	second, err := StartDaemon(context.Background(), s.env, DaemonOptions{VirtualReader: true})
	if err != nil {
		t.Fatal(err)
	}
	if second.Started() {
		t.Error("a second pcscd was started beside the first")
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
	names, err := List(s.env)
	if err != nil || !slices.Contains(names, slot0Name) {
		t.Errorf("after the second Stop: %q, %v; the first daemon must go on", names, err)
	}
}

func TestStartDaemonSaysWhatIsMissing(t *testing.T) {
	s := newStack(t)
	if !s.daemon.Started() {
		t.Skip("pcscd ran before this test: it is not restarted")
	}
	s.stop()
	if _, err := List(s.env); err == nil {
		t.Error("List without a daemon succeeds")
	}
	s.start(DaemonOptions{ConfigDir: t.TempDir()})
	if _, err := StartDaemon(context.Background(), s.env, DaemonOptions{VirtualReader: true}); !errors.Is(err, ErrNoVirtualReader) {
		t.Errorf("without the virtual reader: %v", err)
	}
	r, err := Open(s.env, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Status(); h.Condition != nfc.Unplugged {
		t.Errorf("a daemon without readers: %+v, want unplugged", h)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestLatency reports; it does not judge, for the machine may be busy. A tap is
// six commands from the moment the card is present, and the field off after it.
func TestLatency(t *testing.T) {
	s := newStack(t)
	r, h := s.open(t, Options{Readers: []string{slot0Name}})
	ctx := context.Background()
	h.put(nfctest.NewCard(false), fault.Steady())
	var selects, taps []time.Duration
	for range 50 {
		presented(t, r)
		start := s.env.Now()
		for range 6 {
			sent := s.env.Now()
			if _, err := r.Transmit(ctx, nfctest.SelectCommand); err != nil {
				t.Fatal(err)
			}
			selects = append(selects, s.env.Now().Sub(sent))
		}
		taps = append(taps, s.env.Now().Sub(start))
		if err := r.FieldOff(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(selects)
	slices.Sort(taps)
	at := func(d []time.Duration, percent int) time.Duration { return d[(len(d)-1)*percent/100] }
	t.Logf("SELECT over pcscd and vpcd: p50 %v, p95 %v, max %v", at(selects, 50), at(selects, 95), at(selects, 100))
	t.Logf("six commands: p50 %v, p95 %v, max %v", at(taps, 50), at(taps, 95), at(taps, 100))
}

func TestKindOf(t *testing.T) {
	for c, want := range map[code]nfc.Condition{
		codeRemovedCard: "", codeResetCard: "", codeNoSmartcard: "", codeNotTransacted: "", codeUnresponsiveCard: "",
		codeSharing: nfc.Taken, codeUnknownReader: nfc.Unplugged, codeReaderUnavailable: nfc.Unplugged,
		codeNoService: nfc.NoService, codeCommError: nfc.NoService, codeInvalidHandle: nfc.NoService,
		0x80100001: nfc.Hung,
	} {
		if got := kindOf(c); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}

func TestOurs(t *testing.T) {
	all := []string{"ACS ACR122U 00 00", "Virtual PCD 00 00", "Virtual PCD 00 01"}
	for _, c := range []struct {
		readers, all, want []string
	}{
		{nil, all, all[1:]},
		{nil, all[:1], all[:1]},
		{nil, nil, nil},
		{[]string{"ACS"}, all, all[:1]},
		{[]string{"Virtual PCD 00 01"}, all, all[2:]},
		{[]string{"ACS", "Virtual PCD 00 00"}, all, all[:2]},
		{[]string{"Identiv"}, all, nil},
	} {
		r := &Reader{opts: Options{Readers: c.readers}}
		if got := r.ours(c.all); !slices.Equal(got, c.want) {
			t.Errorf("%q of %q: %q, want %q", c.readers, c.all, got, c.want)
		}
	}
}

func presented(t testing.TB, r *Reader) {
	t.Helper()
	ctx := context.Background()
	if p, err := r.WaitCard(ctx, 5*time.Second); p != nfc.OneCard || err != nil {
		t.Fatalf("WaitCard: %v, %v; %+v", p, err, r.Status())
	}
	if _, err := r.Transmit(ctx, nfctest.SelectCommand); err != nil {
		t.Fatal(err)
	}
}
