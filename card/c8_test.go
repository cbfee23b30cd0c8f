package card_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/bdh"
	"huika/emv/cryptogram"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

var c8AID = []byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}

// makeC8 makes a card by name, with changed personalisation where change is given.
func makeC8(t testing.TB, name string, s card.State, change func(*card.C8Data)) *card.C8 {
	t.Helper()
	d, err := perso.TestIssuer().C8Data(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&d)
	}
	c, err := card.NewC8(d, s, seeded())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open selects the application and opens the channel as a terminal does.
func open(t testing.TB, c *card.C8) (*bdh.Channel, bdh.Blinded, []byte) {
	t.Helper()
	if r := c.Transmit(apdu.Select(c8AID, false)); !bytes.HasSuffix(r, []byte{0x90, 0}) {
		t.Fatalf("SELECT %X", r)
	}
	key, err := bdh.NewKernelKey(seeded())
	if err != nil {
		t.Fatal(err)
	}
	public := key.Public()
	r := c.Transmit(apdu.GPO(append(make([]byte, 8), public[:]...)))
	data, ok := tlv.Find(r, tag.ResponseFormat2, tag.CardKeyData)
	if !ok {
		t.Fatalf("GPO %X", r)
	}
	channel, blinded, err := key.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return channel, blinded, r
}

func TestC8Exchange(t *testing.T) {
	d, err := perso.TestIssuer().C8Data("c8")
	if err != nil {
		t.Fatal(err)
	}
	c := makeC8(t, "c8", card.NewMemoryState(), nil)
	channel, blinded, gpo := open(t, c)
	if err := blinded.Verify(d.Key.Public()); err != nil {
		t.Error(err)
	}
	if len(gpo) > 258 {
		t.Errorf("GPO answers %d bytes", len(gpo))
	}
	for _, record := range d.Records {
		r := c.Transmit(apdu.ReadRecord(record.SFI, record.Number))
		want := tag.RecordTemplate
		if record.Private {
			want = tag.EncryptedRecord
		}
		body, ok := tlv.Find(r[:len(r)-2], want)
		if !ok || len(r) > 258 {
			t.Fatalf("record %d %d: %X", record.SFI, record.Number, r)
		}
		if record.Private {
			if bytes.Equal(body, record.Body) {
				t.Errorf("record %d %d is not enciphered", record.SFI, record.Number)
			}
			if err := channel.FromCard(body, body); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, record.Body) {
			t.Errorf("record %d %d: %X", record.SFI, record.Number, body)
		}
	}
	if r := c.Transmit(apdu.ReadRecord(1, 9)); !bytes.Equal(r, []byte{0x6A, 0x83}) {
		t.Errorf("record 9: %X", r)
	}
	if r := c.Transmit(apdu.ReadRecord(9, 1)); !bytes.Equal(r, []byte{0x6A, 0x82}) {
		t.Errorf("file 9: %X", r)
	}
}

// The counter is durable before anything under it leaves, and a card without counters does not answer.
func TestC8Counter(t *testing.T) {
	s := card.NewMemoryState()
	c := makeC8(t, "c8", s, nil)
	for n := range 3 {
		open(t, c)
		if have, err := s.Load(); err != nil || have.ATC != uint16(n+1) {
			t.Errorf("ATC %d, %v", have.ATC, err)
		}
	}
	if err := s.Save(card.Counters{ATC: 0xFFFF}); err != nil {
		t.Fatal(err)
	}
	c.Transmit(apdu.Select(c8AID, false))
	if r := c.Transmit(apdu.GPO(make([]byte, 72))); !bytes.Equal(r, []byte{0x69, 0x85}) {
		t.Errorf("counter used up: %X", r)
	}
	broken := makeC8(t, "c8", brokenC8State{}, nil)
	broken.Transmit(apdu.Select(c8AID, false))
	if r := broken.Transmit(apdu.GPO(make([]byte, 72))); !bytes.Equal(r, []byte{0x69, 0x85}) {
		t.Errorf("state can't be saved: %X", r)
	}
}

type brokenC8State struct{}

func (brokenC8State) Load() (card.Counters, error) { return card.Counters{}, nil }
func (brokenC8State) Save(card.Counters) error     { return errors.New("disk full") }

func TestNewC8(t *testing.T) {
	good, err := perso.TestIssuer().C8Data("c8")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*card.C8Data){
		"AID": func(d *card.C8Data) { d.AID = nil }, "key": func(d *card.C8Data) { d.Key = nil }, "card key": func(d *card.C8Data) { d.CardKey = pay.Secret{} },
		"version": func(d *card.C8Data) { d.Version = 0 }, "no records": func(d *card.C8Data) { d.Records = nil },
		"PDOL without key": func(d *card.C8Data) { d.PDOL = []byte{0x9F, 0x2B, 8} }, "PDOL": func(d *card.C8Data) { d.PDOL = []byte{0x9E} },
		"CDOL1": func(d *card.C8Data) { d.CDOL1 = []byte{0x95, 5, 0x9A, 3} },
		"record": func(d *card.C8Data) {
			d.Records = []card.C8Record{{Record: card.Record{SFI: 31, Number: 1}}}
		},
		"envelope tag":    func(d *card.C8Data) { d.Envelopes = map[tlv.Tag][]byte{tag.PAN: nil} },
		"envelope length": func(d *card.C8Data) { d.Envelopes = map[tlv.Tag][]byte{tag.DataEnvelope1: make([]byte, 161)} },
	} {
		d := good
		change(&d)
		if _, err := card.NewC8(d, card.NewMemoryState(), seeded()); !errors.Is(err, card.ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := card.NewC8(good, nil, seeded()); !errors.Is(err, card.ErrData) {
		t.Errorf("no state: %v", err)
	}
	if s := fmt.Sprintf("%v%+v", good, makeC8(t, "c8", card.NewMemoryState(), nil)); s != "[secret][secret]" {
		t.Error(s)
	}
}

// What GENERATE AC refuses, and that one transaction has one cryptogram.
func TestC8GenerateAC(t *testing.T) {
	generate := func(c *card.C8, p1, p2 byte, n int) []byte {
		return c.Transmit(apdu.Command{CLA: 0x80, INS: apdu.InsGenerateAC, P1: p1, P2: p2, Data: make([]byte, n), Le: 256}.Append(nil))
	}
	d, err := perso.TestIssuer().C8Data("c8")
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for i := 0; i < len(d.CDOL1); {
		_, n, err := tlv.ParseTag(d.CDOL1[i:])
		if err != nil {
			t.Fatal(err)
		}
		size += int(d.CDOL1[i+n])
		i += n + 1
	}
	c := makeC8(t, "c8", card.NewMemoryState(), nil)
	open(t, c)
	for _, p := range [][2]byte{{0xC0, 0}, {0x50, 0}, {0x80, 1}} {
		if r := generate(c, p[0], p[1], size); !bytes.Equal(r, []byte{0x6A, 0x86}) {
			t.Errorf("P1 P2 %X: %X", p, r)
		}
	}
	if r := generate(c, 0x80, 0, size-1); !bytes.Equal(r, []byte{0x67, 0x00}) {
		t.Errorf("short data: %X", r)
	}
	r := generate(c, 0x80, 0, size)
	cid, _ := tlv.Find(r, tag.ResponseFormat2, tag.CID)
	if !bytes.Equal(cid, []byte{0x80}) {
		t.Errorf("GENERATE AC: %X", r)
	}
	raw, _ := tlv.Find(r, tag.ResponseFormat2, tag.IAD)
	iad, err := cryptogram.ParseAESIAD(raw)
	if mac, _ := iad.IADMAC(); err != nil || mac != [8]byte{} || iad.CVR.Type() != cryptogram.ARQC {
		t.Errorf("9F10 %X: %v", raw, err) // the place of the IAD-MAC is the kernel's to fill
	}
	if r := generate(c, 0x80, 0, size); !bytes.Equal(r, []byte{0x69, 0x85}) {
		t.Errorf("a second cryptogram: %X", r)
	}
	c = makeC8(t, "c8", card.NewMemoryState(), nil)
	open(t, c)
	if cid, _ := tlv.Find(generate(c, 0x00, 0, size), tag.ResponseFormat2, tag.CID); !bytes.Equal(cid, []byte{0}) {
		t.Errorf("an AAC that was asked for: %X", cid)
	}
}
