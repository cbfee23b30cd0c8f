package console

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/terminal"
)

// followTime bounds the search for a payment's follow-ups: what has no index is
// looked for among everything that came after it.
const followTime = 3 * time.Second

func (s *server) story(ctx context.Context, in *RefInput) (*storyOutput, error) {
	p, err := s.find(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	c := p.Amount.Currency
	out := Story{Payment: show(p), FollowUps: []Payment{}, Transfers: []Transfer{}, Trace: []terminal.TraceRow{}, May: []string{}, Left: money(0, c)}
	about := []payment.Key{p.Key}
	if p.Original != (payment.Key{}) {
		o, ok, err := s.cfg.Books.Find(ctx, book.LaneOf(p.Key.Merchant, s.cfg.Lanes), p.Original)
		if err != nil {
			return nil, s.problem("story", err)
		}
		if ok {
			shown := show(o)
			out.Original = &shown
		}
		about = append(about, p.Original)
	}
	if out.FollowUps, out.Partial, err = s.followUps(ctx, p); err != nil {
		return nil, err
	}
	moved, err := s.cfg.Books.TransfersOf(ctx, book.LaneOf(p.Key.Merchant, s.cfg.Lanes), p.Key)
	if err != nil {
		return nil, s.problem("story", err)
	}
	for _, t := range moved {
		out.Transfers = append(out.Transfers, Transfer{
			Seq: int64(t.Seq), At: t.At, What: t.What, Debit: string(t.Debit), Credit: string(t.Credit), Amount: money(t.Amount.Minor, t.Amount.Currency), Hash: hex.EncodeToString(t.Hash[:]),
		})
	}
	if out.Acts, err = s.acts(ctx, about...); err != nil {
		return nil, err
	}
	if out.Trace, err = s.trace(ctx, p); err != nil {
		return nil, err
	}
	for _, l := range s.cfg.Acquirer.DeadLetters() {
		if l.Payment.Key == p.Key {
			shown := showLetter(l)
			out.Letter = &shown
		}
	}
	out.Steps = steps(p, moved, out.FollowUps, out.Acts)
	if err := s.may(ctx, p, &out); err != nil {
		return nil, err
	}
	return &storyOutput{out}, nil
}

// followUps are the payments that follow p, the newest first. partial tells
// that time was up before all were found.
func (s *server) followUps(ctx context.Context, p payment.Payment) (out []Payment, partial bool, err error) {
	out = []Payment{}
	if !slices.ContainsFunc(payment.Rules, func(r payment.Rule) bool { return r.Follows(p.Key.Kind) }) {
		return out, false, nil
	}
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, followTime)
	defer cancel()
	f := book.Filter{Original: p.Key, From: p.Admitted.Add(-book.ClockSlack)}
	for after := ""; ; {
		page, err := s.cfg.Books.Search(ctx, f, after, book.MaxPage)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return out, true, nil
		case err != nil:
			return nil, false, s.problem("story", err)
		}
		out = append(out, showAll(page.Found)...)
		if after = page.Next; after == "" {
			return out, false, nil
		}
	}
}

// trace is what this process's terminal kept of the tap, masked.
func (s *server) trace(ctx context.Context, p payment.Payment) ([]terminal.TraceRow, error) {
	if s.cfg.Traces == nil || p.ID == "" || p.Key.AtAcquirer() {
		return []terminal.TraceRow{}, nil
	}
	rows, err := s.cfg.Traces.Trace(ctx, p.ID)
	switch {
	case errors.Is(err, terminal.ErrNoTrace), err == nil && rows == nil:
		return []terminal.TraceRow{}, nil
	case err != nil:
		return nil, s.problem("trace", err)
	}
	return rows, nil
}

// steps puts in order what the rows tell. A row keeps only its last change's
// time; transfers keep the others.
func steps(p payment.Payment, moved []book.Transfer, follow []Payment, acts []Act) []Step {
	out := []Step{{At: p.Admitted, What: "admitted", Text: "written down before the scheme was asked"}}
	if p.State == payment.Tombstone {
		out[0].Text = "its reversal came first: should the payment still come, it is refused"
	}
	last := time.Time{}
	for _, t := range moved {
		if t.At.Equal(last) {
			continue // one approval moves several amounts
		}
		last = t.At
		if strings.HasPrefix(t.What, "reversal of ") {
			out = append(out, Step{At: t.At, What: "taken_back", Text: "what it had moved was moved back"})
		} else {
			out = append(out, Step{At: t.At, What: "booked", Text: "approved, and its money moved"})
		}
	}
	end := map[payment.State]Step{
		payment.Declined:  {What: "declined", Text: "nothing was moved; response " + p.Response},
		payment.Reversing: {What: "reversal_owed", Text: "a reversal is owed to the scheme"},
		payment.Reversed:  {What: "reversed", Text: "the scheme took the reversal, or never knew the payment, or a person said so"},
		payment.Abandoned: {What: "ended_by_hand", Text: "a person gave the advice up"},
	}
	if e, ok := end[p.State]; ok {
		e.At = p.Updated
		out = append(out, e)
	} else if len(moved) == 0 && p.State == payment.Approved {
		out = append(out, Step{At: p.Updated, What: "approved", Text: "approved; it moves no money"})
	}
	for _, f := range follow {
		out = append(out, Step{At: f.Admitted, What: "followed", Text: "by a " + f.Kind + " of " + f.Amount.Amount + " " + f.Amount.Currency, Ref: f.Ref, State: f.State})
	}
	for _, a := range acts {
		out = append(out, Step{At: a.At, What: "asked", Text: a.What + " by " + a.By + ": " + a.Reason})
	}
	slices.SortStableFunc(out, func(a, b Step) int { return cmp.Compare(a.At.UnixMilli(), b.At.UnixMilli()) })
	return out
}

// may says what can be asked for now. The host decides again when it is.
func (s *server) may(ctx context.Context, p payment.Payment, out *Story) error {
	left := p.Amount.Minor - p.Held - p.Taken
	if p.State != payment.Approved || left <= 0 {
		return nil
	}
	if payment.Refund.Rule().Follows(p.Key.Kind) {
		out.May, out.Left = append(out.May, actRefund), money(left, p.Amount.Currency)
	}
	kind, ok := undoneBy[p.Key.Kind]
	if !ok || left != p.Amount.Minor {
		return nil
	}
	if kind.Rule().SameBatch {
		b, err := s.settlement(ctx, p.Key)
		if err != nil || b.State == payment.Approved {
			return err
		}
	}
	out.May = append(out.May, actVoid)
	return nil
}
