package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/scheme"
	"huika/pay"
	"huika/rt"
)

// transact is a payment's whole way: admit, ask, settle, answer. Copies of a
// message that come meanwhile join it, and so get its answer.
func (h *Host) transact(ctx context.Context, s *session, w *workingKeys, m *iso8583.Message) answer {
	is, ok := transactionOf(m)
	if !ok {
		h.Stats.Refused.Add(1)
		return answer{code: "12"}
	}
	key, code := parseKey(s, m, is.kind)
	if code != "" {
		h.Stats.Refused.Add(1)
		return answer{code: code}
	}
	print := h.fingerprint(m)
	entry, first := h.flight.board(key, print)
	if !first {
		return h.join(ctx, entry, print)
	}
	a, again := s.refusedBefore(key, print)
	if !again {
		a = h.work(ctx, s, w, m, is, key, print)
	}
	h.land(key, entry, a)
	return a
}

// land ends a request's flight and wakes whoever has something to do after it.
func (h *Host) land(key payment.Key, entry *flown, a answer) {
	switch passed := h.flight.land(key, entry, a); {
	case passed: // a reversal of it was written while it was still in flight
		h.resolvers.wake()
	case a.open != nil:
		a.open.wake.Wake()
	}
}

// join gives a duplicate in flight the first one's answer.
func (h *Host) join(ctx context.Context, e *flown, print payment.Fingerprint) answer {
	if e.print != print {
		return answer{code: "94"}
	}
	a, err := e.end.Get(ctx)
	if err != nil {
		return answer{silent: true}
	}
	a.issuer = nil // the first answer's cryptogram is not repeated
	return a
}

// work reads a terminal's request and carries it out.
func (h *Host) work(ctx context.Context, s *session, w *workingKeys, m *iso8583.Message, is transaction, key payment.Key, print payment.Fingerprint) answer {
	req, code := h.parse(ctx, is, key, m)
	if code == "" {
		code = h.takes(ctx, s, key)
	}
	if code != "" {
		return h.refused(ctx, s, key, print, payment.Refusal{Code: code})
	}
	return h.carry(ctx, s, w, m, req, print)
}

// carry is the way of every request that was read: admit, ask, settle. An
// operator's has no session and no working keys.
func (h *Host) carry(ctx context.Context, s *session, w *workingKeys, m *iso8583.Message, req request, print payment.Fingerprint) answer {
	sc := h.routeOf(req)
	if sc == nil {
		return h.refused(ctx, s, req.key, print, payment.Refusal{Code: "14"})
	}
	card := cardData{expiry: m.Get(14), sequence: m.Get(23), track2: m.Bytes(35), icc: m.Bytes(55)}
	if req.pin {
		card.pin = &blindPIN{m.Bytes(52), w.pin} // it goes under the scheme's key when the link is chosen
	}
	p, a, ok := h.admit(ctx, s, sc, m, req, print)
	if !ok {
		return a
	}
	owes := h.resolvers.of(sc)
	if req.rule.Advice { // it holds already; the resolver tells the scheme
		return answer{code: "00", rrn: string(p.RRN), auth: p.AuthCode, open: owes}
	}
	log := paymentLog{h.cfg.Log, p}
	log.say(slog.LevelInfo, "admitted", "kind", p.Key.Kind.String(), "amount", p.Amount.String(), "card", p.MaskedPAN, "scheme", p.Scheme, "cvm", p.CVM)
	reply := takeQuestion()
	defer giveQuestion(reply)
	err := sc.ask(ctx, p, req, &card, reply)
	op := h.settlement(p, reply, err)
	res, cerr := h.commit.must(ctx, op)
	if cerr != nil {
		log.say(slog.LevelError, "result not written: no answer", "err", cerr)
		return answer{silent: true, open: owes}
	}
	if res.Status == book.Stale {
		log.say(slog.LevelWarn, "answer came after the payment was given up", "state", res.Payment.State.String())
		return answer{silent: true, open: owes}
	}
	a = h.ended(paymentLog{h.cfg.Log, res.Payment}, op, reply, err)
	if op.Event == payment.Reverse {
		a.open = owes
	}
	return a
}

// admit writes the payment down before any scheme hears of it. ok is false
// where the answer is known already.
func (h *Host) admit(ctx context.Context, s *session, sc *cardScheme, m *iso8583.Message, req request, print payment.Fingerprint) (payment.Payment, answer, bool) {
	now := h.now()
	box, err := h.cfg.Sealer.Seal([]byte(req.pan.Reveal()), payment.PANContext(req.key))
	if err != nil {
		h.cfg.Log.Error("card number can't be sealed", "err", err)
		return payment.Payment{}, h.refused(ctx, s, req.key, print, payment.Refusal{Code: "96"}), false
	}
	stan := h.nextSTAN()
	row := payment.Payment{
		ID: req.id, Fingerprint: print, Amount: req.amt, SealedPAN: box, MaskedPAN: req.pan.Masked(),
		RRN: pay.RRN(rrn(now.In(h.cfg.Location).Format("06002"), now.In(h.cfg.Location).Hour(), stan)), Entry: m.Get(22), CVM: req.cvm,
		Scheme: sc.cfg.Name, SchemeSTAN: stan, SchemeTime: schemeTime(now), Original: req.original.Key,
	}
	if h.cfg.Fee != nil && (req.rule.Moves == payment.MovesSale || req.rule.Moves == payment.MovesComplete) {
		row.Fee, row.FeeRule = h.cfg.Fee(req.key.Merchant, req.pan, req.amt)
	}
	op := book.Op{Event: payment.Admit, Key: req.key, At: now, New: &row}
	if req.rule.Advice {
		op.Event, op.Response, op.AuthCode = payment.Accept, "00", req.original.AuthCode
	}
	res, err := h.commit.apply(ctx, op)
	switch {
	case ctx.Err() != nil:
		return payment.Payment{}, answer{silent: true}, false
	case errors.Is(err, rt.ErrFull), errors.Is(err, book.ErrNotApplied), errors.Is(err, book.ErrFenced):
		h.Stats.Full.Add(1)
		return payment.Payment{}, h.refused(ctx, s, req.key, print, payment.Refusal{Code: "96"}), false
	case err != nil: // it may be written: then it is given up
		return payment.Payment{}, answer{silent: true, open: h.resolvers.of(sc)}, false
	case res.Status == book.Mismatch:
		return payment.Payment{}, answer{code: "94"}, false
	case res.Status == book.Refused:
		h.cfg.Log.Info("refused", "kind", req.key.Kind.String(), "original", req.original.ID, "response", res.Refusal.Code, "why", res.Refusal.Why)
		return payment.Payment{}, h.refused(ctx, s, req.key, print, res.Refusal), false
	case res.Status != book.Applied && !written(res.Payment, row, op.Event):
		a := stored(res.Payment)
		if res.Payment.State.Unresolved() {
			a.open = h.resolvers.of(h.schemeNamed(res.Payment.Scheme))
		}
		return payment.Payment{}, a, false
	}
	h.Stats.Admitted.Add(1)
	return res.Payment, answer{}, true
}

// written reports whether a duplicate is the very row that was to be written
// now: the store did not know whether it had been, and it had.
func written(have, row payment.Payment, e payment.Event) bool {
	t, _ := payment.Next(payment.None, e)
	return have.State == t.To && have.SchemeSTAN == row.SchemeSTAN && have.SchemeTime == row.SchemeTime
}

// rrn is Y DDD HH NNNNNN: the last digit of the year, the day, the hour, the scheme STAN.
func rrn(yearDay string, hour int, stan pay.STAN) string {
	return fmt.Sprintf("%s%02d%s", yearDay[1:], hour, stan)
}

// stored answers a message that repeats an ended payment.
func stored(p payment.Payment) answer {
	switch p.State {
	case payment.Approved, payment.Declined, payment.Undone, payment.Used, payment.Forwarding:
		return answer{code: p.Response, rrn: string(p.RRN), auth: p.AuthCode}
	case payment.Tombstone, payment.Reversing, payment.Reversed:
		return answer{code: "12", rrn: string(p.RRN)} // it was reversed: start anew
	}
	return answer{code: "91", rrn: string(p.RRN)} // an earlier life admitted it; the resolver is reversing it
}

// settlement is the operation that ends a payment, by what the scheme said.
func (h *Host) settlement(p payment.Payment, reply *scheme.Message, err error) book.Op {
	op := book.Op{Key: p.Key, At: h.now()}
	switch {
	case errors.Is(err, errNotAsked), err != nil && !p.Key.Kind.Rule().Reversible: // a question may go unanswered
		op.Event, op.Response = payment.DropUnrouted, "91"
	case err != nil:
		op.Event, op.Response, op.ReversalReason = payment.Reverse, "91", "98"
	case reply.Code == approved:
		op.Event, op.Response, op.AuthCode = payment.Approve, approved, reply.AuthCode
	default:
		op.Event, op.Response = payment.Decline, reply.Code
	}
	return op
}

func (h *Host) ended(log paymentLog, op book.Op, reply *scheme.Message, err error) answer {
	a := answer{code: op.Response, rrn: string(log.p.RRN), auth: log.p.AuthCode}
	switch op.Event {
	case payment.Approve:
		h.Stats.Approved.Add(1)
		log.say(slog.LevelInfo, "approved", "response", op.Response)
	case payment.Reverse:
		h.Stats.Reversals.Add(1)
		log.say(slog.LevelWarn, "no answer from the scheme: reversing", "err", err)
	default:
		h.Stats.Declined.Add(1)
		log.say(slog.LevelInfo, "declined", "response", op.Response, "err", err)
	}
	if err == nil {
		a.issuer = append([]byte(nil), reply.ICC...)
		a.balance = reply.Balances
	}
	return a
}

// paymentLog says what happens to one payment, under the ids that follow it
// through every part. A line that nobody wants costs nothing.
type paymentLog struct {
	log *slog.Logger
	p   payment.Payment
}

func (l paymentLog) say(level slog.Level, what string, args ...any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, what,
			append([]any{"payment", l.p.ID, "rrn", l.p.RRN, "stan", l.p.Key.STAN.String(), "terminal", l.p.Key.Terminal}, args...)...)
	}
}
