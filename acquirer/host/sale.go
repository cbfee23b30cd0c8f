package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
)

// request is what a terminal's sale asks, checked.
type request struct {
	key payment.Key
	id  pay.PaymentID
	pan pay.PAN
	amt pay.Money
	cvm string
	pin bool
}

// sale is a sale's whole way: admit, ask, settle, answer.
func (h *Host) sale(ctx context.Context, s *session, w *workingKeys, m *iso8583.Message) answer {
	req, code := parseSale(s, m)
	if code != "" {
		h.Stats.Refused.Add(1)
		return answer{code: code}
	}
	print := h.fingerprint(req, m)
	entry, first := h.flight.board(req.key, print)
	if !first {
		return h.join(ctx, entry, print)
	}
	a := h.work(ctx, w, m, req, print)
	h.flight.land(req.key, entry, a)
	return a
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

func (h *Host) work(ctx context.Context, w *workingKeys, m *iso8583.Message, req request, print payment.Fingerprint) answer {
	sc := h.route(req.pan)
	if sc == nil {
		return answer{code: "14"}
	}
	var pin []byte
	if req.pin {
		block, err := keys.TranslatePIN(m.Bytes(52), w.pin, sc.cfg.ZPK)
		if err != nil {
			return answer{code: "30"}
		}
		pin = block[:]
		defer clear(pin)
	}
	p, a, ok := h.admit(ctx, sc, m, req, print)
	if !ok {
		return a
	}
	log := h.cfg.Log.With("payment", p.ID, "rrn", p.RRN, "stan", p.Key.STAN.String(), "terminal", p.Key.Terminal)
	log.Info("admitted", "amount", p.Amount.String(), "card", p.MaskedPAN, "scheme", p.Scheme, "cvm", p.CVM)
	reply, err := sc.ask(ctx, p, m, req.pan, pin)
	op := h.settlement(p, reply, err)
	res, cerr := h.commit.must(ctx, op)
	if cerr != nil {
		log.Error("result not written: no answer", "err", cerr)
		return answer{silent: true}
	}
	if res.Status == book.Stale {
		log.Warn("answer came after the payment was given up", "state", res.Payment.State.String())
		h.resolver.wake.Wake()
		return answer{silent: true}
	}
	return h.ended(log.With("response", res.Payment.Response), op, res.Payment, reply, err)
}

// admit writes the payment down before any scheme hears of it. ok is false
// where the answer is known already.
func (h *Host) admit(ctx context.Context, sc *scheme, m *iso8583.Message, req request, print payment.Fingerprint) (payment.Payment, answer, bool) {
	now := h.now()
	box, err := h.cfg.Sealer.Seal([]byte(req.pan.Reveal()), payment.PANContext(req.key))
	if err != nil {
		h.cfg.Log.Error("card number can't be sealed", "err", err)
		return payment.Payment{}, answer{code: "96"}, false
	}
	stan := h.nextSTAN()
	row := payment.Payment{
		ID: req.id, Fingerprint: print, Amount: req.amt, SealedPAN: box, MaskedPAN: req.pan.Masked(),
		RRN: pay.RRN(rrn(now.In(h.cfg.Location).Format("06002"), now.In(h.cfg.Location).Hour(), stan)), Entry: m.Get(22), CVM: req.cvm,
		Scheme: sc.cfg.Name, SchemeSTAN: stan, SchemeTime: schemeTime(now),
	}
	res, err := h.commit.apply(ctx, book.Op{Event: payment.Admit, Key: req.key, At: now, New: &row})
	switch {
	case err != nil:
		// Nothing was written (queue full, or not applied), or the host is ending.
		h.Stats.Full.Add(1)
		return payment.Payment{}, answer{code: "96", silent: ctx.Err() != nil}, false
	case res.Status == book.Mismatch:
		return payment.Payment{}, answer{code: "94"}, false
	case res.Status != book.Applied:
		return payment.Payment{}, stored(res.Payment), false
	}
	h.Stats.Admitted.Add(1)
	return res.Payment, answer{}, true
}

// rrn is Y DDD HH NNNNNN: the last digit of the year, the day, the hour, the scheme STAN.
func rrn(yearDay string, hour int, stan pay.STAN) string {
	return fmt.Sprintf("%s%02d%s", yearDay[1:], hour, stan)
}

// stored answers a message that repeats an ended payment.
func stored(p payment.Payment) answer {
	switch p.State {
	case payment.Approved, payment.Declined:
		return answer{code: p.Response, rrn: string(p.RRN), auth: p.AuthCode}
	case payment.Tombstone, payment.Reversing, payment.Reversed:
		return answer{code: "12", rrn: string(p.RRN)} // it was reversed: start anew
	}
	return answer{code: "91", rrn: string(p.RRN)} // an earlier life admitted it; the resolver is reversing it
}

// settlement is the operation that ends a payment, by what the scheme said.
func (h *Host) settlement(p payment.Payment, reply *iso8583.Message, err error) book.Op {
	op := book.Op{Key: p.Key, At: h.now()}
	switch {
	case errors.Is(err, errNotAsked):
		op.Event, op.Response = payment.DropUnrouted, "91"
	case err != nil:
		op.Event, op.Response, op.ReversalReason = payment.Reverse, "91", "98"
	case reply.Get(39) == "00":
		op.Event, op.Response, op.AuthCode = payment.Approve, "00", reply.Get(38)
	default:
		op.Event, op.Response = payment.Decline, reply.Get(39)
	}
	return op
}

func (h *Host) ended(log logger, op book.Op, p payment.Payment, reply *iso8583.Message, err error) answer {
	a := answer{code: op.Response, rrn: string(p.RRN), auth: p.AuthCode}
	switch op.Event {
	case payment.Approve:
		h.Stats.Approved.Add(1)
		log.Info("approved")
	case payment.Reverse:
		h.Stats.Reversals.Add(1)
		h.resolver.wake.Wake()
		log.Warn("no answer from the scheme: reversing", "err", err)
	default:
		h.Stats.Declined.Add(1)
		log.Info("declined", "err", err)
	}
	if reply != nil && reply.Has(55) {
		a.issuer = append([]byte(nil), reply.Bytes(55)...)
	}
	return a
}

type logger interface {
	Info(string, ...any)
	Warn(string, ...any)
}

// parseSale reads and checks the fields; code is the refusal, or "".
func parseSale(s *session, m *iso8583.Message) (request, string) {
	key, code := parseKey(s, m)
	if code != "" {
		return request{}, code
	}
	r := request{key: key, id: pay.PaymentID(m.Get(46)), pin: m.Has(52)}
	minor, err := strconv.ParseInt(m.Get(4), 10, 64)
	if err != nil || minor <= 0 {
		return r, "13"
	}
	currency, err := pay.ParseCurrency(m.Get(49))
	if err != nil {
		return r, "30"
	}
	r.amt = pay.Money{Minor: minor, Currency: currency}
	digits, _, _ := strings.Cut(m.Get(35), "=")
	if m.Has(2) {
		if m.Has(35) && digits != m.Get(2) {
			return r, "30" // F2 and F35 name two cards
		}
		digits = m.Get(2)
	}
	if r.pan, err = pay.ParsePAN(digits); err != nil {
		return r, "14"
	}
	if m.Get(3) != pos.ProcessSale || !m.Has(55) {
		return r, "30"
	}
	r.cvm = claimedCVM(m)
	return r, ""
}

func parseKey(s *session, m *iso8583.Message) (payment.Key, string) {
	f60, err := pos.ParseF60(m.Get(60))
	if err != nil {
		return payment.Key{}, "30"
	}
	stan, err := strconv.ParseUint(m.Get(11), 10, 32)
	if err != nil || stan == 0 {
		return payment.Key{}, "30"
	}
	return payment.Key{Merchant: s.terminal.Merchant, Terminal: s.terminal.ID, Batch: f60.Batch, STAN: pay.STAN(stan), Kind: payment.Sale}, ""
}

// claimedCVM is what the terminal says was verified: F52, else CVM Results 9F34.
func claimedCVM(m *iso8583.Message) string {
	if m.Has(52) {
		return "online_pin"
	}
	if v, ok := tlv.Find(m.Bytes(55), tag.CVMResults); ok && len(v) == 3 {
		switch v[0] & 0x3F {
		case 0x02:
			return "online_pin"
		case 0x1E:
			return "signature"
		case 0x01:
			return "cdcvm"
		}
	}
	return "none"
}

// fingerprint is a keyed digest of everything that makes two sales the same
// sale. The PIN block is left out: a repeated message may be enciphered anew.
func (h *Host) fingerprint(r request, m *iso8583.Message) payment.Fingerprint {
	d := sha256.New()
	for _, part := range []string{string(r.id), r.pan.Reveal(), r.amt.String(), m.Get(3), m.Get(22), string(m.Bytes(55))} {
		_, _ = fmt.Fprintf(d, "%d:%s;", len(part), part) // hash.Hash never fails
	}
	return payment.Fingerprint(h.finger.Full(d.Sum(nil)))
}
