package book3

import (
	"context"
	"errors"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Card is the card's half of one transaction.
type Card struct {
	Objects
	to  emv.Transceiver
	ctx context.Context // of Process, for the length of one tap

	static    []byte // records for offline data authentication
	staticBad bool   // a record among them can't be authenticated
	arena     []byte // copies of the responses; the objects alias it
}

// Sizes that hold a usual card without growing.
const (
	arenaSize   = 2048
	staticSize  = 768
	objectsSize = 64
)

// NewCard is a card that has given nothing yet.
func NewCard(ctx context.Context, to emv.Transceiver) *Card {
	return &Card{Objects: Objects{make([]tlv.TLV, 0, objectsSize)}, to: to, ctx: ctx,
		arena: make([]byte, 0, arenaSize), static: make([]byte, 0, staticSize)}
}

// Send exchanges one command. lost: the card was lost, or answered what is no response. err: the reader failed.
func (c *Card) Send(command []byte) (r apdu.Response, lost bool, err error) {
	b, err := c.to.Transmit(c.ctx, command)
	if errors.Is(err, emv.ErrCardLost) {
		return apdu.Response{}, true, nil
	}
	if err != nil {
		return apdu.Response{}, false, err
	}
	from := len(c.arena)
	c.arena = append(c.arena, b...) // readers may use their buffer again
	r, err = apdu.ParseResponse(c.arena[from:len(c.arena):len(c.arena)])
	return r, err != nil, nil
}

// Show shows a message where the Transceiver is a display too.
func (c *Card) Show(r emv.UIRequest) {
	if d, ok := c.to.(emv.Display); ok {
		d.Show(r)
	}
}

// Language is the card's language preference (5F2D) in its FCI: one to four
// languages of two letters; nil where there is none.
func Language(fci []byte) []byte {
	v, ok := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.LanguagePreference)
	if !ok || len(v) < 2 || len(v) > 8 || len(v)%2 != 0 {
		return nil
	}
	return v
}

// Bounds of reading.
const (
	MaxRecords = 32 // READ RECORD commands
	sfiEMV     = 10 // files 1 to 10 are governed by EMV (EMV Book 3, 5.3.2.2), up to 30 is allowed
	sfiMax     = 30
)

// Problem says why reading ended early; the zero value is none.
type Problem struct {
	Lost bool   // the card was lost
	SW   uint16 // the status word of a command that the card refused
	Why  string // what is wrong with card data
	Err  error  // the reader failed
}

// None reports that there was no problem.
func (p Problem) None() bool { return !p.Lost && p.SW == 0 && p.Why == "" && p.Err == nil }

// Read sends READ RECORD for everything that the AFL names (EMV Book 3, 10.2).
func (c *Card) Read(afl []byte) Problem {
	if why := CheckAFL(afl); why != "" {
		return Problem{Why: why}
	}
	for ; len(afl) >= 4; afl = afl[4:] {
		sfi, signed := afl[0]>>3, afl[3]
		for n := int(afl[1]); n <= int(afl[2]); n++ {
			r, lost, err := c.Send(apdu.ReadRecord(sfi, byte(n)))
			switch {
			case lost || err != nil:
				return Problem{Lost: lost, Err: err}
			case !r.OK():
				return Problem{SW: r.SW}
			}
			if why := c.record(sfi, r.Data); why != "" {
				return Problem{Why: why}
			}
			if n-int(afl[1]) < int(signed) {
				c.sign(sfi, r.Data)
			}
		}
	}
	return Problem{}
}

// CheckAFL says what is wrong with an AFL (EMV Book 3, 10.2), or "".
func CheckAFL(afl []byte) string {
	if len(afl)%4 != 0 {
		return "AFL is not made of entries of 4 bytes"
	}
	records := 0
	for ; len(afl) >= 4; afl = afl[4:] {
		sfi, first, last, signed := afl[0]>>3, int(afl[1]), int(afl[2]), int(afl[3])
		switch {
		case afl[0]&0x07 != 0 || sfi < 1 || sfi > sfiMax:
			return "AFL names a file that can't be"
		case first == 0 || last < first:
			return "AFL names records that can't be"
		case signed > last-first+1:
			return "AFL signs more records than it names"
		}
		if records += last - first + 1; records > MaxRecords {
			return "AFL names too many records"
		}
	}
	return ""
}

// record keeps the data objects of one record. Records of files 1 to 10 are a
// template 70; those above are the issuer's own: taken where they look like one.
func (c *Card) record(sfi byte, data []byte) string {
	if r := tlv.NewReader(data); sfi > sfiEMV && (!r.Next() || r.TLV().Tag != tag.RecordTemplate) {
		return ""
	}
	return c.Template(data, tag.RecordTemplate)
}

// sign takes a record for offline data authentication. A record that can't be
// taken makes authentication fail, not the transaction (EMV Book 3, 10.3).
func (c *Card) sign(sfi byte, data []byte) {
	static, err := oda.AppendRecord(c.static, sfi, data)
	if err != nil {
		c.staticBad = true
		return
	}
	c.static = static
}
