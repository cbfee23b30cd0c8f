package fault_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"huika/nfc/fault"
	"huika/nfc/nfctest"
)

// A card answers exactly as many commands as its presentation says, whatever
// the field loses on the way, and never more reach it than were sent.
func TestRemovalIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "remove after")
		weak := rapid.SampledFrom([]float64{0, 0.2, 0.7}).Draw(t, "weak")
		card := nfctest.NewCard(false)
		link := fault.NewLink(card, fault.Presentation{RemoveAfterAPDU: n, Weak: weak},
			rand.NewChaCha8([32]byte{rapid.Byte().Draw(t, "seed")}))
		answered := 0
		for sent := 1; ; sent++ {
			if got, want := link.Left(), n > 0 && answered == n; got != want {
				t.Fatalf("after %d answers Left is %v", answered, got)
			}
			response, err := link.Exchange(nfctest.SelectCommand)
			switch {
			case err == nil:
				answered++
			case errors.Is(err, fault.ErrLeft):
				if answered != n {
					t.Fatalf("left after %d answers, want %d", answered, n)
				}
				return
			case !errors.Is(err, fault.ErrLost) || weak == 0:
				t.Fatal(response, err)
			}
			if card.Commands() > sent || answered > n {
				t.Fatalf("%d sent, %d heard, %d answered", sent, card.Commands(), answered)
			}
		}
	})
}

func TestSteadyCardStays(t *testing.T) {
	link := fault.NewLink(nfctest.NewCard(false), fault.Steady(), nil)
	for range 1000 {
		if _, err := link.Exchange(nfctest.SelectCommand); err != nil || link.Left() {
			t.Fatal(err, link.Left())
		}
	}
}

// The man in the middle edits copies: neither side's own bytes change under it.
func TestTamperEditsCopies(t *testing.T) {
	p := fault.Steady()
	p.Tamper = func(toCard bool, apdu []byte) []byte {
		for i := range apdu {
			apdu[i] ^= 0xFF
		}
		if toCard {
			return nfctest.SelectCommand
		}
		return apdu
	}
	command := []byte{1, 2, 3, 4}
	response, err := fault.NewLink(nfctest.NewCard(false), p, nil).Exchange(command)
	if err != nil || !bytes.Equal(command, []byte{1, 2, 3, 4}) {
		t.Fatalf("command is now %X, %v", command, err)
	}
	if response[0] != nfctest.SelectResponse[0]^0xFF {
		t.Errorf("response %X", response)
	}
	p.Tamper = func(bool, []byte) []byte { return nil }
	if _, err := fault.NewLink(nfctest.NewCard(false), p, nil).Exchange(nfctest.SelectCommand); !errors.Is(err, fault.ErrLost) {
		t.Errorf("a swallowed response: %v, want ErrLost", err)
	}
}

func TestWithoutRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	p := fault.Steady()
	p.Weak = 0.5
	if _, err := fault.NewLink(nfctest.NewCard(false), p, iotest.ErrReader(broken)).Exchange(nfctest.SelectCommand); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	p.Weak = 0 // a steady field asks for none
	if _, err := fault.NewLink(nfctest.NewCard(false), p, iotest.ErrReader(io.EOF)).Exchange(nfctest.SelectCommand); err != nil {
		t.Error(err)
	}
}
