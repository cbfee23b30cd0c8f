package issuer

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"huika/card/perso"
	"huika/emv/cryptogram"
	"huika/iso8583/cup"
	"huika/pay"
)

// approved is the F39 of an approval.
const approved = "00"

// account is one customer's account with the one card on it.
type account struct {
	perso.Account
	ref     AccountRef
	balance int64 // fen
	held    int64 // fen of the balance that open pre-authorisations hold
	tries   int   // PIN tries left
	atc     atcWindow
}

func (a *account) available() int64 { return a.balance - a.held }

// payment is one decided request, or a tombstone.
type payment struct {
	decision  Record // of Kind Decision; of Kind Tombstone where the request never came
	entombed  bool   // a reversal came first; decision may still be the late request's refusal
	reversed  bool
	accountOf *account // nil where unknown

	original *payment // what it follows, where it was approved
	credited int64    // fen that voids and refunds that stand give back of it
	closed   bool     // a void, cancel or completion of it stands
}

// stands reports whether an approval has not been reversed.
func (p *payment) stands() bool {
	return p.decision.Kind == Decision && p.decision.Code == approved && !p.reversed
}

// debit is what the customer has paid for p as things stand, in fen. What gives
// back is counted at what it gives back of, so that a reversal of the one and
// of the other, in any order, never gives back twice.
func (p *payment) debit() int64 {
	if p == nil || !p.stands() || p.decision.Transaction.rule().effect != debits {
		return 0
	}
	return p.decision.Amount - p.credited
}

// hold is what p holds as things stand, in fen.
func (p *payment) hold() int64 {
	if p == nil || !p.stands() || p.closed || p.decision.Transaction.rule().effect != holds {
		return 0
	}
	return p.decision.Amount
}

// claims marks (sign 1) or unmarks (-1) what p takes of its original.
func (p *payment) claims(sign int64) {
	if p.original == nil {
		return
	}
	r := p.decision.Transaction.rule()
	if r.effect == credits {
		p.original.credited += sign * p.decision.Amount
	}
	if r.claim != part { // nobody else could claim it meanwhile
		p.original.closed = sign > 0
	}
}

// settle makes a change to p and moves the account by the difference.
func (p *payment) settle(change func()) {
	debit, hold := p.debit()+p.original.debit(), p.hold()+p.original.hold()
	change()
	if p.accountOf != nil {
		p.accountOf.balance += debit - p.debit() - p.original.debit()
		p.accountOf.held += p.hold() + p.original.hold() - hold
	}
}

// state is all that an issuer knows: a pure function of its Config and of the
// records in order. Nothing here waits, reads a clock or writes a record.
type state struct {
	accounts []*account
	byPAN    map[string]*account
	byRef    map[AccountRef]*account
	payments map[string]*payment
	traces   map[string]string // trace to key; "" where several keys share it
	order    []string          // keys in the order of their first record
	refKey   []byte
	printKey []byte
	keys     map[string]perso.MasterKeys // by scheme
}

// subkey derives a key for one purpose from the issuer master key.
func subkey(imk pay.Secret, purpose string) []byte {
	h := hmac.New(sha256.New, imk.Reveal())
	h.Write([]byte("huika issuer " + purpose))
	return h.Sum(nil)
}

func newState(accounts []perso.Account, imk pay.Secret, keys map[string]perso.MasterKeys) (*state, error) {
	s := &state{
		byPAN:    make(map[string]*account, len(accounts)),
		byRef:    make(map[AccountRef]*account, len(accounts)),
		payments: make(map[string]*payment),
		traces:   make(map[string]string),
		refKey:   subkey(imk, "account reference"),
		printKey: subkey(imk, "fingerprint"),
		keys:     map[string]perso.MasterKeys{perso.UnionPay: {Cryptogram: imk}},
	}
	for name, k := range keys {
		if name == perso.UnionPay {
			k.Cryptogram = imk
		}
		s.keys[name] = k
	}
	for _, from := range accounts {
		pan := from.PAN.Reveal()
		if s.byPAN[pan] != nil {
			return nil, fmt.Errorf("issuer: two accounts for %s", from.PAN)
		}
		if from.Scheme == "" {
			from.Scheme = perso.UnionPay
		}
		// Every scheme derives from keys of this length and such a number.
		key, err := cryptogram.PBOC01.CardKey(s.keys[from.Scheme].Cryptogram, from.PAN, from.PSN)
		if err != nil {
			return nil, fmt.Errorf("issuer: account %s of %s: %w", from.PAN, from.Scheme, err)
		}
		key.Wipe()
		a := &account{Account: from, balance: from.Balance, tries: from.PINTries}
		h := hmac.New(sha256.New, s.refKey)
		h.Write([]byte(pan))
		copy(a.ref[:], h.Sum(nil))
		if s.byRef[a.ref] != nil {
			return nil, errors.New("issuer: two accounts with one reference")
		}
		s.accounts = append(s.accounts, a)
		s.byPAN[pan], s.byRef[a.ref] = a, a
	}
	return s, nil
}

// fingerprint is a keyed hash of a message's content.
func (s *state) fingerprint(content []byte) (f [16]byte) {
	h := hmac.New(sha256.New, s.printKey)
	h.Write(content)
	copy(f[:], h.Sum(nil))
	return f
}

// authCode is F38 of an approval: six digits that follow from the payment's key.
func (s *state) authCode(key string) string {
	h := hmac.New(sha256.New, s.printKey)
	h.Write([]byte("authorisation code " + key))
	sum := h.Sum(nil)
	code := make([]byte, 6)
	for i := range code {
		code[i] = '0' + sum[i]%10
	}
	return string(code)
}

// ErrHistory says that the records contradict the accounts or each other.
var ErrHistory = errors.New("issuer: records contradict each other")

// apply is the one place where a record changes anything: for a decision just
// made as for one replayed at start.
func (s *state) apply(r Record) error {
	p := s.payments[r.Key]
	switch r.Kind {
	case Decision:
		if p != nil && p.decision.Kind == Decision {
			return fmt.Errorf("%w: decided twice", ErrHistory)
		}
		if p == nil {
			p = s.add(r.Key)
		}
		return s.applyDecision(p, r)
	case Reversal:
		if p == nil || p.decision.Kind != Decision || p.reversed {
			return fmt.Errorf("%w: reversal of nothing", ErrHistory)
		}
		p.settle(func() {
			p.claims(-1)
			p.reversed = true
		})
	case Tombstone:
		if p != nil {
			return fmt.Errorf("%w: tombstone on a decided request", ErrHistory)
		}
		p = s.add(r.Key)
		p.decision, p.entombed = r, true
	default:
		return fmt.Errorf("%w: kind %d", ErrHistory, r.Kind)
	}
	return nil
}

func (s *state) add(key string) *payment {
	p := &payment{}
	s.payments[key] = p
	s.order = append(s.order, key)
	if trace, ok := traceOf(key); ok {
		if _, shared := s.traces[trace]; shared {
			s.traces[trace] = ""
		} else {
			s.traces[trace] = key
		}
	}
	return p
}

// find looks up what a follow-up names. A follow-up may come from another
// terminal than its original, of the same merchant: F90 has no terminal, so
// F7, F11 and F32 must then name one payment of the merchant alone.
func (s *state) find(o cup.Original, terminal, merchant string) (string, *payment) {
	key, err := paymentKey(o.Transmission, o.STAN, o.Acquirer, terminal, merchant)
	if err != nil {
		return "", nil
	}
	if p := s.payments[key]; p != nil {
		return key, p
	}
	if trace, ok := traceOf(key); ok {
		key = s.traces[trace]
	}
	return key, s.payments[key]
}

func (s *state) applyDecision(p *payment, r Record) error {
	a := s.byRef[r.Account]
	p.accountOf = a
	if r.Code != approved {
		p.decision = r
	} else if err := s.approve(p, r); err != nil {
		return err
	}
	if a == nil {
		return nil // an account that the configuration no longer has
	}
	if r.HasATC {
		a.atc.use(r.ATC)
	}
	switch r.PIN {
	case PINNone:
	case PINRight:
		a.tries = a.PINTries
	case PINWrong:
		a.tries = max(0, a.tries-1)
	}
	return nil
}

func (s *state) approve(p *payment, r Record) error {
	is := r.Transaction.rule()
	switch {
	case p.entombed:
		return fmt.Errorf("%w: a reversed %s was approved", ErrHistory, is.name)
	case p.accountOf == nil && is.effect != asks:
		return fmt.Errorf("%w: a %s of an account that is not configured", ErrHistory, is.name)
	}
	var o *payment
	if is.claim != noClaim {
		o = s.payments[r.Original]
		if o == nil || o.decision.Kind != Decision || o.decision.Code != approved || o.accountOf != p.accountOf || !is.follows(o.decision.Transaction) {
			return fmt.Errorf("%w: a %s of nothing", ErrHistory, is.name)
		}
		if _, why := o.claimable(is.claim, r.Amount); why != "" {
			return fmt.Errorf("%w: a %s, but %s", ErrHistory, is.name, why)
		}
	}
	p.original = o
	p.settle(func() {
		p.decision = r
		p.claims(1)
	})
	return nil
}

// atcWindow is which application transaction counters a card has used: the
// highest, and a bit for each of the 64 up to it. Gaps are normal (a tap that
// never came online); so is a little disorder between two terminals. Older
// than the window counts as used.
type atcWindow struct {
	high uint16
	used uint64 // bit i: high-i was used
	any  bool
}

const atcWindowSize = 64

func (w *atcWindow) fresh(atc uint16) bool {
	if atc == 0 { // a card counts before its first cryptogram
		return false
	}
	if !w.any || atc > w.high {
		return true
	}
	back := w.high - atc
	return back < atcWindowSize && w.used&(1<<back) == 0
}

func (w *atcWindow) use(atc uint16) {
	switch {
	case !w.any:
		w.high, w.used, w.any = atc, 1, true
	case atc > w.high:
		w.used = w.used<<(atc-w.high) | 1 // a shift by 64 or more gives 0
		w.high = atc
	case w.high-atc < atcWindowSize:
		w.used |= 1 << (w.high - atc)
	}
}

// shanghai is the zone of business days and of card expiry; China has no summer time.
var shanghai = time.FixedZone("CST", 8*60*60)
