// Package card is the other half of a tap: software payment cards, phones and
// watches that answer command APDUs as a UnionPay QuickPass card does, and a
// few things that are no payment cards. Keys, certificates and account data are
// handed in (package card/perso personalises them); the transaction counter is
// kept in a State, so that it survives the program.
//
// A card decides nothing that is the terminal's: it answers SELECT, GET
// PROCESSING OPTIONS and READ RECORD, states its wishes in the CTQ, makes its
// cryptogram (emv/cryptogram) and signs (emv/oda). A card of PBOC 3.0 has SM2 and
// SM4 beside RSA and triple DES, or alone, and chooses them where the terminal says
// that it has them too. It stands for cards in the
// demo and in tests; it protects its keys from nobody who can read its memory.
//
// Source: public descriptions of UnionPay QuickPass and PBOC 3.0.
package card

import (
	"errors"
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

// Bounds of personalisation.
const (
	MaxRecords    = 16
	maxRecordBody = 250 // with the 70 template around it a record fits one response
	maxICCKey     = 128 // bytes: the signature must fit the GPO response beside the rest
	maxTrack2     = 19
)

// PDOL asks for what a QuickPass card usually asks for: 9F66 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37.
var PDOL = []byte{0x9F, 0x66, 4, 0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}

// PDOLSM is PDOL with DF69: a card that has the SM algorithms asks whether the terminal has them.
var PDOLSM = append(PDOL[:len(PDOL):len(PDOL)], 0xDF, 0x69, 1)

// PPSE is the name of the contactless directory.
const PPSE = "2PAY.SYS.DDF01"

// Record is one record of the card's files: TLV objects without the 70 template.
type Record struct {
	SFI, Number byte
	Signed      bool // takes part in offline data authentication
	Body        []byte
}

// Data is what a card is personalised with. It prints as "[secret]".
type Data struct {
	AID           []byte
	Label         string // 50
	PreferredName string // 9F12, with 9F11 01; "" leaves both out
	Language      string // 5F2D; "" leaves it out
	Priority      byte   // 87
	KernelID      []byte // 9F2A of the directory entry; nil leaves it out
	AIP           [2]byte
	PSN           byte   // 5F34, BCD
	Track2        []byte // 57
	SendCID       bool   // send 9F27; UnionPay cards may leave it out
	Records       []Record
	// LastSFI is the file of the record that is made anew at each transaction:
	// 9F69, then LastBody (unsigned objects such as 9F63, 9F24, 9F6E).
	LastSFI  byte
	LastBody []byte
	Key      *oda.PrivateKey // ICC key; nil: the card has the SM algorithms alone
	UDK      pay.Secret      // card key of the cryptogram
	ScriptK  pay.Secret      // card key of script integrity; zero: no scripts
	SM       *SMData         // nil: RSA and triple DES alone
	Version  byte            // cryptogram version in 9F10; 0: 01
	KeyIndex byte            // derivation key index in 9F10
	Policy   Policy
	// IssuerUpdate: the card takes the issuer's answer at a second presentation (CTQ B2b7).
	IssuerUpdate bool
}

// SMData is what a card has for the SM algorithms: SM2 and SM3 for its
// signature, SM4 for cryptogram and scripts.
type SMData struct {
	Key     *oda.SM2PrivateKey
	UDK     pay.Secret
	ScriptK pay.Secret // zero: no scripts
	Records []Record   // takes the place of Data.Records; the same file and number is the same record
}

// choice is what a card works with in one transaction.
type choice struct {
	algorithm    byte // of 9F10
	cipher       cryptogram.PBOC
	udk, scriptK pay.Secret
	records      []Record
}

// choose prefers the SM algorithms where both sides have them.
func (d *Data) choose(q request) choice {
	has, _ := q.values.Find(tag.SMSupport)
	if d.SM != nil && (d.Key == nil || (len(has) == 1 && has[0] != 0)) {
		return choice{cryptogram.AlgorithmSM4, cryptogram.PBOCSM4, d.SM.UDK, d.SM.ScriptK, d.SM.Records}
	}
	return choice{cryptogram.AlgorithmTDES, cryptogram.PBOC01, d.UDK, d.ScriptK, d.Records}
}

// pdol is what the card asks for.
func (d *Data) pdol() []byte {
	if d.SM != nil {
		return PDOLSM
	}
	return PDOL
}

// checkKeys says what is missing for the algorithms that the card has; "" where nothing is.
func (d *Data) checkKeys() string {
	switch {
	case d.Key == nil && d.SM == nil, d.Key != nil && d.UDK.Len() == 0, d.SM != nil && (d.SM.Key == nil || d.SM.UDK.Len() == 0):
		return "a key is missing"
	case d.Key != nil && len(d.Key.Public().Modulus) > maxICCKey:
		return "ICC key is longer than 1024 bits"
	case d.Version != 0 && d.Version != cryptogram.VersionPBOC01 && d.Version != cryptogram.VersionPBOC17:
		return "cryptogram version"
	case d.Key != nil && (len(d.Records) == 0 || len(d.Records) > MaxRecords), d.SM != nil && (len(d.SM.Records) == 0 || len(d.SM.Records) > MaxRecords):
		return "number of records"
	}
	return ""
}

// allRecords are the records of both kinds.
func (d *Data) allRecords() []Record {
	if d.SM == nil {
		return d.Records
	}
	return slices.Concat(d.Records, d.SM.Records)
}

// Format keeps card data out of every verb.
func (Data) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// ErrData is wrapped by what New refuses.
var ErrData = errors.New("card: personalisation")

// phase is how far a session has come.
type phase int

const (
	phaseReset     phase = iota
	phaseDirectory       // the PPSE is selected
	phaseSelected        // the application is selected
	phaseReady           // GPO answered with an AFL: records may be read
	phaseEnded           // GPO answered with an AAC
)

// Card is a software payment card. It is used by one task at a time.
type Card struct {
	data  Data
	state State
	rand  io.Reader

	phase phase
	last  []byte // the record of this transaction: 9F69 and LastBody, in its template

	// What must outlive the field lives as long as the program.
	asked        asked
	blocked      bool // by a script
	authFailed   bool // the last issuer authentication failed: the next CVR says so
	scriptFailed bool // a script failed: the next CVR says so
}

// Format keeps card data out of every verb.
func (c *Card) Format(f fmt.State, verb rune) { c.data.Format(f, verb) }

// New makes a card. rand gives its unpredictable numbers.
func New(data Data, state State, rand io.Reader) (*Card, error) {
	bad := func(why string) (*Card, error) { return nil, fmt.Errorf("%w: %s", ErrData, why) }
	switch {
	case len(data.AID) < 5 || len(data.AID) > 16:
		return bad("AID is not 5 to 16 bytes")
	case data.checkKeys() != "":
		return bad(data.checkKeys())
	case len(data.Track2) == 0 || len(data.Track2) > maxTrack2:
		return bad("track 2")
	case len(data.LastBody) > maxRecordBody-10: // 9F69 stands before it
		return bad("last record is too long")
	case data.LastSFI < 1 || data.LastSFI > 30:
		return bad("SFI of the last record")
	case state == nil || rand == nil:
		return bad("state or random source is missing")
	}
	for _, r := range data.allRecords() {
		if r.SFI < 1 || r.SFI > 30 || r.Number == 0 || len(r.Body) > maxRecordBody || r.SFI == data.LastSFI {
			return bad("record out of range")
		}
	}
	return &Card{data: data, state: state, rand: rand}, nil
}

// atr is an ATR of PC/SC part 3 for a contactless card with the given historical bytes.
func atr(historical string) []byte {
	b := append([]byte{0x3B, 0x80 | byte(len(historical)), 0x80, 0x01}, historical...)
	var tck byte
	for _, c := range b[1:] {
		tck ^= c
	}
	return append(b, tck)
}

// ATR is the answer to reset, in the form of PC/SC part 3 for contactless cards.
func (c *Card) ATR() []byte { return atr("HUIKADEM") }

// Reset ends the session: nothing is selected. The ATC and the last cryptogram stay.
func (c *Card) Reset() { c.phase, c.last = phaseReset, nil }

// Transmit answers one command. The answer always has a status word.
func (c *Card) Transmit(command []byte) []byte {
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

func answer(body []byte, sw uint16) []byte {
	return apdu.Response{Data: body, SW: sw}.Append(make([]byte, 0, len(body)+2))
}

func (c *Card) handle(cmd apdu.Command) ([]byte, uint16) {
	var want byte // CLA
	var f func(apdu.Command) ([]byte, uint16)
	switch cmd.INS {
	case apdu.InsSelect:
		f = c.selectFile
	case apdu.InsGPO:
		want, f = 0x80, c.gpo
	case apdu.InsReadRecord:
		f = c.readRecord
	case apdu.InsExternalAuth:
		f = c.externalAuthenticate
	case insAppBlock, insAppUnblock:
		want, f = claScript, c.script
	}
	switch {
	case cmd.CLA != 0x00 && cmd.CLA != 0x80 && cmd.CLA != claScript:
		return nil, apdu.SWUnknownCLA
	case f == nil:
		return nil, apdu.SWUnknownINS
	case cmd.CLA != want:
		return nil, apdu.SWUnknownCLA
	}
	return f(cmd)
}

// selectFile answers SELECT by name: the directory, or the application by its
// whole AID or the beginning of it (EMV Book 1, 12.3).
func (c *Card) selectFile(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P1 != 0x04 || (cmd.P2 != 0x00 && cmd.P2 != 0x02) {
		return nil, apdu.SWWrongP1P2
	}
	if len(cmd.Data) == 0 || len(cmd.Data) > 16 {
		return nil, apdu.SWWrongLength
	}
	c.Reset()
	first := cmd.P2 == 0x00 // there is one application, so there is no next one
	switch {
	case first && string(cmd.Data) == PPSE:
		c.phase = phaseDirectory
		return c.directory(), apdu.SWOK
	case first && len(cmd.Data) >= 5 && len(cmd.Data) <= len(c.data.AID) && slices.Equal(cmd.Data, c.data.AID[:len(cmd.Data)]):
		c.phase = phaseSelected
		return c.fci(), apdu.SWOK
	}
	return nil, apdu.SWFileNotFound
}

// directory is the FCI of the PPSE with one directory entry (Book B, 3.3.2).
func (c *Card) directory() []byte {
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

// fci is the FCI of the application (EMV Book 1, 11.3.4).
func (c *Card) fci() []byte {
	p := tlv.Append(nil, tag.ApplicationLabel, []byte(c.data.Label))
	p = tlv.Append(p, tag.ApplicationPriority, []byte{c.data.Priority})
	p = tlv.Append(p, tag.PDOL, c.data.pdol())
	if c.data.Language != "" {
		p = tlv.Append(p, tag.LanguagePreference, []byte(c.data.Language))
	}
	if c.data.PreferredName != "" {
		p = tlv.Append(p, tag.IssuerCodeTable, []byte{0x01})
		p = tlv.Append(p, tag.PreferredName, []byte(c.data.PreferredName))
	}
	f := tlv.Append(nil, tag.DFName, c.data.AID)
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(f, tag.FCIProprietary, p))
}

// readRecord answers READ RECORD for the records that the AFL names, after a GPO only.
func (c *Card) readRecord(cmd apdu.Command) ([]byte, uint16) {
	if cmd.P2&0x07 != 0x04 || cmd.P1 == 0 || cmd.P2>>3 == 0 {
		return nil, apdu.SWWrongP1P2
	}
	if len(cmd.Data) > 0 {
		return nil, apdu.SWWrongLength
	}
	if c.phase != phaseReady {
		return nil, apdu.SWConditions
	}
	sfi := cmd.P2 >> 3
	if sfi == c.data.LastSFI {
		if cmd.P1 != 1 {
			return nil, apdu.SWRecordNotFound
		}
		return c.last, apdu.SWOK
	}
	sw := apdu.SWFileNotFound
	for _, r := range c.data.allRecords() {
		if r.SFI != sfi {
			continue
		}
		if r.Number == cmd.P1 {
			return tlv.Append(nil, tag.RecordTemplate, r.Body), apdu.SWOK
		}
		sw = apdu.SWRecordNotFound
	}
	return nil, sw
}

// pdolData takes the data of a GPO command apart: the 83 template and what list, the card's PDOL, asks for.
func pdolData(list, data []byte) (request, uint16) {
	r := tlv.NewReader(data)
	if !r.Next() || r.TLV().Tag != tag.CommandTemplate {
		return request{}, apdu.SWWrongData
	}
	value := r.TLV().Value
	if r.Next() || r.Err() != nil {
		return request{}, apdu.SWWrongData
	}
	q := request{values: tlv.List{}}
	err := dol.Split(list, value, func(t tlv.Tag, v []byte) error {
		q.values = append(q.values, tlv.TLV{Tag: t, Value: v})
		return nil
	})
	if err != nil {
		return request{}, apdu.SWWrongLength
	}
	ttq, _ := q.values.Find(tag.TTQ)
	q.ttq = [4]byte(ttq)
	return q, apdu.SWOK
}
