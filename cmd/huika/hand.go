package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"huika/nfc/pcsc"
	"huika/nfc/vpcd"
	"huika/rt"
	"huika/site"
	"huika/world/tray"
)

// hand is the customer's: it holds the card to the reader, in the memory link
// or through the virtual slots of the real PC/SC stack.
type hand struct {
	s       *site.System
	card    string
	sticker string // how the card is held the first time
	second  string // another card that is held beside it; "" for none

	mu    sync.Mutex
	shown bool
	slots [2]*slot // what lies in the virtual slots
	err   error
}

// slot is a card in a virtual slot, until gone is closed.
type slot struct {
	take context.CancelFunc
	gone chan struct{}
}

// secondCard is what lies beside the card under --fault two-cards.
const secondCard = "unionpay-credit"

func newHand(s *site.System, card, fault string) (*hand, error) {
	h := &hand{s: s, card: card}
	switch fault {
	case faultTwoCards:
		if h.second = secondCard; card == secondCard {
			h.second = "unionpay-debit"
		}
	case "", faultHostDown, faultIssuerDown, faultResponseLost:
	default:
		h.sticker = fault
	}
	if h.sticker == tray.TTQEdited && s.Desk == nil {
		return nil, usageError{"ttq-edited works on the memory reader only"}
	}
	return h, nil
}

// hold holds the card to the reader, once more where it has left. Only the
// first time under its sticker, if that takes the card away: what comes after
// is the re-presentation.
func (h *hand) hold(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sticker := h.sticker
	if h.shown && (sticker == tray.RemovedBeforeGPO || sticker == tray.RemovedAfterGPO) {
		sticker = ""
	}
	names := []string{h.card}
	if h.second != "" {
		names = append(names, h.second)
	}
	for slot, name := range names {
		var err error
		if h.s.Desk != nil {
			err = h.onField(ctx, name, sticker)
		} else {
			err = h.inSlot(ctx, slot, name, sticker)
		}
		if err != nil {
			h.err = err
			h.s.Kit.Log.Error("card", "name", name, "err", err)
		}
	}
	h.shown = true
}

func (h *hand) onField(ctx context.Context, name, sticker string) error {
	_, err := h.s.Desk.Put(ctx, name, sticker)
	if errors.Is(err, tray.ErrOnReader) {
		return nil
	}
	return err
}

// inSlot puts the card into one of the two virtual slots, unless it is there.
func (h *hand) inSlot(ctx context.Context, at int, name, sticker string) error {
	if h.slots[at] != nil {
		select {
		case <-h.slots[at].gone:
		default:
			return nil
		}
	}
	kit := h.s.Kit
	card, err := kit.Cards.Card(name, kit.CardState(name), kit.Env.Rand())
	if err != nil {
		return err
	}
	held, err := tray.InSlot(sticker)
	if err != nil {
		return err
	}
	addr := [...]string{vpcd.Slot0, vpcd.Slot1}[at]
	ctx, take := context.WithCancel(ctx)
	s := &slot{take, make(chan struct{})}
	h.slots[at] = s
	go func() {
		defer close(s.gone)
		// The end of a presentation is its purpose; what the terminal saw of it is in the result.
		if err := vpcd.Present(ctx, kit.Env, addr, card, held); err != nil && ctx.Err() == nil {
			kit.Log.Info("card has left the slot", "card", name, "why", err)
		}
	}()
	return nil
}

// leave takes everything away and says what went wrong with the cards.
func (h *hand) leave() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at, s := range h.slots {
		if s != nil {
			s.take()
			<-s.gone
			h.slots[at] = nil
		}
	}
	if h.s.Field != nil {
		h.s.Field.TakeAll()
	}
	return h.err
}

// startPCSC makes sure that pcscd runs with its virtual slots.
func startPCSC(ctx context.Context) (func() error, error) {
	d, err := pcsc.StartDaemon(ctx, rt.Real(), pcsc.DaemonOptions{VirtualReader: true})
	if err != nil {
		return nil, fmt.Errorf("PC/SC: %w", err)
	}
	return d.Stop, nil
}
