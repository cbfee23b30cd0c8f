package host

import (
	"context"
	"strconv"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/pay"
)

// reversal takes a terminal's 0400. It repeats the original's STAN and batch,
// so it finds the payment by its key. Answer 00 means: durable here, and the
// host sees to the rest; 25 means that no such payment ever came, and that it
// will be refused if it still does.
func (h *Host) reversal(ctx context.Context, s *session, m *iso8583.Message) answer {
	f60, err := pos.ParseF60(m.Get(60))
	if err != nil {
		return answer{code: "30"}
	}
	is, ok := reversedBy(m, f60)
	if !ok {
		return answer{code: "12"}
	}
	key, code := parseKey(s, m, is.kind)
	if code != "" {
		return answer{code: code}
	}
	reason := m.Get(39)
	switch reason {
	case "98", "96", "A0", "06":
	default:
		return answer{code: "30"}
	}
	for range reverseTurns {
		a, again := h.reverseOnce(ctx, key, reason, m)
		if !again {
			return a
		}
	}
	return answer{code: "96"}
}

// reverseTurns bounds how often a reversal looks again because its sale
// arrived between two looks; once is enough, unless the store misbehaves.
const reverseTurns = 4

func (h *Host) reverseOnce(ctx context.Context, key payment.Key, reason string, m *iso8583.Message) (a answer, again bool) {
	op := book.Op{Event: payment.Reverse, Key: key, At: h.now(), ReversalReason: reason}
	res, err := h.commit.apply(ctx, op)
	if err == nil && res.Status == book.Missing {
		op.Event = payment.ReverseAhead
		op.New = &payment.Payment{Amount: amount(m), Entry: m.Get(22)}
		if res, err = h.commit.apply(ctx, op); err == nil && res.Status == book.Stale {
			return answer{}, true // the sale came in between
		}
	}
	if err != nil { // the terminal tries again
		return answer{code: "96", silent: ctx.Err() != nil}, false
	}
	if res.Payment.State.Unresolved() { // also where an earlier try was written and nobody could say so
		h.resolvers.of(h.schemeNamed(res.Payment.Scheme)).wake.Wake()
	}
	log := h.cfg.Log.With("payment", res.Payment.ID, "rrn", res.Payment.RRN, "stan", key.STAN.String(), "terminal", key.Terminal)
	switch {
	case res.Payment.State == payment.Tombstone:
		log.Warn("reversal of a payment that never came: tombstone", "reason", reason)
		return answer{code: "25"}, false
	case res.Status == book.Applied:
		h.Stats.Reversals.Add(1)
		log.Info("terminal reverses", "reason", reason)
	}
	// Declined (Stale) has nothing to give back; a duplicate is answered like the first.
	return answer{code: "00", rrn: string(res.Payment.RRN)}, false
}

// amount reads F4 and F49 for a tombstone's row; what can't be read stays zero.
func amount(m *iso8583.Message) pay.Money {
	minor, err := strconv.ParseInt(m.Get(4), 10, 64)
	currency, cerr := pay.ParseCurrency(m.Get(49))
	if err != nil || cerr != nil || minor < 0 {
		return pay.Money{}
	}
	return pay.Money{Minor: minor, Currency: currency}
}
