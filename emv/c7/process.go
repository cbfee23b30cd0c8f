package c7

import (
	"context"
	"errors"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/book3"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// tap is one transaction with one card.
type tap struct {
	in    *emv.Input
	term  terminalData
	card  store
	arena []byte // copies of the responses; the store aliases it

	static    []byte // records for offline data authentication
	staticBad bool   // a record among them can't be authenticated
	crypto    cryptogram
	ctq       [2]byte
	hasCTQ    bool
	track2    book3.Track2
	oda       emv.ODA
	cvm       emv.CVM
	goOnline  bool // a rule of the terminal wants the issuer
}

// Sizes that hold a usual card without growing: responses of a tap, and what field 55 and the till need of it.
const (
	arenaSize  = 1536
	staticSize = 768
	recordSize = 512
)

// Process is one tap, from activation to outcome.
func (k *Kernel) Process(ctx context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	if in.Online != nil {
		return update(ctx, &in, card)
	}
	t := &tap{in: &in, arena: make([]byte, 0, arenaSize), static: make([]byte, 0, staticSize)}
	if err := t.term.fill(&k.Config, &in); err != nil {
		return emv.Outcome{}, err
	}
	if o, done, err := t.initiate(ctx, card); done || err != nil {
		return o, err
	}
	if o, done, err := t.read(ctx, card); done || err != nil {
		return o, err
	}
	if why := t.check(); why != "" {
		return endApplication("read", "card data missing", why), nil
	}
	if d, ok := card.(emv.Display); ok { // the card may leave
		d.Show(emv.UIRequest{Message: emv.MsgCardReadOK, Status: emv.StatusCardReadOK})
	}
	if t.crypto == aac {
		return t.declined("the card declined"), nil
	}
	if o, done := t.restrict(&k.Config); done {
		return o, nil
	}
	if o, done := t.authenticate(k); done {
		return o, nil
	}
	if o, done := t.verifyCardholder(&k.Config); done {
		return o, nil
	}
	return t.decide(&k.Config), nil
}

// initiate builds the PDOL data and sends GET PROCESSING OPTIONS.
func (t *tap) initiate(ctx context.Context, card emv.Transceiver) (emv.Outcome, bool, error) {
	// qPBOC: the PDOL is mandatory, and without 9F66 in it the application does
	// not speak QuickPass. Select Next is kernel 3's answer, unverified here.
	pdol, ok := tlv.Find(t.in.FCI, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	if !ok || !asksFor(pdol, tag.TTQ) {
		return selectNext("PDOL is missing or does not ask for 9F66", 0), true, nil
	}
	data, err := dol.Build(make([]byte, 0, 64), pdol, t.term.get)
	if err != nil {
		return endApplication("gpo", "parsing error", "PDOL can't be read"), true, nil
	}
	r, o, done, err := t.send(ctx, card, apdu.GPO(data), "gpo")
	if done || err != nil {
		return o, done, err
	}
	switch r.SW {
	case apdu.SWOK:
	case apdu.SWConditions:
		return selectNext("the card wants another application", r.SW), true, nil
	case apdu.SWReferenceInvalidated:
		return tryAnother("the card wants another interface", r.SW), true, nil
	case apdu.SWSeePhone:
		return seePhone(), true, nil
	default:
		return statusError("gpo", r.SW), true, nil
	}
	// The cryptogram comes in template 77; format 1 (80) has no room for it.
	if why := t.template(r.Data, tag.ResponseFormat2); why != "" {
		return endApplication("gpo", "parsing error", why), true, nil
	}
	return emv.Outcome{}, false, nil
}

// template keeps the contents of a response that must be one template of the given tag.
func (t *tap) template(data []byte, want tlv.Tag) string {
	r := tlv.NewReader(data)
	if !r.Next() || r.TLV().Tag != want {
		return "the response is no template " + want.String()
	}
	body := r.TLV().Value
	if r.Next() || r.Err() != nil {
		return "there are bytes after the template"
	}
	return t.card.addAll(body)
}

// send exchanges one command. done reports an outcome instead of a response:
// the card was lost, or answered what is no response.
func (t *tap) send(ctx context.Context, card emv.Transceiver, command []byte, step string) (apdu.Response, emv.Outcome, bool, error) {
	b, err := card.Transmit(ctx, command)
	if errors.Is(err, emv.ErrCardLost) {
		return apdu.Response{}, tryAgain(step), true, nil
	}
	if err != nil {
		return apdu.Response{}, emv.Outcome{}, true, err
	}
	from := len(t.arena)
	t.arena = append(t.arena, b...) // readers may use their buffer again
	r, err := apdu.ParseResponse(t.arena[from:len(t.arena):len(t.arena)])
	if err != nil {
		return apdu.Response{}, tryAgain(step), true, nil
	}
	return r, emv.Outcome{}, false, nil
}

// asksFor reports whether a data object list names t.
func asksFor(list []byte, t tlv.Tag) bool {
	for len(list) > 0 {
		e, rest, err := dol.Next(list)
		if err != nil {
			return false
		}
		if e.Tag == t {
			return true
		}
		list = rest
	}
	return false
}
