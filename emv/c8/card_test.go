package c8

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
	"huika/emv/apdu"
	"huika/emv/bdh"
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
	usualPDOL = "9F2B089E40"
	usualCDOL = "9F02069F03069F1A0295055F2A029A039C019F37049F35019F34039F21039F1D089F3303"
	usualAIP  = "010A" // local authentication; offline capable, IAD-MAC at the default offset
	relayAIP  = "010B"
	usualIAD  = "0117A00003220000000000000000000000000000000000000000000000000000" // 32 bytes
)

var keys = sync.OnceValue(func() (k struct{ ca, issuer, icc, other *oda.ECPrivateKey }) {
	src := rand.NewChaCha8([32]byte{8})
	for _, p := range []**oda.ECPrivateKey{&k.ca, &k.issuer, &k.icc, &k.other} {
		var err error
		if *p, err = oda.GenerateECKey(src); err != nil {
			panic(err)
		}
	}
	return k
})

type record struct {
	sfi, n  byte
	signed  bool
	private bool // enciphered
	bare    bool // without a template
	objects tlv.List
}

// scripted is a card that follows a script and fails the test at any command
// that the script has no place for.
type scripted struct {
	t        testing.TB
	name     []byte // 84
	fci      tlv.List
	bf0c     tlv.List
	aip      string
	afl      string // "": made of the records; "none": left out
	gpo      tlv.List
	dropGPO  []tlv.Tag
	keyData  func([]byte) []byte // changes 9F8103
	records  []record
	key      *oda.ECPrivateKey // the card's own
	certKey  oda.ECPublicKey   // in its certificate
	serial   uint64            // of the issuer certificate
	expires  time.Time
	badHash  bool // the card certificate covers other static data
	cid      int  // type of the cryptogram; -1: what was asked for
	ac       tlv.List
	dropAC   []tlv.Tag
	badEDA   bool
	relay    [][10]byte
	took     []int64 // of each EXCHANGE RELAY RESISTANCE DATA, in 0.1 ms
	data     map[tlv.Tag]string
	badData  bool // READ DATA's MAC
	badWrite bool // WRITE DATA's MAC
	raw      func(ins byte, response []byte) []byte
	sw       map[byte]string // by instruction
	swAt     map[int]string  // by number of the command
	lostAt   int
	broken   int

	rand      *rand.ChaCha8
	channel   *bdh.Channel
	commands  [][]byte
	shown     []emv.UIRequest
	pdol      []byte
	gpoValues map[tlv.Tag][]byte
	entropy   [][]byte
	clock     time.Duration
	rcp       int
	more      bool // P2 of GENERATE AC
	cdol      map[tlv.Tag][]byte
	written   tlv.List
	moreWrite []bool
}

func newCard(t testing.TB) *scripted {
	c := &scripted{t: t, name: testAID, aip: usualAIP, key: keys().icc, certKey: keys().icc.Public(), serial: 0x09, expires: time.Date(2030, 12, 31, 23, 59, 0, 0, time.UTC),
		cid: -1, sw: map[byte]string{}, swAt: map[int]string{}, lostAt: -1, broken: -1, data: map[tlv.Tag]string{}, rcp: -1, rand: rand.NewChaCha8([32]byte{5})}
	c.fci = tlv.List{
		{Tag: tag.ApplicationLabel, Value: []byte("MASTERCARD")}, {Tag: tag.LanguagePreference, Value: []byte("zhen")},
		{Tag: tag.PDOL, Value: unhex(usualPDOL)},
	}
	c.bf0c = tlv.List{{Tag: tag.CardQualifier, Value: unhex("0100FFFF000000")}}
	c.records = []record{
		{sfi: 2, n: 1, signed: true, private: true, objects: tlv.List{
			{Tag: tag.PAN, Value: unhex(testPAN)}, {Tag: tag.Track2, Value: unhex("5413330089010434D30122010000000000000F")},
			{Tag: tag.ExpirationDate, Value: unhex("301231")}, {Tag: tag.PSN, Value: unhex("01")}, {Tag: tag.AUC, Value: unhex("FF00")},
			{Tag: tag.ApplicationCurrency, Value: unhex("0156")}, {Tag: tag.ExtendedSDATagList, Value: unhex("8C")},
		}},
		{sfi: 3, n: 1, private: false},
		{sfi: 3, n: 2, private: true},
	}
	c.gpo = tlv.List{{Tag: tag.CDOL1, Value: unhex(usualCDOL)}}
	c.ac = tlv.List{{Tag: tag.CVDecision, Value: []byte{cvdNone}}}
	return c
}

func (c *scripted) body() *tlv.List { return &c.records[0].objects }

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

// static is what the card's certificate covers: signed records, extended objects, AIP.
func (c *scripted) static() []byte {
	var b []byte
	for _, r := range c.records {
		if r.signed && r.sfi > sfiEMV {
			b = tlv.Append(b, tag.RecordTemplate, encode(r.objects))
		} else if r.signed {
			b = append(b, encode(r.objects)...)
		}
	}
	return b
}

func (c *scripted) hash() [32]byte {
	var extended []byte
	for _, r := range c.records {
		list, _ := r.objects.Find(tag.ExtendedSDATagList)
		for len(list) > 0 {
			g, n, err := tlv.ParseTag(list)
			if err != nil {
				c.t.Fatal(err)
			}
			list = list[n:]
			var value []byte
			for _, l := range []tlv.List{c.fci, c.bf0c, c.gpo, *c.body()} {
				if v, ok := l.Find(g); ok {
					value = v
				}
			}
			extended = tlv.Append(extended, g, value)
		}
	}
	return oda.ICCDHash(c.static(), extended, unhex(c.aip))
}

// personalise signs the certificates over what the card holds now.
func (c *scripted) personalise() {
	if len(c.records) < 3 {
		return // a card without certificates
	}
	k := keys()
	issuer, err := oda.SignECIssuer(k.ca, testRID, testIndex, oda.ECSubject{IssuerID: "541333", Expiry: time.Date(2031, 12, 31, 0, 0, 0, 0, time.UTC), Serial: c.serial, Key: k.issuer.Public()})
	if err != nil {
		c.t.Fatal(err)
	}
	hash := c.hash()
	if c.badHash {
		hash[0] ^= 1
	}
	card, err := oda.SignECICC(k.issuer, oda.ECSubject{Expiry: c.expires, Serial: 17, Key: c.certKey}, hash)
	if err != nil {
		c.t.Fatal(err)
	}
	c.records[1].objects = append(c.records[1].objects, tlv.TLV{Tag: tag.CAIndex, Value: []byte{testIndex}}, tlv.TLV{Tag: tag.IssuerCertificate, Value: issuer})
	c.records[2].objects = append(c.records[2].objects, tlv.TLV{Tag: tag.ICCCertificate, Value: card})
}

func (c *scripted) fciBytes() []byte {
	a5 := encode(c.fci)
	if len(c.bf0c) > 0 {
		a5 = tlv.Append(a5, tag.DirectoryDiscretionary, encode(c.bf0c))
	}
	var body []byte
	if c.name != nil {
		body = tlv.Append(nil, tag.DFName, c.name)
	}
	return tlv.Append(nil, tag.FCITemplate, tlv.Append(body, tag.FCIProprietary, a5))
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
	if n == c.lostAt {
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
	want := map[byte]byte{apdu.InsGPO: 0x80, apdu.InsReadRecord: 0, apdu.InsExchangeRRD: 0x80, apdu.InsGenerateAC: 0x80, apdu.InsReadData: 0x84, apdu.InsWriteData: 0x84}
	if cla, known := want[cmd.INS]; !known || cla != cmd.CLA || cmd.Le != 256 {
		c.t.Fatalf("class, instruction or Le: %+v", cmd)
	}
	switch cmd.INS {
	case apdu.InsGPO:
		return c.answerGPO(cmd)
	case apdu.InsReadRecord:
		for _, r := range c.records {
			if cmd.P1 == r.n && cmd.P2 == r.sfi<<3|4 {
				return c.answerRecord(r)
			}
		}
	case apdu.InsExchangeRRD:
		return c.answerRelay(cmd)
	case apdu.InsGenerateAC:
		return c.answerAC(cmd)
	case apdu.InsReadData:
		return c.answerReadData(cmd)
	case apdu.InsWriteData:
		return c.answerWriteData(cmd)
	}
	c.t.Fatalf("the script has no place for %X", cmd)
	return nil
}

func (c *scripted) answerRecord(r record) []byte {
	body := encode(r.objects)
	switch {
	case r.bare:
		return ok(body)
	case !r.private:
		return ok(tlv.Append(nil, tag.RecordTemplate, body))
	}
	if err := c.channel.FromCard(body, body); err != nil {
		c.t.Fatal(err)
	}
	return ok(tlv.Append(nil, tag.EncryptedRecord, body))
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
	list, _ := c.fci.Find(tag.PDOL)
	size, err := dol.Size(list)
	if err != nil || len(cmd.Data) != size+2 || cmd.Data[0] != 0x83 || int(cmd.Data[1]) != size {
		c.t.Fatalf("GPO: %X, %v", cmd.Data, err)
	}
	c.pdol, c.gpoValues = bytes.Clone(cmd.Data[2:]), map[tlv.Tag][]byte{}
	if err := dol.Split(list, c.pdol, func(g tlv.Tag, v []byte) error { c.gpoValues[g] = v; return nil }); err != nil {
		c.t.Fatal(err)
	}
	data, channel, err := bdh.Respond(c.rand, c.key, c.gpoValues[tag.KernelKeyData])
	if err != nil {
		c.t.Fatal(err)
	}
	c.channel = channel
	keyData := data[:]
	if c.keyData != nil {
		keyData = c.keyData(keyData)
	}
	objects := tlv.List{{Tag: tag.AIP, Value: unhex(c.aip)}, {Tag: tag.CardKeyData, Value: keyData}}
	if c.afl != "none" {
		objects = append(objects, tlv.TLV{Tag: tag.AFL, Value: c.makeAFL()})
	}
	objects = append(objects, c.gpo...)
	for _, g := range c.dropGPO {
		drop(&objects, g)
	}
	return ok(tlv.Append(nil, tag.ResponseFormat2, encode(objects)))
}

func (c *scripted) answerRelay(cmd apdu.Command) []byte {
	n := len(c.entropy)
	if len(cmd.Data) != 4 || n >= len(c.relay) {
		c.t.Fatalf("relay resistance command %d: %X", n, cmd.Data)
	}
	c.entropy = append(c.entropy, bytes.Clone(cmd.Data))
	c.clock += time.Duration(c.took[n])*relayUnit - time.Millisecond
	return ok(tlv.Append(nil, tag.ResponseFormat1, c.relay[n][:]))
}

// answerAC makes the cryptogram that was asked for and its codes.
func (c *scripted) answerAC(cmd apdu.Command) []byte {
	if cmd.P2 != 0 && cmd.P2 != moreCommands {
		c.t.Fatalf("GENERATE AC P2 %02X", cmd.P2)
	}
	c.rcp, c.more = int(cmd.P1), cmd.P2 == moreCommands
	list, _ := c.gpo.Find(tag.CDOL1)
	if list == nil {
		list = unhex(usualCDOL)
	}
	c.cdol = map[tlv.Tag][]byte{}
	data := bytes.Clone(cmd.Data)
	if err := dol.Split(list, data, func(g tlv.Tag, v []byte) error { c.cdol[g] = v; return nil }); err != nil {
		c.t.Fatalf("GENERATE AC: %v", err)
	}
	cid := cmd.P1
	if c.cid >= 0 {
		cid = byte(c.cid)
	}
	ac := unhex("5D016C91005E7CC2")
	objects := tlv.List{{Tag: tag.CID, Value: []byte{cid}}, {Tag: tag.ATC, Value: unhex("02E0")}, {Tag: tag.ApplicationCryptogram, Value: ac}, {Tag: tag.IAD, Value: unhex(usualIAD)}}
	objects = append(objects, c.ac...)
	for _, g := range c.dropAC {
		drop(&objects, g)
	}
	covered := slices.Clone(objects)
	drop(&covered, tag.ApplicationCryptogram)
	var entropy, answer []byte
	if n := len(c.entropy); n > 0 {
		entropy, answer = c.entropy[n-1], c.relay[n-1][:]
	}
	hash := c.hash()
	eda := c.channel.EDAMAC(ac, c.channel.IADMAC(c.pdol, data, entropy, answer, encode(covered), hash[:]))
	if c.badEDA {
		eda[7] ^= 1
	}
	if !slices.Contains(c.dropAC, tag.EDAMAC) {
		objects = append(objects, tlv.TLV{Tag: tag.EDAMAC, Value: eda[:]})
	}
	return ok(tlv.Append(nil, tag.ResponseFormat2, encode(objects)))
}

func (c *scripted) answerReadData(cmd apdu.Command) []byte {
	g, n, err := tlv.ParseTag(cmd.Data)
	if err != nil || n != len(cmd.Data) || cmd.P1 != 0 || cmd.P2 != 0 || c.rcp >= 0 {
		c.t.Fatalf("READ DATA %X", cmd.Data)
	}
	v, there := c.data[g]
	if !there {
		return []byte{0x6A, 0x88}
	}
	sealed, err := c.channel.SealData(unhex(v))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.badData {
		sealed[0] ^= 1
	}
	return ok(sealed)
}

func (c *scripted) answerWriteData(cmd apdu.Command) []byte {
	if c.rcp < 0 || cmd.P1 != 0 || !c.more {
		c.t.Fatalf("WRITE DATA %+v", cmd)
	}
	plain := make([]byte, len(cmd.Data))
	if err := c.channel.FromKernel(plain, cmd.Data); err != nil {
		c.t.Fatal(err)
	}
	list, err := tlv.Parse(plain)
	if err != nil || len(list) != 1 {
		c.t.Fatalf("WRITE DATA %X: %v", plain, err)
	}
	c.written, c.moreWrite = append(c.written, list[0]), append(c.moreWrite, cmd.P2 == moreCommands)
	receipt, err := c.channel.Receipt(plain)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.badWrite {
		receipt[0] ^= 1
	}
	return ok(receipt[:])
}

// caStore is a terminal's store with the test scheme's key.
func caStore(t testing.TB) *oda.CAStore {
	s := oda.NewCAStore()
	k := oda.ECCAKey{RID: testRID, Index: testIndex, X: keys().ca.Public().X()}
	if err := s.AddEC(k, k.Checksum()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Limits of the usual terminal, minor units: an amount above exceeds.
const (
	floorLimit = 20_000
	cvmLimit   = 100_000
)

// usualConfig takes online PIN, signature and on-device CVM.
func usualConfig(t testing.TB, c *scripted) Config {
	cfg := Defaults()
	cfg.CAKeys = caStore(t)
	cfg.FloorLimit, cfg.CVMLimit = floorLimit, cvmLimit
	cfg.TACOnline[4] &^= tvr5AIDMismatch
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
