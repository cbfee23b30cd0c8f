package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/entry"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// ErrDiverged says that the code under replay does not do what the recorded
// terminal did: it sent another command, or asked for more than was recorded.
var ErrDiverged = errors.New("trace: the replay went another way")

// Replayed is a replay that came to its end.
type Replayed struct {
	Result entry.Result
	// Same says that it ended as recorded; Difference names the first part that
	// did not. A trace without a recorded outcome is never the same.
	Same       bool
	Difference string
	CommandsMS float64 // sum of the recorded card times
	// Notes are where a replay of a foreign exchange sent other bytes than were recorded.
	Notes []string
}

// Kernels makes the kernels that a replay runs through, with the CA keys of the trace.
type Kernels func(Trace, *oda.CAStore) (*entry.Kernels, error)

// Replay runs the recorded tap again: a scripted reader insists on the recorded
// commands and gives the recorded answers. Of a foreign exchange it insists on
// what the commands ask for only; where the kernel makes another TVR or other
// CVM results than the recorded one did, it is run once more with those, so that what
// the card signed can be checked, and Notes says so. Errors: ErrFormat,
// ErrDiverged, the kernels'.
func Replay(ctx context.Context, t Trace, kernels Kernels) (Replayed, error) {
	first, err := replay(ctx, t, kernels)
	if t.Foreign == nil || len(t.Foreign.Made) == 0 || len(first.Notes) == 0 || err != nil && !errors.Is(err, ErrDiverged) {
		return first, err
	}
	f := *t.Foreign
	f.Data = append(bytes.Clone(f.Data), f.Made...)
	t.Foreign = &f
	second, err2 := replay(ctx, t, kernels)
	if err2 != nil || second.Result.Outcome.ODA == emv.ODAFailed {
		return first, err
	}
	second.Notes = first.Notes
	return second, nil
}

func replay(ctx context.Context, t Trace, kernels Kernels) (Replayed, error) {
	if t.Cut {
		return Replayed{}, fmt.Errorf("%w: the end of the tap was not recorded", ErrFormat)
	}
	ca := oda.NewCAStore()
	for _, k := range t.CAKeys {
		if err := k.add(ca); err != nil {
			return Replayed{}, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	ks, err := kernels(t, ca)
	if err != nil {
		return Replayed{}, err
	}
	s := &script{steps: t.Steps, loose: t.Foreign != nil, used: make([]bool, len(t.Steps))}
	p := &entry.Point{Kernels: ks, Reader: s, Terminal: t.Terminal, Rand: bytes.NewReader(t.Random)}
	if s.loose {
		p.Now, p.CardTimeout = func() time.Time { return t.Transaction.Time }, time.Second
	}
	for _, c := range t.Combinations {
		e, err := c.entry()
		if err != nil {
			return Replayed{}, err
		}
		p.Combinations = append(p.Combinations, e)
	}
	result, err := p.Run(ctx, t.Transaction.EMV())
	if err != nil {
		return Replayed{Result: result}, err
	}
	if s.missing != "" {
		return Replayed{Result: result, Notes: s.notes}, fmt.Errorf("%w: the exchange has no answer to %s", ErrDiverged, s.missing)
	}
	out := Replayed{Result: result, Notes: s.notes}
	for _, st := range t.Steps {
		out.CommandsMS += st.TookMS
	}
	out.Difference = difference(t.Outcome, fromResult(result))
	if out.Difference == "" && s.next < len(s.steps) {
		out.Difference = fmt.Sprintf("%d recorded steps were not needed", len(s.steps)-s.next)
	}
	out.Same = out.Difference == ""
	return out, nil
}

func difference(want, got *RecordedOutcome) string {
	switch {
	case want == nil:
		return "no outcome was recorded"
	case want.Kind != got.Kind:
		return fmt.Sprintf("outcome: recorded %s, now %s", want.Name, got.Name)
	case want.CVM != got.CVM:
		return fmt.Sprintf("cardholder verification: recorded %s, now %s", want.CVM, got.CVM)
	case want.ODA != got.ODA:
		return fmt.Sprintf("data authentication: recorded %s, now %s", want.ODA, got.ODA)
	case want.TimedOut != got.TimedOut:
		return "one of them timed out"
	case want.Kernel != got.Kernel || !bytes.Equal(want.AID, got.AID):
		return "another application or kernel"
	case want.DataRecord != nil && !bytes.Equal(want.DataRecord, got.DataRecord):
		return "the data record"
	}
	return ""
}

// script is a reader that plays a trace.
type script struct {
	steps []Step
	next  int

	loose   bool // of a foreign terminal: what a command asks for counts, not its bytes
	used    []bool
	shown   int // cards
	notes   []string
	missing string // what the exchange has no answer to
}

func (s *script) take() (Step, bool) {
	if s.next == len(s.steps) {
		return Step{}, false
	}
	s.next++
	return s.steps[s.next-1], true
}

func (s *script) FieldOn(ctx context.Context) error { return ctx.Err() }

func (s *script) FieldOff(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (s *script) WaitRemoval(ctx context.Context, _ time.Duration) (bool, error) {
	return true, ctx.Err()
}

func (s *script) WaitCard(ctx context.Context, _ time.Duration) (entry.Presence, error) {
	if err := ctx.Err(); err != nil {
		return entry.NoCard, err
	}
	if s.loose { // one card, once: what comes after a lost one was not recorded
		if s.shown++; s.shown > 1 {
			return entry.NoCard, nil
		}
		return entry.OneCard, nil
	}
	st, ok := s.take()
	switch {
	case !ok:
		return entry.NoCard, fmt.Errorf("%w: it waits for another card", ErrDiverged)
	case st.Presence == "":
		return entry.NoCard, fmt.Errorf("%w: step %d is an exchange, it waits for a card", ErrDiverged, s.next)
	case st.Lost:
		return entry.NoCard, emv.ErrCardLost
	}
	for _, p := range []entry.Presence{entry.OneCard, entry.Collision} {
		if st.Presence == presenceNames[p] {
			return p, nil
		}
	}
	return entry.NoCard, nil
}

var presenceNames = map[entry.Presence]string{entry.NoCard: "no card", entry.OneCard: "one card", entry.Collision: "collision"}

func (s *script) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.loose {
		return s.lookUp(command)
	}
	st, ok := s.take()
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: %s was not recorded", ErrDiverged, apdu.Name(command))
	case st.Presence != "":
		return nil, fmt.Errorf("%w: step %d is a card activation, it sends %s", ErrDiverged, s.next, apdu.Name(command))
	case !bytes.Equal(st.Command, command):
		return nil, fmt.Errorf("%w: step %d: recorded %s, now %s", ErrDiverged, s.next, apdu.Name(st.Command), apdu.Name(command))
	case st.Lost:
		return nil, emv.ErrCardLost
	}
	return bytes.Clone(st.Response), nil
}

// namedKeys are the CA keys that 8F of the recorded answers names under the AID's RID.
func namedKeys(steps []Step, aid []byte, ca *oda.CAStore) []CAKey {
	if len(aid) < 5 || ca == nil {
		return nil
	}
	rid := [5]byte(aid)
	var out []CAKey
	seen := map[byte]bool{}
	for _, s := range steps {
		r, err := apdu.ParseResponse(s.Response)
		if err != nil {
			continue
		}
		_ = tlv.Walk(r.Data, func(_ int, o tlv.TLV) error { // a malformed answer names no key
			if o.Tag != tag.CAIndex || len(o.Value) != 1 || seen[o.Value[0]] {
				return nil
			}
			seen[o.Value[0]] = true
			if k, ok := ca.LookupEC(rid, o.Value[0]); ok {
				out = append(out, CAKey{RID: k.RID[:], Index: Hex{k.Index}, X: k.X[:], Expiry: k.Expiry})
			}
			if k, ok := ca.LookupSM2(rid, o.Value[0]); ok {
				out = append(out, CAKey{RID: k.RID[:], Index: Hex{k.Index}, SM2: k.Key[:], Expiry: k.Expiry})
			}
			if k, ok := ca.Lookup(rid, o.Value[0]); ok {
				out = append(out, CAKey{RID: k.RID[:], Index: Hex{k.Index}, Modulus: k.Modulus, Exponent: k.Exponent, Expiry: k.Expiry})
			}
			return nil
		})
	}
	return out
}

// lookUp finds the recorded answer to a command of a foreign exchange: the first
// unused one that asks for the same. Another application than the recorded
// terminal selected is one that the card does not have.
func (s *script) lookUp(command []byte) ([]byte, error) {
	for i, st := range s.steps {
		if st.Presence != "" || s.used[i] || !asksTheSame(st.Command, command) {
			continue
		}
		s.used[i] = true
		if !sameCommand(st.Command, command) && len(s.notes) < maxNotes {
			s.notes = append(s.notes, fmt.Sprintf("%s: recorded %X, now %X", apdu.Name(command), st.Command, command))
		}
		if st.Lost || len(st.Response) < 2 {
			return nil, emv.ErrCardLost
		}
		return bytes.Clone(st.Response), nil
	}
	if command[1] == apdu.InsSelect {
		return []byte{byte(apdu.SWFileNotFound >> 8), byte(apdu.SWFileNotFound & 0xFF)}, nil
	}
	if s.missing == "" {
		s.missing = apdu.Name(command)
	}
	return nil, emv.ErrCardLost
}

const maxNotes = 16

// asksTheSame compares instruction, parameters where they say what is read, and the name of a SELECT.
func asksTheSame(a, b []byte) bool {
	x, err1 := apdu.ParseCommand(a)
	y, err2 := apdu.ParseCommand(b)
	if err1 != nil || err2 != nil || x.INS != y.INS {
		return false
	}
	switch x.INS {
	case apdu.InsSelect:
		return bytes.Equal(x.Data, y.Data) && x.P2 == y.P2
	case apdu.InsReadRecord, apdu.InsGetData, apdu.InsPutData:
		return x.P1 == y.P1 && x.P2 == y.P2
	}
	return true
}

// sameCommand compares all but Le, which readers add and take away.
func sameCommand(a, b []byte) bool {
	x, err1 := apdu.ParseCommand(a)
	y, err2 := apdu.ParseCommand(b)
	return err1 == nil && err2 == nil && x.P1 == y.P1 && x.P2 == y.P2 && bytes.Equal(x.Data, y.Data)
}
