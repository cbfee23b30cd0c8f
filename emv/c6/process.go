package c6

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

	ttq      [4]byte
	sentTVR  book3.TVR // as sent in the PDOL: what the cryptogram covers
	pdolData []byte
	response []byte // of GET PROCESSING OPTIONS
	language []byte

	cid    byte
	kind   book3.Cryptogram
	cpr    [2]byte
	cvr    [8]byte
	number string  // card number
	expiry [3]byte // YYMMDD
	oda    emv.ODA
	cvm    emv.CVM
}

// result is how a step ended a tap: nil goes on.
type result struct {
	o   emv.Outcome
	err error
}

// Process is one tap, from activation to outcome.
func (k *Kernel) Process(ctx context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	if in.Online != nil {
		return update(ctx, &in, card)
	}
	t := &tap{k: k, in: &in, card: book3.NewCard(ctx, card), ttq: in.Indicators.TTQ, language: book3.Language(in.FCI)}
	if err := t.start(); err != nil {
		return emv.Outcome{}, fmt.Errorf("kernel 6: %w", err)
	}
	for _, step := range [...]func(*tap) *result{
		(*tap).options, (*tap).read, (*tap).check, (*tap).authenticate, (*tap).verifyCardholder, (*tap).restrict, (*tap).analyse,
	} {
		if r := step(t); r != nil {
			return r.o, r.err
		}
	}
	return emv.Outcome{}, errors.New("kernel 6: no outcome") // the last step always gives one
}

// start codes the terminal's data. The floor limit is looked at before the PDOL is sent (12.15).
func (t *tap) start() error {
	c := &t.k.Config
	if !t.in.Indicators.HasTTQ {
		return errors.New("the combination has no TTQ")
	}
	if t.ttq[0]&ttq1MagStripe != 0 {
		return errors.New("TTQ byte 1 bit 8 claims mag-stripe mode, which this kernel has not: clear it")
	}
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
	if t.in.Indicators.FloorLimitExceeded || (c.FloorLimit != nil && t.term.Minor > *c.FloorLimit) {
		t.term.TVR.Set(book3.FloorLimit)
	}
	t.sentTVR = t.term.TVR
	return nil
}

// value answers the PDOL's tags. What it does not know becomes zeros.
func (t *tap) value(g tlv.Tag) ([]byte, bool) {
	if g == tag.TTQ {
		return t.ttq[:], true
	}
	return t.term.Get(g)
}

// options sends GET PROCESSING OPTIONS and looks for what its answer must have (figure 15).
func (t *tap) options() *result {
	pdol, _ := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	var err error
	if t.pdolData, err = dol.Build(make([]byte, 0, 64), pdol, t.value); err != nil {
		return t.selectNext("PDOL can't be read", 0)
	}
	r, lost, err := t.card.Send(apdu.GPO(t.pdolData))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		return t.tryAgain("gpo")
	}
	switch r.SW {
	case apdu.SWOK:
	case apdu.SWReferenceInvalidated: // 15.2
		return t.tryAnother("the card wants another interface", r.SW)
	case apdu.SWSeePhone: // 15.3a
		return t.seePhone()
	default: // 15.10
		return t.selectNext("the card refused GET PROCESSING OPTIONS", r.SW)
	}
	t.response = r.Data
	if why := t.card.Template(r.Data, tag.ResponseFormat2); why != "" { // 15.4: format 2 only
		return t.selectNext(why, 0)
	}
	if why := t.mandatory(); why != "" {
		return t.selectNext(why, 0)
	}
	t.term.TVR.Set(book3.NoODA) // 15.9a
	if t.kind == book3.TC || t.cpr[0]&cpr1Loyalty != 0 {
		return t.checkSigned()
	}
	return t.checkUnsigned()
}

// mandatory is 15.5 to 15.9. It says what is missing, or "".
func (t *tap) mandatory() string {
	get := t.card.Value
	afl, iad := get(tag.AFL), get(tag.IAD)
	switch {
	case book3.CheckAFL(afl) != "":
		return book3.CheckAFL(afl)
	case len(get(tag.AIP)) != 2:
		return "82 is missing"
	case len(get(tag.ATC)) != 2:
		return "9F36 is missing"
	case len(iad) == 0 || len(iad) > 32:
		return "9F10 is missing"
	case len(get(tag.CID)) != 1:
		return "9F27 is missing"
	case len(get(tag.CPR)) != 2:
		return "9F71 is missing"
	}
	t.cid, t.cpr = get(tag.CID)[0], [2]byte(get(tag.CPR))
	t.kind = book3.Type(t.cid)
	if len(iad) >= iadCVREnd {
		t.cvr = [8]byte(iad[iadCVR:iadCVREnd])
	}
	return ""
}

// checkSigned is what a TC must come with (figure 17): records to read and a
// combined signature, and no cryptogram in clear.
func (t *tap) checkSigned() *result {
	_, afl := t.card.Get(tag.AFL)
	_, sdad := t.card.Get(tag.SDAD)
	_, clear := t.card.Get(tag.ApplicationCryptogram)
	switch {
	case !afl: // 17.1
		t.term.TVR.Set(book3.ICCDataMissing)
		return t.end("gpo", "card data missing", "94 is missing", 0)
	case !sdad: // 17.2
		t.term.TVR.Set(book3.ICCDataMissing)
		return t.end("gpo", "card data missing", "9F4B is missing", 0)
	case clear: // 17.3
		return t.end("gpo", "card data error", "9F26 stands beside the signature", 0)
	}
	return t.checkBalance()
}

// checkUnsigned is what other cryptograms must come with (figure 16).
func (t *tap) checkUnsigned() *result {
	get := t.card.Value
	if len(get(tag.ApplicationCryptogram)) != 8 { // 16.2
		return t.missing("9F26 is missing")
	}
	if _, there := t.card.Get(tag.SDAD); there { // 16.3
		return t.end("gpo", "card data error", "a signature that nobody asked for", 0)
	}
	if r := t.checkBalance(); r != nil { // 16.4
		return r
	}
	if _, there := t.card.Get(tag.AFL); there {
		return nil
	}
	// 16.7 to 16.11: without records the answer itself has everything.
	for _, o := range [...]struct {
		tag tlv.Tag
		len int
	}{{tag.PSN, 1}, {tag.AUC, 2}, {tag.EffectiveDate, 3}, {tag.ApplicationVersion, 2}} {
		if len(get(o.tag)) != o.len {
			return t.missing(o.tag.String() + " is missing, and there are no records")
		}
	}
	return nil // 57 (16.7) is looked at in check
}

func (t *tap) missing(why string) *result {
	t.term.TVR.Set(book3.ICCDataMissing)
	return t.end("gpo", "card data missing", why, 0)
}

func (t *tap) checkBalance() *result {
	if v, ok := t.card.Get(tag.OfflineBalance); ok && (len(v) != offlineBalances || !book3.Digits(v)) { // 16.4, 17.4
		return t.end("gpo", "card data error", "D1 is no amount", 0)
	}
	return nil
}
