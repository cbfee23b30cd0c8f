package card

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"slices"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// ChipData is what every American Express, JCB and Discover card of ours is
// personalised with. It prints as "[secret]".
type ChipData struct {
	AID           []byte
	Label         string
	PreferredName string // 9F12, with 9F11 01; "" leaves both out
	Language      string // 5F2D; "" leaves it out
	Priority      byte
	KernelID      []byte // 9F2A of the directory entry; nil leaves it out
	AIP           [2]byte
	PDOL          []byte
	Records       []Record
	Key           *oda.PrivateKey // ICC key
	UDK           pay.Secret      // card key of the cryptogram (cryptogram.CCD)
	KeyIndex      byte            // derivation key index in 9F10
}

// Format keeps card data out of every verb.
func (ChipData) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// check reports what can not be personalised. Errors: ErrData.
func (d *ChipData) check(state State, lists ...[]byte) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrData, why) }
	switch {
	case len(d.AID) < 5 || len(d.AID) > 16:
		return bad("AID is not 5 to 16 bytes")
	case d.Key == nil || d.UDK.Len() == 0:
		return bad("a key is missing")
	case len(d.Key.Public().Modulus) > maxICCKey:
		return bad("ICC key is longer than 1024 bits")
	case len(d.Records) == 0 || len(d.Records) > MaxRecords:
		return bad("number of records")
	case state == nil:
		return bad("state is missing")
	}
	for _, list := range append(lists, d.PDOL) {
		if _, err := dol.Size(list); err != nil || len(list) == 0 {
			return bad("a data object list is missing or can't be read")
		}
	}
	for _, r := range d.Records {
		if r.SFI < 1 || r.SFI > 30 || r.Number == 0 || len(r.Body) > maxRecordBody {
			return bad("record out of range")
		}
	}
	return nil
}

// application is what these cards do alike: selection, counting, records, cryptogram and signature.
type application struct {
	chip   ChipData
	state  State
	phase  phase
	atc    uint16
	pdol   []byte   // data of the GPO command
	values tlv.List // what the terminal told: PDOL data, then that of GENERATE AC
}

// Format keeps card data out of every verb.
func (a *application) Format(f fmt.State, verb rune) { a.chip.Format(f, verb) }

// ATR is the answer to reset, in the form of PC/SC part 3 for contactless cards.
func (a *application) ATR() []byte { return atr("HUIKADEM") }

// Reset ends the session: nothing is selected. What the card keeps between sessions stays.
func (a *application) Reset() { a.phase, a.pdol, a.values = phaseReset, nil, nil }

// transmit answers one command through handle. The answer always has a status word.
func transmit(command []byte, handle func(apdu.Command) ([]byte, uint16)) []byte {
	cmd, err := apdu.ParseCommand(command)
	if err != nil {
		return answer(nil, apdu.SWWrongLength)
	}
	body, sw := handle(cmd)
	if sw == apdu.SWOK && cmd.Le >= 0 && cmd.Le < len(body) {
		return answer(nil, 0x6C00|uint16(len(body)&0xFF))
	}
	return answer(body, sw)
}

// instruction is one command that a card knows: its class and what answers it.
type instruction struct {
	class byte
	f     func(apdu.Command) ([]byte, uint16)
}

// dispatch answers SELECT and READ RECORD, and what own has.
func (a *application) dispatch(cmd apdu.Command, own map[byte]instruction) ([]byte, uint16) {
	i, ok := own[cmd.INS]
	switch cmd.INS {
	case apdu.InsSelect:
		i, ok = instruction{0x00, a.selectFile}, true
	case apdu.InsReadRecord:
		i, ok = instruction{0x00, a.readRecord}, true
	}
	switch {
	case !ok:
		return nil, apdu.SWUnknownINS
	case cmd.CLA != i.class:
		return nil, apdu.SWUnknownCLA
	}
	return i.f(cmd)
}

// selectFile answers SELECT by name: the directory, or the application by its
// whole AID or the beginning of it (EMV Book 1, 12.3).
func (a *application) selectFile(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0x04 || (cmd.P2 != 0x00 && cmd.P2 != 0x02) {
		return nil, apdu.SWWrongP1P2
	}
	if len(cmd.Data) == 0 || len(cmd.Data) > 16 {
		return nil, apdu.SWWrongLength
	}
	a.Reset()
	first := cmd.P2 == 0x00
	switch {
	case first && string(cmd.Data) == PPSE:
		a.phase = phaseDirectory
		return a.directory(), apdu.SWOK
	case first && len(cmd.Data) >= 5 && bytes.HasPrefix(a.chip.AID, cmd.Data):
		a.phase = phaseSelected
		return a.fci(), apdu.SWOK
	}
	return nil, apdu.SWFileNotFound
}

// directory is the FCI of the PPSE with one directory entry (Book B, 3.3.2).
func (a *application) directory() []byte {
	entry := tlv.Append(nil, tag.AID, a.chip.AID)
	entry = tlv.Append(entry, tag.ApplicationLabel, []byte(a.chip.Label))
	entry = tlv.Append(entry, tag.ApplicationPriority, []byte{a.chip.Priority})
	if a.chip.KernelID != nil {
		entry = tlv.Append(entry, tag.KernelID, a.chip.KernelID)
	}
	list := tlv.Append(nil, tag.DirectoryDiscretionary, tlv.Append(nil, tag.ApplicationTemplate, entry))
	fci := tlv.Append(nil, tag.DFName, []byte(PPSE))
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(fci, tag.FCIProprietary, list))
}

// fci is the FCI of the application (EMV Book 1, 11.3.4).
func (a *application) fci() []byte {
	p := tlv.Append(nil, tag.ApplicationLabel, []byte(a.chip.Label))
	p = tlv.Append(p, tag.ApplicationPriority, []byte{a.chip.Priority})
	p = tlv.Append(p, tag.PDOL, a.chip.PDOL)
	if a.chip.Language != "" {
		p = tlv.Append(p, tag.LanguagePreference, []byte(a.chip.Language))
	}
	if a.chip.PreferredName != "" {
		p = tlv.Append(p, tag.IssuerCodeTable, []byte{0x01})
		p = tlv.Append(p, tag.PreferredName, []byte(a.chip.PreferredName))
	}
	f := tlv.Append(nil, tag.DFName, a.chip.AID)
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(f, tag.FCIProprietary, p))
}

// readRecord answers READ RECORD after a GPO.
func (a *application) readRecord(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P2&0x07 != 0x04 || cmd.P1 == 0 || cmd.P2>>3 == 0 {
		return nil, apdu.SWWrongP1P2
	}
	if len(cmd.Data) > 0 {
		return nil, apdu.SWWrongLength
	}
	if a.phase != phaseReady {
		return nil, apdu.SWConditions
	}
	sw := apdu.SWFileNotFound
	for _, r := range a.chip.Records {
		if r.SFI != cmd.P2>>3 {
			continue
		}
		if r.Number == cmd.P1 {
			return tlv.Append(nil, tag.RecordTemplate, r.Body), apdu.SWOK
		}
		sw = apdu.SWRecordNotFound
	}
	return nil, sw
}

// takePDOL takes the data of a GPO command apart.
func (a *application) takePDOL(cmd apdu.Command) uint16 {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return apdu.SWWrongP1P2
	}
	if a.phase != phaseSelected {
		return apdu.SWConditions
	}
	r := tlv.NewReader(cmd.Data)
	if !r.Next() || r.TLV().Tag != tag.CommandTemplate {
		return apdu.SWWrongData
	}
	value := r.TLV().Value
	if r.Next() || r.Err() != nil {
		return apdu.SWWrongData
	}
	a.pdol, a.values = slices.Clone(value), nil
	if !a.take(a.chip.PDOL, a.pdol) {
		return apdu.SWWrongLength
	}
	return apdu.SWOK
}

// take keeps what the terminal told by a list. False: the data are not of its length.
func (a *application) take(list, data []byte) bool {
	return dol.Split(list, data, func(g tlv.Tag, v []byte) error {
		a.values = slices.DeleteFunc(a.values, func(o tlv.TLV) bool { return o.Tag == g })
		a.values = append(a.values, tlv.TLV{Tag: g, Value: v})
		return nil
	}) == nil
}

// told is what the terminal told of a tag; it has n bytes, zeros where nothing was told.
func (a *application) told(g tlv.Tag, n int) []byte {
	if v, ok := a.values.Find(g); ok && len(v) == n {
		return v
	}
	return make([]byte, n)
}

// amount is 9F02 in minor units.
func (a *application) amount() (n int64) {
	for _, b := range a.told(tag.AmountAuthorised, 6) {
		n = n*100 + int64(b>>4)*10 + int64(b&15)
	}
	return n
}

// count takes the next counter value and makes it durable before anything made under it leaves.
func (a *application) count() bool {
	n, err := a.state.Load()
	if err != nil || n.ATC == 0xFFFF {
		return false
	}
	n.ATC++
	a.atc = n.ATC
	return a.state.Save(n) == nil
}

func (a *application) counter() []byte { return []byte{byte(a.atc >> 8), byte(a.atc)} }

// afl names the records one by one.
func (a *application) afl() []byte {
	var afl []byte
	for _, r := range a.chip.Records {
		signed := byte(0)
		if r.Signed {
			signed = 1
		}
		afl = append(afl, r.SFI<<3, r.Number, r.Number, signed)
	}
	return afl
}

// cryptogram is the card's over what the terminal told, AIP, counter and iad.
func (a *application) cryptogram(iad []byte) ([8]byte, bool) {
	data, err := cryptogram.CCDData(func(g tlv.Tag) ([]byte, bool) {
		switch g {
		case tag.AIP:
			return a.chip.AIP[:], true
		case tag.ATC:
			return a.counter(), true
		case tag.IAD:
			return iad, true
		}
		return a.values.Find(g)
	})
	if err != nil {
		return [8]byte{}, false
	}
	key, err := cryptogram.CCD.SessionKey(a.chip.UDK, a.atc)
	if err != nil {
		return [8]byte{}, false
	}
	defer key.Wipe()
	ac, err := cryptogram.CCD.MAC(key, data)
	return ac, err == nil
}

// sign adds the combined signature (EMV Book 2, 6.6.1) to the objects of a
// response: the ICC dynamic number is the counter; cdol are the data of GENERATE AC where that is what is answered.
func (a *application) sign(body []byte, kind cryptogram.Type, ac [8]byte, cdol []byte) ([]byte, bool) {
	hash := sha1.Sum(slices.Concat(a.pdol, cdol, body))
	dynamic := slices.Concat([]byte{2}, a.counter(), []byte{kind.CID()}, ac[:], hash[:])
	signed, err := oda.SignDynamic(a.chip.Key, oda.FormatDDA, dynamic, a.told(tag.UN, 4))
	if err != nil {
		return nil, false
	}
	return tlv.Append(body, tag.SDAD, signed), true
}

// firstAC takes a first GENERATE AC apart: the type that is asked for, and whether it is to be signed.
func (a *application) firstAC(cmd apdu.Command, list []byte) (asked cryptogram.Type, sign bool, sw uint16) {
	if cmd.P2 != 0 || cmd.P1&^(rcpType|rcpCDA) != 0 || cmd.P1&rcpType == rcpType {
		return 0, false, apdu.SWWrongP1P2
	}
	if a.phase != phaseReady {
		return 0, false, apdu.SWConditions
	}
	if !a.take(list, slices.Clone(cmd.Data)) {
		return 0, false, apdu.SWWrongLength
	}
	return cryptogram.Type(cmd.P1 & rcpType >> 2), cmd.P1&rcpCDA != 0, apdu.SWOK
}

// decide is card risk management: never more than was asked for, offline up to the card's own limit.
func (a *application) decide(asked cryptogram.Type, offlineLimit int64) cryptogram.Type {
	switch {
	case asked == cryptogram.AAC, asked == cryptogram.TC && a.amount() <= offlineLimit:
		return asked
	}
	return cryptogram.ARQC
}

// generated makes the objects of the GENERATE AC response in format 2: type, counter, IAD and what
// is more, then the cryptogram, signed where sign.
func (a *application) generated(kind cryptogram.Type, cvr cryptogram.CCDCVR, more tlv.List, sign bool, cdol []byte) (body []byte, ac [8]byte, ok bool) {
	if sign = sign && kind != cryptogram.AAC; sign {
		cvr = cvr.WithCDA()
	}
	iad := cryptogram.CCDIAD{KeyIndex: a.chip.KeyIndex, CVR: cvr}.Append(nil)
	if ac, ok = a.cryptogram(iad); !ok {
		return nil, ac, false
	}
	body = tlv.Append(nil, tag.CID, []byte{kind.CID()})
	body = tlv.Append(body, tag.ATC, a.counter())
	body = tlv.Append(body, tag.IAD, iad)
	for _, o := range more {
		body = tlv.Append(body, o.Tag, o.Value)
	}
	if sign {
		body, ok = a.sign(body, kind, ac, cdol)
		return body, ac, ok
	}
	return tlv.Append(body, tag.ApplicationCryptogram, ac[:]), ac, true
}
