// Package pos is the HTTP API of one terminal for its own screen: the view and
// its changes as server-sent events, start, cancel, sealed PIN, receipt, trace.
// It also serves the embedded page.
//
// It is not the payment: terminal.Terminal decides everything, and the PIN
// passes through here only as HPKE ciphertext. In a tap it stands between the
// clerk's finger and the terminal.
package pos

import (
	"context"

	"huika/pay"
	"huika/terminal"
)

// Service is the terminal as the screen uses it.
type Service interface {
	// View is what to draw now, and its number.
	View() (terminal.View, uint64)
	// After waits for a view numbered above seq. Error: ctx's.
	After(ctx context.Context, seq uint64) (terminal.View, uint64, error)
	// StartSale begins a payment. Errors: ErrBusy, ErrAmount, ErrID, ErrStopped.
	StartSale(ctx context.Context, req terminal.SaleRequest) (pay.PaymentID, error)
	// Cancel says whether the cancel took and, where it did not, why. Error: ErrNoPayment.
	Cancel(ctx context.Context, id pay.PaymentID) (cancelled bool, why string, err error)
	// SubmitPIN hands in a sealed PIN. Errors: ErrNoPayment, ErrTry, ErrPIN, ErrHost.
	SubmitPIN(ctx context.Context, id pay.PaymentID, try int, sealed []byte) error
	// Receipt is the receipt as text; lang is zh or en. Error: ErrNoPayment.
	Receipt(ctx context.Context, id pay.PaymentID, lang string) (string, error)
	// ReceiptESCPOS is the receipt as printer bytes. Error: ErrNoPayment.
	ReceiptESCPOS(ctx context.Context, id pay.PaymentID, lang string) ([]byte, error)
	// Print sends the receipt to the terminal's printer. Errors: ErrNoPrinter, ErrNoPayment, the printer's.
	Print(ctx context.Context, id pay.PaymentID, lang string) error
	// Trace is the masked trace. Errors: ErrNoPayment, ErrNoTrace.
	Trace(ctx context.Context, id pay.PaymentID) ([]terminal.TraceRow, error)
	// Dismiss clears the finished payment from the screen. Error: ErrBusy while one is under way.
	Dismiss(ctx context.Context) error
}
