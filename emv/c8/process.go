package c8

import (
	"context"
	"errors"
	"fmt"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/bdh"
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
	arena []byte // copies of the responses; the store aliases it

	key     agreement
	channel *bdh.Channel
	blinded bdh.Blinded
	aip     [2]byte

	entropy       [4]byte // of the last EXCHANGE RELAY RESISTANCE DATA
	lastRelay     []byte  // its answer, ten bytes
	relayExcess   uint16  // 9F810C
	relayMeasured uint16
	relayed       bool

	static    []byte // records for local authentication
	staticBad bool
	extended  []byte // what the extended SDA tag list names, TLV
	cdolOwned bool   // CDOL1 is covered by local authentication, or the terminal's own

	pdolData, cdolData []byte
	decision           cryptogram
	rcp                cryptogram // reference control parameter of GENERATE AC
	acType             cryptogram
	response           []byte // contents of the GENERATE AC response
	iadMAC             [8]byte
	hasIADMAC          bool
	iad                []byte // 9F10 with the IAD-MAC in it
	oda                emv.ODA
	cvm                emv.CVM
	receipt            bool

	envelopes []byte // data envelopes that were read, TLV
	unread    bool   // read data status: not completed
	unwritten bool   // write data status: not completed
	fieldOff  bool   // the card says that it notices when the field goes off
	errors    errorIndication
}

// cryptogram is the type of an application cryptogram, as 9F27, the reference
// control parameter and the kernel decision code it.
type cryptogram byte

// Cryptogram types. As a decision: decline, accept, online.
const (
	aac  cryptogram = 0x00
	tc   cryptogram = 0x40
	arqc cryptogram = 0x80
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

// steps are the way of a tap. The last one always ends it.
var steps = []func(*tap) *result{
	(*tap).selected, (*tap).options, (*tap).relay, (*tap).read, (*tap).readData, (*tap).assess, (*tap).generate,
	(*tap).authenticate, (*tap).judge, (*tap).writeData, (*tap).decide,
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
	for _, step := range steps {
		if r := step(t); r != nil {
			return r.o, r.err
		}
	}
	return emv.Outcome{}, errors.New("kernel 8: no outcome")
}

// Algorithm suites (Book E, tables 8.3 and 8.4).
const (
	suiteP256   = 0x00 // secure channel: P-256, AES-128
	suiteECSDSA = 0x10 // certificates: EC-SDSA on P-256
	suiteNone   = 0xFF
)

// selected reads the FCI and makes the kernel's key (1.5 to 1.14, C.100 to C.103).
func (t *tap) selected() *result {
	if why := t.template(t.in.FCI, tag.FCITemplate); why != "" {
		t.errors.l2 = parsingError
		return t.selectNext("select", why) // 1.7
	}
	qualifier := t.card.value(tag.CardQualifier)
	if len(t.card.value(tag.DFName)) == 0 || len(qualifier) != 7 || qualifier[0] == 0 {
		t.errors.l2 = cardDataMissing
		return t.selectNext("select", "84 or 9F2C is missing") // 1.8
	}
	t.fieldOff = qualifier[4]&0x80 != 0 // 1.11
	if qualifier[1] != suiteP256 && qualifier[2] != suiteP256 && qualifier[3] != suiteP256 {
		return t.invalid(cardDataError, "select", "the card has no algorithm suite for the channel that the kernel has") // C.101
	}
	key, err := t.newKey()
	if err != nil {
		return &result{err: fmt.Errorf("kernel 8: key: %w", err)}
	}
	t.key, t.term.keyData = key, key.Public()
	// Kernel qualifier: version, options, suite of the channel, suites of
	// certificates, RFU. A card whose PDOL asks for fewer than eight bytes gets the first (EMV Book 3, 5.4).
	t.term.qualifier = [8]byte{0x02, 0x00, suiteP256, suiteECSDSA, suiteNone, suiteNone}
	if t.k.Security&LocalAuthentication != 0 {
		t.term.qualifier[1] = 0x80
	}
	t.term.tvr[4] = tvr5Kernel8 // 1.13
	if t.pdolData, err = dol.Build(nil, t.card.value(tag.PDOL), t.value); err != nil {
		t.errors.l2 = parsingError
		return t.selectNext("select", "PDOL can't be read")
	}
	return nil
}

func (t *tap) newKey() (agreement, error) {
	if t.k.agree != nil {
		return t.k.agree(t.in.Rand)
	}
	return bdh.NewKernelKey(t.in.Rand)
}

// options sends GET PROCESSING OPTIONS and opens the channel (2.15 to 2.21, 20.10 to 20.21, C.11).
func (t *tap) options() *result {
	r, lost, err := t.send(apdu.GPO(t.pdolData))
	switch {
	case err != nil:
		return &result{err: err}
	case lost:
		t.errors.l1 = true
		return t.end(t.tryAgain("gpo"))
	case !r.OK():
		t.errors.l2, t.errors.sw = statusBytes, r.SW
		return t.selectNext("gpo", "the card refused GET PROCESSING OPTIONS") // 20.12
	}
	if why := t.template(r.Data, tag.ResponseFormat2); why != "" {
		return t.invalid(parsingError, "gpo", why) // 20.14
	}
	aip, keyData := t.card.value(tag.AIP), t.card.value(tag.CardKeyData)
	if len(aip) == 0 || len(t.card.value(tag.AFL)) == 0 || len(keyData) == 0 || (len(t.card.value(tag.CDOL1)) == 0 && len(t.k.CDOL1) == 0) {
		return t.invalid(cardDataMissing, "gpo", "82, 94, 9F8103 or CDOL1 is missing") // 20.18
	}
	t.aip = [2]byte(aip)
	t.cdolOwned = len(t.card.value(tag.CDOL1)) == 0
	if t.channel, t.blinded, err = t.key.Open(keyData); err != nil {
		return t.invalid(decryptionFailed, "gpo", "the card key data are no point of the curve") // 22.51
	}
	return nil
}

// cdol1 is the card's list, or the terminal's default where it has none (20.20, 20.21).
func (t *tap) cdol1() []byte {
	if v := t.card.value(tag.CDOL1); len(v) > 0 {
		return v
	}
	return t.k.CDOL1
}

// send exchanges one command. lost says that the card left the field.
func (t *tap) send(command []byte) (r apdu.Response, lost bool, err error) {
	b, err := t.to.Transmit(t.ctx, command)
	return t.received(b, err)
}

// received copies a response into the arena: a Transceiver may use its buffer again.
func (t *tap) received(b []byte, err error) (r apdu.Response, lost bool, _ error) {
	if errors.Is(err, emv.ErrCardLost) {
		return apdu.Response{}, true, nil
	}
	if err != nil {
		return apdu.Response{}, false, err
	}
	if r, err = apdu.ParseResponse(b); err != nil {
		return apdu.Response{}, true, nil // no status word: the frame is broken
	}
	at := len(t.arena)
	t.arena = append(t.arena, r.Data...)
	r.Data = t.arena[at:len(t.arena):len(t.arena)]
	return r, false, nil
}
