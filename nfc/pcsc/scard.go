package pcsc

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The system's PC/SC library, called without cgo. C's long, DWORD, SCARDCONTEXT
// and SCARDHANDLE are 8 bytes here (LP64), and SCARD_READERSTATE is 80.
// Source: pcsc-lite's public headers (winscard.h, pcsclite.h) and PC/SC part 5.

const libraryName = "libpcsclite.so.1"

// ErrNoLibrary says that the PC/SC library is not installed.
var ErrNoLibrary = errors.New("PC/SC library not found: install it with `apt-get install libpcsclite1 pcscd`")

type code uint32

const (
	codeSuccess           code = 0
	codeCancelled         code = 0x80100002
	codeInvalidHandle     code = 0x80100003
	codeUnknownReader     code = 0x80100009
	codeTimeout           code = 0x8010000A
	codeSharing           code = 0x8010000B
	codeNoSmartcard       code = 0x8010000C
	codeProtoMismatch     code = 0x8010000F
	codeCommError         code = 0x80100013
	codeNotTransacted     code = 0x80100016
	codeReaderUnavailable code = 0x80100017
	codeNoService         code = 0x8010001D
	codeServiceStopped    code = 0x8010001E
	codeNoReaders         code = 0x8010002E
	codeUnsupportedCard   code = 0x80100065
	codeUnresponsiveCard  code = 0x80100066
	codeUnpoweredCard     code = 0x80100067
	codeResetCard         code = 0x80100068
	codeRemovedCard       code = 0x80100069
)

var codeNames = map[code]string{
	codeCancelled: "cancelled", codeInvalidHandle: "invalid handle", codeUnknownReader: "unknown reader",
	codeTimeout: "timeout", codeSharing: "sharing violation", codeNoSmartcard: "no smart card",
	codeProtoMismatch: "protocol mismatch", codeCommError: "internal communication error",
	codeNotTransacted: "not transacted", codeReaderUnavailable: "reader unavailable",
	codeNoService: "no service", codeServiceStopped: "service stopped", codeNoReaders: "no readers available",
	codeUnsupportedCard: "unsupported card", codeUnresponsiveCard: "unresponsive card",
	codeUnpoweredCard: "unpowered card", codeResetCard: "reset card", codeRemovedCard: "removed card",
}

func (c code) Error() string {
	if name := codeNames[c]; name != "" {
		return "PC/SC: " + name
	}
	return fmt.Sprintf("PC/SC: code %08X", uint32(c))
}

// Reader state bits (SCARD_STATE_*). The upper 16 bits of an event state count the reader's events.
const (
	stateChanged     = 0x0002
	stateUnknown     = 0x0004
	stateUnavailable = 0x0008
	statePresent     = 0x0020
	stateExclusive   = 0x0080
	stateInUse       = 0x0100
)

// pnpReader is the pseudo reader whose state changes when readers come or go.
const pnpReader = `\\?PnP?\Notification`

const (
	scopeSystem    = 2
	shareExclusive = 1
	protocolAny    = 3 // T=0 or T=1
	leaveCard      = 0
	resetCard      = 1
	unpowerCard    = 2
)

const (
	maxResponse    = 65538 // extended length: 65536 bytes of data and the status word
	maxReaderNames = 16 * 128
)

type readerState struct {
	name    *byte
	user    uintptr
	current uint64
	event   uint64
	atrLen  uint64
	atr     [33]byte
	_       [7]byte
}

type ioRequest struct{ protocol, length uint64 }

// library holds the entry points. Every call may block for as long as pcscd
// does: line.go calls them, nobody else.
type library struct {
	establish, release, list, statusChange, cancel, connect, reconnect, disconnect, transmit uintptr
}

var loadLibrary = sync.OnceValues(func() (*library, error) {
	handle, err := purego.Dlopen(libraryName, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoLibrary, err)
	}
	l := new(library)
	for name, at := range map[string]*uintptr{
		"SCardEstablishContext": &l.establish, "SCardReleaseContext": &l.release,
		"SCardListReaders": &l.list, "SCardGetStatusChange": &l.statusChange, "SCardCancel": &l.cancel,
		"SCardConnect": &l.connect, "SCardReconnect": &l.reconnect,
		"SCardDisconnect": &l.disconnect, "SCardTransmit": &l.transmit,
	} {
		if *at, err = purego.Dlsym(handle, name); err != nil {
			return nil, fmt.Errorf("%s: %w", libraryName, err)
		}
	}
	return l, nil
})

type scardContext uintptr
type scardHandle uintptr

// call passes its arguments to C. A pointer converted to uintptr in the call
// expression itself escapes to the heap and lives until call returns.
//
//go:uintptrescapes
func call(function uintptr, args ...uintptr) code {
	result, _, _ := purego.SyscallN(function, args...) // the second and third are errno: the result says all
	return code(result)
}

// cstring is s with its terminating zero.
func cstring(s string) *byte {
	b := append([]byte(s), 0)
	return &b[0]
}

func (l *library) Establish() (scardContext, code) {
	context := new(uintptr)
	c := call(l.establish, scopeSystem, 0, 0, uintptr(unsafe.Pointer(context)))
	return scardContext(*context), c
}

func (l *library) Release(context scardContext) code { return call(l.release, uintptr(context)) }

// Cancel makes a status change call that waits in this context return. It may
// be called while that call waits.
func (l *library) Cancel(context scardContext) code { return call(l.cancel, uintptr(context)) }

func (l *library) List(context scardContext) ([]string, code) {
	buffer := make([]byte, maxReaderNames)
	length := uint64(len(buffer))
	n := &length
	c := call(l.list, uintptr(context), 0, uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(n)))
	if c == codeNoReaders {
		return nil, codeSuccess
	}
	if c != codeSuccess {
		return nil, c
	}
	var names []string
	for _, name := range bytes.Split(buffer[:min(*n, uint64(len(buffer)))], []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, c
}

// watched is one reader in a status change call: the state known, and on return the state now.
type watched struct {
	name  string
	state uint64
}

// StatusChange waits up to timeoutMS for a state that differs from those given,
// and updates them. A reader that is not there any more has stateUnknown, or
// the whole call is codeUnknownReader.
func (l *library) StatusChange(context scardContext, timeoutMS int, readers []watched) code {
	if len(readers) == 0 {
		return codeUnknownReader
	}
	states := make([]readerState, len(readers))
	for i, w := range readers {
		states[i] = readerState{name: cstring(w.name), current: w.state}
	}
	c := call(l.statusChange, uintptr(context), uintptr(timeoutMS), uintptr(unsafe.Pointer(&states[0])), uintptr(len(states)))
	for i := range readers {
		readers[i].state = states[i].event &^ stateChanged
	}
	return c
}

func (l *library) Connect(context scardContext, reader string, share uintptr) (h scardHandle, protocol uint64, c code) {
	handle, active, name := new(uintptr), new(uint64), cstring(reader)
	c = call(l.connect, uintptr(context), uintptr(unsafe.Pointer(name)), share, protocolAny, uintptr(unsafe.Pointer(handle)), uintptr(unsafe.Pointer(active)))
	return scardHandle(*handle), *active, c
}

// Reset resets the connected card, which is then a new session; the connection stays exclusive.
func (l *library) Reset(handle scardHandle) (protocol uint64, c code) {
	active := new(uint64)
	c = call(l.reconnect, uintptr(handle), shareExclusive, protocolAny, resetCard, uintptr(unsafe.Pointer(active)))
	return *active, c
}

func (l *library) Disconnect(handle scardHandle, disposition uintptr) code {
	return call(l.disconnect, uintptr(handle), disposition)
}

// Transmit uses buffer for the answer; the result aliases it.
func (l *library) Transmit(handle scardHandle, protocol uint64, command, buffer []byte) ([]byte, code) {
	if len(command) == 0 || len(buffer) == 0 {
		return nil, codeNotTransacted
	}
	pci := &ioRequest{protocol: protocol, length: 16}
	length := new(uint64)
	*length = uint64(len(buffer))
	c := call(l.transmit, uintptr(handle), uintptr(unsafe.Pointer(pci)), uintptr(unsafe.Pointer(&command[0])), uintptr(len(command)), 0,
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(length)))
	if c != codeSuccess {
		return nil, c
	}
	return buffer[:min(*length, uint64(len(buffer)))], c
}
