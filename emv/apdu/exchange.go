package apdu

import (
	"fmt"
	"slices"
	"time"

	"huika/emv/tag"
	"huika/emv/tlv"
)

// Exchange is one command with its response as it crossed the air. It holds
// card data in clear: show only its Masked view.
type Exchange struct {
	Command  []byte
	Response []byte        // with status word; empty where no answer came
	At       time.Duration // when the command was sent, since card present
	Took     time.Duration // until the response was there
}

// View is the part of an exchange that may be shown, logged and kept in
// clear. It leaves out the objects that hold or lead to a card number, a
// holder's name or a PIN (the tags that tag.EMV marks sensitive, among them
// the certificates, from which the PAN can be recovered).
type View struct {
	Name     string // "READ RECORD SFI 2 record 1"
	Command  []byte
	Response []byte
	Omitted  []tlv.Tag // left out of the response, in their order
	Opaque   bool      // data that is not TLV was left out whole
	SW       uint16    // 0 where no answer came
	Status   string
	At, Took time.Duration
}

// Masked makes the view that may be shown.
func (e Exchange) Masked() View {
	v := View{Name: Name(e.Command), At: e.At, Took: e.Took, Status: "no answer"}
	v.Command, v.Opaque = maskCommand(e.Command)
	r, err := ParseResponse(e.Response)
	if err != nil {
		v.Opaque = v.Opaque || len(e.Response) > 0
		return v
	}
	v.SW, v.Status = r.SW, Explain(r.SW)
	body, ok := maskTLV(nil, r.Data, &v.Omitted, 0)
	if !ok {
		body, v.Omitted, v.Opaque = nil, nil, true
	}
	v.Response = Response{body, r.SW}.Append(nil)
	return v
}

// maskTLV copies data without its sensitive objects; lengths of templates
// shrink accordingly. It reports false for anything but TLV: what can't be
// read can't be judged.
func maskTLV(dst, data []byte, omitted *[]tlv.Tag, depth int) ([]byte, bool) {
	if depth == tlv.MaxDepth {
		return nil, false
	}
	r := tlv.NewReader(data)
	for r.Next() {
		t := r.TLV()
		if info, _ := tag.EMV.Lookup(t.Tag); info.Sensitive {
			*omitted = append(*omitted, t.Tag)
			continue
		}
		if !t.Tag.Constructed() {
			dst = tlv.Append(dst, t.Tag, t.Value)
			continue
		}
		inner, ok := maskTLV(nil, t.Value, omitted, depth+1)
		if !ok {
			return nil, false
		}
		dst = tlv.Append(dst, t.Tag, inner)
	}
	return dst, r.Err() == nil
}

// shownCommands are the instructions whose data holds nothing of the cardholder.
var shownCommands = []byte{InsSelect, InsGPO, InsReadRecord, InsGenerateAC, InsGetData, InsGetResponse,
	InsChecksum, InsExchangeRRD, InsRecoverAC, InsChallenge, InsReadData}

// maskCommand leaves the data of other commands (VERIFY holds a PIN) out.
func maskCommand(b []byte) (shown []byte, opaque bool) {
	if len(b) >= 2 && slices.Contains(shownCommands, b[1]) {
		return slices.Clone(b), false
	}
	n := min(len(b), 4)
	return slices.Clone(b[:n]), len(b) > n
}

// Name is a command in the words of the books, without its data beyond an AID
// or a record number.
func Name(command []byte) string {
	c, err := ParseCommand(command)
	if err != nil {
		return "malformed command"
	}
	switch c.INS {
	case InsSelect:
		for _, b := range c.Data {
			if b < 0x20 || b > 0x7E {
				return fmt.Sprintf("SELECT %X", c.Data)
			}
		}
		return "SELECT " + string(c.Data)
	case InsReadRecord:
		return fmt.Sprintf("READ RECORD SFI %d record %d", c.P2>>3, c.P1)
	case InsGetData:
		return fmt.Sprintf("GET DATA %02X%02X", c.P1, c.P2)
	}
	if s, ok := commandNames[c.INS]; ok {
		return s
	}
	return fmt.Sprintf("command %02X %02X", c.CLA, c.INS)
}

var commandNames = map[byte]string{
	InsGPO: "GET PROCESSING OPTIONS", InsGenerateAC: "GENERATE AC", InsVerify: "VERIFY", InsGetResponse: "GET RESPONSE",
	InsExternalAuth: "EXTERNAL AUTHENTICATE", InsInternalAuth: "INTERNAL AUTHENTICATE", InsChallenge: "GET CHALLENGE",
	InsChecksum: "COMPUTE CRYPTOGRAPHIC CHECKSUM", InsExchangeRRD: "EXCHANGE RELAY RESISTANCE DATA",
	InsRecoverAC: "RECOVER AC", InsPutData: "PUT DATA", InsReadData: "READ DATA", InsWriteData: "WRITE DATA",
}
