package card_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"huika/card"
	"huika/emv/apdu"
	"huika/emv/tag"
)

// No counter is used twice, no cryptogram repeats, through resets and reloads of the card.
func TestCounterSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "atc")
	seen := map[string]bool{}
	last := 0
	for range 4 {
		c := make1(t, "unionpay-debit", card.FileState(path)) // the same random bytes each time: only the counter differs
		for range 3 {
			x := drive(t, c, nil)
			atc := int(x.objects[tag.ATC][0])<<8 | int(x.objects[tag.ATC][1])
			ac := string(x.objects[tag.ApplicationCryptogram])
			if atc != last+1 || seen[ac] {
				t.Fatalf("ATC %d after %d, repeated %v", atc, last, seen[ac])
			}
			last, seen[ac] = atc, true
		}
	}
}

// faultyState fails as told, before or after the value is kept.
type faultyState struct {
	card.State
	keep bool
	fail bool
}

func (s *faultyState) Save(c card.Counters) error {
	if s.fail {
		if s.keep {
			if err := s.State.Save(c); err != nil {
				return err
			}
		}
		return errors.New("disk full")
	}
	return s.State.Save(c)
}

// A cryptogram never leaves under a counter that is not known to be durable,
// and that counter is not used for another one when it was.
func TestCounterNotDurable(t *testing.T) {
	for _, keep := range []bool{false, true} {
		s := &faultyState{State: card.NewMemoryState(), keep: keep, fail: true}
		c := make1(t, "unionpay-debit", s)
		gpo, _ := pdolData(t, card.PDOL, nil)
		send(t, c, apdu.Select([]byte{0xA0, 0, 0, 3, 0x33, 1, 1, 1}, false), 0x9000)
		if b := send(t, c, apdu.GPO(gpo), apdu.SWConditions); len(b) != 0 {
			t.Errorf("answered %X", b)
		}
		s.fail = false
		x := drive(t, c, nil)
		want := map[bool]byte{false: 1, true: 2}[keep]
		if x.objects[tag.ATC][1] != want {
			t.Errorf("keep %v: ATC %X", keep, x.objects[tag.ATC])
		}
	}
}

func TestCounterEnds(t *testing.T) {
	s := card.NewMemoryState()
	if err := s.Save(card.Counters{ATC: 0xFFFE}); err != nil {
		t.Fatal(err)
	}
	c := make1(t, "unionpay-debit", s)
	drive(t, c, nil)
	gpo, _ := pdolData(t, card.PDOL, nil)
	send(t, c, apdu.Select([]byte{0xA0, 0, 0, 3, 0x33, 1, 1, 1}, false), 0x9000)
	send(t, c, apdu.GPO(gpo), apdu.SWConditions)
}

func TestFileStateRefusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "atc")
	s := card.FileState(path)
	if n, err := s.Load(); err != nil || n.ATC != 0 {
		t.Fatal(n, err)
	}
	if err := s.Save(card.Counters{ATC: 0x1234}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(); !errors.Is(err, card.ErrState) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(); !errors.Is(err, card.ErrState) {
		t.Errorf("empty file: %v", err)
	}
	if err := card.FileState(filepath.Join(path, "x")).Save(card.Counters{}); err == nil {
		t.Error("saved into a file as if it were a folder")
	}
}
