package scheme

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"huika/iso8583/cup"
	"huika/iso8583/link"
	neutral "huika/iso8583/scheme"
	"huika/pay"
	"huika/rt"
)

const (
	reversalTries = 3 // of an acquirer's reversal, within one Timeout
	reversalPause = 200 * time.Millisecond
)

// reversal forwards an acquirer's 0420 and repeats it while its time lasts.
// The issuer may see it more than once: it gives back once.
func (s *Scheme) reversal(ctx context.Context, m *neutral.Message) *neutral.Message {
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
		answer, err := to.exchange(wait, to.client.Call, m)
		cancel()
		if err == nil {
			return outcome(m, answer)
		}
		s.config.Log.Info("reversal not taken", "issuer", to.name, "stan", m.STAN.String(), "try", try+1, "why", err)
	}
	if ctx.Err() != nil {
		return nil // ending
	}
	return respond(m, codeUnavailable)
}

// reversalRoute goes by the card number; a reversal without one goes where its
// original went, or to the only issuer there is.
func (s *Scheme) reversalRoute(m *neutral.Message) *issuer {
	if !m.PAN.IsZero() {
		return s.route(m.PAN.Reveal())
	}
	if len(s.issuers) == 1 {
		return s.issuers[0]
	}
	return s.recent.issuerOf(s.config.Dialect.Key(&neutral.Message{
		Kind: neutral.Payment, Transmission: m.Original.Transmission, STAN: m.Original.STAN, Acquirer: m.Original.Acquirer,
		Terminal: m.Terminal, Merchant: m.Merchant,
	}))
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
func (i *issuer) owe(request *neutral.Message) error {
	row := cup.RowOf(request.Transaction)
	r := Record{
		Kind: Owed, Issuer: i.name, MTI: row.MTI, Processing: row.Processing, Transmission: request.Transmission, STAN: request.STAN.String(),
		Acquirer: request.Acquirer, Forwarder: request.Forwarder, Terminal: string(request.Terminal), Merchant: string(request.Merchant), RRN: string(request.RRN),
	}
	if request.Amount.Currency != 0 {
		r.Amount, r.Currency = fmt.Sprintf("%012d", request.Amount.Minor), request.Amount.Currency.Numeric()
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
	m, err := r.reversal()
	if err != nil {
		i.scheme.config.Log.Error("owed reversal can't be read", "issuer", i.name, "stan", r.STAN, "rrn", r.RRN, "why", err)
		return false
	}
	m.Transmission, m.STAN = i.scheme.transmission(), i.scheme.nextSTAN()
	wait, cancel := i.scheme.env.WithTimeout(ctx, i.scheme.config.Timeout)
	answer, err := i.exchange(wait, i.client.Call, m)
	cancel()
	if err != nil {
		if link.MaybeSent(err) && ctx.Err() == nil {
			i.scheme.config.Log.Warn("owed reversal not answered", "issuer", i.name, "stan", r.STAN, "rrn", r.RRN, "why", err)
		}
		return false
	}
	code := answer.Code
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

// reversal is the message that a debt asks for, without the switch's own F7 and F11.
func (r Record) reversal() (*neutral.Message, error) {
	stan, err := strconv.ParseUint(r.STAN, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%w: STAN %q", ErrRecord, r.STAN)
	}
	of := cup.TransactionOf(r.MTI, r.Processing)
	if of == 0 {
		return nil, fmt.Errorf("%w: message type %q, processing code %q", ErrRecord, r.MTI, r.Processing)
	}
	m := &neutral.Message{
		Kind: neutral.Reversal, Transaction: of, Acquirer: r.Acquirer, Forwarder: r.Forwarder,
		RRN: pay.RRN(r.RRN), Terminal: pay.TerminalID(r.Terminal), Merchant: pay.MerchantID(r.Merchant),
		Original: neutral.Original{Transaction: of, STAN: pay.STAN(stan), Transmission: r.Transmission, Acquirer: r.Acquirer, Forwarder: r.Forwarder},
	}
	if r.Currency != "" {
		currency, err := pay.ParseCurrency(r.Currency)
		minor, merr := strconv.ParseInt(r.Amount, 10, 64)
		if err != nil || merr != nil {
			return nil, fmt.Errorf("%w: amount %q of %q", ErrRecord, r.Amount, r.Currency)
		}
		m.Amount = pay.Money{Minor: minor, Currency: currency}
	}
	return m, nil
}
