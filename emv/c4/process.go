package c4

import (
	"context"
	"errors"
	"fmt"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// tap is one transaction with one card.
type tap struct {
	k    *Kernel
	in   *emv.Input
	card *book3.Card
	term book3.Terminal

	reader   [1]byte // 9F6D
	enhanced [4]byte // 9F6E
	both     [1]byte // 9F35 | 9F6D
	merged   bool    // 9F35 is sent as both
	pdol     []byte
	pdolData []byte
	cdolData []byte
	language []byte

	limits      Limits
	cvmRequired bool
	aboveFloor  bool
	again       bool // the holder was already shown to the phone
	signs       authentication

	number string // card number
	asked  book3.Cryptogram
	p1     byte // of GENERATE AC
	cid    byte
	oda    emv.ODA
	cvm    emv.CVM
}

// authentication is the kind of offline data authentication.
type authentication byte

const (
	authNone authentication = iota
	authSDA
	authCDA
)

// shown is the memory of a phone that was shown to its holder.
type shown struct{}

// result is how a step ended a tap: nil goes on.
type result struct {
	o   emv.Outcome
	err error
}

// Process is one tap, from activation to outcome.
func (k *Kernel) Process(ctx context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	t := &tap{k: k, in: &in, card: book3.NewCard(ctx, card), language: book3.Language(in.FCI), cvm: emv.CVMNotGiven}
	_, t.again = in.Previous.(shown)
	if err := t.start(); err != nil {
		return emv.Outcome{}, fmt.Errorf("kernel 4: %w", err)
	}
	for _, step := range [...]func(*tap) *result{
		(*tap).initialise, (*tap).options, (*tap).read, (*tap).authenticate, (*tap).limit, (*tap).restrict,
		(*tap).verifyCardholder, (*tap).manageRisk, (*tap).analyse, (*tap).generate,
	} {
		if r := step(t); r != nil {
			return r.o, r.err
		}
	}
	return emv.Outcome{}, errors.New("kernel 4: no outcome") // the last step always gives one
}

// start codes the terminal's data. What 9F6D and 9F6E say of the cardholder before
// the card has named a limit set goes by the terminal's own limit.
func (t *tap) start() error {
	c := &t.k.Config
	version, floor := c.Version, int64(0)
	if version == 0 {
		version = Version
	}
	if c.Limits.Floor != nil {
		floor = *c.Limits.Floor
	}
	if err := t.term.Fill(t.in, version, floor); err != nil {
		return err
	}
	t.reader[0], t.enhanced = c.Reader, c.Enhanced
	t.enhanced[2] = 0
	t.apply(c.Limits)
	if t.term.Kind() == book3.OfflineOnly || c.CannotGoOnline {
		t.enhanced[2] |= enhanced3OfflineOnly
	}
	return nil
}

// apply takes limits. What pre-processing found counts as well, so that it can only be stricter. (Ours.)
func (t *tap) apply(l Limits) {
	amount, ind := t.term.Minor, &t.in.Indicators
	t.limits = l
	t.aboveFloor = l.Floor != nil && amount > *l.Floor || ind.FloorLimitExceeded
	t.require(l.CVM != nil && amount >= *l.CVM || ind.CVMRequiredLimitExceeded)
}

// require notes whether cardholder verification is required, in 9F6D and 9F6E too.
func (t *tap) require(yes bool) {
	t.cvmRequired = yes
	t.reader[0] &^= readerCVMRequired
	t.enhanced[2] &^= enhanced3CVMRequired
	if yes {
		t.reader[0] |= readerCVMRequired
		t.enhanced[2] |= enhanced3CVMRequired
	}
}

// value is a data object by tag: the terminal's own stand before the card's, so
// that a card can't put its amount in their place.
func (t *tap) value(g tlv.Tag) ([]byte, bool) {
	switch g {
	case tag.ReaderCapabilities:
		return t.reader[:], true
	case tag.EnhancedCapabilities:
		return t.enhanced[:], true
	case tag.ARC:
		return t.responseCode()
	case tag.TerminalType:
		if t.merged {
			v, _ := t.term.Get(tag.TerminalType)
			t.both[0] = v[0] | t.reader[0]
			return t.both[:], true
		}
	}
	if v, ok := t.term.Get(g); ok {
		return v, true
	}
	return t.card.Get(g)
}

// responseCode is 8A where the first GENERATE AC asks for it (EMV Book 4, annex A6).
func (t *tap) responseCode() ([]byte, bool) {
	switch t.asked {
	case book3.TC:
		return []byte("Y1"), true
	case book3.AAC:
		return []byte("Z1"), true
	}
	return nil, false
}

// initialise reads the FCI. Without a PDOL the card wants no data.
func (t *tap) initialise() *result {
	t.pdol, _ = tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	if _, err := dol.Size(t.pdol); err != nil {
		return t.end("select", "PDOL can't be read", 0)
	}
	return nil
}

// names reports that a data object list names g.
func names(list []byte, g tlv.Tag) bool {
	for len(list) > 0 {
		e, rest, err := dol.Next(list)
		if err != nil {
			return false
		}
		if e.Tag == g {
			return true
		}
		list = rest
	}
	return false
}

// options sends GET PROCESSING OPTIONS and finds the mode. A card that asks for
// the terminal type without 9F6E gets the reader's capabilities in it.
func (t *tap) options() *result {
	t.merged = names(t.pdol, tag.TerminalType) && !names(t.pdol, tag.EnhancedCapabilities)
	data, err := dol.Build(make([]byte, 0, 64), t.pdol, t.value)
	if err != nil {
		return t.end("gpo", "PDOL can't be read", 0)
	}
	t.pdolData, t.merged = data, false
	r, lost, err := t.card.Send(apdu.GPO(t.pdolData))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.lost("gpo")
	case !r.OK():
		return t.end("gpo", "the card refused GET PROCESSING OPTIONS", r.SW)
	}
	if why := t.card.Options(r.Data); why != "" {
		return t.end("gpo", why, 0)
	}
	afl, there := t.card.Get(tag.AFL)
	if why := book3.CheckAFL(afl); why != "" {
		return t.end("gpo", why, 0)
	}
	switch {
	case len(t.card.Value(tag.AIP)) != 2:
		return t.end("gpo", "82 is missing", 0)
	case !there || len(afl) == 0:
		return t.end("gpo", "94 is missing", 0)
	case t.aip()[1]&aip2EMV == 0 || t.reader[0]&readerEMV == 0:
		return t.end("gpo", "the card wants mag-stripe mode and the kernel has none", 0)
	}
	t.chooseAuthentication()
	return nil
}

// chooseAuthentication takes what card and terminal both can (EMV Book 3, 10.3; Expresspay has no DDA).
func (t *tap) chooseAuthentication() {
	switch {
	case t.aip()[0]&aip1CDA != 0 && t.term.Capabilities[2]&caps3CDA != 0:
		t.signs = authCDA
	case t.aip()[0]&aip1SDA != 0 && t.term.Capabilities[2]&caps3SDA != 0:
		t.signs = authSDA
	default:
		t.term.TVR.Set(book3.NoODA)
	}
}

// aip is 82.
func (t *tap) aip() []byte { return t.card.Value(tag.AIP) }

// mobile reports that the card is a phone's.
func (t *tap) mobile() bool { return t.aip()[1]&aip2Mobile != 0 }

// alternative reports that card and terminal both have a contact chip. A card without 9F70 counts as having one.
func (t *tap) alternative() bool {
	v := t.card.Value(tag.CardInterface)
	return t.term.Capabilities[0]&caps1Chip != 0 && (len(v) == 0 || v[0]&card1Contact != 0)
}
