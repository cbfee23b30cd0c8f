package scheme

import (
	"context"
	"crypto/sha256"
	"sync"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/keys"
	"huika/rt"
)

// F39 values that the switch gives or reads.
const (
	approved        = "00"
	codeTransaction = "12"
	codeNoRoute     = "14"
	codeUnknown     = "25"
	codeFormat      = "30"
	codeUnavailable = "91"
	codeDuplicate   = "94"
	codeMAC         = "A0"
)

// handle is one message of an acquirer.
func (s *Scheme) handle(ctx context.Context, c *link.Conn, frame []byte) {
	defer clear(frame)
	m := iso8583.NewMessage()
	defer m.Reset()
	if err := cup.Decode(frame, m); err != nil {
		s.config.Log.Warn("undecodable message, connection closed", "conn", c.ID(), "why", err)
		c.Close()
		return
	}
	id := m.Get(32)
	if m.MTI() == cup.MTINetwork && id == "" {
		id = m.Get(33)
	}
	from := s.acquirers[id]
	if from == nil || m.IsResponse() {
		s.config.Log.Warn("message of no known acquirer, connection closed", "conn", c.ID(), "mti", m.MTI(), "acquirer", id)
		c.Close()
		return
	}
	if err := cup.CheckMAC(frame, from.mac); err != nil {
		s.config.Log.Warn("message refused", "acquirer", id, "mti", m.MTI(), "stan", m.Get(11), "why", err)
		s.send(ctx, c, from, respond(m, codeMAC))
		return
	}
	if m.MTI() == cup.MTINetwork {
		s.send(ctx, c, from, respond(m, s.network(c, id, m.Get(70))))
		return
	}
	if c.Session() != id {
		s.config.Log.Warn("message before sign-on", "acquirer", id, "mti", m.MTI(), "stan", m.Get(11))
		s.send(ctx, c, from, respond(m, codeUnavailable))
		return
	}
	var answer *iso8583.Message
	switch m.MTI() {
	case cup.MTIAuthorisation, cup.MTIFinancial, cup.MTIAdvice:
		answer = s.request(ctx, from, m, sha256.Sum256(frame[:len(frame)-8])) // all but F128
	case cup.MTIReversal:
		answer = s.reversal(ctx, m)
	default:
		answer = respond(m, codeTransaction)
	}
	if answer == nil {
		return // ending, or another task answers
	}
	if s.faults.TakeDrop() {
		s.config.Log.Info("answer dropped by command", "mti", answer.MTI(), "stan", answer.Get(11))
		return
	}
	s.send(ctx, c, from, answer)
}

func (s *Scheme) network(c *link.Conn, id, code string) string {
	switch code {
	case cup.NetworkSignOn:
		c.SetSession(id)
		s.config.Log.Info("acquirer signed on", "acquirer", id, "conn", c.ID())
	case cup.NetworkSignOff:
		c.SetSession(nil)
	case cup.NetworkEcho:
	default:
		return codeFormat
	}
	return approved
}

// send answers after the commanded delay, under the acquirer's MAC key.
func (s *Scheme) send(ctx context.Context, c *link.Conn, to *zone, answer *iso8583.Message) {
	if err := s.env.Sleep(ctx, s.faults.Delay()); err != nil {
		return // ending
	}
	frame, err := cup.Encode(nil, answer, to.mac)
	if err == nil {
		err = c.Send(frame)
	}
	if err != nil {
		s.config.Log.Warn("answer not sent", "mti", answer.MTI(), "stan", answer.Get(11), "why", err)
	}
}

// respond answers without an issuer.
func respond(request *iso8583.Message, code string) *iso8583.Message {
	m := iso8583.NewMessage()
	m.ResponseTo(request, 3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 70, 90)
	m.Set(39, code)
	return m
}

// entry is a request under way or answered: what a doubled message gets.
type entry struct {
	print  [sha256.Size]byte
	answer *rt.Future[*iso8583.Message] // not changed once set
	to     *issuer                      // under recent.mu; nil while not routed
}

// recent remembers the newest maxRecent requests.
type recent struct {
	mu      sync.Mutex
	entries map[string]*entry
	order   []string // oldest first; each key of entries once, and none other
}

// claim returns the entry of a key; first is true for the task that must answer it.
func (r *recent) claim(env rt.Env, key string, print [sha256.Size]byte) (e *entry, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[key]; e != nil {
		return e, false
	}
	if len(r.order) == maxRecent {
		delete(r.entries, r.order[0])
		r.order = r.order[1:]
	}
	e = &entry{print: print, answer: rt.NewFuture[*iso8583.Message](env)}
	r.entries[key] = e
	r.order = append(r.order, key)
	return e, true
}

// forget lets the next copy of a request be asked anew.
func (r *recent) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, key)
	for i := len(r.order) - 1; i >= 0; i-- { // it is a young one
		if r.order[i] == key {
			r.order = append(r.order[:i], r.order[i+1:]...)
			return
		}
	}
}

// routed notes where a request went, for a reversal that carries no card number.
func (r *recent) routed(e *entry, to *issuer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.to = to
}

// issuerOf is where the request of that key went, nil where it is not remembered.
func (r *recent) issuerOf(key string) *issuer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[key]; e != nil {
		return e.to
	}
	return nil
}

// request answers whatever moves money, or asks after it. One that comes twice
// is asked once: a copy that follows an answer of 91 could else be approved
// behind the acquirer's back. An advice is no question: until the issuer takes
// it, each copy is passed on.
func (s *Scheme) request(ctx context.Context, from *zone, m *iso8583.Message, print [sha256.Size]byte) *iso8583.Message {
	key := cup.Key(m)
	e, first := s.recent.claim(s.env, key, print)
	if !first {
		if e.print != print {
			return respond(m, codeDuplicate)
		}
		answer, err := e.answer.Get(ctx)
		if err != nil || answer == nil {
			return nil // ending
		}
		return answer.Clone()
	}
	answer := s.ask(ctx, e, from, m)
	if aftermathOf(m) == repeats && (answer == nil || answer.Get(39) != approved) {
		s.recent.forget(key)
	}
	e.answer.Set(answer)
	if answer == nil {
		return nil
	}
	return answer.Clone()
}

// ask forwards a request and waits for the issuer.
func (s *Scheme) ask(ctx context.Context, e *entry, from *zone, m *iso8583.Message) *iso8583.Message {
	to := s.route(m.Get(2))
	if to == nil {
		return respond(m, codeNoRoute)
	}
	s.recent.routed(e, to)
	after := aftermathOf(m)
	if after == reverses && to.debts.len() >= s.config.MaxOwed {
		s.config.Log.Error("request refused: too many reversals owed", "issuer", to.name, "limit", s.config.MaxOwed)
		return respond(m, codeUnavailable)
	}
	out := m.Clone()
	defer out.Reset()
	if m.Has(52) {
		block, err := keys.TranslatePIN(m.Bytes(52), from.zpk, to.zone.zpk)
		if err != nil {
			return respond(m, codeFormat)
		}
		out.SetBytes(52, block[:])
	}
	wait, cancel := s.env.WithTimeout(ctx, s.config.Timeout)
	answer, err := to.exchange(wait, to.client.Call, out)
	cancel()
	switch {
	case err == nil:
		return answer
	case !link.MaybeSent(err):
		s.config.Log.Info("issuer not asked", "issuer", to.name, "stan", m.Get(11), "why", err)
		return respond(m, codeUnavailable)
	case after != reverses:
		s.config.Log.Info("no answer in time, nothing owed", "issuer", to.name, "mti", m.MTI(), "stan", m.Get(11), "rrn", m.Get(37), "why", err)
		return respond(m, codeUnavailable)
	}
	s.config.Log.Warn("no answer in time, reversal owed", "issuer", to.name, "stan", m.Get(11), "rrn", m.Get(37), "why", err)
	if err := to.owe(m); err != nil {
		return nil // the switch is ending; the acquirer times out and reverses
	}
	return respond(m, codeUnavailable)
}
