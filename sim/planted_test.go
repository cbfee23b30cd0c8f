package sim_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/sim"
	"huika/site"
	"huika/terminal/journal"
	"huika/world/issuer"
	"huika/world/scheme"
)

// findWithin is how many seeds a planted bug has to show itself, in runs of so
// many transactions.
const (
	findWithin   = 200
	plantedSteps = 16
)

// planted are bugs that we know of, put between a part and what it stands on.
// Each plants itself anew for each run.
var planted = map[string]func(*sim.Options){
	"the host forgets what it owes":          onBooks(func(s book.Store) book.Store { return noReversals{s} }),
	"an approval is posted twice":            onBooks(func(s book.Store) book.Store { return doublePosting{s} }),
	"the host replies before the commit":     onBooks(func(s book.Store) book.Store { return &hasty{Store: s} }),
	"a refund forgets its claim":             onBooks(func(s book.Store) book.Store { return unclaimed{s} }),
	"a tombstone is not set":                 onBooks(func(s book.Store) book.Store { return noTombstones{s} }),
	"a late answer approves what was undone": onBooks(func(s book.Store) book.Store { return lateApproval{s} }),
	"a batch is added up wrongly":            onBooks(func(s book.Store) book.Store { return wrongTotals{s} }),
	"a stale owner of a lane writes on":      onBooks(func(s book.Store) book.Store { return unfenced{s} }),
	"a request leaves before it is written":  onJournal(func(s journal.Store) journal.Store { return &forgetful{Store: s, late: isSent} }),
	"a result shows before it is written":    onJournal(func(s journal.Store) journal.Store { return &forgetful{Store: s, late: isEnded} }),
	"the terminal forgets a reversal":        onJournal(func(s journal.Store) journal.Store { return noDebts{s} }),
	"the issuer debits twice": func(o *sim.Options) {
		o.Ledger = func(s issuer.Store) issuer.Store { return doubleDebit{s} }
	},
	"the issuer forgets a reversal": func(o *sim.Options) {
		o.Ledger = func(s issuer.Store) issuer.Store { return oblivious{s} }
	},
	"the wire swallows reversals": func(o *sim.Options) {
		o.Wire = func(w site.Wire) site.Wire { return swallowing{w} }
	},
	"the scheme forgets what it owes": func(o *sim.Options) {
		o.Owed = func(s scheme.Store) scheme.Store { return noDebt{s} }
	},
}

func onBooks(f func(book.Store) book.Store) func(*sim.Options) {
	return func(o *sim.Options) { o.Books = f }
}

func onJournal(f func(journal.Store) journal.Store) func(*sim.Options) {
	return func(o *sim.Options) { o.Journal = f }
}

func TestPlantedBugsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a hundred seeds")
	}
	for name, plant := range planted {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= findWithin; seed++ {
				clean := sim.Options{Seed: seed, Steps: plantedSteps, Stores: sim.InMemory}
				opt := clean
				plant(&opt)
				rep, err := sim.Run(opt)
				if err == nil && rep.Err() == nil {
					continue
				}
				t.Logf("found at seed %d: %v %s", seed, err, strings.Join(rep.Problems, "; "))
				if rep, err := sim.Run(clean); err != nil || rep.Err() != nil {
					t.Errorf("without the bug: %v, %v", rep.Err(), err)
				}
				return
			}
			t.Fatalf("not found within %d seeds: the oracles do not bite", findWithin)
		})
	}
}

// A planted bug shrinks, and what is left of the run still finds it.
func TestShrink(t *testing.T) {
	opt := sim.Options{Seed: 1, Steps: 12, Stores: sim.InMemory}
	planted["an approval is posted twice"](&opt)
	small, rep, err := sim.Shrink(t.Context(), opt)
	if err != nil || rep.Err() == nil {
		t.Fatalf("%v: %v, %v", small.Command(), rep.Err(), err)
	}
	if small.Steps > 4 || small.Terminals != 1 && len(rep.Town) > 0 && !strings.HasPrefix(rep.Town, "1 terminals") {
		t.Errorf("shrunk to %s: %s", small.Command(), rep.Town)
	}
	again, err := sim.Run(small)
	if err != nil || again.Hash != rep.Hash || !slices.Equal(again.Problems, rep.Problems) {
		t.Errorf("%s is another run: %v, %v", small.Command(), again.Problems, err)
	}
	small.Books = nil
	if rep, err := sim.Run(small); err != nil || rep.Err() != nil {
		t.Errorf("without the bug: %v, %v", rep.Err(), err)
	}
}

// noReversals: the resolver sees nothing open.
type noReversals struct{ book.Store }

func (noReversals) Unresolved(context.Context, book.Lane, book.Cursor) ([]payment.Payment, error) {
	return nil, nil
}

// doublePosting books every approval once more, under a number that nobody used.
type doublePosting struct{ book.Store }

func (d doublePosting) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	res, err := d.Store.Apply(ctx, batches)
	if err != nil {
		return res, err
	}
	for i, b := range batches {
		for j, op := range b.Ops {
			if op.Event != payment.Approve || op.Key.Kind == payment.Settlement || res[i].Err != nil || res[i].Results[j].Status != book.Applied {
				continue
			}
			if err := approveAnew(ctx, d.Store, b, op, res[i].Results[j].Payment); err != nil {
				return nil, err
			}
		}
	}
	return res, nil
}

// approveAnew books an approval under another number.
func approveAnew(ctx context.Context, s book.Store, b book.LaneBatch, op book.Op, row payment.Payment) error {
	op.Key.STAN += 500_000
	op.Event = payment.Approve
	row.Original = payment.Key{}
	admit := book.Op{Event: payment.Admit, Key: op.Key, At: op.At, New: &row}
	_, err := s.Apply(ctx, []book.LaneBatch{{Lane: b.Lane, Epoch: b.Epoch, Ops: []book.Op{admit, op}}})
	return err
}

// hasty says what will become of a write, and writes it before the next one.
type hasty struct {
	book.Store
	late []book.LaneBatch
}

func (h *hasty) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	if len(h.late) > 0 {
		if _, err := h.Store.Apply(ctx, h.late); err != nil {
			return nil, err
		}
		h.late = nil
	}
	if len(batches) != 1 || len(batches[0].Ops) != 1 || batches[0].Ops[0].Event != payment.Approve {
		return h.Store.Apply(ctx, batches)
	}
	b := batches[0]
	d, err := book.Decide(func(k payment.Key) (payment.Payment, error) {
		p, _, err := h.Find(ctx, b.Lane, k)
		return p, err
	}, b.Ops[0])
	if err != nil {
		return nil, err
	}
	h.late = slices.Clone(batches)
	h.late[0].Ops = slices.Clone(b.Ops)
	return []book.LaneResult{{Lane: b.Lane, Results: []book.Result{d.Result}}}, nil
}

// unclaimed takes a refund on without its original.
type unclaimed struct{ book.Store }

func (u unclaimed) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	for _, b := range batches {
		for j, op := range b.Ops {
			if op.Event == payment.Admit && op.Key.Kind == payment.Refund {
				row := *op.New
				row.Original = payment.Key{}
				b.Ops[j].New = &row
			}
		}
	}
	return u.Store.Apply(ctx, batches)
}

// noTombstones does not write down that a payment was reversed before it came.
type noTombstones struct{ book.Store }

func (n noTombstones) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	if len(batches) == 1 && len(batches[0].Ops) == 1 && batches[0].Ops[0].Event == payment.ReverseAhead {
		b := batches[0]
		row := *b.Ops[0].New
		row.Key, row.State = b.Ops[0].Key, payment.Tombstone
		return []book.LaneResult{{Lane: b.Lane, Results: []book.Result{{Status: book.Applied, Payment: row}}}}, nil
	}
	return n.Store.Apply(ctx, batches)
}

// lateApproval books an approval that came when the payment was being reversed.
type lateApproval struct{ book.Store }

func (l lateApproval) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	res, err := l.Store.Apply(ctx, batches)
	if err != nil {
		return res, err
	}
	for i, b := range batches {
		for j, op := range b.Ops {
			if op.Event != payment.Approve || res[i].Err != nil || res[i].Results[j].Status != book.Stale {
				continue
			}
			if err := approveAnew(ctx, l.Store, b, op, res[i].Results[j].Payment); err != nil {
				return nil, err
			}
		}
	}
	return res, nil
}

// wrongTotals leaves a payment out.
type wrongTotals struct{ book.Store }

func (w wrongTotals) Batch(ctx context.Context, lane book.Lane, m pay.MerchantID, t pay.TerminalID, batch string) (book.BatchTotals, error) {
	out, err := w.Store.Batch(ctx, lane, m, t, batch)
	if out.CreditCount > 0 {
		out.CreditCount--
	}
	return out, err
}

// unfenced takes a refusal for an old epoch as a reason to use a newer one.
type unfenced struct{ book.Store }

func (u unfenced) Apply(ctx context.Context, batches []book.LaneBatch) ([]book.LaneResult, error) {
	res, err := u.Store.Apply(ctx, batches)
	for i := range res {
		for b := batches[i]; err == nil && errors.Is(res[i].Err, book.ErrFenced); {
			b.Epoch++
			var again []book.LaneResult
			if again, err = u.Store.Apply(ctx, []book.LaneBatch{b}); err == nil {
				res[i] = again[0]
			}
		}
	}
	return res, err
}

// forgetful says that some records are written before they are: they follow
// with the next ones, or never.
type forgetful struct {
	journal.Store
	late func(journal.Record) bool
	kept []journal.Record
}

func isSent(r journal.Record) bool {
	_, ok := r.(journal.Sent)
	return ok
}

func isEnded(r journal.Record) bool {
	_, ok := r.(journal.Ended)
	return ok
}

func (f *forgetful) Append(ctx context.Context, records ...journal.Record) error {
	if err := f.Store.Append(ctx, f.kept...); err != nil {
		return err
	}
	f.kept = nil
	if i := slices.IndexFunc(records, f.late); i >= 0 {
		f.kept = slices.Clone(records[i:])
		records = records[:i]
	}
	return f.Store.Append(ctx, records...)
}

// noDebts writes a reversal that is owed as an answer.
type noDebts struct{ journal.Store }

func (n noDebts) Append(ctx context.Context, records ...journal.Record) error {
	for i, r := range records {
		if owed, ok := r.(journal.ReversalOwed); ok {
			records[i] = journal.Answered{Payment: owed.Payment, Key: owed.Key, Code: "96", At: owed.At}
		}
	}
	return n.Store.Append(ctx, records...)
}

// doubleDebit writes a sale's debit a second time, as of another message.
type doubleDebit struct{ issuer.Store }

func (d doubleDebit) Append(records ...issuer.Record) error {
	for _, r := range records {
		if r.Kind == issuer.Decision && r.Transaction == issuer.Sale && r.Code == "00" {
			r.Key, r.HasATC = r.Key[:len(r.Key)-1]+"X", false
			records = append(records, r)
			break
		}
	}
	return d.Store.Append(records...)
}

// oblivious takes a reversal and does not write it down.
type oblivious struct{ issuer.Store }

func (o oblivious) Append(records ...issuer.Record) error {
	return o.Store.Append(slices.DeleteFunc(slices.Clone(records), func(r issuer.Record) bool { return r.Kind == issuer.Reversal })...)
}

// noDebt does not write down what the switch owes.
type noDebt struct{ scheme.Store }

func (n noDebt) Append(records ...scheme.Record) error {
	return n.Store.Append(slices.DeleteFunc(slices.Clone(records), func(r scheme.Record) bool { return r.Kind == scheme.Owed })...)
}

// swallowing is a wire that loses each reversal of a terminal on its way.
type swallowing struct{ site.Wire }

func (s swallowing) Dialer(role, peer string, addr func() string) func(context.Context) (net.Conn, error) {
	dial := s.Wire.Dialer(role, peer, addr)
	if peer != site.RoleHost {
		return dial
	}
	return func(ctx context.Context) (net.Conn, error) {
		c, err := dial(ctx)
		return swallower{c}, err
	}
}

type swallower struct{ net.Conn }

// Write passes on all frames but 0400: length (2), TPDU (5), header (6), MTI (2, BCD).
func (s swallower) Write(b []byte) (int, error) {
	const mti = 2 + 5 + 6
	var out []byte
	for rest := b; len(rest) > 0; {
		frame := rest[:2+int(binary.BigEndian.Uint16(rest))]
		rest = rest[len(frame):]
		if frame[mti] != 0x04 {
			out = append(out, frame...)
		}
	}
	if _, err := s.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
