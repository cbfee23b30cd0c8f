package terminal

import (
	"errors"
	"fmt"

	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/pay"
	"huika/terminal/journal"
)

// Kind is the kind of transaction, as screens and till name it.
type Kind string

// Kinds of transaction that a terminal starts.
const (
	Sale           Kind = "sale"
	Void           Kind = "void"
	Refund         Kind = "refund"
	PreAuth        Kind = "pre_authorisation"
	PreAuthCancel  Kind = "pre_authorisation_cancel"
	Completion     Kind = "completion"
	CompletionVoid Kind = "completion_void"
	Balance        Kind = "balance"
)

// trait is what a kind is to this terminal.
type trait struct {
	kind    Kind
	pos     string // its name in the dialect
	follows bool   // it names an earlier payment, and needs no card
	side    journal.Side
	txType  byte // 9C
	ask     bool // a question: without an answer nothing is reversed
}

var traits = []trait{
	{Sale, "sale", false, journal.Debit, 0x00, false},
	{Void, "void", true, journal.Credit, 0x00, false},
	{Refund, "refund", true, journal.Credit, 0x00, false},
	{PreAuth, "pre-authorisation", false, journal.Aside, 0x00, false},
	{PreAuthCancel, "pre-authorisation cancel", true, journal.Aside, 0x00, false},
	{Completion, "completion", true, journal.Debit, 0x00, false},
	{CompletionVoid, "completion void", true, journal.Credit, 0x00, false},
	{Balance, "balance", false, journal.Aside, 0x31, true},
}

// ErrKind says that there is no such kind, or that its original is not named.
var ErrKind = errors.New("transaction kind not accepted")

// traitOf is a kind's row; "" is a sale.
func traitOf(k Kind) (trait, error) {
	if k == "" {
		k = Sale
	}
	for _, t := range traits {
		if t.kind == k {
			return t, nil
		}
	}
	return trait{}, fmt.Errorf("%w: %q", ErrKind, k)
}

// shape is what its request looks like.
func (t trait) shape() pos.Kind {
	for _, k := range pos.Kinds {
		if k.Name == t.pos {
			return k
		}
	}
	return pos.Kind{}
}

// Original names the payment that a follow-up means: by its reference number,
// or by batch and STAN at this terminal.
type Original struct {
	RRN      pay.RRN // F37 of its slip
	AuthCode string  // F38; a completion needs it
	Batch    string
	STAN     pay.STAN
	Date     string // MMDD
}

// check says what is missing for a kind that follows.
func (o Original) check(k Kind) error {
	switch {
	case o.RRN == "" && (len(o.Batch) != 6 || o.STAN == 0):
		return fmt.Errorf("%w: a %s needs its original's reference number, or batch and voucher number", ErrKind, k)
	case o.RRN != "" && len(o.RRN) != 12:
		return fmt.Errorf("%w: a reference number has 12 characters", ErrKind)
	case k == Completion && len(o.AuthCode) != 6:
		return fmt.Errorf("%w: a %s needs the six-character authorisation code of the pre-authorisation", ErrKind, k)
	}
	return nil
}

// set writes F37, F38 and F61.
func (o Original) set(m *iso8583.Message) {
	setNonEmpty(m, 37, string(o.RRN))
	setNonEmpty(m, 38, o.AuthCode)
	if o.Batch != "" {
		date := o.Date
		if date == "" {
			date = "0000"
		}
		m.Set(pos.FieldOriginal, pos.Original{Batch: o.Batch, STAN: o.STAN.String(), Date: date}.String())
	}
}
