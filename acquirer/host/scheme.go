package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583/link"
	"huika/iso8583/scheme"
	"huika/keys/zone"
	"huika/pay"
)

// SchemeConfig is one scheme, in whatever dialect it speaks.
type SchemeConfig struct {
	Name     string
	Dialect  scheme.Dialect
	Prefixes []string // card number prefixes; the longest match over all schemes wins
	Dial     func(ctx context.Context) (net.Conn, error)
	// Alternates are further links to the same scheme: a message takes the first
	// one that is up and has room.
	Alternates []func(ctx context.Context) (net.Conn, error)
	ZPK        pay.Secret // zone PIN key that a connection begins with, 16-byte TDES
	MACKey     pay.Secret // and its MAC key, AES-128
	// Master is the zone master key, AES-128, under which working keys are
	// exchanged: right after each sign-on, every KeysEvery, and when the scheme
	// begins. None: ZPK and MACKey stay.
	Master    pay.Secret
	KeysEvery time.Duration
	EchoEvery time.Duration
	// PINEntry is the last digit of F22 where the scheme asks what the terminal
	// could take; 0: it says whether a PIN came along.
	PINEntry scheme.PINEntry
	Window   int // calls in flight at once on one link; beyond it the answer is 91 at once
}

// Defaults of a SchemeConfig.
const (
	DefaultWindow    = 1024
	DefaultEchoEvery = time.Minute
	DefaultKeysEvery = 24 * time.Hour
)

// cardScheme is one scheme as the host sees it: its dialect and its links.
type cardScheme struct {
	h       *Host
	cfg     SchemeConfig
	dialect scheme.Dialect
	lines   []*line
}

// errNotAsked says that the scheme provably never heard of the message.
var errNotAsked = errors.New("scheme was not asked")

func newCardScheme(h *Host, cfg SchemeConfig) (*cardScheme, error) {
	if cfg.Dialect == nil || cfg.Dial == nil {
		return nil, fmt.Errorf("host: scheme %q: no dialect, or nobody to dial", cfg.Name)
	}
	if cfg.Window <= 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.EchoEvery <= 0 {
		cfg.EchoEvery = DefaultEchoEvery
	}
	if cfg.KeysEvery <= 0 {
		cfg.KeysEvery = DefaultKeysEvery
	}
	s := &cardScheme{h: h, cfg: cfg, dialect: cfg.Dialect}
	if _, err := s.keys(); err != nil {
		return nil, fmt.Errorf("host: scheme %s: %w", cfg.Name, err)
	}
	for i, dial := range append([]func(context.Context) (net.Conn, error){cfg.Dial}, cfg.Alternates...) {
		s.lines = append(s.lines, newLine(s, i, dial))
	}
	return s, nil
}

// keys are what a connection begins with. The host dialled, so it yields.
func (s *cardScheme) keys() (*zone.Line, error) {
	return zone.New(s.cfg.Master, s.cfg.ZPK, s.cfg.MACKey, true)
}

// up reports whether any link is signed on.
func (s *cardScheme) up() bool {
	for _, l := range s.lines {
		if l.ready() != nil {
			return true
		}
	}
	return false
}

// routeOf is where a request goes: a follow-up where its original went, any
// other by its card number.
func (h *Host) routeOf(r request) *cardScheme {
	if len(r.rule.On) > 0 {
		return h.schemeNamed(r.original.Scheme)
	}
	return h.route(r.pan)
}

// route is the scheme of a card number, or nil: of its range's routes the first
// one with a link that is up, or the first where none is.
func (h *Host) route(pan pay.PAN) *cardScheme {
	if h.cfg.Cards == nil {
		return h.byPrefix(pan)
	}
	r, ok := h.cfg.Cards(pan)
	if !ok {
		return nil
	}
	var first *cardScheme
	for _, name := range r.Routes {
		s := h.schemeNamed(name)
		if s != nil && s.up() {
			return s
		}
		if first == nil {
			first = s
		}
	}
	return first
}

// byPrefix goes by the schemes' own prefixes: the longest one wins.
func (h *Host) byPrefix(pan pay.PAN) *cardScheme {
	var best *cardScheme
	length := -1
	for _, s := range h.schemes {
		for _, p := range s.cfg.Prefixes {
			if len(p) > length && strings.HasPrefix(pan.Reveal(), p) {
				best, length = s, len(p)
			}
		}
	}
	return best
}

func (h *Host) schemeNamed(name string) *cardScheme {
	for _, s := range h.schemes {
		if s.cfg.Name == name {
			return s
		}
	}
	return nil
}

// call sends a request over the first link that takes it and reads the answer
// into reply. errNotAsked means that nothing can have been done; any other error
// leaves that open. pin is the terminal's PIN block, with the key it is under.
func (s *cardScheme) call(ctx context.Context, m, reply *scheme.Message, pin *blindPIN) error {
	ctx, cancel := s.h.env.WithTimeout(ctx, s.h.cfg.Timeouts.Scheme)
	defer cancel()
	err := fmt.Errorf("%w: no link to %s is signed on", errNotAsked, s.cfg.Name)
	for _, l := range s.lines {
		o := l.ready()
		if o == nil {
			continue
		}
		err = o.exchange(ctx, m, reply, pin)
		if err == nil || !errors.Is(err, errNotAsked) {
			return err
		}
	}
	return err
}

// ask sends a payment's request.
func (s *cardScheme) ask(ctx context.Context, p payment.Payment, req request, card *cardData, reply *scheme.Message) error {
	m := takeQuestion()
	defer giveQuestion(m)
	s.question(m, p, req.pan)
	m.Expiry, m.Sequence, m.Track2, m.ICC = card.expiry, card.sequence, pay.NewSecret(card.track2), card.icc
	if len(req.rule.On) > 0 {
		s.names(m, req.original)
	}
	defer func() { m.Track2, m.ICC = pay.Secret{}, nil }() // the terminal's message owns the bytes
	if err := s.call(ctx, m, reply, card.pin); err != nil {
		return err
	}
	return believable(m, reply)
}

// errAnswer says that an answer can't be what it claims: the payment is in doubt.
var errAnswer = errors.New("the scheme's answer can't be used")

// believable is the check of an answer whose MAC fits.
func believable(m, reply *scheme.Message) error {
	switch {
	case reply.Kind != m.Kind || len(reply.Code) != 2:
		return fmt.Errorf("%w: no response code, or of another kind", errAnswer)
	case reply.Code == approved && reply.Amount.Currency != 0 && reply.Amount != m.Amount:
		return fmt.Errorf("%w: it approves another amount", errAnswer)
	}
	return nil
}

const approved = "00"

// question sets what every request of a payment holds.
func (s *cardScheme) question(m *scheme.Message, p payment.Payment, pan pay.PAN) {
	m.Kind, m.Transaction = scheme.Payment, ofKind(p.Key.Kind).asks
	m.PAN, m.Amount = pan, p.Amount
	m.Transmission, m.STAN = p.SchemeTime, p.SchemeSTAN
	m.Local = p.Admitted.In(s.h.cfg.Location).Format(localForm)
	m.Entry, m.PINEntry = entryOf(p.Entry)
	if s.cfg.PINEntry != 0 {
		m.PINEntry = s.cfg.PINEntry
	}
	m.Acquirer, m.RRN, m.Terminal, m.Merchant = s.h.cfg.AcquirerID, p.RRN, p.Key.Terminal, p.Key.Merchant
	if at := s.h.sessionOf(p.Key.Terminal); at != nil {
		m.MCC, m.Place = at.terminal.MCC, at.terminal.Place
	}
}

// localForm is scheme.Message.Local, schemeForm its Transmission (F7).
const (
	localForm  = "060102150405"
	schemeForm = "0102150405"
)

func schemeTime(t time.Time) string { return t.UTC().Format(schemeForm) }

// names says which payment a follow-up means.
func (s *cardScheme) names(m *scheme.Message, o payment.Payment) {
	m.Original, m.AuthCode = s.originalOf(o), o.AuthCode
}

func (s *cardScheme) originalOf(o payment.Payment) scheme.Original {
	return scheme.Original{
		Transaction: ofKind(o.Key.Kind).asks, STAN: o.SchemeSTAN, Transmission: o.SchemeTime,
		Local: o.Admitted.In(s.h.cfg.Location).Format(localForm), Acquirer: s.h.cfg.AcquirerID,
	}
}

// advise tells the scheme of an advice, as often as it takes: the scheme knows
// it again by its own F7 and F11.
func (s *cardScheme) advise(ctx context.Context, p payment.Payment) (string, error) {
	o, ok, err := s.h.cfg.Store.Find(ctx, book.LaneOf(p.Key.Merchant, s.h.cfg.Lanes), p.Original)
	if err != nil || !ok {
		return "", errors.Join(fmt.Errorf("original of advice %s is not there", p.ID), err)
	}
	return s.tell(ctx, p, func(m *scheme.Message) {
		s.names(m, o)
	})
}

// reverse sends one reversal and returns its response code. It names the
// original, so that any number of tries is one reversal.
func (s *cardScheme) reverse(ctx context.Context, p payment.Payment) (string, error) {
	return s.tell(ctx, p, func(m *scheme.Message) {
		m.Kind, m.Original = scheme.Reversal, s.originalOf(p)
		m.Reason, _ = scheme.ReasonOf(p.ReversalReason) // without one, none is said
		m.Transmission, m.STAN = schemeTime(s.h.env.Now()), s.h.nextSTAN()
	})
}

// tell sends what the resolver owes about a payment.
func (s *cardScheme) tell(ctx context.Context, p payment.Payment, more func(*scheme.Message)) (string, error) {
	digits, err := s.h.cfg.Sealer.Open(p.SealedPAN, payment.PANContext(p.Key))
	if err != nil {
		return "", fmt.Errorf("card number of payment %s: %w", p.ID, err)
	}
	defer clear(digits)
	pan, err := pay.ParsePAN(string(digits))
	if err != nil {
		return "", fmt.Errorf("card number of payment %s: %w", p.ID, err)
	}
	m, reply := takeQuestion(), takeQuestion()
	defer giveQuestion(m)
	defer giveQuestion(reply)
	s.question(m, p, pan)
	more(m)
	if err := s.call(ctx, m, reply, nil); err != nil {
		return "", err
	}
	return reply.Code, nil
}

// unasked turns what a link says of a call into errNotAsked where nothing left.
func unasked(err error) error {
	if link.MaybeSent(err) {
		return err
	}
	return fmt.Errorf("%w: %w", errNotAsked, err)
}
