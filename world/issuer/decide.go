package issuer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/pay"
	"huika/rt"
)

// job is one message that waits for its decision.
type job struct {
	message *iso8583.Message
	print   [16]byte
	answer  *rt.Future[*iso8583.Message]
}

// handle is one message's whole way: check the MAC, wait for the decision to
// be durable, answer.
func (i *Issuer) handle(ctx context.Context, c *link.Conn, frame []byte) {
	defer clear(frame) // it held card data
	m := iso8583.NewMessage()
	defer m.Reset()
	if err := cup.Decode(frame, m); err != nil {
		i.config.Log.Warn("undecodable message, connection closed", "conn", c.ID(), "why", err)
		c.Close()
		return
	}
	if m.IsResponse() {
		i.config.Log.Warn("unexpected answer ignored", "mti", m.MTI())
		return
	}
	if err := cup.CheckMAC(frame, i.mac); err != nil {
		i.config.Log.Warn("message refused", "mti", m.MTI(), "stan", m.Get(11), "why", err)
		i.send(ctx, c, respond(m, codeMAC))
		return
	}
	if m.MTI() == cup.MTINetwork {
		i.send(ctx, c, respond(m, networkCode(m)))
		return
	}
	if _, ok := ruleOf(m); !ok && m.MTI() != cup.MTIReversal {
		i.send(ctx, c, respond(m, codeTransaction))
		return
	}
	j := &job{message: m, answer: rt.NewFuture[*iso8583.Message](i.env)}
	j.print = i.state.fingerprint(frame[:len(frame)-8]) // all but F128; the key is fixed at New
	if err := i.jobs.Put(j); err != nil {
		// No answer at all: an invented refusal could be followed by a doubled frame's approval.
		i.config.Log.Error("message dropped", "mti", m.MTI(), "stan", m.Get(11), "why", err)
		return
	}
	answer, err := j.answer.Get(ctx)
	if err != nil || answer == nil {
		return // ending, or over a limit that decideAll has logged
	}
	if i.faults.TakeDrop() {
		i.config.Log.Info("answer dropped by command", "mti", answer.MTI(), "stan", answer.Get(11))
		return
	}
	i.send(ctx, c, answer)
}

func networkCode(m *iso8583.Message) string {
	switch m.Get(70) {
	case cup.NetworkSignOn, cup.NetworkSignOff, cup.NetworkEcho:
		return approved
	}
	return codeFormat
}

// send answers after the commanded delay.
func (i *Issuer) send(ctx context.Context, c *link.Conn, m *iso8583.Message) {
	if err := i.env.Sleep(ctx, i.faults.Delay()); err != nil {
		return // ending
	}
	frame, err := cup.Encode(nil, m, i.mac)
	if err == nil {
		err = c.Send(frame)
	}
	if err != nil {
		i.config.Log.Warn("answer not sent", "mti", m.MTI(), "stan", m.Get(11), "why", err)
	}
}

// repeated are the fields of a request that its answer repeats.
var repeated = []int{3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 70, 90}

func respond(request *iso8583.Message, code string) *iso8583.Message {
	m := iso8583.NewMessage()
	m.ResponseTo(request, repeated...)
	m.Set(39, code)
	return m
}

// decideAll takes whatever waits, decides it one by one, makes all records
// durable with one Append, and only then lets the answers go. It returns nil
// when ctx ends, else why the issuer can't go on.
func (i *Issuer) decideAll(ctx context.Context) error {
	var waiting []*job
	for {
		var err error
		if waiting, err = i.jobs.GetUpTo(ctx, maxBatch, waiting[:0]); err != nil {
			return nil // only ctx ends the queue
		}
		answers := make([]*iso8583.Message, len(waiting))
		records, err := i.decideBatch(waiting, answers)
		if err == nil && len(records) > 0 {
			err = i.config.Store.Append(records...)
		}
		if err != nil {
			i.mu.Lock()
			i.failed = fmt.Errorf("issuer: %w", err)
			i.mu.Unlock()
			i.config.Log.Error("issuer ends", "why", err)
			return i.failed
		}
		for n, j := range waiting {
			j.answer.Set(answers[n])
		}
		clear(waiting)
	}
}

// decideBatch decides in order, so that each decision sees those before it.
func (i *Issuer) decideBatch(waiting []*job, answers []*iso8583.Message) ([]Record, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failed != nil {
		return nil, i.failed
	}
	var records []Record
	for n, j := range waiting {
		answer, record := i.decide(j, i.env.Now())
		answers[n] = answer
		if record == nil {
			continue
		}
		if err := i.state.apply(*record); err != nil {
			return nil, err
		}
		records = append(records, *record)
	}
	return records, nil
}

// decide answers one message. A nil record changes nothing; a nil answer is not sent.
func (i *Issuer) decide(j *job, now time.Time) (*iso8583.Message, *Record) {
	m := j.message
	if m.MTI() == cup.MTIReversal {
		return i.decideReversal(m, now)
	}
	key, ok := Key(m)
	if !ok {
		i.log(m, codeFormat, "a field of the payment's key is missing")
		return respond(m, codeFormat), nil
	}
	p := i.state.payments[key]
	if p != nil && p.decision.Kind == Decision {
		if p.decision.Fingerprint != j.print {
			i.log(m, codeDuplicate, "same key, other content")
			return respond(m, codeDuplicate), nil
		}
		i.log(m, p.decision.Code, "repeated")
		return i.answer(m, p.decision), nil
	}
	r, ok := ruleOf(m)
	var v verdict
	switch {
	case !ok:
		return respond(m, codeTransaction), nil // handle asks before
	case p != nil:
		v = v.refuse(codeTransaction, "reversed before it came")
	case i.full():
		i.config.Log.Error("request not answered: too many payments remembered", "limit", i.config.MaxPayments)
		return nil, nil
	case r.claim != noClaim:
		v = i.judgeFollow(m, r)
	default:
		v = i.judge(m, r, now)
	}
	record := Record{
		Kind: Decision, Transaction: r.transaction, Key: key, Original: v.original, Amount: v.amount, Code: v.code, Fingerprint: j.print,
		HasATC: v.hasATC, ATC: v.atc, PIN: v.pin, RRN: m.Get(37), AtMS: now.UnixMilli(),
	}
	if v.account != nil {
		record.Account = v.account.ref
		if r.transaction == Balance && v.code == approved {
			record.Available = v.account.available()
		}
	}
	if v.hasATC {
		i.answerCard(&record, v)
	}
	i.log(m, v.code, v.reason)
	return i.answer(m, record), &record
}

// answerCard adds what the card is told: the answer to its cryptogram, and the script that was ordered.
func (i *Issuer) answerCard(r *Record, v verdict) {
	auth, err := v.icc.says.by.answer(i.state.keys[v.account.Scheme], &v.account.Account, &v.icc, v.code)
	if err != nil {
		i.config.Log.Error("no answer for the card", "why", err) // its key made the cryptogram a moment ago
		return
	}
	r.Auth = string(auth)
	o, ordered := i.orders[v.account.ref]
	if !ordered {
		return
	}
	delete(i.orders, v.account.ref)
	script, err := i.scripts(o, v)
	if err != nil {
		i.config.Log.Error("no script for the card", "why", err)
		return
	}
	r.Script = string(script)
}

func (i *Issuer) full() bool { return len(i.state.payments) >= i.config.MaxPayments }

func (i *Issuer) log(m *iso8583.Message, code, reason string) {
	i.config.Log.Info("decided", "mti", m.MTI(), "stan", m.Get(11), "rrn", m.Get(37), "code", code, "reason", reason)
}

// answer builds the answer from the request and the decision alone, so that
// a repeated request gets the same bytes.
func (i *Issuer) answer(m *iso8583.Message, r Record) *iso8583.Message {
	answer := respond(m, r.Code)
	answer.Set(15, time.UnixMilli(r.AtMS).In(shanghai).Format("0102"))
	if r.Code == approved {
		answer.Set(38, i.state.authCode(r.Key))
		if r.Transaction == Balance {
			answer.Set(54, additionalAmount(r.Available, i.config.Currency))
		}
	}
	if r.Auth != "" { // issuer authentication data (EMV Book 2, 8.2), and scripts
		answer.SetBytes(55, append(tlv.Append(nil, tag.IssuerAuthData, []byte(r.Auth)), r.Script...))
	}
	return answer
}

// additionalAmount is F54 with one amount: account type 00 (not named), amount
// type 02 (available), currency, C or D for its sign, twelve digits.
func additionalAmount(minor int64, currency pay.Currency) string {
	sign := "C"
	if minor < 0 {
		sign, minor = "D", -minor
	}
	return fmt.Sprintf("0002%s%s%012d", currency.Numeric(), sign, min(minor, pay.MaxMinor))
}

// decideReversal undoes a request, whatever it was. "00" and "25" both end the matter for the sender.
func (i *Issuer) decideReversal(m *iso8583.Message, now time.Time) (*iso8583.Message, *Record) {
	answer := func(code, reason string) *iso8583.Message {
		i.log(m, code, reason)
		return respond(m, code)
	}
	key, err := OriginalKey(m)
	if err != nil {
		return answer(codeFormat, "F90, F41 or F42 is missing or malformed"), nil
	}
	p := i.state.payments[key]
	switch {
	case p == nil && i.full():
		i.config.Log.Error("reversal not answered: too many payments remembered", "limit", i.config.MaxPayments)
		return nil, nil
	case p == nil:
		return answer(codeUnknown, "original unknown, remembered"), &Record{Kind: Tombstone, Key: key, AtMS: now.UnixMilli()}
	case p.entombed:
		return answer(codeUnknown, "original unknown, repeated"), nil
	case p.reversed:
		return answer(approved, "reversed before"), nil
	}
	is := p.decision.Transaction.rule()
	if is.mti != m.Get(90)[:4] || m.Has(3) && m.Get(3) != is.processing { // F90 was parsed for the key
		return answer(codeTransaction, "the original is of another kind"), nil
	}
	if p.decision.Code == approved {
		if m.Has(4) {
			if amount, err := strconv.ParseInt(m.Get(4), 10, 64); err != nil || amount != p.decision.Amount {
				return answer(codeOriginalAmount, "another amount than the original's"), nil
			}
		}
		if m.Has(2) && p.accountOf != i.state.byPAN[m.Get(2)] {
			return answer(codeCard, "another card than the original's"), nil
		}
	}
	return answer(approved, "reversed"), &Record{Kind: Reversal, Key: key, AtMS: now.UnixMilli()}
}

var errKey = errors.New("payment key: a field is missing")

// Key names a payment as both a request and its reversal do: F7, F11, F32 without
// leading zeros, F41 and F42. ok is false where one is missing.
func Key(m *iso8583.Message) (key string, ok bool) {
	key, err := paymentKey(m.Get(7), m.Get(11), m.Get(32), m.Get(41), m.Get(42))
	return key, err == nil
}

// OriginalKey is the Key of the request that a reversal means: F90, F41 and F42.
// Errors: that of cup.ParseOriginal, or a missing field.
func OriginalKey(m *iso8583.Message) (string, error) {
	original, err := cup.ParseOriginal(m.Get(90))
	if err != nil {
		return "", err
	}
	if !reversible(original.MTI) {
		return "", errKey
	}
	return paymentKey(original.Transmission, original.STAN, original.Acquirer, m.Get(41), m.Get(42))
}

// reversible reports whether F90 may name a message of that type.
func reversible(mti string) bool {
	return mti == cup.MTIFinancial || mti == cup.MTIAuthorisation || mti == cup.MTIAdvice
}

// traceOf is a key without its terminal.
func traceOf(key string) (trace string, ok bool) {
	const institution = 10 + 1 + 6 + 1 // where F32 begins
	if len(key) < institution {
		return "", false
	}
	end := strings.IndexByte(key[institution:], '|')
	merchant := strings.LastIndexByte(key, '|')
	if end < 0 || institution+end >= merchant {
		return "", false
	}
	return key[:institution+end] + key[merchant:], true
}

func paymentKey(transmission, stan, acquirer, terminal, merchant string) (string, error) {
	acquirer = strings.TrimLeft(acquirer, "0")
	if len(transmission) != 10 || len(stan) != 6 || acquirer == "" || terminal == "" || merchant == "" {
		return "", errKey
	}
	return strings.Join([]string{transmission, stan, acquirer, terminal, merchant}, "|"), nil
}
