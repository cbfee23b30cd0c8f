package scheme

import (
	"context"
	"sync"
	"time"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/rt"
)

const (
	reversalTries = 3 // of an acquirer's reversal, within one Timeout
	reversalPause = 200 * time.Millisecond
)

// reversal forwards an acquirer's 0420 and repeats it while its time lasts.
// The issuer may see it more than once: it gives back once.
func (s *Scheme) reversal(ctx context.Context, m *iso8583.Message) *iso8583.Message {
	to := s.reversalRoute(m)
	if to == nil {
		return respond(m, codeNoRoute)
	}
	whole, cancelWhole := s.env.WithTimeout(ctx, s.config.Timeout)
	defer cancelWhole()
	for try := range reversalTries {
		if try > 0 && s.env.Sleep(whole, reversalPause) != nil {
			break
		}
		wait, cancel := s.env.WithTimeout(whole, s.config.Timeout/reversalTries)
		answer, err := to.exchange(wait, to.client.Call, m.Clone())
		cancel()
		if err == nil {
			return answer
		}
		s.config.Log.Info("reversal not taken", "issuer", to.name, "stan", m.Get(11), "try", try+1, "why", err)
	}
	if ctx.Err() != nil {
		return nil // ending
	}
	return respond(m, codeUnavailable)
}

// reversalRoute goes by the card number; a reversal without one goes where its
// original went, or to the only issuer there is.
func (s *Scheme) reversalRoute(m *iso8583.Message) *issuer {
	if m.Has(2) {
		return s.route(m.Get(2))
	}
	if len(s.issuers) == 1 {
		return s.issuers[0]
	}
	original, err := cup.ParseOriginal(m.Get(90))
	if err != nil {
		return nil
	}
	var request iso8583.Message
	request.Set(7, original.Transmission)
	request.Set(11, original.STAN)
	request.Set(32, original.Acquirer)
	request.Set(41, m.Get(41))
	request.Set(42, m.Get(42))
	return s.recent.issuerOf(cup.Key(&request))
}

// debts are the reversals owed to one issuer, oldest first.
type debts struct {
	mu    sync.Mutex
	list  []Record
	added rt.Waiter
}

func newDebts(env rt.Env) *debts { return &debts{added: env.NewWaiter()} }

func (d *debts) add(r Record) {
	d.mu.Lock()
	d.list = append(d.list, r)
	d.mu.Unlock()
	d.added.Wake()
}

func (d *debts) remove(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.list {
		if d.list[i].key() == key {
			d.list = append(d.list[:i], d.list[i+1:]...)
			return
		}
	}
}

func (d *debts) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.list)
}

func (d *debts) all() []Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Record(nil), d.list...)
}

// owe makes the debt of a request's reversal durable. Its error has ended the switch.
func (i *issuer) owe(request *iso8583.Message) error {
	r := Record{
		Kind: Owed, Issuer: i.name, MTI: request.MTI(), Transmission: request.Get(7), STAN: request.Get(11), Acquirer: request.Get(32), Forwarder: request.Get(33),
		Terminal: request.Get(41), Merchant: request.Get(42), Processing: request.Get(3), Amount: request.Get(4), Currency: request.Get(49), RRN: request.Get(37),
	}
	if err := i.scheme.append(r); err != nil {
		return err
	}
	i.debts.add(r)
	return nil
}

// runDebts sends what is owed until it is taken: each debt in turn, with a
// growing pause after a round in which some were not.
func (i *issuer) runDebts(ctx context.Context) {
	pause := i.scheme.config.RetryMin
	for {
		left := 0
		for _, r := range i.debts.all() {
			if !i.pay(ctx, r) {
				left++
			}
			if ctx.Err() != nil {
				return
			}
		}
		if left == 0 {
			pause = i.scheme.config.RetryMin
			if i.debts.len() > 0 {
				continue // came while the others were sent
			}
			if i.debts.added.Wait(ctx) != nil {
				return
			}
			continue
		}
		if i.scheme.env.Sleep(ctx, pause) != nil {
			return
		}
		pause = min(2*pause, i.scheme.config.RetryMax)
	}
}

// pay sends one owed reversal and reports whether the matter is closed.
func (i *issuer) pay(ctx context.Context, r Record) bool {
	m := iso8583.NewMessage()
	m.SetMTI(cup.MTIReversal)
	for _, f := range []struct {
		n int
		v string
	}{
		{3, r.Processing}, {4, r.Amount}, {7, i.scheme.transmission()}, {11, i.scheme.nextSTAN().String()}, {32, r.Acquirer}, {33, r.Forwarder},
		{37, r.RRN}, {41, r.Terminal}, {42, r.Merchant}, {49, r.Currency},
		{90, cup.Original{MTI: r.MTI, STAN: r.STAN, Transmission: r.Transmission, Acquirer: r.Acquirer, Forwarder: r.Forwarder}.String()},
	} {
		if f.v != "" {
			m.Set(f.n, f.v)
		}
	}
	wait, cancel := i.scheme.env.WithTimeout(ctx, i.scheme.config.Timeout)
	answer, err := i.exchange(wait, i.client.Call, m)
	cancel()
	if err != nil {
		if link.MaybeSent(err) && ctx.Err() == nil {
			i.scheme.config.Log.Warn("owed reversal not answered", "issuer", i.name, "stan", r.STAN, "rrn", r.RRN, "why", err)
		}
		return false
	}
	code := answer.Get(39)
	if code != approved && code != codeUnknown {
		i.scheme.config.Log.Error("owed reversal refused", "issuer", i.name, "stan", r.STAN, "rrn", r.RRN, "code", code)
		return false
	}
	if err := i.scheme.append(Record{Kind: Settled, Issuer: r.Issuer, Transmission: r.Transmission, STAN: r.STAN, Acquirer: r.Acquirer, Terminal: r.Terminal, Merchant: r.Merchant}); err != nil {
		return false
	}
	i.debts.remove(r.key())
	i.scheme.config.Log.Info("owed reversal taken", "issuer", i.name, "stan", r.STAN, "rrn", r.RRN, "code", code)
	return true
}
