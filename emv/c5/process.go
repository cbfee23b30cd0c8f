package c5

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

	tci      [1]byte // 9F52
	tip      [3]byte // 9F53
	legacy   bool
	pdol     []byte
	pdolData []byte
	cdolData []byte
	language []byte

	number string // card number
	asked  book3.Cryptogram
	p1     byte // of GENERATE AC
	cid    byte
	oda    emv.ODA
	cvm    emv.CVM
	arc    [2]byte   // 8A, for the second GENERATE AC
	after  book3.TVR // bits set after the last cryptogram, which does not cover them
}

// result is how a step ended a tap: nil goes on.
type result struct {
	o   emv.Outcome
	err error
}

// Process is one tap, from activation to outcome.
func (k *Kernel) Process(ctx context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	t := &tap{k: k, in: &in, card: book3.NewCard(ctx, card), language: book3.Language(in.FCI), cvm: emv.CVMNotGiven}
	if in.Online != nil {
		r := t.update() // 5.11
		return r.o, r.err
	}
	if was, ok := in.Previous.(*torn); ok {
		if r := t.recover(was); r != nil { // 5.14
			return r.o, r.err
		}
		t.card = book3.NewCard(ctx, card) // the card has nothing: a transaction from the beginning
	}
	if err := t.start(); err != nil {
		return emv.Outcome{}, fmt.Errorf("kernel 5: %w", err)
	}
	for _, step := range [...]func(*tap) *result{
		(*tap).initialise, (*tap).options, (*tap).read, (*tap).manageRisk, (*tap).restrict, (*tap).analyse, (*tap).generate,
	} {
		if r := step(t); r != nil {
			return r.o, r.err
		}
	}
	return emv.Outcome{}, errors.New("kernel 5: no outcome") // the last step always gives one
}

// start codes the terminal's data (5.2.1.5 to 5.2.1.8).
func (t *tap) start() error {
	c := &t.k.Config
	version, floor := c.Version, int64(0)
	if version == 0 {
		version = Version
	}
	if c.FloorLimit != nil {
		floor = *c.FloorLimit
	}
	if err := t.term.Fill(t.in, version, floor); err != nil {
		return err
	}
	if c.Options&EMVMode != 0 {
		t.tci[0] |= tciEMV // 5.2.1.7
	}
	t.tip = c.Profile
	t.tip[0] &^= tip1CVMRequired // 5.2.1.8
	return nil
}

// value is a data object by tag: the terminal's own stand before the card's, so
// that a card can't put its amount in their place.
func (t *tap) value(g tlv.Tag) ([]byte, bool) {
	switch g {
	case tag.Compatibility:
		return t.tci[:], true
	case tag.Interchange:
		return t.tip[:], true
	case tag.ARC:
		return t.arc[:], t.arc != [2]byte{}
	case tag.IssuerAuthData:
		if t.in.Online != nil {
			return t.in.Online.AuthData, true
		}
		return nil, false
	}
	if v, ok := t.term.Get(g); ok {
		return v, true
	}
	return t.card.Get(g)
}

// initialise reads the FCI and finds the mode (5.2.1.4, 5.2.1.9, 5.2.1.10).
func (t *tap) initialise() *result {
	if why := t.readFCI(); why != "" {
		return t.selectNext("select", why, 0)
	}
	if !asksFor(t.pdol, tag.Compatibility) {
		if t.k.Options&LegacyMode == 0 {
			return t.selectNext("select", "the card knows legacy mode only and the reader has none", 0)
		}
		t.legacy = true
	}
	return nil
}

// readFCI takes the PDOL out of the FCI. It says what was wrong, or "".
func (t *tap) readFCI() string {
	name, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.DFName)
	if !ok || len(name) == 0 {
		return "84 is missing"
	}
	t.pdol, _ = tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	if _, err := dol.Size(t.pdol); err != nil {
		return "PDOL can't be read"
	}
	return ""
}

// asksFor reports whether a data object list names g.
func asksFor(list []byte, g tlv.Tag) bool {
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

// options sends GET PROCESSING OPTIONS (5.3).
func (t *tap) options() *result {
	why, sw, r := t.sendGPO(false)
	if r != nil {
		return r
	}
	if why != "" {
		return t.selectNext("gpo", why, sw) // 5.3.1.2 to 5.3.1.6
	}
	if t.legacy || t.k.Options&ODASupported == 0 || t.aip()[0]&aip1CDA == 0 {
		t.term.TVR.Set(book3.NoODA) // 5.3.1.7
	}
	return nil
}

// sendGPO sends the command and keeps its answer. recovering takes 6200 as done (5.14.4.1).
func (t *tap) sendGPO(recovering bool) (why string, sw uint16, res *result) {
	var err error
	if t.pdolData, err = dol.Build(make([]byte, 0, 64), t.pdol, t.value); err != nil {
		return "PDOL can't be read", 0, nil // 5.3.1.1
	}
	r, lost, err := t.card.Send(apdu.GPO(t.pdolData))
	switch {
	case err != nil:
		return "", 0, &result{err: err}
	case lost:
		return "", 0, t.lost("gpo", nil)
	case !r.OK() && !(recovering && r.SW == apdu.SWWarning):
		return "the card refused GET PROCESSING OPTIONS", r.SW, nil
	}
	format := tag.ResponseFormat2
	if t.legacy {
		format = tag.ResponseFormat1
	}
	if len(r.Data) == 0 || r.Data[0] != byte(format) {
		return "the response is no template " + format.String(), 0, nil
	}
	if why := t.card.Options(r.Data); why != "" {
		return why, 0, nil
	}
	afl, there := t.card.Get(tag.AFL)
	switch {
	case len(t.card.Value(tag.AIP)) != 2:
		return "82 is missing", 0, nil // 5.3.1.3
	case !t.legacy && t.aip()[1]&aip2EMV == 0: // 5.3.1.4
		return "the card wants mag-stripe mode and the kernel has none", 0, nil
	case !t.legacy && t.tci[0]&tciEMV == 0: // ours
		return "the card wants EMV mode and the reader has none", 0, nil
	case !there: // 5.3.1.5
		return "94 is missing", 0, nil
	}
	return book3.CheckAFL(afl), 0, nil // 5.3.1.6
}

// aip is 82.
func (t *tap) aip() []byte { return t.card.Value(tag.AIP) }

// signs reports that a combined signature is wanted (5.8.1.4).
func (t *tap) signs() bool {
	return !t.legacy && t.k.Options&ODASupported != 0 && t.aip()[0]&aip1CDA != 0
}
