package zone_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"huika/keys"
	"huika/keys/zone"
	"huika/pay"
)

func secret(b byte) pay.Secret {
	return pay.NewSecret(append(bytes.Repeat([]byte{b}, 8), bytes.Repeat([]byte{b ^ 0x5A}, 8)...))
}

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func pair(t testing.TB) (dialler, acceptor *zone.Line) {
	t.Helper()
	var ends [2]*zone.Line
	for i := range ends {
		var err error
		if ends[i], err = zone.New(secret(1), secret(2), secret(3), i == 0); err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}

type sealed struct {
	text string
	sum  [8]byte
}

func seal(l *zone.Line, text string) sealed { return sealed{text, l.Current().MAC.Sum([]byte(text))} }

func opens(l *zone.Line, now time.Time, s sealed) (*zone.Keys, error) {
	return l.Verify(now, func(m *keys.AESCMAC) error {
		if m.Sum([]byte(s.text)) != s.sum {
			return errors.New("another MAC")
		}
		return nil
	})
}

func TestExchange(t *testing.T) {
	a, b := pair(t)
	before := seal(a, "sent before the change")
	pin, mac, err := a.Offer(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Take(mac, start); !errors.Is(err, zone.ErrRefused) {
		t.Errorf("a MAC key before its PIN key: %v", err)
	}
	old := b.Current()
	if err := b.Take(pin, start); err != nil || b.Current() != old {
		t.Fatalf("the PIN key alone changes nothing: %v", err)
	}
	if err := b.Take(mac, start); err != nil {
		t.Fatal(err)
	}
	early := seal(b, "under the new key, before the answer is read")
	if _, err := opens(a, start, early); err != nil {
		t.Error("the offering side must accept its own offer")
	}
	k, err := opens(b, start, before)
	if err != nil || !keys.Equal(k.PIN, secret(2)) {
		t.Errorf("a message that was under way: %v", err)
	}
	a.Confirm(start)
	k, err = opens(b, start, seal(a, "after"))
	if err != nil || !keys.Equal(k.PIN, a.Current().PIN) || keys.Equal(k.PIN, secret(2)) {
		t.Errorf("PIN key of the new generation: %v", err)
	}
	for _, end := range []*zone.Line{a, b} {
		if _, err := opens(end, start.Add(zone.Grace), before); err != nil {
			t.Error("refused within the grace")
		}
		if _, err := opens(end, start.Add(zone.Grace+1), before); err == nil {
			t.Error("accepted after the grace")
		}
	}
}

// TestRefused: what can't be taken leaves the keys as they are.
func TestRefused(t *testing.T) {
	a, b := pair(t)
	pin, mac, err := a.Offer(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Offer(rand.Reader); !errors.Is(err, zone.ErrBusy) {
		t.Errorf("two offers: %v", err)
	}
	for name, w := range map[string]zone.Wrapped{
		"nothing": {}, "no use": {Use: 9, Key: pin.Key, Check: pin.Check}, "short": {Use: zone.PIN, Key: pin.Key[:16], Check: pin.Check},
		"changed":     {Use: zone.PIN, Key: append([]byte{pin.Key[0] ^ 1}, pin.Key[1:]...), Check: pin.Check},
		"check value": {Use: zone.PIN, Key: pin.Key}, "for another use": {Use: zone.MAC, Key: pin.Key, Check: pin.Check},
	} {
		if err := b.Take(w, start); !errors.Is(err, zone.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Withdraw()
	a.Confirm(start) // of nothing
	if !keys.Equal(a.Current().PIN, secret(2)) {
		t.Error("a withdrawn offer is in use")
	}
	bare, err := zone.New(pay.Secret{}, secret(2), secret(3), true)
	if err != nil || bare.Exchanges() {
		t.Fatal(err)
	}
	if _, _, err := bare.Offer(rand.Reader); !errors.Is(err, zone.ErrRefused) {
		t.Errorf("offer without a master key: %v", err)
	}
	if err := bare.Take(mac, start); !errors.Is(err, zone.ErrRefused) {
		t.Errorf("take without a master key: %v", err)
	}
	for name, bad := range map[string][3]pay.Secret{
		"master": {pay.NewSecret([]byte("short")), secret(2), secret(3)}, "PIN": {secret(1), pay.NewSecret([]byte("short")), secret(3)}, "MAC": {secret(1), secret(2), pay.Secret{}},
	} {
		if _, err := zone.New(bad[0], bad[1], bad[2], true); err == nil {
			t.Errorf("%s key: accepted", name)
		}
	}
}

// TestAnyOrder: two ends that both begin changes, with messages on their way in
// two ordered streams, never refuse each other's messages and end on one generation.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := pair(t)
		ends := [2]*zone.Line{a, b}
		type frame struct {
			sealed
			key    *zone.Wrapped // of an exchange
			answer bool
			ok     bool
		}
		var wires [2][]frame // to a, to b
		var offers [2][]zone.Wrapped
		send := func(from int, f frame) {
			f.sealed = seal(ends[from], fmt.Sprint(len(wires[1-from]), r))
			wires[1-from] = append(wires[1-from], f)
		}
		// What an answer leads to happens in a task of its own, later.
		var tasks [2][]func()
		deliver := func(to int) {
			f := wires[to][0]
			wires[to] = wires[to][1:]
			if _, err := opens(ends[to], start, f.sealed); err != nil {
				r.Fatalf("end %d refuses a message: %v", to, err)
			}
			switch {
			case f.key != nil:
				send(to, frame{answer: true, ok: ends[to].Take(*f.key, start) == nil})
			case f.answer:
				tasks[to] = append(tasks[to], func() {
					switch {
					case !f.ok:
						ends[to].Withdraw()
						offers[to] = nil
					case len(offers[to]) > 0:
						next := offers[to][0]
						offers[to] = offers[to][1:]
						send(to, frame{key: &next})
					default:
						ends[to].Confirm(start)
					}
				})
			}
		}
		resume := func(end int) {
			if len(tasks[end]) > 0 {
				f := tasks[end][0]
				tasks[end] = tasks[end][1:]
				f()
			}
		}
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			end := rapid.IntRange(0, 1).Draw(r, "end")
			switch rapid.IntRange(0, 6).Draw(r, "what") {
			case 0:
				if pin, mac, err := ends[end].Offer(rand.Reader); err == nil {
					offers[end] = []zone.Wrapped{mac}
					send(end, frame{key: &pin})
				}
			case 1:
				send(end, frame{})
			case 2, 3:
				resume(end)
			default:
				if len(wires[end]) > 0 {
					deliver(end)
				}
			}
		}
		for len(wires[0])+len(wires[1])+len(tasks[0])+len(tasks[1]) > 0 {
			for end := range ends {
				resume(end)
				if len(wires[end]) > 0 {
					deliver(end)
				}
			}
		}
		if !keys.Equal(a.Current().PIN, b.Current().PIN) {
			r.Fatal("the two ends use different keys")
		}
	})
}
