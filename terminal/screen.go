package terminal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/terminal/trace"
)

// View is what a screen draws now, and its number.
func (t *Terminal) View() (View, uint64) { return t.topic.Load() }

// After waits for a view numbered above seq, or returns the context's error. A
// slow screen sees the newest view, not each.
func (t *Terminal) After(ctx context.Context, seq uint64) (View, uint64, error) {
	return t.topic.After(ctx, seq)
}

// publish makes a new view of what is true now. t.mu is held.
func (t *Terminal) publish() {
	v := t.view
	v.Payment = nil
	if t.current != nil {
		p := t.current.view // what its pointers and slices lead to is replaced, never changed
		v.Payment = &p
	}
	_, seq := t.topic.Load()
	v.Seq = seq + 1 // only publish sets the topic, under t.mu
	t.topic.Set(v)
}

// setUI puts a user interface request on the screen. t.mu is held.
func (t *Terminal) setUI(s *sale, r emv.UIRequest) {
	t.uiSeq++
	ui := &UIView{Seq: t.uiSeq, Message: r.Message, ID: r.Message.String(), Status: r.Status.String(), HoldMS: r.Hold.Milliseconds()}
	ui.Lights, ui.Tone = signals(r.Status)
	if r.Status == emv.StatusNone && s.view.UI != nil { // Book A 9.2: N/A leaves lights as they are
		ui.Lights = s.view.UI.Lights
	}
	s.view.UI = ui
}

// signals are lights and tone of a reader status (Book A 9.3: the first light
// blinks when idle, is steady from ready to read on, all four say that the card
// was read).
func signals(s emv.Status) (Lights, string) {
	const off, on, blink = "off", "on", "blink"
	switch s {
	case emv.StatusIdle:
		return Lights{blink, off, off, off}, ""
	case emv.StatusReadyToRead, emv.StatusProcessing:
		return Lights{on, off, off, off}, ""
	case emv.StatusCardReadOK:
		return Lights{on, on, on, on}, "success"
	case emv.StatusProcessingError:
		return Lights{off, off, off, off}, "alert"
	}
	return Lights{off, off, off, off}, ""
}

// display shows what Entry Point and kernels ask for, and follows the tap's phases.
type display struct {
	t *Terminal
	s *sale
}

// Show implements emv.Display.
func (d display) Show(r emv.UIRequest) {
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	if d.s.stage != stageOpen && d.s.stage != stageUpdate {
		return
	}
	d.t.setUI(d.s, r)
	if r.Message == emv.MsgSeePhone {
		d.s.phoneAsked = true
	}
	if r.Status == emv.StatusReadyToRead && d.s.stage == stageOpen {
		d.s.view.Phase, d.s.view.Until = PhasePresent, d.t.env.Now().Add(d.t.cfg.Timeouts.Present)
	}
	d.t.publish()
}

// Observe implements entry.Observer: a card in the field is a phase of its own.
func (d display) Observe(e entry.Event) {
	if e.Kind != entry.EventCard {
		return
	}
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	if d.s.stage == stageOpen || d.s.stage == stageUpdate {
		d.s.view.Phase, d.s.view.Until, d.s.view.Notice = PhaseReading, time.Time{}, ""
		d.t.publish()
	}
}

// waitingForCard shows that a card is wanted, and where the live trace comes from.
func (t *Terminal) waitingForCard(s *sale, rec *trace.Recorder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.recorder = rec
	s.view.Phase, s.view.Until, s.view.PIN, s.view.Trace = PhasePresent, t.env.Now().Add(t.cfg.Timeouts.Present), nil, nil
	if strings.HasPrefix(s.view.Notice, "reader_") {
		s.view.Notice = ""
	}
	t.publish()
}

// notice shows a reason word beside the phase.
func (t *Terminal) notice(s *sale, word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.view.Notice != word && s.stage == stageOpen {
		s.view.Notice, s.view.Phase, s.view.Until = word, PhasePresent, time.Time{}
		t.publish()
	}
}

// showRows brings the live trace up to date.
func (t *Terminal) showRows(s *sale) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.recorder == nil {
		return
	}
	s.view.Trace = rows(s.recorder.Exchanges())
	t.publish()
}

// watchReader follows the reader's health, in a payment and between payments.
func (t *Terminal) watchReader(ctx context.Context) error {
	for {
		h := t.cfg.Reader.Status()
		t.mu.Lock()
		if r := &t.view.Reader; r.Condition != string(h.Condition) || r.Name != t.cfg.Reader.Name() {
			*r = ReaderView{Name: t.cfg.Reader.Name(), Condition: string(h.Condition), Since: h.Since}
			t.cfg.Log.Info("reader", "condition", h.Condition, "detail", h.Detail)
			t.publish()
		}
		t.mu.Unlock()
		if err := t.env.Sleep(ctx, t.cfg.Timeouts.Health); err != nil {
			return err
		}
	}
}

// rows are the masked rows of a trace.
func rows(exchanges []apdu.Exchange) []TraceRow {
	out := make([]TraceRow, 0, len(exchanges))
	for _, e := range exchanges {
		v := e.Masked()
		r := TraceRow{
			AtMS: millis(v.At), TookMS: millis(v.Took), Title: v.Name, Says: says(v),
			Command: hexUpper(v.Command), Response: hexUpper(v.Response),
		}
		if v.SW != 0 {
			r.SW = fmt.Sprintf("%04X", v.SW)
		}
		out = append(out, r)
	}
	return out
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// maxSaid bounds the objects that one row names.
const maxSaid = 12

// says puts a masked answer into words: what each object is, and what the
// dictionary reads in it.
func says(v apdu.View) string {
	if v.SW != apdu.SWOK {
		return v.Status
	}
	var parts []string
	body := v.Response[:max(len(v.Response)-2, 0)]
	// Masked has checked the structure; what does not parse here is not shown.
	_ = tlv.Walk(body, func(_ int, o tlv.TLV) error {
		if o.Tag.Constructed() || len(parts) == maxSaid {
			return nil
		}
		info, known := tag.C7.Lookup(o.Tag)
		switch {
		case !known:
			parts = append(parts, o.Tag.String())
		case info.Explain != nil:
			parts = append(parts, info.Name+": "+strings.Join(info.Explain(o.Value), ", "))
		case (o.Tag == tag.ApplicationLabel || o.Tag == tag.PreferredName) && printable(string(o.Value)):
			parts = append(parts, info.Name+": "+string(o.Value))
		default:
			parts = append(parts, info.Name)
		}
		return nil
	})
	if len(v.Omitted) > 0 {
		var names []string
		for _, t := range v.Omitted {
			info, _ := tag.EMV.Lookup(t)
			names = append(names, info.Name)
		}
		parts = append(parts, "left out: "+strings.Join(names, ", "))
	}
	if v.Opaque {
		parts = append(parts, "data left out")
	}
	if len(parts) == 0 {
		return v.Status
	}
	return strings.Join(parts, "; ")
}
