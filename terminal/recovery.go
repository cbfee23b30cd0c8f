package terminal

import (
	"context"

	"huika/emv"
	"huika/iso8583/pos"
	"huika/terminal/journal"
)

// firstBatch is the batch of a terminal that never had one; the host's sign-in reply may name another.
const firstBatch = "000001"

// recover ends what an earlier life left open: a payment whose request had left
// is reversed, one that had not asked is cancelled. Then it takes over numbers,
// shift and the reversals that are owed.
func (t *Terminal) recover(ctx context.Context) error {
	st, err := t.cfg.Journal.State(ctx)
	if err != nil {
		return err
	}
	if st.Batch == "" {
		st.Batch = firstBatch
		if err := t.append(ctx, journal.BatchOpened{Batch: firstBatch, At: t.env.Now()}); err != nil {
			return err
		}
	}
	for _, o := range st.Open {
		if err := t.close(ctx, o); err != nil {
			return err
		}
	}
	if len(st.Open) > 0 {
		if st, err = t.cfg.Journal.State(ctx); err != nil {
			return err
		}
	}
	t.numbers.Lock()
	t.batch, t.stan = st.Batch, st.STAN
	t.numbers.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reversals, t.totals = st.Reversals, st.Totals
	t.view.Shift = t.shift(st.Batch)
	t.view.Host.PendingReversals = len(st.Reversals)
	t.publish()
	return nil
}

// close ends one payment that an earlier life left open.
func (t *Terminal) close(ctx context.Context, o journal.Open) error {
	kind, err := traitOf(Kind(o.Begun.Kind))
	if err != nil {
		return err
	}
	k, outcome := o.Begun.Key, Cancelled
	var records []journal.Record
	switch {
	case o.Sent == nil:
	case kind.ask:
		k, outcome = o.Sent.Key, TryAgain
		records = append(records, journal.Answered{Payment: o.Begun.Payment, Key: k, At: t.env.Now()})
	default:
		k, outcome = o.Sent.Key, Reversed
		records = append(records, journal.ReversalOwed{Payment: o.Begun.Payment, Key: k, Reason: pos.ReasonNoReply, At: t.env.Now()})
	}
	r := Result{
		Payment: o.Begun.Payment, Kind: kind.kind, Outcome: outcome, Reason: ReasonTerminalRestart, Amount: o.Begun.Amount.Decimal(),
		Currency: o.Begun.Amount.Currency.Alpha(), CVM: emv.CVMNone.String(), ODA: emv.ODANone.String(), STAN: k.STAN.String(), Batch: k.Batch, Time: t.now(),
	}
	ended, err := t.ending(o.Begun.Payment, k, r, kind.side, t.receiptBase(r, o.Begun.Amount))
	if err != nil {
		return err
	}
	t.cfg.Log.Warn("a payment of an earlier life is closed", "payment", r.Payment, "outcome", r.Outcome, "stan", r.STAN)
	return t.append(ctx, append(records, ended)...)
}
