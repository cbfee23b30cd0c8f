package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"huika/emv"
	"huika/emv/tag"
	"huika/pay"
	"huika/terminal/journal"
	"huika/terminal/receipt"
	"huika/terminal/trace"
)

// result makes what is shown at the end, and the last user interface request
// (nil: what the tap showed last stays).
func (t *Terminal) result(s *sale, e ending) (*emv.UIRequest, Result) {
	now := t.env.Now()
	r := Result{
		Payment: s.id, Outcome: e.outcome, Reason: e.reason, Amount: s.amount.Decimal(), Currency: s.amount.Currency.Alpha(),
		CVM: emv.CVMNone.String(), ODA: emv.ODANone.String(), STAN: e.key.STAN.String(), Batch: e.key.Batch,
		RRN: e.rrn, AuthCode: e.auth, ResponseCode: e.code, Time: t.now(), Kind: s.kind.kind, Balance: e.balance,
	}
	if tap := s.tap; tap != nil {
		r.Kernel, r.ODA, r.AID = int(tap.kernel), tap.outcome.ODA.String(), hexUpper(tap.aid)
		if c := tap.outcome.CVM; c != emv.CVMNotGiven {
			r.CVM = c.String()
		}
		r.MaskedPAN, r.Label = tap.card.pan.Masked(), tap.card.label
		r.Timings = Timings{
			Select: millis(tap.timings.Select), GPO: millis(tap.timings.GPO), Read: millis(tap.timings.Read), ODA: millis(tap.timings.ODA),
			Host: millis(e.hostFor),
		}
		if !tap.present.IsZero() {
			r.Timings.Total = millis(now.Sub(tap.present))
		}
	}
	ui := lastRequest(e, r.CVM)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case ui != nil:
		r.MessageID = ui.Message.String()
	case s.view.UI != nil:
		r.MessageID = s.view.UI.ID
	}
	return ui, r
}

func lastRequest(e ending, cvm string) *emv.UIRequest {
	switch e.outcome {
	case Approved:
		if cvm == emv.CVMSignature.String() {
			return &emv.UIRequest{Message: emv.MsgApprovedSign, Status: emv.StatusIdle}
		}
		return &emv.UIRequest{Message: emv.MsgApproved, Status: emv.StatusIdle}
	case Declined:
		return &emv.UIRequest{Message: emv.MsgNotAuthorised, Status: emv.StatusProcessingError}
	case Cancelled:
		return &emv.UIRequest{Message: emv.MsgClearDisplay, Status: emv.StatusIdle}
	case Reversed:
		return &emv.UIRequest{Message: emv.MsgProcessingError, Status: emv.StatusProcessingError}
	case TryAgain:
		if e.reason != ReasonOneCardOnly && e.reason != ReasonCardNotRead && e.reason != ReasonPresentTimeout {
			return &emv.UIRequest{Message: emv.MsgProcessingError, Status: emv.StatusProcessingError}
		}
	}
	return nil
}

func receiptContext(id pay.PaymentID) string { return "receipt/" + string(id) }

// endedRecord is the journal's line of an end: the result in clear (it holds a
// masked PAN only), what the receipt prints sealed (it holds a cryptogram).
func (t *Terminal) endedRecord(s *sale, e ending, r Result) (journal.Ended, error) {
	d := t.receiptBase(r, s.amount)
	if s.tap != nil {
		c := s.tap.card
		d.PSN, d.ARQC, d.TVR, d.ATC = lastTwo(c.psn), c.hex(tag.ApplicationCryptogram), c.hex(tag.TVR), c.hex(tag.ATC)
	}
	return t.ending(s.id, e.key, r, s.kind.side, d)
}

func (t *Terminal) ending(id pay.PaymentID, k journal.Key, r Result, side journal.Side, d receipt.Data) (journal.Ended, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return journal.Ended{}, err
	}
	plain, err := json.Marshal(d)
	if err != nil {
		return journal.Ended{}, err
	}
	box, err := t.cfg.Sealer.Seal(plain, receiptContext(id))
	if err != nil {
		return journal.Ended{}, fmt.Errorf("receipt: %w", err)
	}
	return journal.Ended{Payment: id, Key: k, Approved: r.Outcome == Approved, Amount: d.Amount, Side: side, Result: body, Receipt: box, At: t.env.Now()}, nil
}

func (t *Terminal) receiptBase(r Result, amount pay.Money) receipt.Data {
	d := receipt.Data{
		Simulation: t.cfg.Mode == "demo", MerchantName: t.cfg.MerchantName, MerchantID: t.cfg.MerchantID, TerminalID: t.cfg.TerminalID,
		Approved: r.Outcome == Approved, Amount: amount, Time: r.Time, CardLabel: r.Label, MaskedPAN: r.MaskedPAN, AID: r.AID,
		Batch: r.Batch, STAN: r.STAN, RRN: r.RRN, AuthCode: r.AuthCode, Response: r.ResponseCode, CVM: r.CVM, FreeUpTo: t.money(cvmLimit(t.ruled().params) - 1),
	}
	if w, ok := Explain(r.Reason); ok {
		d.SaysZH, d.SaysEN = w.ZH+"。"+w.NextZH+"。", w.EN+". "+w.NextEN+"."
	}
	return d
}

func (t *Terminal) receiptData(ctx context.Context, id pay.PaymentID) (receipt.Data, error) {
	e, err := t.ended(ctx, id)
	if err != nil {
		return receipt.Data{}, err
	}
	plain, err := t.cfg.Sealer.Open(e.Receipt, receiptContext(id))
	if err != nil {
		return receipt.Data{}, fmt.Errorf("receipt of %s: %w", id, err)
	}
	var d receipt.Data
	if err := json.Unmarshal(plain, &d); err != nil {
		return receipt.Data{}, fmt.Errorf("receipt of %s: %w", id, err)
	}
	d.Time = d.Time.In(t.cfg.Location)
	return d, nil
}

// Receipt is the receipt of an ended payment as text; lang is "zh" or "en".
// Errors: ErrNoPayment, pay.ErrSealed, the journal's.
func (t *Terminal) Receipt(ctx context.Context, id pay.PaymentID, lang string) (string, error) {
	d, err := t.receiptData(ctx, id)
	if err != nil {
		return "", err
	}
	return receipt.Text(d, lang, t.cfg.PaperColumns), nil
}

// ReceiptESCPOS is the receipt as printer bytes. Errors: as Receipt.
func (t *Terminal) ReceiptESCPOS(ctx context.Context, id pay.PaymentID, lang string) ([]byte, error) {
	d, err := t.receiptData(ctx, id)
	if err != nil {
		return nil, err
	}
	return receipt.ESCPOS(d, lang, t.cfg.PaperColumns)
}

// Print sends the receipt to the configured printer. Errors: ErrNoPrinter, the printer's, as Receipt.
func (t *Terminal) Print(ctx context.Context, id pay.PaymentID, lang string) error {
	if t.cfg.Printer == nil {
		return ErrNoPrinter
	}
	job, err := t.ReceiptESCPOS(ctx, id, lang)
	if err != nil {
		return err
	}
	return t.cfg.Printer.Print(ctx, job)
}

// Trace is the masked trace of a payment, a row per exchange; of the payment
// under way, what there is so far. Errors: ErrNoTrace, pay.ErrSealed, the journal's.
func (t *Terminal) Trace(ctx context.Context, id pay.PaymentID) ([]TraceRow, error) {
	t.mu.Lock()
	if s := t.current; s != nil && s.id == id {
		rows := s.view.Trace
		t.mu.Unlock()
		return rows, nil
	}
	t.mu.Unlock()
	box, err := t.TraceFile(ctx, id)
	if err != nil {
		return nil, err
	}
	tape, err := trace.Open(box, t.cfg.Sealer)
	if err != nil {
		return nil, err
	}
	return rows(tape.Exchanges()), nil
}

// TraceFile is the sealed full trace of a payment's last tap, as `huika emv
// replay` takes it. It is there once Wait has returned. Errors: ErrNoTrace, the journal's.
func (t *Terminal) TraceFile(ctx context.Context, id pay.PaymentID) ([]byte, error) {
	box, err := t.cfg.Journal.Trace(ctx, id)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, ErrNoTrace
	}
	return box, err
}
