package terminal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
	"huika/terminal/journal"
)

var errNotSignedIn = errors.New("not signed in")

// errRecord says that a kernel's data record lacks what a request needs.
var errRecord = errors.New("the card's data do not make a request")

// card is what a tap gave for the request, the receipt and the screen.
type card struct {
	record tlv.List // the kernel's data record
	pan    pay.PAN
	track2 string // digits, '=' as separator
	psn    string // three digits, "" where the card gave none
	expiry string // YYMM
	label  string
	stripe bool // of mag-stripe mode: no cryptogram
}

// readCard takes the data record apart.
func readCard(record []byte) (card, error) {
	list, err := tlv.Parse(record)
	if err != nil {
		return card{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	c := card{record: list}
	digits := ""
	v, ok := list.Find(tag.Track2)
	if !ok { // kernel 2 gives the track of mag-stripe mode, with its checksum filled in
		v, ok = list.Find(tag.Track2Kernel2)
		c.stripe = ok
	}
	if ok {
		c.track2 = strings.Replace(strings.TrimRight(hexUpper(v), "F"), "D", "=", 1)
		var rest string
		if digits, rest, ok = strings.Cut(c.track2, "="); ok && len(rest) >= 4 {
			c.expiry = rest[:4]
		}
	}
	if v, ok := list.Find(tag.PAN); ok {
		digits = strings.TrimRight(hexUpper(v), "F")
	}
	if c.pan, err = pay.ParsePAN(digits); err != nil {
		return card{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	if v, ok := list.Find(tag.ExpirationDate); ok && len(v) == 3 {
		c.expiry = hexUpper(v)[:4]
	}
	if v, ok := list.Find(tag.PSN); ok && len(v) == 1 {
		c.psn = "0" + hexUpper(v)
	}
	c.label = label(list)
	return c, nil
}

func hexUpper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// label is the application's name as a receipt prints it: 50, plain ASCII. The
// preferred name 9F12 would need the issuer's code table (9F11).
func label(list tlv.List) string {
	v, _ := list.Find(tag.ApplicationLabel)
	if !printable(string(v)) {
		return ""
	}
	return strings.TrimSpace(string(v))
}

// hex is an object of the record in hex, "" where it is absent.
func (c card) hex(t tlv.Tag) string {
	v, _ := c.record.Find(t)
	return hexUpper(v)
}

// field55 of an online request, in the dialect's order; of a reversal.
var (
	saleTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.CID, tag.IAD, tag.UN, tag.ATC, tag.TVR, tag.TransactionDate, tag.TransactionType,
		tag.AmountAuthorised, tag.TransactionCurrency, tag.AIP, tag.TerminalCountry, tag.AmountOther, tag.TerminalCapabilities,
		tag.CVMResults, tag.TerminalType, tag.IFDSerial, tag.DFName, tag.TerminalVersion, tag.SequenceCounter, tag.ProductID,
		tag.FormFactor, tag.PAR,
	}
	reversalTags = [...]tlv.Tag{tag.TVR, tag.IFDSerial, tag.IAD, tag.ATC}
)

func (c card) field55(tags []tlv.Tag) []byte {
	var out []byte
	for _, t := range tags {
		if v, ok := c.record.Find(t); ok {
			out = tlv.Append(out, t, v)
		}
	}
	return out
}

// Entry modes of a tap, F22.
const (
	entryNoPIN = pos.EntryContactless + pos.PINNotEntered
	entryPIN   = pos.EntryContactless + pos.PINEntered

	entryStripeNoPIN = pos.EntryContactlessStripe + pos.PINNotEntered
	entryStripePIN   = pos.EntryContactlessStripe + pos.PINEntered
)

// entryMode is F22 of a tap.
func (c card) entryMode(pin bool) string {
	switch {
	case c.stripe && pin:
		return entryStripePIN
	case c.stripe:
		return entryStripeNoPIN
	case pin:
		return entryPIN
	}
	return entryNoPIN
}

// security control information, F53: PAN is part of the PIN block, double-length
// key, tracks not enciphered.
const securityControl = "2600000000000000"

// pinCapture is F26: the longest PIN that the pad takes.
const pinCapture = "12"

// entryManual is F22 of a follow-up: no card is there.
const entryManual = pos.EntryManual + pos.PINNotEntered

// message is the request of one try. tap is nil for a follow-up. The PIN block
// moves to the session's key if the terminal has signed in again since it was formed.
func (t *Terminal) message(s *sale, tap *tapped, pin *pinBlock, now *session, k journal.Key) (*iso8583.Message, error) {
	shape := s.kind.shape()
	m := t.base(shape.MTI, k, pos.F60{Type: shape.Type, Network: pos.NetworkNone, Capability: pos.CapabilityContactless, ICCondition: "0"})
	m.Set(3, shape.Processing)
	if s.kind.kind != Balance {
		m.Set(4, amount12(s.amount))
	}
	m.Set(22, entryManual)
	m.Set(25, shape.Condition)
	m.Set(pos.FieldPaymentID, string(s.id))
	m.Set(49, s.amount.Currency.Numeric())
	s.original.set(m)
	if tap == nil {
		return m, nil
	}
	c := tap.card
	m.Set(2, c.pan.Reveal())
	setNonEmpty(m, 14, c.expiry)
	m.Set(22, c.entryMode(false))
	setNonEmpty(m, 23, c.psn)
	setNonEmpty(m, 35, c.track2)
	if !c.stripe {
		m.SetBytes(55, c.field55(saleTags[:]))
	}
	if pin == nil {
		return m, nil
	}
	block := pin.block
	if pin.under.seq != now.seq {
		var err error
		if block, err = keys.TranslatePIN(pin.block[:], pin.under.pin, now.pin); err != nil {
			return nil, err
		}
	}
	m.Set(22, c.entryMode(true))
	m.Set(26, pinCapture)
	m.SetBytes(52, block[:])
	m.Set(53, securityControl)
	clear(block[:])
	return m, nil
}

// originalOf is what a reversal of this try will need.
func (t *Terminal) originalOf(s *sale, tap *tapped, pin *pinBlock) original {
	shape := s.kind.shape()
	o := original{
		Entry: entryManual, Date: t.now().Format("0102"), Type: shape.Type, Process: shape.Processing, Condition: shape.Condition,
		Currency: s.amount.Currency.Numeric(),
	}
	if tap == nil {
		return o
	}
	c := tap.card
	o.PAN, o.Expiry, o.PSN, o.EMV = c.pan.Reveal(), c.expiry, c.psn, c.field55(reversalTags[:])
	o.Entry, o.Date = c.entryMode(pin != nil), tap.tx.Time.Format("0102")
	return o
}
