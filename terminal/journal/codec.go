package journal

import (
	"encoding/json"
	"fmt"

	"huika/pay"
)

// Line is a record as a store keeps it.
type Line struct {
	Kind    string // "begun", "sent", …
	Payment pay.PaymentID
	Key     Key
	Body    []byte // JSON
}

// Encode makes a record's line.
func Encode(r Record) (Line, error) {
	var l Line
	switch r := r.(type) {
	case Begun:
		l = Line{Kind: "begun", Payment: r.Payment, Key: r.Key}
	case Numbered:
		l = Line{Kind: "numbered", Key: r.Key}
	case Sent:
		l = Line{Kind: "sent", Payment: r.Payment, Key: r.Key}
	case Answered:
		l = Line{Kind: "answered", Payment: r.Payment, Key: r.Key}
	case ReversalOwed:
		l = Line{Kind: "reversal_owed", Payment: r.Payment, Key: r.Key}
	case ReversalDone:
		l = Line{Kind: "reversal_done", Key: r.Key}
	case Ended:
		l = Line{Kind: "ended", Payment: r.Payment, Key: r.Key}
	case BatchOpened:
		l = Line{Kind: "batch_opened", Key: Key{Batch: r.Batch}}
	default:
		return Line{}, fmt.Errorf("%w: unknown record %T", ErrRule, r)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return Line{}, fmt.Errorf("journal: encode %s: %w", l.Kind, err)
	}
	l.Body = body
	return l, nil
}

// Decode is the inverse of Encode.
func Decode(kind string, body []byte) (Record, error) {
	switch kind {
	case "begun":
		return decode[Begun](kind, body)
	case "numbered":
		return decode[Numbered](kind, body)
	case "sent":
		return decode[Sent](kind, body)
	case "answered":
		return decode[Answered](kind, body)
	case "reversal_owed":
		return decode[ReversalOwed](kind, body)
	case "reversal_done":
		return decode[ReversalDone](kind, body)
	case "ended":
		return decode[Ended](kind, body)
	case "batch_opened":
		return decode[BatchOpened](kind, body)
	}
	return nil, fmt.Errorf("journal: unknown record kind %q", kind)
}

func decode[T Record](kind string, body []byte) (Record, error) {
	var r T
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("journal: decode %s: %w", kind, err)
	}
	return r, nil
}
