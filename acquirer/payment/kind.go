package payment

import (
	"fmt"

	"huika/pay"
)

// Kind is the kind of transaction.
type Kind byte

// Kinds, with the names that UnionPay's terminals print.
const (
	Sale             Kind = 1  // 消费
	Void             Kind = 2  // 消费撤销: gives a whole sale back, same batch
	Refund           Kind = 3  // 退货: gives a sale or completion back, whole or in parts
	PreAuth          Kind = 4  // 预授权: holds an amount on the card
	PreAuthCancel    Kind = 5  // 预授权撤销: frees it
	Completion       Kind = 6  // 预授权完成: takes up to 115 % of what was held
	CompletionVoid   Kind = 7  // 预授权完成撤销: gives it back; the pre-authorisation stays used
	CompletionAdvice Kind = 8  // 预授权完成通知: a completion that asks nobody; the scheme is told
	Balance          Kind = 9  // 余额查询: moves nothing
	Settlement       Kind = 10 // 结算: closes a terminal's batch; STAN 0, so that there is one a batch
)

// Claim is how much of an earlier payment a follow-up takes.
type Claim byte

// Claims.
const (
	NoClaim  Claim = iota
	Whole          // all of it, exactly once
	Part           // any part of what is left
	Complete       // once, up to CompletionPercent of it
)

// CompletionPercent bounds a completion by its pre-authorisation.
const CompletionPercent = 115

// Rule is what a kind is: what it follows, and what it moves.
type Rule struct {
	Kind  Kind
	Name  string
	On    []Kind // the kinds of payment that it follows; none: it stands alone
	Claim Claim
	// OnApproval is what its approval does to the payment that it follows; 0: nothing.
	OnApproval Event
	SameBatch  bool // only in the batch, and at the terminal, of the original; or at the acquirer, while that batch is open
	Advice     bool // accepted here and told to the scheme until it listens
	Reversible bool // without an answer it is reversed; a question is just dropped
	Local      bool // between terminal and acquirer; no scheme is asked
	Moves      Moves
}

// Moves is what a kind's approval books.
type Moves byte

// Moves of a kind. An undone approval moves the inverse.
const (
	MovesNothing  Moves = iota
	MovesSale           // scheme clearing → merchant, and the fee
	MovesSaleBack       // merchant → scheme clearing, and the fee's share back
	MovesHold           // a memo: so much is held on the card
	MovesHoldBack       // the memo, back
	MovesComplete       // hold back, then a sale
)

// Rules is every kind.
var Rules = []Rule{
	{Kind: Sale, Name: "sale", Reversible: true, Moves: MovesSale},
	{Kind: Void, Name: "void", On: []Kind{Sale}, Claim: Whole, OnApproval: Undo, SameBatch: true, Reversible: true, Moves: MovesSaleBack},
	{Kind: Refund, Name: "refund", On: []Kind{Sale, Completion, CompletionAdvice}, Claim: Part, Reversible: true, Moves: MovesSaleBack},
	{Kind: PreAuth, Name: "pre-authorisation", Reversible: true, Moves: MovesHold},
	{Kind: PreAuthCancel, Name: "pre-authorisation cancel", On: []Kind{PreAuth}, Claim: Whole, OnApproval: Undo, Reversible: true, Moves: MovesHoldBack},
	{Kind: Completion, Name: "completion", On: []Kind{PreAuth}, Claim: Complete, OnApproval: Use, Reversible: true, Moves: MovesComplete},
	{Kind: CompletionVoid, Name: "completion void", On: []Kind{Completion}, Claim: Whole, OnApproval: Undo, SameBatch: true, Reversible: true, Moves: MovesSaleBack},
	{Kind: CompletionAdvice, Name: "completion advice", On: []Kind{PreAuth}, Claim: Complete, OnApproval: Use, Advice: true, Moves: MovesComplete},
	{Kind: Balance, Name: "balance inquiry", Moves: MovesNothing},
	{Kind: Settlement, Name: "settlement", Local: true, Moves: MovesNothing},
}

// Rule is the kind's row of Rules. An unknown kind has the zero Rule.
func (k Kind) Rule() Rule {
	if i := int(k) - 1; i >= 0 && i < len(Rules) {
		return Rules[i]
	}
	return Rule{}
}

func (k Kind) String() string {
	if r := k.Rule(); r.Kind == k && k != 0 {
		return r.Name
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Follows reports whether the kind may follow a payment of kind on.
func (r Rule) Follows(on Kind) bool {
	for _, k := range r.On {
		if k == on {
			return true
		}
	}
	return false
}

// Refusal says why a follow-up can't claim its original: a response code and its reason.
type Refusal struct {
	Code string // F39
	Why  string
}

// Claims checks follow-up f against its original o, as it stands. The zero Refusal: it may.
func (r Rule) Claims(f, o Payment) Refusal {
	left := o.Amount.Minor - o.Held - o.Taken
	switch {
	case o.State == None:
		return Refusal{"25", "there is no such original"}
	case !r.Follows(o.Key.Kind):
		return Refusal{"12", "this kind can't follow the original's"}
	case o.State != Approved:
		return Refusal{"12", "the original is " + o.State.String()}
	case f.Amount.Currency != o.Amount.Currency:
		return Refusal{"64", "the original is in another currency"}
	case r.SameBatch && !f.Key.AtAcquirer() && (f.Key.Batch != o.Key.Batch || f.Key.Terminal != o.Key.Terminal):
		return Refusal{"12", "the original's batch is closed: refund it instead"}
	case r.Claim == Whole && f.Amount.Minor != o.Amount.Minor:
		return Refusal{"64", "the amount is not the original's"}
	case r.Claim != Part && left != o.Amount.Minor:
		return Refusal{"12", "the original has been used, or is being used"}
	case r.Claim == Part && f.Amount.Minor > left:
		return Refusal{"64", "more than is left of the original"}
	case r.Claim == Complete && !within(f.Amount, o.Amount):
		return Refusal{"64", fmt.Sprintf("more than %d %% of the pre-authorisation", CompletionPercent)}
	}
	return Refusal{}
}

// within: percent of the original, rounded down to a minor unit. Neither side
// can overflow: an amount has at most twelve digits.
func within(f, o pay.Money) bool { return f.Minor <= o.Minor*CompletionPercent/100 }

// Share is what a claim of f takes of original o: a completion takes all of
// its pre-authorisation, whatever its own amount.
func (r Rule) Share(f, o Payment) int64 {
	if r.Claim == Complete {
		return o.Amount.Minor
	}
	return f.Amount.Minor
}
