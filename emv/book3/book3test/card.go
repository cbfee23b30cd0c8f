// Package book3test holds the scripted card with which kernels 4, 5 and 6 are
// tested: it takes exactly the commands that it expects, byte for byte, signs
// under a chain of test certificates, and misbehaves where a case says so. It
// holds the cards for fuzzing and benchmarks too.
package book3test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"huika/emv"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// Record is one record of the card's files, in the order in which the AFL names them.
type Record struct {
	SFI, N  byte
	Signed  bool
	Objects tlv.List
	Bare    bool // without template 70
}

// Step is one command with its answer, status word included, as hex.
type Step struct{ Command, Response string }

// Card is a scripted card. Cases change it before Personalise.
type Card struct {
	T        testing.TB
	AID      []byte
	RID      [5]byte
	PDOL     string // hex; "" leaves it out
	Language string
	Nameless bool     // FCI without 84
	FCIMore  tlv.List // further objects of A5

	First   []Step   // before GET PROCESSING OPTIONS
	GPO     tlv.List // 94 and 9F4B are added
	AFL     []byte
	Format1 bool // both answers in template 80
	Records []Record
	// Answer is that of GENERATE AC; nil: the card does not know the command,
	// and its cryptogram (and signature) are in the answer of GET PROCESSING OPTIONS.
	Answer tlv.List
	Last   []Step // after all others

	CDA       bool // signs: kernel 6 always, else where P1 asks for it
	AC        []byte
	Key       *oda.PrivateKey // the genuine key; a clone has another
	IssuerKey *oda.PrivateKey // of 93
	SSAD      bool            // has 93
	Number    string          // card number of the certificate
	Expires   [2]int          // month and year of the certificate
	Serial    [3]byte
	SignUN    []byte // nil: as the terminal sent it
	NoCerts   bool

	Raw    func(n int, response []byte) []byte // last change to response n
	SW     map[int]string                      // response n is this status word alone
	LostAt int                                 // -1: never
	Broken int                                 // the reader fails at this command; -1: never

	Commands [][]byte
	Shown    []emv.UIRequest
	PDOLData map[tlv.Tag][]byte
	CDOLData map[tlv.Tag][]byte
	P1       byte // of GENERATE AC
	pdol     []byte
}

// ErrReader is a reader that fails.
var ErrReader = errors.New("reader unplugged")

// Unhex reads hex; it panics where there is none.
func Unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Set puts a value into a list, in place of the one that is there.
func Set(l *tlv.List, t tlv.Tag, value string) {
	for i := range *l {
		if (*l)[i].Tag == t {
			(*l)[i].Value = Unhex(value)
			return
		}
	}
	*l = append(*l, tlv.TLV{Tag: t, Value: Unhex(value)})
}

// Drop takes tags out of everything that the card gives.
func (c *Card) Drop(tags ...tlv.Tag) {
	gone := func(o tlv.TLV) bool { return slices.Contains(tags, o.Tag) }
	c.GPO = slices.DeleteFunc(c.GPO, gone)
	c.Answer = slices.DeleteFunc(c.Answer, gone)
	for i := range c.Records {
		c.Records[i].Objects = slices.DeleteFunc(c.Records[i].Objects, gone)
	}
}

// Encode appends the objects of a list.
func Encode(l tlv.List) (b []byte) {
	for _, o := range l {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return b
}

// FCI is the answer of SELECT.
func (c *Card) FCI() []byte {
	a5 := tlv.Append(nil, tag.ApplicationLabel, []byte("TEST"))
	if c.PDOL != "" {
		a5 = tlv.Append(a5, tag.PDOL, Unhex(c.PDOL))
	}
	if c.Language != "" {
		a5 = tlv.Append(a5, tag.LanguagePreference, []byte(c.Language))
	}
	a5 = append(a5, Encode(c.FCIMore)...)
	var body []byte
	if !c.Nameless {
		body = tlv.Append(nil, tag.DFName, c.AID)
	}
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(body, tag.FCIProprietary, a5))
}

// Static is what offline data authentication signs now.
func (c *Card) Static() []byte {
	var static []byte
	for _, r := range c.Records {
		if r.Signed {
			static = append(static, Encode(r.Objects)...)
		}
	}
	for _, o := range c.Records[0].Objects {
		if o.Tag == tag.SDATagList {
			aip, _ := c.GPO.Find(tag.AIP)
			static = append(static, aip...)
		}
	}
	return static
}

// Personalise signs the certificates over what the card holds now and puts them
// into its second and third record.
func (c *Card) Personalise() {
	if c.NoCerts {
		return
	}
	k := Keys()
	static := c.Static()
	issuer, rem, err := oda.SignIssuerCertificate(k.CA, oda.Subject{ID: c.Number[:6], Month: 12, Year: 2031, Serial: c.Serial, Key: k.Issuer.Public()})
	if err != nil {
		c.T.Fatal(err)
	}
	// The key in the certificate is always the genuine card's: a clone copies it.
	card, rem2, err := oda.SignICCCertificate(k.Issuer, oda.Subject{ID: c.Number, Month: c.Expires[0], Year: c.Expires[1], Key: k.ICC.Public()}, static)
	if err != nil {
		c.T.Fatal(err)
	}
	put := func(r *Record, t tlv.Tag, v []byte) {
		if v != nil {
			r.Objects = append(r.Objects, tlv.TLV{Tag: t, Value: v})
		}
	}
	put(&c.Records[1], tag.CAIndex, []byte{Index})
	put(&c.Records[1], tag.IssuerCertificate, issuer)
	put(&c.Records[1], tag.IssuerRemainder, rem)
	put(&c.Records[1], tag.IssuerExponent, []byte{3})
	put(&c.Records[2], tag.ICCCertificate, card)
	put(&c.Records[2], tag.ICCRemainder, rem2)
	put(&c.Records[2], tag.ICCExponent, []byte{3})
	if c.SSAD {
		put(&c.Records[3], tag.SSAD, signStatic(c.IssuerKey, static))
	}
}

// Transmit checks the command and answers.
func (c *Card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := len(c.Commands)
	c.Commands = append(c.Commands, bytes.Clone(command))
	switch n {
	case c.LostAt:
		return nil, fmt.Errorf("transmit: %w", emv.ErrCardLost)
	case c.Broken:
		return nil, ErrReader
	}
	response := c.respond(n, command)
	if c.Raw != nil {
		response = c.Raw(n, response)
	}
	if sw, ok := c.SW[n]; ok {
		return Unhex(sw), nil
	}
	return response, nil
}

func (c *Card) respond(n int, command []byte) []byte {
	if n < len(c.First) {
		return c.step(c.First[n], command)
	}
	if n -= len(c.First); n == 0 {
		return c.options(command)
	}
	if n--; n < len(c.Records) {
		return c.read(c.Records[n], command)
	}
	n -= len(c.Records)
	if c.Answer != nil {
		if n == 0 {
			return c.generate(command)
		}
		n--
	}
	if n >= len(c.Last) {
		c.T.Fatalf("a command too many: %X", command)
	}
	return c.step(c.Last[n], command)
}

func (c *Card) step(s Step, command []byte) []byte {
	if !bytes.Equal(command, Unhex(s.Command)) {
		c.T.Fatalf("command %d: got %X, want %s", len(c.Commands), command, s.Command)
	}
	return Unhex(s.Response)
}

// Show takes messages.
func (c *Card) Show(r emv.UIRequest) { c.Shown = append(c.Shown, r) }

func split(t testing.TB, list, data []byte) map[tlv.Tag][]byte {
	m := map[tlv.Tag][]byte{}
	if err := dol.Split(list, data, func(g tlv.Tag, v []byte) error { m[g] = v; return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

func (c *Card) options(command []byte) []byte {
	list := Unhex(c.PDOL)
	size, err := dol.Size(list)
	if err != nil {
		c.T.Fatalf("scripted PDOL: %v", err)
	}
	want := append([]byte{0x80, 0xA8, 0, 0, byte(size + 2), 0x83, byte(size)}, make([]byte, size)...)
	if len(command) != len(want)+1 || !bytes.Equal(command[:7], want[:7]) || command[len(command)-1] != 0 {
		c.T.Fatalf("GPO: got %X", command)
	}
	c.pdol = bytes.Clone(command[7 : 7+size])
	c.PDOLData = split(c.T, list, c.pdol)
	if c.Format1 {
		aip, _ := c.GPO.Find(tag.AIP)
		return append(tlv.Append(nil, tag.ResponseFormat1, append(bytes.Clone(aip), c.AFL...)), 0x90, 0x00)
	}
	body := Encode(c.GPO)
	if c.AFL != nil {
		body = tlv.Append(body, tag.AFL, c.AFL)
	}
	if c.CDA && c.Answer == nil {
		body = c.signed(body, c.GPO, c.PDOLData[tag.UN], c.pdol)
	}
	return append(tlv.Append(nil, tag.ResponseFormat2, body), 0x90, 0x00)
}

func (c *Card) read(r Record, command []byte) []byte {
	if want := []byte{0x00, 0xB2, r.N, r.SFI<<3 | 4, 0x00}; !bytes.Equal(command, want) {
		c.T.Fatalf("command %d: got %X, want %X", len(c.Commands), command, want)
	}
	body := Encode(r.Objects)
	if !r.Bare {
		body = tlv.Append(nil, tag.RecordTemplate, body)
	}
	return append(body, 0x90, 0x00)
}

func (c *Card) generate(command []byte) []byte {
	var list []byte
	for _, r := range c.Records {
		if v, ok := r.Objects.Find(tag.CDOL1); ok {
			list = v
		}
	}
	size, err := dol.Size(list)
	if err != nil {
		c.T.Fatalf("scripted CDOL1: %v", err)
	}
	head := []byte{0x80, 0xAE, 0, 0, byte(size)}
	if len(command) != size+6 || !bytes.Equal(command[:2], head[:2]) || !bytes.Equal(command[3:5], head[3:]) || command[len(command)-1] != 0 {
		c.T.Fatalf("GENERATE AC: got %X", command)
	}
	c.P1 = command[2]
	data := bytes.Clone(command[5 : 5+size])
	c.CDOLData = split(c.T, list, data)
	body := Encode(c.Answer)
	if c.Format1 {
		var values []byte
		for _, t := range [...]tlv.Tag{tag.CID, tag.ATC, tag.ApplicationCryptogram, tag.IAD} {
			v, _ := c.Answer.Find(t)
			values = append(values, v...)
		}
		return append(tlv.Append(nil, tag.ResponseFormat1, values), 0x90, 0x00)
	}
	if c.CDA && c.P1&0x10 != 0 {
		body = c.signed(body, c.Answer, c.CDOLData[tag.UN], append(bytes.Clone(c.pdol), data...))
	} else if _, ok := c.Answer.Find(tag.ApplicationCryptogram); !ok && c.AC != nil {
		body = tlv.Append(body, tag.ApplicationCryptogram, c.AC)
	}
	return append(tlv.Append(nil, tag.ResponseFormat2, body), 0x90, 0x00)
}

// signed adds the combined signature to body.
func (c *Card) signed(body []byte, objects tlv.List, un, terminal []byte) []byte {
	if c.SignUN != nil {
		un = c.SignUN
	}
	cid, _ := objects.Find(tag.CID)
	hash := sha1.Sum(append(bytes.Clone(terminal), body...))
	dynamic := slices.Concat([]byte{4, 1, 2, 3, 4}, cid, c.AC, hash[:])
	s, err := oda.SignDynamic(c.Key, oda.FormatDDA, dynamic, un)
	if err != nil {
		c.T.Fatal(err)
	}
	return tlv.Append(body, tag.SDAD, s)
}
