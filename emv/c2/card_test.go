package c2

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Keys and dates of the test scheme.
var (
	testRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x04}
	testAID = unhex("A0000000041010")
	testUN  = unhex("11223344")
	testNow = time.Date(2026, 3, 15, 14, 30, 5, 0, time.FixedZone("CST", 8*3600))
)

const (
	testIndex = 0xE1
	testPAN   = "5413330089010434"
	usualCDOL = "9F02069F03069F1A0295055F2A029A039C019F37049F35019F45029F4C089F34039F21039F7C14"
	usualAIP  = "1980" // CVM, terminal risk management, CDA; EMV mode
	phoneAIP  = "1B80" // and on-device CVM
	relayAIP  = "1981"
	usualCVM  = "000000000000000042031E031F03" // online PIN, signature, none: each if supported
)

var keys = sync.OnceValue(func() (k struct{ ca, issuer, icc, other *oda.PrivateKey }) {
	src := rand.NewChaCha8([32]byte{2})
	for _, p := range []struct {
		key  **oda.PrivateKey
		bits int
	}{{&k.ca, 1152}, {&k.issuer, 1024}, {&k.icc, 1024}, {&k.other, 1024}} {
		var err error
		if *p.key, err = oda.GenerateKey(src, p.bits, 3); err != nil {
			panic(err)
		}
	}
	return k
})

type record struct {
	sfi, n  byte
	signed  bool
	objects tlv.List
	bare    bool // without template 70
}

// scripted is a card that follows a script and fails the test at any command
// that the script has no place for.
type scripted struct {
	t       testing.TB
	fci     tlv.List // in A5
	bf0c    tlv.List
	aip     string
	afl     string // "" : made of the records
	gpo     tlv.List
	format1 bool // GPO and GENERATE AC answer in template 80
	records []record
	icc     *oda.PrivateKey
	serial  [3]byte
	iccPAN  string
	expires int  // year of the ICC certificate
	cid     int  // type of the cryptogram; -1: what was asked for
	sign    bool // CDA where it is asked for
	always  bool // CDA even where it is not
	signUN  []byte
	summary [2][]byte // DS Summary 2, 3 in the signature
	relay   [][10]byte
	noRelay bool     // the signature does not know of the relay resistance exchange
	took    []int64  // of each EXCHANGE RELAY RESISTANCE DATA, in 0.1 ms
	ac      tlv.List // further objects of the GENERATE AC response
	dropAC  []tlv.Tag
	ccc     tlv.List
	data    map[tlv.Tag]string // GET DATA
	putSW   uint16
	recover int // 0: 6A88, 1: the cryptogram of before
	raw     func(ins byte, response []byte) []byte
	sw      map[byte]string // by instruction
	swAt    map[int]string  // by number of the command
	lostAt  int
	lostIns byte
	broken  int

	commands [][]byte
	shown    []emv.UIRequest
	pdol     []byte // data of the GPO command
	entropy  []byte
	asked    int // relay commands
	clock    time.Duration
	lastAC   []byte
	put      tlv.List
	rcp      int
	cdol     map[tlv.Tag][]byte
	extra    []byte // of GENERATE AC behind CDOL1
	un9F6A   []byte
}

func newCard(t testing.TB) *scripted {
	c := &scripted{t: t, aip: usualAIP, icc: keys().icc, serial: [3]byte{0, 0, 9}, iccPAN: testPAN, expires: 2030, sign: true, cid: -1,
		sw: map[byte]string{}, swAt: map[int]string{}, lostAt: -1, broken: -1, data: map[tlv.Tag]string{}, putSW: 0x9000, rcp: -1}
	c.fci = tlv.List{{Tag: tag.ApplicationLabel, Value: []byte("MASTERCARD")}, {Tag: tag.LanguagePreference, Value: []byte("zhen")}}
	c.records = []record{
		{sfi: 1, n: 1, objects: tlv.List{
			{Tag: tagTrack2Data, Value: unhex("5413330089010434D30122019000000000000F")}, {Tag: tagPCVC3Track2, Value: unhex("000E")},
			{Tag: tagPUNATCTrack2, Value: unhex("00F0")}, {Tag: tagNATCTrack2, Value: unhex("01")},
		}},
		{sfi: 2, n: 1, signed: true, objects: tlv.List{
			{Tag: tag.PAN, Value: unhex(testPAN)}, {Tag: tag.Track2, Value: unhex("5413330089010434D30122010000000000000F")},
			{Tag: tag.ExpirationDate, Value: unhex("301231")}, {Tag: tag.EffectiveDate, Value: unhex("200101")}, {Tag: tag.PSN, Value: unhex("01")},
			{Tag: tag.IssuerCountry, Value: unhex("0156")}, {Tag: tag.AUC, Value: unhex("FF00")}, {Tag: tag.ApplicationVersion, Value: unhex("0002")},
			{Tag: tag.CDOL1, Value: unhex(usualCDOL)}, {Tag: tag.CVMList, Value: unhex(usualCVM)}, {Tag: tag.SDATagList, Value: unhex("82")},
			{Tag: tag.IACDefault, Value: unhex("FC50808800")}, {Tag: tag.IACDenial, Value: unhex("0000000000")}, {Tag: tag.IACOnline, Value: unhex("FC70808800")},
			{Tag: tag.ApplicationCurrency, Value: unhex("0156")},
		}},
		{sfi: 3, n: 1}, {sfi: 3, n: 2},
	}
	return c
}

func (c *scripted) body() *tlv.List { return &c.records[1].objects }
func (c *scripted) mag() *tlv.List  { return &c.records[0].objects }

func set(l *tlv.List, x tlv.Tag, value string) {
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

func encode(l tlv.List) (b []byte) {
	for _, o := range l {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return b
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
	static = append(static, unhex(c.aip)...)
	issuer, rem, err := oda.SignIssuerCertificate(k.ca, oda.Subject{ID: "541333", Month: 12, Year: 2031, Serial: c.serial, Key: k.issuer.Public()})
	if err != nil {
		c.t.Fatal(err)
	}
	// The key in the certificate is always the genuine card's: a clone copies it.
	card, rem2, err := oda.SignICCCertificate(k.issuer, oda.Subject{ID: c.iccPAN, Month: 12, Year: c.expires, Key: k.icc.Public()}, static)
	if err != nil {
		c.t.Fatal(err)
	}
	put := func(l *tlv.List, x tlv.Tag, v []byte) {
		if v != nil {
			*l = append(*l, tlv.TLV{Tag: x, Value: v})
		}
	}
	if len(c.records) < 4 {
		return // a card without certificates
	}
	r := &c.records[2].objects
	put(r, tag.CAIndex, []byte{testIndex})
	put(r, tag.IssuerCertificate, issuer)
	put(r, tag.IssuerRemainder, rem)
	put(r, tag.IssuerExponent, []byte{3})
	r = &c.records[3].objects
	put(r, tag.ICCCertificate, card)
	put(r, tag.ICCRemainder, rem2)
	put(r, tag.ICCExponent, []byte{3})
}

func (c *scripted) fciBytes() []byte {
	a5 := encode(c.fci)
	if len(c.bf0c) > 0 {
		a5 = tlv.Append(a5, tag.DirectoryDiscretionary, encode(c.bf0c))
	}
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(tlv.Append(nil, tag.DFName, testAID), tag.FCIProprietary, a5))
}

// Transmit checks the command and answers.
func (c *scripted) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := len(c.commands)
	c.commands = append(c.commands, bytes.Clone(command))
	cmd, err := apdu.ParseCommand(command)
	if err != nil {
		c.t.Fatalf("command %d: %v", n, err)
	}
	c.clock += time.Millisecond
	response := c.answer(cmd)
	if n == c.lostAt || (c.lostIns != 0 && cmd.INS == c.lostIns) {
		return nil, fmt.Errorf("transmit: %w", emv.ErrCardLost)
	}
	if n == c.broken {
		return nil, errReader
	}
	if c.raw != nil {
		response = c.raw(cmd.INS, response)
	}
	if sw, ok := c.sw[cmd.INS]; ok {
		return unhex(sw), nil
	}
	if sw, ok := c.swAt[n]; ok {
		return unhex(sw), nil
	}
	return response, nil
}

func (c *scripted) Show(r emv.UIRequest) { c.shown = append(c.shown, r) }

func ok(body []byte) []byte { return append(body, 0x90, 0x00) }

func (c *scripted) answer(cmd apdu.Command) []byte {
	switch cmd.INS {
	case apdu.InsGPO:
		return c.answerGPO(cmd)
	case apdu.InsReadRecord:
		for _, r := range c.records {
			if cmd.P1 == r.n && cmd.P2 == r.sfi<<3|4 && cmd.CLA == 0 {
				body := encode(r.objects)
				if !r.bare {
					body = tlv.Append(nil, tag.RecordTemplate, body)
				}
				return ok(body)
			}
		}
	case apdu.InsExchangeRRD:
		return c.answerRelay(cmd)
	case apdu.InsGenerateAC:
		c.lastAC = c.answerAC(cmd)
		return c.lastAC
	case apdu.InsRecoverAC:
		if c.recover == 0 || c.lastAC == nil {
			return []byte{0x6A, 0x88}
		}
		return c.lastAC
	case apdu.InsChecksum:
		if cmd.P1 != 0x8E || cmd.P2 != 0x80 {
			c.t.Fatalf("checksum: %+v", cmd)
		}
		c.un9F6A = cmd.Data
		return ok(tlv.Append(nil, tag.ResponseFormat2, encode(c.ccc)))
	case apdu.InsGetData:
		g := tlv.Tag(cmd.P1)<<8 | tlv.Tag(cmd.P2)
		if v, there := c.data[g]; there {
			return ok(tlv.Append(nil, g, unhex(v)))
		}
		return []byte{0x6A, 0x88}
	case apdu.InsPutData:
		c.put = append(c.put, tlv.TLV{Tag: tlv.Tag(cmd.P1)<<8 | tlv.Tag(cmd.P2), Value: bytes.Clone(cmd.Data)})
		return []byte{byte(c.putSW >> 8), byte(c.putSW)}
	}
	c.t.Fatalf("the script has no place for %X", cmd)
	return nil
}

func (c *scripted) makeAFL() []byte {
	if c.afl != "" {
		return unhex(c.afl)
	}
	var afl []byte
	for _, r := range c.records {
		signed := byte(0)
		if r.signed {
			signed = 1
		}
		afl = append(afl, r.sfi<<3, r.n, r.n, signed)
	}
	return afl
}

func (c *scripted) answerGPO(cmd apdu.Command) []byte {
	list, _ := tlv.List(c.fci).Find(tag.PDOL)
	size, err := dol.Size(list)
	if err != nil || cmd.CLA != 0x80 || len(cmd.Data) != size+2 || cmd.Data[0] != 0x83 || int(cmd.Data[1]) != size {
		c.t.Fatalf("GPO: %X, %v", cmd.Data, err)
	}
	c.pdol = bytes.Clone(cmd.Data[2:])
	if c.format1 {
		return ok(tlv.Append(nil, tag.ResponseFormat1, append(unhex(c.aip), c.makeAFL()...)))
	}
	var body []byte
	if c.aip != "" {
		body = tlv.Append(body, tag.AIP, unhex(c.aip))
	}
	if c.afl != "none" {
		body = tlv.Append(body, tag.AFL, c.makeAFL())
	}
	return ok(tlv.Append(nil, tag.ResponseFormat2, append(body, encode(c.gpo)...)))
}

func (c *scripted) answerRelay(cmd apdu.Command) []byte {
	if len(cmd.Data) != 4 || cmd.CLA != 0x80 || c.asked >= len(c.relay) {
		c.t.Fatalf("relay resistance command %d: %X", c.asked, cmd.Data)
	}
	c.entropy = bytes.Clone(cmd.Data)
	a := c.relay[c.asked]
	c.clock += time.Duration(c.took[c.asked])*100*time.Microsecond - time.Millisecond
	c.asked++
	return ok(tlv.Append(nil, tag.ResponseFormat1, a[:]))
}

// answerAC makes the cryptogram that was asked for, signed where that was asked for.
func (c *scripted) answerAC(cmd apdu.Command) []byte {
	c.rcp = int(cmd.P1)
	list, _ := c.body().Find(tag.CDOL1)
	size, err := dol.Size(list)
	if err != nil || len(cmd.Data) < size || cmd.CLA != 0x80 {
		c.t.Fatalf("GENERATE AC: %X, %v", cmd.Data, err)
	}
	c.cdol = map[tlv.Tag][]byte{}
	data := bytes.Clone(cmd.Data)
	c.extra = data[size:]
	if err := dol.Split(list, data[:size], func(g tlv.Tag, v []byte) error { c.cdol[g] = v; return nil }); err != nil {
		c.t.Fatal(err)
	}
	cid := cmd.P1 & 0xC0
	if c.cid >= 0 {
		cid = byte(c.cid)
	}
	ac := unhex("5D016C91005E7CC2")
	iad := unhex("0110A00003220000000000000000000000FF")
	objects := tlv.List{{Tag: tag.CID, Value: []byte{cid}}, {Tag: tag.ATC, Value: unhex("02E0")}}
	signed := c.always || (cmd.P1&rcpCDA != 0 && c.sign && (cid != 0 || cmd.P1&0xC0 == 0))
	if c.format1 && !signed {
		return ok(tlv.Append(nil, tag.ResponseFormat1, slices.Concat([]byte{cid}, unhex("02E0"), ac, iad)))
	}
	if !signed {
		objects = append(objects, tlv.TLV{Tag: tag.ApplicationCryptogram, Value: ac})
	}
	objects = append(objects, tlv.TLV{Tag: tag.IAD, Value: iad})
	objects = append(objects, c.ac...)
	for _, g := range c.dropAC {
		drop(&objects, g)
	}
	body := encode(objects)
	if signed {
		hash := sha1.Sum(slices.Concat(c.pdol, data[:size], body))
		dynamic := slices.Concat([]byte{3, 1, 2, 3, cid}, ac, hash[:], c.summary[0], c.summary[1])
		if c.asked > 0 && !c.noRelay {
			dynamic = slices.Concat(dynamic, c.entropy, c.relay[c.asked-1][:])
		}
		un := c.cdol[tag.UN]
		if c.signUN != nil {
			un = c.signUN
		}
		s, err := oda.SignDynamic(c.icc, oda.FormatDDA, dynamic, un)
		if err != nil {
			c.t.Fatal(err)
		}
		body = tlv.Append(body, tag.SDAD, s)
	}
	return ok(tlv.Append(nil, tag.ResponseFormat2, body))
}

// caStore is a terminal's store with the test scheme's key.
func caStore(t testing.TB) *oda.CAStore {
	s := oda.NewCAStore()
	k := oda.CAKey{RID: testRID, Index: testIndex, Modulus: keys().ca.Public().Modulus, Exponent: keys().ca.Public().Exponent}
	if err := s.Add(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Limits of the usual terminal, minor units: an amount above exceeds.
const (
	floorLimit = 20_000
	cvmLimit   = 100_000
	txLimit    = 1_000_000
	odLimit    = 3_000_000
)

// usualConfig takes online PIN, signature and none; its action codes ask the issuer, they deny nothing.
func usualConfig(t testing.TB, c *scripted) Config {
	cfg := Defaults()
	cfg.CAKeys = caStore(t)
	cfg.TACDenial = [5]byte{}
	cfg.FloorLimit, cfg.CVMLimit, cfg.Limit, cfg.LimitOnCDCVM = floorLimit, cvmLimit, txLimit, odLimit
	cfg.Clock = func() time.Duration { return c.clock }
	return cfg
}

func usualInput(c *scripted, amount int64) emv.Input {
	return emv.Input{
		Start: emv.StartA, AID: testAID, Kernel: ID, FCI: c.fciBytes(), FCIStatus: 0x9000,
		Transaction: emv.Transaction{Amount: pay.Fen(amount), Time: testNow, Sequence: 17},
		Terminal: emv.Terminal{AcquirerID: "48000001", Country: 156, Type: 0x22, MerchantID: "898310048160001", TerminalID: "10000001",
			IFDSerial: "HUIKA001", MerchantCategory: 5411, AdditionalTerminal: [5]byte(unhex("6000F0A001"))},
		Rand: rand.NewChaCha8([32]byte{3}),
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
