package site

import (
	"context"
	"errors"
	"slices"

	"huika/httpapi/demo"
	"huika/rt"
	"huika/world/tray"
)

// desk is the tray as its page sees it: the cards of world/tray and the faults
// of the parties behind the terminal.
type desk struct {
	s     *System
	topic *rt.Topic[demo.Tray]
}

var _ demo.Service = (*desk)(nil)

func newDesk(s *System) *desk {
	d := &desk{s: s}
	d.topic = rt.NewTopic(s.Kit.Env, d.look())
	return d
}

// look is the desk now, without its number.
func (d *desk) look() demo.Tray {
	t := demo.Tray{Stickers: d.s.Desk.Faults(), Faults: d.s.Faults()}
	for _, i := range d.s.Desk.List() {
		t.Cards = append(t.Cards, demo.Card{
			Name: i.Name, TitleZH: i.TitleZH, TitleEN: i.TitleEN, Form: i.Form, Scheme: i.Scheme,
			MaskedPAN: i.MaskedPAN, Place: i.Place, ID: i.ID, Fault: i.Fault,
		})
	}
	return t
}

// follow publishes what happens on the desk by itself: a card that leaves.
func (d *desk) follow(ctx context.Context) error {
	var seq uint64
	for {
		_, n, err := d.s.Desk.After(ctx, seq)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		seq = n
		d.topic.Set(d.look())
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Tray implements demo.Service.
func (d *desk) Tray() demo.Tray {
	t, n := d.topic.Load()
	t.Seq = n
	return t
}

// After implements demo.Service.
func (d *desk) After(ctx context.Context, seq uint64) (demo.Tray, error) {
	t, n, err := d.topic.After(ctx, seq)
	t.Seq = n
	return t, err
}

// Put implements demo.Service.
func (d *desk) Put(ctx context.Context, name, fault string) (int, error) {
	if fault != "" && !slices.Contains(d.s.Desk.Faults(), fault) {
		return 0, demo.ErrSticker
	}
	id, err := d.s.Desk.Put(ctx, name, fault)
	switch {
	case errors.Is(err, tray.ErrNoCard):
		return 0, demo.ErrNoCard
	case errors.Is(err, tray.ErrOnReader):
		return 0, demo.ErrOnReader
	}
	return id, err
}

// Take implements demo.Service.
func (d *desk) Take(ctx context.Context, id int) error { return d.s.Desk.Take(ctx, id) }

// SetFaults implements demo.Service.
func (d *desk) SetFaults(_ context.Context, f demo.Faults) error {
	d.s.SetFaults(f)
	d.topic.Set(d.look())
	return nil
}

// Faults are the demonstration's faults behind the terminal, as they are switched now.
func (s *System) Faults() demo.Faults {
	return demo.Faults{HostDown: s.hostFaults.Down(), ResponseLost: s.answers.on.Load(), IssuerDown: s.Issuer != nil && s.Issuer.Down()}
}

// SetFaults switches them.
func (s *System) SetFaults(f demo.Faults) {
	s.hostFaults.SetDown(f.HostDown)
	s.answers.on.Store(f.ResponseLost)
	if s.Issuer != nil {
		s.Issuer.SetDown(f.IssuerDown)
	}
}
