package card_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/dol"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

func seeded() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{9}) }

func make1(t testing.TB, name string, s card.State) perso.Contactless {
	t.Helper()
	c, err := perso.TestIssuer().Card(name, s, seeded())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// send exchanges one command and wants its status word.
func send(t testing.TB, c perso.Contactless, command []byte, sw uint16) []byte {
	t.Helper()
	r, err := apdu.ParseResponse(c.Transmit(command))
	if err != nil {
		t.Fatalf("%s: %v", apdu.Name(command), err)
	}
	if r.SW != sw {
		t.Fatalf("%s: SW %04X, want %04X", apdu.Name(command), r.SW, sw)
	}
	return r.Data
}

// terminal is what the test's terminal puts into the PDOL.
var terminal = map[tlv.Tag]string{
	tag.TTQ: "26C04000", tag.AmountAuthorised: "000000008880", tag.AmountOther: "000000000000", tag.TerminalCountry: "0156",
	tag.TVR: "0000000000", tag.TransactionCurrency: "0156", tag.TransactionDate: "261123", tag.TransactionType: "00", tag.UN: "01234567",
}

func pdolData(t testing.TB, pdol []byte, change map[tlv.Tag]string) ([]byte, map[tlv.Tag][]byte) {
	t.Helper()
	sent := map[tlv.Tag][]byte{}
	data, err := dol.Build(nil, pdol, func(g tlv.Tag) ([]byte, bool) {
		s, ok := change[g]
		if !ok {
			s, ok = terminal[g]
		}
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		sent[g] = b
		return b, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return data, sent
}

// tap is a whole exchange by raw commands: directory, application, GPO, all records of the AFL.
type tap struct {
	objects map[tlv.Tag][]byte // sent and received
	records []byte             // signed ones
	longest int
}

func drive(t testing.TB, c perso.Contactless, change map[tlv.Tag]string) *tap {
	t.Helper()
	c.Reset()
	p := &tap{}
	list := send(t, c, apdu.Select([]byte(card.PPSE), false), 0x9000)
	aid, ok := tlv.Find(list, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary, tag.ApplicationTemplate, tag.AID)
	if !ok {
		t.Fatal("directory without an application")
	}
	fci := send(t, c, apdu.Select(aid, false), 0x9000)
	pdol, ok := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	if !ok {
		t.Fatal("no PDOL")
	}
	data, sent := pdolData(t, pdol, change)
	p.objects = sent
	keep := func(b []byte) {
		p.longest = max(p.longest, len(b))
		if err := tlv.Walk(b, func(_ int, o tlv.TLV) error { p.objects[o.Tag] = o.Value; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	keep(fci)
	keep(send(t, c, apdu.GPO(data), 0x9000))
	for afl := p.objects[tag.AFL]; len(afl) >= 4; afl = afl[4:] {
		for n := afl[1]; n <= afl[2]; n++ {
			b := send(t, c, apdu.ReadRecord(afl[0]>>3, n), 0x9000)
			keep(b)
			if n < afl[1]+afl[3] {
				var err error
				if p.records, err = oda.AppendRecord(p.records, afl[0]>>3, b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return p
}

// authenticate is fDDA version 01 as a terminal does it.
func (p *tap) authenticate(t testing.TB) error {
	t.Helper()
	o := p.objects
	store, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	ca, ok := store.Lookup([5]byte(o[tag.DFName][:5]), o[tag.CAIndex][0])
	if !ok {
		t.Fatal("CA key unknown")
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	pan := strings.TrimRight(hex.EncodeToString(o[tag.PAN]), "f")
	issuer, info, err := oda.RecoverIssuer(ca, o[tag.IssuerCertificate], o[tag.IssuerRemainder], o[tag.IssuerExponent], pan, now)
	if err != nil {
		return err
	}
	if store.Revoked(ca.RID, ca.Index, info.Serial) {
		t.Fatal("revoked")
	}
	static, err := oda.StaticData(p.records, o[tag.SDATagList], o[tag.AIP])
	if err != nil {
		return err
	}
	icc, err := oda.RecoverICC(issuer, o[tag.ICCCertificate], o[tag.ICCRemainder], o[tag.ICCExponent], o[tag.PAN], static, now)
	if err != nil {
		return err
	}
	d, err := oda.VerifyDynamic(icc, o[tag.SDAD], oda.FDDAData(nil, o[tag.UN], o[tag.AmountAuthorised], o[tag.TransactionCurrency], o[tag.CardAuthData]))
	if err != nil {
		return err
	}
	if n, ok := d.Number(); !ok || !bytes.Equal(n, o[tag.ATC]) {
		t.Errorf("ICC dynamic number %X", d.Data)
	}
	return nil
}

// arqcGood is the issuer's check.
func (p *tap) arqcGood(t testing.TB, account string) bool {
	t.Helper()
	i := perso.TestIssuer()
	for _, a := range i.Accounts(func(string) string { return "1" }) {
		if a.Profile != account {
			continue
		}
		data, err := cryptogram.PBOCData(func(g tlv.Tag) ([]byte, bool) { v, ok := p.objects[g]; return v, ok })
		if err != nil {
			t.Fatal(err)
		}
		udk, err := cryptogram.PBOC01.CardKey(i.IMK(), a.PAN, a.PSN)
		if err != nil {
			t.Fatal(err)
		}
		b := p.objects[tag.ATC]
		sk, err := cryptogram.PBOC01.SessionKey(udk, uint16(b[0])<<8|uint16(b[1]))
		if err != nil {
			t.Fatal(err)
		}
		ac, err := cryptogram.PBOC01.MAC(sk, data)
		if err != nil {
			t.Fatal(err)
		}
		track := hex.EncodeToString(p.objects[tag.Track2])
		if !strings.HasPrefix(track, a.PAN.Reveal()+"d"+a.Expiry) || fmt.Sprintf("%X", p.objects[tag.PSN]) != a.PSN {
			t.Errorf("track 2 or sequence number is not the account's")
		}
		return bytes.Equal(ac[:], p.objects[tag.ApplicationCryptogram])
	}
	t.Fatalf("no account %s", account)
	return false
}

// Every card's whole exchange, driven by raw commands, is verified by terminal
// and issuer, and clones fail at their place.
func TestWholeExchange(t *testing.T) {
	for _, p := range perso.ProfilesOf(perso.UnionPay) {
		if p.Name == "unionpay-sm-phone" { // has no RSA; TestSMChoice drives it
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			x := drive(t, make1(t, p.Name, card.NewMemoryState()), nil)
			err := x.authenticate(t)
			word := p.Name[strings.LastIndex(p.Name, "-")+1:]
			bad := strings.Contains(p.Name, "cloned") || word == "altered" || word == "uncertified"
			if bad && !errors.Is(err, oda.ErrSignature) && !errors.Is(err, oda.ErrHash) && !errors.Is(err, oda.ErrCertificate) {
				t.Errorf("its signature: %v", err)
			} else if !bad && err != nil {
				t.Errorf("signature: %v", err)
			}
			if good := x.arqcGood(t, p.Account); good != (p.Name != "unionpay-cloned-online") {
				t.Errorf("cryptogram good: %v", good)
			}
			if x.longest > 254 {
				t.Errorf("an answer has %d bytes", x.longest)
			}
			if o := x.objects; o[tag.CardAuthData][0] != 1 || !bytes.Equal(o[tag.CardAuthData][5:], o[tag.CTQ]) {
				t.Errorf("9F69 %X, CTQ %X", o[tag.CardAuthData], o[tag.CTQ])
			}
			if o := x.objects; o[tag.IAD][4]&0x30 != 0x20 {
				t.Errorf("9F10 %X is no ARQC", o[tag.IAD])
			}
			if cid, ok := x.objects[tag.CID]; ok && cid[0] != 0x80 {
				t.Errorf("9F27 %X", cid)
			}
		})
	}
}

// The CTQ that each card answers, and what its CVR states under the cryptogram.
func TestCTQ(t *testing.T) {
	const (
		small     = "26804000" // no CVM required
		large     = "26C04000" // CVM required, online PIN and signature possible
		largeSign = "22C04000" // no online PIN
		largeNone = "20C04000"
	)
	for _, c := range []struct {
		name, ttq, ctq string
		pin, cdcvm     bool
	}{
		{"unionpay-debit", small, "0000", false, false},
		{"unionpay-debit", large, "8000", true, false},
		{"unionpay-debit", largeSign, "0000", false, false},
		{"unionpay-credit", small, "0000", false, false},
		{"unionpay-credit", large, "8000", true, false},
		{"unionpay-credit", largeSign, "4000", false, false},
		{"unionpay-credit", largeNone, "0000", false, false},
		{"unionpay-phone", small, "0080", false, true},
		{"unionpay-phone", large, "0080", false, true},
		{"unionpay-watch", large, "0080", false, true},
		{"unionpay-pin-always", small, "8000", true, false},
		{"unionpay-pin-always", large, "8000", true, false},
		{"unionpay-pin-always", largeSign, "0000", false, false},
		{"unionpay-cloned", small, "0000", false, false},
		{"unionpay-cloned-online", small, "2000", false, false},
		{"unionpay-cloned-online", large, "A000", true, false},
	} {
		x := drive(t, make1(t, c.name, card.NewMemoryState()), map[tlv.Tag]string{tag.TTQ: c.ttq})
		if got := fmt.Sprintf("%X", x.objects[tag.CTQ]); got != c.ctq {
			t.Errorf("%s, TTQ %s: CTQ %s, want %s", c.name, c.ttq, got, c.ctq)
		}
		iad, err := cryptogram.ParseIAD(x.objects[tag.IAD])
		if err != nil {
			t.Fatal(err)
		}
		if iad.CVR.OnlinePIN() != c.pin || iad.CVR.CDCVM() != c.cdcvm || !iad.CVR.DDA() {
			t.Errorf("%s, TTQ %s: CVR %X", c.name, c.ttq, iad.CVR)
		}
	}
}

// An offline-only reader gets an AAC without records.
func TestOfflineOnlyReader(t *testing.T) {
	c := make1(t, "unionpay-credit", card.NewMemoryState())
	x := drive(t, c, map[tlv.Tag]string{tag.TTQ: "2E804000"})
	if x.objects[tag.IAD][4]&0x30 != 0 || x.objects[tag.CID][0] != 0 || x.objects[tag.AFL] != nil {
		t.Errorf("9F10 %X, AFL %X", x.objects[tag.IAD], x.objects[tag.AFL])
	}
	if !x.arqcGood(t, "unionpay-credit") {
		t.Error("the AAC is not the card's")
	}
	send(t, c, apdu.ReadRecord(1, 1), apdu.SWConditions)
}

// Errors in form, place and state get the status words of ISO/IEC 7816-4.
func TestStatusWords(t *testing.T) {
	aid := []byte{0xA0, 0, 0, 3, 0x33, 1, 1, 1}
	gpo, _ := pdolData(t, card.PDOL, nil)
	magStripe, _ := pdolData(t, card.PDOL, map[tlv.Tag]string{tag.TTQ: "86C04000"})
	ready := [][]byte{apdu.Select(aid, false), apdu.GPO(gpo)}
	for _, c := range []struct {
		name    string
		before  [][]byte
		command []byte
		sw      uint16
	}{
		{"GPO before SELECT", nil, apdu.GPO(gpo), 0x6985},
		{"GPO after the directory", [][]byte{apdu.Select([]byte(card.PPSE), false)}, apdu.GPO(gpo), 0x6985},
		{"GPO twice", ready, apdu.GPO(gpo), 0x6985},
		{"GPO after a new SELECT", append(ready[:2:2], apdu.Select(aid, false)), apdu.GPO(gpo), 0x9000},
		{"READ RECORD before GPO", ready[:1], apdu.ReadRecord(1, 1), 0x6985},
		{"READ RECORD after a new SELECT", append(ready[:2:2], apdu.Select(aid, false)), apdu.ReadRecord(1, 1), 0x6985},
		{"unknown AID", nil, apdu.Select([]byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, false), 0x6A82},
		{"longer AID", nil, apdu.Select(append(aid[:8:8], 1), false), 0x6A82},
		{"beginning of the AID", nil, apdu.Select(aid[:7], false), 0x9000},
		{"next occurrence", ready[:1], apdu.Select(aid, true), 0x6A82},
		{"unknown file", ready, apdu.ReadRecord(9, 1), 0x6A82},
		{"unknown record", ready, apdu.ReadRecord(2, 3), 0x6A83},
		{"unknown record of the last file", ready, apdu.ReadRecord(3, 2), 0x6A83},
		{"record 0", ready, apdu.ReadRecord(2, 0), 0x6A86},
		{"READ RECORD by the current file", ready, []byte{0, 0xB2, 1, 4, 0}, 0x6A86},
		{"READ RECORD with P2 of no record number", ready, []byte{0, 0xB2, 1, 0x0A, 0}, 0x6A86},
		{"SELECT by file identifier", nil, []byte{0, 0xA4, 0, 0, 2, 0x3F, 0, 0}, 0x6A86},
		{"SELECT without name", nil, []byte{0, 0xA4, 4, 0, 0}, 0x6700},
		{"SELECT, Lc beyond the end", nil, []byte{0, 0xA4, 4, 0, 7, 1}, 0x6700},
		{"three bytes", nil, []byte{0, 0xA4, 4}, 0x6700},
		{"nothing", nil, nil, 0x6700},
		{"extended length", nil, []byte{0, 0xA4, 4, 0, 0, 0, 1, 1}, 0x6700},
		{"GPO with P1", ready[:1], append([]byte{0x80, 0xA8, 1}, apdu.GPO(gpo)[3:]...), 0x6A86},
		{"GPO one byte short", ready[:1], apdu.GPO(gpo[1:]), 0x6700},
		{"GPO without template", ready[:1], []byte{0x80, 0xA8, 0, 0, 1, 1, 0}, 0x6A80},
		{"GPO of a mag-stripe reader", ready[:1], apdu.GPO(magStripe), 0x6985},
		{"GPO in class 00", ready[:1], append([]byte{0x00}, apdu.GPO(gpo)[1:]...), 0x6E00},
		{"SELECT in class 80", nil, append([]byte{0x80}, apdu.Select(aid, false)[1:]...), 0x6E00},
		{"unknown class", nil, []byte{0x90, 0xA4, 4, 0}, 0x6E00},
		{"unknown instruction", nil, []byte{0, 0x20, 0, 0x80}, 0x6D00},
		{"GENERATE AC", ready, []byte{0x80, 0xAE, 0x80, 0, 0}, 0x6D00},
		{"Le too small", nil, append(apdu.Select(aid, false)[:13:13], 5), 0x6C00},
	} {
		x := make1(t, "unionpay-debit", card.NewMemoryState())
		for _, b := range c.before {
			send(t, x, b, 0x9000)
		}
		r, err := apdu.ParseResponse(x.Transmit(c.command))
		if c.sw == 0x6C00 {
			r.SW &= 0xFF00
		}
		if err != nil || r.SW != c.sw {
			t.Errorf("%s: SW %04X, want %04X (%v)", c.name, r.SW, c.sw, err)
		}
	}
}

func TestThings(t *testing.T) {
	for _, name := range []string{"transit", "staff"} {
		c := make1(t, name, nil)
		c.Reset()
		send(t, c, apdu.Select([]byte(card.PPSE), false), 0x6A82)
		send(t, c, []byte{0, 0xB2, 1, 4, 0}, 0x6D00)
		send(t, c, []byte{0x80, 0xA8, 0, 0}, 0x6E00)
		send(t, c, []byte{0}, 0x6700)
	}
	send(t, make1(t, "transit", nil), apdu.Select([]byte{0xA0, 0, 0, 6, 0x32, 1, 1, 5}, false), 0x9000)
	if r := make1(t, "dead", nil).Transmit(apdu.Select([]byte(card.PPSE), false)); r != nil {
		t.Errorf("a dead chip answers %X", r)
	}
}

func TestNewRefuses(t *testing.T) {
	key, err := oda.GenerateKey(seeded(), 1024, 3)
	if err != nil {
		t.Fatal(err)
	}
	good := func() card.Data {
		return card.Data{AID: []byte{0xA0, 0, 0, 3, 0x33, 1, 1, 1}, Track2: []byte{1}, LastSFI: 3, Key: key,
			UDK: pay.NewSecret(make([]byte, 16)), Records: []card.Record{{SFI: 1, Number: 1}}}
	}
	if _, err := card.New(good(), card.NewMemoryState(), seeded()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*card.Data){
		"AID":         func(d *card.Data) { d.AID = nil },
		"key":         func(d *card.Data) { d.Key = nil },
		"UDK":         func(d *card.Data) { d.UDK = pay.Secret{} },
		"track 2":     func(d *card.Data) { d.Track2 = make([]byte, 20) },
		"records":     func(d *card.Data) { d.Records = nil },
		"SFI":         func(d *card.Data) { d.LastSFI = 31 },
		"same SFI":    func(d *card.Data) { d.LastSFI = 1 },
		"long record": func(d *card.Data) { d.Records[0].Body = make([]byte, 251) },
		"last record": func(d *card.Data) { d.LastBody = make([]byte, 241) },
	} {
		d := good()
		spoil(&d)
		if _, err := card.New(d, card.NewMemoryState(), seeded()); !errors.Is(err, card.ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := card.New(good(), nil, seeded()); !errors.Is(err, card.ErrData) {
		t.Errorf("state: %v", err)
	}
}

// Any bytes get an answer with a status word, and never a second cryptogram under one counter.
func FuzzTransmit(f *testing.F) {
	aid := []byte{0xA0, 0, 0, 3, 0x33, 1, 1, 1}
	gpo, _ := pdolData(f, card.PDOL, nil)
	f.Add([]byte(nil), []byte{0, 0xA4, 4, 0, 0}, []byte{0x80})
	f.Add(apdu.Select([]byte(card.PPSE), false), apdu.Select(aid, false), apdu.GPO(gpo))
	f.Add(apdu.Select(aid, false), apdu.GPO(gpo), apdu.ReadRecord(3, 1))
	f.Add(apdu.Select(aid, false), apdu.GPO(gpo), apdu.GPO(gpo))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		for _, name := range []string{"unionpay-debit", "transit"} {
			x := make1(t, name, card.NewMemoryState())
			cryptograms := 0
			for _, command := range [][]byte{a, b, c} {
				r := x.Transmit(command)
				if len(r) < 2 || len(r) > 258 {
					t.Fatalf("answer of %d bytes", len(r))
				}
				if _, ok := tlv.Find(r[:len(r)-2], tag.ResponseFormat2, tag.ApplicationCryptogram); ok {
					cryptograms++
				}
			}
			if cryptograms > 1 {
				t.Fatal("two cryptograms without two SELECTs in three commands")
			}
		}
	})
}

func BenchmarkTap(b *testing.B) {
	c := make1(b, "unionpay-debit", card.NewMemoryState())
	gpo, _ := pdolData(b, card.PDOL, nil)
	commands := [][]byte{apdu.Select([]byte(card.PPSE), false), apdu.Select([]byte{0xA0, 0, 0, 3, 0x33, 1, 1, 1}, false), apdu.GPO(gpo),
		apdu.ReadRecord(1, 1), apdu.ReadRecord(2, 1), apdu.ReadRecord(2, 2), apdu.ReadRecord(3, 1)}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n == 60_000 { // a counter ends at 65535
			b.StopTimer()
			c, n = make1(b, "unionpay-debit", card.NewMemoryState()), 0
			b.StartTimer()
		}
		for _, x := range commands {
			if r := c.Transmit(x); len(r) < 2 {
				b.Fatal("no answer")
			}
		}
	}
}
