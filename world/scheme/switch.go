package scheme

import (
	"context"
	"crypto/sha256"
	"sync"

	"huika/iso8583/link"
	neutral "huika/iso8583/scheme"
	"huika/keys"
	"huika/keys/zone"
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
	var m neutral.Message
	defer m.Wipe()
	if err := s.config.Dialect.Decode(frame, &m); err != nil {
		s.config.Log.Warn("undecodable message, connection closed", "conn", c.ID(), "why", err)
		c.Close()
		return
	}
	x := s.session(c, m.Acquirer)
	if x == nil {
		s.config.Log.Warn("message of no known acquirer, connection closed", "conn", c.ID(), "what", m.Class(), "acquirer", m.Acquirer)
		c.Close()
		return
	}
	with, err := s.verify(x, frame)
	if err != nil {
		s.config.Log.Warn("message refused", "acquirer", x.acquirer, "what", m.Class(), "stan", m.STAN.String(), "why", err)
		if !m.Response {
			s.send(ctx, x, x.keys.Current(), respond(&m, codeMAC))
		}
		return
	}
	switch {
	case m.Response:
		s.heard(x, &m)
		return
	case m.Kind == neutral.Management:
		s.send(ctx, x, with, respond(&m, s.network(x, &m))) // under the keys of the question: an exchange has just replaced them
		return
	case !x.signedOn.Load():
		s.config.Log.Warn("message before sign-on", "acquirer", x.acquirer, "what", m.Class(), "stan", m.STAN.String())
		s.send(ctx, x, with, respond(&m, codeUnavailable))
		return
	}
	var answer *neutral.Message
	switch {
	case m.Kind == neutral.Unknown:
		s.config.Log.Warn("message of a class that nobody knows", "acquirer", x.acquirer, "stan", m.STAN.String())
	case m.Transaction == 0:
		answer = respond(&m, codeTransaction)
	case m.Kind == neutral.Reversal:
		answer = s.reversal(ctx, &m)
	default:
		answer = s.request(ctx, with, &m, sha256.Sum256(frame[:len(frame)-macSize])) // all but the MAC
	}
	if answer == nil {
		return // ending, or another task answers
	}
	if s.faults.TakeDrop() {
		s.config.Log.Info("answer dropped by command", "what", answer.Class(), "stan", answer.STAN.String())
		return
	}
	s.send(ctx, x, x.keys.Current(), answer)
}

// macSize is the bytes of a MAC, at the end of each dialect's frames.
const macSize = 8

// send answers after the commanded delay.
func (s *Scheme) send(ctx context.Context, x *session, with *zone.Keys, answer *neutral.Message) {
	if err := s.env.Sleep(ctx, s.faults.Delay()); err != nil {
		return // ending
	}
	frame, err := s.config.Dialect.Encode(nil, answer, with.MAC)
	if err == nil {
		err = x.conn.Send(frame)
	}
	if err != nil {
		s.config.Log.Warn("answer not sent", "what", answer.Class(), "stan", answer.STAN.String(), "why", err)
	}
}

// respond answers without an issuer. An answer to what the dialect does not know
// has to be written as something that it knows; the key is what tells whose it is.
func respond(request *neutral.Message, code string) *neutral.Message {
	m := new(neutral.Message)
	m.ResponseTo(request, code)
	switch {
	case m.Kind == neutral.Management && m.Function == 0:
		m.Function = neutral.Echo
	case m.Kind != neutral.Management && m.Transaction == 0:
		m.Transaction, m.Original = neutral.Sale, neutral.Original{}
	}
	return m
}

// entry is a request under way or answered: what a doubled message gets.
type entry struct {
	print  [sha256.Size]byte
	answer *rt.Future[*neutral.Message] // not changed once set
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
	e = &entry{print: print, answer: rt.NewFuture[*neutral.Message](env)}
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
func (s *Scheme) request(ctx context.Context, with *zone.Keys, m *neutral.Message, print [sha256.Size]byte) *neutral.Message {
	key := s.config.Dialect.Key(m)
	e, first := s.recent.claim(s.env, key, print)
	if !first {
		if e.print != print {
			return respond(m, codeDuplicate)
		}
		answer, err := e.answer.Get(ctx)
		if err != nil {
			return nil // ending
		}
		return answer
	}
	answer := s.ask(ctx, e, with, m)
	if aftermathOf(m) == repeats && (answer == nil || answer.Code != approved) {
		s.recent.forget(key)
	}
	e.answer.Set(answer)
	return answer
}

// ask forwards a request and waits for the issuer.
func (s *Scheme) ask(ctx context.Context, e *entry, with *zone.Keys, m *neutral.Message) *neutral.Message {
	to := s.route(m.PAN.Reveal())
	if to == nil {
		return respond(m, codeNoRoute)
	}
	s.recent.routed(e, to)
	after := aftermathOf(m)
	if after == reverses && to.debts.len() >= s.config.MaxOwed {
		s.config.Log.Error("request refused: too many reversals owed", "issuer", to.name, "limit", s.config.MaxOwed)
		return respond(m, codeUnavailable)
	}
	out := *m
	out.PINEntry = neutral.PINNo
	if len(m.PINBlock) > 0 {
		block, err := keys.TranslatePIN(m.PINBlock, with.PIN, to.keys.PIN)
		if err != nil {
			return respond(m, codeFormat)
		}
		defer clear(block[:])
		out.PINBlock, out.PINEntry = block[:], neutral.PINYes
	}
	wait, cancel := s.env.WithTimeout(ctx, s.config.Timeout)
	answer, err := to.exchange(wait, to.client.Call, &out)
	cancel()
	log := s.config.Log.With("issuer", to.name, "what", m.Class(), "stan", m.STAN.String(), "rrn", m.RRN)
	switch {
	case err == nil:
		return outcome(m, answer)
	case !link.MaybeSent(err):
		log.Info("issuer not asked", "why", err)
		return respond(m, codeUnavailable)
	case after != reverses:
		log.Info("no answer in time, nothing owed", "why", err)
		return respond(m, codeUnavailable)
	}
	log.Warn("no answer in time, reversal owed", "why", err)
	if err := to.owe(m); err != nil {
		return nil // the switch is ending; the acquirer times out and reverses
	}
	return respond(m, codeUnavailable)
}

// outcome answers the acquirer's request with what the issuer said.
func outcome(m, answer *neutral.Message) *neutral.Message {
	r := respond(m, answer.Code)
	r.AuthCode, r.ICC, r.Balances, r.Settlement, r.Additional = answer.AuthCode, answer.ICC, answer.Balances, answer.Settlement, answer.Additional
	return r
}
