package console

import (
	"context"
	"net/http"

	"huika/acquirer/book"
	"huika/acquirer/host"
	"huika/acquirer/payment"
	"huika/httpapi/guard"
	"huika/httpapi/idem"
	"huika/pay"
)

type refundInput struct {
	RefInput
	Body struct {
		Amount string `json:"amount,omitempty" maxLength:"16" example:"10.00" doc:"decimal, in the payment's currency; empty: all that is left"`
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"for whoever reads the story later; no card data"`
	}
}

type voidInput struct {
	RefInput
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"for whoever reads the story later; no card data"`
	}
}

type followOutput struct {
	Body struct {
		Payment Payment `json:"payment" doc:"the refund or void as it stands: approved, declined (see response), or reversing, when the scheme did not answer in time and nothing will have been moved"`
	}
}

func (s *server) refund(ctx context.Context, in *refundInput) (*followOutput, error) {
	p, err := s.find(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	f := host.FollowUp{Kind: payment.Refund, Original: p.Key}
	if in.Body.Amount != "" {
		if f.Amount, err = pay.ParseMoney(in.Body.Amount, p.Amount.Currency); err != nil || f.Amount.Minor == 0 {
			return nil, guard.NewProblem(http.StatusUnprocessableEntity, "amount", "this amount can't be given back", "write it like 88.80, in the payment's currency, or leave it out")
		}
	}
	return s.follow(ctx, f, actRefund, in.Body.Reason)
}

// undoneBy is the kind that takes a whole payment back.
var undoneBy = map[payment.Kind]payment.Kind{
	payment.Sale: payment.Void, payment.PreAuth: payment.PreAuthCancel, payment.Completion: payment.CompletionVoid,
}

func (s *server) void(ctx context.Context, in *voidInput) (*followOutput, error) {
	p, err := s.find(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	kind, ok := undoneBy[p.Key.Kind]
	if !ok {
		return nil, guard.NewProblem(http.StatusConflict, "not_voidable", "a "+p.Key.Kind.String()+" can't be voided", "refund it, where its story says that you may")
	}
	return s.follow(ctx, host.FollowUp{Kind: kind, Original: p.Key}, actVoid, in.Body.Reason)
}

// follow writes the act down and has the host carry it out.
func (s *server) follow(ctx context.Context, f host.FollowUp, what, reason string) (*followOutput, error) {
	if _, err := s.act(ctx, f.Original, what, reason); err != nil {
		return nil, err
	}
	f.Token = idem.Token(ctx)
	p, err := s.cfg.Acquirer.FollowUp(ctx, f)
	if err != nil {
		return nil, s.problem(what, err)
	}
	out := &followOutput{}
	out.Body.Payment = show(p)
	return out, nil
}

// find is the payment that a ref names.
func (s *server) find(ctx context.Context, ref string) (payment.Payment, error) {
	key, err := keyOf(ref)
	if err != nil {
		return payment.Payment{}, err
	}
	p, ok, err := s.cfg.Books.Find(ctx, book.LaneOf(key.Merchant, s.cfg.Lanes), key)
	switch {
	case err != nil:
		return p, s.problem("find", err)
	case !ok:
		return p, s.problem("find", errNotFound)
	}
	return p, nil
}
