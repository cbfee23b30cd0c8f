package trace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/entry"
	"huika/emv/oda"
	"huika/nfc"
	"huika/pay"
)

// Recorder stands between Entry Point and the reader, and between the kernels
// and their randomness, and writes down what passes. It is the bridge from nfc
// to the plain types of emv/entry as well. A new one is made for each run.
type Recorder struct {
	reader  nfc.Reader
	rand    io.Reader
	now     func() time.Time
	changed func() // called after each card activation and exchange; must not wait

	mu      sync.Mutex
	steps   []Step
	random  []byte
	cut     bool
	present time.Time // of the card that is there now, or was last
}

// NewRecorder records what reader and rand answer. changed may be nil.
func NewRecorder(reader nfc.Reader, rand io.Reader, now func() time.Time, changed func()) *Recorder {
	return &Recorder{reader: reader, rand: rand, now: now, changed: changed}
}

// Present is when the last card became present; zero where none was.
func (r *Recorder) Present() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.present
}

func (r *Recorder) add(s Step) {
	r.mu.Lock()
	if len(r.steps) < MaxSteps {
		r.steps = append(r.steps, s)
	} else {
		r.cut = true
	}
	r.mu.Unlock()
	if r.changed != nil {
		r.changed()
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Read implements io.Reader for the kernels' randomness.
func (r *Recorder) Read(p []byte) (int, error) {
	n, err := r.rand.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.random)+n > MaxRandom {
		r.cut = true
		return n, err
	}
	r.random = append(r.random, p[:n]...)
	return n, err
}

// FieldOn implements entry.Reader.
func (r *Recorder) FieldOn(ctx context.Context) error { return r.reader.FieldOn(ctx) }

// FieldOff implements entry.Reader.
func (r *Recorder) FieldOff(ctx context.Context, hold time.Duration) error {
	return r.reader.FieldOff(ctx, hold)
}

// WaitCard implements entry.Reader.
func (r *Recorder) WaitCard(ctx context.Context, timeout time.Duration) (entry.Presence, error) {
	p, err := r.reader.WaitCard(ctx, timeout)
	now := r.now()
	if err == nil && p == nfc.OneCard {
		r.mu.Lock()
		r.present = now
		r.mu.Unlock()
	}
	lost := errors.Is(err, nfc.ErrCardLost)
	if err == nil || lost {
		r.add(Step{Presence: p.String(), Lost: lost})
	}
	return entry.Presence(p), level1(err)
}

// WaitRemoval implements entry.Reader.
func (r *Recorder) WaitRemoval(ctx context.Context, timeout time.Duration) (bool, error) {
	return r.reader.WaitRemoval(ctx, timeout)
}

// Transmit implements entry.Reader.
func (r *Recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	from := r.now()
	response, err := r.reader.Transmit(ctx, command)
	lost := errors.Is(err, nfc.ErrCardLost)
	if err == nil || lost {
		r.add(Step{
			Command: bytes.Clone(command), Response: bytes.Clone(response), Lost: lost,
			AtMS: ms(from.Sub(r.Present())), TookMS: ms(r.now().Sub(from)),
		})
	}
	return response, level1(err)
}

// level1 gives a lost card the name that Entry Point knows it by.
func level1(err error) error {
	if errors.Is(err, nfc.ErrCardLost) {
		return errors.Join(emv.ErrCardLost, err)
	}
	return err
}

// Trace is what was recorded, with what the run was given and how it ended
// (nil: it broke off). ca is searched for the keys that the card named.
func (r *Recorder) Trace(id pay.PaymentID, p *entry.Point, tx emv.Transaction, result *entry.Result, ca *oda.CAStore) Trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Trace{
		Version: Version, Payment: id, Transaction: FromEMV(tx), Terminal: p.Terminal,
		Random: bytes.Clone(r.random), Steps: append([]Step(nil), r.steps...), Cut: r.cut,
	}
	for _, c := range p.Combinations {
		t.Combinations = append(t.Combinations, fromEntry(c))
	}
	if result != nil {
		t.Outcome = fromResult(*result)
		t.CAKeys = namedKeys(t.Steps, result.AID, ca)
	}
	return t
}

// Exchanges are the recorded exchanges, oldest first.
func (t Trace) Exchanges() []apdu.Exchange { return exchanges(t.Steps) }

// Exchanges are the exchanges so far.
func (r *Recorder) Exchanges() []apdu.Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return exchanges(r.steps)
}

func exchanges(steps []Step) []apdu.Exchange {
	var out []apdu.Exchange
	for _, s := range steps {
		if s.Presence == "" {
			out = append(out, apdu.Exchange{
				Command: s.Command, Response: s.Response,
				At: time.Duration(s.AtMS * float64(time.Millisecond)), Took: time.Duration(s.TookMS * float64(time.Millisecond)),
			})
		}
	}
	return out
}
