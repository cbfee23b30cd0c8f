package link_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"huika/iso8583/link"
)

func TestFrameRoundTrip(t *testing.T) {
	var wire []byte
	for _, n := range []int{1, 2, 255, 256, link.MaxFrame} {
		wire = link.AppendFrame(wire, bytes.Repeat([]byte{byte(n)}, n))
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(wire), "byte by byte": iotest.OneByteReader(bytes.NewReader(wire))} {
		buf := make([]byte, 0, 300)
		for _, n := range []int{1, 2, 255, 256, link.MaxFrame} {
			got, err := link.ReadFrame(r, buf)
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(n)}, n)) {
				t.Fatalf("%s: frame of %d: %d bytes, %v", name, n, len(got), err)
			}
		}
		if _, err := link.ReadFrame(r, buf); err != io.EOF {
			t.Fatalf("%s: at the end: %v", name, err)
		}
	}
}

func TestReadFrameRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		wire []byte
		want error
	}{
		"zero":          {[]byte{0, 0, 1}, link.ErrFrame},
		"too long":      {[]byte{0x10, 0x01}, link.ErrFrame},
		"prefix cut":    {[]byte{0}, io.ErrUnexpectedEOF},
		"nothing of it": {[]byte{0, 2}, io.ErrUnexpectedEOF},
		"payload cut":   {[]byte{0, 2, 1}, io.ErrUnexpectedEOF},
	} {
		if _, err := link.ReadFrame(bytes.NewReader(c.wire), nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, link.MaxFrame + 1} {
		if err := link.CheckFrame(make([]byte, n)); !errors.Is(err, link.ErrFrame) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 1, 7})
	f.Add(link.AppendFrame(link.AppendFrame(nil, []byte("one")), []byte("two")))
	f.Add([]byte{0xFF, 0xFF, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, again := bytes.NewReader(wire), []byte(nil)
		for {
			frame, err := link.ReadFrame(r, nil)
			if err != nil {
				if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, link.ErrFrame) {
					t.Fatal(err)
				}
				break
			}
			again = link.AppendFrame(again, frame)
		}
		if !bytes.HasPrefix(wire, again) {
			t.Fatalf("read %x, wrote %x", wire, again)
		}
	})
}
