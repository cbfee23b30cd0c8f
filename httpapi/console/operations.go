package console

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/httpapi/guard"
	"huika/httpapi/webhook"
	"huika/httpapi/wire"
	"huika/pay"
)

// settlement is the settlement of a payment's batch, the zero Payment where it was none yet.
func (s *server) settlement(ctx context.Context, k payment.Key) (payment.Payment, error) {
	k.STAN, k.Kind = 0, payment.Settlement
	p, _, err := s.cfg.Books.Find(ctx, book.LaneOf(k.Merchant, s.cfg.Lanes), k)
	if err != nil {
		return p, s.problem("batch", err)
	}
	return p, nil
}

// showBatch adds a batch up; settled is its settlement.
func (s *server) showBatch(ctx context.Context, k payment.Key, settled payment.Payment) (Batch, book.BatchTotals, error) {
	t, err := s.cfg.Books.Batch(ctx, book.LaneOf(k.Merchant, s.cfg.Lanes), k.Merchant, k.Terminal, k.Batch)
	if err != nil {
		return Batch{}, t, s.problem("batch", err)
	}
	b := Batch{
		Merchant: string(k.Merchant), Terminal: string(k.Terminal), Batch: k.Batch, State: "open", Settled: settled.Admitted, Open: t.Open,
		Debits: money(t.Debits, pay.CNY), Credits: money(t.Credits, pay.CNY), DebitN: t.DebitCount, CreditN: t.CreditCount,
	}
	switch settled.State {
	case payment.Approved:
		b.State, b.Balanced = "closed", settled.Response == "00"
	case payment.Admitted:
		b.State = "settling"
	}
	return b, t, nil
}

func (s *server) batches(ctx context.Context, in *batchesInput) (*batchesOutput, error) {
	f := book.Filter{Merchant: pay.MerchantID(in.Merchant), Terminal: pay.TerminalID(in.Terminal), Kinds: []payment.Kind{payment.Settlement}}
	page, err := s.page(ctx, f, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &batchesOutput{}
	out.Body.Batches, out.Body.Next = []Batch{}, page.Next
	for _, found := range page.Found {
		b, _, err := s.showBatch(ctx, found.Payment.Key, found.Payment)
		if err != nil {
			return nil, err
		}
		out.Body.Batches = append(out.Body.Batches, b)
	}
	return out, nil
}

func (s *server) batch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	k := payment.Key{Merchant: pay.MerchantID(in.Merchant), Terminal: pay.TerminalID(in.Terminal), Batch: in.Batch}
	settled, err := s.settlement(ctx, k)
	if err != nil {
		return nil, err
	}
	b, t, err := s.showBatch(ctx, k, settled)
	switch {
	case err != nil:
		return nil, err
	case settled.State == payment.None && t == book.BatchTotals{}:
		return nil, guard.NewProblem(http.StatusNotFound, "no_batch", "there is nothing in such a batch", "use merchant, terminal and batch of a payment")
	}
	return &batchOutput{b}, nil
}

// place is a merchant in the order of the books.
type place struct {
	lane book.Lane
	id   pay.MerchantID
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.id, b.id))
}

var errEnough = errors.New("console: enough")

func (s *server) merchants(ctx context.Context, in *merchantsInput) (*merchantsOutput, error) {
	after, ok := parsePlace(in.After)
	if !ok {
		return nil, s.problem("merchants", book.ErrCursor)
	}
	counts := map[place]int{}
	for _, t := range s.cfg.Acquirer.Terminals() {
		counts[place{book.LaneOf(t.Merchant, s.cfg.Lanes), t.Merchant}]++
	}
	all := slices.SortedFunc(maps.Keys(counts), comparePlaces)
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, queryTime)
	defer cancel()
	more := 0
	err := s.cfg.Books.Merchants(ctx, func(lane book.Lane, m pay.MerchantID) error {
		at := place{lane, m}
		if comparePlaces(at, after) <= 0 {
			return nil
		}
		if _, had := counts[at]; !had {
			all = append(all, at)
		}
		if more++; more > in.Limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, s.problem("merchants", err)
	}
	slices.SortFunc(all, comparePlaces)
	out := &merchantsOutput{}
	out.Body.Merchants = []Merchant{}
	for _, at := range all {
		if comparePlaces(at, after) <= 0 {
			continue
		}
		if len(out.Body.Merchants) == in.Limit {
			last := out.Body.Merchants[in.Limit-1]
			out.Body.Next = place{book.Lane(last.Lane), pay.MerchantID(last.ID)}.cursor()
			break
		}
		out.Body.Merchants = append(out.Body.Merchants, Merchant{ID: string(at.id), Lane: int(at.lane), Terminals: counts[at]})
	}
	return out, nil
}

func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(int(p.lane)) + wire.Mark + string(p.id)))
}

// parsePlace reads a cursor; "" is before everything.
func parsePlace(cursor string) (place, bool) {
	if cursor == "" {
		return place{}, true
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	lane, id, ok := strings.Cut(string(b), wire.Mark)
	n, nerr := strconv.ParseUint(lane, 10, 16)
	return place{book.Lane(n), pay.MerchantID(id)}, ok && err == nil && nerr == nil
}

func (s *server) merchant(ctx context.Context, in *merchantInput) (*merchantOutput, error) {
	id := pay.MerchantID(in.Merchant)
	lane := book.LaneOf(id, s.cfg.Lanes)
	out := &merchantOutput{MerchantDetail{Merchant: Merchant{ID: in.Merchant, Lane: int(lane)}, Balances: []Balance{}, Terminals: []Terminal{}}}
	for _, t := range s.cfg.Acquirer.Terminals() {
		if t.Merchant == id {
			out.Body.Terminals = append(out.Body.Terminals, showTerminal(t))
		}
	}
	out.Body.Merchant.Terminals = len(out.Body.Terminals)
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, queryTime)
	defer cancel()
	balances, err := s.cfg.Books.Balances(ctx, lane, id)
	if err != nil {
		return nil, s.problem("merchant", err)
	}
	for _, c := range slices.Sorted(maps.Keys(balances)) {
		for _, a := range slices.Sorted(maps.Keys(balances[c])) {
			out.Body.Balances = append(out.Body.Balances, Balance{string(a), money(balances[c][a], c)})
		}
	}
	if len(out.Body.Balances)+len(out.Body.Terminals) == 0 {
		page, err := s.cfg.Books.Search(ctx, book.Filter{Merchant: id}, "", 1)
		switch {
		case err != nil:
			return nil, s.problem("merchant", err)
		case len(page.Found) == 0:
			return nil, guard.NewProblem(http.StatusNotFound, "no_merchant", "there is no such merchant", "list the merchants")
		}
	}
	return out, nil
}

func showTerminal(t host.TerminalStatus) Terminal {
	return Terminal{ID: string(t.ID), Merchant: string(t.Merchant), SignedIn: t.SignedIn, Seen: t.Seen.UTC()}
}

func (s *server) terminals(ctx context.Context, in *terminalsInput) (*terminalsOutput, error) {
	b, err := base64.RawURLEncoding.DecodeString(in.After)
	if err != nil {
		return nil, s.problem("terminals", book.ErrCursor)
	}
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, queryTime)
	defer cancel()
	newest, err := s.cfg.Books.Search(ctx, book.Filter{Merchant: pay.MerchantID(in.Merchant)}, "", book.MaxPage)
	if err != nil {
		return nil, s.problem("terminals", err)
	}
	last := map[string]*Payment{}
	for _, f := range newest.Found {
		if k := f.Payment.Key; last[terminalName(k.Merchant, k.Terminal)] == nil && !k.AtAcquirer() {
			p := show(f.Payment)
			last[terminalName(k.Merchant, k.Terminal)] = &p
		}
	}
	out := &terminalsOutput{}
	out.Body.Terminals = []Terminal{}
	for _, t := range s.cfg.Acquirer.Terminals() {
		name := terminalName(t.Merchant, t.ID)
		if name <= string(b) || in.Merchant != "" && in.Merchant != string(t.Merchant) {
			continue
		}
		if n := len(out.Body.Terminals); n == in.Limit {
			end := out.Body.Terminals[n-1]
			out.Body.Next = base64.RawURLEncoding.EncodeToString([]byte(terminalName(pay.MerchantID(end.Merchant), pay.TerminalID(end.ID))))
			break
		}
		shown := showTerminal(t)
		if shown.Last = last[name]; shown.Last != nil {
			shown.Batch = shown.Last.Batch
		}
		out.Body.Terminals = append(out.Body.Terminals, shown)
	}
	return out, nil
}

func terminalName(m pay.MerchantID, t pay.TerminalID) string {
	return string(m) + wire.Mark + string(t)
}

func (s *server) status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	out := &statusOutput{Status{Mode: s.cfg.Mode, Lanes: []Lane{}, Schemes: []SchemeLink{}, Open: int(s.cfg.Acquirer.Counts().Unresolved), DeadLetters: len(s.cfg.Acquirer.DeadLetters())}}
	for _, l := range s.cfg.Acquirer.LaneStates() {
		out.Body.Lanes = append(out.Body.Lanes, Lane{int(l.Lane), l.Owned, int64(l.Epoch)})
	}
	for _, l := range s.cfg.Acquirer.SchemeLinks() {
		out.Body.Schemes = append(out.Body.Schemes, SchemeLink{l.Name, l.Up, l.Open})
	}
	hooks, err := s.cfg.Hooks.List(ctx)
	if err != nil {
		return nil, s.problem("status", err)
	}
	for _, h := range hooks {
		if h.State == webhook.Failing {
			out.Body.FailingHook++
		}
	}
	return out, nil
}

func showLetter(l host.Letter) Letter {
	owed := "reversal"
	if l.Payment.State == payment.Forwarding {
		owed = "advice"
	}
	return Letter{Payment: show(l.Payment), Owed: owed, Tries: l.Tries, Code: l.Code, Since: l.Since, Last: l.Last}
}

func (s *server) deadLetters(context.Context, *struct{}) (*deadLettersOutput, error) {
	out := &deadLettersOutput{}
	out.Body.Letters = []Letter{}
	for _, l := range s.cfg.Acquirer.DeadLetters() {
		out.Body.Letters = append(out.Body.Letters, showLetter(l))
	}
	return out, nil
}

func (s *server) endDeadLetter(ctx context.Context, in *endInput) (*endOutput, error) {
	p, err := s.find(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	dead := slices.ContainsFunc(s.cfg.Acquirer.DeadLetters(), func(l host.Letter) bool { return l.Payment.Key == p.Key })
	if !dead && p.Open() {
		return nil, guard.NewProblem(http.StatusNotFound, "no_dead_letter", "this is not a dead letter: the host is still trying", "wait: after "+strconv.Itoa(host.DeadAfter)+" tries it becomes one")
	}
	had, err := s.act(ctx, p.Key, actEnd, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := &endOutput{}
	if had && !p.Open() { // the first try did it, and broke off before its answer was kept
		out.Body.Payment = show(p)
		return out, nil
	}
	if p, err = s.cfg.Acquirer.EndByHand(ctx, p.Key); err != nil {
		return nil, s.problem("end dead letter", err)
	}
	out.Body.Payment = show(p)
	return out, nil
}
