package book

import "huika/acquirer/payment"

// Decide is the one rule by which every store applies an operation: from the
// row as it stands (State None where there is none) to a result, the row
// after it, and the transfers that go with it. Only Applied changes anything.
func Decide(row payment.Payment, op Op) (Result, []Posting) {
	t, ok := payment.Next(row.State, op.Event)
	if !ok {
		return Result{Status: unchanged(row, op), Payment: row}, nil
	}
	next := row
	if op.New != nil {
		next = *op.New
		next.Key = op.Key
		next.Admitted = op.At
	} else if row.State == payment.None {
		return Result{Status: Missing}, nil
	}
	next.State = t.To
	next.Updated = op.At
	set(&next.Response, op.Response)
	set(&next.AuthCode, op.AuthCode)
	set(&next.ReversalReason, op.ReversalReason)
	return Result{Status: Applied, Payment: next}, postings(t, next)
}

// unchanged says why an operation that the table does not have from this state changes nothing.
func unchanged(row payment.Payment, op Op) Status {
	switch {
	case row.State == payment.None:
		return Missing
	case op.Event == payment.Admit:
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
