package terminal

import (
	"context"
	"time"

	"huika/emv"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/terminal/trace"
)

// updateTime bounds how long a card is asked for once more for its issuer's
// scripts. It holds up nothing but this result's screen: the payment is written down.
const updateTime = 15 * time.Second

// onlineResponse is the issuer's answer as kernels take it.
func onlineResponse(approved bool, code string, f55 []byte) emv.OnlineResponse {
	r := emv.OnlineResponse{Approved: approved, ResponseCode: code}
	for d := tlv.NewReader(f55); d.Next(); { // what can't be read further is not for the card
		switch o := d.TLV(); o.Tag {
		case tag.IssuerAuthData:
			r.AuthData = o.Value
		case tag.Script1, tag.Script2:
			r.Scripts = tlv.Append(r.Scripts, o.Tag, o.Value)
		}
	}
	return r
}

// update shows the card its issuer's scripts at a second tap, where the kernel
// can (issuer update processing, kernel 3) and scripts came. The issuer's answer
// without scripts is not worth a second tap at a counter. (Ours.) Whatever the
// card answers, and if nobody presents it again, the payment stays as it is.
func (t *Terminal) update(ctx context.Context, s *sale, e ending) {
	if s.tap == nil || s.tap.point == nil || s.tap.result.Outcome.OnlineResponseData == emv.OnlineNotApplicable {
		return
	}
	online := onlineResponse(e.outcome == Approved, e.code, e.issuer)
	if len(online.Scripts) == 0 {
		return
	}
	t.mu.Lock()
	s.stage = stageUpdate
	s.view.Phase, s.view.Until, s.view.Notice = PhasePresent, t.env.Now().Add(updateTime), NoticeCardUpdate
	t.publish()
	t.mu.Unlock()
	p := *s.tap.point
	rec := trace.NewRecorder(t.cfg.Reader, t.env.Rand(), t.env.Now, nil)
	p.Reader, p.Rand, p.CardTimeout = rec, rec, updateTime
	wait, cancel := t.env.WithTimeout(ctx, 2*updateTime)
	defer cancel()
	r, err := p.Resume(wait, s.tap.result, online)
	t.fieldOff(ctx)
	log := t.cfg.Log.With("payment", s.id)
	switch {
	case err != nil:
		log.Warn("the card's update broke off", "err", err)
	case r.TimedOut:
		log.Info("the card was not presented again for its update")
	default:
		log.Info("the card was updated", "results", scriptResults(r), "step", r.Outcome.Error.Step, "sw", r.Outcome.Error.SW)
	}
}

// scriptResults is 9F5B in hex.
func scriptResults(r entry.Result) string {
	v, _ := tlv.Find(r.Outcome.Discretionary, tag.ScriptResults)
	return hexUpper(v)
}
