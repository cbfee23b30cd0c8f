package card

import (
	"slices"

	"huika/emv/apdu"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Thing is something in the field that is no payment card: it has no payment
// directory, so that Entry Point finds nothing to pay with.
type Thing struct {
	historical string
	aid        []byte // its own application; nil: none
	label      string
	dead       bool
}

// NewTransit is a city transit card: it knows the transit application only.
func NewTransit() *Thing {
	return &Thing{historical: "TRANSIT", aid: []byte{0xA0, 0x00, 0x00, 0x06, 0x32, 0x01, 0x01, 0x05}, label: "TRANSIT"}
}

// NewStaff is a staff card: it knows one proprietary application only.
func NewStaff() *Thing {
	return &Thing{historical: "STAFF", aid: append([]byte{0xF0}, "HUIKASTAFF"...), label: "STAFF"}
}

// NewDead is a chip that is seen in the field and answers no command.
func NewDead() *Thing { return &Thing{dead: true} }

// ATR is the answer to reset, in the form of PC/SC part 3 for contactless cards.
func (t *Thing) ATR() []byte { return atr(t.historical) }

// Reset does nothing: a Thing has no session.
func (t *Thing) Reset() {}

// Transmit answers one command; nil from a dead chip.
func (t *Thing) Transmit(command []byte) []byte {
	if t.dead {
		return nil
	}
	cmd, err := apdu.ParseCommand(command)
	switch {
	case err != nil:
		return answer(nil, apdu.SWWrongLength)
	case cmd.CLA != 0:
		return answer(nil, apdu.SWUnknownCLA)
	case cmd.INS != apdu.InsSelect:
		return answer(nil, apdu.SWUnknownINS)
	case cmd.P1 != 0x04 || cmd.P2 != 0x00:
		return answer(nil, apdu.SWWrongP1P2)
	case !slices.Equal(cmd.Data, t.aid):
		return answer(nil, apdu.SWFileNotFound)
	}
	p := tlv.Append(nil, tag.ApplicationLabel, []byte(t.label))
	f := tlv.Append(tlv.Append(nil, tag.DFName, t.aid), tag.FCIProprietary, p)
	return answer(tlv.Append(nil, tag.FCITemplate, f), apdu.SWOK)
}
