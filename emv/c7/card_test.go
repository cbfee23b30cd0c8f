package c7

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Keys and dates of the test scheme.
var (
	testRID = [5]byte{0xA0, 0x00, 0x00, 0x03, 0x33}
	testAID = unhex("A000000333010101")
	testUN  = unhex("11223344")
	testNow = time.Date(2026, 3, 15, 14, 30, 5, 0, time.FixedZone("CST", 8*3600))
)

const (
	testIndex = 0xE1
	testPAN   = "6228480000000001234"
	usualPDOL = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"
	usualTTQ  = "27004080" // EMV mode, online PIN, signature, ODA for online; CDCVM; fDDA v01
	usualCTQ  = "8000"     // online PIN where a CVM is needed
)

var keys = sync.OnceValue(func() (k struct{ ca, issuer, icc, other *oda.PrivateKey }) {
	src := rand.NewChaCha8([32]byte{7})
	for _, p := range []struct {
		key     **oda.PrivateKey
		bits, e int
	}{{&k.ca, 1152, 3}, {&k.issuer, 1024, 3}, {&k.icc, 768, 3}, {&k.other, 768, 3}} {
		var err error
		if *p.key, err = oda.GenerateKey(src, p.bits, p.e); err != nil {
			panic(err)
		}
	}
	return k
})

// smKeys are the SM2 keys of the test scheme.
var smKeys = sync.OnceValue(func() (k struct{ ca, issuer, icc, other *oda.SM2PrivateKey }) {
	src := rand.NewChaCha8([32]byte{8})
	for _, p := range []**oda.SM2PrivateKey{&k.ca, &k.issuer, &k.icc, &k.other} {
		var err error
		if *p, err = oda.GenerateSM2Key(src); err != nil {
			panic(err)
		}
	}
	return k
})

// scripted is a card that follows a script: it takes exactly the commands it
// expects and fails the test at any other byte.
type scripted struct {
	t testing.TB
	// what the card is made of; cases change it before the tap
	pdol    string
	gpo     tlv.List // objects of the GPO response; 94 and 9F4B are added
	afl     []byte
	records []record
	icc     *oda.PrivateKey
	sm      *oda.SM2PrivateKey // the card has chosen SM2 and signs with this key; nil: RSA
	serial  [3]byte
	iccPAN  string
	expires [2]int // month, year of the ICC certificate
	sdad    bool
	format  byte // signed data format
	auth    []byte
	signUN  []byte                              // nil: as the terminal sent it
	raw     func(n int, response []byte) []byte // last change to response n (0 is GPO)
	sw      map[int]string                      // response n is this status word alone
	lostAt  int                                 // -1 never
	broken  int                                 // the reader fails at this command; -1 never

	commands [][]byte
	shown    []emv.UIRequest
	pdolData map[tlv.Tag][]byte
}

type record struct {
	sfi, n  byte
	signed  bool
	objects tlv.List
	bare    bool // without template 70
}

func newCard(t testing.TB) *scripted {
	c := &scripted{t: t, pdol: usualPDOL, icc: keys().icc, serial: [3]byte{0, 0, 9}, iccPAN: testPAN, expires: [2]int{12, 2030},
		sdad: true, format: oda.FormatFDDA, auth: unhex("01AABBCCDD" + usualCTQ), lostAt: -1, broken: -1, sw: map[int]string{}}
	c.gpo = tlv.List{
		{Tag: tag.AIP, Value: unhex("7C00")}, {Tag: tag.Track2, Value: unhex("6228480000000001234D30122200000000000F")},
		{Tag: tag.ATC, Value: unhex("0240")}, {Tag: tag.ApplicationCryptogram, Value: unhex("5D016C91005E7CC2")},
		{Tag: tag.CID, Value: unhex("80")}, {Tag: tag.IAD, Value: unhex("07010103A02000")}, {Tag: tag.PSN, Value: unhex("01")},
		{Tag: tag.CTQ, Value: unhex(usualCTQ)},
	}
	c.records = []record{
		{sfi: 1, n: 1, signed: true, objects: tlv.List{
			{Tag: tag.PAN, Value: unhex("6228480000000001234F")}, {Tag: tag.ExpirationDate, Value: unhex("301231")},
			{Tag: tag.EffectiveDate, Value: unhex("200101")}, {Tag: tag.IssuerCountry, Value: unhex("0156")},
			{Tag: tag.AUC, Value: unhex("FF00")}, {Tag: tag.ApplicationVersion, Value: unhex("0030")}, {Tag: tag.SDATagList, Value: unhex("82")},
		}},
		{sfi: 1, n: 2}, {sfi: 2, n: 1}, {sfi: 2, n: 2},
	}
	c.afl = unhex("08010201" + "10010200")
	return c
}

func (c *scripted) fci() []byte {
	a5 := tlv.Append(nil, tag.ApplicationLabel, []byte("UNIONPAY"))
	if c.pdol != "" {
		a5 = tlv.Append(a5, tag.PDOL, unhex(c.pdol))
	}
	body := tlv.Append(nil, tag.DFName, testAID)
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(body, tag.FCIProprietary, a5))
}

func (c *scripted) set(l *tlv.List, x tlv.Tag, value string) {
	for i := range *l {
		if (*l)[i].Tag == x {
			(*l)[i].Value = unhex(value)
			return
		}
	}
	*l = append(*l, tlv.TLV{Tag: x, Value: unhex(value)})
}

func drop(l *tlv.List, x tlv.Tag) {
	*l = slices.DeleteFunc(*l, func(t tlv.TLV) bool { return t.Tag == x })
}

// ctq sets 9F6C and the copy that the card signs.
func (c *scripted) ctq(v string) {
	c.set(&c.gpo, tag.CTQ, v)
	copy(c.auth[5:], unhex(v))
}

func (c *scripted) cryptogram(cid, iad string) {
	c.set(&c.gpo, tag.CID, cid)
	c.set(&c.gpo, tag.IAD, iad)
}

// personalise signs the certificates over what the card holds now.
func (c *scripted) personalise() {
	k := keys()
	var static []byte
	for _, r := range c.records {
		if r.signed {
			static = append(static, encode(r.objects)...)
		}
	}
	for _, o := range c.records[0].objects {
		if o.Tag == tag.SDATagList {
			aip, _ := c.gpo.Find(tag.AIP)
			static = append(static, aip...)
		}
	}
	if c.sm != nil {
		c.certifySM2(static)
		return
	}
	issuer, rem, err := oda.SignIssuerCertificate(k.ca, oda.Subject{ID: "622848", Month: 12, Year: 2031, Serial: c.serial, Key: k.issuer.Public()})
	if err != nil {
		c.t.Fatal(err)
	}
	// The key in the certificate is always the genuine card's: a clone copies it.
	card, rem2, err := oda.SignICCCertificate(k.issuer, oda.Subject{ID: c.iccPAN, Month: c.expires[0], Year: c.expires[1], Key: k.icc.Public()}, static)
	if err != nil {
		c.t.Fatal(err)
	}
	put := func(l *tlv.List, x tlv.Tag, v []byte) {
		if v != nil {
			*l = append(*l, tlv.TLV{Tag: x, Value: v})
		}
	}
	r := &c.records[1].objects
	put(r, tag.CAIndex, []byte{testIndex})
	put(r, tag.IssuerCertificate, issuer)
	put(r, tag.IssuerRemainder, rem)
	put(r, tag.IssuerExponent, []byte{3})
	r = &c.records[2].objects
	put(r, tag.ICCCertificate, card)
	put(r, tag.ICCRemainder, rem2)
	put(r, tag.ICCExponent, []byte{3})
	put(&c.records[3].objects, tag.CardAuthData, c.auth)
}

// certifySM2 is the chain of an SM2 card: neither remainders nor exponents.
func (c *scripted) certifySM2(static []byte) {
	k := smKeys()
	issuer, err := oda.SignSM2Issuer(k.ca, oda.SM2Subject{ID: "622848", Month: 12, Year: 2031, Serial: c.serial, Key: k.issuer.Public()})
	if err != nil {
		c.t.Fatal(err)
	}
	card, err := oda.SignSM2ICC(k.issuer, oda.SM2Subject{ID: c.iccPAN, Month: c.expires[0], Year: c.expires[1], Key: k.icc.Public()}, static)
	if err != nil {
		c.t.Fatal(err)
	}
	c.records[1].objects = append(c.records[1].objects, tlv.TLV{Tag: tag.CAIndex, Value: []byte{testIndex}}, tlv.TLV{Tag: tag.IssuerCertificate, Value: issuer})
	c.records[2].objects = append(c.records[2].objects, tlv.TLV{Tag: tag.ICCCertificate, Value: card})
	c.records[3].objects = append(c.records[3].objects, tlv.TLV{Tag: tag.CardAuthData, Value: c.auth})
}

func encode(l tlv.List) (b []byte) {
	for _, o := range l {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return b
}

// Transmit checks the command and answers.
func (c *scripted) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := len(c.commands)
	c.commands = append(c.commands, bytes.Clone(command))
	if n == c.lostAt {
		return nil, fmt.Errorf("transmit: %w", emv.ErrCardLost)
	}
	if n == c.broken {
		return nil, errReader
	}
	var response []byte
	if n == 0 {
		response = c.answerGPO(command)
	} else {
		response = c.answerRead(n-1, command)
	}
	if c.raw != nil {
		response = c.raw(n, response)
	}
	if sw, ok := c.sw[n]; ok {
		return unhex(sw), nil
	}
	return response, nil
}

func (c *scripted) Show(r emv.UIRequest) { c.shown = append(c.shown, r) }

func (c *scripted) answerGPO(command []byte) []byte {
	list := unhex(c.pdol)
	size, err := dol.Size(list)
	if err != nil {
		c.t.Fatalf("scripted PDOL: %v", err)
	}
	// 80 A8 00 00 Lc 83 L data 00, checked byte by byte; the data against the PDOL below
	want := append([]byte{0x80, 0xA8, 0, 0, byte(size + 2), 0x83, byte(size)}, make([]byte, size)...)
	if len(command) != len(want)+1 || !bytes.Equal(command[:7], want[:7]) || command[len(command)-1] != 0 {
		c.t.Fatalf("GPO: got %X", command)
	}
	c.pdolData = map[tlv.Tag][]byte{}
	if err := dol.Split(list, command[7:7+size], func(t tlv.Tag, v []byte) error { c.pdolData[t] = v; return nil }); err != nil {
		c.t.Fatal(err)
	}
	body := encode(c.gpo)
	if c.afl != nil {
		body = tlv.Append(body, tag.AFL, c.afl)
	}
	if c.sdad {
		un := c.pdolData[tag.UN]
		if c.signUN != nil {
			un = c.signUN
		}
		data := oda.FDDAData(nil, un, c.pdolData[tag.AmountAuthorised], c.pdolData[tag.TransactionCurrency], c.auth)
		s, err := oda.SignDynamic(c.icc, c.format, unhex("0401020304"), data)
		if c.sm != nil {
			s, err = oda.SignSM2Dynamic(c.sm, unhex("0401020304"), data)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		body = tlv.Append(body, tag.SDAD, s)
	}
	return append(tlv.Append(nil, tag.ResponseFormat2, body), 0x90, 0x00)
}

func (c *scripted) answerRead(i int, command []byte) []byte {
	if i >= len(c.records) {
		c.t.Fatalf("a command too many: %X", command)
	}
	r := c.records[i]
	if want := []byte{0x00, 0xB2, r.n, r.sfi<<3 | 4, 0x00}; !bytes.Equal(command, want) {
		c.t.Fatalf("command %d: got %X, want %X", i+1, command, want)
	}
	body := encode(r.objects)
	if !r.bare {
		body = tlv.Append(nil, tag.RecordTemplate, body)
	}
	return append(body, 0x90, 0x00)
}

// caStore is a terminal's store with the test scheme's keys, both under one index.
func caStore(t testing.TB) *oda.CAStore {
	s := oda.NewCAStore()
	k := oda.CAKey{RID: testRID, Index: testIndex, Modulus: keys().ca.Public().Modulus, Exponent: keys().ca.Public().Exponent}
	if err := s.Add(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	sm := oda.SM2CAKey{RID: testRID, Index: testIndex, Key: smKeys().ca.Public()}
	if err := s.AddSM2(sm, sm.Checksum()); err != nil {
		t.Fatal(err)
	}
	return s
}

// usualInput is a purchase of amount fen after Entry Point's pre-processing
// with a floor limit of 0 and a CVM limit of 1000.01 CNY.
func usualInput(c *scripted, amount int64) emv.Input {
	in := emv.Input{
		Start: emv.StartA, AID: testAID, Kernel: ID, FCI: c.fci(), FCIStatus: 0x9000,
		Transaction: emv.Transaction{Amount: pay.Fen(amount), Time: testNow, Sequence: 17},
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte(unhex("E0E1C8")), MerchantID: "898310048160001",
			TerminalID: "10000001", IFDSerial: "HUIKA001", MerchantCategory: 5411, AdditionalTerminal: [5]byte(unhex("6000F0A001"))},
		Rand: bytes.NewReader(testUN),
	}
	in.Indicators.HasTTQ, in.Indicators.TTQ = true, [4]byte(unhex(usualTTQ))
	if amount > 0 {
		in.Indicators.FloorLimitExceeded = true
		in.Indicators.TTQ[1] |= ttq2OnlineRequired
	}
	if amount >= 100_001 {
		in.Indicators.CVMRequiredLimitExceeded = true
		in.Indicators.TTQ[1] |= ttq2CVMRequired
	}
	return in
}

// offline takes the floor limit away from an input: amount may be approved offline up to Config.FloorLimit.
func offline(in *emv.Input) {
	in.Indicators.FloorLimitExceeded = false
	in.Indicators.TTQ[1] &^= ttq2OnlineRequired
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
