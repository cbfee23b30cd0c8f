package host

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/pay"
)

// request is what a terminal asks, checked.
type request struct {
	key      payment.Key
	is       transaction
	rule     payment.Rule
	id       pay.PaymentID
	pan      pay.PAN // of the message, or of the original where the message has none
	amt      pay.Money
	cvm      string
	pin      bool
	original payment.Payment // of a follow-up
}

// parse reads and checks the fields; code is the refusal, or "".
func (h *Host) parse(ctx context.Context, is transaction, key payment.Key, m *iso8583.Message) (r request, code string) {
	r = request{key: key, is: is, rule: is.kind.Rule(), id: pay.PaymentID(m.Get(46)), pin: m.Has(52), cvm: claimedCVM(m)}
	if r.amt, code = amountOf(m, r.rule); code != "" {
		return r, code
	}
	if code = r.card(m); code != "" {
		return r, code
	}
	if len(r.rule.On) > 0 {
		return r, h.follow(ctx, &r, m)
	}
	return r, ""
}

func amountOf(m *iso8583.Message, rule payment.Rule) (pay.Money, string) {
	currency, err := pay.ParseCurrency(m.Get(49))
	if err != nil {
		return pay.Money{}, "30"
	}
	if rule.Kind == payment.Balance {
		return pay.Money{Currency: currency}, ""
	}
	minor, err := strconv.ParseInt(m.Get(4), 10, 64)
	if err != nil || minor <= 0 {
		return pay.Money{}, "13"
	}
	return pay.Money{Minor: minor, Currency: currency}, ""
}

// card reads the card number. What asks for money from a card needs the chip's
// data; a follow-up may come without a card.
func (r *request) card(m *iso8583.Message) string {
	digits, _, _ := strings.Cut(m.Get(35), "=")
	if m.Has(2) {
		if m.Has(35) && digits != m.Get(2) {
			return "30" // F2 and F35 name two cards
		}
		digits = m.Get(2)
	}
	if digits == "" && len(r.rule.On) > 0 {
		return ""
	}
	var err error
	if r.pan, err = pay.ParsePAN(digits); err != nil {
		return "14"
	}
	if len(r.rule.On) == 0 && !m.Has(55) {
		return "30"
	}
	return ""
}

// follow finds the payment that a follow-up means: by its reference number
// (F37), else by batch and STAN (F61) at the same terminal. Whether it may be
// claimed is for the books to say.
func (h *Host) follow(ctx context.Context, r *request, m *iso8583.Message) string {
	o, found, err := h.original(ctx, r, m)
	switch {
	case err != nil:
		h.cfg.Log.Warn("original not looked up", "err", err)
		return "96"
	case !found:
		return "25"
	case r.rule.Claim == payment.Complete && m.Get(38) != o.AuthCode:
		return "25" // the authorisation code is the proof that the shop has the slip
	case m.Has(38) && m.Get(38) != o.AuthCode:
		return "25"
	}
	return h.cardOf(r, o)
}

// cardOf makes o the request's original and its card the request's; "" or the refusal.
func (h *Host) cardOf(r *request, o payment.Payment) string {
	digits, err := h.cfg.Sealer.Open(o.SealedPAN, payment.PANContext(o.Key))
	if err != nil {
		h.cfg.Log.Error("card number can't be opened", "payment", o.ID, "err", err)
		return "96"
	}
	defer clear(digits)
	pan, err := pay.ParsePAN(string(digits))
	switch {
	case err != nil:
		h.cfg.Log.Error("the stored card number is none", "payment", o.ID)
		return "96"
	case !r.pan.IsZero() && !r.pan.Equal(pan):
		return "14" // another card than the original's
	}
	r.pan, r.original = pan, o
	return ""
}

func (h *Host) original(ctx context.Context, r *request, m *iso8583.Message) (payment.Payment, bool, error) {
	lane := book.LaneOf(r.key.Merchant, h.cfg.Lanes)
	if rrn := m.Get(37); rrn != "" {
		return h.cfg.Store.FindRRN(ctx, lane, r.key.Merchant, pay.RRN(rrn), r.rule.On...)
	}
	o, err := pos.ParseOriginal(m.Get(61))
	if err != nil {
		return payment.Payment{}, false, nil
	}
	stan, err := strconv.ParseUint(o.STAN, 10, 32)
	if err != nil {
		return payment.Payment{}, false, nil
	}
	for _, kind := range r.rule.On {
		key := payment.Key{Merchant: r.key.Merchant, Terminal: r.key.Terminal, Batch: o.Batch, STAN: pay.STAN(stan), Kind: kind}
		if p, ok, err := h.cfg.Store.Find(ctx, lane, key); err != nil || ok {
			return p, ok, err
		}
	}
	return payment.Payment{}, false, nil
}

func parseKey(s *session, m *iso8583.Message, kind payment.Kind) (payment.Key, string) {
	f60, err := pos.ParseF60(m.Get(60))
	if err != nil {
		return payment.Key{}, "30"
	}
	stan, err := strconv.ParseUint(m.Get(11), 10, 32)
	if err != nil || stan == 0 {
		return payment.Key{}, "30"
	}
	return payment.Key{Merchant: s.terminal.Merchant, Terminal: s.terminal.ID, Batch: f60.Batch, STAN: pay.STAN(stan), Kind: kind}, ""
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

// fingerprint is a keyed digest of everything that makes two requests the same
// request. The PIN block is left out: a repeated message may be enciphered anew.
func (h *Host) fingerprint(m *iso8583.Message) payment.Fingerprint {
	b := make([]byte, 0, 512)
	for _, f := range [...]int{2, 3, 4, 22, 35, 37, 38, 46, 49, 61} {
		b = part(b, m.Get(f))
	}
	b = part(b, string(m.Bytes(55)))
	sum := sha256.Sum256(b)
	clear(b) // it held the card number
	return payment.Fingerprint(h.finger.Full(sum[:]))
}

// part appends a text with its length before it.
func part(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
