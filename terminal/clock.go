package terminal

import (
	"time"

	"huika/iso8583"
)

// clockSlack is how far this machine's clock may be from the host's before the
// host's counts: below it lie the way of a message and whole seconds.
const clockSlack = 5 * time.Second

// hostClock is the moment that F13 and F12 (MMDD, hhmmss) name, in the year
// that brings it nearest to now. ok is false where they name none.
func hostClock(m *iso8583.Message, now time.Time, loc *time.Location) (at time.Time, ok bool) {
	best := time.Duration(1<<63 - 1)
	for year := now.In(loc).Year() - 1; year <= now.In(loc).Year()+1; year++ {
		t, err := time.ParseInLocation("20060102150405", time.Date(year, 1, 1, 0, 0, 0, 0, loc).Format("2006")+m.Get(13)+m.Get(12), loc)
		if err != nil {
			continue // 29 February of another year, or no date at all
		}
		if d := t.Sub(now).Abs(); d < best {
			best, at, ok = d, t, true
		}
	}
	return at, ok
}

// setClock follows the host's clock: what a terminal prints and what it hands
// to the card is the acquirer's business day, whatever this machine believes.
func (t *Terminal) setClock(m *iso8583.Message) {
	now := t.env.Now()
	at, ok := hostClock(m, now, t.cfg.Location)
	if !ok {
		t.cfg.Log.Warn("the host sent no time")
		return
	}
	ahead := at.Sub(now)
	if ahead.Abs() < clockSlack {
		ahead = 0
	} else {
		t.cfg.Log.Warn("this machine's clock is wrong: the host's counts", "ahead_s", int(ahead.Seconds()))
	}
	t.mu.Lock()
	t.ahead = ahead
	t.mu.Unlock()
}

// now is the time of transactions and receipts, in the terminal's zone.
func (t *Terminal) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.env.Now().Add(t.ahead).In(t.cfg.Location)
}
