package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/pay"
	"huika/rt"
)

// FollowUp is a refund, void or cancel that an operator asks for at the
// acquirer: no shop and no card is there. It goes the way of every payment
// (admit, scheme, settle); the card number is the original's, sealed.
type FollowUp struct {
	Kind     payment.Kind // one of OperatorKinds
	Original payment.Key
	Amount   pay.Money // of a refund; zero, and for the other kinds: all that is left
	// Token is the asker's idempotency key: the same token twice is one payment,
	// also over a restart.
	Token string
}

// OperatorKinds are what an operator may ask for.
var OperatorKinds = []payment.Kind{payment.Refund, payment.Void, payment.PreAuthCancel, payment.CompletionVoid}

// MaxFollowUps bounds the follow-ups of operators that are at work at once.
const MaxFollowUps = 64

// RefusedError says why a follow-up was not begun: nothing was written.
type RefusedError struct {
	payment.Refusal
}

func (e RefusedError) Error() string { return "refused with " + e.Code + ": " + e.Why }

// Errors of FollowUp.
var (
	// ErrOther: the token stands for another follow-up.
	ErrOther = errors.New("the idempotency key was used for another follow-up")
	// ErrTryAgain: nothing was written, and it may go better in a moment.
	ErrTryAgain = errors.New("the host can't take it at the moment")
)

// FollowUp carries one out and returns the payment as it stands then: approved,
// declined, or being reversed because the scheme did not answer in time. It
// goes on if ctx ends; the same token asks again. Errors: RefusedError,
// ErrOther, ErrTryAgain, ctx's.
func (h *Host) FollowUp(ctx context.Context, f FollowUp) (payment.Payment, error) {
	life := h.living()
	if life == nil || life.Err() != nil {
		return payment.Payment{}, fmt.Errorf("%w: it is not running", ErrTryAgain)
	}
	if !h.operators.take() {
		return payment.Payment{}, fmt.Errorf("%w: %d follow-ups are at work", ErrTryAgain, MaxFollowUps)
	}
	type end struct {
		p   payment.Payment
		err error
	}
	done := rt.NewFuture[end](h.env)
	h.env.Go("host operator", func() {
		defer h.operators.give()
		p, err := h.followUp(life, f)
		done.Set(end{p, err})
	})
	e, err := done.Get(ctx)
	if err != nil {
		return payment.Payment{}, err
	}
	return e.p, e.err
}

func (h *Host) followUp(ctx context.Context, f FollowUp) (payment.Payment, error) {
	req, m, err := h.operatorRequest(ctx, f)
	if err != nil {
		return payment.Payment{}, err
	}
	defer giveMessage(m)
	print := h.fingerprint(m)
	entry, first := h.flight.board(req.key, print)
	var a answer
	if first {
		a = h.carry(ctx, nil, nil, m, req, print)
		h.land(req.key, entry, a)
	} else {
		a = h.join(ctx, entry, print)
	}
	if ctx.Err() != nil {
		return payment.Payment{}, fmt.Errorf("%w: the host is ending; ask again with the same key", ErrTryAgain)
	}
	p, found, err := h.cfg.Store.Find(ctx, book.LaneOf(req.key.Merchant, h.cfg.Lanes), req.key)
	switch {
	case a.code == "94" || found && p.Fingerprint != print:
		return payment.Payment{}, ErrOther
	case err != nil:
		return payment.Payment{}, fmt.Errorf("%w: %w", ErrTryAgain, err)
	case found:
		return p, nil
	case a.why != "":
		return payment.Payment{}, RefusedError{payment.Refusal{Code: a.code, Why: a.why}}
	case a.code == "14":
		return payment.Payment{}, RefusedError{payment.Refusal{Code: a.code, Why: "the original's scheme is not configured any more"}}
	}
	return payment.Payment{}, fmt.Errorf("%w: response %s", ErrTryAgain, a.code)
}

// operatorRequest is the follow-up as a terminal's message would have been
// read. The message has what towards the scheme comes from one (F22, no card),
// and what its fingerprint is made of.
func (h *Host) operatorRequest(ctx context.Context, f FollowUp) (request, *iso8583.Message, error) {
	refuse := func(code, why string) (request, *iso8583.Message, error) {
		return request{}, nil, RefusedError{payment.Refusal{Code: code, Why: why}}
	}
	is := transaction{}
	for _, k := range OperatorKinds {
		if k == f.Kind {
			is = ofKind(k)
		}
	}
	if is.kind == 0 || f.Token == "" {
		return refuse("12", "an operator can't ask for this kind")
	}
	o, found, err := h.cfg.Store.Find(ctx, book.LaneOf(f.Original.Merchant, h.cfg.Lanes), f.Original)
	switch {
	case err != nil:
		return request{}, nil, fmt.Errorf("%w: %w", ErrTryAgain, err)
	case !found:
		return refuse("25", "there is no such original")
	}
	key, id, err := operatorKey(f)
	if err != nil {
		return request{}, nil, err
	}
	req := request{key: key, is: is, rule: is.kind.Rule(), id: id, cvm: "none", original: o, amt: f.Amount}
	row, begun, err := h.cfg.Store.Find(ctx, book.LaneOf(key.Merchant, h.cfg.Lanes), key)
	switch {
	case err != nil:
		return request{}, nil, fmt.Errorf("%w: %w", ErrTryAgain, err)
	case begun && f.Amount == (pay.Money{}):
		req.amt = row.Amount // what was left when it was first asked for
	case req.rule.Claim != payment.Part:
		if f.Amount != (pay.Money{}) && f.Amount != o.Amount {
			return refuse("64", "the amount is not the original's: leave it out, or refund a part")
		}
		req.amt = o.Amount
	case f.Amount == (pay.Money{}):
		req.amt = pay.Money{Minor: o.Amount.Minor - o.Held - o.Taken, Currency: o.Amount.Currency}
	}
	if req.amt.Minor <= 0 || req.amt.Minor > pay.MaxMinor {
		return refuse("64", "nothing is left of the original, or the amount is not one")
	}
	if req.rule.SameBatch && !begun {
		s, found, err := h.cfg.Store.Find(ctx, book.LaneOf(o.Key.Merchant, h.cfg.Lanes), settlementKey(o.Key))
		switch {
		case err != nil:
			return request{}, nil, fmt.Errorf("%w: %w", ErrTryAgain, err)
		case found && s.State == payment.Approved:
			return refuse("12", "the original's batch is closed: refund it instead")
		}
	}
	if code := h.cardOf(&req, o); code != "" {
		return refuse(code, "the original's card number can't be used: look at the log")
	}
	m := takeMessage()
	m.Set(3, is.shape().Processing)
	m.Set(4, fmt.Sprintf("%012d", req.amt.Minor))
	m.Set(22, entryOperator)
	m.Set(46, string(id))
	m.Set(49, req.amt.Currency.Numeric())
	m.Set(61, o.Key.String())
	return req, m, nil
}

// entryOperator is F22 of an operator's follow-up, as of a terminal's without a
// card: entered by hand, no PIN.
const entryOperator = "012"

// operatorKey makes a payment's key and id of a token, so that the token finds
// it again whatever happened between: a batch of the acquirer's own and a STAN,
// 43 bits of a digest. Two tokens that meet there have different fingerprints,
// and the second is told to use another one.
func operatorKey(f FollowUp) (payment.Key, pay.PaymentID, error) {
	b := binary.BigEndian.AppendUint16(nil, uint16(f.Kind))
	b = append(append(b, f.Original.String()...), 0)
	sum := sha256.Sum256(append([]byte("huika operator follow-up\x00"), append(b, f.Token...)...))
	id, err := pay.NewPaymentID(bytes.NewReader(sum[16:]))
	if err != nil {
		return payment.Key{}, "", err
	}
	n := binary.BigEndian.Uint64(sum[:])
	batch := []byte{payment.AcquirerBatch, 0, 0, 0, 0, 0}
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	for i := range batch[1:] {
		batch[i+1] = digits[n%32]
		n /= 32
	}
	return payment.Key{
		Merchant: f.Original.Merchant, Terminal: f.Original.Terminal, Batch: string(batch), STAN: pay.STAN(1 + n%999_999), Kind: f.Kind,
	}, id, nil
}

// living is the context of Run, nil before it.
func (h *Host) living() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life
}

// slots counts what is at work, up to MaxFollowUps.
type slots struct{ n atomic.Int64 }

func (s *slots) take() bool {
	if s.n.Add(1) > MaxFollowUps {
		s.n.Add(-1)
		return false
	}
	return true
}

func (s *slots) give() { s.n.Add(-1) }
