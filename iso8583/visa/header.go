package visa

import (
	"encoding/binary"

	"huika/iso8583"
	"huika/iso8583/scheme"
)

// The header (H1 to H12) and what stands in it.
const (
	headerSize = 22 // H1
	rejectSize = 26 // H1 of a message that comes back, with H13 and H14

	flagStandard = 0x01 // H2: no user header
	textEBCDIC   = 0x02 // H3

	// CodeRejected is scheme.Message.Code where VisaNet could not read the question.
	CodeRejected = "30"
)

// appendHeader writes H1 to H12. H4, the length of all, comes when it is known.
func (d *Dialect) appendHeader(dst []byte) []byte {
	dst = append(dst, headerSize, flagStandard, textEBCDIC, 0, 0)
	dst = append(append(dst, d.peer[:]...), d.own[:]...) // H5 destination, H6 source
	// H7 round-trip control, H8 BASE I flags, H9 status, H10 batch, H11 reserved, H12 user information: all VisaNet's.
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// split checks the header and gives what follows it; rejectCode is "" or H14 of a
// message of ours that came back.
func split(b []byte) (text []byte, rejectCode string, err error) {
	if len(b) < headerSize {
		return nil, "", &iso8583.Error{Op: "unpack", Field: "header", Why: "want 22 bytes"}
	}
	size := int(b[0])
	switch {
	case size != headerSize && size != rejectSize || len(b) < size:
		return nil, "", &iso8583.Error{Op: "unpack", Field: "H1", Why: "want 22, or 26 of a rejected message"}
	case b[2] != textEBCDIC:
		return nil, "", &iso8583.Error{Op: "unpack", Field: "H3", Why: "want text format 2"}
	case int(binary.BigEndian.Uint16(b[3:])) != len(b):
		return nil, "", &iso8583.Error{Op: "unpack", Field: "H4", Why: "not the length of the message"}
	}
	if size == headerSize {
		return b[headerSize:], "", nil
	}
	rejectCode, ok := unpackDigits(b[24:26])
	if !ok {
		return nil, "", &iso8583.Error{Op: "unpack", Field: "H14", Why: "want four digits"}
	}
	// Behind the reject header stands the rejected message, its own header first.
	inner := b[rejectSize:]
	if len(inner) < headerSize || inner[0] != headerSize {
		return nil, "", &iso8583.Error{Op: "unpack", Field: "header", Why: "want the rejected message"}
	}
	return inner[headerSize:], rejectCode, nil
}

// Encode implements scheme.Dialect.
func (d *Dialect) Encode(dst []byte, m *scheme.Message, mac iso8583.MAC) ([]byte, error) {
	start := len(dst)
	out, err := d.Dialect87.Encode(d.appendHeader(dst), m, mac)
	if err != nil {
		return dst, err
	}
	if len(out)-start > iso8583.MaxMessage {
		return dst, &iso8583.Error{Op: "pack", Field: "message", Why: "too long with its header"}
	}
	binary.BigEndian.PutUint16(out[start+3:], uint16(len(out)-start))
	return out, nil
}

// Decode implements scheme.Dialect. A question of ours that VisaNet rejects comes
// back whole: it is read as its own answer, with CodeRejected and the four digits
// of the reason as SchemeCode.
func (d *Dialect) Decode(frame []byte, m *scheme.Message) error {
	*m = scheme.Message{}
	text, rejectCode, err := split(frame)
	if err != nil {
		return err
	}
	if err := d.Dialect87.Decode(text, m); err != nil {
		return err
	}
	if rejectCode != "" {
		m.Response, m.Code, m.SchemeCode = true, CodeRejected, rejectCode
	}
	return nil
}

// CheckMAC implements scheme.Dialect. A rejected message proves nothing: its MAC
// is the one that we made ourselves, so it counts as none, and what became of the
// payment stays open.
func (d *Dialect) CheckMAC(frame []byte, mac iso8583.MAC) error {
	text, rejectCode, err := split(frame)
	if err != nil {
		return err
	}
	if rejectCode != "" {
		return scheme.ErrNoMAC
	}
	return d.Dialect87.CheckMAC(text, mac)
}

// Dump implements scheme.Dialect. The header is left out but for a reason of rejection.
func (d *Dialect) Dump(frame []byte) (string, error) {
	text, rejectCode, err := split(frame)
	if err != nil {
		return "", err
	}
	line, err := d.Dialect87.Dump(text)
	if err == nil && rejectCode != "" {
		line = "rejected " + rejectCode + ": " + line
	}
	return line, err
}
