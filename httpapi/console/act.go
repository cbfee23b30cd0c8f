package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/httpapi/guard"
	"huika/httpapi/idem"
	"huika/httpapi/wire"
)

// kindAct is that of what people did, in the reference table. An id is the
// payment's ref, a slash, and the request's token: asked twice it is one act.
const kindAct = "act"

// maxActs bounds what a story shows.
const maxActs = 100

// What people do.
const (
	actRefund = "refund"
	actVoid   = "void"
	actEnd    = "end_dead_letter"
)

// act writes down who asks for what, and why, before it is done. had tells that
// it was written by an earlier try.
func (s *server) act(ctx context.Context, on payment.Key, what, reason string) (had bool, err error) {
	if err := checkReason(reason); err != nil {
		return false, err
	}
	body, err := json.Marshal(Act{At: s.now(), What: what, By: callerOf(ctx).name, Reason: reason})
	if err != nil {
		return false, err
	}
	_, err = s.cfg.Books.Put(ctx, book.Entry{Kind: kindAct, ID: wire.Ref(on) + "/" + idem.Token(ctx), Updated: s.now(), Body: body})
	if errors.Is(err, book.ErrConflict) {
		return true, nil
	}
	if err != nil {
		return false, s.problem(what, err)
	}
	return false, nil
}

func (s *server) now() time.Time { return s.cfg.Env.Now().UTC().Truncate(time.Millisecond) }

// acts are what people did about a payment, oldest first.
func (s *server) acts(ctx context.Context, on ...payment.Key) ([]Act, error) {
	out := []Act{}
	for _, k := range on {
		prefix := wire.Ref(k) + "/"
		page, err := s.cfg.Books.Entries(ctx, kindAct, prefix, maxActs)
		if err != nil {
			return nil, s.problem("acts", err)
		}
		for _, e := range page {
			var a Act
			if !strings.HasPrefix(e.ID, prefix) {
				break
			}
			if err := json.Unmarshal(e.Body, &a); err != nil {
				return nil, s.problem("acts", err)
			}
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Act) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return out, nil
}

var longNumber = regexp.MustCompile(`\d(?:[ -]?\d){12,18}`)

// checkReason refuses what may be a card number, with or without a right Luhn
// digit: reasons are kept in clear.
func checkReason(text string) error {
	if longNumber.MatchString(text) {
		return guard.NewProblem(http.StatusUnprocessableEntity, "card_number", "the reason holds what may be a card number", "leave numbers of 13 digits and more out: reasons are kept and shown")
	}
	return nil
}
