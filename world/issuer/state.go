package issuer

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"huika/card/perso"
	"huika/emv/cryptogram"
	"huika/pay"
)

// approved is the F39 of an approval.
const approved = "00"

// account is one customer's account with the one card on it.
type account struct {
	perso.Account
	ref     AccountRef
	key     pay.Secret // the card's cryptogram key
	balance int64      // fen
	tries   int        // PIN tries left
	atc     atcWindow
}

// payment is one decided sale, or a tombstone.
type payment struct {
	decision  Record // of Kind Decision; of Kind Tombstone where the sale never came
	entombed  bool   // a reversal came first; decision may still be the late sale's refusal
	reversed  bool
	accountOf *account // nil where unknown
}

// state is all that an issuer knows: a pure function of its Config and of the
// records in order. Nothing here waits, reads a clock or writes a record.
type state struct {
	accounts []*account
	byPAN    map[string]*account
	byRef    map[AccountRef]*account
	payments map[string]*payment
	order    []string // keys in the order of their first record
	refKey   []byte
	printKey []byte
}

// subkey derives a key for one purpose from the issuer master key.
func subkey(imk pay.Secret, purpose string) []byte {
	h := hmac.New(sha256.New, imk.Reveal())
	h.Write([]byte("huika issuer " + purpose))
	return h.Sum(nil)
}

func newState(accounts []perso.Account, imk pay.Secret) (*state, error) {
	s := &state{
		byPAN:    make(map[string]*account, len(accounts)),
		byRef:    make(map[AccountRef]*account, len(accounts)),
		payments: make(map[string]*payment),
		refKey:   subkey(imk, "account reference"),
		printKey: subkey(imk, "fingerprint"),
	}
	for _, from := range accounts {
		pan := from.PAN.Reveal()
		if s.byPAN[pan] != nil {
			return nil, fmt.Errorf("issuer: two accounts for %s", from.PAN)
		}
		key, err := cryptogram.PBOC01.CardKey(imk, from.PAN, from.PSN)
		if err != nil {
			return nil, fmt.Errorf("issuer: account %s: %w", from.PAN, err)
		}
		a := &account{Account: from, key: key, balance: from.Balance, tries: from.PINTries}
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
		p.decision = r
		return s.applyDecision(p, r)
	case Reversal:
		if p == nil || p.decision.Kind != Decision || p.reversed {
			return fmt.Errorf("%w: reversal of nothing", ErrHistory)
		}
		p.reversed = true
		if p.decision.Code == approved && p.accountOf != nil {
			p.accountOf.balance += p.decision.Amount
		}
	case Tombstone:
		if p != nil {
			return fmt.Errorf("%w: tombstone on a decided sale", ErrHistory)
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
	return p
}

func (s *state) applyDecision(p *payment, r Record) error {
	a := s.byRef[r.Account]
	p.accountOf = a
	if a == nil {
		// An account that the configuration no longer has; only a decision that moved money needs it.
		if r.Code == approved {
			return fmt.Errorf("%w: a debit of an account that is not configured", ErrHistory)
		}
		return nil
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
	if r.Code == approved {
		if p.entombed {
			return fmt.Errorf("%w: a reversed sale was approved", ErrHistory)
		}
		a.balance -= r.Amount
	}
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
