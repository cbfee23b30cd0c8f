package card

import (
	"bytes"
	"fmt"
	"io"

	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// VisaData is what a Visa card, phone or watch is personalised with (qVSDC, public
// descriptions of it and of Book C-3). It prints as "[secret]".
type VisaData struct {
	AID           []byte
	Label         string
	PreferredName string // 9F12, with 9F11 01; "" leaves both out
	Language      string // 5F2D; "" leaves it out
	Priority      byte
	KernelID      []byte // 9F2A of the directory entry; nil leaves it out
	ProgramID     []byte // 9F5A: names the reader's limits; nil leaves it out
	AIP           [2]byte
	PSN           byte   // 5F34, BCD
	Track2        []byte // 57
	SendCID       bool   // send 9F27; cards may leave it out
	FormFactor    []byte // 9F6E, 4 bytes; nil leaves it out
	Records       []Record
	// LastSFI is the file of the record that is made anew at each transaction:
	// 9F69, then LastBody (unsigned objects such as 9F24).
	LastSFI  byte
	LastBody []byte
	Key      *oda.PrivateKey // ICC key
	UDK      pay.Secret      // card key of the cryptogram
	ScriptK  pay.Secret      // card key of script integrity; zero: no scripts
	Version  cryptogram.Visa
	KeyIndex byte // derivation key index in 9F10
	Policy   VisaPolicy
}

// VisaPolicy are choices of the issuer, and for a device what its holder did.
type VisaPolicy struct {
	Policy
	Locked            bool  // a device that wants its holder: it answers 6986
	SwitchIfODAFails  bool  // CTQ B1b5
	OnlineIfExpired   bool  // CTQ B1b4
	SwitchForCash     bool  // CTQ B1b3
	SwitchForCashback bool  // CTQ B1b2
	IssuerUpdate      bool  // CTQ B2b7
	OfflineLimit      int64 // the largest amount (minor units, in OfflineCurrency) that the card approves offline; 0: none
	OfflineCurrency   [2]byte
}

// Further bits of TTQ and CTQ, see transaction.go.
const (
	ttq1ODAForOnline   = 0x01
	ttq2OnlineRequired = 0x80

	ctq1SwitchIfODAFail = 0x10
	ctq1OnlineIfExpired = 0x08
	ctq1SwitchForCash   = 0x04
	ctq1SwitchCashback  = 0x02
	ctq2IssuerUpdate    = 0x40
)

// CTQ is the card's answer to a TTQ.
func (p VisaPolicy) CTQ(ttq [4]byte) [2]byte {
	ctq := p.Policy.CTQ(ttq)
	for _, b := range [...]struct {
		on   bool
		at   int
		mask byte
	}{
		{p.SwitchIfODAFails, 0, ctq1SwitchIfODAFail}, {p.OnlineIfExpired, 0, ctq1OnlineIfExpired}, {p.SwitchForCash, 0, ctq1SwitchForCash},
		{p.SwitchForCashback, 0, ctq1SwitchCashback}, {p.IssuerUpdate, 1, ctq2IssuerUpdate},
	} {
		if b.on {
			ctq[b.at] |= b.mask
		}
	}
	return ctq
}

// Format keeps card data out of every verb.
func (VisaData) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt.State's Write reports to fmt itself
}

// Visa is a software Visa card. It is used by one task at a time. What must
// outlive the field (the last cryptogram, what scripts changed) lives as long
// as the program; the transaction counter is in the State.
type Visa struct {
	data  VisaData
	state State
	rand  io.Reader

	phase   phase
	last    []byte // the record of this transaction: 9F69 and LastBody, in its template
	request struct {
		atc     uint16
		ac      [8]byte
		pending bool // an ARQC whose issuer has not answered yet
		made    bool
	}
	blocked      bool // by a script
	authFailed   bool // the last issuer authentication failed: the next CVR says so
	scriptFailed bool // a script failed: the next CVR says so
}

// NewVisa makes a card. rand gives its unpredictable numbers. Errors: ErrData.
func NewVisa(data VisaData, state State, rand io.Reader) (*Visa, error) {
	bad := func(why string) (*Visa, error) { return nil, fmt.Errorf("%w: %s", ErrData, why) }
	switch {
	case len(data.AID) < 5 || len(data.AID) > 16:
		return bad("AID is not 5 to 16 bytes")
	case data.Key == nil || data.UDK.Len() == 0:
		return bad("a key is missing")
	case len(data.Key.Public().Modulus) > maxICCKey:
		return bad("ICC key is longer than 1024 bits")
	case !data.Version.Known():
		return bad("cryptogram version")
	case len(data.Track2) == 0 || len(data.Track2) > maxTrack2:
		return bad("track 2")
	case len(data.FormFactor) != 0 && len(data.FormFactor) != 4:
		return bad("form factor")
	case len(data.ProgramID) > 16:
		return bad("application program identifier")
	case len(data.LastBody) > maxRecordBody-10: // 9F69 stands before it
		return bad("last record is too long")
	case len(data.Records) == 0 || len(data.Records) > maxVisaRecords:
		return bad("number of records")
	case data.LastSFI < 1 || data.LastSFI > 30:
		return bad("SFI of the last record")
	case state == nil || rand == nil:
		return bad("state or random source is missing")
	}
	for _, r := range data.Records {
		if r.SFI < 1 || r.SFI > 30 || r.Number == 0 || len(r.Body) > maxRecordBody || r.SFI == data.LastSFI {
			return bad("record out of range")
		}
	}
	return &Visa{data: data, state: state, rand: rand}, nil
}

// maxVisaRecords keeps the AFL short enough for the GPO response beside signature and IAD.
const maxVisaRecords = 4

// Format keeps card data out of every verb.
func (c *Visa) Format(f fmt.State, verb rune) { c.data.Format(f, verb) }

// ATR is the answer to reset, in the form of PC/SC part 3 for contactless cards.
func (c *Visa) ATR() []byte { return atr("HUIKADEM") }

// Reset ends the session: nothing is selected. Counter and last cryptogram stay.
func (c *Visa) Reset() { c.phase, c.last = phaseReset, nil }

// Transmit answers one command. The answer always has a status word.
func (c *Visa) Transmit(command []byte) []byte {
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

// Instructions of scripts (VIS): secure messaging, class 84.
const (
	insAppBlock   = 0x1E
	insAppUnblock = 0x18
	claScript     = 0x84
)

func (c *Visa) handle(cmd apdu.Command) ([]byte, uint16) {
	var want byte // CLA
	var f func(apdu.Command) ([]byte, uint16)
	switch cmd.INS {
	case apdu.InsSelect:
		f = c.selectFile
	case apdu.InsReadRecord:
		f = c.readRecord
	case apdu.InsGPO:
		want, f = 0x80, c.options
	case apdu.InsExternalAuth:
		f = c.externalAuthenticate
	case insAppBlock, insAppUnblock, apdu.InsPutData:
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
func (c *Visa) selectFile(cmd apdu.Command) ([]byte, uint16) {
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

// directory is the FCI of the PPSE with one directory entry (Book B, 3.3.2).
func (c *Visa) directory() []byte {
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

// fci is the FCI of the application (EMV Book 1, 11.3.4); BF0C carries the application program identifier.
func (c *Visa) fci() []byte {
	p := tlv.Append(nil, tag.ApplicationLabel, []byte(c.data.Label))
	p = tlv.Append(p, tag.ApplicationPriority, []byte{c.data.Priority})
	p = tlv.Append(p, tag.PDOL, PDOL)
	if c.data.Language != "" {
		p = tlv.Append(p, tag.LanguagePreference, []byte(c.data.Language))
	}
	if c.data.PreferredName != "" {
		p = tlv.Append(p, tag.IssuerCodeTable, []byte{0x01})
		p = tlv.Append(p, tag.PreferredName, []byte(c.data.PreferredName))
	}
	if c.data.ProgramID != nil {
		p = tlv.Append(p, tag.DirectoryDiscretionary, tlv.Append(nil, tag.ApplicationProgramID, c.data.ProgramID))
	}
	f := tlv.Append(nil, tag.DFName, c.data.AID)
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(f, tag.FCIProprietary, p))
}

// readRecord answers READ RECORD for the records that the AFL names, after a GPO only.
func (c *Visa) readRecord(cmd apdu.Command) ([]byte, uint16) {
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
	for _, r := range c.data.Records {
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
