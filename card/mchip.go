package card

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// MChipData is what a Mastercard card, phone or watch is personalised with (M/Chip,
// public descriptions of it and of Book C-2). It prints as "[secret]".
type MChipData struct {
	AID           []byte
	Label         string
	PreferredName string // 9F12, with 9F11 01; "" leaves both out
	Language      string
	Priority      byte
	KernelID      []byte // 9F2A of the directory entry; nil leaves it out
	AIP           [2]byte
	PDOL          []byte // nil: none
	// Records are the card's files. Where the first is file 1, record 1 and not
	// signed it holds the data of mag-stripe mode, and kernels in EMV mode skip it.
	Records  []Record
	CDOL1    []byte // as it stands in a record
	DRDOL    []byte // as it stands in a record; nil: no RECOVER AC
	Key      *oda.PrivateKey
	UDK      pay.Secret // card key of the cryptogram
	Version  cryptogram.MChip
	KeyIndex byte
	Counters int // bytes of counters in 9F10: 0, 8 or 16

	CVC3Key pay.Secret // zero: no mag-stripe mode
	IV1     [2]byte    // IVCVC3 of track 1 and 2
	IV2     [2]byte
	Track1  bool // answers CVC3 for track 1 too

	Relay   *RelayTiming // nil: no relay resistance protocol
	Policy  MChipPolicy
	Storage *StorageData // nil: no integrated data storage
	Balance *[6]byte     // 9F50, BCD; nil: none
}

// MChipPolicy are choices of the issuer, and for a device what its holder did.
type MChipPolicy struct {
	Device       bool  // a phone or watch: it answers DF4B
	Verified     bool  // its holder unlocked it
	OfflineLimit int64 // the largest amount (minor units) that the card approves offline; 0: none
}

// RelayTiming is what a card says about its times, in 0.1 ms: the shortest and longest
// that it needs for EXCHANGE RELAY RESISTANCE DATA, and its estimate of the answer's way.
type RelayTiming struct{ Min, Max, Reply uint16 }

// StorageData is integrated data storage, version 1: one slot for one operator.
type StorageData struct {
	ID []byte // 9F5E: PAN ‖ PSN
}

// Format keeps card data out of every verb.
func (MChipData) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// PCII, DF4B: what a device says about its holder. Byte 2, bit 5: verified.
var (
	pciiVerified = []byte{0x00, 0x10, 0x00}
	pciiSeePhone = []byte{0x00, 0x01, 0x00} // one of the bits that ask for another presentation
)

// Tags of M/Chip that emv/tag's names do not have.
const (
	tagPCII        tlv.Tag = 0xDF4B
	tagCVC3Track1  tlv.Tag = 0x9F60
	tagCVC3Track2  tlv.Tag = 0x9F61
	tagBalance     tlv.Tag = 0x9F50
	tagDSID        tlv.Tag = 0x9F5E
	tagCapability  tlv.Tag = 0x9F5D
	tagOperator    tlv.Tag = 0x9F5C
	tagSlots       tlv.Tag = 0x9F5F
	tagSlotControl tlv.Tag = 0x9F6F
	tagSummary1    tlv.Tag = 0x9F7D
	tagDSUN        tlv.Tag = 0x9F7F
	tagODS         tlv.Tag = 0x9F54
)

const (
	maxRelay     = 3 // EXCHANGE RELAY RESISTANCE DATA commands of a transaction
	maxEnvelopes = 5 // unprotected data envelopes, 9F75 to 9F79
	maxEnvelope  = 192
	maxMChipKey  = 128 // bytes: the signature must fit the response beside the rest
)

// MChip is a software Mastercard card. It is used by one task at a time. What
// must outlive the field (the last cryptogram, envelopes, storage) lives as
// long as the program; the transaction counter is in the State.
type MChip struct {
	data  MChipData
	state State
	rand  io.Reader

	phase    phase
	atc      uint16
	pdol     []byte     // data of the GPO command
	relay    [14]byte   // entropy of the terminal, of the card, times
	relayed  int        // how many exchanges
	done     bool       // the cryptogram of this transaction is made
	torn     []byte     // response of the last GENERATE AC
	tornData []byte     // what DRDOL asked for then
	envelope [5][]byte  // 9F75 to 9F79
	slot     storedSlot // integrated data storage
	using    bool       // this transaction uses it
}

// NewMChip makes a card. rand gives its unpredictable numbers. Errors: ErrData.
func NewMChip(data MChipData, state State, rand io.Reader) (*MChip, error) {
	bad := func(why string) (*MChip, error) { return nil, fmt.Errorf("%w: %s", ErrData, why) }
	switch {
	case len(data.AID) < 5 || len(data.AID) > 16:
		return bad("AID is not 5 to 16 bytes")
	case data.Key == nil || data.UDK.Len() == 0:
		return bad("a key is missing")
	case len(data.Key.Public().Modulus) > maxMChipKey:
		return bad("ICC key is longer than 1024 bits")
	case !data.Version.Known():
		return bad("cryptogram version")
	case data.Counters != 0 && data.Counters != 8 && data.Counters != 16:
		return bad("counters")
	case len(data.Records) == 0 || len(data.Records) > MaxRecords:
		return bad("number of records")
	case state == nil || rand == nil:
		return bad("state or random source is missing")
	}
	for _, list := range [][]byte{data.CDOL1, data.DRDOL, data.PDOL} {
		if _, err := dol.Size(list); err != nil {
			return bad("a data object list can't be read")
		}
	}
	if len(data.CDOL1) == 0 {
		return bad("CDOL1 is missing")
	}
	for _, r := range data.Records {
		if r.SFI < 1 || r.SFI > 30 || r.Number == 0 || len(r.Body) > maxRecordBody {
			return bad("record out of range")
		}
	}
	return &MChip{data: data, state: state, rand: rand}, nil
}

// Format keeps card data out of every verb.
func (c *MChip) Format(f fmt.State, verb rune) { c.data.Format(f, verb) }

// ATR is the answer to reset, in the form of PC/SC part 3 for contactless cards.
func (c *MChip) ATR() []byte { return atr("HUIKADEM") }

// Reset ends the session: nothing is selected. Counter, the last cryptogram and what was stored stay.
func (c *MChip) Reset() {
	c.phase, c.pdol, c.relayed, c.done, c.using = phaseReset, nil, 0, false, false
}

// Transmit answers one command. The answer always has a status word.
func (c *MChip) Transmit(command []byte) []byte {
	cmd, err := apdu.ParseCommand(command)
	if err != nil {
		return answer(nil, apdu.SWWrongLength)
	}
	body, sw := c.handle(cmd)
	if sw == apdu.SWOK && cmd.Le >= 0 && cmd.Le < len(body) {
		return answer(nil, 0x6C00|uint16(len(body)&0xFF))
	}
	return answer(body, sw)
}

func (c *MChip) handle(cmd apdu.Command) ([]byte, uint16) {
	want := byte(0x80) // CLA
	var f func(apdu.Command) ([]byte, uint16)
	switch cmd.INS {
	case apdu.InsSelect:
		want, f = 0x00, c.selectFile
	case apdu.InsReadRecord:
		want, f = 0x00, c.readRecord
	case apdu.InsGPO:
		f = c.options
	case apdu.InsGenerateAC:
		f = c.generateAC
	case apdu.InsRecoverAC:
		f = c.recoverAC
	case apdu.InsExchangeRRD:
		f = c.exchangeRelay
	case apdu.InsChecksum:
		f = c.checksum
	case apdu.InsGetData:
		f = c.getData
	case apdu.InsPutData:
		f = c.putData
	default:
		return nil, apdu.SWUnknownINS
	}
	if cmd.CLA != want {
		return nil, apdu.SWUnknownCLA
	}
	return f(cmd)
}

// selectFile answers SELECT by name: the directory, or the application.
func (c *MChip) selectFile(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0x04 || (cmd.P2 != 0x00 && cmd.P2 != 0x02) {
		return nil, apdu.SWWrongP1P2
	}
	if len(cmd.Data) == 0 || len(cmd.Data) > 16 {
		return nil, apdu.SWWrongLength
	}
	c.Reset()
	first := cmd.P2 == 0x00
	switch {
	case first && string(cmd.Data) == PPSE:
		c.phase = phaseDirectory
		return c.directory(), apdu.SWOK
	case first && len(cmd.Data) >= 5 && len(cmd.Data) <= len(c.data.AID) && bytes.HasPrefix(c.data.AID, cmd.Data):
		c.phase = phaseSelected
		return c.fci(), apdu.SWOK
	}
	return nil, apdu.SWFileNotFound
}

func (c *MChip) directory() []byte {
	entry := tlv.Append(nil, tag.AID, c.data.AID)
	entry = tlv.Append(entry, tag.ApplicationLabel, []byte(c.data.Label))
	entry = tlv.Append(entry, tag.ApplicationPriority, []byte{c.data.Priority})
	if c.data.KernelID != nil {
		entry = tlv.Append(entry, tag.KernelID, c.data.KernelID)
	}
	list := tlv.Append(nil, tag.DirectoryDiscretionary, tlv.Append(nil, tag.ApplicationTemplate, entry))
	fci := tlv.Append(nil, tag.DFName, []byte(PPSE))
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(fci, tag.FCIProprietary, list))
}

func (c *MChip) fci() []byte {
	p := tlv.Append(nil, tag.ApplicationLabel, []byte(c.data.Label))
	p = tlv.Append(p, tag.ApplicationPriority, []byte{c.data.Priority})
	if c.data.PDOL != nil {
		p = tlv.Append(p, tag.PDOL, c.data.PDOL)
	}
	if c.data.Language != "" {
		p = tlv.Append(p, tag.LanguagePreference, []byte(c.data.Language))
	}
	if c.data.PreferredName != "" {
		p = tlv.Append(p, tag.IssuerCodeTable, []byte{0x01})
		p = tlv.Append(p, tag.PreferredName, []byte(c.data.PreferredName))
	}
	if d := c.discretionary(); d != nil {
		p = tlv.Append(p, tag.DirectoryDiscretionary, d)
	}
	f := tlv.Append(nil, tag.DFName, c.data.AID)
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(f, tag.FCIProprietary, p))
}

// discretionary is BF0C: capabilities and the storage identifier.
func (c *MChip) discretionary() []byte {
	var capabilities [3]byte
	if c.data.Balance != nil {
		capabilities[1] |= 0x02 // balance reading
	}
	if c.data.Storage != nil {
		capabilities[0] |= 0x01 // data storage version 1
		return tlv.Append(tlv.Append(nil, tagCapability, capabilities[:]), tagDSID, c.data.Storage.ID)
	}
	if capabilities == [3]byte{} {
		return nil
	}
	return tlv.Append(nil, tagCapability, capabilities[:])
}

// readRecord answers READ RECORD after a GPO.
func (c *MChip) readRecord(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P2&0x07 != 0x04 || cmd.P1 == 0 || cmd.P2>>3 == 0 {
		return nil, apdu.SWWrongP1P2
	}
	if len(cmd.Data) > 0 {
		return nil, apdu.SWWrongLength
	}
	if c.phase != phaseReady {
		return nil, apdu.SWConditions
	}
	sw := apdu.SWFileNotFound
	for _, r := range c.data.Records {
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

// options answers GET PROCESSING OPTIONS. The counter is durable before anything made under it leaves.
func (c *MChip) options(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseSelected {
		return nil, apdu.SWConditions
	}
	r := tlv.NewReader(cmd.Data)
	if !r.Next() || r.TLV().Tag != tag.CommandTemplate {
		return nil, apdu.SWWrongData
	}
	value := r.TLV().Value
	if r.Next() || r.Err() != nil {
		return nil, apdu.SWWrongData
	}
	if size, err := dol.Size(c.data.PDOL); err != nil || size != len(value) {
		return nil, apdu.SWWrongLength
	}
	n, err := c.state.Load()
	if err != nil || n.ATC == 0xFFFF {
		return nil, apdu.SWConditions
	}
	n.ATC++
	if err := c.state.Save(n); err != nil {
		return nil, apdu.SWConditions
	}
	c.atc, c.pdol, c.phase = n.ATC, slices.Clone(value), phaseReady
	body := tlv.Append(nil, tag.AIP, c.data.AIP[:])
	body = tlv.Append(body, tag.AFL, c.afl())
	if body = c.slotObjects(body); body == nil {
		return nil, apdu.SWNoDiagnosis
	}
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// afl names the records one by one: the first of EMV mode must not share an entry with the mag-stripe record.
func (c *MChip) afl() []byte {
	var afl []byte
	for _, r := range c.data.Records {
		signed := byte(0)
		if r.Signed {
			signed = 1
		}
		afl = append(afl, r.SFI<<3, r.Number, r.Number, signed)
	}
	return afl
}

// exchangeRelay answers EXCHANGE RELAY RESISTANCE DATA: entropy ‖ min ‖ max ‖ estimated transmission time.
func (c *MChip) exchangeRelay(cmd apdu.Command) ([]byte, uint16) {
	t := c.data.Relay
	switch {
	case t == nil:
		return nil, apdu.SWUnknownINS
	case cmd.P1 != 0 || cmd.P2 != 0:
		return nil, apdu.SWWrongP1P2
	case len(cmd.Data) != 4:
		return nil, apdu.SWWrongLength
	case c.phase != phaseReady || c.done || c.relayed == maxRelay:
		return nil, apdu.SWConditions
	}
	copy(c.relay[:4], cmd.Data)
	if _, err := io.ReadFull(c.rand, c.relay[4:8]); err != nil {
		return nil, apdu.SWNoDiagnosis
	}
	for i, v := range [...]uint16{t.Min, t.Max, t.Reply} {
		c.relay[8+2*i], c.relay[9+2*i] = byte(v>>8), byte(v)
	}
	c.relayed++
	return tlv.Append(nil, tag.ResponseFormat1, c.relay[4:]), apdu.SWOK
}

// pcii is what a device says about its holder; nil for a card.
func (c *MChip) pcii() []byte {
	switch p := c.data.Policy; {
	case !p.Device:
		return nil
	case p.Verified:
		return pciiVerified
	}
	return pciiSeePhone
}

// getData answers GET DATA for the balance, the counter and the data envelopes.
func (c *MChip) getData(cmd apdu.Command) ([]byte, uint16) {
	if c.phase != phaseReady && c.phase != phaseEnded {
		return nil, apdu.SWConditions
	}
	g := tlv.Tag(cmd.P1)<<8 | tlv.Tag(cmd.P2)
	switch {
	case g == tagBalance && c.data.Balance != nil:
		return tlv.Append(nil, g, c.data.Balance[:]), apdu.SWOK
	case g == tag.ATC:
		return tlv.Append(nil, g, []byte{byte(c.atc >> 8), byte(c.atc)}), apdu.SWOK
	case g >= 0x9F75 && g < 0x9F75+maxEnvelopes && c.envelope[g-0x9F75] != nil:
		return tlv.Append(nil, g, c.envelope[g-0x9F75]), apdu.SWOK
	}
	return nil, apdu.SWDataNotFound
}

// putData writes an unprotected data envelope.
func (c *MChip) putData(cmd apdu.Command) ([]byte, uint16) {
	if c.phase != phaseReady && c.phase != phaseEnded {
		return nil, apdu.SWConditions
	}
	g := tlv.Tag(cmd.P1)<<8 | tlv.Tag(cmd.P2)
	if g < 0x9F75 || g >= 0x9F75+maxEnvelopes {
		return nil, apdu.SWDataNotFound
	}
	if len(cmd.Data) > maxEnvelope {
		return nil, apdu.SWWrongLength
	}
	c.envelope[g-0x9F75] = slices.Clone(cmd.Data)
	return nil, apdu.SWOK
}
