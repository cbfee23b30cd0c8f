package sim

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"math/rand/v2"
	"time"

	"huika/nfc/memory"
	"huika/pay"
	"huika/site"
	"huika/terminal"
)

// clerk is the counter: who keys in amounts, and the customers who wave cards.
// It lives and dies with the terminal; what is left to try outlives it.
type clerk struct {
	t     *town
	kit   site.Kit
	till  till
	pos   *terminal.Terminal
	field *memory.Field
	dice  *rand.Rand
	card  string // in the customer's hand; "" none
}

// habit is how a customer behaves in one sale.
type habit struct {
	card      string
	pull      int // the card leaves after so many commands the first time; -1: it stays
	second    bool
	cancelIn  time.Duration // 0: not
	wrongPIN  bool
	refusePIN bool
}

var waved = []string{"unionpay-debit", "unionpay-debit", "unionpay-credit", "unionpay-phone", "unionpay-watch", "unionpay-pin-always", "unionpay-poor", "unionpay-blocked", "unionpay-cloned-online"}

func (c *clerk) habit() habit {
	d, cards := c.dice, c.t.free()
	h := habit{pull: -1}
	if len(cards) > 0 {
		h.card = cards[d.IntN(len(cards))]
	}
	switch d.IntN(10) {
	case 0, 1:
		h.pull = d.IntN(7)
	case 2:
		h.cancelIn = time.Duration(1 + d.Int64N(int64(3*time.Second)))
	case 3:
		h.wrongPIN = true
	case 4:
		h.refusePIN = true
	case 5:
		h.second = true
	}
	return h
}

// patience is how long the clerk looks at one payment before going on.
const patience = 5 * time.Minute

// work tries the transactions that are left, with pauses, and settles now and
// then and when the business day is over.
func (c *clerk) work() {
	ctx := context.Background()
	defer func() { delete(c.t.held, c.card) }() // the customer takes it along, whatever becomes of the terminal
	today := c.day()
	for c.t.left > 0 {
		if c.kit.Env.Sleep(ctx, time.Duration(c.dice.Int64N(int64(8*time.Second)))) != nil {
			return
		}
		if day := c.day(); day != today || c.dice.Float64() < settleChance {
			if c.settle(ctx) == nil { // what can't be settled now is settled another time
				today = day
			}
		}
		req := c.wish()
		id, err := c.pos.Start(ctx, req)
		if err != nil {
			continue // busy, or a reversal must go first: the next round asks again
		}
		c.t.left--
		c.t.rep.Tried++
		c.serve(ctx, id, c.habit())
		c.field.TakeAll()
		delete(c.t.held, c.card)
		c.card = ""
		c.keep(ctx, id)
	}
	c.t.home[c.till.node] = true
}

// day is the business day on the clerk's wall.
func (c *clerk) day() int { return c.kit.Env.Now().In(c.kit.Config.Location()).Day() }

// settle closes the batch and notes what the terminal says of it.
func (c *clerk) settle(ctx context.Context) error {
	s, err := c.pos.Settle(ctx)
	if err != nil {
		return err
	}
	c.t.met("settled")
	if !s.Balanced {
		c.t.problem("%s: the totals of batch %s differ from the acquirer's", c.till.node, s.Batch)
	}
	c.t.settled[batchKey{c.till.id, s.Batch}] = s
	return nil
}

// Of the closing of a day.
const (
	closeTries = 30
	closePause = 10 * time.Second
)

// closeDay settles a till when everything has come to rest. It must work.
func (t *town) closeDay(x till) {
	c := &clerk{t: t, till: x}
	ctx := context.Background()
	var err error
	for range closeTries {
		c.pos = t.pos[x.node] // of its newest life
		if err = c.settle(ctx); err == nil {
			t.counts++
			return
		}
		if t.w.Node("world").Sleep(ctx, closePause) != nil {
			return
		}
	}
	t.problem("%s can't close its day: %v", x.node, err)
	t.counts++
}

// Chances of what the clerk does next.
const (
	settleChance = 0.05
	followChance = 0.4 // that a slip in the drawer is followed up
	holdChance   = 0.15
	askChance    = 0.05
)

// slip is the paper of an approved payment, which a follow-up needs.
type slip struct {
	kind terminal.Kind
	fen  int64
	of   terminal.Original
}

// maxSlips bounds the drawer; the oldest are thrown away.
const maxSlips = 16

// wish is the next transaction: a sale, something new, or what follows a slip.
func (c *clerk) wish() terminal.Request {
	d, drawer := c.dice, c.t.slips[c.till.merchant]
	if n := len(drawer); n > 0 && d.Float64() < followChance {
		s := drawer[d.IntN(n)]
		req := terminal.Request{Original: s.of, Amount: pay.Fen(s.fen)}
		switch s.kind {
		case terminal.Sale:
			if req.Kind = terminal.Void; d.IntN(2) == 0 {
				req.Kind, req.Amount = terminal.Refund, pay.Fen(1+d.Int64N(s.fen))
			}
		case terminal.PreAuth:
			if req.Kind = terminal.PreAuthCancel; d.IntN(3) > 0 {
				req.Kind, req.Amount = terminal.Completion, pay.Fen(1+d.Int64N(s.fen*118/100)) // beyond 115 % now and then
			}
		case terminal.Completion:
			if req.Kind = terminal.CompletionVoid; d.IntN(2) == 0 {
				req.Kind, req.Amount = terminal.Refund, pay.Fen(1+d.Int64N(s.fen))
			}
		}
		return req
	}
	switch r := d.Float64(); {
	case r < holdChance:
		return terminal.Request{Kind: terminal.PreAuth, Amount: c.fen()}
	case r < holdChance+askChance:
		return terminal.Request{Kind: terminal.Balance, Amount: pay.Fen(0)}
	}
	return terminal.Request{Kind: terminal.Sale, Amount: c.fen()}
}

// keep notes an approval that the terminal shows, and puts its slip into the
// drawer where there is something to follow it.
func (c *clerk) keep(ctx context.Context, id pay.PaymentID) {
	r, err := c.pos.Wait(ctx, id)
	if err != nil {
		return
	}
	c.t.met(string(r.Outcome))
	if r.Outcome != terminal.Approved {
		return
	}
	c.t.met("approved " + string(r.Kind))
	if c.t.seen[c.till.node] == nil {
		c.t.seen[c.till.node] = map[pay.PaymentID]bool{}
	}
	c.t.seen[c.till.node][id] = true
	switch r.Kind {
	case terminal.Sale, terminal.PreAuth, terminal.Completion:
	default:
		return
	}
	m, err := pay.ParseMoney(r.Amount, pay.CNY)
	if err != nil {
		c.t.problem("the result's amount %q: %v", r.Amount, err)
		return
	}
	drawer := c.t.slips[c.till.merchant]
	if len(drawer) >= maxSlips {
		drawer = drawer[1:]
	}
	c.t.slips[c.till.merchant] = append(drawer, slip{r.Kind, m.Minor, terminal.Original{RRN: pay.RRN(r.RRN), AuthCode: r.AuthCode}})
}

func (c *clerk) serve(ctx context.Context, id pay.PaymentID, h habit) {
	ctx, cancel := c.kit.Env.WithTimeout(ctx, patience)
	defer cancel()
	if h.cancelIn > 0 {
		c.kit.Env.Go("change of mind", func() {
			if c.kit.Env.Sleep(ctx, h.cancelIn) == nil {
				_, _, _ = c.pos.Cancel(ctx, id) // too late is as good
			}
		})
	}
	c.hold(h, h.pull)
	var seq uint64
	keyed, asked := 0, ""
	for {
		v, n, err := c.pos.After(ctx, seq)
		if err != nil {
			return
		}
		seq = n
		p := v.Payment
		if p == nil || p.ID != id || p.Phase == terminal.PhaseDone {
			return
		}
		if now := p.Until.String(); p.Phase == terminal.PhasePresent && now != asked {
			asked = now
			if h.second {
				h.second = false
				c.field.TakeAll()
				c.hold(h, -1)
			} else if c.field.Cards() == 0 {
				c.hold(h, -1)
			}
		}
		if p.Phase == terminal.PhasePIN && p.PIN != nil && p.PIN.Try != keyed {
			keyed = p.PIN.Try
			c.key(ctx, id, p.PIN, h)
		}
	}
}

func (c *clerk) hold(h habit, pull int) {
	if h.card == "" {
		return // all of them are in other hands
	}
	c.card, c.t.held[h.card] = h.card, true
	thing, err := c.t.cards.Card(h.card, c.t.chip(h.card), c.kit.Env.Rand())
	if err != nil {
		c.t.problem("card %s: %v", h.card, err)
		return
	}
	how := memory.Steady()
	how.RemoveAfterAPDU = pull
	c.field.Put(thing, how)
	if h.second {
		if other, err := c.t.cards.Card("staff", nil, nil); err == nil {
			c.field.Put(other, memory.Steady())
		}
	}
}

func (c *clerk) key(ctx context.Context, id pay.PaymentID, p *terminal.PINView, h habit) {
	if h.refusePIN {
		_, _, _ = c.pos.Cancel(ctx, id) // too late is as good
		return
	}
	digits := pin
	if h.wrongPIN && p.Try == 1 {
		digits = "000000"
	}
	sealed, err := seal(digits, p)
	if err != nil {
		c.t.problem("PIN: %v", err)
		return
	}
	_ = c.pos.SubmitPIN(ctx, id, p.Try, sealed) // a stale try is refused, and the view shows the next
}

// seal is the page's part of the PIN path.
func seal(digits string, p *terminal.PINView) ([]byte, error) {
	point, err := base64.StdEncoding.DecodeString(p.PublicKey)
	if err != nil {
		return nil, err
	}
	pub, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	to, err := hpke.NewDHKEMPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(p.Info), []byte(digits))
}

// fen is an amount below, at or above the CVM limit.
func (c *clerk) fen() pay.Money {
	switch c.dice.IntN(6) {
	case 0:
		return pay.Fen(100_000)
	case 1:
		return pay.Fen(100_001)
	case 2:
		return pay.Fen(100_001 + c.dice.Int64N(50_000))
	}
	return pay.Fen(1 + c.dice.Int64N(30_000))
}
