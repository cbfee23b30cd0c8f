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
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/keys"
	"huika/pay"
)

// SchemeConfig is one scheme connection.
type SchemeConfig struct {
	Name     string
	Prefixes []string // card number prefixes; the longest match over all schemes wins
	Dial     func(ctx context.Context) (net.Conn, error)
	ZPK      pay.Secret // zone PIN key, 16-byte TDES
	MACKey   pay.Secret // F128, AES-128
	Window   int        // calls in flight at once
}

// DefaultWindow is the number of calls in flight on one scheme connection.
const DefaultWindow = 1024

type scheme struct {
	h      *Host
	cfg    SchemeConfig
	mac    iso8583.MAC
	client *link.Client
}

// errNotAsked says that the scheme provably never heard of the message.
var errNotAsked = errors.New("scheme was not asked")

func newScheme(h *Host, cfg SchemeConfig) (*scheme, error) {
	if cfg.Window <= 0 {
		cfg.Window = DefaultWindow
	}
	mac, err := keys.CMAC(cfg.MACKey)
	if err != nil {
		return nil, fmt.Errorf("host: scheme %s: MAC key: %w", cfg.Name, err)
	}
	s := &scheme{h: h, cfg: cfg, mac: mac}
	s.client = link.NewClient(h.env, link.ClientOptions{
		Name: cfg.Name, Dial: cfg.Dial, OnUp: s.signOn, OnDown: s.down,
		Mux: link.MuxOptions{Window: cfg.Window, Classify: cup.Classify, Late: func([]byte) { h.Stats.Late.Add(1) }},
	})
	return s, nil
}

// routeOf is where a request goes: a follow-up where its original went, any
// other by its card number.
func (h *Host) routeOf(r request) *scheme {
	if len(r.rule.On) > 0 {
		return h.schemeNamed(r.original.Scheme)
	}
	return h.route(r.pan)
}

// route is the scheme of a card number, or nil: of its range's routes the first
// one whose link is up, or the first where none is.
func (h *Host) route(pan pay.PAN) *scheme {
	if h.cfg.Cards == nil {
		return h.byPrefix(pan)
	}
	r, ok := h.cfg.Cards(pan)
	if !ok {
		return nil
	}
	var first *scheme
	for _, name := range r.Routes {
		s := h.schemeNamed(name)
		if s != nil && s.client.Up() {
			return s
		}
		if first == nil {
			first = s
		}
	}
	return first
}

// byPrefix goes by the schemes' own prefixes: the longest one wins.
func (h *Host) byPrefix(pan pay.PAN) *scheme {
	var best *scheme
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

func (h *Host) schemeNamed(name string) *scheme {
	for _, s := range h.schemes {
		if s.cfg.Name == name {
			return s
		}
	}
	return nil
}

// schemeTime is F7: MMDDhhmmss in UTC.
func schemeTime(t time.Time) string { return t.UTC().Format("0102150405") }

func (s *scheme) down(err error, pause time.Duration) {
	s.h.cfg.Log.Warn("scheme link is down", "scheme", s.cfg.Name, "err", err, "next_try_ms", pause.Milliseconds())
}

func (s *scheme) signOn(ctx context.Context, m *link.Mux) error {
	msg := iso8583.NewMessage()
	msg.SetMTI("0800")
	msg.Set(7, schemeTime(s.h.env.Now()))
	msg.Set(11, s.h.nextSTAN().String())
	msg.Set(32, s.h.cfg.AcquirerID)
	msg.Set(70, "001")
	ctx, cancel := s.h.env.WithTimeout(ctx, s.h.cfg.Timeouts.Scheme)
	defer cancel()
	reply, err := s.exchange(ctx, m.Call, msg)
	if err != nil {
		return fmt.Errorf("sign-on: %w", err)
	}
	if code := reply.Get(39); code != "00" {
		return fmt.Errorf("sign-on refused with %s", code)
	}
	return nil
}

type caller func(ctx context.Context, key string, frame []byte) ([]byte, error)

// exchange sends a request and reads its answer, MAC checked.
func (s *scheme) exchange(ctx context.Context, call caller, msg *iso8583.Message) (*iso8583.Message, error) {
	frame, err := cup.Encode(nil, msg, s.mac)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotAsked, err)
	}
	defer clear(frame)
	got, err := call(ctx, cup.Key(msg), frame)
	if err != nil {
		if !link.MaybeSent(err) {
			err = fmt.Errorf("%w: %w", errNotAsked, err)
		}
		return nil, err
	}
	if err := cup.CheckMAC(got, s.mac); err != nil {
		return nil, err
	}
	reply := takeMessage()
	if err := cup.Decode(got, reply); err != nil {
		giveMessage(reply)
		return nil, err
	}
	return reply, nil
}

// ask sends a payment's request. errNotAsked means that nothing can have been
// done; any other error leaves that open.
func (s *scheme) ask(ctx context.Context, p payment.Payment, req request, in *iso8583.Message, pin []byte) (*iso8583.Message, error) {
	msg := s.request(p, req.pan)
	defer giveMessage(msg)
	for _, f := range []int{14, 22, 23, 35} {
		if in.Has(f) {
			msg.Set(f, in.Get(f))
		}
	}
	if in.Has(55) {
		msg.SetBytes(55, in.Bytes(55))
	}
	if pin != nil {
		msg.SetBytes(52, pin)
		msg.Set(53, in.Get(53))
	}
	if len(req.rule.On) > 0 {
		s.names(msg, req.original)
	}
	ctx, cancel := s.h.env.WithTimeout(ctx, s.h.cfg.Timeouts.Scheme)
	defer cancel()
	return s.exchange(ctx, s.client.Call, msg)
}

// request is what every request of a payment's kind holds.
func (s *scheme) request(p payment.Payment, pan pay.PAN) *iso8583.Message {
	is := ofKind(p.Key.Kind)
	shape := is.shape()
	msg := takeMessage()
	msg.SetMTI(is.mti)
	msg.Set(2, pan.Reveal())
	msg.Set(3, shape.Processing)
	s.common(msg, p)
	msg.Set(22, p.Entry)
	msg.Set(25, shape.Condition)
	return msg
}

// names says which payment a follow-up means: F90 and F38.
func (s *scheme) names(msg *iso8583.Message, o payment.Payment) {
	msg.Set(90, s.originalOf(o))
	if o.AuthCode != "" {
		msg.Set(38, o.AuthCode)
	}
}

// originalOf is F90.
func (s *scheme) originalOf(o payment.Payment) string {
	return cup.Original{MTI: ofKind(o.Key.Kind).mti, STAN: o.SchemeSTAN.String(), Transmission: o.SchemeTime, Acquirer: s.h.cfg.AcquirerID}.String()
}

// advise tells the scheme of an advice, as often as it takes: the scheme knows
// it again by its own F7 and F11.
func (s *scheme) advise(ctx context.Context, p payment.Payment) (string, error) {
	pan, err := s.pan(p)
	if err != nil {
		return "", err
	}
	o, ok, err := s.h.cfg.Store.Find(ctx, book.LaneOf(p.Key.Merchant, s.h.cfg.Lanes), p.Original)
	if err != nil || !ok {
		return "", errors.Join(fmt.Errorf("original of advice %s is not there", p.ID), err)
	}
	msg := s.request(p, pan)
	defer giveMessage(msg)
	s.names(msg, o)
	ctx, cancel := s.h.env.WithTimeout(ctx, s.h.cfg.Timeouts.Scheme)
	defer cancel()
	reply, err := s.exchange(ctx, s.client.Call, msg)
	if err != nil {
		return "", err
	}
	return reply.Get(39), nil
}

func (s *scheme) pan(p payment.Payment) (pay.PAN, error) {
	digits, err := s.h.cfg.Sealer.Open(p.SealedPAN, payment.PANContext(p.Key))
	if err != nil {
		return pay.PAN{}, fmt.Errorf("card number of payment %s: %w", p.ID, err)
	}
	defer clear(digits)
	return pay.ParsePAN(string(digits))
}

// common sets what a sale and its reversal share.
func (s *scheme) common(msg *iso8583.Message, p payment.Payment) {
	local := p.Admitted.In(s.h.cfg.Location)
	msg.Set(4, fmt.Sprintf("%012d", p.Amount.Minor))
	msg.Set(7, p.SchemeTime)
	msg.Set(11, p.SchemeSTAN.String())
	msg.Set(12, local.Format("150405"))
	msg.Set(13, local.Format("0102"))
	msg.Set(32, s.h.cfg.AcquirerID)
	msg.Set(37, string(p.RRN))
	msg.Set(41, string(p.Key.Terminal))
	msg.Set(42, string(p.Key.Merchant))
	msg.Set(49, p.Amount.Currency.Numeric())
}

// reverse sends one 0420 and returns its response code. F90 names the
// original, so that any number of tries is one reversal.
func (s *scheme) reverse(ctx context.Context, p payment.Payment) (string, error) {
	pan, err := s.pan(p)
	if err != nil {
		return "", err
	}
	msg := s.request(p, pan)
	defer giveMessage(msg)
	msg.SetMTI(cup.MTIReversal)
	msg.Unset(25)
	msg.Set(7, schemeTime(s.h.env.Now()))
	msg.Set(11, s.h.nextSTAN().String())
	msg.Set(39, p.ReversalReason)
	msg.Set(90, s.originalOf(p))
	ctx, cancel := s.h.env.WithTimeout(ctx, s.h.cfg.Timeouts.Scheme)
	defer cancel()
	reply, err := s.exchange(ctx, s.client.Call, msg)
	if err != nil {
		return "", err
	}
	return reply.Get(39), nil
}
