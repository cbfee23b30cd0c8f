package vpcd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"huika/nfc/fault"
	"huika/nfc/nfctest"
	"huika/rt"
)

func noAck() error { return nil }

// FuzzFrames reads frames until the input ends: no panic, no body beyond the
// bound, the same however the bytes arrive; what was read packs to what was
// sent, and the card's answer to it, where there is one, can be sent.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 4, 0, 1, 0, 0, 1, 1, 0, 1, 2})
	f.Add([]byte{0, 5, 0x00, 0xA4, 0x04, 0x00, 0x00})
	f.Add([]byte{0, 0})
	f.Add([]byte{0x10, 0x01, 1})
	f.Add([]byte{0xFF})
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, trickle := bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream))
		link := fault.NewLink(nfctest.NewCard(false), fault.Steady(), nil)
		var buf, packed []byte
		for {
			body, err := readFrame(whole, noAck, buf)
			again, errAgain := readFrame(trickle, noAck, nil)
			if (err == nil) != (errAgain == nil) || err == nil && !bytes.Equal(body, again) {
				t.Fatalf("whole: %X, %v; byte by byte: %X, %v", body, err, again, errAgain)
			}
			if err != nil {
				if !errors.Is(err, ErrFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("untyped error: %v", err)
				}
				if !bytes.HasPrefix(stream, packed) {
					t.Fatalf("packed %X, read from %X", packed, stream)
				}
				return
			}
			if len(body) == 0 || len(body) > maxBody {
				t.Fatalf("a body of %d bytes", len(body))
			}
			if packed, err = appendFrame(packed, body); err != nil {
				t.Fatal(err)
			}
			answer, err := react(context.Background(), rt.Real(), link, body)
			if err != nil && !errors.Is(err, ErrFrame) {
				t.Fatal(err)
			}
			if answer != nil {
				if _, err := appendFrame(nil, answer); err != nil {
					t.Fatal(err)
				}
			}
			buf = body
		}
	})
}

func TestAppendFrameBounds(t *testing.T) {
	for n, fits := range map[int]bool{0: false, 1: true, maxBody: true, maxBody + 1: false} {
		if _, err := appendFrame(nil, make([]byte, n)); (err == nil) != fits || err != nil && !errors.Is(err, ErrFrame) {
			t.Errorf("body of %d bytes: %v", n, err)
		}
	}
}
