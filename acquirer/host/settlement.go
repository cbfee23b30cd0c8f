package host

import (
	"context"
	"fmt"
	"strconv"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/pay"
)

// settlementKey is the one settlement that a batch has.
func settlementKey(k payment.Key) payment.Key {
	k.STAN, k.Kind = 0, payment.Settlement
	return k
}

// Result flags of field 48.
const (
	flagBalanced    = "1"
	flagNotBalanced = "2"
)

// totals48 is field 48 of a settlement: debits and credits of domestic cards
// (amount 12, count 3, each), the result flag, then the same of foreign cards.
// This host settles in one currency and leaves the second half at zero.
func totals48(t book.BatchTotals, flag string) string {
	return fmt.Sprintf("%012d%03d%012d%03d%s%030d%s", t.Debits, t.DebitCount%1000, t.Credits, t.CreditCount%1000, flag, 0, flagBalanced)
}

// settle compares a terminal's totals (0500) with the books. Where they agree
// the batch is closed; else the terminal uploads what it has and ends with 0320.
func (h *Host) settle(ctx context.Context, s *session, m *iso8583.Message) answer {
	key, code := parseKey(s, m, payment.Settlement)
	if code != "" {
		return answer{code: code}
	}
	// From here on the batch takes no payment, and none of it is under way.
	entry, first := h.flight.board(settlementKey(key), payment.Fingerprint{})
	if !first {
		return h.join(ctx, entry, payment.Fingerprint{})
	}
	a := answer{code: "09"} // its payments are still under way: settle again in a moment
	if !h.flight.inBatch(key) {
		a = h.closeBatch(ctx, s, key, m)
	}
	h.flight.land(settlementKey(key), entry, a)
	return a
}

func (h *Host) closeBatch(ctx context.Context, s *session, key payment.Key, m *iso8583.Message) answer {
	have, err := h.cfg.Store.Batch(ctx, book.LaneOf(key.Merchant, h.cfg.Lanes), key.Merchant, key.Terminal, key.Batch)
	if err != nil {
		h.cfg.Log.Warn("batch not added up", "terminal", key.Terminal, "batch", key.Batch, "err", err)
		return answer{code: "96"}
	}
	if have.Open > 0 {
		return answer{code: "09"} // its payments are still being resolved: settle again in a moment
	}
	const want = 31
	theirs := m.Get(48)
	if len(theirs) < want-1 {
		return answer{code: "30"}
	}
	flag := flagNotBalanced
	if theirs[:want-1] == totals48(have, "")[:want-1] {
		flag = flagBalanced
	}
	row := payment.Payment{Amount: pay.Money{Currency: pay.CNY}, ID: pay.PaymentID(m.Get(46))}
	res, err := h.commit.apply(ctx, book.Op{Event: payment.Admit, Key: settlementKey(key), At: h.now(), New: &row})
	if err == nil && flag == flagBalanced {
		res, err = h.commit.apply(ctx, book.Op{Event: payment.Approve, Key: settlementKey(key), At: h.now(), Response: "00"})
	}
	if err != nil {
		s.forget(key.Batch) // it may be closed
		return answer{code: "96", silent: ctx.Err() != nil}
	}
	s.note(key.Batch, res.Payment.State == payment.Approved)
	h.cfg.Log.Info("batch settled", "terminal", key.Terminal, "batch", key.Batch, "balanced", flag == flagBalanced, "debits", have.Debits, "credits", have.Credits)
	return answer{code: "00", totals: totals48(have, flag)}
}

// upload takes the batch that a terminal sends because the totals differ: each
// transaction is compared with the books and what differs is said in the log.
// Its end closes the batch: the books stand.
func (h *Host) upload(ctx context.Context, s *session, m *iso8583.Message) answer {
	key, code := parseKey(s, m, payment.Settlement)
	if code != "" {
		return answer{code: code}
	}
	f60, err := pos.ParseF60(m.Get(60))
	if err != nil {
		return answer{code: "30"}
	}
	switch f60.Network {
	case pos.NetworkSettlement:
		h.compareUpload(ctx, key, m)
		return answer{code: "00"}
	case pos.NetworkUploadEnd, pos.NetworkUploadEndOff:
	default:
		return answer{code: "30"}
	}
	res, err := h.commit.apply(ctx, book.Op{Event: payment.Approve, Key: settlementKey(key), At: h.now(), Response: "95"})
	switch {
	case err != nil:
		s.forget(key.Batch) // it may be closed
		return answer{code: "96", silent: ctx.Err() != nil}
	case res.Status == book.Missing:
		return answer{code: "25"} // no settlement was begun
	}
	s.note(key.Batch, true)
	h.cfg.Log.Warn("batch closed after upload: the totals did not agree", "terminal", key.Terminal, "batch", key.Batch)
	return answer{code: "00"}
}

// compareUpload says what the books know of one uploaded transaction.
func (h *Host) compareUpload(ctx context.Context, key payment.Key, m *iso8583.Message) {
	log := h.cfg.Log.With("terminal", key.Terminal, "batch", key.Batch, "stan", m.Get(11))
	o, found, err := h.original(ctx, &request{key: key, rule: payment.Rule{On: everyKind}}, m)
	switch {
	case err != nil:
		log.Warn("uploaded transaction not looked up", "err", err)
	case !found:
		log.Error("uploaded transaction is not in the books")
	case m.Get(4) != "" && m.Get(4) != fmt.Sprintf("%012d", o.Amount.Minor):
		log.Error("uploaded transaction has another amount in the books", "payment", o.ID)
	}
}

var everyKind = []payment.Kind{
	payment.Sale, payment.Void, payment.Refund, payment.PreAuth, payment.PreAuthCancel, payment.Completion, payment.CompletionVoid, payment.CompletionAdvice,
}

// note remembers whether a batch is closed.
func (s *session) note(batch string, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed == nil || len(s.closed) >= maxBatches {
		s.closed = map[string]bool{}
	}
	s.closed[batch] = closed
}

// forget makes the session look up again whether a batch is closed.
func (s *session) forget(batch string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.closed, batch)
}

// forgetBatches makes every session look up again which batches are closed.
func (h *Host) forgetBatches() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.terminals {
		s.mu.Lock()
		s.closed = nil
		s.mu.Unlock()
	}
}

// maxBatches bounds what a session remembers; the books know them all.
const maxBatches = 8

// batchOpen is "" where the terminal's batch takes payments, else the response code.
func (h *Host) batchOpen(ctx context.Context, s *session, key payment.Key) string {
	s.mu.Lock()
	closed, known := s.closed[key.Batch]
	s.mu.Unlock()
	if !known {
		p, found, err := h.cfg.Store.Find(ctx, book.LaneOf(key.Merchant, h.cfg.Lanes), settlementKey(key))
		if err != nil {
			return "96"
		}
		closed = found && p.State == payment.Approved
		s.note(key.Batch, closed)
	}
	if closed {
		return "90" // cut-over: the terminal signs in again and opens the next batch
	}
	return ""
}

// openBatch is the batch that a terminal goes on with: its own, or the next one
// that is not closed (the terminal may have missed that it was).
func (h *Host) openBatch(ctx context.Context, s *session, batch string) string {
	next := batch
	for range maxSkipped {
		if h.batchOpen(ctx, s, payment.Key{Merchant: s.terminal.Merchant, Terminal: s.terminal.ID, Batch: next}) != "90" {
			return next
		}
		n, err := strconv.Atoi(next)
		if err != nil || n >= 999_999 {
			n = 0
		}
		next = fmt.Sprintf("%06d", n+1)
	}
	return batch
}

// maxSkipped bounds the search for an open batch: a terminal misses one at most.
const maxSkipped = 16
