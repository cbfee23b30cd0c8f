package journal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"huika/pay"
)

// Fold is what a list of records amounts to. It keeps what is open and forgets
// what is closed, so that it stays small however long the journal grows.
//
// Its rules: a payment begins once and ends once; a request leaves only for a
// payment that is open, one at a time; each request that left is closed by an
// answer or by a reversal before the payment ends; a reversal is done once, and
// only where one is owed.
type Fold struct {
	state State
	open  map[pay.PaymentID]Open
	owed  map[Key]Reversal
	order []pay.PaymentID // of open, oldest first
	queue []Key           // of owed, oldest first
}

// NewFold is the fold of an empty journal.
func NewFold() *Fold {
	return &Fold{open: map[pay.PaymentID]Open{}, owed: map[Key]Reversal{}}
}

// Clone is an independent copy.
func (f *Fold) Clone() *Fold {
	return &Fold{state: f.state, open: maps.Clone(f.open), owed: maps.Clone(f.owed), order: slices.Clone(f.order), queue: slices.Clone(f.queue)}
}

// State is the fold's result; it shares nothing with the fold but boxes.
func (f *Fold) State() State {
	s := f.state
	for _, id := range f.order {
		s.Open = append(s.Open, f.open[id])
	}
	for _, k := range f.queue {
		s.Reversals = append(s.Reversals, f.owed[k])
	}
	return s
}

func refuse(why string, k Key) error {
	return fmt.Errorf("%w: %s (batch %s, STAN %s)", ErrRule, why, k.Batch, k.STAN)
}

func (k Key) valid() bool {
	return len(k.Batch) == 6 && strings.Trim(k.Batch, "0123456789") == "" && k.STAN >= 1 && k.STAN <= 999_999
}

// Add takes one more record in, or returns ErrRule and changes nothing.
func (f *Fold) Add(r Record) error {
	switch r := r.(type) {
	case BatchOpened:
		if !(Key{r.Batch, 1}).valid() {
			return fmt.Errorf("%w: batch %q", ErrRule, r.Batch)
		}
		f.state.Batch, f.state.Totals = r.Batch, Totals{}
		return nil
	case Numbered:
		return f.number(r.Key)
	case Begun:
		return f.begin(r)
	case Sent:
		return f.sent(r)
	case Answered:
		return f.closeSent(r.Payment, r.Key)
	case ReversalOwed:
		return f.owe(r)
	case ReversalDone:
		if _, ok := f.owed[r.Key]; !ok {
			return refuse("no reversal is owed", r.Key)
		}
		delete(f.owed, r.Key)
		f.queue = slices.DeleteFunc(f.queue, func(k Key) bool { return k == r.Key })
		return nil
	case Ended:
		return f.end(r)
	}
	return fmt.Errorf("%w: unknown record %T", ErrRule, r)
}

func (f *Fold) number(k Key) error {
	if !k.valid() {
		return refuse("not a number", k)
	}
	f.state.STAN = k.STAN
	return nil
}

func (f *Fold) begin(r Begun) error {
	if _, ok := f.open[r.Payment]; ok || r.Payment == "" {
		return refuse("the payment is open already", r.Key)
	}
	if err := f.number(r.Key); err != nil {
		return err
	}
	f.open[r.Payment] = Open{Begun: r}
	f.order = append(f.order, r.Payment)
	return nil
}

func (f *Fold) sent(r Sent) error {
	o, ok := f.open[r.Payment]
	if !ok {
		return refuse("a request for a payment that is not open", r.Key)
	}
	if o.Sent != nil {
		return refuse("another request is under way", r.Key)
	}
	if _, ok := f.owed[r.Key]; ok || !r.Key.valid() {
		return refuse("the key was used", r.Key)
	}
	o.Sent = &r
	f.open[r.Payment] = o
	return nil
}

func (f *Fold) closeSent(id pay.PaymentID, k Key) error {
	o, ok := f.open[id]
	if !ok || o.Sent == nil || o.Sent.Key != k {
		return refuse("no such request is under way", k)
	}
	o.Sent = nil
	f.open[id] = o
	return nil
}

func (f *Fold) owe(r ReversalOwed) error {
	o := f.open[r.Payment]
	if err := f.closeSent(r.Payment, r.Key); err != nil {
		return err
	}
	f.owed[r.Key] = Reversal{Owed: r, Sent: *o.Sent}
	f.queue = append(f.queue, r.Key)
	return nil
}

func (f *Fold) end(r Ended) error {
	o, ok := f.open[r.Payment]
	if !ok {
		return refuse("the payment is not open", r.Key)
	}
	if o.Sent != nil {
		return refuse("the payment has a request under way", r.Key)
	}
	if r.Approved && r.Amount != o.Begun.Amount {
		return refuse("approved with another amount", r.Key)
	}
	delete(f.open, r.Payment)
	f.order = slices.DeleteFunc(f.order, func(id pay.PaymentID) bool { return id == r.Payment })
	if r.Approved && r.Key.Batch == f.state.Batch {
		f.state.Totals.Add(r)
	}
	return nil
}
