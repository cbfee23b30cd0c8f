package vpcd

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// quickAck returns what to call before each read on conn. Debian's driver
// writes a frame's length and body separately; under Nagle's algorithm the body
// waits for the acknowledgement of the length, and a delayed one costs 40 ms
// per APDU. TCP_QUICKACK turns the delay off, but only until the kernel thinks
// better of it: it has to be set again each time.
func quickAck(conn net.Conn) func() error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return func() error { return nil } // a connection in memory has no acknowledgements
	}
	return func() error {
		raw, err := tcp.SyscallConn()
		if err != nil {
			return fmt.Errorf("vpcd: %w", err)
		}
		var set error
		if err := raw.Control(func(fd uintptr) {
			set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		}); err != nil {
			return fmt.Errorf("vpcd: %w", err)
		}
		return os.NewSyscallError("setsockopt TCP_QUICKACK", set)
	}
}
