package main

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"huika/card/perso"
	"huika/httpapi/demo"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
	"huika/world/tray"
)

type tapCmd struct {
	Amount string `help:"Amount in CNY, like 88.80." required:""`
	Card   string `help:"Which card (see huika cards)." default:"unionpay-debit"`
	PIN    string `help:"PIN to key in when one is asked for; without it the payment is cancelled then." name:"pin"`
	Reader string `help:"memory, or pcsc: the real PC/SC stack with a virtual reader." enum:"memory,pcsc" default:"memory"`
	Trace  string `help:"Write the tap's full trace, sealed, to this file." placeholder:"FILE"`
	Fault  string `help:"One of two-cards, removed-before-gpo, removed-after-gpo, slow-card, ctq-edited, host-down, response-lost, issuer-down." placeholder:"NAME"`
	Data   string `help:"Data directory; a new one is made where it is missing." placeholder:"data"`
	JSON   bool   `help:"Print JSON."`
}

// Faults that --fault names, beside the stickers of the tray.
const (
	faultTwoCards     = "two-cards"
	faultHostDown     = "host-down"
	faultResponseLost = "response-lost"
	faultIssuerDown   = "issuer-down"
)

// twoCardsWait is how long a tap with two cards waits for one to be taken
// away: nobody is there to do it, so it need not be the counter's minute.
const twoCardsWait = 4 * time.Second

func (t *tapCmd) check() (pay.Money, error) {
	amount, err := pay.ParseMoney(t.Amount, pay.CNY)
	if err != nil {
		return amount, usageError{err.Error()}
	}
	if amount.Minor == 0 {
		return amount, usageError{"amount 0.00: give an amount above zero"}
	}
	if _, ok := perso.ProfileByName(t.Card); !ok {
		return amount, usageError{fmt.Sprintf("there is no card %q: huika cards lists them", t.Card)}
	}
	known := append([]string{"", faultTwoCards, faultHostDown, faultResponseLost, faultIssuerDown}, tray.Faults()...)
	if !slices.Contains(known, t.Fault) {
		return amount, usageError{fmt.Sprintf("there is no fault %q: one of %s", t.Fault, strings.Join(known[1:], ", "))}
	}
	if t.PIN != "" && (len(t.PIN) < 4 || len(t.PIN) > 12 || strings.Trim(t.PIN, "0123456789") != "") {
		return amount, usageError{"--pin: want 4 to 12 digits"}
	}
	return amount, nil
}

func (t *tapCmd) Run(ctx context.Context, c *cli) error {
	amount, err := t.check()
	if err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	override(&cfg.Data, t.Data)
	cfg.Terminal.Reader = t.Reader
	if os.Getenv("HUIKA_LOG_LEVEL") == "" && c.Config == "" {
		cfg.Log.Level = "error" // the result is what is asked for
	}
	if t.Fault == faultTwoCards {
		cfg.Timeouts.Present = site.Duration(twoCardsWait)
	}
	var stop func() error
	if t.Reader == "pcsc" {
		if stop, err = startPCSC(ctx); err != nil {
			return err
		}
	}
	s, err := site.Open(rt.Real(), cfg, site.Parts{World: true, Acquirer: true, Terminal: true}, logger(cfg.Log))
	if err != nil {
		return errors.Join(err, end(stop))
	}
	res, err := t.pay(ctx, s, amount)
	if err == nil && t.Trace != "" {
		err = t.writeTrace(ctx, s, res.Payment)
	}
	if err = errors.Join(err, s.Err(), s.Close(), end(stop)); err != nil {
		return err
	}
	return t.print(res)
}

func end(stop func() error) error {
	if stop == nil {
		return nil
	}
	return stop()
}

// pay takes the payment: it is the clerk's, the customer's and the PIN pad's hand.
func (t *tapCmd) pay(ctx context.Context, s *site.System, amount pay.Money) (terminal.Result, error) {
	if err := ready(ctx, s); err != nil {
		return terminal.Result{}, err
	}
	hand, err := newHand(s, t.Card, t.Fault)
	if err != nil {
		return terminal.Result{}, err
	}
	s.SetFaults(demo.Faults{HostDown: t.Fault == faultHostDown, IssuerDown: t.Fault == faultIssuerDown, ResponseLost: t.Fault == faultResponseLost})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if t.Fault == faultTwoCards { // both lie there when the reader looks; one after the other, the first could be paid with
		hand.hold(ctx)
	}
	id, err := s.Terminal.StartSale(ctx, terminal.SaleRequest{Amount: amount})
	if err != nil {
		return terminal.Result{}, err
	}
	go t.serve(ctx, s, id, hand)
	res, err := s.Terminal.Wait(ctx, id)
	if err != nil {
		return res, err
	}
	s.SetFaults(demo.Faults{})
	return res, errors.Join(hand.leave(), settled(ctx, s))
}

// settleTime is how long a tap waits for a reversal that it has caused.
const settleTime = 15 * time.Second

// settled waits until nothing is owed to anybody, so that the next command
// finds nothing open. What takes longer is sent by the next start: it is durable.
func settled(ctx context.Context, s *site.System) error {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := s.Rest(wait); err != nil && wait.Err() == nil {
		return err
	}
	return nil
}

// serve watches the payment and does what a customer would: hold the card
// there whenever one is asked for, key in the PIN.
func (t *tapCmd) serve(ctx context.Context, s *site.System, id pay.PaymentID, h *hand) {
	var seq uint64
	keyed, moment := 0, ""
	for {
		v, n, err := s.Terminal.After(ctx, seq)
		if err != nil {
			return
		}
		seq = n
		p := v.Payment
		if p == nil || p.ID != id {
			continue
		}
		switch p.Phase {
		case terminal.PhasePresent:
			if now := fmt.Sprint(p.Until); now != moment {
				moment = now
				h.hold(ctx)
			}
		case terminal.PhasePIN:
			if p.PIN == nil || p.PIN.Try == keyed {
				continue
			}
			keyed = p.PIN.Try
			if err := t.keyPIN(ctx, s, id, p.PIN); err != nil {
				s.Kit.Log.Error("PIN", "err", err)
			}
		case terminal.PhaseDone:
			return
		}
	}
}

// keyPIN seals the PIN as the page does. A second try has no other PIN to
// offer, so the payment is cancelled then.
func (t *tapCmd) keyPIN(ctx context.Context, s *site.System, id pay.PaymentID, p *terminal.PINView) error {
	if t.PIN == "" || p.Try > 1 {
		_, _, err := s.Terminal.Cancel(ctx, id)
		return err
	}
	sealed, err := sealPIN(t.PIN, p)
	if err != nil {
		return err
	}
	return s.Terminal.SubmitPIN(ctx, id, p.Try, sealed)
}

func sealPIN(pin string, p *terminal.PINView) ([]byte, error) {
	point, err := base64.StdEncoding.DecodeString(p.PublicKey)
	if err != nil {
		return nil, err
	}
	pub, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	key, err := hpke.NewDHKEMPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(p.Info), []byte(pin))
}

func (t *tapCmd) writeTrace(ctx context.Context, s *site.System, id pay.PaymentID) error {
	box, err := s.Terminal.TraceFile(ctx, id)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return os.WriteFile(t.Trace, box, 0o600)
}

func (t *tapCmd) print(r terminal.Result) error {
	if t.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Printf("%s  %s %s  %s\n", r.Outcome, r.Amount, r.Currency, r.MaskedPAN)
		if w, ok := terminal.Explain(r.Reason); ok {
			fmt.Printf("  %s %s\n  %s %s\n", w.EN, w.NextEN, w.ZH, w.NextZH)
		}
		fmt.Printf("  cvm %s, oda %s, response %s, RRN %s, authorisation %s, %.1f ms\n", r.CVM, r.ODA, r.ResponseCode, r.RRN, r.AuthCode, r.Timings.Total)
	}
	if r.Outcome != terminal.Approved {
		return outcomeError{string(r.Outcome)}
	}
	return nil
}
