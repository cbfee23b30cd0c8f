package card

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"huika/emv/apdu"
	"huika/emv/bdh"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// C8Data is what a card for kernel 8 is personalised with (public descriptions of
// Books C-8 and E). It prints as "[secret]".
type C8Data struct {
	AID           []byte
	Label         string
	PreferredName string // 9F12, with 9F11 01; "" leaves both out
	Language      string
	Priority      byte
	KernelID      []byte // 9F2A of the directory entry
	AIP           [2]byte
	PDOL          []byte // asks for 9E, and for 9F2B
	CDOL1         []byte // given in the GPO response; asks for 95, 9A, 9F02, 9F37, 9F1D
	Records       []C8Record
	SDAHash       [oda.ECSize]byte // over the signed records, CDOL1 and the AIP; it stands in the certificate
	Key           *oda.ECPrivateKey
	CardKey       pay.Secret // of the cryptogram, AES
	Version       cryptogram.AES
	KeyIndex      byte
	FieldOff      bool // the card notices when the field goes off (9F2C)

	Relay     *RelayTiming // nil: no relay resistance protocol
	Policy    C8Policy
	Envelopes map[tlv.Tag][]byte // data envelopes, 9F8111 to 9F811A; these may be read and written
}

// C8Record is a record that may be enciphered on its way: what names the card or its holder is.
type C8Record struct {
	Record
	Private bool
}

// C8Policy are choices of the issuer, and for a device what its holder did.
type C8Policy struct {
	Device       bool  // a phone or watch
	Verified     bool  // its holder unlocked it
	OfflineLimit int64 // the largest amount (minor units) that the card approves offline; 0: none
	PINAlways    bool  // asks for the online PIN at any amount
	Signature    bool  // takes a signature where there is no PIN pad
	Expiry       [3]byte
}

// Format keeps card data out of every verb.
func (C8Data) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

const maxC8Envelope = 160 // bytes: with MAC and object around it, it fits a response

// C8 is a software card for kernel 8. It is used by one task at a time. Data
// envelopes live as long as the program; the transaction counter is in the State.
type C8 struct {
	data  C8Data
	state State
	rand  io.Reader

	phase   phase
	atc     uint16
	pdol    []byte // data of the GPO command
	channel *bdh.Channel
	relay   [14]byte // entropy of the terminal, of the card, times
	relayed int      // how many exchanges
	done    bool     // the cryptogram of this transaction is made
	writing bool     // WRITE DATA may follow
}

// NewC8 makes a card. rand gives its unpredictable numbers and blinding factors. Errors: ErrData.
func NewC8(data C8Data, state State, rand io.Reader) (*C8, error) {
	bad := func(why string) (*C8, error) { return nil, fmt.Errorf("%w: %s", ErrData, why) }
	switch {
	case len(data.AID) < 5 || len(data.AID) > 16:
		return bad("AID is not 5 to 16 bytes")
	case data.Key == nil || data.CardKey.Len() == 0:
		return bad("a key is missing")
	case !data.Version.Known():
		return bad("cryptogram version")
	case len(data.Records) == 0 || len(data.Records) > MaxRecords:
		return bad("number of records")
	case !asksFor(data.PDOL, tag.KernelKeyData):
		return bad("PDOL does not ask for 9E")
	case !asksFor(data.CDOL1, tag.RiskManagementData) || !asksFor(data.CDOL1, tag.TVR) || !asksFor(data.CDOL1, tag.TransactionDate):
		return bad("CDOL1 does not ask for 9F1D, 95 or 9A")
	case state == nil || rand == nil:
		return bad("state or random source is missing")
	}
	for _, r := range data.Records {
		if r.SFI < 1 || r.SFI > 30 || r.Number == 0 || len(r.Body) > maxRecordBody {
			return bad("record out of range")
		}
	}
	envelopes := map[tlv.Tag][]byte{}
	for g, v := range data.Envelopes {
		if g < tag.DataEnvelope1 || g > tag.DataEnvelope10 || len(v) > maxC8Envelope {
			return bad("data envelope out of range")
		}
		envelopes[g] = slices.Clone(v)
	}
	data.Envelopes = envelopes
	return &C8{data: data, state: state, rand: rand}, nil
}

// asksFor reports a well-formed list with the tag in it.
func asksFor(list []byte, want tlv.Tag) bool {
	entries, err := dol.Parse(list)
	return err == nil && slices.ContainsFunc(entries, func(e dol.Entry) bool { return e.Tag == want })
}

// Format keeps card data out of every verb.
func (c *C8) Format(f fmt.State, verb rune) { c.data.Format(f, verb) }

// ATR is the answer to reset, in the form of PC/SC part 3 for contactless cards.
func (c *C8) ATR() []byte { return atr("HUIKADEM") }

// Reset ends the session: nothing is selected, the channel is gone. Counter and envelopes stay.
func (c *C8) Reset() {
	c.phase, c.pdol, c.channel, c.relayed, c.done, c.writing = phaseReset, nil, nil, 0, false, false
}

// Transmit answers one command. The answer always has a status word.
func (c *C8) Transmit(command []byte) []byte {
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

func (c *C8) handle(cmd apdu.Command) ([]byte, uint16) {
	want := byte(0x80) // CLA
	var f func(apdu.Command) ([]byte, uint16)
	switch cmd.INS {
	case apdu.InsSelect:
		want, f = 0x00, c.selectFile
	case apdu.InsReadRecord:
		want, f = 0x00, c.readRecord
	case apdu.InsReadData:
		want, f = 0x84, c.readData
	case apdu.InsWriteData:
		want, f = 0x84, c.writeData
	case apdu.InsGPO:
		f = c.options
	case apdu.InsExchangeRRD:
		f = c.exchangeRelay
	case apdu.InsGenerateAC:
		f = c.generateAC
	default:
		return nil, apdu.SWUnknownINS
	}
	if cmd.CLA != want {
		return nil, apdu.SWUnknownCLA
	}
	return f(cmd)
}

// selectFile answers SELECT by name: the directory, or the application.
func (c *C8) selectFile(cmd apdu.Command) ([]byte, uint16) {
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

func (c *C8) directory() []byte {
	entry := tlv.Append(nil, tag.AID, c.data.AID)
	entry = tlv.Append(entry, tag.ApplicationLabel, []byte(c.data.Label))
	entry = tlv.Append(entry, tag.ApplicationPriority, []byte{c.data.Priority})
	entry = tlv.Append(entry, tag.KernelID, c.data.KernelID)
	list := tlv.Append(nil, tag.DirectoryDiscretionary, tlv.Append(nil, tag.ApplicationTemplate, entry))
	fci := tlv.Append(nil, tag.DFName, []byte(PPSE))
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(fci, tag.FCIProprietary, list))
}

// fci is the FCI of the application. The card qualifier says version 1, one
// algorithm suite for the channel (P-256 and AES-128), and whether field off is noticed.
func (c *C8) fci() []byte {
	qualifier := []byte{0x01, 0x00, 0xFF, 0xFF, 0x00, 0x00, 0x00}
	if c.data.FieldOff {
		qualifier[4] = 0x80
	}
	p := tlv.Append(nil, tag.ApplicationLabel, []byte(c.data.Label))
	p = tlv.Append(p, tag.ApplicationPriority, []byte{c.data.Priority})
	p = tlv.Append(p, tag.PDOL, c.data.PDOL)
	if c.data.Language != "" {
		p = tlv.Append(p, tag.LanguagePreference, []byte(c.data.Language))
	}
	if c.data.PreferredName != "" {
		p = tlv.Append(p, tag.IssuerCodeTable, []byte{0x01})
		p = tlv.Append(p, tag.PreferredName, []byte(c.data.PreferredName))
	}
	p = tlv.Append(p, tag.DirectoryDiscretionary, tlv.Append(nil, tag.CardQualifier, qualifier))
	f := tlv.Append(nil, tag.DFName, c.data.AID)
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(f, tag.FCIProprietary, p))
}

// options answers GET PROCESSING OPTIONS: it opens the channel. The counter is
// durable before anything made under it leaves.
func (c *C8) options(cmd apdu.Command) ([]byte, uint16) {
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
	var key []byte
	err := dol.Split(c.data.PDOL, value, func(g tlv.Tag, v []byte) error {
		if g == tag.KernelKeyData {
			key = v
		}
		return nil
	})
	if err != nil {
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
	data, channel, err := bdh.Respond(c.rand, c.data.Key, key)
	if err != nil {
		return nil, apdu.SWConditions // a terminal of another kernel sends no key, or zeros
	}
	c.atc, c.pdol, c.channel, c.phase = n.ATC, slices.Clone(value), channel, phaseReady
	body := tlv.Append(nil, tag.AIP, c.data.AIP[:])
	body = tlv.Append(body, tag.AFL, c.afl())
	body = tlv.Append(body, tag.CardKeyData, data[:])
	body = tlv.Append(body, tag.CDOL1, c.data.CDOL1)
	return tlv.Append(nil, tag.ResponseFormat2, body), apdu.SWOK
}

// afl names the records one by one.
func (c *C8) afl() []byte {
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

// readRecord answers READ RECORD after a GPO. Every enciphered answer is a message of its own.
func (c *C8) readRecord(cmd apdu.Command) ([]byte, uint16) {
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
		if r.Number != cmd.P1 {
			sw = apdu.SWRecordNotFound
			continue
		}
		if !r.Private {
			return tlv.Append(nil, tag.RecordTemplate, r.Body), apdu.SWOK
		}
		body := make([]byte, len(r.Body))
		if err := c.channel.FromCard(body, r.Body); err != nil {
			return nil, apdu.SWConditions
		}
		return tlv.Append(nil, tag.EncryptedRecord, body), apdu.SWOK
	}
	return nil, sw
}

// exchangeRelay answers EXCHANGE RELAY RESISTANCE DATA: entropy ‖ min ‖ max ‖ estimated transmission time.
func (c *C8) exchangeRelay(cmd apdu.Command) ([]byte, uint16) {
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

// readData answers READ DATA: a data envelope, enciphered, with its MAC.
func (c *C8) readData(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseReady {
		return nil, apdu.SWConditions
	}
	g, n, err := tlv.ParseTag(cmd.Data)
	if err != nil || n != len(cmd.Data) {
		return nil, apdu.SWWrongLength
	}
	v, there := c.data.Envelopes[g]
	if !there {
		return nil, apdu.SWDataNotFound
	}
	sealed, err := c.channel.SealData(tlv.Append(nil, g, v))
	if err != nil {
		return nil, apdu.SWConditions
	}
	return sealed, apdu.SWOK
}

// writeData answers WRITE DATA after a GENERATE AC that announced it.
func (c *C8) writeData(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0 || cmd.P2&^moreCommands != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if c.phase != phaseEnded || !c.writing {
		return nil, apdu.SWConditions
	}
	c.writing = cmd.P2 == moreCommands
	plain := make([]byte, len(cmd.Data))
	if err := c.channel.FromKernel(plain, cmd.Data); err != nil {
		return nil, apdu.SWConditions
	}
	list, err := tlv.Parse(plain)
	if err != nil || len(list) != 1 {
		return nil, apdu.SWWrongData
	}
	o := list[0]
	if _, there := c.data.Envelopes[o.Tag]; !there || len(o.Value) > maxC8Envelope {
		return nil, apdu.SWDataNotFound
	}
	c.data.Envelopes[o.Tag] = o.Value
	receipt, err := c.channel.Receipt(plain)
	if err != nil {
		return nil, apdu.SWConditions
	}
	return receipt[:], apdu.SWOK
}

// moreCommands in P2 of GENERATE AC and WRITE DATA: a WRITE DATA follows.
const moreCommands = 0x80
