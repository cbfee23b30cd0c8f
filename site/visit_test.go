package site_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"huika/nfc/memory"
	"huika/nfc/vpcd"
	"huika/pay"
	"huika/terminal"
	"huika/world/tray"
)

// visit is one customer at the counter: who pays, and what the clerk and the
// world do meanwhile.
type visit struct {
	*counter
	t    *testing.T
	row  *row
	mark int // of the wiretap, when the visit began

	id     pay.PaymentID
	held   bool   // a card was held to the reader
	moment string // of the invitation that was followed last
	keyed  int    // PIN tries
	slots  [2]*slot
}

// slot is a card in a virtual PC/SC slot, until gone is closed.
type slot struct {
	take context.CancelFunc
	gone chan struct{}
}

// step is something that happens once its moment has come.
type step struct {
	when func(*visit, terminal.View) bool
	do   func(*visit)
}

// visitLimit bounds one payment.
const visitLimit = 20 * time.Second

// glance is how often clerk and customer look at the screen.
const glance = time.Millisecond

// sell takes the row's payment and returns how it ended.
func (v *visit) sell() terminal.Result {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), visitLimit)
	defer cancel()
	if v.row.beside != "" { // both lie there when the reader looks first
		v.hold(ctx)
	}
	var err error
	v.id, err = v.Terminal.StartSale(ctx, terminal.SaleRequest{Amount: pay.Fen(v.row.fen)})
	check(v.t, err)
	return v.attend(ctx)
}

// attend is at the counter until the payment has ended.
func (v *visit) attend(ctx context.Context) terminal.Result {
	v.t.Helper()
	defer v.leave()
	steps := v.row.steps
	for {
		view, _ := v.Terminal.View()
		p := view.Payment
		if p == nil || p.ID != v.id {
			v.t.Fatal("the payment is not on the screen")
		}
		for len(steps) > 0 && steps[0].when(v, view) {
			steps[0].do(v)
			steps = steps[1:]
		}
		switch {
		case p.Result != nil:
			if len(steps) > 0 {
				v.t.Errorf("%d steps of the row never had their moment", len(steps))
			}
			return *p.Result
		case p.Phase == terminal.PhasePresent:
			if now := fmt.Sprint(p.Until); now != v.moment && !strings.HasPrefix(p.Notice, "reader_") {
				v.moment = now
				v.hold(ctx)
			}
		case p.PIN != nil && p.PIN.Try > v.keyed:
			if v.Desk != nil {
				check(v.t, v.Desk.Take(ctx, 0)) // the phone is in the hand that keys
			}
			v.keyed = p.PIN.Try
			v.key(ctx, p.PIN)
		}
		if ctx.Err() != nil {
			v.t.Fatalf("not ended after %v: phase %s, notice %q", visitLimit, p.Phase, p.Notice)
		}
		time.Sleep(glance)
	}
}

// What a customer does at the PIN pad.
const (
	right   = "right"
	wrong   = "wrong"
	goes    = "goes"    // the clerk cancels
	waits   = "waits"   // nothing is keyed
	reloads = "reloads" // the page fails to seal, is loaded again, and then does
)

// key does what the row says about the try at hand; one that it says nothing about is cancelled.
func (v *visit) key(ctx context.Context, p *terminal.PINView) {
	v.t.Helper()
	does := goes
	if p.Try <= len(v.row.keys) {
		does = v.row.keys[p.Try-1]
	}
	switch does {
	case right:
		v.submit(ctx, v.pin, p)
	case wrong:
		v.submit(ctx, v.wrong, p)
	case goes:
		v.cancels(true, "")
	case reloads:
		sealed, err := seal(v.pin, p)
		check(v.t, err)
		sealed[len(sealed)-1] ^= 1
		if err := v.Terminal.SubmitPIN(ctx, v.id, p.Try, sealed); !errors.Is(err, terminal.ErrPIN) {
			v.t.Errorf("a PIN that does not open: %v", err)
		}
		time.Sleep(50 * time.Millisecond) // nobody looks at the screen
		fresh, _ := v.Terminal.View()
		if fresh.Payment == nil || fresh.Payment.PIN == nil {
			v.t.Fatal("the PIN pad is gone after its page was closed")
		}
		v.submit(ctx, v.pin, fresh.Payment.PIN)
	}
}

func (v *visit) submit(ctx context.Context, digits string, p *terminal.PINView) {
	v.t.Helper()
	sealed, err := seal(digits, p)
	check(v.t, err)
	check(v.t, v.Terminal.SubmitPIN(ctx, v.id, p.Try, sealed))
}

// cancels presses the clerk's button and compares what it says at once.
func (v *visit) cancels(took bool, why string) {
	v.t.Helper()
	start := time.Now()
	got, because, err := v.Terminal.Cancel(v.t.Context(), v.id)
	if took != got || why != because || err != nil {
		v.t.Errorf("cancel: %t %q %v, want %t %q", got, because, err, took, why)
	}
	if d := time.Since(start); d > time.Second {
		v.t.Errorf("the cancel button answered after %v", d)
	}
}

// hold holds the row's card, and what lies beside it, to the reader. A card
// that was pulled away is held still the next time.
func (v *visit) hold(ctx context.Context) {
	v.t.Helper()
	sticker, names := v.row.sticker, []string{v.row.card, v.row.beside}
	if v.held {
		names[1] = ""
		if sticker == tray.RemovedBeforeGPO || sticker == tray.RemovedAfterGPO {
			sticker = ""
		}
	}
	v.held = true
	for i, name := range names {
		switch {
		case name == "":
		case v.Desk == nil:
			v.inSlot(i, name, sticker)
		case v.row.how != nil:
			card, err := v.Kit.Cards.Card(name, v.Kit.CardState(name), v.Kit.Env.Rand())
			check(v.t, err)
			v.Field.TakeAll()
			v.Field.Put(card, *v.row.how)
		default:
			if _, err := v.Desk.Put(ctx, name, sticker); err != nil && !errors.Is(err, tray.ErrOnReader) {
				v.t.Fatal(err)
			}
		}
	}
}

// inSlot puts a card into a virtual slot, unless it lies there.
func (v *visit) inSlot(at int, name, sticker string) {
	v.t.Helper()
	if s := v.slots[at]; s != nil {
		select {
		case <-s.gone:
		default:
			return
		}
	}
	card, err := v.Kit.Cards.Card(name, v.Kit.CardState(name), v.Kit.Env.Rand())
	check(v.t, err)
	how, err := tray.InSlot(sticker)
	check(v.t, err)
	ctx, take := context.WithCancel(context.WithoutCancel(v.t.Context()))
	s := &slot{take, make(chan struct{})}
	v.slots[at] = s
	addr := [...]string{vpcd.Slot0, vpcd.Slot1}[at]
	go func() {
		defer close(s.gone)
		if err := vpcd.Present(ctx, v.Kit.Env, addr, card, how); errors.Is(err, vpcd.ErrRefused) {
			v.t.Errorf("%s: %v", name, err) // how else a presentation ends is its purpose
		}
	}()
}

// takes lifts what lies beside the card off the reader.
func (v *visit) takes(name string) {
	v.t.Helper()
	if v.Desk == nil {
		v.slots[1].take()
		<-v.slots[1].gone
		return
	}
	for _, i := range v.Desk.List() {
		if i.Name == name {
			check(v.t, v.Desk.Take(v.t.Context(), i.ID))
		}
	}
}

// pcscdLooks is a little more than pcscd's pause between two looks into a slot:
// a card that takes another one's place sooner is the same card to it.
const pcscdLooks = 450 * time.Millisecond

// leave takes everything away.
func (v *visit) leave() {
	for _, s := range v.slots {
		if s != nil {
			s.take()
			<-s.gone
		}
	}
	if v.Desk == nil {
		time.Sleep(pcscdLooks)
	}
	if v.Field != nil {
		v.Field.TakeAll()
	}
}

// weak is a field that loses so many exchanges, fewer than the sticker of the tray.
func weak(loss float64) *memory.Presentation {
	p := memory.Steady()
	p.Weak = loss
	return &p
}
