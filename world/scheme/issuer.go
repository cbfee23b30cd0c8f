package scheme

import (
	"context"
	"errors"
	"fmt"
	"time"

	"huika/iso8583/cup"
	"huika/iso8583/link"
	neutral "huika/iso8583/scheme"
	"huika/keys/zone"
	"huika/pay"
)

// issuer is the switch's side of one issuer: its link, its keys, what it is owed.
type issuer struct {
	scheme   *Scheme
	name     string
	prefixes []string
	window   int
	keys     *zone.Keys // an issuer's zone keeps its keys
	client   *link.Client
	debts    *debts
}

func (s *Scheme) newIssuer(config Issuer) (*issuer, error) {
	if config.Name == "" || config.Dial == nil {
		return nil, errors.New("name or dial function is missing")
	}
	z, err := config.Zone.line()
	if err != nil {
		return nil, err
	}
	i := &issuer{scheme: s, name: config.Name, prefixes: config.Prefixes, window: config.Window, keys: z.Current(), debts: newDebts(s.env)}
	if i.window == 0 {
		i.window = DefaultWindow
	}
	i.client = link.NewClient(s.env, link.ClientOptions{
		Name: s.config.Name + " to " + i.name,
		Dial: config.Dial,
		Mux:  link.MuxOptions{Window: i.window, Classify: neutral.Classify(cup.Dialect), Late: i.tooLate},
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
	var m neutral.Message
	defer m.Wipe()
	if err := cup.Dialect.Decode(frame, &m); err != nil {
		return // Classify has decoded it; this can't fail
	}
	i.scheme.config.Log.Info("late answer", "issuer", i.name, "what", m.Class(), "stan", m.STAN.String(), "rrn", m.RRN, "code", m.Code)
}

// network makes a management message with a STAN of the switch's own.
func (i *issuer) network(f neutral.Function) *neutral.Message {
	return &neutral.Message{
		Kind: neutral.Management, Function: f, Transmission: i.scheme.transmission(), STAN: i.scheme.nextSTAN(), Forwarder: i.scheme.config.ID,
	}
}

func (s *Scheme) transmission() string { return s.env.Now().UTC().Format("0102150405") }

func (s *Scheme) nextSTAN() pay.STAN { return pay.STAN(s.stan.Add(1)%999_999 + 1) }

type caller func(ctx context.Context, key string, frame []byte) ([]byte, error)

// exchange sends m under the issuer's zone and returns the answer, verified.
// An error for which link.MaybeSent holds leaves open what the issuer did.
func (i *issuer) exchange(ctx context.Context, call caller, m *neutral.Message) (*neutral.Message, error) {
	frame, err := cup.Dialect.Encode(nil, m, i.keys.MAC)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", link.ErrNotSent, err)
	}
	defer clear(frame)
	got, err := call(ctx, cup.Dialect.Key(m), frame)
	if err != nil {
		return nil, err
	}
	defer clear(got)
	answer := new(neutral.Message)
	if err := cup.Dialect.Decode(got, answer); err != nil {
		return nil, err
	}
	if err := cup.Dialect.CheckMAC(got, i.keys.MAC); err != nil {
		return nil, err
	}
	return answer, nil
}

func (i *issuer) signOn(ctx context.Context, m *link.Mux) error {
	answer, err := i.exchange(ctx, m.Call, i.network(neutral.SignOn))
	if err != nil {
		return err
	}
	if answer.Code != approved {
		return fmt.Errorf("sign-on answered %s", answer.Code)
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
		_, err := i.exchange(echoCtx, i.client.Call, i.network(neutral.Echo))
		cancel()
		if err != nil && ctx.Err() == nil && !errors.Is(err, link.ErrWindow) {
			i.scheme.config.Log.Warn("echo failed, link dropped", "issuer", i.name, "why", err)
			i.client.Drop()
		}
	}
}
