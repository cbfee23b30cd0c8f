package console

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"huika/acquirer/book"
	"huika/httpapi/guard"
	"huika/httpapi/wire"
	"huika/pay"
)

// FilterInput narrows payments, in a query or in a saved view. It is exported
// because huma does not look into embedded structs that are not.
type FilterInput struct {
	Merchant string    `query:"merchant" json:"merchant,omitempty" maxLength:"15"`
	Terminal string    `query:"terminal" json:"terminal,omitempty" maxLength:"8"`
	Batch    string    `query:"batch" json:"batch,omitempty" maxLength:"6"`
	State    []string  `query:"state,explode" json:"state,omitempty" maxItems:"10" enum:"admitted,approved,declined,reversing,reversed,tombstone,undone,used,forwarding,abandoned" doc:"any of them"`
	Kind     []string  `query:"kind,explode" json:"kind,omitempty" maxItems:"10" enum:"sale,void,refund,preauth,preauth_cancel,completion,completion_void,completion_advice,balance,settlement" doc:"any of them"`
	From     time.Time `query:"from" json:"from,omitzero" doc:"admitted at or after it, RFC 3339"`
	To       time.Time `query:"to" json:"to,omitzero" doc:"admitted before it"`
	Min      string    `query:"min" json:"min,omitempty" maxLength:"16" example:"10.00" doc:"amount, at least; needs currency"`
	Max      string    `query:"max" json:"max,omitempty" maxLength:"16" doc:"amount, at most; needs currency"`
	Currency string    `query:"currency" json:"currency,omitempty" maxLength:"3" example:"CNY"`
	RRN      string    `query:"rrn" json:"rrn,omitempty" maxLength:"12"`
	ID       string    `query:"id" json:"id,omitempty" maxLength:"26"`
	Last4    string    `query:"last4" json:"last4,omitempty" pattern:"^[0-9]{4}$" doc:"end of the card number"`
	Scheme   string    `query:"scheme" json:"scheme,omitempty" maxLength:"32"`
	Response string    `query:"response" json:"response,omitempty" maxLength:"2" doc:"F39"`
}

// filter is what the books understand.
func (in FilterInput) filter() (book.Filter, error) {
	f := book.Filter{
		Merchant: pay.MerchantID(in.Merchant), Terminal: pay.TerminalID(in.Terminal), Batch: in.Batch, From: in.From, To: in.To,
		RRN: pay.RRN(in.RRN), ID: pay.PaymentID(in.ID), Last4: in.Last4, Scheme: in.Scheme, Response: in.Response,
	}
	bad := func(field, title, do string) (book.Filter, error) {
		p := guard.NewProblem(http.StatusUnprocessableEntity, "filter", title, do)
		p.Where = []string{field}
		return f, p
	}
	for _, w := range in.State {
		s, ok := wire.ParseState(w)
		if !ok {
			return bad("state", "there is no such state", "use one of those that the API description lists")
		}
		f.States = append(f.States, s)
	}
	for _, w := range in.Kind {
		k, ok := wire.ParseKind(w)
		if !ok {
			return bad("kind", "there is no such kind", "use one of those that the API description lists")
		}
		f.Kinds = append(f.Kinds, k)
	}
	if in.Currency != "" {
		var err error
		if f.Currency, err = pay.ParseCurrency(in.Currency); err != nil {
			return bad("currency", "this is not a currency", "write it like CNY")
		}
	} else if in.Min != "" || in.Max != "" {
		return bad("currency", "an amount needs its currency", "add currency, such as CNY")
	}
	for _, a := range []struct {
		field, text string
		to          *int64
	}{{"min", in.Min, &f.Min}, {"max", in.Max, &f.Max}} {
		if a.text == "" {
			continue
		}
		m, err := pay.ParseMoney(a.text, f.Currency)
		if err != nil {
			return bad(a.field, "this is not an amount", "write it like 88.80")
		}
		*a.to = m.Minor
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return bad("to", "the end is not after the beginning", "exchange from and to")
	}
	return f, nil
}

type searchInput struct {
	FilterInput
	After string `query:"after" maxLength:"64" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type searchOutput struct {
	Body struct {
		Payments []Payment `json:"payments" nullable:"false"`
		Next     string    `json:"next,omitempty" doc:"leads to the page behind this one; none: this is the last. A page may be short, or empty, and still have a next"`
	}
}

func (s *server) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	page, err := s.page(ctx, f, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &searchOutput{}
	out.Body.Payments, out.Body.Next = showAll(page.Found), page.Next
	return out, nil
}

// page is one page, its cursor made opaque.
func (s *server) page(ctx context.Context, f book.Filter, after string, limit int) (book.Page, error) {
	raw, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil {
		return book.Page{}, s.problem("search", book.ErrCursor)
	}
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, queryTime)
	defer cancel()
	page, err := s.cfg.Books.Search(ctx, f, string(raw), limit)
	if err != nil {
		return page, s.problem("search", err)
	}
	page.Next = base64.RawURLEncoding.EncodeToString([]byte(page.Next))
	return page, nil
}

// queryTime bounds one question to the books.
const queryTime = 10 * time.Second

var errNotFound = errors.New("console: no such payment")
