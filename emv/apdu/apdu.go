// Package apdu codes the commands and responses between terminal and card
// (ISO/IEC 7816-4 short form, EMV Book 1 and Book 3, 6), explains status words,
// and makes the masked view of an exchange that may be shown.
//
// In a tap it stands on both sides of the air: Entry Point and kernels build
// commands with it, software cards take them apart. It sends nothing.
package apdu

import (
	"errors"
	"fmt"

	"huika/emv/tlv"
)

// MaxData is the most data that a short command carries; a short response carries one byte more.
const MaxData = 255

// Instruction bytes.
const (
	InsVerify          = 0x20
	InsChecksum        = 0x2A // COMPUTE CRYPTOGRAPHIC CHECKSUM
	InsReadData        = 0x32 // kernel 8
	InsWriteData       = 0x34 // kernel 8
	InsExternalAuth    = 0x82
	InsChallenge       = 0x84
	InsInternalAuth    = 0x88
	InsSelect          = 0xA4
	InsGPO             = 0xA8
	InsGenerateAC      = 0xAE
	InsReadRecord      = 0xB2
	InsGetResponse     = 0xC0
	InsGetData         = 0xCA
	InsRecoverAC       = 0xD0
	InsPutData         = 0xDA
	InsExchangeRRD     = 0xEA
	tagCommandTemplate = tlv.Tag(0x83)
)

// ErrMalformed is wrapped by every error of ParseCommand and ParseResponse.
var ErrMalformed = errors.New("malformed APDU")

// Command is a short command APDU. Le is the number of bytes expected, 1 to
// 256 (256 is sent as 00), or -1 where the command has no Le.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Le               int
}

// Append appends the coded command. More data than MaxData or an Le out of
// range is a fault of the caller and panics.
func (c Command) Append(dst []byte) []byte {
	if len(c.Data) > MaxData || c.Le > 256 || c.Le == 0 || c.Le < -1 {
		panic("apdu: command out of range")
	}
	dst = append(dst, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		dst = append(append(dst, byte(len(c.Data))), c.Data...)
	}
	if c.Le > 0 {
		dst = append(dst, byte(c.Le)) // 256 → 00
	}
	return dst
}

// ParseCommand takes a short command apart (cases 1 to 4). Data aliases b.
func ParseCommand(b []byte) (Command, error) {
	if len(b) < 4 {
		return Command{}, fmt.Errorf("%w: %d bytes, want 4 or more", ErrMalformed, len(b))
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3], Le: -1}
	body := b[4:]
	if len(body) == 0 {
		return c, nil
	}
	if len(body) > 1 {
		n := int(body[0])
		if n == 0 {
			return Command{}, fmt.Errorf("%w: extended length", ErrMalformed)
		}
		if len(body) < 1+n {
			return Command{}, fmt.Errorf("%w: Lc %d, %d bytes follow", ErrMalformed, n, len(body)-1)
		}
		c.Data, body = body[1:1+n:1+n], body[1+n:]
		if len(body) == 0 {
			return c, nil
		}
	}
	if len(body) != 1 {
		return Command{}, fmt.Errorf("%w: %d bytes after the data", ErrMalformed, len(body))
	}
	if c.Le = int(body[0]); c.Le == 0 {
		c.Le = 256
	}
	return c, nil
}

// Select is SELECT by name; next asks for the next occurrence (EMV Book 1, 11.3). name has 1 to 16 bytes.
func Select(name []byte, next bool) []byte {
	c := Command{INS: InsSelect, P1: 0x04, Data: name, Le: 256}
	if next {
		c.P2 = 0x02
	}
	return c.Append(make([]byte, 0, 6+len(name)))
}

// GPO is GET PROCESSING OPTIONS (EMV Book 3, 6.5.8): data is what the PDOL
// asks for, at most dol.MaxData bytes, without the 83 template.
func GPO(data []byte) []byte {
	b := make([]byte, 0, 9+len(data))
	b = append(b, 0x80, InsGPO, 0, 0, 0)
	b = tlv.Append(b, tagCommandTemplate, data)
	if len(b)-5 > MaxData {
		panic("apdu: PDOL data out of range")
	}
	b[4] = byte(len(b) - 5)
	return append(b, 0)
}

// ReadRecord is READ RECORD (EMV Book 3, 6.5.11); sfi is 1 to 30.
func ReadRecord(sfi, record byte) []byte {
	return []byte{0x00, InsReadRecord, record, sfi<<3 | 0x04, 0x00}
}

// Response is a response APDU: data and status word.
type Response struct {
	Data []byte
	SW   uint16
}

// OK reports SW 9000.
func (r Response) OK() bool { return r.SW == SWOK }

// Append appends the coded response.
func (r Response) Append(dst []byte) []byte {
	return append(append(dst, r.Data...), byte(r.SW>>8), byte(r.SW))
}

// ParseResponse takes a response apart: at most 256 bytes of data, then the status word. Data aliases b.
func ParseResponse(b []byte) (Response, error) {
	n := len(b) - 2
	if n < 0 || n > MaxData+1 {
		return Response{}, fmt.Errorf("%w: response of %d bytes", ErrMalformed, len(b))
	}
	return Response{b[:n:n], uint16(b[n])<<8 | uint16(b[n+1])}, nil
}
