package scheme

import (
	"context"
	"errors"
	"fmt"
	"time"

	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/pay"
)

// issuer is the switch's side of one issuer: its link, its keys, what it is owed.
type issuer struct {
	scheme   *Scheme
	name     string
	prefixes []string
	window   int
	zone     *zone
	client   *link.Client
	debts    *debts
}

func (s *Scheme) newIssuer(config Issuer) (*issuer, error) {
	if config.Name == "" || config.Dial == nil {
		return nil, errors.New("name or dial function is missing")
	}
	z, err := newZone(config.Zone)
	if err != nil {
		return nil, err
	}
	i := &issuer{scheme: s, name: config.Name, prefixes: config.Prefixes, window: config.Window, zone: z, debts: newDebts(s.env)}
	if i.window == 0 {
		i.window = DefaultWindow
	}
	i.client = link.NewClient(s.env, link.ClientOptions{
		Name: s.config.Name + " to " + i.name,
		Dial: config.Dial,
		Mux:  link.MuxOptions{Window: i.window, Classify: cup.Classify, Late: i.tooLate},
		OnUp: i.signOn,
		OnDown: func(err error, pause time.Duration) {
			s.config.Log.Info("issuer down", "issuer", i.name, "why", err, "again_in", pause)
		},
	})
	return i, nil
}

func (i *issuer) runLink(ctx context.Context) {
	if err := i.client.Run(ctx); err != nil && ctx.Err() == nil {
		i.scheme.config.Log.Error("issuer's link ended", "issuer", i.name, "why", err)
	}
}

// tooLate sees an answer that nobody waits for. Where the switch gave up on it,
// the reversal is owed already; a doubled answer lands here too, and must not
// reverse a good payment. So it is counted and no more.
func (i *issuer) tooLate(frame []byte) {
	defer clear(frame)
	i.scheme.late.Add(1)
	var m iso8583.Message
	defer m.Reset()
	if err := cup.Decode(frame, &m); err != nil {
		return // Classify has decoded it; this can't fail
	}
	i.scheme.config.Log.Info("late answer", "issuer", i.name, "mti", m.MTI(), "stan", m.Get(11), "rrn", m.Get(37), "code", m.Get(39))
}

// network makes an 0800 with a STAN of the switch's own.
func (i *issuer) network(code string) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(cup.MTINetwork)
	m.Set(7, i.scheme.transmission())
	m.Set(11, i.scheme.nextSTAN().String())
	m.Set(33, i.scheme.config.ID)
	m.Set(70, code)
	return m
}

func (s *Scheme) transmission() string { return s.env.Now().UTC().Format("0102150405") }

func (s *Scheme) nextSTAN() pay.STAN { return pay.STAN(s.stan.Add(1)%999_999 + 1) }

type caller func(ctx context.Context, key string, frame []byte) ([]byte, error)

// exchange sends m under the issuer's zone and returns the answer, verified.
// An error for which link.MaybeSent holds leaves open what the issuer did.
func (i *issuer) exchange(ctx context.Context, call caller, m *iso8583.Message) (*iso8583.Message, error) {
	frame, err := cup.Encode(nil, m, i.zone.mac)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", link.ErrNotSent, err)
	}
	defer clear(frame)
	got, err := call(ctx, cup.Key(m), frame)
	if err != nil {
		return nil, err
	}
	answer := iso8583.NewMessage()
	if err := cup.Decode(got, answer); err != nil {
		return nil, err
	}
	if err := cup.CheckMAC(got, i.zone.mac); err != nil {
		return nil, err
	}
	return answer, nil
}

func (i *issuer) signOn(ctx context.Context, m *link.Mux) error {
	answer, err := i.exchange(ctx, m.Call, i.network(cup.NetworkSignOn))
	if err != nil {
		return err
	}
	if code := answer.Get(39); code != approved {
		return fmt.Errorf("sign-on answered %s", code)
	}
	return nil
}

// runEcho proves the link while nothing else does; a silent one is dropped and dialled anew.
func (i *issuer) runEcho(ctx context.Context) {
	for i.scheme.env.Sleep(ctx, i.scheme.config.EchoEvery) == nil {
		if !i.client.Up() {
			continue
		}
		echoCtx, cancel := i.scheme.env.WithTimeout(ctx, i.scheme.config.Timeout)
		_, err := i.exchange(echoCtx, i.client.Call, i.network(cup.NetworkEcho))
		cancel()
		if err != nil && ctx.Err() == nil && !errors.Is(err, link.ErrWindow) {
			i.scheme.config.Log.Warn("echo failed, link dropped", "issuer", i.name, "why", err)
			i.client.Drop()
		}
	}
}
