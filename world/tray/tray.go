// Package tray is the desk beside the reader: the simulated cards by name, and
// the customer's hand that lays them on the reader, with a fault sticker if
// wanted, and takes them away. The demo's card tray, the command line and the
// scenario tests press its buttons.
//
// It is no part of the payment path: nothing reaches the terminal from here
// but through the air (nfc/memory). The cards are those of card/perso.
package tray

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"huika/card"
	"huika/card/perso"
	"huika/nfc"
	"huika/nfc/memory"
	"huika/rt"
)

// Places of an item.
const (
	OnDesk   = "desk"
	OnReader = "reader"
)

// Item is one thing on the desk.
type Item struct {
	Name      string // profile of card/perso
	TitleZH   string
	TitleEN   string
	Form      string // card, phone, watch, band, thing
	Scheme    string // "unionpay", "visa", …, or "" for what is no payment card
	Place     string // OnDesk or OnReader
	MaskedPAN string
	ID        int    // of the presentation, 0 on the desk
	Fault     string // sticker of the presentation, "" on the desk

	aside bool // not shown until it lies on the reader: Put knows it by name
}

// Errors of Put.
var (
	// ErrNoCard says that nothing on the desk has that name.
	ErrNoCard = errors.New("no such card on the desk")
	// ErrFault says that there is no sticker of that name.
	ErrFault = errors.New("no such fault sticker")
	// ErrOnReader says that the card lies on the reader already.
	ErrOnReader = errors.New("the card is on the reader already")
)

// Config is what a desk is made of.
type Config struct {
	Issuer *perso.Issuer
	Field  *memory.Field                // not used by any reader yet: the desk registers for its emptying
	State  func(name string) card.State // where the counters of a card are kept
}

// Desk holds one card of each profile. Its methods may be called from any task.
type Desk struct {
	env    rt.Env
	config Config
	topic  *rt.Topic[[]Item]

	mu    sync.Mutex
	items []Item
	cards map[string]nfc.Card // made when first used
}

// New lays all profiles of the desk on it; the others are at hand by name.
func New(env rt.Env, config Config) (*Desk, error) {
	if config.Issuer == nil || config.Field == nil || config.State == nil {
		return nil, errors.New("tray: issuer, field or state is missing")
	}
	masked := make(map[string]string)
	for _, a := range config.Issuer.Accounts(func(string) string { return "" }) { // for the numbers only
		masked[a.Profile] = a.PAN.Masked()
	}
	d := &Desk{env: env, config: config, cards: make(map[string]nfc.Card)}
	for _, p := range perso.AllProfiles() {
		item := Item{Name: p.Name, TitleZH: p.TitleZH, TitleEN: p.TitleEN, Form: string(p.Form), Place: OnDesk, aside: !p.OnDesk}
		if p.Account != "" {
			item.Scheme, item.MaskedPAN = p.Scheme, masked[p.Account]
		}
		d.items = append(d.items, item)
	}
	d.topic = rt.NewTopic(env, d.copy())
	config.Field.OnEmpty(d.emptied)
	return d, nil
}

// List is the desk now, in the order of perso.Profiles.
func (d *Desk) List() []Item {
	items, _ := d.topic.Load()
	return items
}

// After waits until the desk's number is above seq and returns it with its number.
func (d *Desk) After(ctx context.Context, seq uint64) ([]Item, uint64, error) {
	return d.topic.After(ctx, seq)
}

// Put lays a card on the reader, under a sticker of Faults ("" is "none"), and
// returns the presentation's number for Take. Two cards at once are two Puts.
// Errors: ErrNoCard, ErrFault, ErrOnReader, ctx's, those of making the card.
func (d *Desk) Put(ctx context.Context, name, fault string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if fault == "" {
		fault = None
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	item := d.item(name)
	if item == nil {
		return 0, fmt.Errorf("%w: %q", ErrNoCard, name)
	}
	if item.Place == OnReader {
		return 0, fmt.Errorf("%w: %s", ErrOnReader, name)
	}
	c, err := d.card(name)
	if err != nil {
		return 0, err
	}
	how, held, err := present(fault, c, func() { d.left(name) })
	if err != nil {
		return 0, err
	}
	item.ID = d.config.Field.Put(held, how)
	item.Place, item.Fault = OnReader, fault
	d.topic.Set(d.copy())
	return item.ID, nil
}

// Take takes one presentation away, or all of them where id is 0. What has
// left already is no error. Errors: ctx's.
func (d *Desk) Take(ctx context.Context, id int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	var gone []int
	for i := range d.items {
		if item := &d.items[i]; item.Place == OnReader && (id == 0 || item.ID == id) {
			gone = append(gone, item.ID)
		}
	}
	d.mu.Unlock()
	for _, id := range gone { // without the lock: the field calls emptied
		d.config.Field.Take(id)
	}
	d.refresh()
	return nil
}

// left is a card that pulls itself away: called in the reader's task, from
// inside an exchange, where the field holds no lock.
func (d *Desk) left(name string) {
	d.mu.Lock()
	id := 0
	if item := d.item(name); item != nil {
		id = item.ID
	}
	d.mu.Unlock()
	d.config.Field.Take(id)
	d.refresh()
}

// emptied hears from the field that its last card is gone, whoever took it.
func (d *Desk) emptied() { d.refresh() }

// refresh brings what is no longer in the field back to the desk.
func (d *Desk) refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := false
	for i := range d.items {
		if item := &d.items[i]; item.Place == OnReader && !d.config.Field.Holds(item.ID) {
			item.Place, item.ID, item.Fault = OnDesk, 0, ""
			changed = true
		}
	}
	if changed {
		d.topic.Set(d.copy())
	}
}

func (d *Desk) item(name string) *Item {
	for i := range d.items {
		if d.items[i].Name == name {
			return &d.items[i]
		}
	}
	return nil
}

// card is the one card of that name: its counter goes on from tap to tap.
func (d *Desk) card(name string) (nfc.Card, error) {
	if c := d.cards[name]; c != nil {
		return c, nil
	}
	c, err := d.config.Issuer.Card(name, d.config.State(name), d.env.Rand())
	if err != nil {
		return nil, fmt.Errorf("tray: %w", err)
	}
	d.cards[name] = c
	return c, nil
}

// copy is what a visitor sees.
func (d *Desk) copy() []Item {
	items := make([]Item, 0, len(d.items))
	for _, i := range d.items {
		if !i.aside || i.Place == OnReader {
			items = append(items, i)
		}
	}
	return items
}
