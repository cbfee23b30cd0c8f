package payment

import "fmt"

// State is where a payment stands. Only the transitions of Table exist.
type State byte

// States of a sale.
const (
	None      State = 0 // no row
	Admitted  State = 1 // durable; the scheme may have been asked: unresolved
	Approved  State = 2 // the money is the merchant's
	Declined  State = 3 // nobody was debited
	Reversing State = 4 // a reversal is owed to the scheme: unresolved
	Reversed  State = 5 // the scheme took the reversal
	Tombstone State = 6 // a reversal came first; the sale, should it still come, is refused
)

var stateNames = [...]string{"none", "admitted", "approved", "declined", "reversing", "reversed", "tombstone"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", byte(s))
}

// Unresolved reports whether somebody still has to do something.
func (s State) Unresolved() bool { return s == Admitted || s == Reversing }

// Event is why a payment changes its state.
type Event byte

// Events.
const (
	Admit        Event = iota + 1 // a sale was accepted for routing
	Approve                       // the scheme approved
	Decline                       // the scheme, or the host before routing, refused
	Reverse                       // a reversal is owed: no answer in time, or the terminal asks
	ReverseDone                   // the scheme took the reversal, or never knew the original
	ReverseAhead                  // the terminal reverses what never arrived
	DropUnrouted                  // admitted, but provably never sent to a scheme
	GiveUp                        // admitted by an earlier life of the host: nobody is asking any more
)

var eventNames = [...]string{"", "admit", "approve", "decline", "reverse", "reverse done", "reverse ahead", "drop unrouted", "give up"}

func (e Event) String() string { return eventNames[e] }

// Transition is one row of Table.
type Transition struct {
	From     State
	Event    Event
	To       State
	Postings Postings
	Why      string
}

// Postings says which bookings a transition carries.
type Postings byte

// Postings of a transition.
const (
	NoPostings   Postings = iota
	SalePostings          // scheme clearing → merchant
	RefundOfSale          // the exact inverse
)

// Table is every change of state that exists.
var Table = []Transition{
	{None, Admit, Admitted, NoPostings, "durable before the scheme hears of it"},
	{Admitted, Approve, Approved, SalePostings, "durable before the terminal hears of it"},
	{Admitted, Decline, Declined, NoPostings, "nobody was debited"},
	{Admitted, DropUnrouted, Declined, NoPostings, "no scheme was asked"},
	{Admitted, Reverse, Reversing, NoPostings, "no answer in time, or the terminal gave up: the customer may be debited"},
	{Admitted, GiveUp, Reversing, NoPostings, "a restart lost the answer; unlike Reverse it never undoes an approval that came meanwhile"},
	{Approved, Reverse, Reversing, RefundOfSale, "the terminal never showed the approval"},
	{Reversing, ReverseDone, Reversed, NoPostings, "the scheme took it, or says that the original is unknown"},
	{None, ReverseAhead, Tombstone, NoPostings, "the reversal overtook its sale"},
}

// Next looks a change up. ok is false where the table has none.
func Next(from State, e Event) (Transition, bool) {
	for _, t := range Table {
		if t.From == from && t.Event == e {
			return t, true
		}
	}
	return Transition{}, false
}
