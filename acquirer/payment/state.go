package payment

import "fmt"

// State is where a payment stands. Only the transitions of Table exist.
type State byte

// States.
const (
	None       State = 0  // no row
	Admitted   State = 1  // durable; the scheme may have been asked: unresolved
	Approved   State = 2  // it holds
	Declined   State = 3  // nothing was moved
	Reversing  State = 4  // a reversal is owed to the scheme: unresolved
	Reversed   State = 5  // the scheme took the reversal
	Tombstone  State = 6  // a reversal came first; the payment, should it still come, is refused
	Undone     State = 7  // approved once, and given back by a void or cancel
	Used       State = 8  // a pre-authorisation that was completed
	Forwarding State = 9  // an advice that holds, and that the scheme has not taken yet: unresolved
	Abandoned  State = 10 // an advice that the scheme never took; a person gave it up
)

var stateNames = [...]string{"none", "admitted", "approved", "declined", "reversing", "reversed", "tombstone", "undone", "used", "forwarding", "abandoned"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", byte(s))
}

// Unresolved reports whether somebody still has to do something.
func (s State) Unresolved() bool { return s == Admitted || s == Reversing || s == Forwarding }

// Event is why a payment changes its state.
type Event byte

// Events. The first ones are a payment's own; Undo, Reopen and Use come from
// the payment that follows it.
const (
	Admit        Event = iota + 1 // accepted for routing
	Approve                       // the scheme approved
	Decline                       // the scheme, or the host before routing, refused
	Reverse                       // a reversal is owed: no answer in time, or the terminal asks
	ReverseDone                   // the scheme took the reversal, or never knew the original
	ReverseAhead                  // the terminal reverses what never arrived
	DropUnrouted                  // admitted, but provably never sent to a scheme
	GiveUp                        // admitted by an earlier life of the host: nobody is asking any more
	Accept                        // an advice is taken: it holds from now on
	Forwarded                     // the scheme took the advice
	ByHand                        // a person ends what the scheme will never take
	Undo                          // a void or cancel of it was approved
	Reopen                        // that void, or the completion of it, was itself reversed
	Use                           // a completion of it was approved
)

var eventNames = [...]string{
	"", "admit", "approve", "decline", "reverse", "reverse done", "reverse ahead", "drop unrouted", "give up",
	"accept", "forwarded", "by hand", "undo", "reopen", "use",
}

func (e Event) String() string { return eventNames[e] }

// Books says what a transition does to the ledger: the Moves of the payment's kind, or their inverse.
type Books byte

// What a transition books.
const (
	BooksNothing Books = iota
	BooksMoves
	BooksInverse
)

// Hold says what a transition does to the claim on the payment that this one follows.
type Hold byte

// What happens to a claim.
const (
	LeaveClaim   Hold = iota
	TakeClaim         // held: nobody else can have that share
	KeepClaim         // held becomes taken
	UnkeepClaim       // taken becomes held
	ReleaseClaim      // held is free again
	SpendClaim        // taken at once: an advice
	ReturnClaim       // taken is free again
)

// Transition is one row of Table.
type Transition struct {
	From  State
	Event Event
	To    State
	Books Books
	Claim Hold
	Why   string
}

// Table is every change of state that exists.
var Table = []Transition{
	{None, Admit, Admitted, BooksNothing, TakeClaim, "durable before the scheme hears of it"},
	{Admitted, Approve, Approved, BooksMoves, KeepClaim, "durable before the terminal hears of it"},
	{Admitted, Decline, Declined, BooksNothing, ReleaseClaim, "nobody was debited"},
	{Admitted, DropUnrouted, Declined, BooksNothing, ReleaseClaim, "no scheme was asked"},
	{Admitted, Reverse, Reversing, BooksNothing, LeaveClaim, "no answer in time, or the terminal gave up: the customer may be debited"},
	{Admitted, GiveUp, Reversing, BooksNothing, LeaveClaim, "a restart lost the answer; unlike Reverse it never undoes an approval that came meanwhile"},
	{Approved, Reverse, Reversing, BooksInverse, UnkeepClaim, "the terminal never showed the approval"},
	{Reversing, ReverseDone, Reversed, BooksNothing, ReleaseClaim, "the scheme took it, or says that the original is unknown"},
	{Reversing, ByHand, Reversed, BooksNothing, ReleaseClaim, "the scheme never takes it; a person has put it right outside and says so"},
	{None, ReverseAhead, Tombstone, BooksNothing, LeaveClaim, "the reversal overtook its payment"},
	{None, Accept, Forwarding, BooksMoves, SpendClaim, "an advice holds from the moment that it is durable"},
	{Forwarding, Forwarded, Approved, BooksNothing, LeaveClaim, "the scheme took it"},
	{Forwarding, ByHand, Abandoned, BooksInverse, ReturnClaim, "the scheme never takes it; a person gives it up"},
	{Approved, Undo, Undone, BooksNothing, LeaveClaim, "given back by the payment that follows it, which moves the money"},
	{Approved, Use, Used, BooksNothing, LeaveClaim, "completed; nothing is held any more"},
	{Undone, Reopen, Approved, BooksNothing, LeaveClaim, "its void was reversed"},
	{Used, Reopen, Approved, BooksNothing, LeaveClaim, "its completion was reversed or given up"},
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
