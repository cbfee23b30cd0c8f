package oda_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/emv/apdu"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector is a recorded exchange of a third party. The files are not ours to
// keep; the tests read them from $HUIKA_VECTORS.
type vector struct {
	Un          string `json:"unpredictable_number"`
	Date        string
	Transaction string
	Exchanges   []struct{ Command, Response string }
	CA          struct{ RID, Index, Modulus, Exponent string } `json:"ca_public_key"`
}

func loadVector(t testing.TB, name string) vector {
	t.Helper()
	dir := os.Getenv("HUIKA_VECTORS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("HUIKA_VECTORS not set: the recorded exchanges must be checked in CI")
		}
		t.Skip("HUIKA_VECTORS not set: recorded exchanges are not checked")
	}
	b, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// tap is what a kernel holds when it starts offline data authentication.
type tap struct {
	objects   map[tlv.Tag][]byte // of all responses
	records   []byte             // signed records, as AppendRecord gives them
	pdol      []byte             // data of the GPO command
	cdol      []byte             // data of the GENERATE AC command
	acBody    []byte             // its response without 9F4B
	ca        oda.CAKey
	un        []byte
	amount    []byte
	currency  []byte
	now       time.Time
	aflSigned map[[2]byte]bool
}

func collect(t testing.TB, v vector) *tap {
	t.Helper()
	p := &tap{objects: map[tlv.Tag][]byte{}, aflSigned: map[[2]byte]bool{}}
	p.ca = oda.CAKey{RID: [5]byte(unhex(t, v.CA.RID)), Index: unhex(t, v.CA.Index)[0], Modulus: unhex(t, v.CA.Modulus), Exponent: unhex(t, v.CA.Exponent)}
	p.un = unhex(t, v.Un)
	transaction := unhex(t, v.Transaction)
	p.amount, _ = tlv.Find(transaction, tag.AmountAuthorised)
	p.currency, _ = tlv.Find(transaction, tag.TransactionCurrency)
	var err error
	if p.now, err = time.Parse("060102", v.Date); err != nil {
		t.Fatal(err)
	}
	keep := func(data []byte) {
		if err := tlv.Walk(data, func(_ int, o tlv.TLV) error { p.objects[o.Tag] = bytes.Clone(o.Value); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range v.Exchanges {
		c, err := apdu.ParseCommand(unhex(t, x.Command))
		if err != nil {
			t.Fatal(err)
		}
		r, err := apdu.ParseResponse(unhex(t, x.Response))
		if err != nil || !r.OK() {
			t.Fatal(err, r.SW)
		}
		keep(r.Data)
		switch c.INS {
		case apdu.InsGPO:
			p.pdol, _ = tlv.Find(c.Data, tag.CommandTemplate)
			for afl := p.objects[tag.AFL]; len(afl) >= 4; afl = afl[4:] {
				for i := range afl[3] {
					p.aflSigned[[2]byte{afl[0] >> 3, afl[1] + i}] = true
				}
			}
		case apdu.InsReadRecord:
			if sfi := c.P2 >> 3; p.aflSigned[[2]byte{sfi, c.P1}] {
				if p.records, err = oda.AppendRecord(p.records, sfi, r.Data); err != nil {
					t.Fatal(err)
				}
			}
		case apdu.InsGenerateAC:
			p.cdol = c.Data
			body, _ := tlv.Find(r.Data, tag.ResponseFormat2)
			for rd := tlv.NewReader(body); rd.Next(); {
				if rd.TLV().Tag != tag.SDAD {
					p.acBody = append(p.acBody, rd.Raw()...)
				}
			}
		}
	}
	return p
}

// chain recovers the card's key as a kernel does.
func (p *tap) chain() (oda.PublicKey, error) {
	o := p.objects
	digits := strings.TrimRight(hex.EncodeToString(o[tag.PAN]), "f")
	issuer, _, err := oda.RecoverIssuer(p.ca, o[tag.IssuerCertificate], o[tag.IssuerRemainder], o[tag.IssuerExponent], digits, p.now)
	if err != nil {
		return oda.PublicKey{}, err
	}
	static, err := oda.StaticData(p.records, o[tag.SDATagList], o[tag.AIP])
	if err != nil {
		return oda.PublicKey{}, err
	}
	return oda.RecoverICC(issuer, o[tag.ICCCertificate], o[tag.ICCRemainder], o[tag.ICCExponent], o[tag.PAN], static, p.now)
}

// fdda is the whole check of an fDDA version 01 tap.
func (p *tap) fdda() (oda.Dynamic, error) {
	icc, err := p.chain()
	if err != nil {
		return oda.Dynamic{}, err
	}
	return oda.VerifyDynamic(icc, p.objects[tag.SDAD], oda.FDDAData(nil, p.un, p.amount, p.currency, p.objects[tag.CardAuthData]), oda.FormatDDA, oda.FormatFDDA)
}

// clone copies a tap, so that a test may spoil it.
func (p *tap) clone() *tap {
	q := *p
	q.objects = map[tlv.Tag][]byte{}
	for g, v := range p.objects {
		q.objects[g] = bytes.Clone(v)
	}
	for _, b := range []*[]byte{&q.records, &q.un, &q.amount, &q.currency, &q.ca.Modulus, &q.ca.Exponent} {
		*b = bytes.Clone(*b)
	}
	return &q
}

// The recorded fDDA exchange verifies from its bytes; no bit of what is certified
// or signed can change; what fDDA does not sign can.
func TestVectorFDDA(t *testing.T) {
	p := collect(t, loadVector(t, "visa-offline-fdda-v01"))
	d, err := p.fdda()
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := d.Number(); !ok || !bytes.Equal(n, p.objects[tag.ATC]) || d.Format != oda.FormatDDA {
		t.Errorf("format %02X, dynamic data %X", d.Format, d.Data)
	}
	object := func(g tlv.Tag) func(*tap) []byte { return func(q *tap) []byte { return q.objects[g] } }
	for _, c := range []struct {
		name  string
		bytes func(*tap) []byte
		valid bool
	}{
		{"90", object(tag.IssuerCertificate), false},
		{"92", object(tag.IssuerRemainder), false},
		{"9F32", object(tag.IssuerExponent), false},
		{"9F46", object(tag.ICCCertificate), false},
		{"9F47", object(tag.ICCExponent), false},
		{"9F48", object(tag.ICCRemainder), false},
		{"9F4B", object(tag.SDAD), false},
		{"9F69", object(tag.CardAuthData), false},
		{"5A", object(tag.PAN), false},
		{"signed records", func(q *tap) []byte { return q.records }, false},
		{"CA modulus", func(q *tap) []byte { return q.ca.Modulus }, false},
		{"CA exponent", func(q *tap) []byte { return q.ca.Exponent }, false},
		{"9F37", func(q *tap) []byte { return q.un }, false},
		{"9F02", func(q *tap) []byte { return q.amount }, false},
		{"5F2A", func(q *tap) []byte { return q.currency }, false},
		{"9F26", object(tag.ApplicationCryptogram), true},
		{"9F10", object(tag.IAD), true},
		{"57", object(tag.Track2), true},
		{"9F6C", object(tag.CTQ), true},
	} {
		n := len(c.bytes(p))
		if n == 0 && c.name != "92" {
			t.Errorf("%s is not in the exchange", c.name)
		}
		for i := range n {
			for _, flip := range []byte{0x01, 0x80} {
				q := p.clone()
				c.bytes(q)[i] ^= flip
				if _, err := q.fdda(); (err == nil) != c.valid {
					t.Errorf("%s byte %d flipped by %02X: %v", c.name, i, flip, err)
				}
			}
		}
	}
}

// Pieces cut off or added fail as flips do.
func TestVectorFDDALengths(t *testing.T) {
	p := collect(t, loadVector(t, "visa-offline-fdda-v01"))
	for _, g := range []tlv.Tag{tag.IssuerCertificate, tag.IssuerRemainder, tag.IssuerExponent, tag.ICCCertificate, tag.ICCExponent, tag.ICCRemainder, tag.SDAD, tag.CardAuthData} {
		for name, change := range map[string]func([]byte) []byte{
			"longer":  func(b []byte) []byte { return append(b, 0xBB) },
			"shorter": func(b []byte) []byte { return b[:max(0, len(b)-1)] },
			"absent":  func([]byte) []byte { return nil },
		} {
			if name != "longer" && len(p.objects[g]) == 0 {
				continue
			}
			q := p.clone()
			q.objects[g] = change(q.objects[g])
			if _, err := q.fdda(); err == nil {
				t.Errorf("%s %s: verifies", g, name)
			}
		}
	}
}

// Expiry is judged by the day of the exchange: the card's certificates have ended since.
func TestVectorExpiry(t *testing.T) {
	p := collect(t, loadVector(t, "visa-offline-fdda-v01"))
	q := p.clone()
	q.now = p.now.AddDate(30, 0, 0)
	if _, err := q.fdda(); !errors.Is(err, oda.ErrExpired) {
		t.Errorf("thirty years later: %v", err)
	}
	q.now = p.now
	q.ca.Expiry = p.now
	if _, err := q.fdda(); !errors.Is(err, oda.ErrExpired) {
		t.Errorf("on the day on which the CA key ended: %v", err)
	}
	q.ca.Expiry = p.now.AddDate(0, 0, 1)
	if _, err := q.fdda(); err != nil {
		t.Errorf("a day before the CA key ends: %v", err)
	}
}

// The recorded CDA exchange verifies too, its transaction data hash included.
func TestVectorCDA(t *testing.T) {
	p := collect(t, loadVector(t, "mastercard-offline-cda"))
	verify := func(q *tap) (oda.Combined, error) {
		icc, err := q.chain()
		if err != nil {
			return oda.Combined{}, err
		}
		transaction := append(append(bytes.Clone(q.pdol), q.cdol...), q.acBody...)
		return oda.VerifyCombined(icc, q.objects[tag.SDAD], q.un, transaction, q.objects[tag.CID][0])
	}
	c, err := verify(p)
	if err != nil {
		t.Fatal(err)
	}
	if c.CID != 0x80 && c.CID != 0x40 {
		t.Errorf("signed CID %02X", c.CID)
	}
	for name, b := range map[string]func(*tap) []byte{
		"PDOL data": func(q *tap) []byte { q.pdol = bytes.Clone(q.pdol); return q.pdol },
		"CDOL data": func(q *tap) []byte { q.cdol = bytes.Clone(q.cdol); return q.cdol },
		"response":  func(q *tap) []byte { q.acBody = bytes.Clone(q.acBody); return q.acBody },
		"9F4B":      func(q *tap) []byte { return q.objects[tag.SDAD] },
		"9F37":      func(q *tap) []byte { return q.un },
		"9F27":      func(q *tap) []byte { return q.objects[tag.CID] },
		"records":   func(q *tap) []byte { return q.records },
		"AIP":       func(q *tap) []byte { return q.objects[tag.AIP] },
	} {
		for i := range b(p.clone()) {
			q := p.clone()
			b(q)[i] ^= 0x04
			if _, err := verify(q); err == nil {
				t.Errorf("%s byte %d flipped: verifies", name, i)
			}
		}
	}
}

func BenchmarkVectorFDDA(b *testing.B) {
	p := collect(b, loadVector(b, "visa-offline-fdda-v01"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.fdda(); err != nil {
			b.Fatal(err)
		}
	}
}
