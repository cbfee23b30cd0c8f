// Package trace records a tap so that it can be looked at and run again: every
// exchange with the card, the unpredictable numbers, the transaction, the
// terminal's configuration and the outcome. A recorded tap goes through Entry
// Point and kernel a second time (Replay) and must end the same.
//
// A full trace holds card data in clear and is never stored so: Seal makes the
// file that may be kept. What a screen shows are the masked rows of emv/apdu.
// It decides nothing about the payment.
package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"huika/emv"
	"huika/emv/entry"
	"huika/emv/oda"
	"huika/pay"
)

// Hex is bytes that JSON shows as hex digits.
type Hex []byte

// MarshalText writes upper-case hex.
func (h Hex) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%X", []byte(h)), nil }

// UnmarshalText reads hex digits.
func (h *Hex) UnmarshalText(b []byte) error {
	out := make([]byte, hex.DecodedLen(len(b)))
	if _, err := hex.Decode(out, b); err != nil {
		return err
	}
	*h = out
	return nil
}

// Trace is one run of Entry Point.
type Trace struct {
	Version      int              `json:"version"`
	Payment      pay.PaymentID    `json:"payment,omitempty"`
	Name         string           `json:"name,omitempty"` // of a trace that was not recorded by us
	Transaction  Transaction      `json:"transaction"`
	Terminal     emv.Terminal     `json:"terminal"`
	Combinations []Combination    `json:"combinations"`
	MagStripe    bool             `json:"mag_stripe,omitempty"` // mag-stripe mode is taken
	Foreign      *Foreign         `json:"foreign,omitempty"`    // of a terminal that is not ours: a replay follows the recorded order of commands, not their bytes
	CAKeys       []CAKey          `json:"ca_keys,omitempty"`
	Random       Hex              `json:"random"` // bytes that kernels drew, in order
	Steps        []Step           `json:"steps"`
	Cut          bool             `json:"cut,omitempty"` // longer than MaxSteps: the end is missing
	Outcome      *RecordedOutcome `json:"outcome,omitempty"`
}

// Version of the format.
const Version = 1

// Bounds of a trace.
const (
	MaxSteps  = 1024
	MaxRandom = 4096
	MaxFile   = 2 << 20 // bytes of a trace, sealed or clear
)

// Step is one thing that the reader answered: a card activation or an exchange.
type Step struct {
	// Presence is what a wait for a card gave ("no card", "one card",
	// "collision"), "" for an exchange.
	Presence string  `json:"presence,omitempty"`
	Command  Hex     `json:"command,omitempty"`
	Response Hex     `json:"response,omitempty"`
	Lost     bool    `json:"lost,omitempty"` // the card was lost
	AtMS     float64 `json:"at_ms"`          // since the card was present
	TookMS   float64 `json:"took_ms"`
}

// Transaction is emv.Transaction in JSON.
type Transaction struct {
	Minor    int64     `json:"amount"`
	Currency uint16    `json:"currency"`
	Other    int64     `json:"other,omitempty"`
	Type     byte      `json:"type"`
	Time     time.Time `json:"time"`
	Sequence uint32    `json:"sequence,omitempty"`
}

// EMV is the transaction as kernels take it.
func (t Transaction) EMV() emv.Transaction {
	return emv.Transaction{
		Amount: pay.Money{Minor: t.Minor, Currency: pay.Currency(t.Currency)}, AmountOther: t.Other,
		Type: t.Type, Time: t.Time, Sequence: t.Sequence,
	}
}

// FromEMV is the inverse of Transaction.EMV. 9F7C is not recorded: no kernel of ours sends it.
func FromEMV(t emv.Transaction) Transaction {
	return Transaction{Minor: t.Amount.Minor, Currency: uint16(t.Amount.Currency), Other: t.AmountOther, Type: t.Type, Time: t.Time, Sequence: t.Sequence}
}

// Combination is entry.Combination in JSON.
type Combination struct {
	AID                Hex          `json:"aid"`
	Kernel             emv.KernelID `json:"kernel"`
	Version            uint16       `json:"version,omitempty"`
	Types              Hex          `json:"types,omitempty"`
	TTQ                Hex          `json:"ttq,omitempty"`
	TransactionLimit   *int64       `json:"transaction_limit,omitempty"`
	FloorLimit         *int64       `json:"floor_limit,omitempty"`
	TerminalFloorLimit *int64       `json:"terminal_floor_limit,omitempty"`
	CVMLimit           *int64       `json:"cvm_limit,omitempty"`
	StatusCheck        bool         `json:"status_check,omitempty"`
	ZeroAmount         byte         `json:"zero_amount,omitempty"`
	ExtendedSelection  bool         `json:"extended_selection,omitempty"`
}

func fromEntry(c entry.Combination) Combination {
	out := Combination{
		AID: c.AID, Kernel: c.Kernel, Version: c.Version, Types: c.Types, TransactionLimit: c.TransactionLimit, FloorLimit: c.FloorLimit,
		TerminalFloorLimit: c.TerminalFloorLimit, CVMLimit: c.CVMLimit, StatusCheck: c.StatusCheck, ZeroAmount: byte(c.ZeroAmount), ExtendedSelection: c.ExtendedSelection,
	}
	if c.TTQ != nil {
		out.TTQ = c.TTQ[:]
	}
	return out
}

func (c Combination) entry() (entry.Combination, error) {
	out := entry.Combination{
		AID: c.AID, Kernel: c.Kernel, Version: c.Version, Types: c.Types, TransactionLimit: c.TransactionLimit, FloorLimit: c.FloorLimit,
		TerminalFloorLimit: c.TerminalFloorLimit, CVMLimit: c.CVMLimit, StatusCheck: c.StatusCheck, ZeroAmount: entry.ZeroAmount(c.ZeroAmount), ExtendedSelection: c.ExtendedSelection,
	}
	if c.TTQ != nil {
		if len(c.TTQ) != 4 {
			return out, fmt.Errorf("%w: TTQ of %d bytes", ErrFormat, len(c.TTQ))
		}
		ttq := [4]byte(c.TTQ)
		out.TTQ = &ttq
	}
	return out, nil
}

// CAKey is a certification authority's public key in JSON.
type CAKey struct {
	RID      Hex       `json:"rid"`
	Index    Hex       `json:"index"`
	Modulus  Hex       `json:"modulus,omitempty"`
	Exponent Hex       `json:"exponent,omitempty"`
	X        Hex       `json:"x,omitempty"`   // of a key on P-256, in place of modulus and exponent
	SM2      Hex       `json:"sm2,omitempty"` // an SM2 key, x and y, in place of modulus and exponent
	Expiry   time.Time `json:"expiry,omitzero"`
}

// add puts the key into a store.
func (k CAKey) add(s *oda.CAStore) error {
	key, err := k.oda()
	switch {
	case err != nil:
		return err
	case len(k.SM2) != 0 && len(k.SM2) != oda.SM2KeySize:
		return fmt.Errorf("%w: CA key: sm2 of %d bytes, want %d", ErrFormat, len(k.SM2), oda.SM2KeySize)
	case len(k.SM2) != 0:
		sm := oda.SM2CAKey{RID: key.RID, Index: key.Index, Key: oda.SM2PublicKey(k.SM2), Expiry: k.Expiry}
		return s.AddSM2(sm, sm.Checksum())
	case len(k.X) == 0:
		return s.Add(key, key.Checksum())
	case len(k.X) != oda.ECSize:
		return fmt.Errorf("%w: CA key: x of %d bytes, want %d", ErrFormat, len(k.X), oda.ECSize)
	}
	ec := oda.ECCAKey{RID: key.RID, Index: key.Index, X: [oda.ECSize]byte(k.X), Expiry: k.Expiry}
	return s.AddEC(ec, ec.Checksum())
}

func (k CAKey) oda() (oda.CAKey, error) {
	if len(k.RID) != 5 || len(k.Index) != 1 {
		return oda.CAKey{}, fmt.Errorf("%w: CA key needs a RID of 5 bytes and an index of 1", ErrFormat)
	}
	return oda.CAKey{RID: [5]byte(k.RID), Index: k.Index[0], Modulus: k.Modulus, Exponent: k.Exponent, Expiry: k.Expiry}, nil
}

// RecordedOutcome is the part of an outcome that a replay must reach again.
type RecordedOutcome struct {
	Kind       byte   `json:"kind"`
	Name       string `json:"name"`
	CVM        string `json:"cvm"`
	ODA        string `json:"oda"`
	Reason     string `json:"reason"`
	Kernel     uint32 `json:"kernel"`
	AID        Hex    `json:"aid,omitempty"`
	TimedOut   bool   `json:"timed_out,omitempty"`
	DataRecord Hex    `json:"data_record,omitempty"`
}

func fromResult(r entry.Result) *RecordedOutcome {
	o := r.Outcome
	return &RecordedOutcome{
		Kind: byte(o.Kind), Name: o.Kind.String(), CVM: o.CVM.String(), ODA: o.ODA.String(), Reason: o.Reason,
		Kernel: uint32(r.Kernel), AID: r.AID, TimedOut: r.TimedOut, DataRecord: o.DataRecord,
	}
}

// Clear writes the trace as JSON. It holds card data: seal it before it is kept.
func (t Trace) Clear() ([]byte, error) { return json.Marshal(t) }
