package c2

import (
	"context"
	"errors"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// tap is one transaction with one card.
type tap struct {
	k   *Kernel
	in  *emv.Input
	to  emv.Transceiver
	ctx context.Context // of Process, for the length of one tap

	term  terminalData
	card  store  // the card's objects
	given store  // the terminal's further objects: Config.Data and data exchange
	made  store  // objects that the kernel makes: relay times, related data, balances, summaries
	arena []byte // copies of the responses; the stores alias it

	aip      [2]byte
	afl      []byte // active AFL
	onDevice bool   // card and kernel support on-device CVM
	limit    int64  // reader contactless transaction limit of this tap

	static  []byte // records for offline data authentication
	wantCDA bool   // ODA status is CDA
	oda     emv.ODA
	acType  cryptogram
	rcp     byte // reference control parameter
	cid     byte
	cvm     emv.CVM
	receipt bool

	pdolData, cdolData []byte
	fieldOff           bool // the card says that it notices when the field goes off

	toRead      []tlv.Tag // tags to read yet
	needed      []tlv.Tag // data needed
	toSend      []byte    // data to send, TLV
	exchanges   int
	getData     int
	writeBefore []byte // tags to write yet before / after GENERATE AC, TLV
	writeAfter  []byte
	idsRead     bool // IDS status
	idsWrite    bool
	idsOn       bool // the terminal asks for data storage
	balance     int64
	hasBalance  bool
	torn        []byte // torn record that went out of the log, for the discretionary data
	magStripe   bool
	errors      errorIndication
	nUN         int
}

// cryptogram is the type of an application cryptogram, as 9F27 and the
// reference control parameter code it.
type cryptogram byte

// Cryptogram types.
const (
	aac  cryptogram = 0x00
	tc   cryptogram = 0x40
	arqc cryptogram = 0x80
)

// AIP bits (82).
const (
	aip1CVM      = 0x10
	aip1OnDevice = 0x02
	aip1CDA      = 0x01
	aip2EMV      = 0x80
	aip2Relay    = 0x01
)

// Sizes that hold a usual card without growing.
const (
	arenaSize   = 2048
	objectsSize = 64
	recordSize  = 512
)

// result is how a step ended a tap: nil goes on.
type result struct {
	o   emv.Outcome
	err error
}

// Process is one tap, from activation to outcome.
func (k *Kernel) Process(ctx context.Context, in emv.Input, card emv.Transceiver) (emv.Outcome, error) {
	if in.Online != nil {
		return afterOnline(&in), nil
	}
	t := &tap{k: k, in: &in, to: card, ctx: ctx, arena: make([]byte, 0, arenaSize), cvm: emv.CVMNotGiven}
	t.card.objects = make([]tlv.TLV, 0, objectsSize)
	if err := t.term.fill(&k.Config, &in); err != nil {
		return emv.Outcome{}, err
	}
	if err := t.start(); err != nil {
		return emv.Outcome{}, err
	}
	for _, step := range [...]func(*tap) *result{
		(*tap).selected, (*tap).options, (*tap).mode,
	} {
		if r := step(t); r != nil {
			return r.o, r.err
		}
	}
	steps := emvMode
	if t.magStripe {
		steps = magStripeMode
	}
	for _, step := range steps {
		if r := step(t); r != nil {
			return r.o, r.err
		}
	}
	return emv.Outcome{}, errors.New("kernel 2: no outcome") // the last step always gives one
}

var (
	emvMode = []func(*tap) *result{
		(*tap).relay, (*tap).startReading, (*tap).read, (*tap).firstWrite, (*tap).checkLimit, (*tap).checkCard,
		(*tap).sendRest, (*tap).checkCDA, (*tap).capabilities, (*tap).balanceBefore, (*tap).restrict,
		(*tap).verifyCardholder, (*tap).analyse, (*tap).putBefore, (*tap).generate,
	}
	magStripeMode = []func(*tap) *result{
		(*tap).startMagReading, (*tap).readMag, (*tap).checkMag, (*tap).firstWrite, (*tap).checkLimit, (*tap).sendRest,
		(*tap).checksum,
	}
)

// start takes the terminal's further data (ACT signal).
func (t *tap) start() error {
	list, err := tlv.Parse(t.k.Data)
	if err != nil {
		return errors.Join(errors.New("kernel 2: Config.Data"), err)
	}
	for _, o := range list {
		if !t.given.set(o.Tag, o.Value) {
			return errors.New("kernel 2: Config.Data holds too many objects")
		}
	}
	return nil
}

// selected reads the FCI and builds the PDOL data (S1.7 to S1.23).
func (t *tap) selected() *result {
	if why := t.template(t.in.FCI, tag.FCITemplate); why != "" {
		t.errors.l2 = parsingError
		return t.selectNext("select", why) // S1.8
	}
	if len(t.card.value(tag.DFName)) == 0 {
		t.errors.l2 = cardDataMissing
		return t.selectNext("select", "84 is missing")
	}
	t.fieldOff = t.supports(capFieldOff)
	t.startLists()
	pdol := t.card.value(tag.PDOL)
	if _, err := dol.Size(pdol); err != nil {
		t.errors.l2 = parsingError
		return t.selectNext("select", "PDOL can't be read")
	}
	if r := t.fetch(pdol); r != nil { // S1.12, S1.21 to S2.8
		return r
	}
	var err error
	if t.pdolData, err = dol.Build(nil, pdol, t.value); err != nil {
		t.errors.l2 = parsingError
		return t.selectNext("select", "PDOL can't be read")
	}
	t.resolve() // S1.15
	t.startStorage()
	return nil
}

// options sends GET PROCESSING OPTIONS and keeps its answer (S3.8 to S3.14).
func (t *tap) options() *result {
	r, lost, err := t.send(apdu.GPO(t.pdolData))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		t.errors.l1 = true
		return t.end(t.tryAgain("gpo")) // S3.5
	case !r.OK():
		t.errors.l2, t.errors.sw = statusBytes, r.SW
		return t.selectNext("gpo", "the card refused GET PROCESSING OPTIONS") // S3.9
	}
	if why := t.keepOptions(r.Data); why != "" {
		return t.invalid(parsingError, "gpo", why)
	}
	aip, afl := t.card.value(tag.AIP), t.card.value(tag.AFL)
	if len(aip) == 0 || len(afl) == 0 {
		return t.invalid(cardDataMissing, "gpo", "82 or 94 is missing") // S3.14
	}
	t.aip, t.afl = [2]byte(aip), afl
	return nil
}

// keepOptions takes template 77, or format 1: AIP ‖ AFL (S3.10).
func (t *tap) keepOptions(data []byte) string {
	if len(data) == 0 || data[0] != byte(tag.ResponseFormat1) {
		return t.template(data, tag.ResponseFormat2)
	}
	r := tlv.NewReader(data)
	if !r.Next() {
		return "the response is not TLV"
	}
	body := r.TLV().Value
	if r.Next() || r.Err() != nil || len(body) < 6 || (len(body)-2)%4 != 0 {
		return "format 1 has a wrong length"
	}
	if t.card.value(tag.AIP) != nil || t.card.value(tag.AFL) != nil {
		return "82 or 94 comes twice"
	}
	if !t.card.set(tag.AIP, body[:2]) || !t.card.set(tag.AFL, body[2:]) {
		return "the card gives too many data objects"
	}
	return ""
}

// magRecord is the AFL entry of the record that mag-stripe mode needs: file 1, record 1.
var magRecord = [4]byte{0x08, 0x01, 0x01, 0x00}

// mode chooses EMV or mag-stripe mode, the records to read and the limit (S3.15 to S3.35, S3.70 to S3.75).
func (t *tap) mode() *result {
	emvMode := !t.config(NoEMV) && t.aip[1]&aip2EMV != 0
	if !emvMode && t.config(NoMagStripe) {
		return t.invalid(magStripeNotSupported, "gpo", "the card wants mag-stripe mode and the reader has none") // S3.18
	}
	t.magStripe = !emvMode
	first := len(t.afl) >= 4 && [4]byte(t.afl[:4]) == magRecord
	switch {
	case t.magStripe && first:
		t.afl = t.afl[:4] // S3.72
	case emvMode && first && !t.config(NoMagStripe):
		t.afl = t.afl[4:] // S3.32: the first record is for mag-stripe mode
	}
	t.onDevice = t.aip[0]&aip1OnDevice != 0 && t.config(OnDeviceCVM)
	t.limit = t.k.Limit
	if t.onDevice {
		t.limit = t.k.LimitOnCDCVM
	}
	return nil
}

// config reports a bit of DF811B.
func (t *tap) config(bit byte) bool { return t.k.Config.Kernel&bit != 0 }

// Application capabilities information, 9F5D.
const (
	capVersionMask = 0x0F // byte 1: data storage version
	capFieldOff    = 0x04 // byte 2: support for field off detection
	capBalance     = 0x02 // byte 2: support for balance reading
	capCDAOverAAC  = 0x01 // byte 2: CDA supported over TC, ARQC and AAC
)

// supports reports a bit of byte 2 of 9F5D.
func (t *tap) supports(bit byte) bool {
	v := t.card.value(tagCapabilities)
	return len(v) == 3 && v[1]&bit != 0
}

// send exchanges one command. lost: the card was lost, or answered what is no response (L1RSP).
func (t *tap) send(command []byte) (r apdu.Response, lost bool, err error) {
	b, err := t.to.Transmit(t.ctx, command)
	return t.received(b, err)
}

func (t *tap) received(b []byte, err error) (apdu.Response, bool, error) {
	if errors.Is(err, emv.ErrCardLost) {
		return apdu.Response{}, true, nil
	}
	if err != nil {
		return apdu.Response{}, false, err
	}
	from := len(t.arena)
	t.arena = append(t.arena, b...) // readers may use their buffer again
	r, err := apdu.ParseResponse(t.arena[from:len(t.arena):len(t.arena)])
	if err != nil {
		return apdu.Response{}, true, nil
	}
	return r, false, nil
}

// exceeds reports an amount above a limit, or that pre-processing said so (ours: it may only be stricter).
func (t *tap) exceeds(limit int64, indicator bool) bool { return t.term.minor > limit || indicator }

// aboveCVMLimit: the reader CVM required limit is exceeded.
func (t *tap) aboveCVMLimit() bool {
	return t.exceeds(t.k.CVMLimit, t.in.Indicators.CVMRequiredLimitExceeded)
}
