package pos

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"huika/httpapi/guard"
	"huika/pay"
	"huika/terminal"
)

// server carries out the operations that register lists.
type server struct {
	cfg     Config
	streams guard.Streams
}

type viewOutput struct{ Body terminal.View }

func (s *server) view(context.Context, *struct{}) (*viewOutput, error) {
	v, _ := s.cfg.Service.View()
	return &viewOutput{v}, nil
}

func (s *server) events(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		s.streams.Serve(w, r, func(ctx context.Context, seq uint64, now bool) ([]byte, uint64, error) {
			v, n := s.cfg.Service.View()
			if !now {
				var err error
				if v, n, err = s.cfg.Service.After(ctx, seq); err != nil {
					return nil, 0, err
				}
			}
			b, err := json.Marshal(v)
			return b, n, err
		})
	}}, nil
}

type startInput struct {
	Body struct {
		ID     string `json:"id,omitempty" maxLength:"26" doc:"names the payment; the same id twice is one payment; made by the terminal when empty"`
		Amount string `json:"amount" maxLength:"16" example:"88.80" doc:"decimal, in the terminal's currency (CNY)"`
	}
}

type startOutput struct {
	Body struct {
		Payment pay.PaymentID `json:"payment"`
	}
}

func (s *server) start(ctx context.Context, in *startInput) (*startOutput, error) {
	var req terminal.SaleRequest
	var err error
	if req.Amount, err = pay.ParseMoney(in.Body.Amount, pay.CNY); err != nil {
		return nil, s.problem("start", errors.Join(terminal.ErrAmount, err))
	}
	if in.Body.ID != "" {
		if req.ID, err = paymentID(in.Body.ID); err != nil {
			return nil, err
		}
	}
	out := &startOutput{}
	if out.Body.Payment, err = s.cfg.Service.StartSale(ctx, req); err != nil {
		return nil, s.problem("start", err)
	}
	return out, nil
}

// PaymentInput names a payment in the path. It is exported because huma does not
// look into embedded structs that are not.
type PaymentInput struct {
	ID string `path:"id" maxLength:"26"`
}

type cancelOutput struct {
	Body struct {
		Cancelled bool   `json:"cancelled" doc:"whether the cancel took"`
		Why       string `json:"why,omitempty" doc:"where it did not: why, as a stable word"`
	}
}

func (s *server) cancel(ctx context.Context, in *PaymentInput) (*cancelOutput, error) {
	id, err := paymentID(in.ID)
	if err != nil {
		return nil, err
	}
	out := &cancelOutput{}
	if out.Body.Cancelled, out.Body.Why, err = s.cfg.Service.Cancel(ctx, id); err != nil {
		return nil, s.problem("cancel", err)
	}
	return out, nil
}

type pinInput struct {
	PaymentInput
	Body struct {
		Try    int    `json:"try" minimum:"1" maximum:"9" doc:"the try that the view named"`
		Sealed []byte `json:"sealed" maxLength:"512" doc:"base64 of the HPKE message, enc followed by ct"`
	}
}

func (s *server) pin(ctx context.Context, in *pinInput) (*struct{}, error) {
	id, err := paymentID(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Service.SubmitPIN(ctx, id, in.Body.Try, in.Body.Sealed); err != nil {
		return nil, s.problem("pin", err)
	}
	return nil, nil
}

type receiptInput struct {
	PaymentInput
	Lang string `query:"lang" enum:"zh,en" default:"zh"`
	Form string `query:"form" enum:"text,escpos" default:"text"`
}

type receiptOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *server) receipt(ctx context.Context, in *receiptInput) (*receiptOutput, error) {
	id, err := paymentID(in.ID)
	if err != nil {
		return nil, err
	}
	if in.Form == "escpos" {
		b, err := s.cfg.Service.ReceiptESCPOS(ctx, id, in.Lang)
		if err != nil {
			return nil, s.problem("receipt", err)
		}
		return &receiptOutput{"application/octet-stream", b}, nil
	}
	text, err := s.cfg.Service.Receipt(ctx, id, in.Lang)
	if err != nil {
		return nil, s.problem("receipt", err)
	}
	return &receiptOutput{"text/plain; charset=utf-8", []byte(text)}, nil
}

type printInput struct {
	PaymentInput
	Lang string `query:"lang" enum:"zh,en" default:"zh"`
}

func (s *server) print(ctx context.Context, in *printInput) (*struct{}, error) {
	id, err := paymentID(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Service.Print(ctx, id, in.Lang); err != nil {
		return nil, s.problem("print", err)
	}
	return nil, nil
}

type reasonsOutput struct {
	Body struct {
		Reasons []terminal.Words `json:"reasons"`
	}
}

func (s *server) reasons(context.Context, *struct{}) (*reasonsOutput, error) {
	out := &reasonsOutput{}
	out.Body.Reasons = terminal.Reasons()
	return out, nil
}

type traceOutput struct {
	Body struct {
		Rows []terminal.TraceRow `json:"rows"`
	}
}

func (s *server) trace(ctx context.Context, in *PaymentInput) (*traceOutput, error) {
	id, err := paymentID(in.ID)
	if err != nil {
		return nil, err
	}
	out := &traceOutput{}
	if out.Body.Rows, err = s.cfg.Service.Trace(ctx, id); err != nil {
		return nil, s.problem("trace", err)
	}
	return out, nil
}

func (s *server) dismiss(ctx context.Context, _ *struct{}) (*struct{}, error) {
	if err := s.cfg.Service.Dismiss(ctx); err != nil {
		return nil, s.problem("dismiss", err)
	}
	return nil, nil
}

func paymentID(v string) (pay.PaymentID, error) {
	id, err := pay.ParsePaymentID(v)
	if err != nil {
		return "", guard.NewProblem(http.StatusUnprocessableEntity, "payment_id", "this is not a payment id", "use the 26 characters that start gave")
	}
	return id, nil
}

// codes maps the terminal's errors to what a client sees.
var codes = []struct {
	err    error
	status int
	code   string
	title  string
	do     string
}{
	{terminal.ErrBusy, http.StatusConflict, "busy", "another payment is under way", "finish or cancel it first"},
	{terminal.ErrAmount, http.StatusUnprocessableEntity, "amount", "this amount can't be taken", "write it like 88.80"},
	{terminal.ErrID, http.StatusUnprocessableEntity, "payment_id", "this is not a payment id", "leave it out, or use 26 characters of 0-9 a-z"},
	{terminal.ErrNoPrinter, http.StatusConflict, "no_printer", "no printer is configured", "print from the browser, or configure one"},
	{terminal.ErrTry, http.StatusConflict, "stale_try", "no PIN is asked for with this try", "read the view again"},
	{terminal.ErrPIN, http.StatusUnprocessableEntity, "pin_unusable", "the sealed PIN can't be used", "enter it again"},
	{terminal.ErrNoTrace, http.StatusNotFound, "no_trace", "there is no trace of this payment", "traces are kept for payments that reached a card"},
	{terminal.ErrNoPayment, http.StatusNotFound, "no_payment", "there is no such payment", "read the view again"},
	{terminal.ErrReader, http.StatusServiceUnavailable, "reader", "the reader can't be used", "look at the reader; it is used again as soon as it is back"},
	{terminal.ErrHost, http.StatusServiceUnavailable, "host", "the acquirer can't be reached", "look at the network; the terminal signs in by itself"},
	{terminal.ErrStopped, http.StatusServiceUnavailable, "stopped", "the terminal is not running", "start the program again"},
	{context.Canceled, 499, "gone", "the request was given up", "ask again"},
}

// problem is what a client sees of err. What is not in codes is logged and
// stays inside.
func (s *server) problem(op string, err error) error {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return guard.NewProblem(c.status, c.code, c.title, c.do)
		}
	}
	s.cfg.Log.Error("pos api", slog.String("op", op), slog.Any("err", err))
	return guard.NewProblem(http.StatusInternalServerError, "internal", "the terminal failed at this", "try again; if it stays, restart the program")
}
