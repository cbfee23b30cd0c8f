// Package zone keeps the working keys of one line between two institutions: a
// zone PIN key and a MAC key, changed while messages are under way.
//
// It is no key store (what the line begins with is given to it, and nothing is
// written down) and sends no message: acquirer/host and world/scheme carry the
// keys in their dialect's key exchange. In a tap it stands beside the line from
// host to scheme, at both ends.
//
// PIN and MAC key change together, as one generation, because a PIN block alone
// does not tell which key it is under: the MAC of its message does. Either side
// may begin a change: it offers a generation and goes on with the old one until
// the other side has taken it. Whoever has taken one uses it at once, and goes
// on accepting the one before for Grace. Where both begin at the same moment,
// the side that dialled yields. All this is our reading: a scheme's manual
// replaces it.
package zone

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"huika/keys"
	"huika/pay"
)

// Grace is how long a generation that was replaced is still accepted: messages
// of it may be under way.
const Grace = 2 * time.Minute

// KeySize is the bytes of a working key: double-length TDES, AES-128.
const KeySize = 16

// ErrRefused says that keys of the other side can't be taken: they do not open
// under the master key, or their check value does not fit.
var ErrRefused = errors.New("working key refused")

// ErrBusy says that an exchange is under way: for Take one of this side's own.
var ErrBusy = errors.New("a key exchange is under way")

// Keys is one generation.
type Keys struct {
	PIN pay.Secret // TDES, 16 bytes
	MAC *keys.AESCMAC
}

// Use is what a working key is for.
type Use byte

// Uses of keys.
const (
	PIN Use = iota + 1
	MAC
)

func (u Use) algorithm() keys.Algorithm {
	if u == PIN {
		return keys.TDES
	}
	return keys.AES
}

// Wrapped is a key on its way, under the master key of the zone (RFC 3394).
type Wrapped struct {
	Use   Use
	Key   []byte  // 24 bytes
	Check [4]byte // keys.KCV
}

// Line is the keys of one connection. Its methods may be called from any task.
type Line struct {
	master pay.Secret // AES; none: keys can't be changed
	yields bool

	mu      sync.Mutex
	current *Keys
	before  []aged // the newest first, at most MaxReplaced
	offered *Keys  // ours; whether the other side has taken it we have not heard yet
	yielded bool   // the other side's came meanwhile: ours is not to be used
	staged  pay.Secret
}

// aged is a generation that is accepted until its time.
type aged struct {
	*Keys
	until time.Time
}

// MaxReplaced bounds how many replaced generations are accepted at once: who
// changes keys more often than that within Grace loses messages under way.
const MaxReplaced = 4

// New begins with the keys that both sides hold. master may be none. yields: this
// side's own exchange gives way to the other's. Errors: keys.ErrKey.
func New(master, pin, mac pay.Secret, yields bool) (*Line, error) {
	first, err := generation(pin, mac)
	if err != nil {
		return nil, err
	}
	if master.Len() > 0 {
		if _, err := keys.KCV(master, keys.AES); err != nil {
			return nil, fmt.Errorf("zone master key: %w", err)
		}
	}
	return &Line{master: master, yields: yields, current: first}, nil
}

func generation(pin, mac pay.Secret) (*Keys, error) {
	if _, err := keys.KCV(pin, keys.TDES); err != nil {
		return nil, fmt.Errorf("zone PIN key: %w", err)
	}
	m, err := keys.CMAC(mac)
	if err != nil {
		return nil, fmt.Errorf("MAC key: %w", err)
	}
	return &Keys{PIN: pin, MAC: m}, nil
}

// Exchanges reports whether keys can be changed: whether there is a master key.
func (l *Line) Exchanges() bool { return l.master.Len() > 0 }

// Current is the generation to send with.
func (l *Line) Current() *Keys {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Verify finds the generation that a message was made with: the first of the
// current, the offered and the replaced one for which check is nil. Else it
// returns what check said of the current one.
func (l *Line) Verify(now time.Time, check func(*keys.AESCMAC) error) (*Keys, error) {
	l.mu.Lock()
	first, offered := l.current, l.offered
	var before [MaxReplaced]aged
	copy(before[:], l.before)
	l.mu.Unlock()
	err := check(first.MAC)
	if err == nil {
		return first, nil
	}
	if offered != nil && check(offered.MAC) == nil {
		return offered, nil
	}
	for _, k := range before {
		if k.Keys != nil && !now.After(k.until) && check(k.MAC) == nil {
			return k.Keys, nil
		}
	}
	return nil, err
}

// Offer draws a generation and gives it as it travels: the PIN key, which the
// other side only keeps, then the MAC key, with which it takes both. The other
// side's answers may come under it from now on. End it with Confirm or Withdraw.
// Errors: ErrBusy, ErrRefused where there is no master key, random's.
func (l *Line) Offer(random io.Reader) (pin, mac Wrapped, err error) {
	if !l.Exchanges() {
		return pin, mac, fmt.Errorf("%w: the zone has no master key", ErrRefused)
	}
	drawn := make([]byte, 2*KeySize)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return pin, mac, err
	}
	pinKey, macKey := pay.NewSecret(drawn[:KeySize]), pay.NewSecret(drawn[KeySize:])
	k, err := generation(pinKey, macKey)
	if err != nil {
		return pin, mac, err
	}
	if pin, err = l.wrap(PIN, pinKey); err != nil {
		return pin, mac, err
	}
	if mac, err = l.wrap(MAC, macKey); err != nil {
		return pin, mac, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.offered != nil || l.yields && l.staged.Len() > 0 {
		return Wrapped{}, Wrapped{}, ErrBusy
	}
	// What the other side has half done ends here: its MAC key, sent before it
	// knew of ours or after, will be refused.
	l.offered, l.yielded, l.staged = k, false, pay.Secret{}
	return pin, mac, nil
}

func (l *Line) wrap(u Use, key pay.Secret) (w Wrapped, err error) {
	w.Use = u
	if w.Key, err = keys.Wrap(l.master, key); err != nil {
		return w, err
	}
	w.Check, err = keys.KCV(key, u.algorithm())
	return w, err
}

// Confirm says that the other side has taken the offer: it is used from now on.
func (l *Line) Confirm(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.offered == nil:
	case l.yielded:
		l.retire(l.offered, now) // the other side used it until its own came
	default:
		l.use(l.offered, now)
	}
	l.offered = nil
}

// Withdraw says that the other side has refused the offer: the keys stay. Where
// it is not known what the other side did, end the connection instead.
func (l *Line) Withdraw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offered = nil
}

func (l *Line) use(k *Keys, now time.Time) {
	l.retire(l.current, now)
	l.current = k
}

// retire keeps a generation for its grace.
func (l *Line) retire(k *Keys, now time.Time) {
	l.before = append([]aged{{k, now.Add(Grace)}}, l.before[:min(len(l.before), MaxReplaced-1)]...)
}

// Take accepts a key of the other side's offer. The PIN key waits for the MAC
// key; with that the generation is in use. Errors: ErrRefused, ErrBusy.
func (l *Line) Take(w Wrapped, now time.Time) error {
	if !l.Exchanges() {
		return fmt.Errorf("%w: the zone has no master key", ErrRefused)
	}
	key, err := l.open(w)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.offered != nil && !l.yields:
		return ErrBusy
	case w.Use == PIN:
		l.staged = key
		return nil
	case l.staged.Len() == 0:
		return fmt.Errorf("%w: a MAC key without the PIN key of its generation", ErrRefused)
	}
	pin := l.staged
	l.staged = pay.Secret{}
	k, err := generation(pin, key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	l.yielded = true
	l.use(k, now)
	return nil
}

func (l *Line) open(w Wrapped) (pay.Secret, error) {
	if w.Use != PIN && w.Use != MAC || len(w.Key) != KeySize+8 {
		return pay.Secret{}, fmt.Errorf("%w: want a PIN or MAC key of %d bytes, wrapped", ErrRefused, KeySize)
	}
	key, err := keys.Unwrap(l.master, w.Key)
	if err != nil {
		return pay.Secret{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	check, err := keys.KCV(key, w.Use.algorithm())
	if err != nil || subtle.ConstantTimeCompare(check[:], w.Check[:]) != 1 {
		key.Wipe()
		return pay.Secret{}, fmt.Errorf("%w: its check value does not fit", ErrRefused)
	}
	return key, nil
}
