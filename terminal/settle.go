package terminal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/terminal/journal"
)

// Settlement is a batch that was closed with the acquirer.
type Settlement struct {
	Batch    string         `json:"batch"`
	Balanced bool           `json:"balanced"` // false: the batch was uploaded, and the acquirer's books stand
	Totals   journal.Totals `json:"totals"`   // this terminal's
	Next     string         `json:"next_batch"`
}

// ErrUnsettled says that the acquirer did not close the batch; it is as it was.
var ErrUnsettled = errors.New("the batch was not settled")

// positions in field 48: debits and credits (amount 12, count 3, each), then the result flag.
const (
	totalsLength = 30
	totalsField  = 62
	flagBalanced = '1'
)

// Settle closes the batch: the two sides compare what it comes to; where they
// differ the terminal uploads what it has. Then the next batch is open. No
// payment may be under way and no reversal owed. Errors: ErrBusy, ErrStopped,
// ErrHost, ErrUnsettled, the journal's.
func (t *Terminal) Settle(ctx context.Context) (Settlement, error) {
	if _, err := t.reserve(); err != nil {
		return Settlement{}, err
	}
	defer func() {
		t.mu.Lock()
		t.starting = false
		t.mu.Unlock()
	}()
	if why := t.waitHost(ctx); why != "" {
		return Settlement{}, fmt.Errorf("%w: %s", ErrHost, why)
	}
	now := t.signedIn()
	if now == nil {
		return Settlement{}, ErrHost
	}
	k, err := t.drawNumber(ctx)
	if err != nil {
		return Settlement{}, err
	}
	t.mu.Lock()
	out := Settlement{Batch: k.Batch, Totals: t.totals}
	t.mu.Unlock()
	m := t.base(pos.MTISettlement, k, pos.F60{Type: "00", Network: pos.NetworkSettlement})
	m.Set(48, totals48(out.Totals))
	m.Set(49, t.cfg.Currency.Numeric())
	m.Set(63, t.cfg.Operator+" ")
	a, err := t.exchange(ctx, t.client.Call, m, now.mac, t.cfg.Timeouts.Host)
	if err := t.usable(a, err); err != nil {
		return out, err
	}
	theirs := a.m.Get(48)
	out.Balanced = len(theirs) > totalsLength && theirs[totalsLength] == flagBalanced
	if !out.Balanced {
		t.cfg.Log.Warn("the acquirer's totals differ: uploading the batch", "batch", k.Batch)
		if err := t.upload(ctx, now, k.Batch); err != nil {
			return out, err
		}
	}
	out.Next = nextBatch(k.Batch)
	t.cfg.Log.Info("batch settled", "batch", k.Batch, "balanced", out.Balanced, "next", out.Next)
	return out, t.startBatch(ctx, out.Next)
}

// usable is nil for an answer that says 00 under a MAC that fits. Where the keys
// of the two sides differ, or the host says so, the terminal signs in again.
func (t *Terminal) usable(a answer, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnsettled, err)
	case a.macErr != nil:
		t.client.Drop()
		return fmt.Errorf("%w: %w", ErrUnsettled, a.macErr)
	case a.code() == "A0" || a.code() == "90":
		t.client.Drop()
		return fmt.Errorf("%w: answered %s: signing in again", ErrUnsettled, a.code())
	case a.code() == "09":
		return fmt.Errorf("%w: the acquirer is still finishing payments of this batch: settle again in a moment", ErrUnsettled)
	case a.code() != "00":
		return fmt.Errorf("%w: answered %s", ErrUnsettled, a.code())
	}
	return nil
}

// totals48 is what this terminal has, in the request's form of field 48.
func totals48(t journal.Totals) string {
	s := fmt.Sprintf("%012d%03d%012d%03d", t.Debits, t.DebitCount%1000, t.Credits, t.CreditCount%1000)
	return s + strings.Repeat("0", totalsField-len(s))
}

// maxUpload bounds a batch: a STAN stands once in it.
const maxUpload = 999_999

// upload sends every payment of the batch that moved money, then its end.
func (t *Terminal) upload(ctx context.Context, now *session, batch string) error {
	var list []journal.Ended
	err := t.cfg.Journal.Each(ctx, func(r journal.Record) error {
		if e, ok := r.(journal.Ended); ok && e.Approved && e.Key.Batch == batch && e.Side != journal.Aside && len(list) < maxUpload {
			e.Result, e.Receipt = nil, nil
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range list {
		item, err := t.uploadMessage(ctx, pos.NetworkSettlement)
		if err != nil {
			return err
		}
		item.Set(4, amount12(e.Amount))
		item.Set(49, e.Amount.Currency.Numeric())
		item.Set(pos.FieldOriginal, pos.Original{Batch: batch, STAN: e.Key.STAN.String(), Date: e.At.In(t.cfg.Location).Format("0102")}.String())
		a, err := t.exchange(ctx, t.client.Call, item, now.mac, t.cfg.Timeouts.Manage)
		if err := t.usable(a, err); err != nil {
			return err
		}
	}
	end, err := t.uploadMessage(ctx, pos.NetworkUploadEndOff)
	if err != nil {
		return err
	}
	a, err := t.exchange(ctx, t.client.Call, end, now.mac, t.cfg.Timeouts.Host)
	return t.usable(a, err)
}

// uploadMessage is an 0320 under a number of its own.
func (t *Terminal) uploadMessage(ctx context.Context, network string) (*iso8583.Message, error) {
	k, err := t.drawNumber(ctx)
	if err != nil {
		return nil, err
	}
	return t.base(pos.MTIUpload, k, pos.F60{Type: "00", Network: network}), nil
}

// nextBatch is the batch after one; 000001 comes after 999999.
func nextBatch(batch string) string {
	n, err := strconv.Atoi(batch)
	if err != nil || n >= 999_999 {
		n = 0
	}
	return fmt.Sprintf("%06d", n+1)
}

// startBatch writes the next batch down and clears the sums.
func (t *Terminal) startBatch(ctx context.Context, batch string) error {
	t.numbers.Lock()
	defer t.numbers.Unlock()
	if batch == t.batch {
		return nil
	}
	if err := t.append(ctx, journal.BatchOpened{Batch: batch, At: t.env.Now()}); err != nil {
		return err
	}
	t.batch = batch
	t.mu.Lock()
	defer t.mu.Unlock()
	t.totals = journal.Totals{}
	t.view.Shift = t.shift(batch)
	t.publish()
	return nil
}
