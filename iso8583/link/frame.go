// Package link carries frames between parties: two length bytes before each
// message, many calls at once over one connection (Mux), a connection that is
// dialled again whenever it falls (Client), and the accepting side (Server).
//
// It does not know what a message means: a Classify function given by the
// dialect names the call that a frame belongs to. It retries no payment: a call
// that got no answer ends with an error, and the caller reverses. In a tap it is
// the wire from terminal to host, host to scheme and scheme to issuer.
//
// All waiting goes through rt.Env, so that the same code runs in the simulation.
// No frame is dropped in silence and nothing is unbounded: a full window, a peer
// that does not read and a connection that is down are errors at once.
package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// prefixSize is that of the length before each payload, in bytes.
const prefixSize = 2

// MaxFrame is the longest payload of a frame, in bytes.
const MaxFrame = 4096

// ErrFrame says that a length prefix is impossible: zero, or beyond MaxFrame.
// The connection can't be read further.
var ErrFrame = errors.New("frame length")

// ReadFrame reads one frame: two bytes of length, big-endian, then the payload,
// which it returns in buf where that is large enough. Errors: io.EOF between
// frames, io.ErrUnexpectedEOF within one, ErrFrame, or the reader's own.
func ReadFrame(r io.Reader, buf []byte) ([]byte, error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(prefix[:]))
	if n == 0 || n > MaxFrame {
		return nil, fmt.Errorf("%w %d: want 1 to %d", ErrFrame, n, MaxFrame)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return buf, nil
}

// AppendFrame appends the length prefix and payload, which has 1 to MaxFrame
// bytes (CheckFrame): another length is the caller's mistake and panics.
func AppendFrame(dst, payload []byte) []byte {
	if err := CheckFrame(payload); err != nil {
		panic(err)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(payload)))
	return append(dst, payload...)
}

// CheckFrame reports whether payload fits a frame.
func CheckFrame(payload []byte) error {
	if n := len(payload); n == 0 || n > MaxFrame {
		return fmt.Errorf("%w %d: want 1 to %d", ErrFrame, n, MaxFrame)
	}
	return nil
}

// readBuffer is how much is read from a connection at once.
const readBuffer = 16 << 10

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, readBuffer) }
