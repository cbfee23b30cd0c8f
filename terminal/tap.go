package terminal

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"huika/emv"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/nfc"
	"huika/pay"
	"huika/rt"
	"huika/terminal/journal"
	"huika/terminal/pinpad"
	"huika/terminal/trace"
)

// tapped is what a wave of a card came to.
type tapped struct {
	card    card // zero where the card was not read so far
	outcome emv.Outcome
	aid     []byte
	kernel  emv.KernelID
	present time.Time // when the card was present
	timings entry.Timings
	tx      emv.Transaction

	point  *entry.Point // that ran, and what it gave: for a second tap with the issuer's answer
	result entry.Result
}

// waitTap waits for a card and has Entry Point and a kernel read it. A reader
// that fails does not end the payment: it waits, says what is wrong, and goes
// on when the reader is back. A nil ending means: ask the host.
func (t *Terminal) waitTap(ctx context.Context, s *sale, k journal.Key) (*tapped, *ending) {
	for patience := t.cfg.Timeouts.Reader; ; {
		if why := t.waitReader(ctx, s, &patience); why != "" {
			if ctx.Err() != nil {
				return nil, t.stopped(s)
			}
			return nil, &ending{outcome: TryAgain, reason: why}
		}
		tx := emv.Transaction{Amount: s.amount, Type: s.kind.txType, Time: t.now(), Sequence: uint32(k.STAN)}
		rec := trace.NewRecorder(t.cfg.Reader, t.env.Rand(), t.env.Now, func() { t.showRows(s) })
		t.waitingForCard(s, rec)
		ruled := t.ruled()
		p := &entry.Point{
			Combinations: t.combinations(ruled, s.kind.ask), Kernels: ruled.kernels, Reader: rec, Display: display{t, s},
			Terminal: t.cfg.emvTerminal(), Rand: rec, Now: t.env.Now, Observer: display{t, s}, CardTimeout: t.cfg.Timeouts.Present,
		}
		r, err := p.Run(ctx, tx)
		var broken *nfc.ReaderError
		switch {
		case err == nil:
			tape := rec.Trace(s.id, p, tx, &r, t.cfg.CAKeys)
			tape.MagStripe = t.cfg.MagStripe
			s.tape = &tape
			t.fieldOff(ctx)
			tap, end := t.judgeTap(s, rec, r)
			tap.point, tap.result = p, r
			return tap, end
		case ctx.Err() != nil:
			t.fieldOff(ctx)
			return nil, t.stopped(s)
		case errors.As(err, &broken):
			t.cfg.Log.Warn("the reader failed in a payment", "payment", s.id, "condition", broken.Condition, "err", err)
			t.notice(s, reasonOfReader(broken.Condition))
			if patience -= t.cfg.Timeouts.Health; t.env.Sleep(ctx, t.cfg.Timeouts.Health) != nil {
				return nil, t.stopped(s)
			}
		default:
			t.cfg.Log.Error("the card can't be processed", "payment", s.id, "err", err)
			return nil, &ending{outcome: TryAgain, reason: ReasonProcessing}
		}
	}
}

// fieldOffTime bounds how long a payment that is over waits for its reader.
const fieldOffTime = time.Second

// fieldOff lets the card go. A reader that can't is noticed by its health.
func (t *Terminal) fieldOff(ctx context.Context) {
	ctx, cancel := t.env.WithTimeout(context.WithoutCancel(ctx), fieldOffTime)
	defer cancel()
	if err := t.cfg.Reader.FieldOff(ctx, 0); err != nil {
		t.cfg.Log.Warn("the field was not switched off", "err", err)
	}
}

// waitReader waits until the reader works. "" or the reason why the payment
// ends; patience is what is left of the payment's time for it.
func (t *Terminal) waitReader(ctx context.Context, s *sale, patience *time.Duration) string {
	for {
		h := t.cfg.Reader.Status()
		if h.Condition == nfc.Ready && *patience > 0 {
			return ""
		}
		why := reasonOfReader(h.Condition)
		if *patience <= 0 {
			return why
		}
		t.notice(s, why)
		*patience -= t.cfg.Timeouts.Health
		if t.env.Sleep(ctx, t.cfg.Timeouts.Health) != nil {
			return why
		}
	}
}

// judgeTap says whether the host is to be asked about the tap, and how the payment ends where not.
func (t *Terminal) judgeTap(s *sale, rec *trace.Recorder, r entry.Result) (*tapped, *ending) {
	tap := &tapped{outcome: r.Outcome, aid: r.AID, kernel: r.Kernel, present: rec.Present(), timings: r.Timings, tx: r.Transaction}
	s.tap = tap
	if len(r.Outcome.DataRecord) > 0 {
		c, err := readCard(r.Outcome.DataRecord)
		if err != nil {
			t.cfg.Log.Error("the kernel's data record", "payment", s.id, "err", err)
			return tap, &ending{outcome: TryAgain, reason: ReasonProcessing}
		}
		tap.card = c
	}
	if r.Outcome.Kind != emv.OnlineRequest {
		t.cfg.Log.Info("the tap ended without the host", "payment", s.id, "outcome", r.Outcome.Kind.String(), "why", r.Outcome.Reason, "oda", r.Outcome.ODA.String())
	}
	switch o := r.Outcome; {
	case s.phoneAsked && o.Kind == emv.EndApplication && o.ODA != emv.ODAFailed: // restarted too often, or taken away for good
		return tap, &ending{outcome: TryAgain, reason: ReasonSeePhone}
	case o.Kind == emv.EndApplication && o.ODA == emv.ODAFailed: // kernel 2 ends so where a signature is wrong or missing
		return tap, &ending{outcome: Declined, reason: ReasonNotGenuine}
	}
	switch r.Outcome.Kind {
	case emv.OnlineRequest:
		if tap.card.pan.IsZero() {
			return tap, &ending{outcome: TryAgain, reason: ReasonProcessing}
		}
		return tap, nil
	case emv.Declined, emv.Approved: // an offline approval can't be: the floor limit is 0
		return tap, &ending{outcome: Declined, reason: t.declineReason(tap)}
	case emv.TryAnother:
		if r.Kernel == 0 {
			return tap, &ending{outcome: OtherInterface, reason: ReasonOverLimit}
		}
		return tap, &ending{outcome: OtherInterface, reason: ReasonOtherInterface}
	}
	switch {
	case r.TimedOut && r.Collisions > 0:
		return tap, &ending{outcome: TryAgain, reason: ReasonOneCardOnly}
	case r.TimedOut && r.Restarts > 0, r.Restarts > entry.MaxRestarts:
		return tap, &ending{outcome: TryAgain, reason: ReasonCardNotRead}
	case r.TimedOut:
		return tap, &ending{outcome: TryAgain, reason: ReasonPresentTimeout}
	case r.Kernel == 0:
		return tap, &ending{outcome: OtherInterface, reason: ReasonCardNotSupported}
	}
	return tap, &ending{outcome: OtherInterface, reason: ReasonCardNotUsable}
}

// declineReason finds out why the terminal or the card declined, from the
// outcome and the data record: kernels give words for people's logs, not codes.
func (t *Terminal) declineReason(tap *tapped) string {
	o, today := tap.outcome, tap.tx.Time.Format("060102")
	cid := tap.card.hex(tag.CID)
	switch {
	case o.Kind == emv.Approved:
		return ReasonOfflineRefused
	case o.ODA == emv.ODAFailed || o.Error.L2 == "CAM failed":
		return ReasonNotGenuine
	case expired(tap.card.hex(tag.ExpirationDate), today), expired(tap.card.expiry, today):
		return ReasonCardExpired
	case !tap.card.pan.IsZero() && t.listed(tap.card.pan, lastTwo(tap.card.psn)):
		return ReasonCardBlocked
	case (cid == "80" || cid == "40") && tap.tx.Amount.Minor >= cvmLimit(t.ruled().params) && o.CVM == emv.CVMNotGiven:
		return ReasonNotVerified
	}
	return ReasonCardDeclined
}

// expired compares a last day (YYMMDD) or month (YYMM) with today. Years of 50
// and above are of the last century (EMV Book 4, 6.7.3).
func expired(last, today string) bool {
	return len(last) >= 4 && (last[0] >= '5' || last < today[:len(last)])
}

func lastTwo(psn string) string { return psn[max(len(psn)-2, 0):] }

// pinRequest is an open PIN pad. under is set by SubmitPIN.
type pinRequest struct {
	try   int
	pan   pay.PAN
	given *rt.Future[pinBlock]
}

// pinBlock is F52 under the PIN key of one sign-in.
type pinBlock struct {
	block [8]byte
	under *session
}

// askPIN opens the PIN pad where the outcome asks for an online PIN, and waits
// for the block. The pad's page may close and open again meanwhile.
func (t *Terminal) askPIN(ctx context.Context, s *sale, tap *tapped, try int) (*pinBlock, *ending) {
	if tap.outcome.CVM != emv.CVMOnlinePIN {
		return nil, nil
	}
	public, err := t.pad.Open(s.id, try)
	if err != nil {
		t.cfg.Log.Error("the PIN pad can't be opened", "payment", s.id, "err", err)
		return nil, &ending{outcome: TryAgain, reason: ReasonProcessing}
	}
	defer t.pad.Close()
	req := &pinRequest{try: try, pan: tap.card.pan, given: rt.NewFuture[pinBlock](t.env)}
	t.mu.Lock()
	s.pin = req
	s.view.Phase, s.view.Until = PhasePIN, t.env.Now().Add(t.cfg.Timeouts.PIN)
	s.view.PIN = &PINView{
		PublicKey: base64.StdEncoding.EncodeToString(public), Info: pinpad.Info(s.id, try), Try: try,
		MinDigits: pinpad.MinDigits, MaxDigits: pinpad.MaxDigits,
	}
	t.setUI(s, emv.UIRequest{Message: emv.MsgEnterPIN, Status: emv.StatusNotReady})
	t.publish()
	t.mu.Unlock()

	wait, cancel := t.env.WithTimeout(ctx, t.cfg.Timeouts.PIN)
	defer cancel()
	block, err := req.given.Get(wait)
	t.mu.Lock()
	s.pin, s.view.PIN = nil, nil
	t.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, t.stopped(s)
	case err != nil:
		return nil, &ending{outcome: Cancelled, reason: ReasonPINNotGiven}
	}
	return &block, nil
}
