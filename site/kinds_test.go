package site_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

// life is one installation on real files and sockets, with a clerk at it.
type life struct {
	t *testing.T
	*site.System
}

func openLife(t *testing.T, set ...func(*site.Config)) life {
	t.Helper()
	cfg := site.Default()
	cfg.Data = t.TempDir()
	for _, f := range set {
		f(&cfg)
	}
	s, err := site.Open(rt.Real(), cfg, site.Parts{World: true, Acquirer: true, Terminal: true}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return life{t, s}
}

const waved = debit

// do runs one transaction; a kind that needs a card gets the debit card.
func (l life) do(req terminal.Request) terminal.Result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	id, err := l.Terminal.Start(ctx, req)
	if err != nil {
		l.t.Fatalf("%s: %v", req.Kind, err)
	}
	switch req.Kind {
	case "", terminal.Sale, terminal.PreAuth, terminal.Balance:
		put, err := l.Desk.Put(ctx, waved, "")
		if err != nil {
			l.t.Fatal(err)
		}
		defer func() { _ = l.Desk.Take(context.Background(), put) }() // it may have left by itself
	}
	r, err := l.Terminal.Wait(ctx, id)
	if err != nil {
		l.t.Fatalf("%s: %v", req.Kind, err)
	}
	return r
}

func (l life) approved(req terminal.Request) terminal.Result {
	l.t.Helper()
	r := l.do(req)
	if r.Outcome != terminal.Approved {
		l.t.Fatalf("%s of %s: %s %s, response %s", req.Kind, req.Amount, r.Outcome, r.Reason, r.ResponseCode)
	}
	return r
}

func (l life) refused(code string, req terminal.Request) {
	l.t.Helper()
	if r := l.do(req); r.Outcome != terminal.Declined || r.ResponseCode != code {
		l.t.Errorf("%s of %s: %s, response %s; want %s", req.Kind, req.Amount, r.Outcome, r.ResponseCode, code)
	}
}

func TestFollowUpsAreChecked(t *testing.T) {
	l := openLife(t)
	for name, c := range map[string]struct {
		req  terminal.Request
		want error
	}{
		"unknown kind":                {terminal.Request{Kind: "tip", Amount: pay.Fen(1)}, terminal.ErrKind},
		"void of nothing":             {terminal.Request{Kind: terminal.Void, Amount: pay.Fen(1)}, terminal.ErrKind},
		"short reference":             {terminal.Request{Kind: terminal.Refund, Amount: pay.Fen(1), Original: terminal.Original{RRN: "123"}}, terminal.ErrKind},
		"completion without its code": {terminal.Request{Kind: terminal.Completion, Amount: pay.Fen(1), Original: terminal.Original{RRN: "123456789012"}}, terminal.ErrKind},
		"sale of nothing":             {terminal.Request{Amount: pay.Fen(0)}, terminal.ErrAmount},
		"balance of something":        {terminal.Request{Kind: terminal.Balance, Amount: pay.Fen(1)}, terminal.ErrAmount},
	} {
		if _, err := l.Terminal.Start(t.Context(), c.req); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	l.refused("25", terminal.Request{Kind: terminal.Refund, Amount: pay.Fen(1), Original: terminal.Original{RRN: "000000000000"}})
	l.refused("25", terminal.Request{Kind: terminal.Void, Amount: pay.Fen(1), Original: terminal.Original{Batch: "000001", STAN: 77}})
}
