package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"huika/acquirer/book"
	"huika/iso8583"
	"huika/iso8583/link"
	"huika/iso8583/pos"
	"huika/iso8583/scheme"
	"huika/keys"
	"huika/pay"
)

// session is one terminal's working keys. They live in memory only: after a
// restart of the host a terminal is answered A0 and signs in again.
type session struct {
	terminal Terminal

	mu       sync.Mutex
	keys     *workingKeys
	closed   map[string]bool // batches of this life: whether they were closed
	refusals []refusal       // the newest, oldest first
	seen     time.Time       // the last message
}

type workingKeys struct {
	pin   pay.Secret
	mac   iso8583.MAC
	since time.Time
}

func (s *session) working() *workingKeys {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// code is the MAC of an answer, nil before the first sign-in.
func (w *workingKeys) code() iso8583.MAC {
	if w == nil {
		return nil
	}
	return w.mac
}

// answer is what a terminal is told: a response code and, where there is one,
// the payment's data.
type answer struct {
	code    string
	why     string // of a refusal, for an operator
	rrn     string
	auth    string
	issuer  []byte          // F55 of the answer: never stored
	balance string          // F54 of a balance inquiry: never stored
	totals  string          // F48 of a settlement
	silent  bool            // no reply: the terminal has given up, its reversal rules
	orders  pos.Requirement // of a management answer
	open    *resolver       // goes on with it; it passes over what is in flight, so it is woken after the landing
}

// messages are those of the hot path, used again: a message is large, and lives
// for one call.
var messages = sync.Pool{New: func() any { return iso8583.NewMessage() }}

func takeMessage() *iso8583.Message {
	m, _ := messages.Get().(*iso8583.Message) // the pool holds nothing else
	return m
}

// giveMessage wipes a message that nobody keeps a value of, and puts it back.
func giveMessage(m *iso8583.Message) {
	m.Reset()
	messages.Put(m)
}

// questions are what is said with schemes, used again like messages.
var questions = sync.Pool{New: func() any { return new(scheme.Message) }}

func takeQuestion() *scheme.Message {
	m, _ := questions.Get().(*scheme.Message) // the pool holds nothing else
	return m
}

// giveQuestion wipes a message, its byte slices too, and puts it back.
func giveQuestion(m *scheme.Message) {
	m.Wipe()
	questions.Put(m)
}

// cardData is what a request carries of the card for one question to a scheme:
// slices of the terminal's message, which is never kept.
type cardData struct {
	expiry, sequence string
	track2, icc      []byte
	pin              *blindPIN
}

// receive takes one frame from a terminal, in a task of its own.
func (h *Host) receive(ctx context.Context, c *link.Conn, frame []byte) {
	defer clear(frame)
	h.Stats.Messages.Add(1)
	m := takeMessage()
	defer giveMessage(m)
	hdr, err := pos.Decode(frame, m)
	if err != nil {
		h.refuse(c, "unreadable message", err)
		return // without a STAN there is nothing to answer
	}
	s, why := h.session(c, m)
	if s == nil {
		h.refuse(c, why, nil)
		h.reply(c, hdr, m, answer{code: "58"}, nil)
		return
	}
	switch mti := m.MTI(); mti {
	case pos.MTISignIn:
		if !h.serves(s) {
			h.refuse(c, "another host has this merchant's lane", nil)
			h.reply(c, hdr, m, answer{code: codeElsewhere}, nil)
			return
		}
		h.signInOrDownload(ctx, c, hdr, s, m, frame)
	case pos.MTIManagement:
		if !h.serves(s) {
			h.reply(c, hdr, m, answer{code: codeElsewhere}, s.working().code())
			return
		}
		h.manage(c, hdr, s, m, frame)
	case pos.MTIAuthorisation, pos.MTIFinancial, pos.MTIAdvice, pos.MTIReversal, pos.MTISettlement, pos.MTIUpload:
		w := s.working()
		if w == nil || pos.CheckMAC(frame, w.mac) != nil {
			h.refuse(c, "MAC", nil)
			h.reply(c, hdr, m, answer{code: "A0"}, nil)
			return
		}
		h.request(ctx, c, hdr, s, w, m)
	default:
		h.refuse(c, "message type "+mti, nil)
		h.reply(c, hdr, m, answer{code: "12"}, s.working().code())
	}
}

// codeElsewhere sends a terminal to the host that has its lane: it hangs up,
// dials and signs in again, and whoever stands between takes it there.
const codeElsewhere = "A0"

// serves reports whether this host owns the lane of the terminal's merchant.
func (h *Host) serves(s *session) bool {
	_, ours := h.lanes.epoch(book.LaneOf(s.terminal.Merchant, h.cfg.Lanes))
	return ours
}

// request answers a message whose MAC fits.
func (h *Host) request(ctx context.Context, c *link.Conn, hdr pos.Header, s *session, w *workingKeys, m *iso8583.Message) {
	var a answer
	switch mti := m.MTI(); {
	case (mti == pos.MTIReversal || mti == pos.MTISettlement || mti == pos.MTIUpload) && !h.serves(s):
		a.code = codeElsewhere
	case mti == pos.MTIReversal:
		a = h.reversal(ctx, s, m)
	case mti == pos.MTISettlement:
		a = h.settle(ctx, s, m)
	case mti == pos.MTIUpload:
		a = h.upload(ctx, s, m)
	default:
		begun := h.env.Now()
		a = h.transact(ctx, s, w, m)
		h.Stats.took(h.env.Now().Sub(begun))
	}
	if !a.silent {
		h.reply(c, hdr, m, a, w.mac)
	}
}

// session binds F41 and F42 to what the connection's certificate says.
func (h *Host) session(c *link.Conn, m *iso8583.Message) (*session, string) {
	tid, mid := pay.TerminalID(m.Get(41)), pay.MerchantID(m.Get(42))
	if h.cfg.Identify != nil {
		id, err := h.cfg.Identify(c.Peer())
		if err != nil {
			return nil, "no usable client certificate"
		}
		if id.Terminal != tid || id.Merchant != mid {
			return nil, fmt.Sprintf("certificate of terminal %s, message of %s", id.Terminal, tid)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.terminals[tid]
	if s == nil || s.terminal.Merchant != mid {
		return nil, fmt.Sprintf("terminal %s of merchant %s is not known", tid, mid)
	}
	s.mu.Lock()
	s.seen = h.env.Now()
	s.mu.Unlock()
	return s, ""
}

func (h *Host) refuse(c *link.Conn, why string, err error) {
	h.Stats.Refused.Add(1)
	h.cfg.Log.Warn("terminal message refused", "why", why, "err", err, "peer", c.Peer().RemoteAddr().String())
}

// signIn makes new working keys. The message carries no MAC (there is no key
// yet): the client certificate is its proof.
func (h *Host) signIn(ctx context.Context, c *link.Conn, hdr pos.Header, m *iso8583.Message, s *session) {
	f60, err := pos.ParseF60(m.Get(60))
	if err != nil || f60.Network != pos.NetworkSignIn {
		h.reply(c, hdr, m, answer{code: "30"}, nil)
		return
	}
	orders := pos.RequireNothing
	if h.cfg.Downloads != nil {
		orders = pos.RequireDownload
	}
	fresh, err := h.makeKeys()
	if err != nil {
		h.cfg.Log.Error("no working keys", "terminal", s.terminal.ID, "err", err)
		h.reply(c, hdr, m, answer{code: "96"}, nil)
		return
	}
	f62, err := pos.SealKeys(s.terminal.TMK, fresh)
	if err == nil {
		var mac *keys.AESCMAC
		if mac, err = keys.CMAC(fresh.MAC); err == nil {
			s.mu.Lock()
			s.keys = &workingKeys{pin: fresh.PIN, mac: mac, since: h.env.Now()}
			s.mu.Unlock()
			f60.Batch = h.openBatch(ctx, s, f60.Batch)
			h.replyWith(c, hdr, m, answer{code: "00", orders: orders}, nil, func(r *iso8583.Message) {
				r.SetBytes(62, f62)
				r.Set(60, f60.String())
			})
			h.cfg.Log.Info("terminal signed in", "terminal", s.terminal.ID, "merchant", s.terminal.Merchant)
			return
		}
	}
	h.cfg.Log.Error("working keys can't be sealed", "terminal", s.terminal.ID, "err", err)
	h.reply(c, hdr, m, answer{code: "96"}, nil)
}

func (h *Host) makeKeys() (pos.WorkingKeys, error) {
	var k pos.WorkingKeys
	for _, to := range []*pay.Secret{&k.PIN, &k.MAC, &k.Track} {
		b := make([]byte, 16)
		if _, err := io.ReadFull(h.env.Rand(), b); err != nil {
			return k, err
		}
		*to = pay.NewSecret(b)
	}
	return k, nil
}

func (h *Host) reply(c *link.Conn, hdr pos.Header, m *iso8583.Message, a answer, mac iso8583.MAC) {
	h.replyWith(c, hdr, m, a, mac, nil)
}

// replyWith answers m: the echo of its keys, the host's clock (the terminal
// sets its own by it), the code, and what more adds.
func (h *Host) replyWith(c *link.Conn, hdr pos.Header, m *iso8583.Message, a answer, mac iso8583.MAC, more func(*iso8583.Message)) {
	r := takeMessage()
	defer giveMessage(r)
	r.ResponseTo(m, 3, 4, 11, 25, 41, 42, 49, 60)
	local := h.env.Now().In(h.cfg.Location)
	r.Set(12, local.Format("150405"))
	r.Set(13, local.Format("0102"))
	r.Set(32, h.cfg.AcquirerID)
	r.Set(39, a.code)
	if a.rrn != "" {
		r.Set(37, a.rrn)
	}
	if a.auth != "" {
		r.Set(38, a.auth)
	}
	if len(a.issuer) > 0 {
		r.SetBytes(55, a.issuer)
	}
	if a.balance != "" {
		r.Set(54, a.balance)
	}
	if a.totals != "" {
		r.Set(48, a.totals)
	}
	if more != nil {
		more(r)
	}
	out, err := pos.Encode(nil, hdr.Reply().WithRequirement(a.orders), r, mac)
	if err != nil {
		h.cfg.Log.Error("answer can't be packed", "mti", r.MTI(), "err", err)
		return
	}
	if err := c.Send(out); err != nil && !errors.Is(err, link.ErrDown) {
		h.cfg.Log.Warn("answer not sent", "mti", r.MTI(), "stan", m.Get(11), "err", err)
	}
}
