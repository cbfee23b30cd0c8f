package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"huika/card/perso"
	"huika/iso8583"
	"huika/iso8583/link"
	"huika/keys"
	"huika/pay"
	"huika/rt"
	"huika/world/outage"
)

// Defaults and limits.
const (
	// DefaultFreeLimit is the largest amount, in fen, without PIN or CDCVM: 1000.00 CNY (小额免密免签).
	DefaultFreeLimit = 100_000
	// DefaultMaxPayments bounds what one issuer remembers. Beyond it a new request
	// gets no answer: the sender times out and reverses.
	DefaultMaxPayments = 1 << 21

	maxWaiting  = 1024 // messages that wait for their decision; more get no answer
	maxBatch    = 256  // decisions that share one Append
	maxHandlers = 512  // messages under way on one connection
)

// Config is what an issuer is made of. All fields without a default are needed.
type Config struct {
	Name     string          // in logs; default "issuer"
	Accounts []perso.Account // one for each PAN
	IMK      pay.Secret      // issuer master key of UnionPay cards' cryptograms, 16 bytes; names and fingerprints in records follow from it
	// Keys are the master keys of the other schemes' cards, by the name of perso.Account.Scheme.
	Keys        map[string]perso.MasterKeys
	ZPK         pay.Secret // zone PIN key shared with the scheme, 16 bytes TDES
	MACKey      pay.Secret // zone MAC key shared with the scheme, AES, for F128
	Store       Store
	Country     uint16       // ISO 3166 numeric, default 156
	Currency    pay.Currency // of all accounts, default CNY
	FreeLimit   int64        // fen, default DefaultFreeLimit
	MaxPayments int          // default DefaultMaxPayments
	Log         *slog.Logger // default: none
}

// Issuer answers a scheme's messages. Its methods may be called from any task.
type Issuer struct {
	env     rt.Env
	config  Config
	mac     iso8583.MAC
	faults  outage.Switch
	jobs    *rt.Queue[*job]
	serving atomic.Bool

	mu     sync.Mutex
	state  *state
	forced string // F39 for every request that would be approved; "" for none
	orders map[AccountRef]Order
	failed error // set once, when a record could not be made durable
}

// New makes an issuer and replays its store. Errors are the store's, and ErrHistory.
func New(env rt.Env, config Config) (*Issuer, error) {
	if config.Store == nil {
		return nil, errors.New("issuer: no store")
	}
	if config.Name == "" {
		config.Name = "issuer"
	}
	if config.Country == 0 {
		config.Country = 156
	}
	if config.Currency == 0 {
		config.Currency = pay.CNY
	}
	if config.FreeLimit == 0 {
		config.FreeLimit = DefaultFreeLimit
	}
	if config.MaxPayments == 0 {
		config.MaxPayments = DefaultMaxPayments
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	mac, err := keys.CMAC(config.MACKey)
	if err != nil {
		return nil, fmt.Errorf("issuer: MAC key: %w", err)
	}
	if _, err := keys.KCV(config.ZPK, keys.TDES); err != nil {
		return nil, fmt.Errorf("issuer: zone PIN key: %w", err)
	}
	s, err := newState(config.Accounts, config.IMK, config.Keys)
	if err != nil {
		return nil, err
	}
	if err := config.Store.Load(s.apply); err != nil {
		return nil, fmt.Errorf("issuer: replay: %w", err)
	}
	return &Issuer{
		env: env, config: config, mac: mac, state: s,
		jobs: rt.NewQueue[*job](env, maxWaiting), orders: make(map[AccountRef]Order),
	}, nil
}

// Serve answers on ln until ctx ends (then it returns nil) or the issuer
// fails: an error of the store ends it for good, and whoever called Serve must
// end the process (crash rule 5). It closes ln. One Serve at a time.
func (i *Issuer) Serve(ctx context.Context, ln net.Listener) error {
	if !i.serving.CompareAndSwap(false, true) {
		return errors.New("issuer: serving already")
	}
	defer i.serving.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := rt.NewFuture[error](i.env)
	i.env.Go(i.config.Name+" decisions", func() {
		err := i.decideAll(ctx)
		cancel()
		ended.Set(err)
	})
	err := link.Serve(ctx, i.env, i.faults.Listen(ln), link.ServerOptions{
		MaxHandlers: maxHandlers,
		Handle:      i.handle,
		Closed: func(c *link.Conn, err error) {
			i.config.Log.Debug("connection ended", "conn", c.ID(), "why", err)
		},
	})
	cancel()
	failed, getErr := ended.Get(context.WithoutCancel(ctx)) // decideAll ends with ctx
	return errors.Join(err, failed, getErr)
}

// SetDelay holds every answer back for d. What it answers has taken effect by then.
func (i *Issuer) SetDelay(d time.Duration) { i.faults.SetDelay(d) }

// SetDown cuts all connections and refuses new ones until it is called with false.
func (i *Issuer) SetDown(down bool) { i.faults.SetDown(down) }

// Down reports whether SetDown has cut the issuer off.
func (i *Issuer) Down() bool { return i.faults.Down() }

// DropReplies loses the next n answers to requests and reversals, which take effect all the same.
func (i *Issuer) DropReplies(n int) { i.faults.Drop(n) }

// SetResponse declines, with this F39, every request that would be approved; ""
// or "00" ends it. Reversals and advices are taken all the same.
func (i *Issuer) SetResponse(code string) error {
	if code == approved {
		code = ""
	}
	if code != "" && (len(code) != 2 || !alphanumeric(code)) {
		return fmt.Errorf("issuer: response code %q: want two letters or digits", code)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forced = code
	return nil
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// TryCounter is how many PIN tries a card has left; ok is false where there is no such card.
func (i *Issuer) TryCounter(pan pay.PAN) (left int, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	a := i.state.byPAN[pan.Reveal()]
	if a == nil {
		return 0, false
	}
	return a.tries, true
}
