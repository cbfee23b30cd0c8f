// Package demo is the HTTP API of the card tray: the desk beside the terminal
// with its simulated cards, fault stickers, and the faults of host, scheme and
// issuer. It has its own listener, trusts exactly the POS page's origin, and
// exists in demo mode only.
//
// It is not part of the payment path: nothing here reaches the terminal but
// through the air between card and reader. In a tap it is the customer's hand.
package demo

import "context"

// Card is something on the desk.
type Card struct {
	Name      string `json:"name" doc:"profile, e.g. unionpay-debit"`
	TitleZH   string `json:"title_zh"`
	TitleEN   string `json:"title_en"`
	Form      string `json:"form" enum:"card,phone,watch,band,thing"`
	Scheme    string `json:"scheme" doc:"unionpay, visa, mastercard …, or empty for things that are not payment cards"`
	MaskedPAN string `json:"masked_pan,omitempty"`
	Place     string `json:"place" enum:"desk,reader"`
	ID        int    `json:"id,omitempty" doc:"presentation on the reader, to take it away"`
	Fault     string `json:"fault,omitempty" doc:"sticker it was put down with"`
}

// Faults are the faults beyond the air that a visitor can switch on.
type Faults struct {
	HostDown     bool `json:"host_down" doc:"the acquirer does not answer the terminal's calls"`
	ResponseLost bool `json:"response_lost" doc:"the acquirer's answer to a sale is lost on its way back"`
	IssuerDown   bool `json:"issuer_down" doc:"the issuer does not answer the scheme"`
}

// Tray is the desk at one moment.
type Tray struct {
	Seq      uint64   `json:"seq"`
	Cards    []Card   `json:"cards"`
	Stickers []string `json:"stickers" doc:"fault names that put accepts"`
	Faults   Faults   `json:"faults"`
}

// Service is the desk. Errors: ErrNoCard, ErrSticker, ErrOnReader, ctx's.
type Service interface {
	// Tray is the desk now; its Seq numbers it.
	Tray() Tray
	// After waits for a tray numbered above seq.
	After(ctx context.Context, seq uint64) (Tray, error)
	// Put lays a card on the reader and returns the presentation's id.
	Put(ctx context.Context, name, fault string) (int, error)
	// Take takes one presentation away; 0 takes everything.
	Take(ctx context.Context, id int) error
	// SetFaults switches faults on and off.
	SetFaults(ctx context.Context, f Faults) error
}
