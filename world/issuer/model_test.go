package issuer_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"huika/iso8583"
	"huika/rt"
	"huika/world/issuer/issuertest"

	"pgregory.net/rapid"
)

// made is one request of the model's history.
type made struct {
	shape    issuertest.Shape
	name     string // of the card
	fen      int64
	message  *iso8583.Message
	original *made
	auth     string // F38 of its approval

	code     string // F39 of its first answer, "" before it
	entombed bool   // a reversal came first
	reversed bool   // a reversal came after its decision
}

func (x *made) stands() bool { return x.code == "00" && !x.reversed }

// model is the issuer said over: nothing is summed up while it goes along, all
// is counted anew from the history.
type model struct {
	all     []*made
	initial map[string]int64
}

// after are the standing follow-ups of x.
func (m *model) after(x *made, shapes ...issuertest.Shape) (out []*made) {
	for _, f := range m.all {
		if f.original == x && f.stands() && slices.Contains(shapes, f.shape) {
			out = append(out, f)
		}
	}
	return out
}

func (m *model) givenBack(x *made) (fen int64) {
	for _, f := range m.after(x, issuertest.Void, issuertest.Refund, issuertest.CompletionVoid) {
		fen += f.fen
	}
	return fen
}

func (m *model) balance(name string) int64 {
	left := m.initial[name]
	for _, x := range m.all {
		if x.name == name && x.stands() && slices.Contains([]issuertest.Shape{issuertest.Sale, issuertest.Completion, issuertest.CompletionAdvice}, x.shape) {
			left -= x.fen - m.givenBack(x)
		}
	}
	return left
}

func (m *model) ended(x *made) bool {
	return len(m.after(x, issuertest.Void, issuertest.CompletionVoid, issuertest.PreAuthCancel, issuertest.Completion, issuertest.CompletionAdvice)) > 0
}

func (m *model) held(name string) (fen int64) {
	for _, x := range m.all {
		if x.name == name && x.shape == issuertest.PreAuth && x.stands() && !m.ended(x) {
			fen += x.fen
		}
	}
	return fen
}

var followed = map[issuertest.Shape][]issuertest.Shape{
	issuertest.Void:             {issuertest.Sale},
	issuertest.Refund:           {issuertest.Sale, issuertest.Completion, issuertest.CompletionAdvice},
	issuertest.PreAuthCancel:    {issuertest.PreAuth},
	issuertest.Completion:       {issuertest.PreAuth},
	issuertest.CompletionVoid:   {issuertest.Completion},
	issuertest.CompletionAdvice: {issuertest.PreAuth},
}

// expect is F39 of a request that arrives for the first time.
func (m *model) expect(x *made) string {
	o := x.original
	available := m.balance(x.name) - m.held(x.name)
	switch {
	case x.entombed:
		return "12"
	case o == nil && x.shape == issuertest.Balance:
		return "00"
	case o == nil && x.fen > available:
		return "51"
	case o == nil:
		return "00"
	case o.code == "" && !o.entombed:
		return "25"
	case o.code != "00" || !slices.Contains(followed[x.shape], o.shape):
		return "12"
	case x.message.Get(38) != "" && x.message.Get(38) != o.auth:
		return "25"
	case o.reversed || m.ended(o):
		return "12"
	}
	switch x.shape {
	case issuertest.Completion, issuertest.CompletionAdvice:
		if x.fen > o.fen*115/100 {
			return "64"
		}
	case issuertest.Refund:
		if x.fen > o.fen-m.givenBack(o) {
			return "64"
		}
	default:
		if m.givenBack(o) > 0 {
			return "12"
		}
		if x.fen != o.fen {
			return "64"
		}
	}
	return "00"
}

// heard takes an answer; want is what the model expects.
func (x *made) heard(answer *iso8583.Message, want string) error {
	if x.code != "" {
		want = x.code // the same answer, whatever happened since
	}
	if code := answer.Get(39); code != want {
		return fmt.Errorf("%s %s %s of %d fen: F39 %s, want %s", x.shape.MTI, x.shape.Processing, x.message.Get(11), x.fen, code, want)
	}
	if x.code == "" {
		x.code, x.auth = want, answer.Get(38)
	}
	return nil
}

// undone takes the answer to a reversal.
func (x *made) undone(code string) error {
	want := "00"
	if x.code == "" || x.entombed {
		want, x.entombed = "25", true
	} else {
		x.reversed = true
	}
	if code != want {
		return fmt.Errorf("reversal of %s %s %s: F39 %s, want %s", x.shape.MTI, x.shape.Processing, x.message.Get(11), code, want)
	}
	return nil
}

// Any sequence of all kinds, with copies, reorderings, reversals before and
// after, restarts and concurrent arrivals: answers, balances and holds are the
// model's at every moment.
func TestEveryKindAgreesWithItsModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBank(t, nil)
		defer func() {
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
		}()
		names := []string{debitCard, "unionpay-poor"}
		m := &model{initial: map[string]int64{}}
		for _, n := range names {
			m.initial[n] = b.balance(n)
		}
		fail := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		ask := func(message *iso8583.Message) *iso8583.Message {
			answer, err := b.peer.Ask(context.Background(), message)
			fail(err)
			return answer
		}
		send := func(x *made) {
			want := m.expect(x)
			answer := ask(x.message)
			first := x.code == ""
			fail(x.heard(answer, want))
			if first && x.shape == issuertest.Balance && x.code == "00" {
				available := m.balance(x.name) - m.held(x.name)
				sign := map[bool]string{true: "C", false: "D"}[available >= 0]
				if got, want := answer.Get(54), fmt.Sprintf("0002156%s%012d", sign, max(available, -available)); got != want {
					r.Fatalf("F54 %s, want %s", got, want)
				}
			}
		}
		pick := func() *made {
			if len(m.all) == 0 {
				return nil
			}
			return rapid.SampledFrom(m.all).Draw(r, "which")
		}
		compose := func() *made {
			x := &made{fen: rapid.Int64Range(1, 300).Draw(r, "fen")}
			if o := pick(); o != nil && rapid.IntRange(0, 3).Draw(r, "follows") > 0 {
				x.shape = rapid.SampledFrom([]issuertest.Shape{
					issuertest.Void, issuertest.Refund, issuertest.PreAuthCancel, issuertest.Completion, issuertest.CompletionVoid, issuertest.CompletionAdvice,
				}).Draw(r, "shape")
				if fits := followers(o.shape); len(fits) > 0 && rapid.IntRange(0, 4).Draw(r, "fits") > 0 {
					x.shape = rapid.SampledFrom(fits).Draw(r, "fitting shape")
				}
				x.original, x.name = o, o.name
				if rapid.Bool().Draw(r, "exact") && o.fen > 0 {
					x.fen = o.fen
				}
				code := o.auth
				if code == "" {
					code = "000000"
				}
				x.message = b.after(x.shape, o.message, code, x.fen)
				return x
			}
			x.name = rapid.SampledFrom(names).Draw(r, "card")
			x.shape = rapid.SampledFrom([]issuertest.Shape{issuertest.Sale, issuertest.PreAuth, issuertest.PreAuth, issuertest.Balance}).Draw(r, "shape")
			if x.shape == issuertest.Balance {
				x.fen = 0
			}
			x.message = b.request(x.shape, x.name, x.fen)
			return x
		}
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			switch step := rapid.SampledFrom([]string{"request", "request", "request", "hold", "send", "reverse", "reverse", "restart", "storm"}).Draw(r, "step"); step {
			case "request", "hold": // hold: the message is under way and comes later, or never
				x := compose()
				m.all = append(m.all, x)
				if step == "request" {
					send(x)
				}
			case "send":
				if x := pick(); x != nil {
					send(x)
				}
			case "reverse":
				if x := pick(); x != nil {
					fail(x.undone(ask(b.reversal(x.message)).Get(39)))
				}
			case "restart":
				b.crash()
			case "storm":
				if x := pick(); x != nil {
					fail(b.storm(x, m.expect(x)))
				}
			}
			for _, n := range names {
				if b.balance(n) != m.balance(n) || b.held(n) != m.held(n) {
					r.Fatalf("%s: balance %d, held %d; the model says %d and %d", n, b.balance(n), b.held(n), m.balance(n), m.held(n))
				}
			}
			fail(b.ledgerFits())
		}
		b.crash() // the state is the records' alone
		for _, n := range names {
			if b.balance(n) != m.balance(n) || b.held(n) != m.held(n) {
				r.Fatalf("%s after the last restart: balance %d, held %d; the model says %d and %d", n, b.balance(n), b.held(n), m.balance(n), m.held(n))
			}
		}
		fail(b.ledgerFits())
	})
}

// followers are the shapes that may follow one.
func followers(o issuertest.Shape) (out []issuertest.Shape) {
	for _, s := range []issuertest.Shape{
		issuertest.Void, issuertest.Refund, issuertest.PreAuthCancel, issuertest.Completion, issuertest.CompletionVoid, issuertest.CompletionAdvice,
	} {
		if slices.Contains(followed[s], o) {
			out = append(out, s)
		}
	}
	return out
}

// storm sends a request, its copy and its reversal at once over three
// connections. Whichever the issuer took first, the model follows its answers.
func (b *bank) storm(x *made, want string) error {
	messages := []*iso8583.Message{x.message.Clone(), x.message.Clone(), b.reversal(x.message)}
	answers, errs := make([]*iso8583.Message, len(messages)), make([]error, len(messages))
	var left atomic.Int32
	left.Store(int32(len(messages)))
	done := rt.NewFuture[bool](b.env)
	for n, message := range messages {
		peer := issuertest.NewPeer(b.t, b.env, b.wire.Dial, b.config.MACKey)
		b.env.Go("storm", func() {
			answers[n], errs[n] = peer.Ask(context.Background(), message)
			peer.Close()
			if left.Add(-1) == 0 {
				done.Set(true)
			}
		})
	}
	if _, err := done.Get(context.Background()); err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if x.code == "" && !x.entombed && answers[2].Get(39) == "25" { // the reversal was first
		x.entombed, want = true, "12"
	}
	for _, answer := range answers[:2] {
		if err := x.heard(answer, want); err != nil {
			return err
		}
	}
	return x.undone(answers[2].Get(39))
}

// Each kind reversed: exactly what it did is undone, once, over restarts; and
// one that its reversal overtook does nothing.
func TestEveryKindReversed(t *testing.T) {
	const fen = 10_000
	for _, c := range []struct {
		name   string
		fen    int64
		paid   int64 // before it, and after its reversal
		held   int64
		paid2  int64 // with it
		held2  int64
		shapes []issuertest.Shape // its predecessors, approved, and itself
	}{
		{"sale", fen, 0, 0, fen, 0, []issuertest.Shape{issuertest.Sale}},
		{"void", fen, fen, 0, 0, 0, []issuertest.Shape{issuertest.Sale, issuertest.Void}},
		{"refund", fen, fen, 0, 0, 0, []issuertest.Shape{issuertest.Sale, issuertest.Refund}},
		{"pre-authorisation", fen, 0, 0, 0, fen, []issuertest.Shape{issuertest.PreAuth}},
		{"cancel", fen, 0, fen, 0, 0, []issuertest.Shape{issuertest.PreAuth, issuertest.PreAuthCancel}},
		{"completion", fen, 0, fen, fen, 0, []issuertest.Shape{issuertest.PreAuth, issuertest.Completion}},
		{"completion void", fen, fen, 0, 0, 0, []issuertest.Shape{issuertest.PreAuth, issuertest.Completion, issuertest.CompletionVoid}},
		{"completion advice", fen, 0, fen, fen, 0, []issuertest.Shape{issuertest.PreAuth, issuertest.CompletionAdvice}},
		{"refund of a completion", fen, fen, 0, 0, 0, []issuertest.Shape{issuertest.PreAuth, issuertest.Completion, issuertest.Refund}},
		{"balance", 0, 0, 0, 0, 0, []issuertest.Shape{issuertest.Balance}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBank(t, nil)
				full := b.balance(debitCard)
				at := func(when string, paid, held int64) {
					t.Helper()
					if p, h := full-b.balance(debitCard), b.held(debitCard); p != paid || h != held {
						t.Errorf("%s: %d fen paid, want %d; %d held, want %d", when, p, paid, h, held)
					}
					if err := b.ledgerFits(); err != nil {
						t.Error(err)
					}
				}
				next := b.request(c.shapes[0], debitCard, c.fen)
				code := ""
				for _, s := range c.shapes[1:] {
					code = b.done(next)
					next = b.after(s, next, code, c.fen)
				}
				at("before", c.paid, c.held)
				b.done(next)
				at("approved", c.paid2, c.held2)

				wrong := b.reversal(next)
				wrong.Set(4, "000000000001")
				b.want(wrong, "64")
				wrong = b.reversal(next)
				wrong.Set(3, "990000")
				b.want(wrong, "12")
				wrong = b.reversal(next)
				mti := map[bool]string{true: "0100", false: "0220"}[next.MTI() != "0100"]
				wrong.Set(90, mti+wrong.Get(90)[4:])
				b.want(wrong, "12")
				wrong = b.reversal(next)
				wrong.Set(2, b.card("unionpay-credit").Account.PAN.Reveal())
				b.want(wrong, "14")
				at("reversed wrongly", c.paid2, c.held2)
				for n := range 3 {
					bare := b.reversal(next)
					if n == 0 { // as the scheme sends it
						bare.Unset(2)
					}
					b.want(bare, "00")
					at("reversed", c.paid, c.held)
					b.crash()
				}
				b.done(next) // a late copy hears what it heard, and does nothing
				at("repeated", c.paid, c.held)

				// The same once more, overtaken by its reversal.
				second := next.Clone()
				if len(c.shapes) == 1 {
					second = b.request(c.shapes[0], debitCard, c.fen)
				} else {
					b.stan++
					second.Set(11, fmt.Sprintf("%06d", b.stan))
				}
				b.want(b.reversal(second), "25")
				b.crash()
				b.want(second, "12")
				b.want(second, "12")
				b.want(b.reversal(second), "25")
				at("overtaken", c.paid, c.held)
				// And once more, well: what was undone is open again.
				if len(c.shapes) > 1 {
					third := next.Clone()
					b.stan++
					third.Set(11, fmt.Sprintf("%06d", b.stan))
					b.done(third)
					at("anew", c.paid2, c.held2)
				}
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A sale and what gives it back, both reversed, in either order: the customer
// has paid nothing, and got nothing.
func TestOriginalAndFollowUpReversed(t *testing.T) {
	for name, c := range map[string]struct {
		shapes []issuertest.Shape
		fen    []int64
		paid   int64 // once the original alone is reversed
		held   int64
	}{
		"sale and void":             {[]issuertest.Shape{issuertest.Sale, issuertest.Void}, []int64{500, 500}, 0, 0},
		"sale and refund":           {[]issuertest.Shape{issuertest.Sale, issuertest.Refund}, []int64{500, 200}, 0, 0},
		"hold and completion":       {[]issuertest.Shape{issuertest.PreAuth, issuertest.Completion}, []int64{500, 300}, 300, 0},
		"hold and cancel":           {[]issuertest.Shape{issuertest.PreAuth, issuertest.PreAuthCancel}, []int64{500, 500}, 0, 0},
		"hold and advice":           {[]issuertest.Shape{issuertest.PreAuth, issuertest.CompletionAdvice}, []int64{500, 575}, 575, 0},
		"sale and refund of it all": {[]issuertest.Shape{issuertest.Sale, issuertest.Refund}, []int64{500, 500}, 0, 0},
	} {
		for _, originalFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, original first %v", name, originalFirst), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBank(t, nil)
					full := b.balance(debitCard)
					original := b.request(c.shapes[0], debitCard, c.fen[0])
					follow := b.after(c.shapes[1], original, b.done(original), c.fen[1])
					b.done(follow)
					one, two := original, follow
					if !originalFirst {
						one, two = follow, original
					}
					b.want(b.reversal(one), "00")
					if originalFirst {
						if paid, held := full-b.balance(debitCard), b.held(debitCard); paid != c.paid || held != c.held {
							t.Errorf("%d paid, want %d; %d held", paid, c.paid, held)
						}
					}
					b.crash()
					b.want(b.reversal(two), "00")
					b.want(b.reversal(one), "00")
					if b.balance(debitCard) != full || b.held(debitCard) != 0 {
						t.Errorf("balance %d of %d, held %d", b.balance(debitCard), full, b.held(debitCard))
					}
					if err := b.ledgerFits(); err != nil {
						t.Error(err)
					}
					for _, e := range b.Ledger() {
						if !e.Reversed {
							t.Errorf("entry %+v", e)
						}
					}
					if err := b.stop(); err != nil {
						t.Fatal(err)
					}
				})
			})
		}
	}
}
