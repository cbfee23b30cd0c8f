package vpcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxBody bounds a frame's body: short APDUs need 261 bytes and no contactless
// payment card is sent longer ones; a reader that announces more is broken.
const maxBody = 4096

// ErrFrame says that the other side broke the framing.
var ErrFrame = errors.New("vpcd: malformed frame")

// readFrame reads one frame and returns its body, in buf where it fits. ack is
// called before each read (see quickAck). Errors: ErrFrame, or the
// connection's (io.EOF where it ended between two frames).
func readFrame(r io.Reader, ack func() error, buf []byte) ([]byte, error) {
	var head [2]byte
	if err := readFull(r, ack, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n == 0 || n > maxBody {
		return nil, fmt.Errorf("%w: body of %d bytes", ErrFrame, n)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if err := readFull(r, ack, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return buf, nil
}

func readFull(r io.Reader, ack func() error, b []byte) error {
	for got := 0; got < len(b); {
		if err := ack(); err != nil {
			return err
		}
		n, err := r.Read(b[got:])
		got += n
		if err != nil && got < len(b) {
			if errors.Is(err, io.EOF) && got > 0 {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// appendFrame appends the frame of body to dst.
func appendFrame(dst, body []byte) ([]byte, error) {
	if len(body) == 0 || len(body) > maxBody {
		return nil, fmt.Errorf("%w: body of %d bytes", ErrFrame, len(body))
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(body)))
	return append(dst, body...), nil
}
