package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/pay"
	"huika/terminal/journal"
)

// fastTries is how often a reversal is tried in quick succession before its pauses grow (crash rule 4).
const fastTries = 3

// original is what a reversal repeats of its sale. It is sealed in the journal:
// it holds the PAN, and nothing of track 2, the PIN or the cryptogram.
type original struct {
	PAN       string `json:"pan,omitempty"`       // "" of a follow-up
	Expiry    string `json:"expiry,omitempty"`    // YYMM
	Entry     string `json:"entry"`               // F22
	PSN       string `json:"psn,omitempty"`       // F23
	EMV       []byte `json:"emv,omitempty"`       // F55: 95 9F1E 9F10 9F36
	Date      string `json:"date"`                // MMDD
	Type      string `json:"type"`                // F60.1
	Process   string `json:"process,omitempty"`   // F3; "" is a sale's, of before there were others
	Condition string `json:"condition,omitempty"` // F25
	Currency  string `json:"currency"`            // F49
}

func (t *Terminal) reversalContext(k journal.Key) string {
	return fmt.Sprintf("reversal/%s/%s/%s", t.cfg.TerminalID, k.Batch, k.STAN)
}

func (t *Terminal) sealOriginal(o original, k journal.Key) ([]byte, error) {
	plain, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return t.cfg.Sealer.Seal(plain, t.reversalContext(k))
}

// reversalMessage is the 0400 of r: its sale's STAN, batch and data.
func (t *Terminal) reversalMessage(r journal.Reversal) (*iso8583.Message, error) {
	plain, err := t.cfg.Sealer.Open(r.Sent.Reversal, t.reversalContext(r.Sent.Key))
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var o original
	if err := json.Unmarshal(plain, &o); err != nil {
		return nil, fmt.Errorf("the stored original: %w", err)
	}
	m := t.base(pos.MTIReversal, r.Sent.Key, pos.F60{Type: o.Type, Network: pos.NetworkNone, Capability: pos.CapabilityContactless, ICCondition: "0"})
	setNonEmpty(m, 2, o.PAN)
	m.Set(3, cmp.Or(o.Process, pos.ProcessSale))
	m.Set(4, amount12(r.Sent.Amount))
	setNonEmpty(m, 14, o.Expiry)
	m.Set(22, o.Entry)
	setNonEmpty(m, 23, o.PSN)
	m.Set(25, cmp.Or(o.Condition, "00"))
	m.Set(39, r.Owed.Reason)
	m.Set(49, o.Currency)
	if len(o.EMV) > 0 {
		m.SetBytes(55, o.EMV)
	}
	m.Set(pos.FieldOriginal, pos.Original{Batch: r.Sent.Key.Batch, STAN: r.Sent.Key.STAN.String(), Date: o.Date}.String())
	return m, nil
}

func setNonEmpty(m *iso8583.Message, f int, v string) {
	if v != "" {
		m.Set(f, v)
	}
}

// amount12 is field 4.
func amount12(m pay.Money) string { return fmt.Sprintf("%012d", m.Minor) }

// keep is the task that sends the reversals that are owed, before everything
// else and without end, and an echo when the link is idle.
func (t *Terminal) keep(ctx context.Context) error {
	for tries := 0; ; {
		if err := t.client.WaitUp(ctx); err != nil {
			return err
		}
		left := t.reverseAll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := t.cfg.Timeouts.Echo
		if tries++; left {
			pause = t.retryPause(tries)
		} else {
			tries = 0
		}
		woken, err := t.rest(ctx, pause)
		switch {
		case err != nil:
			return err
		case !woken && !left:
			t.echo(ctx)
		}
	}
}

// retryPause is how long the keeper rests after the given number of rounds that left something.
func (t *Terminal) retryPause(tries int) time.Duration {
	if tries < fastTries {
		return t.cfg.Timeouts.FastRetry
	}
	pause := t.cfg.Timeouts.SlowRetry
	for range min(tries-fastTries, 16) {
		pause = min(2*pause, t.cfg.Timeouts.MaxRetry)
	}
	return pause
}

// rest waits for d or for a Wake; woken tells which. err is ctx's.
func (t *Terminal) rest(ctx context.Context, d time.Duration) (woken bool, err error) {
	nap, cancel := t.env.WithTimeout(ctx, d)
	defer cancel()
	return t.keeper.Wait(nap) == nil, ctx.Err()
}

// reverseAll tries every reversal that is owed once, and reports whether any is left.
func (t *Terminal) reverseAll(ctx context.Context) (left bool) {
	t.mu.Lock()
	owed := slices.Clone(t.reversals)
	t.mu.Unlock()
	for _, r := range owed {
		if ctx.Err() != nil {
			return true
		}
		code, err := t.reverse(ctx, r)
		log := t.cfg.Log.With("payment", r.Owed.Payment, "stan", r.Sent.Key.STAN.String(), "response", code)
		if err != nil {
			log.Warn("reversal not taken yet", "err", err)
			continue
		}
		if err := t.append(ctx, journal.ReversalDone{Key: r.Sent.Key, Code: code, At: t.env.Now()}); err != nil {
			log.Error("reversal taken, but not written down: it will be repeated", "err", err)
			continue
		}
		log.Info("reversed")
		t.mu.Lock()
		t.reversals = slices.DeleteFunc(t.reversals, func(x journal.Reversal) bool { return x.Sent.Key == r.Sent.Key })
		t.view.Host.PendingReversals = len(t.reversals)
		t.publish()
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.reversals) > 0
}

// reverse sends one reversal. Taken are 00 and 25: an original that the host
// never saw has nothing to give back, and will not be accepted any more.
func (t *Terminal) reverse(ctx context.Context, r journal.Reversal) (code string, err error) {
	s := t.signedIn()
	if s == nil {
		return "", errNotSignedIn
	}
	m, err := t.reversalMessage(r)
	if err != nil {
		return "", err
	}
	defer m.Reset()
	a, err := t.exchange(ctx, t.client.Call, m, s.mac, t.cfg.Timeouts.Manage)
	if err != nil {
		return "", err
	}
	switch code = a.code(); {
	case a.macErr != nil:
		t.client.Drop() // the keys of the two sides differ: sign in again
		return code, a.macErr
	case code == "00" || code == "25":
		return code, nil
	case code == "A0":
		t.client.Drop()
	}
	return code, fmt.Errorf("%w: %s", errAnswer, code)
}

// owe adds a reversal that the journal holds already.
func (t *Terminal) owe(r journal.Reversal) {
	t.mu.Lock()
	t.reversals = append(t.reversals, r)
	t.view.Host.PendingReversals = len(t.reversals)
	t.publish()
	t.mu.Unlock()
	t.keeper.Wake()
}
