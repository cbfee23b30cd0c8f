package book

import (
	"huika/acquirer/payment"
	"huika/pay"
)

// Loader is a payment's row as it stands in the transaction, the zero Payment
// where there is none.
type Loader func(payment.Key) (payment.Payment, error)

// Decision is what an operation does: its result, the rows to write (the
// payment's own first; none where nothing changes) and the transfers that go
// with them, in order.
type Decision struct {
	Result
	Rows     []payment.Payment
	Postings []Posting
}

// Decide is the one rule by which every store applies an operation. It changes
// at most two rows, both of one merchant: the payment's own, and that of the
// payment which it follows. Errors: load's.
func Decide(load Loader, op Op) (Decision, error) {
	row, err := load(op.Key)
	if err != nil {
		return Decision{}, err
	}
	t, ok := payment.Next(row.State, op.Event)
	if !ok || t.From == payment.Approved && op.Event == payment.Reverse && row.Held+row.Taken > 0 {
		return Decision{Result: Result{Status: unchanged(row, op), Payment: row}}, nil
	}
	next := row
	if op.New != nil {
		next = *op.New
		next.Key, next.Admitted = op.Key, op.At
	} else if row.State == payment.None {
		return Decision{Result: Result{Status: Missing}}, nil
	}
	next.State, next.Updated = t.To, op.At
	set(&next.Response, op.Response)
	set(&next.AuthCode, op.AuthCode)
	set(&next.ReversalReason, op.ReversalReason)
	if next.Key.Kind.Rule().Moves == payment.MovesHold {
		next.Hold = next.Amount.Minor
	}
	d := Decision{Result: Result{Status: Applied}}
	if t.Claim != payment.LeaveClaim && next.Original != (payment.Key{}) {
		original, err := load(next.Original)
		if err != nil {
			return Decision{}, err
		}
		if refusal := claim(t, &next, &original); refusal != (payment.Refusal{}) {
			return Decision{Result: Result{Status: Refused, Payment: row, Refusal: refusal}}, nil
		}
		original.Updated = op.At
		d.Rows = []payment.Payment{next, original}
	} else {
		d.Rows = []payment.Payment{next}
	}
	d.Payment = next
	d.Postings = booked(t, next)
	return d, nil
}

// claim carries a transition over to the original.
func claim(t payment.Transition, f, o *payment.Payment) payment.Refusal {
	rule := f.Key.Kind.Rule()
	share := rule.Share(*f, *o)
	switch t.Claim {
	case payment.TakeClaim, payment.SpendClaim:
		if refusal := rule.Claims(*f, *o); refusal != (payment.Refusal{}) {
			return refusal
		}
		if rule.Moves == payment.MovesHoldBack || rule.Moves == payment.MovesComplete {
			f.Hold = o.Hold
		}
		if t.Claim == payment.TakeClaim {
			o.Held += share
			break
		}
		o.Taken += share
		follow(o, rule.OnApproval)
	case payment.KeepClaim:
		o.Held, o.Taken = o.Held-share, o.Taken+share
		if rule.Moves == payment.MovesSaleBack {
			f.Fee = max(pay.RoundHalfUp(o.Fee, o.Taken, o.Amount.Minor)-o.FeeBack, 0)
			o.FeeBack += f.Fee
		}
		follow(o, rule.OnApproval)
	case payment.UnkeepClaim, payment.ReturnClaim:
		o.Taken -= share
		if t.Claim == payment.UnkeepClaim {
			o.Held += share
		}
		if rule.Moves == payment.MovesSaleBack {
			o.FeeBack -= f.Fee
		}
		if rule.OnApproval != 0 {
			follow(o, payment.Reopen)
		}
	case payment.ReleaseClaim:
		o.Held -= share
	}
	return payment.Refusal{}
}

// follow moves the original by the table. The claim was checked before, so a
// change that the table does not have is none.
func follow(o *payment.Payment, e payment.Event) {
	if t, ok := payment.Next(o.State, e); ok {
		o.State = t.To
	}
}

// unchanged says why an operation that the table does not have from this state changes nothing.
func unchanged(row payment.Payment, op Op) Status {
	switch {
	case row.State == payment.None:
		return Missing
	case op.Event == payment.Admit, op.Event == payment.Accept:
		if row.State != payment.Tombstone && op.New != nil && op.New.Fingerprint != row.Fingerprint {
			return Mismatch
		}
		return Duplicate
	case reached(row.State, op.Event):
		return Duplicate
	}
	return Stale
}

// reached reports whether the row already stands where the event leads, or beyond it.
func reached(s payment.State, e payment.Event) bool {
	switch e {
	case payment.Reverse, payment.ReverseAhead:
		return s == payment.Reversing || s == payment.Reversed || s == payment.Tombstone
	case payment.Approve, payment.Forwarded:
		return s == payment.Approved || s == payment.Undone || s == payment.Used
	}
	for _, t := range payment.Table {
		if t.Event == e && t.To == s {
			return true
		}
	}
	return false
}

func set(field *string, v string) {
	if v != "" {
		*field = v
	}
}
