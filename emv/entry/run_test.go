package entry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"huika/emv"
)

var errUnplugged = errors.New("unplugged")

func lost() error { return fmt.Errorf("transmit: %w", emv.ErrCardLost) }

func oneApp() []exchange {
	return []exchange{{"ppse", ppseFCI(dir{aidDebit, "01", "-", ""}), nil}, {"aid " + aidDebit, appFCI(aidDebit), nil}}
}

// The plain way: what happens in which order, and what the kernel is handed.
func TestRun(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	p.Terminal = emv.Terminal{Country: 156, IFDSerial: "HUIKA001"}
	b.apdus = oneApp()
	r, err := p.Run(context.Background(), sale(100_001))
	if err != nil || r.Outcome.Kind != emv.Approved || r.Kernel != 7 || r.Version != 0x30 || r.Combination != &p.Combinations[0] || r.FCIStatus != 0x9000 {
		t.Fatalf("%+v %v", r, err)
	}
	b.wantLog("ui 15 ready_to_read", "on", "tx ppse", "tx aid "+aidDebit, "ui 03 card_read_ok")
	in := k.inputs[0]
	if in.Start != emv.StartA || in.Restart || in.Kernel != 7 || string(in.AID) != string(unhex(aidDebit)) || len(in.FCI) == 0 || in.FCIStatus != 0x9000 ||
		in.Terminal.IFDSerial != "HUIKA001" || in.Online != nil || in.Rand != p.Rand || in.Transaction.Amount.Minor != 100_001 {
		t.Errorf("input %+v", in)
	}
	if got := in.Indicators; !got.HasTTQ || got.TTQ != [4]byte{0x27, 0xC0, 0x40, 0x80} || !got.CVMRequiredLimitExceeded || !got.FloorLimitExceeded {
		t.Errorf("indicators %+v", got)
	}
	if r.Timings.Select != 14*time.Millisecond || r.Timings.Total != 14*time.Millisecond {
		t.Errorf("timings %+v", r.Timings)
	}
}

// Times of the steps come from the exchanges of the kernel.
func TestTimings(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	k.process = func(ctx context.Context, _ emv.Input, card emv.Transceiver) (emv.Outcome, error) {
		for range 3 {
			if _, err := card.Transmit(ctx, unhex("00B2010C00")); err != nil {
				return emv.Outcome{}, err
			}
		}
		if _, err := card.Transmit(ctx, unhex("80A8000002830000")); err != nil {
			return emv.Outcome{}, err
		}
		card.(emv.Display).Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK})
		b.clock = b.clock.Add(3 * time.Millisecond)
		return approved(), nil
	}
	b.apdus = append(oneApp(), exchange{"00B2010C00", "9000", nil}, exchange{"00B2010C00", "9000", nil}, exchange{"00B2010C00", "9000", nil}, exchange{"80A8000002830000", "9000", nil})
	var events events
	p.Observer = &events
	r, err := p.Run(context.Background(), sale(1))
	ms := time.Millisecond
	if err != nil || r.Timings != (Timings{Select: 14 * ms, GPO: 7 * ms, Read: 21 * ms, ODA: 3 * ms, Total: 45 * ms}) {
		t.Errorf("%+v %v", r.Timings, err)
	}
	want := "start ui card exchange exchange selected exchange exchange exchange exchange ui outcome ui"
	if got := events.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if e := events.list[3]; e.Took != 7*ms || len(e.Command) != 20 || len(e.Response) == 0 || e.Kernel != 0 {
		t.Errorf("%+v", e)
	}
	if e := events.list[6]; e.Kernel != 7 {
		t.Errorf("%+v", e)
	}
}

type events struct{ list []Event }

func (e *events) Observe(x Event) { e.list = append(e.list, x) }

func (e *events) String() string {
	names := map[EventKind]string{EventStart: "start", EventCard: "card", EventCollided: "collided", EventExchange: "exchange",
		EventSelected: "selected", EventUI: "ui", EventOutcome: "outcome"}
	var s []string
	for _, x := range e.list {
		s = append(s, names[x.Kind])
	}
	return strings.Join(s, " ")
}

// Collision: message 19, the field is reset, and once one card is left it is read (3.2.1.4, 3.2.1.5).
func TestCollision(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	b.polls = []poll{{found: Collision}, {found: Collision}, {found: OneCard}}
	b.apdus = oneApp()
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Kind != emv.Approved || r.Collisions != 2 {
		t.Errorf("%+v %v", r, err)
	}
	b.wantLog("ui 15 ready_to_read", "on", "ui 19 processing_error", "off 100ms", "on", "off 100ms", "on", "ui 19 ready_to_read",
		"tx ppse", "tx aid "+aidDebit, "ui 03 card_read_ok")
}

// Both cards are taken away and one comes back.
func TestCollisionClears(t *testing.T) {
	p, b := newPoint(t, &script{})
	b.polls = []poll{{found: Collision}, {found: NoCard}, {found: OneCard}}
	b.apdus = oneApp()
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Kind != emv.Approved {
		t.Errorf("%+v %v", r, err)
	}
	b.wantLog("ui 15 ready_to_read", "on", "ui 19 processing_error", "off 100ms", "on", "ui 19 ready_to_read", "tx ppse", "tx aid "+aidDebit, "ui 03 card_read_ok")
	if b.waits[0] != 0 || b.waits[1] != collisionHold || b.waits[2] != 0 {
		t.Errorf("waits %v", b.waits)
	}
}

// Two cards that stay: no payment, and the time-out ends it.
func TestCollisionStays(t *testing.T) {
	p, b := newPoint(t, &script{})
	p.CardTimeout = time.Second
	b.polls = nil
	for range 100 {
		b.polls = append(b.polls, poll{found: Collision})
	}
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || !r.TimedOut || r.Outcome.Kind != emv.EndApplication || r.Collisions < 5 || r.Collisions > 10 {
		t.Errorf("%d collisions, %+v %v", r.Collisions, r.Outcome, err)
	}
	ui := 0
	for _, l := range b.log {
		if strings.HasPrefix(l, "ui 19") {
			ui++
		}
	}
	if ui != 1 {
		t.Errorf("message 19 was shown %d times", ui)
	}
}

func TestNoCardInTime(t *testing.T) {
	p, b := newPoint(t, &script{})
	p.CardTimeout, b.polls = 30*time.Second, nil
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || !r.TimedOut || r.Outcome.Kind != emv.EndApplication || r.Outcome.UIOutcome != nil {
		t.Errorf("%+v %v", r, err)
	}
	if b.waits[0] != 30*time.Second {
		t.Errorf("waited %v", b.waits)
	}
}

// 3.3.3.7: a card that is lost in selection leads back to start B.
func TestLostInSelection(t *testing.T) {
	for name, first := range map[string][]exchange{
		"at PPSE":        {{"ppse", "", lost()}},
		"at AID":         {{"ppse", ppseFCI(dir{aidDebit, "01", "-", ""}), nil}, {"aid " + aidDebit, "", lost()}},
		"half an answer": {{"ppse", "90", nil}},
	} {
		p, b := newPoint(t, &script{})
		b.polls = []poll{{found: OneCard}, {found: OneCard}}
		b.apdus = append(first, oneApp()...)
		r, err := p.Run(context.Background(), sale(1))
		if err != nil || r.Outcome.Kind != emv.Approved || r.Restarts != 1 {
			t.Errorf("%s: %+v %v", name, r.Outcome, err)
		}
		if n := strings.Count(strings.Join(b.log, "\n"), "ui 15 ready_to_read"); n != 2 {
			t.Errorf("%s: message 15 shown %d times", name, n)
		}
	}
}

// An activation error on the air leads to another poll.
func TestActivationError(t *testing.T) {
	p, b := newPoint(t, &script{})
	b.polls = []poll{{err: lost()}, {found: OneCard}}
	b.apdus = oneApp()
	if r, err := p.Run(context.Background(), sale(1)); err != nil || r.Outcome.Kind != emv.Approved {
		t.Errorf("%+v %v", r.Outcome, err)
	}
}

// A card that fails for ever does not hold the reader for ever.
func TestRestartsAreBounded(t *testing.T) {
	for name, prepare := range map[string]func(*bench, *script){
		"lost at PPSE": func(b *bench, _ *script) {
			for range MaxRestarts + 5 {
				b.apdus = append(b.apdus, exchange{"ppse", "", lost()})
			}
		},
		"activation": func(b *bench, _ *script) {
			b.polls = nil
			for range MaxRestarts + 5 {
				b.polls = append(b.polls, poll{err: lost()})
			}
		},
		"kernel": func(b *bench, k *script) {
			for range MaxRestarts + 5 {
				b.apdus = append(b.apdus, oneApp()...)
				k.outcomes = append(k.outcomes, tryAgain())
			}
		},
	} {
		k := &script{}
		p, b := newPoint(t, k)
		for range MaxRestarts + 5 {
			b.polls = append(b.polls, poll{found: OneCard})
		}
		prepare(b, k)
		r, err := p.Run(context.Background(), sale(1))
		if err != nil || r.Outcome.Kind != emv.EndApplication || r.TimedOut {
			t.Errorf("%s: %+v %v", name, r.Outcome, err)
		}
	}
}

// Autorun begins at B, without pre-processing and with the TTQ as configured (3.2.1.1).
func TestAutorun(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	p.Autorun = true
	p.Combinations[0].TransactionLimit = Limit(1)
	b.apdus = oneApp()
	r, err := p.Run(context.Background(), sale(100))
	want := emv.Indicators{HasTTQ: true, TTQ: [4]byte{0x27, 0xC0, 0x40, 0x80}}
	if err != nil || r.Outcome.Kind != emv.Approved || k.inputs[0].Start != emv.StartB || k.inputs[0].Restart || k.inputs[0].Indicators != want {
		t.Errorf("%+v %v", k.inputs, err)
	}
}

// A missing kernel makes its combination unsupported.
func TestMissingKernel(t *testing.T) {
	p, b := newPoint(t, &script{})
	p.Kernels = &Kernels{}
	b.apdus = oneApp()
	if r, err := p.Run(context.Background(), sale(1)); err != nil || r.Outcome.Kind != emv.EndApplication {
		t.Errorf("%+v %v", r.Outcome, err)
	}
}

// Kernels are told apart by application version.
func TestKernelVersions(t *testing.T) {
	old, young := &script{}, &script{}
	var k Kernels
	for v, x := range map[uint16]*script{2: young} {
		if err := k.Register(7, 1, old); err != nil {
			t.Fatal(err)
		}
		if err := k.Register(7, v, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Register(7, 2, old); !errors.Is(err, ErrConfig) {
		t.Errorf("twice: %v", err)
	}
	if err := k.Register(9, 2, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("nil: %v", err)
	}
	for version, want := range map[uint16]emv.Kernel{0: old, 1: old, 2: young, 3: nil} {
		if got, ok := k.Lookup(7, version); (want == nil) == ok || (ok && got != want) {
			t.Errorf("version %d: %v", version, ok)
		}
	}
}

// A failing reader or kernel is an error, not an outcome.
func TestMachineFailures(t *testing.T) {
	for name, prepare := range map[string]func(*bench, *script){
		"field on": func(b *bench, _ *script) { b.fail["on"] = errUnplugged },
		"poll":     func(b *bench, _ *script) { b.polls = []poll{{err: errUnplugged}} },
		"PPSE":     func(b *bench, _ *script) { b.apdus = []exchange{{"ppse", "", errUnplugged}} },
		"AID":      func(b *bench, _ *script) { b.apdus[1] = exchange{"aid " + aidDebit, "", errUnplugged} },
		"kernel":   func(_ *bench, k *script) { k.err = errUnplugged },
		"collision": func(b *bench, _ *script) {
			b.polls = []poll{{found: Collision}}
			b.fail["off"] = errUnplugged
		},
	} {
		k := &script{}
		p, b := newPoint(t, k)
		b.apdus = oneApp()
		prepare(b, k)
		if _, err := p.Run(context.Background(), sale(1)); !errors.Is(err, errUnplugged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancel(t *testing.T) {
	p, b := newPoint(t, &script{})
	b.apdus = oneApp()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Run(ctx, sale(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConfigErrors(t *testing.T) {
	for name, change := range map[string]func(*Point){
		"no reader":          func(p *Point) { p.Reader = nil },
		"no kernels":         func(p *Point) { p.Kernels = nil },
		"time-out, no clock": func(p *Point) { p.Now, p.CardTimeout = nil, time.Second },
		"short AID":          func(p *Point) { p.Combinations[1].AID = unhex("A0000000") },
		"long AID":           func(p *Point) { p.Combinations[1].AID = make([]byte, 17) },
	} {
		p, _ := newPoint(t, &script{})
		change(p)
		if _, err := p.Run(context.Background(), sale(1)); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, _ := newPoint(t, &script{})
	for _, a := range []Activation{{Start: emv.StartC}, {Start: emv.StartD}, {Start: emv.StartNone, Previous: &Result{}}, {Start: emv.StartD, Previous: &Result{current: -1}},
		{Start: emv.StartA, Transaction: sale(-1)}} {
		if _, err := p.Activate(context.Background(), a); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestRemoval(t *testing.T) {
	for _, c := range []struct {
		gone []bool
		time time.Duration
		want bool
		log  string
	}{
		{[]bool{true}, 0, true, "removal 500ms|off 0s"},
		{[]bool{false, true}, 0, true, "removal 500ms|ui 10 card_read_ok|removal 0s|off 0s"},
		{[]bool{false, false}, 2 * time.Second, false, "removal 500ms|ui 10 card_read_ok|removal 1.5s|off 0s"},
		{[]bool{false}, 100 * time.Millisecond, false, "removal 100ms|off 0s"},
	} {
		p, b := newPoint(t, &script{})
		b.gone = c.gone
		got, err := p.Removal(context.Background(), c.time)
		if err != nil || got != c.want || strings.Join(b.log, "|") != c.log {
			t.Errorf("got %v %v %q, want %q", got, err, b.log, c.log)
		}
	}
}

// A request without a language gets the reader's.
func TestLanguage(t *testing.T) {
	p, b := newPoint(t, &script{})
	p.Language = []byte("zh")
	var seen events
	p.Observer = &seen
	b.apdus = oneApp()
	if _, err := p.Run(context.Background(), sale(1)); err != nil {
		t.Fatal(err)
	}
	for _, e := range seen.list {
		if e.Kind == EventUI && string(e.UI.Language) != "zh" {
			t.Errorf("%+v", e.UI)
		}
	}
}
