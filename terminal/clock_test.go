package terminal

import (
	"testing"
	"time"

	"huika/iso8583"
)

func TestHostClock(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.ParseInLocation(time.DateTime, s, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ now, date, clock, want string }{
		{"2026-11-24 12:00:00", "1124", "120003", "2026-11-24 12:00:03"},
		{"2026-12-31 23:59:58", "0101", "000001", "2027-01-01 00:00:01"},
		{"2027-01-01 00:00:01", "1231", "235959", "2026-12-31 23:59:59"},
		{"2027-03-01 00:00:01", "0229", "120000", "2028-02-29 12:00:00"},
		{"2026-11-24 12:00:00", "", "", ""},
		{"2026-11-24 12:00:00", "1332", "250000", ""},
	} {
		m := iso8583.NewMessage()
		m.Set(12, c.clock)
		m.Set(13, c.date)
		got, ok := hostClock(m, at(c.now), shanghai)
		if ok != (c.want != "") || ok && !got.Equal(at(c.want)) {
			t.Errorf("%s, host %s %s: got %v %v, want %s", c.now, c.date, c.clock, got, ok, c.want)
		}
	}
}
